"""Randomness: the only place in the package that draws any.

Seeded, every draw is the same in every process; unseeded, draws come from the operating system and are fit
for secrets.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import MutableSequence, Sequence
from typing import TypeVar

T = TypeVar("T")


class Entropy:
    """One stream of random draws; `child` gives independent ones, so that users do not disturb each other."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        self._random = random.SystemRandom() if seed is None else random.Random(_mix(f"{seed}"))

    def child(self, name: str) -> Entropy:
        """A stream of its own, the same for the same seed and name, whatever was drawn from this one."""
        return Entropy() if self.seed is None else Entropy(_mix(f"{self.seed}/{name}"))

    def random(self) -> float:
        """Uniform in [0, 1)."""
        return self._random.random()

    def gauss(self, mean: float, deviation: float) -> float:
        """Normally distributed."""
        return self._random.gauss(mean, deviation)

    def expovariate(self, rate: float) -> float:
        """Exponentially distributed with mean 1 / `rate`."""
        return self._random.expovariate(rate)

    def randint(self, low: int, high: int) -> int:
        """Uniform in [low, high], both included."""
        return self._random.randint(low, high)

    def choice(self, options: Sequence[T]) -> T:
        """One of `options`. Raises IndexError when there is none."""
        return self._random.choice(options)

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Permutes `items` in place."""
        self._random.shuffle(items)

    def token_hex(self, count: int) -> str:
        """`count` random bytes as 2 x `count` hexadecimal digits."""
        return self._random.randbytes(count).hex()

    def jitter(self, base: float, fraction: float) -> float:
        """`base`, changed by at most `fraction` of it either way, uniformly.

        Raises ValueError outside 0 <= fraction <= 1.
        """
        if not 0 <= fraction <= 1:
            raise ValueError(f"jitter fraction is {fraction}; it must lie between 0 and 1")
        return base * self._random.uniform(1 - fraction, 1 + fraction)


def _mix(text: str) -> int:
    """A stable hash: Python's own differs between processes."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
