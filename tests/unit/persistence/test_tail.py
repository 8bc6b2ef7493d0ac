"""What a mirror reads of a journal, archived parts included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nexustrader.domain import events as ev
from nexustrader.domain.snapshot import Snapshot
from nexustrader.persistence import tail as tail_module
from nexustrader.persistence.records import RECORD_VERSION, checksum, encode
from nexustrader.persistence.segments import segments
from nexustrader.persistence.sqlite import SqliteJournal
from nexustrader.persistence.tail import Tail

MakeRecord = Callable[[int], ev.Submit]
OpenJournal = Callable[..., SqliteJournal]


@pytest.fixture
def journal(open_journal: OpenJournal, record: MakeRecord) -> SqliteJournal:
    """Records 1 to 3 in one segment, 4 and 5 in another, 6 and 7 in the file."""
    opened = open_journal()
    opened.append_many(record(n) for n in range(1, 8))
    opened.rotate(Snapshot(seq=3, timestamp=0))
    opened.rotate(Snapshot(seq=5, timestamp=0))
    return opened


@pytest.fixture
def tail(journal: SqliteJournal, path: Path) -> Iterator[Tail]:
    opened = Tail(path, "grid_alice")
    yield opened
    opened.close()
    opened.close()


def seqs(tail: Tail, above: int) -> list[int]:
    return [row[0] for row in tail.rows(above)]


def test_head_tells_how_far_the_journal_is(tail: Tail, journal: SqliteJournal) -> None:
    head = tail.head()
    assert (head.snapshot_seq, head.last_seq, head.life) == (5, 7, 1_700_000_000_000)
    assert (head.owner.strategy_id, head.owner.user_id) == ("grid", "alice")


def test_rows_come_from_wherever_they_are_and_never_across_a_gap(tail: Tail, path: Path) -> None:
    assert [seqs(tail, above) for above in range(8)] == [
        [1, 2, 3],
        [2, 3],
        [3],
        [4, 5],
        [5],
        [6, 7],
        [7],
        [],
    ]
    segments(path, "grid_alice")[1].path.unlink()
    assert seqs(tail, 3) == []


def test_batches_are_bounded_in_number_and_size(tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tail_module, "BATCH_ROWS_MAX", 2)
        assert seqs(tail, 0) == [1, 2]
    monkeypatch.setattr(tail_module, "BATCH_BYTES_MAX", 1)
    assert seqs(tail, 0) == [1]


def test_checksums_of_archived_rows_are_found(tail: Tail, record: MakeRecord) -> None:
    expected = {n: checksum(n, RECORD_VERSION, encode(record(n))) for n in range(1, 8)}
    assert tail.checksums(1, 7) == expected
    assert tail.checksums(3, 3) == {3: expected[3]}
    assert tail.checksums(5, 6) == {5: expected[5], 6: expected[6]}


def test_it_can_be_used_again_after_it_was_closed(tail: Tail) -> None:
    tail.head()
    tail.close()
    assert tail.head().last_seq == 7
