"""One engine for an account and a kind of order ids, in whichever file its journal is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from nexustrader.domain.ids import shard_of
from nexustrader.error import JournalError, JournalLockedError
from nexustrader.kernel.clock import VirtualClock
from nexustrader.persistence.lock import WriterLock
from nexustrader.persistence.sqlite import SqliteJournal

FUTURES, SPOT = "binance:USD_M_FUTURE", "binance:SPOT"


class Open(Protocol):
    def __call__(
        self, file: str, strategy_id: str, user_id: str = "alice", **fingerprints: str
    ) -> SqliteJournal: ...


@pytest.fixture
def open_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setenv("NEXUSTRADER_RUNTIME_DIR", str(tmp_path / "locks"))
    with ExitStack() as stack:

        def opened(file: str, strategy_id: str, user_id: str = "alice", **fingerprints: str) -> SqliteJournal:
            accounts = {name.replace("_", ":", 1): value for name, value in fingerprints.items()}
            journal = SqliteJournal(tmp_path / file / "x.db", strategy_id, user_id, accounts, VirtualClock())
            stack.callback(journal.close)
            return journal

        yield opened


def test_same_strategy_on_the_same_account_from_another_file_is_refused(open_at: Open) -> None:
    first = open_at("a", "grid", binance_SPOT="f1")
    with pytest.raises(JournalLockedError, match=rf"process {os.getpid()} already trades account {SPOT} "):
        open_at("b", "grid", binance_SPOT="f1")
    first.close()
    open_at("b", "grid", binance_SPOT="f1")


def test_a_lock_may_be_released_again(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "x.lock")
    lock.release()
    lock.release()
    lock.refresh()
    WriterLock(tmp_path / "x.lock").release()


def test_a_refused_engine_holds_nothing(open_at: Open) -> None:
    first = open_at("a", "grid", binance_SPOT="f1")
    with pytest.raises(JournalLockedError):
        open_at("b", "grid", binance_SPOT="f1", binance_USDM="f2")
    open_at("c", "grid", binance_USDM="f2")
    first.close()
    open_at("b", "grid", binance_SPOT="f1")


def test_another_name_of_the_same_account_is_the_same_account(open_at: Open) -> None:
    open_at("a", "grid", **{"binance_SPOT:mm1": "f1"})
    with pytest.raises(JournalLockedError):
        open_at("b", "grid", **{"binance_SPOT:mm2": "f1"})


def test_one_engine_may_use_an_account_under_two_names(open_at: Open) -> None:
    open_at("a", "grid", **{"binance_SPOT:mm1": "f1", "binance_SPOT:mm2": "f1"})


def test_engines_whose_orders_can_be_told_apart_share_an_account(open_at: Open) -> None:
    open_at("a", "grid", binance_SPOT="f1")
    open_at("b", "trend", binance_SPOT="f1")
    open_at("a", "trend_2", binance_SPOT="f1")
    open_at("c", "grid", binance_SPOT="f2")  # another account
    open_at("d", "grid", binance_USDM="f1")  # another product of it
    open_at("e", "grid")  # simulated accounts only


def test_strategies_whose_order_ids_would_be_alike_are_refused(open_at: Open) -> None:
    shard = shard_of("grid", "alice")
    twin = next(name for name in map(str, range(200_000)) if shard_of(name, "alice") == shard)
    open_at("a", "grid", binance_SPOT="f1")
    with pytest.raises(JournalLockedError, match="order ids of the same kind"):
        open_at("a", twin, binance_SPOT="f1")


def test_locks_are_private_and_kept_young(open_at: Open, tmp_path: Path) -> None:
    journal = open_at("a", "grid", binance_SPOT="CANARY")
    folder = tmp_path / "locks"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (lock,) = folder.iterdir()
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    assert "CANARY" not in lock.name
    os.utime(lock, (0, 0))
    journal.checkpoint()
    assert lock.stat().st_mtime > 0


@pytest.mark.parametrize("kind", ["open to others", "a file", "a link"])
def test_folder_that_others_could_use_is_refused(open_at: Open, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "locks"
    if kind == "open to others":
        folder.mkdir()
        folder.chmod(0o777)
    elif kind == "a file":
        folder.write_text("")
    else:
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalError, match="NEXUSTRADER_RUNTIME_DIR"):
        open_at("a", "grid", binance_SPOT="f1")
    open_at("a", "grid")


def test_without_the_variable_the_folder_is_the_users_own_among_temporary_files(
    open_at: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEXUSTRADER_RUNTIME_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    open_at("a", "grid", binance_SPOT="f1")
    assert (tmp_path / f"nexustrader-{os.geteuid()}").is_dir()
