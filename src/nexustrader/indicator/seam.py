"""Where history and live klines meet: every closed bar once, in order, none left out, and none before it has closed.

Pure: it is told what comes and says what to give. Klines that come while history is being asked for are kept. A live
kline that is not the next one shows that a bar was missed, and history is asked for again: a subscription that began
a moment too late and a lost connection are the same case.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from nexustrader.constants import KlineInterval
from nexustrader.schema import Kline

KEPT_BARS_MAX = 1_000
GAP_BARS_MAX = 10_000
SPARE_BARS = 2  # the open one, and one for clocks that disagree
MONTH_MS_MAX = 31 * 86_400_000


class Seam:
    """One indicator's line of bars. While `is_asking`, history is wanted; it is from the beginning on."""

    def __init__(self, interval: KlineInterval, period: int) -> None:
        self._step_ms = interval.milliseconds
        self._next_within_ms = MONTH_MS_MAX if interval is KlineInterval.MONTH_1 else self._step_ms
        self._period = period
        self.restart()

    def restart(self) -> None:
        """Forget what was given: all of the history is wanted again."""
        self.is_asking = True
        self._last_start: int | None = None  # of the newest closed bar that was given
        self._kept: dict[int, Kline] = {}  # by start, the last word about each bar

    def bars_wanted(self, now_ms: int) -> int:
        """How many of the latest bars to ask for."""
        if self._last_start is None:
            return self._period + SPARE_BARS
        return min(GAP_BARS_MAX, (now_ms - self._last_start) // self._step_ms + SPARE_BARS)

    def admit(self, kline: Kline) -> bool:
        """True when this live kline is to be given now.

        Else it was given already, or it is kept; it may be what begins a time of asking.
        """
        if self.is_asking:
            self._keep(kline)
            return False
        last = self._last_start
        if last is not None:
            if kline.start <= last:
                return False
            if kline.start - last > self._next_within_ms:
                self.is_asking = True
                self._keep(kline)
                return False
        self._note(kline)
        return True

    def _note(self, kline: Kline) -> None:
        """A live kline is given. Before the first closed bar an open one says where the line begins."""
        if kline.confirm:
            self._last_start = kline.start
        elif self._last_start is None:
            self._last_start = kline.start - self._step_ms

    def _keep(self, kline: Kline) -> None:
        known = self._kept.get(kline.start)
        if known is None or not known.confirm:
            self._kept[kline.start] = kline
        if len(self._kept) > KEPT_BARS_MAX:
            del self._kept[min(self._kept)]

    def answer(self, history: Sequence[Kline]) -> list[Kline]:
        """What to give now that history has come. Still asking afterwards: a bar is missing that it may yet show."""
        if not self.is_asking:
            return []
        rows = list({row.start: row for row in sorted(history, key=_start_of)}.values())
        given = self._closed_and_new(rows)
        # A bar that is not there although a later one is does not exist.
        return given + self._take_kept(rows[-1].start if rows else -1)

    def give_up(self) -> list[Kline]:
        """What was kept, with whatever is missing before it."""
        if self._kept:
            return self._take_kept(max(self._kept))
        self.is_asking = False
        return []

    def _closed_and_new(self, rows: Sequence[Kline]) -> list[Kline]:
        last = self._last_start
        # One with another behind it is closed, whatever our clock says.
        closed = {row.start: _confirmed(row) for row in rows[:-1]}
        closed.update((row.start, row) for row in rows[-1:] if row.confirm)
        if last is None:
            given = list(closed.values())[-self._period :]
        else:
            given = [row for start, row in closed.items() if start > last]
        if given:
            self._last_start = given[-1].start
        return given

    def _take_kept(self, known_until: int) -> list[Kline]:
        """Kept klines in order, up to the first before which a bar is missing that history did not reach yet."""
        given: list[Kline] = []
        for start in sorted(self._kept):
            last = self._last_start
            if last is not None and start - last > self._next_within_ms and known_until < start:
                break
            kline = self._kept.pop(start)
            if last is None or start > last:
                given.append(kline)
                self._note(kline)
        self.is_asking = bool(self._kept)
        return given


def _start_of(kline: Kline) -> int:
    return kline.start


def _confirmed(kline: Kline) -> Kline:
    return kline if kline.confirm else msgspec.structs.replace(kline, confirm=True)
