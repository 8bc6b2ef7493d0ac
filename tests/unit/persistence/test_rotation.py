"""Rotation of the journal in a file: whatever ends it and wherever, the journal is whole."""

from __future__ import annotations

import itertools
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nexustrader.domain import events as ev
from nexustrader.domain.order import apply
from nexustrader.domain.snapshot import Snapshot, encode, split
from nexustrader.error import JournalError
from nexustrader.persistence import rotation as rotation_module
from nexustrader.persistence import segments as segments_module
from nexustrader.persistence import sqlite as sqlite_module
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.persistence.reading import Reader
from nexustrader.persistence.rotation import rotation
from nexustrader.persistence.segments import open_segment, segment_path, segments
from nexustrader.persistence.sqlite import SqliteJournal

MakeRecord = Callable[[int], ev.Submit]
OpenJournal = Callable[..., SqliteJournal]
AnyJournal = SqliteJournal | MemoryJournal
PREFIX = "grid_alice"


@contextmanager
def direct(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None, timeout=1)
    try:
        yield connection
    finally:
        connection.close()


def snapshot_of(records: list[ev.Submit]) -> Snapshot:
    """The state after `records`: their orders."""
    return Snapshot(
        seq=len(records),
        timestamp=7,
        orders=tuple(apply(None, record).order for record in records),
        open_oids=tuple(record.oid for record in records),
    )


@pytest.fixture
def filled(open_journal: OpenJournal, record: MakeRecord) -> Callable[[int], SqliteJournal]:
    """A journal with so many records."""

    def fill(count: int) -> SqliteJournal:
        journal = open_journal()
        journal.append_many(record(n) for n in range(1, count + 1))
        return journal

    return fill


@pytest.fixture
def many(record: MakeRecord) -> Callable[[int], list[ev.Submit]]:
    return lambda count: [record(n) for n in range(1, count + 1)]


Filled = Callable[[int], SqliteJournal]
Many = Callable[[int], list[ev.Submit]]


def truths(wanted: list[ev.Submit], snapshot: Snapshot) -> tuple[list[Any], list[Any]]:
    """What a replay may give: all records, or the snapshot and the rest."""
    return list(wanted), [snapshot, *wanted[snapshot.seq :]]


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few items at a time, so that there are many steps."""
    monkeypatch.setattr(rotation_module, "ROWS_DELETED_AT_ONCE_MAX", 2)
    monkeypatch.setattr(rotation_module, "PARTS_DELETED_AT_ONCE_MAX", 1)
    monkeypatch.setattr(rotation_module, "split", lambda snapshot: split(snapshot, 2))
    monkeypatch.setattr(sqlite_module, "ROTATION_PAUSE_S", 0)


# -- what both journals promise ----------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest) -> AnyJournal:
    if request.param == "memory":
        return MemoryJournal()
    journal: SqliteJournal = request.getfixturevalue("open_journal")()
    return journal


def test_replay_gives_the_snapshot_and_the_records_after_it(
    journal: AnyJournal, record: MakeRecord, many: Many
) -> None:
    journal.append_many(many(5))
    snapshot = snapshot_of(many(4))
    journal.rotate(snapshot)
    assert list(journal.replay()) == [snapshot, record(5)]
    assert journal.last_seq == 5
    assert journal.append(record(6)) == 6
    assert list(journal.replay()) == [snapshot, record(5), record(6)]


def test_a_later_snapshot_takes_the_place_of_an_earlier_one(
    journal: AnyJournal, record: MakeRecord, many: Many
) -> None:
    journal.append_many(many(3))
    journal.rotate(snapshot_of(many(3)))
    assert list(journal.replay()) == [snapshot_of(many(3))]
    journal.append_many([record(4), record(5)])
    journal.rotate(snapshot_of(many(5)))
    assert list(journal.replay()) == [snapshot_of(many(5))]
    assert journal.append(record(6)) == 6


@pytest.mark.parametrize("seq", [0, 2, 4])
def test_snapshot_that_does_not_fit_is_refused(
    journal: AnyJournal, many: Many, record: MakeRecord, seq: int
) -> None:
    journal.append_many(many(2))
    journal.rotate(snapshot_of(many(2)))
    journal.append(record(3))
    with pytest.raises(JournalError, match=f"snapshot of record {seq} does not fit"):
        journal.rotate(Snapshot(seq=seq, timestamp=0))
    assert list(journal.replay()) == [snapshot_of(many(2)), record(3)]


def test_journal_without_new_records_is_not_rotated(journal: AnyJournal, many: Many) -> None:
    with pytest.raises(JournalError, match="goes from record 0 to 0"):
        journal.rotate(snapshot_of(many(1)))
    journal.append_many(many(2))
    journal.rotate(snapshot_of(many(2)))
    with pytest.raises(JournalError, match="goes from record 2 to 2"):
        journal.rotate(snapshot_of(many(2)))


def test_journal_is_full_from_a_number_of_records_until_it_is_rotated(
    journal: AnyJournal, many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sqlite", "memory"):
        monkeypatch.setattr(f"nexustrader.persistence.{module}.RECORDS_MAX", 3)
    journal.append_many(many(2))
    assert not journal.is_full
    journal.append_many(many(1))
    assert journal.is_full
    journal.rotate(snapshot_of(many(3)))
    assert not journal.is_full


# -- files -------------------------------------------------------------------------------------------------


def test_journal_goes_on_from_its_snapshot_after_a_restart(
    filled: Filled, many: Many, record: MakeRecord, open_journal: OpenJournal
) -> None:
    with filled(5) as journal:
        journal.rotate(snapshot_of(many(5)))
    again = open_journal()
    assert again.last_seq == 5
    assert again.append(record(6)) == 6
    assert list(again.replay()) == [snapshot_of(many(5)), record(6)]


def test_archived_rows_are_in_a_private_segment_that_can_be_read_alone(
    filled: Filled, many: Many, path: Path, record: MakeRecord
) -> None:
    journal = filled(3)
    journal.rotate(snapshot_of(many(3)))
    journal.append(record(4))
    journal.rotate(snapshot_of(many(4)))
    first, second = segments(path, PREFIX)
    assert (first.path.name, second.path.name) == (
        "cache.db.grid_alice.segment-3.db",
        "cache.db.grid_alice.segment-4.db",
    )
    assert stat.S_IMODE(second.path.stat().st_mode) == 0o600
    with open_segment(first.path, PREFIX) as archive:
        assert archive.snapshot_seq() == 0
        assert list(archive.records(0, 3)) == [(n, record(n)) for n in (1, 2, 3)]
    with open_segment(second.path, PREFIX) as archive:
        assert archive.snapshot_seq() == 3
        assert archive.snapshot(3) == snapshot_of(many(3))
        assert list(archive.records(3, 4)) == [(4, record(4))]


def test_rows_and_old_snapshots_are_gone_from_the_file(filled: Filled, many: Many, path: Path) -> None:
    journal = filled(700)
    journal.rotate(snapshot_of(many(500)))
    journal.rotate(snapshot_of(many(700)))
    with direct(path) as connection:
        assert connection.execute("SELECT count(*) FROM grid_alice_journal").fetchone() == (0,)
        assert connection.execute("SELECT DISTINCT seq FROM grid_alice_snapshot").fetchall() == [(700,)]


def test_only_so_many_segments_are_kept(
    filled: Filled, many: Many, path: Path, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments_module.remove_segments, "__defaults__", (2,))
    journal = filled(1)
    for n in range(1, 6):
        journal.rotate(snapshot_of(many(n)))
        journal.append(record(n + 1))
    assert [segment.last_seq for segment in segments(path, PREFIX)] == [4, 5]


def test_file_does_not_grow_from_rotation_to_rotation(
    filled: Filled, many: Many, path: Path, record: MakeRecord
) -> None:
    journal = filled(1000)
    snapshot = snapshot_of(many(1))
    sizes = []
    for n in range(1, 6):
        journal.rotate(
            Snapshot(seq=1000 * n, timestamp=0, orders=snapshot.orders, open_oids=snapshot.open_oids)
        )
        journal.checkpoint()
        sizes.append(path.stat().st_size)
        journal.append_many(record(1) for _ in range(1000))
    assert max(sizes) < 1.5 * sizes[0]


def test_strategies_in_one_file_rotate_apart(
    open_journal: OpenJournal, many: Many, path: Path, record: MakeRecord
) -> None:
    one, other = open_journal("grid"), open_journal("grid_2")
    one.append_many(many(2))
    other.append_many(many(3))
    one.rotate(snapshot_of(many(2)))
    assert list(other.replay()) == many(3)
    other.rotate(snapshot_of(many(3)))
    assert list(one.replay()) == [snapshot_of(many(2))]
    assert [s.last_seq for s in segments(path, "grid_alice")] == [2]
    assert [s.last_seq for s in segments(path, "grid_2_alice")] == [3]


def test_engine_appends_while_another_thread_rotates(
    filled: Filled, record: MakeRecord, many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation_module, "ROWS_DELETED_AT_ONCE_MAX", 20)
    journal = filled(2000)
    snapshot = snapshot_of(many(2000))
    faults: list[Exception] = []

    def rotate() -> None:
        try:
            journal.rotate(snapshot)
        except JournalError as exc:
            faults.append(exc)

    thread = threading.Thread(target=rotate)
    thread.start()
    added = 0
    while thread.is_alive() or added < 50:
        added += 1
        journal.append(record(2000 + added))
    thread.join()
    assert faults == []
    assert list(journal.replay()) == [snapshot, *(record(2000 + n) for n in range(1, added + 1))]


def test_close_ends_a_rotation_and_the_next_one_finishes_it(
    filled: Filled, many: Many, open_journal: OpenJournal, path: Path, small_steps: None, record: MakeRecord
) -> None:
    journal = filled(9)
    journal._closing.set()  # as close does before it waits for the rotation
    journal.rotate(snapshot_of(many(9)))
    journal.close()
    again = open_journal()
    assert list(again.replay()) == many(9)
    again.rotate(snapshot_of(many(9)))
    assert list(again.replay()) == [snapshot_of(many(9))]


def test_closed_journal_is_not_rotated(filled: Filled, many: Many, path: Path) -> None:
    journal = filled(2)
    journal.close()
    journal.rotate(snapshot_of(many(2)))
    assert segments(path, PREFIX) == []


# -- crashes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crashes", [1, 2])
def test_rotation_abandoned_at_any_step_leaves_the_old_or_the_new_truth(
    open_journal: OpenJournal,
    path: Path,
    many: Many,
    record: MakeRecord,
    small_steps: None,
    crashes: int,
) -> None:
    """Twice in a row: the second rotation meets what the first one left."""
    seen: set[int] = set()
    for step in range(1, 60):
        for file in path.parent.glob("*") if path.parent.is_dir() else ():
            file.unlink()
        with open_journal() as journal:
            journal.append_many(many(9))
            journal.rotate(snapshot_of(many(3)))
        wanted, old, count = many(9), snapshot_of(many(3)), 9
        for _ in range(crashes):
            new = snapshot_of(many(count - 1))
            with direct(path) as connection:
                steps = rotation(connection, path, PREFIX, new)
                reached = list(itertools.islice(steps, step))
            with open_journal() as journal:
                replayed = list(journal.replay())
                assert replayed in ([old, *wanted[old.seq :]], [new, *wanted[new.seq :]])
                if replayed[0] == new:
                    old = new
                assert old.seq == reached[-1]
                seen.add(len(reached))
                count += 1
                assert journal.append(record(count)) == count
                wanted = many(count)
        with open_journal() as journal:
            last = snapshot_of(many(count))
            journal.rotate(last)
            assert list(journal.replay()) == [last]
        assert [s.last_seq for s in segments(path, PREFIX)][-1] == count
        assert not list(path.parent.glob("*.unfinished"))
    assert len(seen) > 12


ROTATOR = """
import os, signal, sys
from pathlib import Path
import msgspec
from nexustrader.domain.snapshot import Snapshot, split
from nexustrader.kernel.clock import VirtualClock
from nexustrader.persistence import rotation, sqlite
from nexustrader.persistence.records import decode_part

rotation.ROWS_DELETED_AT_ONCE_MAX = 2
rotation.split = lambda s: split(s, 2)
journal = sqlite.SqliteJournal(sys.argv[1], "grid", "alice", {}, VirtualClock())
snapshot = decode_part(1, sys.stdin.buffer.read())
left = int(sys.argv[2])

class Killer:
    def wait(self, _seconds):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return False
    def set(self):
        pass

journal._closing = Killer()
journal.rotate(snapshot)
print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 2, 4, 6, 7, 8, 10])
def test_process_killed_while_rotating_leaves_the_old_or_the_new_truth(
    open_journal: OpenJournal, path: Path, many: Many, step: int
) -> None:
    with open_journal(fingerprints={}) as journal:
        journal.append_many(many(9))
    snapshot = snapshot_of(many(8))
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ROTATOR, path, str(step)],
        input=encode(snapshot),
        capture_output=True,
        check=False,
    )
    assert child.returncode == -9, child.stderr
    with open_journal(fingerprints={}) as journal:
        assert list(journal.replay()) in truths(many(9), snapshot)
        journal.rotate(snapshot_of(many(9)))
        assert list(journal.replay()) == [snapshot_of(many(9))]


class FailingConnection(sqlite3.Connection):
    """Fails at the n-th statement, as a sick disk does."""

    left = 10**9

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        FailingConnection.left -= 1
        if FailingConnection.left == 0:
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(*arguments)


def test_snapshot_that_could_not_be_read_again_does_not_count(
    filled: Filled, many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = filled(3)
    with monkeypatch.context() as patch:
        patch.setattr(rotation_module, "encode", lambda part: b'{"seq":3}')
        with pytest.raises(JournalError, match="snapshot cannot be read"):
            journal.rotate(snapshot_of(many(3)))
    assert list(journal.replay()) == many(3)


def test_segment_is_on_the_disk_before_anything_is_deleted(
    filled: Filled, many: Many, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, int]] = []

    def fsync(descriptor: int) -> None:
        with direct(path) as connection:
            (rows,) = connection.execute("SELECT count(*) FROM grid_alice_journal").fetchone()
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, rows))

    journal = filled(3)
    monkeypatch.setattr("nexustrader.persistence.segments.os.fsync", fsync)
    journal.rotate(snapshot_of(many(3)))
    assert synced == [("cache.db.grid_alice.segment-3.db.unfinished", 3), ("keys", 3)]


def test_error_at_any_statement_leaves_a_whole_journal_that_rotates_later(
    open_journal: OpenJournal, path: Path, many: Many, record: MakeRecord, small_steps: None
) -> None:
    journal = open_journal()
    journal.append_many(many(7))
    journal._connect = lambda *_: sqlite3.connect(  # type: ignore[method-assign]
        path, isolation_level=None, factory=FailingConnection
    )
    errors: list[str] = []
    count = 7
    for statement in range(1, 60):
        FailingConnection.left = statement
        snapshot = snapshot_of(many(count))
        try:
            journal.rotate(snapshot)
        except JournalError as exc:
            errors.append(str(exc))
        FailingConnection.left = 10**9
        replayed = list(journal.replay())
        known = {order.oid for entry in replayed if isinstance(entry, Snapshot) for order in entry.orders}
        known |= {entry.oid for entry in replayed if isinstance(entry, ev.Submit)}
        assert known == {one.oid for one in many(count)}
        count += 1
        assert journal.append(record(count)) == count
    assert len(errors) > 20
    assert all("disk I/O error" in error or "does not fit" in error for error in errors)
    journal.rotate(snapshot_of(many(count)))
    assert list(journal.replay()) == [snapshot_of(many(count))]


@pytest.fixture
def file_size_limit() -> Iterator[Callable[[int], None]]:
    """Limits what this process may write to a file: to the journal a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda limit: resource.setrlimit(resource.RLIMIT_FSIZE, (soft if limit < 0 else limit, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [100, 20_000, 60_000, 200_000])
def test_full_disk_ends_a_rotation_and_loses_nothing(
    filled: Filled,
    many: Many,
    path: Path,
    record: MakeRecord,
    file_size_limit: Callable[[int], None],
    room: int,
) -> None:
    journal = filled(300)
    journal.checkpoint()
    file_size_limit(room)
    with pytest.raises(JournalError, match=r"cannot be used: .*(full|failed)"):
        journal.rotate(snapshot_of(many(300)))
    file_size_limit(-1)
    assert not list(path.parent.glob("*.unfinished"))
    assert list(journal.replay()) in truths(many(300), snapshot_of(many(300)))
    assert journal.append(record(301)) == 301
    journal.rotate(snapshot_of(many(301)))
    assert list(journal.replay()) == [snapshot_of(many(301))]


# -- damage ------------------------------------------------------------------------------------------------


def damage_part(path: Path, seq: int) -> None:
    with direct(path) as connection:
        (body,) = connection.execute(
            "SELECT body FROM grid_alice_snapshot WHERE seq = ? AND part = 0", (seq,)
        ).fetchone()
        body = bytes([body[0] ^ 1]) + body[1:]
        connection.execute("UPDATE grid_alice_snapshot SET body = ? WHERE seq = ? AND part = 0", (body, seq))


@pytest.fixture
def rotated_twice(open_journal: OpenJournal, many: Many, record: MakeRecord) -> list[Any]:
    """A closed journal with two segments and a tail; what a replay from the newest segment gives."""
    with open_journal() as journal:
        journal.append_many(many(6))
        journal.rotate(snapshot_of(many(3)))
        journal.rotate(snapshot_of(many(5)))
    return [snapshot_of(many(3)), record(4), record(5), record(6)]


def test_damaged_snapshot_is_made_good_from_the_newest_segment(
    rotated_twice: list[Any],
    open_journal: OpenJournal,
    path: Path,
    many: Many,
    log_lines: list[str],
) -> None:
    damage_part(path, 5)
    journal = open_journal()
    assert list(journal.replay()) == rotated_twice
    assert "the snapshot of record 5 is damaged or missing" in log_lines[0]
    assert "cache.db.grid_alice.segment-5.db" in log_lines[0]
    journal.rotate(snapshot_of(many(6)))
    assert list(journal.replay()) == [snapshot_of(many(6))]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM grid_alice_snapshot",
        "UPDATE grid_alice_snapshot SET parts = 2",
        "UPDATE grid_alice_snapshot SET part = 1",
        "UPDATE grid_alice_snapshot SET version = 2",
        "UPDATE grid_alice_snapshot SET body = 'text'",
    ],
)
def test_snapshot_that_is_not_as_it_was_written_is_not_read(
    rotated_twice: list[Any], open_journal: OpenJournal, path: Path, change: str
) -> None:
    with direct(path) as connection:
        connection.execute(change)
    assert list(open_journal().replay()) == rotated_twice


def test_first_snapshot_damaged_is_made_good_from_the_first_records(
    filled: Filled, many: Many, path: Path, open_journal: OpenJournal
) -> None:
    with filled(4) as journal:
        journal.rotate(snapshot_of(many(3)))
    damage_part(path, 3)
    assert list(open_journal().replay()) == many(4)


@pytest.mark.parametrize("how", ["missing", "no database", "row", "snapshot"])
def test_damaged_snapshot_and_damaged_segment_are_refused_with_instructions(
    rotated_twice: list[Any], open_journal: OpenJournal, path: Path, how: str
) -> None:
    damage_part(path, 5)
    archive = segment_path(path, PREFIX, 5)
    if how == "missing":
        archive.unlink()
    elif how == "no database":
        archive.write_bytes(b"no database" * 500)
    elif how == "row":
        with direct(archive) as connection:
            connection.execute("UPDATE grid_alice_journal SET body = x'00' WHERE seq = 4")
    else:
        damage_part(archive, 3)
    with pytest.raises(JournalError, match=r"is damaged or missing; nothing was read.*restore a backup"):
        next(open_journal().replay())


def test_damaged_segment_does_not_matter_while_the_snapshot_is_whole(
    rotated_twice: list[Any], open_journal: OpenJournal, path: Path, many: Many, record: MakeRecord
) -> None:
    for segment in segments(path, PREFIX):
        segment.path.write_bytes(b"no database" * 500)
    assert list(open_journal().replay()) == [snapshot_of(many(5)), record(6)]


def test_bit_flipped_in_the_only_record_after_a_snapshot_is_put_aside(
    rotated_twice: list[Any], open_journal: OpenJournal, path: Path, many: Many, record: MakeRecord
) -> None:
    with direct(path) as connection:
        connection.execute("UPDATE grid_alice_journal SET crc = crc + 1 WHERE seq = 6")
    journal = open_journal()
    assert journal.last_seq == 5
    assert journal.append(record(7)) == 6
    assert list(journal.replay()) == [snapshot_of(many(5)), record(7)]


def test_lost_record_after_a_snapshot_is_noticed(
    rotated_twice: list[Any], open_journal: OpenJournal, path: Path, record: MakeRecord
) -> None:
    with open_journal() as journal:
        journal.append(record(7))
    with direct(path) as connection:
        connection.execute("DELETE FROM grid_alice_journal WHERE seq = 6")
    with pytest.raises(JournalError, match="record 6 is damaged or missing"):
        next(open_journal().replay())


@pytest.mark.parametrize("value", ["-1", "'five'", "4", "0", "7"])
def test_damaged_number_of_the_snapshot_is_refused(
    rotated_twice: list[Any], open_journal: OpenJournal, path: Path, value: str
) -> None:
    with direct(path) as connection:
        connection.execute(f"UPDATE grid_alice_header SET snapshot_seq = {value}")
    with pytest.raises(JournalError, match="damaged"):
        next(open_journal().replay())


# -- the format before there were snapshots ----------------------------------------------------------------

FORMAT_1 = """
CREATE TABLE grid_alice_header (id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL,
    strategy_id TEXT NOT NULL, user_id TEXT NOT NULL, fingerprints TEXT NOT NULL, created_ms INTEGER NOT NULL);
CREATE TABLE grid_alice_journal (
    seq INTEGER PRIMARY KEY, version INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE grid_alice_quarantine (
    seq INTEGER, version INTEGER, crc INTEGER, body BLOB, quarantined_ms INTEGER);
CREATE TABLE grid_alice_params (key TEXT PRIMARY KEY, value TEXT, timestamp INTEGER);
INSERT INTO grid_alice_header VALUES (1, 1, 'grid', 'alice', '{}', 5);
INSERT INTO grid_alice_params VALUES ('x', '1', 6);
INSERT INTO grid_alice_journal VALUES (1, 1, 886333253, CAST('{"record":"balance","account":"a",'
    || '"asset":"USDT","free":"1.50","timestamp":7}' AS BLOB));
"""


def test_journal_of_format_1_is_converted_and_rotates(
    open_journal: OpenJournal, path: Path, many: Many, record: MakeRecord
) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)
    with direct(path) as connection:
        connection.executescript(FORMAT_1)
    old = ev.BalanceEvent(account="a", asset="USDT", free=Decimal("1.50"), timestamp=7)
    journal = open_journal()
    assert list(journal.replay()) == [old]
    assert journal.params.get("x") == 1
    assert journal.append(record(2)) == 2
    journal.rotate(snapshot_of(many(2)))
    journal.close()
    assert list(open_journal().replay()) == [snapshot_of(many(2))]
    with direct(path) as connection:
        assert connection.execute("SELECT format, created_ms FROM grid_alice_header").fetchone() == (2, 5)
        assert Reader(connection, PREFIX).snapshot_seq() == 2
