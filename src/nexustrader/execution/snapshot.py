"""Takes the state that a restart needs out of the parts of an engine, and puts it back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from nexustrader.domain import events as ev
from nexustrader.domain.snapshot import Entry, Snapshot
from nexustrader.execution.oms import OrderManager
from nexustrader.market.cache import Cache
from nexustrader.portfolio.portfolio import Portfolio


def take(
    oms: OrderManager,
    portfolio: Portfolio,
    cache: Cache,
    *,
    seq: int,
    timestamp_ms: int,
    sections: Mapping[str, str] | None = None,
) -> Snapshot:
    """The state after record `seq`, the newest one. Call it on the engine's thread, between two facts.

    Takes about a millisecond for 100,000 orders: states are frozen, so that they need not be copied. `sections` is
    what other parts want to keep; they see it in the snapshot when it is replayed.
    """
    rest = Snapshot(
        seq=seq,
        timestamp=timestamp_ms,
        idempotency=cache.idempotency_keys(),
        sections=dict(sections or {}),
    )
    return portfolio.capture(oms.capture(rest))


def restore(entries: Iterable[Entry], oms: OrderManager, portfolio: Portfolio, cache: Cache) -> int:
    """Fold what a journal replays into empty parts; returns how many orders may still be open."""

    def records() -> Iterator[ev.Record]:
        for entry in entries:
            if isinstance(entry, Snapshot):
                oms.load(entry)
                portfolio.load(entry)
                for key, name in entry.idempotency:
                    cache.reserve_idempotent_create_order(key, name)
            else:
                yield entry

    return oms.restore(records(), portfolio.adjust)
