from __future__ import annotations

import subprocess
import sys

import pytest

from nexustrader.domain.ids import OidGenerator, decode, is_ours, shard_of

NOW = 1_700_000_000_000


def test_an_id_is_20_digits_of_time_sequence_and_shard() -> None:
    oid = OidGenerator(7).next(NOW)
    assert oid == "17000000000000000007"
    assert decode(oid) == (NOW, 0, 7)


def test_ids_increase_while_the_clock_stands_still() -> None:
    ids = OidGenerator(7)
    made = [ids.next(NOW) for _ in range(2500)]
    assert made == sorted(set(made))
    assert decode(made[999]) == (NOW, 999, 7)
    assert decode(made[1000]) == (NOW + 1, 0, 7), "more than 1000 in one millisecond borrow from the next"


def test_ids_increase_when_the_clock_steps_back() -> None:
    ids = OidGenerator(7)
    first = ids.next(NOW)
    assert first < ids.next(NOW - 5_000) < ids.next(NOW - 4_999) < ids.next(NOW + 1)


def test_a_new_run_goes_on_above_the_last_id() -> None:
    last = OidGenerator(7).next(NOW)
    ids = OidGenerator(7)
    ids.start_above(last)
    assert ids.next(NOW - 60_000) > last


def test_a_new_run_makes_no_id_again_that_an_order_refused_in_the_last_one_had() -> None:
    before = OidGenerator(7)
    recorded = before.next(NOW)
    refused = {before.next(NOW - 60_000) for _ in range(10_000)}
    ids = OidGenerator(7)
    ids.start_above(recorded)
    assert not refused & {ids.next(NOW - 60_000) for _ in range(10_000)}


@pytest.mark.parametrize("shard", [0, -1, 10_000])
def test_a_shard_out_of_range_is_refused(shard: int) -> None:
    with pytest.raises(ValueError, match=r"1\.\.9999"):
        OidGenerator(shard)


@pytest.mark.parametrize("now", [-1, 1_700_000_000_000_000])
def test_a_time_that_is_not_in_milliseconds_is_refused(now: int) -> None:
    with pytest.raises(ValueError, match="milliseconds"):
        OidGenerator(1).next(now)


@pytest.mark.parametrize(
    "oid",
    [
        "",
        "x",
        "1" * 19,
        "1" * 21,
        "1700000000000000000x",
        "17000000000000000000",
        "1700000000000000٠007",
        "-" * 20,
    ],
)
def test_what_was_not_made_here_is_not_ours(oid: str) -> None:
    assert not is_ours(oid, 7)
    with pytest.raises(ValueError, match="20 digits"):
        decode(oid)


def test_an_id_belongs_to_its_shard_alone() -> None:
    oid = OidGenerator(7).next(NOW)
    assert is_ours(oid, 7)
    assert not is_ours(oid, 8)


def test_shards_are_in_range_and_tell_owners_apart() -> None:
    shards = {shard_of(f"strategy{number}", "user") for number in range(200)}
    assert min(shards) >= 1
    assert max(shards) <= 9999
    assert len(shards) > 190
    assert shard_of("ab", "c") != shard_of("a", "bc")


@pytest.mark.slow
def test_a_shard_is_the_same_in_every_process() -> None:
    code = "from nexustrader.domain.ids import shard_of; print(shard_of('s', 'u'))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert seen == {str(shard_of("s", "u"))}
