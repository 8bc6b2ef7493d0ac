"""The order book as a topic tells it: a snapshot, then what changed, every message numbered."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from nexustrader.emulator.bybit.sockets.topics import BOOK, Topic
from nexustrader.emulator.faults import PUSH, FaultPlan
from nexustrader.emulator.market.market import Market, TextLevel
from nexustrader.emulator.market.streams import Stream

Body = dict[str, object]
Side = Sequence[TextLevel]

encode = msgspec.json.encode

RESTARTED = 1  # `u` of the snapshot after a restart of the service
QUIET_MS = 3_000  # the best levels alone are told again when nothing changed for so long


class BookStream(Stream):
    """One orderbook topic. What was told last is kept, and what is told next is the difference to it."""

    def __init__(
        self, name: str, topic: Topic, market: Market, about: dict[str, str | None], faults: FaultPlan
    ) -> None:
        super().__init__(name, about, topic.cadence_ms, faults)
        self._market = market
        self._depth = int(topic.arg)
        self.update_id = market.update_id
        self.bids, self.asks = self._levels()
        self._pushed_ms = 0

    def snapshot(self, now_ms: int) -> bytes:
        """The book as it was told last."""
        return self._message("snapshot", self.bids, self.asks, now_ms)

    def restart(self, now_ms: int) -> None:
        """Tells the whole book anew, numbered as after a restart."""
        self.update_id = RESTARTED
        self.bids, self.asks = self._levels()
        self.push(self.snapshot(now_ms))

    def push_changes(self, now_ms: int) -> None:
        """Tells what changed, if it is time to."""
        quiet = self._depth == 1 and now_ms - self._pushed_ms >= QUIET_MS
        if not (self.stale or quiet) or not self.is_due(now_ms):
            return
        self.stale, self._pushed_ms = False, now_ms
        bids, asks = self._levels()
        changed_bids, changed_asks = _changes(self.bids, bids), _changes(self.asks, asks)
        self.bids, self.asks = bids, asks
        if changed_bids or changed_asks:
            self.update_id += 1
        if self._depth == 1:
            self.push(self.snapshot(now_ms))
        elif changed_bids or changed_asks:
            self.push(self._message("delta", self._crossed(changed_bids), changed_asks, now_ms))

    def _crossed(self, bids: list[TextLevel]) -> list[TextLevel]:
        """The changed bids; where a fault says so, with one as good as the best ask."""
        if not self.faults.pending or not self.asks:
            return bids
        if self.faults.take(PUSH, ("cross_push",), **self.about) is None:
            return bids
        return [*bids, (self.asks[0][0], self._market.amounts.text(1))]

    def _levels(self) -> tuple[list[TextLevel], list[TextLevel]]:
        return self._market.depth(self._depth)

    def _message(self, kind: str, bids: Side, asks: Side, now_ms: int) -> bytes:
        data = {
            "s": self._market.symbol,
            "b": bids,
            "a": asks,
            "u": self.update_id,
            "seq": self._market.update_id,
        }
        name = f"{BOOK}.{self._depth}.{self._market.symbol}"
        return encode({"topic": name, "type": kind, "ts": now_ms, "data": data, "cts": now_ms})


def _changes(old: Side, new: Side) -> list[TextLevel]:
    """Levels of the new side that are not in the old one as they are, and those that are gone, with size 0."""
    before, after = ({level[0]: level[1] for level in side} for side in (old, new))
    changed: list[TextLevel] = [(p, q) for p, q in after.items() if before.get(p) != q]
    return changed + [(p, "0") for p in before if p not in after]
