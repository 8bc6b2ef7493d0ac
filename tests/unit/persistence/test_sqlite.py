from __future__ import annotations

import os
import resource
import signal
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
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.domain import events as ev
from nexustrader.error import JournalError, JournalLockedError
from nexustrader.persistence import layout
from nexustrader.persistence import sqlite as sqlite_module
from nexustrader.persistence.layout import account_fingerprint, safe_table_name
from nexustrader.persistence.sqlite import SqliteJournal

MakeRecord = Callable[[int], ev.Submit]
OpenJournal = Callable[..., SqliteJournal]
ACCOUNT = "binance:USD_M_FUTURE"


@contextmanager
def direct(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as anybody with SQLite sees it."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        yield connection
    finally:
        connection.close()


def flip_bit(path: Path, seq: int) -> None:
    with direct(path) as connection:
        (body,) = connection.execute("SELECT body FROM grid_alice_journal WHERE seq = ?", (seq,)).fetchone()
        damaged = bytes([body[0] ^ 1]) + body[1:]
        connection.execute("UPDATE grid_alice_journal SET body = ? WHERE seq = ?", (damaged, seq))


def append_all(journal: SqliteJournal, records: list[ev.Submit]) -> None:
    for record in records:
        journal.append(record)


def fill(open_journal: OpenJournal, record: MakeRecord, count: int) -> None:
    with open_journal() as journal:
        journal.append_many(record(n) for n in range(1, count + 1))


# -- restart -----------------------------------------------------------------------------------------------


def test_records_and_parameters_are_there_after_a_restart(
    open_journal: OpenJournal, record: MakeRecord
) -> None:
    with open_journal() as journal:
        journal.append(record(1))
        journal.append(record(2))
        journal.params.set("grid", {"step": Decimal("0.50")})
        journal.params.set("gone", 1)
        journal.params.clear("gone")
        journal.params.set("symbols", ["BTC"])
        journal.params.get("symbols").append("ETH")
    again = open_journal()
    assert again.last_seq == 2
    assert list(again.replay()) == [record(1), record(2)]
    assert again.append(record(3)) == 3
    assert again.params.all() == {"grid": {"step": Decimal("0.50")}, "symbols": ["BTC", "ETH"]}


WRITER = """
import sys
from decimal import Decimal
from nexustrader.domain import events as ev
from nexustrader.kernel.clock import VirtualClock
from nexustrader.persistence.sqlite import SqliteJournal

journal = SqliteJournal(sys.argv[1], "grid", "alice", {}, VirtualClock())
while True:
    n = journal.last_seq + 1
    if n % 5:
        journal.append(ev.BalanceEvent(account="a", asset="USDT", free=Decimal(n), timestamp=n))
    else:
        journal.append_many([ev.BalanceEvent(account="a", asset="USDT", free=Decimal(n), timestamp=n)] * 3)
    if n % 50 == 0:
        journal.checkpoint()
    print(journal.last_seq, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("appends", [1, 7, 333])
def test_every_record_whose_append_returned_survives_kill(
    open_journal: OpenJournal, path: Path, appends: int
) -> None:
    path.parent.mkdir()
    child = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = 0
    for _ in range(appends):
        told = int(child.stdout.readline())
    child.kill()
    told = max([told, *(int(line) for line in child.stdout.read().split("\n")[:-1])])
    child.stdout.close()
    child.wait()
    journal = open_journal(fingerprints={})
    replayed = [balance.timestamp for balance in journal.replay() if isinstance(balance, ev.BalanceEvent)]
    assert len(replayed) == journal.last_seq >= told
    assert journal.append(ev.BalanceEvent(account="a", asset="USDT", free=Decimal(0), timestamp=0)) > told


# -- files and locks ---------------------------------------------------------------------------------------


def test_files_are_private_from_the_start_whatever_the_umask(
    open_journal: OpenJournal, path: Path, record: MakeRecord
) -> None:
    previous = os.umask(0)
    try:
        open_journal().append(record(1))
    finally:
        os.umask(previous)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in [path.parent, *path.parent.iterdir()]}
    assert modes == {
        "keys": 0o700,
        "cache.db": 0o600,
        "cache.db-wal": 0o600,
        "cache.db-shm": 0o600,
        "cache.db.grid_alice.lock": 0o600,
    }


def test_file_that_others_can_read_gives_a_warning(
    open_journal: OpenJournal, path: Path, log_lines: list[str]
) -> None:
    open_journal().close()
    assert log_lines == []
    path.chmod(0o644)
    open_journal()
    assert "has mode 644 and is open to other users; run: chmod 600" in log_lines[0]


def test_second_engine_is_refused_with_the_holders_process(open_journal: OpenJournal) -> None:
    first = open_journal()
    with pytest.raises(JournalLockedError, match=f"process {os.getpid()} already trades with this journal"):
        open_journal()
    first.close()
    open_journal()


def test_lock_names_its_present_holder_only(open_journal: OpenJournal, path: Path) -> None:
    open_journal().close()
    path.with_name("cache.db.grid_alice.lock").write_text("12345678901234567890")
    open_journal()
    with pytest.raises(JournalLockedError, match=f"process {os.getpid()} already"):
        open_journal()


@pytest.mark.slow
def test_lock_of_a_killed_process_is_free(open_journal: OpenJournal, path: Path) -> None:
    path.parent.mkdir()
    child = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    with pytest.raises(JournalLockedError, match=f"process {child.pid} "):
        open_journal(fingerprints={})
    child.send_signal(signal.SIGKILL)
    child.stdout.close()
    child.wait()
    open_journal(fingerprints={})


def test_failed_opening_leaves_the_lock_free(open_journal: OpenJournal, record: MakeRecord) -> None:
    fill(open_journal, record, 1)
    with pytest.raises(JournalError, match="another API key"):
        open_journal(fingerprints={ACCOUNT: account_fingerprint("another key")})
    open_journal()


def test_strategies_share_a_file_and_nothing_in_it(open_journal: OpenJournal, record: MakeRecord) -> None:
    one, other = open_journal("grid"), open_journal("trend")
    one.append(record(1))
    one.params.set("x", 1)
    assert other.append(record(2)) == 1
    assert list(other.replay()) == [record(2)]
    assert other.params.all() == {}


STARTER = """
import sys
from nexustrader.kernel.clock import VirtualClock
from nexustrader.persistence.sqlite import SqliteJournal
SqliteJournal(sys.argv[1], sys.argv[2], "u", {}, VirtualClock()).close()
"""


@pytest.mark.slow
def test_strategies_may_start_at_the_same_time_with_a_new_file(path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", STARTER, path, f"s{n}"], stderr=subprocess.PIPE
        )
        for n in range(6)
    ]
    assert [child.communicate()[1] for child in children] == [b""] * 6


def test_unusable_path_is_an_error_that_names_it(
    tmp_path: Path, open_journal: OpenJournal, path: Path
) -> None:
    (tmp_path / "keys").write_text("a file where the directory should be")
    with pytest.raises(JournalError, match=r"journal .*cache\.db cannot be created"):
        open_journal()


def test_path_with_characters_of_a_url_is_a_path(tmp_path: Path, record: MakeRecord) -> None:
    from nexustrader.kernel.clock import VirtualClock

    path = tmp_path / "50%?mode=memory#x.db"
    with SqliteJournal(path, "grid", "alice", {}, VirtualClock()) as journal:
        journal.append(record(1))
    assert path.stat().st_size > 0


# -- whose journal -----------------------------------------------------------------------------------------


def test_journal_of_another_key_is_refused(open_journal: OpenJournal, record: MakeRecord) -> None:
    fill(open_journal, record, 1)
    with pytest.raises(JournalError, match=f"another API key for account {ACCOUNT}"):
        open_journal(fingerprints={ACCOUNT: account_fingerprint("another key")})
    assert list(open_journal().replay()) == [record(1)]


def test_a_key_that_left_no_record_may_be_replaced(open_journal: OpenJournal, record: MakeRecord) -> None:
    open_journal(fingerprints={ACCOUNT: account_fingerprint("mistyped key")}).close()
    fill(open_journal, record, 1)
    with pytest.raises(JournalError, match="another API key"):
        open_journal(fingerprints={ACCOUNT: account_fingerprint("mistyped key")})


def test_further_account_is_added_and_then_known(open_journal: OpenJournal, record: MakeRecord) -> None:
    spot = {"binance:SPOT": account_fingerprint("spot key")}
    fill(open_journal, record, 1)
    open_journal(fingerprints=spot).close()
    with pytest.raises(JournalError, match="for account binance:SPOT"):
        open_journal(fingerprints={"binance:SPOT": account_fingerprint("another")})
    open_journal().close()


def test_file_holds_a_fingerprint_and_not_the_key(open_journal: OpenJournal, path: Path) -> None:
    open_journal(fingerprints={ACCOUNT: account_fingerprint("CANARYKEY")}).close()
    assert b"CANARYKEY" not in path.read_bytes()
    assert account_fingerprint("CANARYKEY") == account_fingerprint("CANARYKEY")
    assert account_fingerprint("CANARYKEY") != account_fingerprint("CANARYKEX")


def test_ids_that_give_the_same_table_name_are_told_apart(open_journal: OpenJournal) -> None:
    open_journal("a-b", "c").close()
    with pytest.raises(JournalError, match="belong to strategy 'a-b' and user 'c'"):
        open_journal("a", "b-c")


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("Grid_Alice", "grid_alice"),
        ("my strategy-1_bob", "my_strategy_1_bob"),
        ("é_1", "__1"),
        ("1_2", "1_2"),
    ],
)
def test_table_name_has_lower_case_letters_digits_and_underscores(name: str, table: str) -> None:
    assert safe_table_name(name) == table


@given(name=st.text())
def test_hostile_name_gives_a_safe_table_name_or_an_error(name: str) -> None:
    try:
        table = safe_table_name(name)
    except JournalError:
        return
    assert set(table) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")


@pytest.mark.parametrize("name", ["", "_", "***", "x" * 101])
def test_name_without_letters_or_too_long_is_refused(name: str) -> None:
    with pytest.raises(JournalError, match="give no table name"):
        safe_table_name(name)


def test_hostile_ids_stay_within_their_tables(open_journal: OpenJournal, record: MakeRecord) -> None:
    one = open_journal()
    one.append(record(1))
    hostile = open_journal('x"; DROP TABLE grid_alice_journal; --', "'; DELETE FROM grid_alice_journal; --")
    hostile.append(record(2))
    hostile.params.set("'); DROP TABLE grid_alice_params; --", 1)
    assert list(hostile.replay()) == [record(2)]
    assert list(one.replay()) == [record(1)]


# -- versions ----------------------------------------------------------------------------------------------


def set_format(path: Path, version: int) -> None:
    with direct(path) as connection:
        connection.execute("UPDATE grid_alice_header SET format = ?", (version,))


def test_journal_of_a_newer_version_is_refused(open_journal: OpenJournal, path: Path) -> None:
    open_journal().close()
    set_format(path, layout.FORMAT_VERSION + 1)
    with pytest.raises(JournalError, match="a newer version wrote it"):
        open_journal()


def test_journal_of_an_older_version_that_cannot_be_converted_is_refused(
    open_journal: OpenJournal, path: Path
) -> None:
    open_journal().close()
    set_format(path, 0)
    with pytest.raises(JournalError, match="has format 0, which this program cannot convert"):
        open_journal()


def test_journal_of_an_older_version_is_converted(
    open_journal: OpenJournal, path: Path, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(open_journal, record, 1)
    present = layout.FORMAT_VERSION
    monkeypatch.setattr(layout, "FORMAT_VERSION", present + 1)
    steps = ("CREATE TABLE {p}_extra (x)", "INSERT INTO {p}_extra VALUES (1)")
    monkeypatch.setattr(layout, "MIGRATIONS", {present: steps})
    assert list(open_journal().replay()) == [record(1)]
    with direct(path) as connection:
        rows = connection.execute("SELECT format, x FROM grid_alice_header, grid_alice_extra").fetchall()
    assert rows == [(present + 1, 1)]


def test_conversion_that_fails_leaves_the_journal_as_it_was(
    open_journal: OpenJournal, path: Path, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(open_journal, record, 1)
    with monkeypatch.context() as patch:
        patch.setattr(
            layout, "MIGRATIONS", {layout.FORMAT_VERSION: ("CREATE TABLE {p}_x (x)", "no SQL at all")}
        )
        patch.setattr(layout, "FORMAT_VERSION", layout.FORMAT_VERSION + 1)
        with pytest.raises(JournalError, match="syntax error"):
            open_journal()
    assert list(open_journal().replay()) == [record(1)]
    with direct(path) as connection:
        assert not connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%_x'").fetchall()


# -- damage ------------------------------------------------------------------------------------------------


def test_damaged_last_record_is_put_aside_with_a_warning(
    open_journal: OpenJournal, path: Path, record: MakeRecord, log_lines: list[str]
) -> None:
    fill(open_journal, record, 3)
    flip_bit(path, 3)
    journal = open_journal()
    assert "WARNING" in log_lines[0]
    assert "the last record (3) is damaged" in log_lines[0]
    assert journal.append(record(4)) == 3
    assert list(journal.replay()) == [record(1), record(2), record(4)]
    with direct(path) as connection:
        assert connection.execute("SELECT seq FROM grid_alice_quarantine").fetchall() == [(3,)]


@pytest.mark.parametrize(
    "change",
    ["format = 'one'", "fingerprints = '{\"a\"'", "fingerprints = x'00'", "fingerprints = '{\"a\":1}'"],
)
def test_damaged_header_is_refused(open_journal: OpenJournal, path: Path, change: str) -> None:
    open_journal().close()
    with direct(path) as connection:
        connection.execute(f"UPDATE grid_alice_header SET {change}")
    with pytest.raises(JournalError, match="header is damaged"):
        open_journal()


def test_two_damaged_records_at_the_end_are_refused(
    open_journal: OpenJournal, path: Path, record: MakeRecord
) -> None:
    fill(open_journal, record, 3)
    flip_bit(path, 3)
    flip_bit(path, 2)
    with pytest.raises(JournalError, match="record 2 is damaged or missing"):
        open_journal()


@pytest.mark.parametrize("damage", ["flip", "delete", "swap", "version"])
def test_damage_in_the_middle_is_refused_before_anything_is_read(
    open_journal: OpenJournal, path: Path, record: MakeRecord, damage: str
) -> None:
    fill(open_journal, record, 5)
    if damage == "flip":
        flip_bit(path, 2)
    else:
        statement = {
            "delete": "DELETE FROM grid_alice_journal WHERE seq = 2",
            "version": "UPDATE grid_alice_journal SET version = 7 WHERE seq = 2",
            "swap": "UPDATE grid_alice_journal SET (version, crc, body) ="
            " (SELECT version, crc, body FROM grid_alice_journal WHERE seq = 3) WHERE seq = 2",
        }[damage]
        with direct(path) as connection:
            connection.execute(statement)
    replay = open_journal().replay()
    with pytest.raises(JournalError, match=r"record 2 is damaged or missing; nothing was read.*a backup"):
        next(replay)


def test_lost_first_record_is_noticed(open_journal: OpenJournal, path: Path, record: MakeRecord) -> None:
    fill(open_journal, record, 3)
    with direct(path) as connection:
        connection.execute("DELETE FROM grid_alice_journal WHERE seq = 1")
    with pytest.raises(JournalError, match="record 1 is damaged or missing"):
        list(open_journal().replay())


def test_file_that_is_no_database_is_refused_with_instructions(open_journal: OpenJournal, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(JournalError, match=r"no SQLite database.*restore a backup"):
        open_journal()


def test_damaged_pages_give_an_error_and_never_wrong_records(
    open_journal: OpenJournal, path: Path, record: MakeRecord
) -> None:
    """A flipped bit anywhere in the file: the records are read as they were, or an error is raised."""
    fill(open_journal, record, 60)
    whole = path.read_bytes()
    wanted = [record(n) for n in range(1, 61)]
    outcomes = {"read": 0, "refused": 0}
    for offset in range(7, len(whole), len(whole) // 60):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x10]) + whole[offset + 1 :])
        try:
            with open_journal() as journal:
                replayed = list(journal.replay())
        except JournalError:
            outcomes["refused"] += 1
            continue
        outcomes["read"] += 1
        assert replayed in (wanted, wanted[:-1])
    assert outcomes["refused"] > 10
    assert outcomes["read"] > 5


# -- faults that pass --------------------------------------------------------------------------------------


def test_locked_database_is_an_error_until_it_is_released(
    open_journal: OpenJournal, path: Path, record: MakeRecord
) -> None:
    journal = open_journal(busy_timeout_ms=10)
    with direct(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for append in (journal.append, lambda one: journal.append_many([one])):
            with pytest.raises(JournalError, match="another program holds the database"):
                append(record(1))
        connection.execute("ROLLBACK")
    assert journal.append(record(1)) == 1
    assert list(journal.replay()) == [record(1)]


@pytest.fixture
def file_size_limit() -> Iterator[Callable[[int], None]]:
    """Limits what this process may write to a file: to the journal a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda limit: resource.setrlimit(resource.RLIMIT_FSIZE, (soft if limit < 0 else limit, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_is_an_error_each_time_until_there_is_space(
    open_journal: OpenJournal, path: Path, record: MakeRecord, file_size_limit: Callable[[int], None]
) -> None:
    journal = open_journal()
    journal.append(record(1))
    file_size_limit(path.with_name("cache.db-wal").stat().st_size + 100)
    for n in range(3):
        with pytest.raises(JournalError, match="disk failed or is full"):
            journal.append(record(2 + n))
    with pytest.raises(JournalError, match="disk failed or is full"):
        journal.params.set("x", 1)
    file_size_limit(-1)
    seq = journal.append(record(9))
    assert seq == 2
    journal.params.flush()
    journal.close()
    again = open_journal()
    assert list(again.replay()) == [record(1), record(9)]
    assert again.params.get("x") == 1


def test_full_database_is_an_error_each_time_until_there_is_space(
    open_journal: OpenJournal, record: MakeRecord
) -> None:
    journal = open_journal()
    assert journal._connection is not None
    (pages,) = journal._connection.execute("PRAGMA page_count").fetchone()
    journal._connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(JournalError, match="the disk is full: free some space"):
        append_all(journal, [record(n) for n in range(1000)])
    reached = journal.last_seq
    with pytest.raises(JournalError, match="the disk is full"):
        journal.append_many([record(n) for n in range(200)])
    journal._connection.execute("PRAGMA max_page_count=1000000")
    assert journal.append(record(0)) == reached + 1
    assert len(list(journal.replay())) == reached + 1


def test_read_only_database_is_an_error_until_it_is_writable(
    open_journal: OpenJournal, record: MakeRecord
) -> None:
    journal = open_journal()
    assert journal._connection is not None
    journal._connection.execute("PRAGMA query_only=1")
    with pytest.raises(JournalError, match="read-only: make it writable"):
        journal.append(record(1))
    assert journal.append(record(1)) == 1  # on a new connection, which may write


def test_append_that_reached_the_file_before_it_failed_is_counted(
    open_journal: OpenJournal, record: MakeRecord
) -> None:
    """An interrupted engine may not know that its record was written: the next must not collide with it."""
    journal = open_journal()
    journal.append(record(1))
    journal._last_seq = 0
    with pytest.raises(JournalError, match="UNIQUE"):
        journal.append(record(2))
    assert journal.append(record(2)) == 2
    assert list(journal.replay()) == [record(1), record(2)]


def test_interrupted_transaction_does_not_swallow_later_appends(
    open_journal: OpenJournal, path: Path, record: MakeRecord
) -> None:
    journal = open_journal()
    execute = journal._execute

    def interrupt(statement: str, *values: Any) -> Any:
        if statement.startswith("INSERT"):
            raise KeyboardInterrupt
        return execute(statement, *values)

    journal._execute = interrupt  # a Ctrl-C at the worst moment
    with pytest.raises(KeyboardInterrupt):
        journal.append_many([record(1), record(2)])
    journal._execute = execute
    journal.append(record(3))
    with direct(path) as connection:
        assert connection.execute("SELECT count(*) FROM grid_alice_journal").fetchone() == (1,)


def test_journal_that_was_moved_away_is_noticed_and_works_again_when_back(
    open_journal: OpenJournal, path: Path, record: MakeRecord
) -> None:
    journal = open_journal()
    journal.append(record(1))
    away = path.with_suffix(".away")
    path.rename(away)
    for _ in range(2):
        with pytest.raises(JournalError, match="was moved, deleted or replaced while in use"):
            journal.checkpoint()
        with pytest.raises(JournalError, match="was moved, deleted or replaced while in use"):
            journal.append(record(2))
    away.rename(path)
    assert journal.append(record(2)) == 2
    assert list(journal.replay()) == [record(1), record(2)]


def test_records_that_vanished_while_the_disk_was_away_are_noticed(
    open_journal: OpenJournal, path: Path, record: MakeRecord
) -> None:
    journal = open_journal()
    journal.append_many([record(1), record(2), record(3)])
    with direct(path) as connection:
        connection.execute("DELETE FROM grid_alice_journal WHERE seq = 3")
    journal._is_suspect = True
    for _ in range(2):
        with pytest.raises(JournalError, match="record 3 is damaged or missing"):
            journal.append(record(4))


def test_reopening_that_fails_does_not_hold_up_other_strategies(
    open_journal: OpenJournal, path: Path, record: MakeRecord
) -> None:
    journal, other = open_journal(), open_journal("trend", busy_timeout_ms=0)
    set_format(path, layout.FORMAT_VERSION + 1)
    journal._is_suspect = True
    with pytest.raises(JournalError, match="a newer version wrote it"):
        journal.append(record(1))
    assert other.append(record(1)) == 1


# -- the log -----------------------------------------------------------------------------------------------


def log_size(path: Path) -> int:
    return path.with_name("cache.db-wal").stat().st_size


def test_log_does_not_grow_while_it_is_checkpointed(
    open_journal: OpenJournal, path: Path, record: MakeRecord
) -> None:
    journal = open_journal()
    journal.append_many(record(n) for n in range(50))
    size = journal.checkpoint()
    for _ in range(5):
        for n in range(20):
            journal.append(record(n))
        assert journal.checkpoint() <= size + 60 * 4096
    assert log_size(path) <= size + 60 * 4096


def test_append_does_not_checkpoint(open_journal: OpenJournal, path: Path, record: MakeRecord) -> None:
    journal = open_journal()
    journal.checkpoint()
    before = path.stat().st_mtime_ns, path.stat().st_size
    for n in range(1500):  # more pages than SQLite's own limit of 1000
        journal.append(record(n))
    assert (path.stat().st_mtime_ns, path.stat().st_size) == before


def test_log_is_bounded_even_if_nobody_asks_for_a_checkpoint(
    open_journal: OpenJournal, path: Path, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "APPENDS_PER_CHECKPOINT_MAX", 50)
    journal = open_journal()
    for n in range(500):
        journal.append(record(n))
    assert log_size(path) < 200 * 4096


def test_log_that_grew_is_cut_when_it_starts_over(
    open_journal: OpenJournal, path: Path, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "WAL_SIZE_MAX", 64 * 1024)
    journal = open_journal()
    for n in range(200):
        journal.append(record(n))
    assert log_size(path) > 2 * 64 * 1024
    journal.checkpoint()
    journal.append(record(0))
    assert log_size(path) <= 64 * 1024


def test_failing_last_resort_checkpoint_does_not_fail_the_append(
    open_journal: OpenJournal,
    path: Path,
    record: MakeRecord,
    monkeypatch: pytest.MonkeyPatch,
    log_lines: list[str],
) -> None:
    monkeypatch.setattr(sqlite_module, "APPENDS_PER_CHECKPOINT_MAX", 2)
    journal = open_journal()
    journal.append(record(1))
    path.rename(path.with_suffix(".away"))
    assert journal.append(record(2)) == 2
    assert "log could not be shortened" in log_lines[0]
    path.with_suffix(".away").rename(path)


def test_checkpoint_in_another_thread_while_appending(open_journal: OpenJournal, record: MakeRecord) -> None:
    journal = open_journal()
    done = threading.Event()
    faults: list[Exception] = []

    def checkpoint() -> None:
        while not done.is_set():
            try:
                journal.checkpoint()
            except JournalError as exc:
                faults.append(exc)

    thread = threading.Thread(target=checkpoint)
    thread.start()
    for n in range(2000):
        journal.append(record(n))
    done.set()
    thread.join()
    assert faults == []
    assert len(list(journal.replay())) == 2000


@pytest.mark.parametrize(("durability", "level"), [("process", 1), ("power", 2)])
def test_durability_sets_what_is_synced(
    open_journal: OpenJournal, durability: str, level: int, record: MakeRecord
) -> None:
    journal = open_journal(durability=durability)
    assert journal._connection is not None
    assert journal._connection.execute("PRAGMA synchronous").fetchone() == (level,)
    assert journal.append(record(1)) == 1
