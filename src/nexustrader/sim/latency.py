"""How long messages take between a strategy and its venue: delays as models, and the lanes on which they travel.

Every way has a delay of its own: orders out, cancels out, answers back, market data back. A model that draws does so
from the randomness it is given, so equal seeds give equal delays.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from nexustrader.error import OrderError
from nexustrader.kernel.clock import NS_PER_MS
from nexustrader.kernel.ports import Clock

LATENCY_MS_MAX = 60_000

T = TypeVar("T")


def _check(ms: float) -> None:
    if not 0 <= ms <= LATENCY_MS_MAX:
        raise OrderError(f"latency is {ms} ms, choose 0 to {LATENCY_MS_MAX}")


class Randomness(Protocol):
    """A stream of draws; `kernel.entropy.Entropy` is one."""

    def gauss(self, mean: float, deviation: float, /) -> float: ...
    def randint(self, low: int, high: int, /) -> int: ...


class ConstantDelay(msgspec.Struct, frozen=True):
    """Every message takes the same time. Raises OrderError for a time that is none."""

    ms: float = 0

    def __post_init__(self) -> None:
        _check(self.ms)

    @property
    def max_ms(self) -> int:
        """No message takes longer."""
        return math.ceil(self.ms)

    def ms_at(self, now_ms: int, draw: Randomness) -> float:
        """Milliseconds that a message sent now takes."""
        del now_ms, draw
        return self.ms

    def describe(self) -> str:
        """The model in words, to follow the name of a way."""
        return f"takes {self.ms:g} ms" if self.ms else "takes no time"


class SampledDelay(msgspec.Struct, frozen=True):
    """Every message takes one of these times, drawn evenly. Raises OrderError for none or for what is no time."""

    ms: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.ms:
            raise OrderError("SampledDelay(ms=()) has no time to draw from; give the milliseconds measured")
        for one in self.ms:
            _check(one)

    @property
    def max_ms(self) -> int:
        return math.ceil(max(self.ms))

    def ms_at(self, now_ms: int, draw: Randomness) -> float:
        del now_ms
        return self.ms[draw.randint(0, len(self.ms) - 1)]

    def describe(self) -> str:
        return f"takes one of {len(self.ms):,} sampled times, {min(self.ms):g} to {max(self.ms):g} ms"


class LogNormalDelay(msgspec.Struct, frozen=True, kw_only=True):
    """Times whose logarithm is normal: `median_ms`, with a tail as heavy as `sigma`, cut off at `ceiling_ms`.

    Raises OrderError for a median or a ceiling that is no time, and for a sigma that is none.
    """

    median_ms: float
    sigma: float = 0.5
    ceiling_ms: float = 5_000

    def __post_init__(self) -> None:
        _check(self.median_ms)
        _check(self.ceiling_ms)
        if not (0 <= self.sigma <= 5 and self.median_ms <= self.ceiling_ms):
            raise OrderError(
                f"LogNormalDelay(median_ms={self.median_ms}, sigma={self.sigma}, ceiling_ms={self.ceiling_ms}) is "
                "impossible; choose a sigma of 0 to 5 and a median up to the ceiling"
            )

    @property
    def max_ms(self) -> int:
        return math.ceil(self.ceiling_ms)

    def ms_at(self, now_ms: int, draw: Randomness) -> float:
        del now_ms
        return min(self.median_ms * math.exp(self.sigma * draw.gauss(0.0, 1.0)), self.ceiling_ms)

    def describe(self) -> str:
        return (
            f"takes a log-normal time of median {self.median_ms:g} ms and sigma {self.sigma:g}, at most "
            f"{self.ceiling_ms:g} ms"
        )


class RecordedDelay(msgspec.Struct, frozen=True):
    """Times as they were recorded: pairs of (time in ms, delay in ms), by time.

    A message takes what was recorded last before it is sent, and before the first record what that one says. Raises
    OrderError for pairs that are none, or out of order.
    """

    samples: tuple[tuple[int, float], ...]

    def __post_init__(self) -> None:
        times = [time_ms for time_ms, _ in self.samples]
        if not times or times != sorted(times):
            raise OrderError("RecordedDelay needs pairs of (time in ms, delay in ms), sorted by time")
        for _, ms in self.samples:
            _check(ms)

    @property
    def max_ms(self) -> int:
        return math.ceil(max(ms for _, ms in self.samples))

    def ms_at(self, now_ms: int, draw: Randomness) -> float:
        del draw
        place = bisect_right(self.samples, now_ms, key=lambda sample: sample[0]) - 1
        return self.samples[max(0, place)][1]

    def describe(self) -> str:
        delays = [ms for _, ms in self.samples]
        return f"takes what was recorded: {len(delays):,} times, {min(delays):g} to {max(delays):g} ms"


Delay = ConstantDelay | SampledDelay | LogNormalDelay | RecordedDelay
NO_DELAY = ConstantDelay()


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """The delays of one account, in ms: a number stands for a constant one.

    entry: orders and amendments, to the venue. cancel: cancels likewise, None for the same as `entry`. reply: whatever
    the venue answers or tells, to the strategy. feed: market data, to the strategy. Raises OrderError for a number that
    is no time.
    """

    entry: Delay | float = NO_DELAY
    cancel: Delay | float | None = None
    reply: Delay | float = NO_DELAY
    feed: Delay | float = NO_DELAY

    def __post_init__(self) -> None:
        _ = self.ways  # numbers that are no times are refused at once

    @property
    def ways(self) -> Ways:
        """The delay of every way."""
        entry = _delay(self.entry)
        cancel = entry if self.cancel is None else _delay(self.cancel)
        return Ways(entry, cancel, _delay(self.reply), _delay(self.feed))

    @property
    def there_ms_max(self) -> int:
        """No command takes longer to the venue."""
        return max(self.ways.entry.max_ms, self.ways.cancel.max_ms)

    @property
    def round_trip_ms_max(self) -> int:
        """No answer takes longer, from the command on."""
        return self.there_ms_max + self.ways.reply.max_ms

    def describe(self) -> Iterator[str]:
        """What is assumed, in sentences."""
        ways = self.ways
        if ways.entry == ways.cancel:
            there = f"A command {ways.entry.describe()} to the venue"
        else:
            there = f"An order {ways.entry.describe()} to the venue, a cancel {ways.cancel.describe()}"
        yield f"{there}, and none overtakes another; an answer {ways.reply.describe()} to the strategy"
        if ways.feed.max_ms:
            yield f"Market data {ways.feed.describe()} to the strategy"


class Ways(NamedTuple):
    """The four ways of `Latency`, every one a delay."""

    entry: Delay
    cancel: Delay
    reply: Delay
    feed: Delay


class Lane:
    """One way of messages: each takes a time of its own, and none overtakes the one before it."""

    def __init__(self, clock: Clock, draw: Randomness) -> None:
        self._clock = clock
        self._draw = draw
        self._last_ns = 0
        self._under_way = 0

    def send(self, delay: Delay, call: Callable[[], object]) -> None:
        """Makes the call when the message has arrived, never within this one."""
        now_ns = self._clock.timestamp_ns()
        delay_ns = round(delay.ms_at(now_ns // NS_PER_MS, self._draw) * NS_PER_MS)
        due_ns = self._last_ns = max(now_ns + delay_ns, self._last_ns)
        # Race: a message may arrive at this very instant and wait for its turn among the timers. One sent now without
        # a delay must wait behind it, so it becomes a timer too: timers of equal time keep their order.
        if due_ns == now_ns and not self._under_way:
            self._clock.call_soon(call)
            return
        self._under_way += 1

        def arrive() -> None:
            self._under_way -= 1
            call()

        self._clock.call_at(due_ns, arrive)


def delayed(lane: Lane, delay: Delay, call: Callable[[T], object]) -> Callable[[T], None]:
    """The call, made on a lane: with the delay of its messages, and in their order."""
    return lambda message: lane.send(delay, partial(call, message))


def _delay(given: Delay | float) -> Delay:
    return ConstantDelay(given) if isinstance(given, int | float) else given
