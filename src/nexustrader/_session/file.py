"""The session file: one line that says what it is, then length, checksum and body of one part after the other.

It is only ever appended to. A process that is killed leaves a torn tail, which is left out; damage anywhere else is
told and nothing after it is read.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from nexustrader._session import records
from nexustrader._session.records import End, Inner, Input, Part, Start
from nexustrader.error import DataError, EngineBuildError
from nexustrader.kernel.private_files import open_private

VERSION = 1  # raised when a session written before can no longer be read
SESSION_BYTES_MAX = 4 << 30  # then the recording ends and the run goes on
PART_BYTES_MAX = 64 << 20
BUFFER_BYTES = 64 << 10
FILES_MAX = 10_000  # sessions of one name, when a supervisor starts the program again and again
ROOM_FOR_END_BYTES = 4_096

_MAGIC = b"nexustrader session "
_FRAME = struct.Struct("<II")


class SessionWriter:
    """Appends parts to a new file that only its owner may read. What is buffered is lost with the process.

    A file that exists is never touched: then the session goes to the next free name, `session.2.nxs` and so on.
    Raises EngineBuildError when none can be created.
    """

    def __init__(self, path: Path, bytes_max: int = SESSION_BYTES_MAX) -> None:
        self.path, self._descriptor = _create(path)
        self._bytes_max = bytes_max
        self._buffer = bytearray(_MAGIC + b"%d\n" % VERSION)
        self._bytes = len(self._buffer)

    def write(self, body: bytes) -> bool:
        """Append one part. False when there is no room for it. Raises OSError."""
        size = _FRAME.size + len(body)
        if self._bytes + size > self._bytes_max or len(body) > PART_BYTES_MAX:
            return False
        self._bytes += size
        self._buffer += _FRAME.pack(len(body), zlib.crc32(body))
        self._buffer += body
        if len(self._buffer) >= BUFFER_BYTES:
            self.flush()
        return True

    def flush(self) -> None:
        """Give what is buffered to the operating system: it survives a kill from then on. Raises OSError."""
        view = memoryview(self._buffer)
        written = 0
        try:
            while written < len(view):
                written += os.write(self._descriptor, view[written:])
        finally:
            view.release()
            del self._buffer[:written]

    def close(self, last: bytes | None = None) -> None:
        """End the file with `last`, for which there is always room. Raises OSError."""
        try:
            if last is not None:
                self._bytes_max += ROOM_FOR_END_BYTES
                self.write(last)
            self.flush()
        finally:
            os.close(self._descriptor)


def _create(path: Path) -> tuple[Path, int]:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
    for number in range(1, FILES_MAX + 1):
        name = path if number == 1 else path.with_name(f"{path.stem}.{number}{path.suffix}")
        try:
            return name, open_private(name, flags)
        except FileExistsError:
            continue
        except OSError as error:
            raise EngineBuildError(
                f"the session cannot be recorded to {name}: {error.strerror}; name a file in a folder that "
                "exists and can be written"
            ) from error
    raise EngineBuildError(f"{path} and {FILES_MAX - 1} names after it are taken; name another file")


class Kept(NamedTuple):
    """What happened within an input, and its bytes."""

    part: Inner
    body: bytes


class Session:
    """A recorded session. Raises DataError when it is none, and where it is damaged.

    `is_complete` is known once `inputs` has been read to its end: False when the process died, or is still writing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_complete = False
        self.end: End | None = None
        first = next(self.parts(), None)
        if first is None or not isinstance(first[0], Start):
            raise DataError(f"{path} holds no session: its start is missing")
        self.start = first[0]

    def inputs(self) -> Iterator[tuple[Input, list[Kept]]]:
        """Every input with what happened in it, except one that the end of the recording may have cut short."""
        current: Input | None = None
        inner: list[Kept] = []
        for part, body in self.parts():
            if isinstance(part, End):
                self.end, self.is_complete = part, True
            # What comes before an early end may be an input in its middle.
            is_whole = not isinstance(part, End) or part.reason is None
            if isinstance(part, Input | End) and current is not None and is_whole:
                yield current, inner
            if isinstance(part, Input):
                current, inner = part, []
            elif isinstance(part, End):
                return
            elif not isinstance(part, Start):
                inner.append(Kept(part, body))

    def parts(self) -> Iterator[tuple[Part, bytes]]:
        """Every part of the file with its bytes, oldest first."""
        try:
            with self.path.open("rb") as file:
                _check_version(self.path, file.readline(len(_MAGIC) + 8))
                while True:
                    place = file.tell()
                    head = file.read(_FRAME.size)
                    if len(head) < _FRAME.size:
                        return
                    size, crc = _FRAME.unpack(head)
                    if size > PART_BYTES_MAX:
                        raise self._damaged(place)
                    body = file.read(size)
                    if len(body) < size:
                        return
                    if zlib.crc32(body) != crc:
                        if not file.read(1):
                            return
                        raise self._damaged(place)
                    yield self._decoded(place, body), body
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror}") from error

    def _decoded(self, place: int, body: bytes) -> Part:
        try:
            return records.decode(body)
        except (msgspec.MsgspecError, ValueError) as error:
            raise DataError(
                f"{self.path}, byte {place}: a part cannot be read ({error}); replay it with the version that "
                "recorded it"
            ) from error

    def _damaged(self, place: int) -> DataError:
        return DataError(
            f"{self.path}, byte {place}: the file is damaged there, and what follows cannot be trusted; "
            "take another copy of it"
        )


def _check_version(path: Path, line: bytes) -> None:
    text = line.removeprefix(_MAGIC).strip()
    if not line.startswith(_MAGIC) or not text.isdigit():
        raise DataError(
            f"{path} is no recorded session; `nexustrader run <program> --record {path}` makes one"
        )
    if int(text) != VERSION:
        raise DataError(
            f"{path} has version {int(text)} of the format, and this program reads {VERSION}; replay it with the "
            "version that recorded it"
        )
