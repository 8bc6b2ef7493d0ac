"""The journal and the params of a run. Nothing is created on disk before the engine starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexustrader.config import Config
from nexustrader.constants import StorageType, settings
from nexustrader.domain import events as ev
from nexustrader.domain.snapshot import Entry, Snapshot
from nexustrader.error import EngineBuildError, JournalError
from nexustrader.kernel.ports import Clock, Journal
from nexustrader.persistence.params import Params

if TYPE_CHECKING:
    from nexustrader.persistence.postgres import PostgresMirror

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

    def all(self) -> dict[str, Any]:
        """All values by name."""
        return self._store.all()


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

    def append_many(self, records: Iterable[ev.Record]) -> int:
        """Append all or none. Raises JournalError."""
        seq: int = self._journal.append_many(records)
        return seq

    def replay(self) -> Iterator[Entry]:
        return iter(()) if self._journal is None else self._journal.replay()

    @property
    def is_full(self) -> bool:
        """True when it is time to rotate."""
        return self._journal is not None and bool(getattr(self._journal, "is_full", False))

    @property
    def last_seq(self) -> int:
        """The number of the newest record; 0 before there is one."""
        return 0 if self._journal is None else int(self._journal.last_seq)

    def rotate(self, snapshot: Snapshot) -> None:
        """Let a snapshot stand for the records before it. Any thread. Raises JournalError."""
        journal = self._journal
        if journal is not None:
            journal.rotate(snapshot)

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

    async def mirrored_by(self, config: Config) -> PostgresMirror | None:
        """A mirror of the journal where one is configured, after it has given what the journal lacked.

        Raises EngineBuildError when it cannot be used at all; a server that is away is none of our business here.
        """
        store = self._journal
        if config.storage_backend is not StorageType.POSTGRESQL or settings.get(EMULATED_DB_PATH):
            return None
        try:
            from nexustrader.persistence.postgres import PostgresMirror, PostgresSettings
        except ImportError as error:
            raise EngineBuildError(
                f"Config.storage_backend is POSTGRESQL, and {error.name} is not installed: install the extra "
                "`postgres`, or use StorageType.SQLITE"
            ) from error
        mirror = PostgresMirror(store.path, store.prefix, PostgresSettings.from_settings())
        if await mirror.recover(store):
            self.params.use(store.params)
        return mirror


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
