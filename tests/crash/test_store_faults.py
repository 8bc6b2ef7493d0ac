"""F40, F43: what becomes of the engine when its journal cannot be written, is damaged, or is another account's."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
from boundaries import STRATEGY_ID, USER_ID
from crash_run import Run, venue
from fork_server import ForkServer

import canaries

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

JOURNAL = f"{STRATEGY_ID}_{USER_ID}_journal"
OTHER_KEY = "anotherKey" + "5" * 54
canaries.watch(OTHER_KEY)


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    async with ForkServer() as server, venue() as emulator:
        yield Run(server, emulator, tmp_path)


def at_venue(run: Run) -> dict[str, str]:
    """Status of every futures order that the venue has had, by client id."""
    return {
        order["client_id"]: order["status"] for order in run.truth("binance:USD_M_FUTURE_TESTNET")["orders"]
    }


def flip_bit(run: Run, seq: Callable[[int], int]) -> None:
    """Damage the record that `seq` makes of the number of the last one."""
    with closing(sqlite3.connect(run.database)) as connection:
        (last,) = connection.execute(f"SELECT max(seq) FROM {JOURNAL}").fetchone()
        number = seq(last)
        (body,) = connection.execute(f"SELECT body FROM {JOURNAL} WHERE seq = ?", (number,)).fetchone()
        damaged = bytes([body[0] ^ 1, *body[1:]])
        connection.execute(f"UPDATE {JOURNAL} SET body = ? WHERE seq = ?", (damaged, number))
        connection.commit()


def tear_off(run: Run, missing: int) -> None:
    """Take the last bytes away: the last record is not whole any more."""
    log = run.database.with_name(f"{run.database.name}-wal")
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - missing)


async def test_on_a_full_disk_nothing_new_is_sent_cancels_go_and_trading_resumes_when_there_is_space(
    run: Run,
) -> None:
    life = await run.live(program="full disk")
    assert life.code == 0, run.log()
    heard = [(one.notice, one.oid) for one in life.heard]
    refused = [oid for notice, oid in heard if notice == "failed"]
    assert len(refused) == 1
    assert refused[0] not in at_venue(run)
    assert sorted(at_venue(run).values()) == ["CANCELED", "NEW", "NEW"]

    await run.meanwhile("part")
    await run.live()
    assert run.verdict() == []


@pytest.mark.parametrize("missing", [1, 100])
async def test_a_fact_that_was_the_last_record_and_is_torn_off_is_learnt_again(
    run: Run, missing: int
) -> None:
    await run.live("after append OrderEvent #14")
    tear_off(run, missing)
    await run.meanwhile("dip")
    await run.live()
    assert run.verdict() == []


async def test_an_order_whose_intent_was_torn_off_is_known_again_by_its_id(run: Run) -> None:
    """Power was lost on a disk that had lied: the journal lacks what was sent."""
    await run.live("left order.place #5")
    tear_off(run, 100)
    last = run.truth("binance:USD_M_FUTURE_TESTNET")["orders"][-1]["client_id"]
    life = await run.live()
    assert life.done is not None
    assert last in life.done["books"]["binance:USD_M_FUTURE_TESTNET"]["orders"]
    promised = [c for c in run.verdict() if last not in c]
    assert promised == []


async def test_a_damaged_last_record_is_put_aside_and_learnt_again(run: Run) -> None:
    await run.live("after append OrderEvent #14")
    flip_bit(run, lambda last: last)
    await run.meanwhile("part")
    await run.live()
    assert "is damaged and is put into table" in run.log()
    assert run.verdict() == []


async def test_damage_in_the_middle_keeps_the_engine_from_starting_until_a_backup_is_restored(
    run: Run,
) -> None:
    await run.live("after append OrderEvent #14")
    backup = shutil.copytree(run.database.parent, run.database.parent / "backup")
    flip_bit(run, lambda last: last // 2)
    refused = await run.live()
    assert refused.code == 1
    assert "is damaged or missing; nothing was read" in run.log()
    assert refused.heard == []

    for path in backup.glob(f"{run.database.name}*"):
        shutil.copy(path, run.database.parent)
    await run.live()
    assert run.verdict() == []


async def test_the_journal_of_another_key_keeps_the_engine_from_starting(run: Run) -> None:
    await run.live("left order.place #5")
    refused = await run.live(api_key=OTHER_KEY)
    assert refused.code == 1
    assert "was written with another API key" in run.log()

    await run.live()
    assert run.verdict() == []


async def test_a_mirror_that_is_away_keeps_nothing_from_being_traded_and_known(run: Run) -> None:
    nobody = {"host": "127.0.0.1", "port": "1", "user": "nexus", "database": "nowhere"}
    await run.live("left order.place #5", mirror=nobody)
    await run.meanwhile("part")
    await run.live(mirror=nobody)
    assert "could not be asked for records" in run.log()
    assert run.verdict() == []
