"""Valid messages, damaged: values exchanged by strange ones, then perhaps bytes changed, cut, inserted or doubled."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

FRAMES = int(os.environ.get("NEXUSTRADER_FUZZ_FRAMES", "100000"))  # how many at length
STRANGE: list[Any] = [
    None, True, False, 0, -1, 2**53 + 1, 2**63, 2**64, 10**30, -(10**30), 1.5, 1e300, "", " ", "nan", "Infinity",
    "-1", "1e999999999", "1e-999999999", "1e-9", "0x10", "\ud7ff", "\x00", "x" * 300, [], {}, [[]], {"e": []},
    {"topic": []}, "9" * 60, "9" * 13, "١٢",
]  # fmt: skip


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a message, itself included."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [prefix, *(path for key, item in items for path in paths(item, (*prefix, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = by
    return changed


def mistakes(valid: Sequence[Any], strange: Sequence[Any]) -> Iterator[bytes]:
    """Every single value of every message, exchanged by each strange one."""
    for message in valid:
        for path in paths(message):
            for value in strange:
                yield msgspec.json.encode(replaced(message, path, value))


def damaged(valid: Sequence[Any], strange: Sequence[Any], seed: int, count: int) -> Iterator[bytes]:
    """Up to two values exchanged, up to three times bytes changed."""
    dice = random.Random(seed)
    known = [(message, paths(message)) for message in valid]
    for _ in range(count):
        message, places = dice.choice(known)
        for _ in range(dice.randrange(3)):
            message = replaced(message, dice.choice(places), dice.choice(strange))
            places = paths(message)
        raw = bytearray(msgspec.json.encode(message))
        for _ in range(dice.choice((0, 0, 1, 2, 3))):
            at = dice.randrange(max(1, len(raw)))
            match dice.randrange(4):
                case 0 if raw:
                    raw[at] = dice.randrange(256)
                case 1:
                    del raw[at:]
                case 2:
                    raw[at:at] = dice.randbytes(3)
                case _:
                    raw += raw[:at]
        yield bytes(raw)
