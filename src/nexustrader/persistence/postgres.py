"""A mirror of the journal in PostgreSQL, for the day on which the machine is lost.

The local journal alone decides: an intent is durable there before it is sent, and nothing ever waits for the mirror.
The mirror follows it like a reader, over connections of its own, so that the local file is its queue: what could
not be written during an outage is read again from where the mirror is, archived segments included.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from nexustrader.constants import get_postgresql_config
from nexustrader.credentials.providers import fetch
from nexustrader.error import EngineBuildError, JournalError
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.secret import Reference, Secret, classify
from nexustrader.persistence import layout
from nexustrader.persistence import postgres_tables as tables
from nexustrader.persistence.reading import Row, is_sound, joined
from nexustrader.persistence.sqlite import SqliteJournal
from nexustrader.persistence.tail import BATCH_ROWS_MAX, Copy, Head, Tail

# The server notices within a minute that we are gone, and lets go of the lock that a new connection needs.
KEEPALIVES = {"tcp_keepalives_idle": 30, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 3}
POLL_S = 0.2  # what a lost machine may cost
PARAMS_INTERVAL_S = 5.0
CONNECT_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 60.0  # a server may be slow
RECOVER_TIMEOUT_S = 15.0  # how long a start waits for the mirror
CLOSE_TIMEOUT_S = 3.0
HANG_UP_TIMEOUT_S = 1.0
RETRY_DELAYS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
ROWS_COMPARED_MAX = 1_000  # at the end of the mirror, after each connect
ROWS_KEPT_BEFORE_SNAPSHOT_MAX = 500_000
OLD_LIVES_KEPT_MAX = 2

_log = get_logger("Mirror")


@dataclass(frozen=True)
class PostgresSettings:
    """Where the server is. `host` may be the folder of a Unix socket."""

    host: str
    port: int
    user: str
    password: Secret
    database: str

    @classmethod
    def from_settings(cls) -> PostgresSettings:
        """From `PG_HOST`, `PG_PORT`, `PG_USER`, `PG_PASSWORD` and `PG_DATABASE` (variables: with NEXUS_ before them).

        Raises EngineBuildError and what fetching a referenced password raises.
        """
        try:
            found = get_postgresql_config()
        except ValueError as error:
            raise EngineBuildError(f"PG_PORT is no port: {error}") from None
        password = classify(found["password"])
        found["password"] = fetch(password) if isinstance(password, Reference) else password
        return cls(**found)

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


class PostgresMirror:
    """Follows one journal. Nothing here raises into the engine: an outage is logged once, and then its end."""

    def __init__(self, database: Path, prefix: str, settings: PostgresSettings) -> None:
        self.settings = settings
        self.position = 0  # the number of the last record mirrored
        self.is_connected = False
        self._tail = Tail(database, prefix)
        self._prefix = tables.table_prefix(prefix)
        self._snapshot_seq = 0
        self._params: dict[str, tuple[str, int]] = {}
        self._params_due = 0.0
        self._closing = asyncio.Event()
        self._ended = asyncio.Event()
        self._is_running = False

    # -- life ------------------------------------------------------------------------------------------------

    async def recover(self, journal: SqliteJournal) -> int:
        """Give `journal`, before it is replayed, the records that only the mirror has; returns how many.

        A server that cannot be reached in time is logged: the start goes on without it.
        """
        copy: Copy | None = None
        try:
            async with asyncio.timeout(RECOVER_TIMEOUT_S):
                connection = await self._connect()
                try:
                    copy = await self._missing(connection)
                finally:
                    await _hang_up(connection)
        except Exception as error:  # tidy: ok — a mirror never keeps an engine from starting
            _log.warning(f"{self.settings} could not be asked for records: {_words(error)}; starting without")
        if copy is None:
            return 0
        try:
            taken = journal.adopt(copy)
        except JournalError as error:
            _log.error(f"records of {self.settings} could not be taken over: {error}")
            return 0
        _log.warning(f"{taken} record(s) up to {journal.last_seq} were taken from {self.settings}")
        return taken

    async def run(self) -> None:
        """Mirror until `close`, through every outage. One task for the life of the engine."""
        self._is_running = True
        failures = 0
        try:
            while not self._closing.is_set():
                try:
                    await self._follow()
                except Exception as error:  # tidy: ok — trading goes on, the mirror tries again
                    if not failures or self.is_connected:
                        failures = 0
                        _log.warning(f"{self.settings} is away, trying again: {_words(error)}")
                    self.is_connected = False
                    await self._pause(RETRY_DELAYS_S[min(failures, len(RETRY_DELAYS_S) - 1)])
                    failures += 1
        finally:
            self._ended.set()
            self._tail.close()

    async def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Let `run` end: after the last records when the server is there, at once when it is not."""
        self._closing.set()
        if self._is_running:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), timeout_s)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def _connect(self) -> Any:
        at = self.settings
        connection = await asyncpg.connect(
            host=at.host,
            port=at.port,
            user=at.user,
            password=str.__str__(at.password) or None,
            database=at.database,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            statement_cache_size=0,  # works through poolers as well
        )
        for name, value in KEEPALIVES.items():
            await connection.execute(f"SET {name} = {value}")
        return connection

    # -- following -------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        connection = await self._connect()
        try:
            await self._create_tables(connection)
            if not await connection.fetchval(tables.LOCK, tables.lock_key(self._prefix)):
                raise JournalError("another engine mirrors a journal under the same ids there")
            head = await asyncio.to_thread(self._tail.head)
            await self._open_life(connection, head)
            await self._agree(connection, head)
            self.is_connected = True
            _log.info(f"{self.settings} has the journal up to record {self.position} of {head.last_seq}")
            is_last = False
            while await self._round(connection) or not is_last:
                is_last = self._closing.is_set()  # one more round, for what was appended before that
        finally:
            await _hang_up(connection)

    async def _create_tables(self, connection: Any) -> None:
        """Only what is not there: later an account may be used that may not create any."""
        for suffix, columns in tables.TABLES.items():
            name = f"{self._prefix}{suffix}"
            if not await connection.fetchval(tables.HAS_TABLE, name):
                await connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")

    async def _open_life(self, connection: Any, head: Head) -> None:
        """Make sure that this life of the journal is ours in the mirror. Raises JournalError when it is another's."""
        stored = await connection.fetchrow(self._sql(tables.READ_LIFE), head.life)
        if stored is not None:
            layout.check_owner(_owner(stored), head.owner)
        fingerprints = msgspec.json.encode(head.owner.fingerprints).decode()
        await connection.execute(
            self._sql(tables.WRITE_LIFE),
            head.life,
            layout.FORMAT_VERSION,
            head.owner.strategy_id,
            head.owner.user_id,
            fingerprints,
        )
        self._snapshot_seq = stored["snapshot_seq"] if stored is not None else 0
        for row in await connection.fetch(self._sql(tables.OLD_LIVES), head.life, OLD_LIVES_KEPT_MAX):
            for statement in tables.DELETE_LIFE:
                await connection.execute(self._sql(statement), row["life"])
        self._params = {
            row["key"]: (row["value"], row["timestamp"]) for row in await self._all_params(connection)
        }

    async def _agree(self, connection: Any, head: Head) -> None:
        """Find where mirror and journal are the same, and put aside what the mirror has beyond that.

        After a failover the mirror may have lost its end; after a crash of this machine the journal may have.
        """
        agreed = await self._agreed(connection, head)
        if self._snapshot_seq > agreed and not await self._has_snapshot_of(connection, head):
            self._snapshot_seq = 0  # of records that are not the journal's (any more)
            await connection.execute(self._sql(tables.SET_SNAPSHOT_SEQ), head.life, 0)
        last = await connection.fetchval(self._sql(tables.READ_LAST_SEQ), head.life)
        if last is not None and last > agreed:
            _log.warning(
                f"{self.settings}: records {agreed + 1} to {last} differ from the journal and are put aside"
            )
            async with connection.transaction():
                await connection.execute(self._sql(tables.QUARANTINE), head.life, agreed)
                await connection.execute(self._sql(tables.DELETE_ABOVE), head.life, agreed)
        self.position = max(agreed, self._snapshot_seq)

    async def _has_snapshot_of(self, connection: Any, head: Head) -> bool:
        ours = await asyncio.to_thread(self._tail.parts, self._snapshot_seq)
        theirs = await connection.fetch(self._sql(tables.READ_PART_CHECKSUMS), head.life, self._snapshot_seq)
        return bool(ours) and [crc for _, _, _, crc, _ in ours] == [row["crc"] for row in theirs]

    async def _agreed(self, connection: Any, head: Head) -> int:
        """The last record that both have alike; 0 for none."""
        rows = await connection.fetch(self._sql(tables.READ_CHECKSUMS), head.life, ROWS_COMPARED_MAX)
        if not rows:
            return 0
        first, last = rows[-1]["seq"], rows[0]["seq"]
        ours = await asyncio.to_thread(self._tail.checksums, first, last)
        for seq, crc in rows:
            # Archived longer ago than segments are kept: nothing speaks against it.
            if ours.get(seq, crc if seq <= head.snapshot_seq else None) == crc:
                return int(seq)
        return 0

    async def _round(self, connection: Any) -> bool:
        """Mirror what is new, at most one batch; waits when nothing is. Returns whether there may be more."""
        head = await asyncio.to_thread(self._tail.head)
        rows = (
            await asyncio.to_thread(self._tail.rows, self.position) if head.last_seq > self.position else []
        )
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            await connection.execute(self._sql(tables.WRITE_ROWS), head.life, *columns)
            self.position = rows[-1][0]
        if head.snapshot_seq > self._snapshot_seq and (not rows or self.position >= head.snapshot_seq):
            await self._copy_snapshot(connection, head)
        await self._copy_params(connection)
        if not rows:
            await self._pause(POLL_S)
        return bool(rows)

    async def _copy_snapshot(self, connection: Any, head: Head) -> None:
        """Mirror a snapshot. Rows before it that are archived nowhere any more are made superfluous by it."""
        seq = head.snapshot_seq
        parts = await asyncio.to_thread(self._tail.parts, seq)
        if joined(seq, parts) is None:
            return  # Race: a rotation has just replaced it; or it is damaged, and the next one will
        async with connection.transaction():
            await connection.execute(self._sql(tables.DELETE_PARTS_OF), head.life, seq)
            for part in parts:
                await connection.execute(self._sql(tables.WRITE_PART), head.life, seq, *part)
            await connection.execute(self._sql(tables.SET_SNAPSHOT_SEQ), head.life, seq)
            await connection.execute(self._sql(tables.DELETE_PARTS), head.life, seq)
        self._snapshot_seq = seq
        self.position = max(self.position, seq)
        await connection.execute(
            self._sql(tables.DELETE_UPTO), head.life, seq - ROWS_KEPT_BEFORE_SNAPSHOT_MAX
        )

    async def _copy_params(self, connection: Any) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._params_due and not self._closing.is_set():
            return
        self._params_due = now + PARAMS_INTERVAL_S
        found = await asyncio.to_thread(self._tail.params)
        kept = {name: value for name, value in found.items() if "\0" not in name}  # no such text there
        if kept == self._params:
            return
        async with connection.transaction():
            for name in self._params.keys() - kept.keys():
                await connection.execute(self._sql(tables.DELETE_PARAM), name)
            for name, value in kept.items():
                if self._params.get(name) != value:
                    await connection.execute(self._sql(tables.WRITE_PARAM), name, *value)
        self._params = kept

    # -- recovery --------------------------------------------------------------------------------------------

    async def _missing(self, connection: Any) -> Copy | None:
        """What the mirror has and the journal lacks: all of the newest life, or the end of this one."""
        if not await connection.fetchval(tables.HAS_TABLE, f"{self._prefix}_header"):
            return None
        head = await asyncio.to_thread(self._tail.head)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for stored in await connection.fetch(self._sql(tables.READ_LIVES)):
                if head.last_seq and stored["life"] != head.life:
                    continue
                copy = await self._copy_of(connection, stored, head)
                if copy is not None:
                    return copy
        return None

    async def _copy_of(self, connection: Any, stored: Any, head: Head) -> Copy | None:
        try:
            layout.check_format(stored["format"])
            layout.check_owner(_owner(stored), head.owner)
        except JournalError as error:
            _log.error(f"{self.settings}: nothing is taken from there: {error}")
            return None
        life, snapshot_seq = stored["life"], stored["snapshot_seq"]
        if head.last_seq and not await self._has_end_of(connection, head):
            return None  # what the mirror has after that record is not what followed it here
        parts: Sequence[Any] = []
        if snapshot_seq > head.last_seq:
            parts = [
                tuple(row) for row in await connection.fetch(self._sql(tables.READ_PARTS), life, snapshot_seq)
            ]
            if joined(snapshot_seq, parts) is None:
                _log.error(
                    f"{self.settings}: the snapshot of record {snapshot_seq} is damaged; nothing is taken"
                )
                return None
        rows = await self._rows_after(connection, life, max(head.last_seq, snapshot_seq))
        if not rows and not parts:
            return None
        params = {row["key"]: (row["value"], row["timestamp"]) for row in await self._all_params(connection)}
        return Copy(life, snapshot_seq, list(parts), rows, params)

    async def _has_end_of(self, connection: Any, head: Head) -> bool:
        last = head.last_seq
        ours = await asyncio.to_thread(self._tail.checksums, last, last)
        theirs = await connection.fetchval(self._sql(tables.READ_CHECKSUM), head.life, last)
        return theirs is not None and ours.get(last) == theirs

    async def _rows_after(self, connection: Any, life: int, above: int) -> list[Row]:
        rows: list[Row] = []
        while batch := await connection.fetch(
            self._sql(tables.READ_ROWS), life, above + len(rows), BATCH_ROWS_MAX
        ):
            for found in batch:
                row = tuple(found)
                if row[0] != above + len(rows) + 1 or not is_sound(row):
                    seq = above + len(rows) + 1
                    _log.error(f"{self.settings}: record {seq} is damaged; only earlier ones are taken")
                    return rows
                rows.append(row)
        return rows

    async def _all_params(self, connection: Any) -> list[Any]:
        found: list[Any] = await connection.fetch(self._sql(tables.READ_PARAMS))
        return found

    def _sql(self, statement: str) -> str:
        return statement.format(p=self._prefix)


async def _hang_up(connection: Any) -> None:
    """Close in good order if that is quick, else drop the connection."""
    try:
        await asyncio.wait_for(connection.close(), HANG_UP_TIMEOUT_S)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
    except asyncio.CancelledError:
        connection.terminate()
        raise


def _owner(stored: Any) -> layout.Owner:
    row = (stored["format"], stored["strategy_id"], stored["user_id"], stored["fingerprints"])
    return layout.read_header(row)[1]


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
