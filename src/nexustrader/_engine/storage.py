"""The journal and the params of a run. Nothing is created on disk before the engine starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nexustrader.config import Config
from nexustrader.constants import settings
from nexustrader.domain import events as ev
from nexustrader.error import EngineBuildError, JournalError
from nexustrader.kernel.ports import Clock, Journal
from nexustrader.persistence.params import Params

EMULATED_DB_PATH = "EMULATED.DB_PATH"


class DeferredParams:
    """Params that stay in memory until a store on disk takes over."""

    def __init__(self) -> None:
        self._store = Params()

    def use(self, store: Params) -> None:
        """Move to `store`; what was set before the start is kept."""
        for name, value in self._store.all().items():
            store.set(name, value)
        self._store = store

    def get(self, name: str, default: Any = None) -> Any:
        return self._store.get(name, default)

    def set(self, name: str, value: Any) -> None:
        self._store.set(name, value)

    def clear(self, name: str | None = None) -> None:
        self._store.clear(name)


class DeferredJournal:
    """The `Journal` an engine holds from its construction on; the real one is opened at start."""

    def __init__(self) -> None:
        self._journal: Any = None
        self.params = DeferredParams()

    def use(self, journal: Journal) -> None:
        self._journal = journal

    def append(self, record: ev.Record) -> int:
        if self._journal is None:
            raise JournalError("the journal is not open: orders can be sent once the engine has started")
        seq: int = self._journal.append(record)
        return seq

    def replay(self) -> Iterator[ev.Record]:
        return iter(()) if self._journal is None else self._journal.replay()

    def checkpoint(self) -> None:
        """Shorten the journal's log. Any thread. Raises JournalError."""
        journal = self._journal
        if journal is not None:
            journal.checkpoint()

    def flush_params(self) -> None:
        """Save changed parameters. Raises JournalError."""
        if self._journal is not None:
            self._journal.params.flush()

    def close(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()


def database_path(config: Config) -> Path:
    """Where this run keeps its journal. An emulated run never touches the real one: its orders are not real.

    Raises EngineBuildError when some venues are emulated and another one with a private connector is real: its
    orders would be in a journal that does not outlive the run.
    """
    emulated = settings.get(EMULATED_DB_PATH)
    if not emulated:
        return Path(config.db_path)
    real = [e.name for e in config.private_conn_config if settings.overlaid(e.name) is None]
    if real and not config.is_mock:
        raise EngineBuildError(
            f"{', '.join(real)} would be real in an emulated run. Emulate every venue that the program trades on "
            f"(--emulate {' --emulate '.join(name.lower() for name in real)}), or run it without --emulate"
        )
    return Path(emulated)


def open_storage(
    config: Config, journal: DeferredJournal, fingerprints: Mapping[str, str], clock: Clock
) -> None:
    """Open the journal and the params of this strategy. Raises JournalError and JournalLockedError."""
    from nexustrader.persistence.sqlite import SqliteJournal

    store = SqliteJournal(database_path(config), config.strategy_id, config.user_id, fingerprints, clock)
    journal.use(store)
    journal.params.use(store.params)
