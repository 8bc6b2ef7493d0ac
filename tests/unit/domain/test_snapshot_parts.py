from __future__ import annotations

import pytest

from nexustrader.domain.snapshot import Snapshot, join, split, state_hash


def test_a_snapshot_of_nothing_is_one_part() -> None:
    snapshot = Snapshot(seq=3, timestamp=1, sections={"risk": "x"})
    assert split(snapshot) == [snapshot]
    assert join(split(snapshot)) == snapshot


def test_parts_make_the_whole_again() -> None:
    keys = tuple((str(number), str(number)) for number in range(5))
    snapshot = Snapshot(seq=3, timestamp=1, open_oids=("1",), idempotency=keys, sections={"risk": "x"})
    parts = split(snapshot, items_max=2)
    assert len(parts) == 3
    assert join(parts) == snapshot


def test_without_a_part_there_is_no_snapshot() -> None:
    with pytest.raises(ValueError, match="at least one"):
        join([])


def test_the_same_words_in_another_place_are_another_state() -> None:
    key = Snapshot(seq=3, timestamp=1, idempotency=(("risk", "x"),))
    section = Snapshot(seq=3, timestamp=1, sections={"risk": "x"})
    assert state_hash(key) != state_hash(section)
