"""The mirror in PostgreSQL, on a real server: it follows, it waits for nobody, and it gives back what was lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import canaries
from nexustrader.domain import events as ev
from nexustrader.domain.order import apply
from nexustrader.domain.snapshot import Snapshot
from nexustrader.kernel.clock import VirtualClock
from nexustrader.kernel.secret import Secret
from nexustrader.persistence import segments as segments_module
from nexustrader.persistence import tail as tail_module
from nexustrader.persistence.layout import account_fingerprint
from nexustrader.persistence.sqlite import SqliteJournal
from postgres_server import Server, Wire, running_server

pytest.importorskip("asyncpg", reason="the extra `postgres` is not installed")
import asyncpg

from nexustrader.persistence import postgres
from nexustrader.persistence.postgres import PostgresMirror, PostgresSettings
from nexustrader.persistence.postgres_tables import TABLES, table_prefix

pytestmark = pytest.mark.slow

MakeRecord = Callable[[int], ev.Submit]
ACCOUNT = "binance:USD_M_FUTURE"
FINGERPRINTS = {ACCOUNT: account_fingerprint("the key")}
START_MS = 1_700_000_000_000
PASSWORD = "postgres-password-canary"
canaries.watch(PASSWORD)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running_server() as found:
        if isinstance(found, str):
            pytest.skip(found)
        yield found


class Place:
    """A database of the test's own, the wire to it, and the journals that are mirrored there."""

    def __init__(
        self,
        server: Server,
        wire: Wire,
        name: str,
        folder: Path,
        stack: ExitStack,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.server = server
        self._monkeypatch = monkeypatch
        self.wire = wire
        self.settings = PostgresSettings("127.0.0.1", wire.port, "nexus", Secret(PASSWORD), name)
        self._folder = folder
        self._stack = stack

    def journal(
        self, folder: str = "a", life_ms: int = START_MS, strategy: str = "grid", **changes: Any
    ) -> SqliteJournal:
        """One in a folder of its own, as if that were a machine of its own."""
        self._monkeypatch.setenv("NEXUSTRADER_RUNTIME_DIR", str(self._folder / folder / "locks"))
        fields = {"fingerprints": FINGERPRINTS} | changes
        clock = VirtualClock(life_ms * 1_000_000)
        journal = SqliteJournal(self._folder / folder / "cache.db", strategy, "alice", clock=clock, **fields)
        self._stack.callback(journal.close)
        return journal

    def mirror(self, journal: SqliteJournal) -> PostgresMirror:
        return PostgresMirror(journal.path, journal.prefix, self.settings)

    @asynccontextmanager
    async def mirroring(self, journal: SqliteJournal) -> AsyncIterator[PostgresMirror]:
        mirror = self.mirror(journal)
        task = asyncio.create_task(mirror.run())
        try:
            yield mirror
        finally:
            await mirror.close()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def mirror_all(self, journal: SqliteJournal) -> None:
        async with self.mirroring(journal) as mirror:
            await until(lambda: mirror.is_connected and mirror.position == journal.last_seq)

    async def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The database as anybody sees it, past the wire."""
        at = self.settings
        connection = await asyncpg.connect(
            host=str(self.server.folder), port=self.server.port, user="nexus", database=at.database
        )
        try:
            return [tuple(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()

    async def seqs(self, prefix: str = "grid_alice") -> list[int]:
        return [seq for (seq,) in await self.ask(f"SELECT seq FROM {prefix}_journal ORDER BY life, seq")]


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture
async def place(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Place]:
    monkeypatch.setattr(postgres, "POLL_S", 0.01)
    monkeypatch.setattr(postgres, "PARAMS_INTERVAL_S", 0.0)
    monkeypatch.setattr(postgres, "RETRY_DELAYS_S", (0.02,))
    monkeypatch.setattr(postgres, "HANG_UP_TIMEOUT_S", 0.2)
    name = f"t{abs(hash(request.node.name)) % 10**9}"
    admin = await asyncpg.connect(
        host=str(server.folder), port=server.port, user="nexus", database="postgres"
    )
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    wire = Wire(server.port)
    await wire.listen()
    with ExitStack() as stack:
        yield Place(server, wire, name, tmp_path, stack, monkeypatch)
        wire.release()
        await wire.cut()


def snapshot_of(record: MakeRecord, count: int) -> Snapshot:
    orders = tuple(apply(None, record(n)).order for n in range(1, count + 1))
    return Snapshot(seq=count, timestamp=7, orders=orders, open_oids=tuple(o.oid for o in orders))


# -- following ---------------------------------------------------------------------------------------------


async def test_every_record_and_parameter_reaches_the_mirror(place: Place, record: MakeRecord) -> None:
    journal = place.journal()
    journal.append_many(record(n) for n in range(1, 1201))
    async with place.mirroring(journal) as mirror:
        await until(lambda: mirror.position == 1200)
        journal.append(record(1201))
        journal.params.set("grid", [1, 2])
        journal.params.set("gone", 1)
        await until(lambda: mirror.position == 1201 and "gone" in mirror._params)
        journal.params.clear("gone")
        journal.params.set("late", 1)
    assert await place.seqs() == list(range(1, 1202))
    assert await place.ask("SELECT key, value FROM grid_alice_params ORDER BY key") == [
        ("grid", "[1,2]"),
        ("late", "1"),
    ]
    local = sqlite3.connect(journal.path).execute("SELECT * FROM grid_alice_journal").fetchall()
    assert await place.ask("SELECT seq, version, crc, body FROM grid_alice_journal ORDER BY seq") == local


async def test_close_mirrors_what_is_left(
    place: Place, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "POLL_S", 60.0)
    journal = place.journal()
    async with place.mirroring(journal) as mirror:
        await until(lambda: mirror.is_connected)
        await asyncio.sleep(0.05)
        journal.append(record(1))
    assert await place.seqs() == [1]


async def test_snapshot_is_mirrored_and_earlier_records_are_kept_for_a_while(
    place: Place, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ROWS_KEPT_BEFORE_SNAPSHOT_MAX", 3)
    journal = place.journal()
    journal.append_many(record(n) for n in range(1, 11))
    async with place.mirroring(journal) as mirror:
        await until(lambda: mirror.position == 10)
        journal.rotate(snapshot_of(record, 8))
        await until(lambda: mirror._snapshot_seq == 8)
        journal.rotate(snapshot_of(record, 9))
        await until(lambda: mirror._snapshot_seq == 9)
    assert await place.seqs() == [7, 8, 9, 10]
    assert await place.ask("SELECT DISTINCT seq FROM grid_alice_snapshot") == [(9,)]


async def test_rows_that_were_archived_meanwhile_are_read_from_the_segments(
    place: Place, record: MakeRecord
) -> None:
    journal = place.journal()
    journal.append_many(record(n) for n in range(1, 6))
    journal.rotate(snapshot_of(record, 3))
    journal.rotate(snapshot_of(record, 5))
    journal.append(record(6))
    await place.mirror_all(journal)
    assert await place.seqs() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("how", ["removed", "damaged"])
async def test_rows_that_are_archived_nowhere_any_more_are_replaced_by_the_snapshot(
    place: Place, record: MakeRecord, how: str
) -> None:
    journal = place.journal()
    journal.append_many(record(n) for n in range(1, 6))
    journal.rotate(snapshot_of(record, 5))
    journal.append(record(6))
    for segment in segments_module.segments(journal.path, journal.prefix):
        segment.path.unlink() if how == "removed" else segment.path.write_bytes(b"no database" * 500)
    await place.mirror_all(journal)
    assert await place.seqs() == [6]
    restored = place.journal("b")
    assert await place.mirror(restored).recover(restored) == 6
    assert list(restored.replay()) == [snapshot_of(record, 5), record(6)]


async def test_record_damaged_on_disk_is_not_mirrored_and_holds_up_until_the_next_snapshot(
    place: Place, record: MakeRecord
) -> None:
    journal = place.journal()
    journal.append_many(record(n) for n in range(1, 6))
    with sqlite3.connect(journal.path) as direct:
        direct.execute("UPDATE grid_alice_journal SET body = 'text' WHERE seq = 3")
    direct.close()
    async with place.mirroring(journal) as mirror:
        await until(lambda: mirror.position == 2)
        await asyncio.sleep(0.05)
        assert mirror.position == 2
        journal.rotate(snapshot_of(record, 5))
        await until(lambda: mirror.position == 5)
    assert await place.seqs() == [1, 2]


async def test_strategies_share_a_database_and_nothing_in_it(place: Place, record: MakeRecord) -> None:
    one, other = place.journal(), place.journal(strategy="trend")
    one.append(record(1))
    other.append_many([record(2), record(3)])
    await place.mirror_all(one)
    await place.mirror_all(other)
    assert await place.seqs() == [1]
    assert await place.seqs("trend_alice") == [1, 2]


async def test_hostile_names_and_values_stay_text(place: Place, record: MakeRecord) -> None:
    hostile = "'; DROP TABLE grid_alice_journal; --"
    await place.mirror_all(place.journal())
    journal = place.journal(strategy=hostile)
    journal.append(ev.Cancel(oid=hostile, account="\0", symbol='"', timestamp=0))
    journal.params.set(hostile, "\0" + hostile)
    journal.params.set("nul\0name", 1)
    await place.mirror_all(journal)
    assert await place.seqs() == []
    prefix = journal.prefix
    assert await place.ask(f"SELECT strategy_id FROM {prefix}_header") == [(hostile,)]
    assert await place.ask(f"SELECT key FROM {prefix}_params") == [(hostile,)]


async def test_long_ids_have_tables_of_their_own(place: Place, record: MakeRecord) -> None:
    one, other = place.journal(strategy="x" * 90 + "1"), place.journal(strategy="x" * 90 + "2")
    one.append(record(1))
    other.append_many([record(1), record(2)])
    await place.mirror_all(one)
    await place.mirror_all(other)
    assert await place.seqs(table_prefix(one.prefix)) == [1]
    assert await place.seqs(table_prefix(other.prefix)) == [1, 2]


async def test_tables_that_are_there_need_no_right_to_create_any(place: Place, record: MakeRecord) -> None:
    journal = place.journal()
    await place.mirror_all(journal)
    if not await place.ask("SELECT 1 FROM pg_roles WHERE rolname = 'trader'"):
        await place.ask("CREATE ROLE trader LOGIN")
    for suffix in TABLES:
        await place.ask(f"GRANT SELECT, INSERT, UPDATE, DELETE ON grid_alice{suffix} TO trader")
    place.settings = PostgresSettings(
        "127.0.0.1", place.wire.port, "trader", Secret(PASSWORD), place.settings.database
    )
    journal.append(record(1))
    await place.mirror_all(journal)
    assert await place.seqs() == [1]


# -- outages -----------------------------------------------------------------------------------------------


async def test_server_that_is_away_at_the_start_is_followed_when_it_comes(
    place: Place, record: MakeRecord, log_lines: list[str]
) -> None:
    await place.wire.cut()
    journal = place.journal()
    journal.append(record(1))
    mirror = place.mirror(journal)
    assert await mirror.recover(journal) == 0
    async with place.mirroring(journal) as mirror:
        await asyncio.sleep(0.1)
        assert not mirror.is_connected
        journal.append(record(2))
        await place.wire.listen()
        await until(lambda: mirror.position == 2)
    assert await place.seqs() == [1, 2]
    assert sum("is away" in line for line in log_lines) == 1
    assert not any(PASSWORD in line for line in log_lines)


async def test_connection_lost_again_and_again_loses_and_doubles_nothing(
    place: Place, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "BATCH_ROWS_MAX", 7)
    journal = place.journal()
    async with place.mirroring(journal) as mirror:
        for n in range(1, 301):
            journal.append(record(n))
            if n % 10 == 0:
                await asyncio.sleep(0.005)
            if n % 60 == 0:
                await place.wire.cut()
                await place.wire.listen()
        await until(lambda: mirror.position == 300)
    assert await place.seqs() == list(range(1, 301))
    assert place.wire.connections > 3


async def test_sleeping_server_holds_up_neither_the_engine_nor_its_end(
    place: Place, record: MakeRecord
) -> None:
    journal = place.journal()
    loop = asyncio.get_running_loop()
    async with place.mirroring(journal) as mirror:
        await until(lambda: mirror.is_connected)
        place.wire.hold()
        worst = 0.0
        for n in range(1, 201):
            before = loop.time()
            journal.append(record(n))
            await asyncio.sleep(0)
            worst = max(worst, loop.time() - before)
        assert worst < 0.1
        assert mirror.position < 200
        place.wire.release()
        await until(lambda: mirror.position == 200)
        place.wire.hold()
        journal.append(record(201))
        before = loop.time()
        await mirror.close(timeout_s=0.2)
        assert loop.time() - before < 0.5
    assert await place.seqs() == list(range(1, 201))


async def test_sleeping_server_does_not_keep_an_engine_from_starting(
    place: Place, record: MakeRecord, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    monkeypatch.setattr(postgres, "RECOVER_TIMEOUT_S", 0.2)
    place.wire.hold()
    journal = place.journal()
    assert await place.mirror(journal).recover(journal) == 0
    assert any("starting without" in line for line in log_lines)


async def test_server_killed_and_restarted_is_caught_up(place: Place, record: MakeRecord) -> None:
    journal = place.journal()
    async with place.mirroring(journal) as mirror:
        journal.append_many(record(n) for n in range(1, 51))
        await until(lambda: mirror.position == 50)
        await asyncio.to_thread(place.server.stop)
        journal.append_many(record(n) for n in range(51, 101))
        await asyncio.to_thread(place.server.start)
        await until(lambda: mirror.position == 100)
    assert await place.seqs() == list(range(1, 101))


async def test_end_that_was_lost_in_a_failover_is_mirrored_again(place: Place, record: MakeRecord) -> None:
    journal = place.journal()
    async with place.mirroring(journal) as mirror:
        journal.append_many(record(n) for n in range(1, 21))
        await until(lambda: mirror.position == 20)
        await place.wire.cut()
        await place.ask("DELETE FROM grid_alice_journal WHERE seq > 12")
        await place.wire.listen()
        journal.append(record(21))
        await until(lambda: mirror.position == 21)
    assert await place.seqs() == list(range(1, 22))


async def test_refused_password_is_logged_without_it(place: Place, log_lines: list[str]) -> None:
    place.settings = PostgresSettings("127.0.0.1", place.wire.port, "nobody_known", Secret(PASSWORD), "x")
    async with place.mirroring(place.journal()):
        await until(lambda: any("is away" in line for line in log_lines))
    assert "nobody_known" in "".join(log_lines)
    assert PASSWORD not in "".join(log_lines)
    assert PASSWORD not in repr(place.settings) + str(place.settings)


async def test_second_engine_under_the_same_ids_does_not_write(
    place: Place, record: MakeRecord, log_lines: list[str]
) -> None:
    """It is on another machine: on this one the locks of the accounts would have refused it."""
    first = place.journal()
    async with place.mirroring(first) as mirror:
        first.append(record(1))
        await until(lambda: mirror.position == 1)
        second = place.journal("b", START_MS + 1)
        second.append(record(2))
        async with place.mirroring(second):
            await until(lambda: any("another engine mirrors" in line for line in log_lines))
    assert await place.ask("SELECT life, seq FROM grid_alice_journal") == [(START_MS, 1)]


# -- recovery ----------------------------------------------------------------------------------------------


async def test_lost_journal_is_restored_from_the_mirror_and_goes_on(place: Place, record: MakeRecord) -> None:
    lost = place.journal()
    lost.append_many(record(n) for n in range(1, 11))
    lost.rotate(snapshot_of(record, 8))
    lost.params.set("grid", {"step": 1})
    await place.mirror_all(lost)
    lost.close()
    new = place.journal("b", START_MS + 5)
    assert await place.mirror(new).recover(new) == 10
    assert list(new.replay()) == [snapshot_of(record, 8), record(9), record(10)]
    assert new.params.get("grid") == {"step": 1}
    assert new.append(record(11)) == 11
    await place.mirror_all(new)
    assert await place.ask("SELECT DISTINCT life FROM grid_alice_journal") == [(START_MS,)]
    new.close()
    assert list(place.journal("b").replay()) == [snapshot_of(record, 8), record(9), record(10), record(11)]


async def test_nothing_is_taken_when_the_mirror_is_new(place: Place, record: MakeRecord) -> None:
    journal = place.journal()
    assert await place.mirror(journal).recover(journal) == 0
    journal.append(record(1))
    await place.mirror_all(journal)
    assert await place.mirror(journal).recover(journal) == 0


async def test_journal_that_lost_its_end_gets_it_back(place: Place, record: MakeRecord) -> None:
    journal = place.journal()
    journal.append_many(record(n) for n in range(1, 8))
    await place.mirror_all(journal)
    journal.close()
    with sqlite3.connect(journal.path) as direct:
        direct.execute("DELETE FROM grid_alice_journal WHERE seq > 4")
    direct.close()
    again = place.journal()
    assert again.last_seq == 4
    assert await place.mirror(again).recover(again) == 3
    assert list(again.replay()) == [record(n) for n in range(1, 8)]


async def test_backup_from_before_a_rotation_is_brought_up_to_date(place: Place, record: MakeRecord) -> None:
    journal = place.journal()
    journal.append_many(record(n) for n in range(1, 4))
    journal.close()
    backup = journal.path.read_bytes()
    journal = place.journal()
    journal.append_many([record(4), record(5)])
    journal.rotate(snapshot_of(record, 4))
    await place.mirror_all(journal)
    journal.close()
    journal.path.write_bytes(backup)
    again = place.journal()
    assert again.last_seq == 3
    assert await place.mirror(again).recover(again) == 2
    assert list(again.replay()) == [snapshot_of(record, 4), record(5)]


async def test_journal_that_went_on_otherwise_is_not_overwritten(place: Place, record: MakeRecord) -> None:
    """The end was lost, and the server was away at the start: what was recorded since then is the truth."""
    journal = place.journal()
    journal.append_many(record(n) for n in range(1, 8))
    await place.mirror_all(journal)
    journal.close()
    with sqlite3.connect(journal.path) as direct:
        direct.execute("DELETE FROM grid_alice_journal WHERE seq > 4")
    direct.close()
    again = place.journal()
    again.append(record(50))
    assert await place.mirror(again).recover(again) == 0
    await place.mirror_all(again)
    assert await place.seqs() == [1, 2, 3, 4, 5]
    assert await place.ask("SELECT seq FROM grid_alice_quarantine ORDER BY seq") == [(5,), (6,), (7,)]
    restored = place.journal("b")
    await place.mirror(restored).recover(restored)
    assert list(restored.replay()) == [*(record(n) for n in range(1, 5)), record(50)]


@pytest.mark.parametrize("new_records", [1, 3])
async def test_snapshot_of_a_lost_end_does_not_stay_in_the_mirror(
    place: Place, record: MakeRecord, new_records: int
) -> None:
    journal = place.journal()
    journal.append_many(record(n) for n in range(1, 4))
    journal.close()
    backup = journal.path.read_bytes()
    journal = place.journal()
    journal.append_many([record(4), record(5)])
    journal.rotate(snapshot_of(record, 4))
    await place.mirror_all(journal)
    journal.close()
    for file in journal.path.parent.glob("cache.db*"):
        file.unlink()
    journal.path.write_bytes(backup)
    again = place.journal()
    new = [record(n) for n in range(50, 50 + new_records)]
    again.append_many(new)
    await place.mirror_all(again)
    restored = place.journal("b")
    await place.mirror(restored).recover(restored)
    assert list(restored.replay()) == [record(1), record(2), record(3), *new]


async def test_mirror_that_has_only_the_snapshot_is_followed_from_there(
    place: Place, record: MakeRecord
) -> None:
    journal = place.journal()
    journal.append_many(record(n) for n in range(1, 4))
    journal.rotate(snapshot_of(record, 3))
    (segment,) = segments_module.segments(journal.path, journal.prefix)
    segment.path.unlink()
    await place.mirror_all(journal)
    assert await place.seqs() == []
    journal.append(record(4))
    await place.mirror_all(journal)
    assert await place.seqs() == [4]
    assert await place.ask("SELECT snapshot_seq FROM grid_alice_header") == [(3,)]


async def test_new_life_is_mirrored_beside_the_old_one_and_only_so_many_are_kept(
    place: Place, record: MakeRecord
) -> None:
    for n in range(5):
        journal = place.journal(f"life{n}", START_MS + n)
        journal.append_many(record(i) for i in range(1, n + 2))
        await place.mirror_all(journal)
        journal.close()
    lives = await place.ask("SELECT life, count(*) FROM grid_alice_journal GROUP BY life ORDER BY life")
    assert lives == [(START_MS + n, n + 1) for n in (2, 3, 4)]
    newest = place.journal("new", START_MS + 9)
    assert await place.mirror(newest).recover(newest) == 5


async def test_records_of_another_account_are_never_taken(
    place: Place, record: MakeRecord, log_lines: list[str]
) -> None:
    journal = place.journal()
    journal.append(record(1))
    await place.mirror_all(journal)
    other = place.journal("b", fingerprints={ACCOUNT: account_fingerprint("another key")})
    assert await place.mirror(other).recover(other) == 0
    assert list(other.replay()) == []
    assert any("another API key" in line for line in log_lines)


async def test_records_of_a_newer_version_are_never_taken(
    place: Place, record: MakeRecord, log_lines: list[str]
) -> None:
    journal = place.journal()
    journal.append(record(1))
    await place.mirror_all(journal)
    await place.ask("UPDATE grid_alice_header SET format = 99")
    new = place.journal("b")
    assert await place.mirror(new).recover(new) == 0
    assert any("a newer version wrote it" in line for line in log_lines)


@pytest.mark.parametrize(
    "damage", ["UPDATE {} SET crc = crc + 1 WHERE seq = 4", "DELETE FROM {} WHERE seq = 4"]
)
async def test_damaged_mirror_gives_only_what_comes_before(
    place: Place, record: MakeRecord, log_lines: list[str], damage: str
) -> None:
    journal = place.journal()
    journal.append_many(record(n) for n in range(1, 7))
    await place.mirror_all(journal)
    await place.ask(damage.format("grid_alice_journal"))
    new = place.journal("b")
    assert await place.mirror(new).recover(new) == 3
    assert list(new.replay()) == [record(1), record(2), record(3)]
    assert any("record 4 is damaged; only earlier ones are taken" in line for line in log_lines)


async def test_damaged_snapshot_of_the_mirror_gives_nothing(
    place: Place, record: MakeRecord, log_lines: list[str]
) -> None:
    journal = place.journal()
    journal.append_many(record(n) for n in range(1, 7))
    journal.rotate(snapshot_of(record, 4))
    await place.mirror_all(journal)
    await place.ask("UPDATE grid_alice_snapshot SET crc = crc + 1")
    new = place.journal("b")
    assert await place.mirror(new).recover(new) == 0
    assert any("snapshot of record 4 is damaged" in line for line in log_lines)
