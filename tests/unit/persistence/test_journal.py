"""What every journal promises: one suite for the file and for the one in memory."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from nexustrader.domain import events as ev
from nexustrader.error import JournalError
from nexustrader.kernel.ports import Journal
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.persistence.sqlite import SqliteJournal

AnyJournal = SqliteJournal | MemoryJournal
MakeRecord = Callable[[int], ev.Submit]


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest) -> AnyJournal:
    if request.param == "memory":
        return MemoryJournal()
    journal: SqliteJournal = request.getfixturevalue("open_journal")()
    return journal


def unencodable(record: ev.Submit) -> ev.Cancel:
    return ev.Cancel(oid=record.oid, account="a", symbol="s", timestamp=0, params={"x": math.nan})


def test_satisfies_the_port(journal: AnyJournal) -> None:
    port: Journal = journal
    assert list(port.replay()) == []


def test_records_are_numbered_from_one_and_replayed_in_order(journal: AnyJournal, record: MakeRecord) -> None:
    assert journal.last_seq == 0
    assert [journal.append(record(n)) for n in (1, 2, 3)] == [1, 2, 3]
    assert journal.last_seq == 3
    assert list(journal.replay()) == [record(n) for n in (1, 2, 3)]


def test_many_are_appended_at_once(journal: AnyJournal, record: MakeRecord) -> None:
    journal.append(record(1))
    assert journal.append_many([record(2), record(3)]) == 3
    assert journal.append_many([]) == 3
    assert journal.append(record(4)) == 4
    assert list(journal.replay()) == [record(n) for n in (1, 2, 3, 4)]


def test_refused_record_leaves_no_trace(journal: AnyJournal, record: MakeRecord) -> None:
    journal.append(record(1))
    with pytest.raises(JournalError, match="nothing was written"):
        journal.append(unencodable(record(2)))
    with pytest.raises(JournalError, match="nothing was written"):
        journal.append_many([record(2), unencodable(record(3))])
    assert journal.append(record(2)) == 2
    assert list(journal.replay()) == [record(1), record(2)]


def test_replay_gives_what_was_there_when_it_began(journal: AnyJournal, record: MakeRecord) -> None:
    journal.append_many([record(1), record(2)])
    replayed = []
    for found in journal.replay():
        replayed.append(found)
        journal.append(record(9))
    assert replayed == [record(1), record(2)]
    assert journal.last_seq == 4


def test_closed_journal_refuses_records(journal: AnyJournal, record: MakeRecord) -> None:
    journal.append(record(1))
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.append(record(2))
    with pytest.raises(JournalError, match="closed"):
        journal.append_many([record(2)])
    assert journal.checkpoint() == 0


def test_journal_is_closed_at_the_end_of_a_with_block(journal: AnyJournal, record: MakeRecord) -> None:
    with journal as opened:
        opened.append(record(1))
    with pytest.raises(JournalError, match="closed"):
        journal.append(record(2))


def test_checkpoint_changes_nothing_that_can_be_read(journal: AnyJournal, record: MakeRecord) -> None:
    journal.append(record(1))
    assert journal.checkpoint() >= 0
    journal.append(record(2))
    assert list(journal.replay()) == [record(1), record(2)]


def test_parameters_come_with_the_journal(journal: AnyJournal) -> None:
    journal.params.set("levels", [1, 2])
    assert journal.params.get("levels") == [1, 2]
