"""The session file: what was written is read, a torn tail is left out, and anything else that is wrong is said."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from nexustrader._session import records
from nexustrader._session.failures import error_of, failure_of
from nexustrader._session.file import Session, SessionWriter
from nexustrader._session.records import Called, End, Input, Part, Start, Status, Stopped
from nexustrader.error import (
    DataError,
    EngineBuildError,
    NexusTraderError,
    OutcomeUnknown,
    RateLimited,
    WsAckTimeoutError,
)

START = Start(1, "Maker", "maker", "me", "UTC", 7, "0", "1.0", "3.11")
INPUTS: list[Part] = [
    Input(2, 2, 0.5, Called("run_start", ())),
    Stopped(),
    Input(3, 3, 0.6, Status("binance:SPOT", "connected")),
    Input(4, 4, 0.7, Status("binance:SPOT", "disconnected")),
]
END = End(3, 1, "00")


def written(folder: Path, *parts: Part) -> Path:
    writer = SessionWriter(folder / "session.nxs")
    for part in parts:
        assert writer.write(records.encode(part))
    writer.close()
    return writer.path


def read(path: Path) -> tuple[list[int], bool]:
    """The times of the inputs, and whether the session is complete."""
    session = Session(path)
    return [one.at_ns for one, _ in session.inputs()], session.is_complete


def test_what_was_written_is_read_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = written(tmp_path, START, *INPUTS, END)
    session = Session(path)
    found = list(session.inputs())
    assert session.start == START
    assert [one for one, _ in found] == [part for part in INPUTS if isinstance(part, Input)]
    assert [[kept.part for kept in inner] for _, inner in found] == [[Stopped()], [], []]
    assert (session.end, session.is_complete) == (END, True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_session_never_takes_the_place_of_another(tmp_path: Path) -> None:
    first = written(tmp_path, START, END)
    content = first.read_bytes()
    assert [written(tmp_path, START).name for _ in range(2)] == ["session.2.nxs", "session.3.nxs"]
    assert first.read_bytes() == content


def test_wherever_a_file_ends_its_whole_inputs_are_read(tmp_path: Path) -> None:
    content = written(tmp_path, START, *INPUTS, END).read_bytes()
    path = tmp_path / "torn.nxs"
    seen = set()
    for size in range(_start_size(content), len(content)):
        path.write_bytes(content[:size])
        times, is_complete = read(path)
        assert times == [2, 3, 4][: len(times)]
        assert not is_complete
        seen.add(len(times))
    assert seen == {0, 1, 2}


def _start_size(content: bytes) -> int:
    """Where the inputs begin."""
    return content.index(records.encode(START)) + len(records.encode(START))


def test_damage_in_the_middle_is_told_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, START, *INPUTS, END)
    content = bytearray(path.read_bytes())
    content[-60] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"byte \d+: the file is damaged there"):
        read(path)


def test_a_session_that_ended_early_leaves_out_the_input_it_ended_in(tmp_path: Path) -> None:
    assert read(written(tmp_path, START, *INPUTS, End(3, 1, "00", "the disk is full"))) == ([2, 3], True)


def test_another_version_of_the_format_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, START, END)
    path.write_bytes(path.read_bytes().replace(b"session 1\n", b"session 9\n", 1))
    with pytest.raises(DataError, match="has version 9 of the format, and this program reads 1"):
        Session(path)


def test_a_part_of_a_later_program_is_refused(tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "session.nxs")
    writer.write(records.encode(START))
    writer.write(b"\x92\xa7unheard\x01")
    writer.close()
    with pytest.raises(
        DataError, match=r"a part cannot be read .* replay it with the version that recorded it"
    ):
        read(writer.path)


def test_a_file_that_ends_within_its_start_is_no_session(tmp_path: Path) -> None:
    path = written(tmp_path, START)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="holds no session: its start is missing"):
        Session(path)


@pytest.mark.parametrize("content", [b"", b"import this\n", b"nexustrader session \n", b"\x00" * 100])
def test_what_is_no_session_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is no recorded session"):
        Session(path)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        Session(tmp_path / "nothing.nxs")


def test_a_folder_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(
        EngineBuildError, match=r"cannot be recorded to .* name a file in a folder that exists"
    ):
        SessionWriter(tmp_path / "nowhere" / "session.nxs")


def test_a_file_does_not_outgrow_its_bound_and_still_gets_its_end(tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "session.nxs", bytes_max=200)
    body = records.encode(START)
    count = 0
    while writer.write(body):
        count += 1
    writer.close(records.encode(END))
    assert writer.path.stat().st_size <= 200 + 4_096
    assert len(list(Session(writer.path).parts())) == count + 1


def test_what_is_flushed_is_there_without_a_close(tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "session.nxs")
    writer.write(records.encode(START))
    assert writer.path.stat().st_size == 0
    writer.flush()
    assert Session(writer.path).start == START
    os.close(writer._descriptor)


def test_errors_come_back_as_they_were() -> None:
    limited = error_of(failure_of(RateLimited("slow down", 1_500, "-1003")))
    assert isinstance(limited, RateLimited)
    assert (str(limited), limited.retry_after_ms, limited.code) == ("slow down", 1_500, "-1003")
    late = error_of(failure_of(WsAckTimeoutError("17", 5.0)))
    assert isinstance(late, WsAckTimeoutError)
    assert (late.oid, late.timeout) == ("17", 5.0)
    assert str(late).startswith("no ACK for order 17")
    plain = error_of(failure_of(OutcomeUnknown("no answer")))
    assert (type(plain), plain.message) == (OutcomeUnknown, "no answer")  # type: ignore[attr-defined]
    assert isinstance(error_of(failure_of(TimeoutError("late"))), TimeoutError)

    class StrangeError(Exception):
        pass

    strange = error_of(failure_of(StrangeError("what?")))
    assert (type(strange), str(strange)) == (NexusTraderError, "StrangeError: what?")
