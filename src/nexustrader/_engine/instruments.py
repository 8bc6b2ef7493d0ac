"""The instruments of all feeds: from disk at the start, from the venue soon after, and again every hour."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from nexustrader.domain.instrument import Instrument
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.feed import Feed
from nexustrader.venue.instrument_store import InstrumentStore, changes, told

REFRESH_S = 3_600.0
SETTLE_S_MAX = 0.5  # how long a start waits for a list that is newer than the one on disk
CHANGES_TOLD_MAX = 20

_log = get_logger("Instruments")

OnChange = Callable[[Feed, list[Instrument]], None]


class _List(NamedTuple):
    store: InstrumentStore
    name: str
    feed: Feed


class InstrumentLists:
    """Keeps what feeds know of their instruments up to date. `on_change` hears of every difference."""

    def __init__(self, clock: Clock, tasks: TaskManager, on_change: OnChange) -> None:
        self._clock = clock
        self._tasks = tasks
        self._on_change = on_change
        self._lists: list[_List] = []
        self._first: list[asyncio.Task[None]] = []  # of lists that came from disk

    async def load(self, store: InstrumentStore, name: str, feed: Feed) -> None:
        """Let a feed know its instruments: as they were lately, else as they are. Raises what a feed's fetch raises."""
        one = _List(store, name, feed)
        kept = store.read(name)
        if kept is not None and kept.is_young(self._clock.timestamp_ms()):
            feed.know_instruments(kept.instruments)
            self._first.append(self._tasks.create_task(self._refresh(one), name=f"instruments {name}"))
        else:
            fresh = await feed.fetch_instruments()
            if fresh:
                store.write(name, fresh.values(), self._clock.timestamp_ms())
            feed.know_instruments(fresh.values())
        self._lists.append(one)

    async def settle(self) -> None:
        """Give the lists that came from disk a moment to be replaced, and keep all up to date from now on."""
        if self._first:
            await asyncio.wait(self._first, timeout=SETTLE_S_MAX)
        self._tasks.create_task(self._keep(), name="instruments")

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            for one in self._lists:
                await self._refresh(one)

    async def _refresh(self, one: _List) -> None:
        try:
            fresh = await one.feed.fetch_instruments()
        except Exception as error:  # tidy: ok — a list that cannot be had now may be had in an hour
            _log.warning(f"{one.name}: the list could not be fetched, it stays as it is: {error}")
            return
        if not fresh:
            _log.warning(
                f"{one.name}: the venue lists nothing, which is not believed: the list stays as it is"
            )
            return
        one.store.write(one.name, fresh.values(), self._clock.timestamp_ms())
        known = one.feed.instruments
        changed = changes(known, fresh)
        for instrument in changed[:CHANGES_TOLD_MAX]:
            _log.warning(told(known.get(instrument.symbol), instrument))
        if len(changed) > CHANGES_TOLD_MAX:
            _log.warning(f"{one.name}: {len(changed) - CHANGES_TOLD_MAX} more instruments have changed")
        if changed:
            one.feed.know_instruments(changed)
            self._on_change(one.feed, changed)
