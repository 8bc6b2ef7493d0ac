"""Lines of a file, plain, gzipped or zipped, in blocks of bounded size."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

from nexustrader.error import DataError

BLOCK_BYTES = 1 << 22
LINE_BYTES_MAX = 1 << 26
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some programs begin text with it
ZIP_NOISE = "__MACOSX/"  # what one archiver adds to every zip


class Block(NamedTuple):
    """Whole lines. `first_row` is the number of the first one in the file, from 1."""

    first_row: int
    content: bytes


def blocks(
    path: Path, progress: Callable[[int], None] | None = None, block_bytes: int | None = None
) -> Iterator[Block]:
    """The file's lines. `progress` is told how far in the (packed) file they end.

    Raises DataError naming the file and the row up to which it could be read.
    """
    with ExitStack() as stack:
        raw, stream = _open(path, stack)
        held, row = b"", 1
        while True:
            try:
                data = stream.read(block_bytes or BLOCK_BYTES)
            except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
                raise DataError(
                    f"{path} cannot be read beyond row {row}: {error}; fetch the file again"
                ) from error
            if progress is not None:
                progress(raw.tell())
            held += data if held or row > 1 else data.removeprefix(BYTE_ORDER_MARK)
            cut = len(held) if not data else held.rfind(b"\n") + 1
            if cut:
                yield Block(row, held[:cut])
                row += held.count(b"\n", 0, cut)
                held = held[cut:]
            elif len(held) > LINE_BYTES_MAX:
                raise DataError(
                    f"{path}, row {row} is longer than {LINE_BYTES_MAX:,} bytes; it is no text file"
                )
            if not data:
                return


def first_lines(path: Path, count: int) -> list[str]:
    """The first lines that are not empty, at most so many. Raises DataError for an empty file."""
    found: list[str] = []
    for block in blocks(path):
        found += [
            line.strip() for line in block.content.decode("utf-8", "replace").splitlines() if line.strip()
        ]
        if len(found) >= count:
            break
    if not found:
        raise DataError(f"{path} is empty; fetch the file again")
    return found[:count]


def _open(path: Path, stack: ExitStack) -> tuple[IO[bytes], IO[bytes] | gzip.GzipFile]:
    """The file itself, and the stream of its content."""
    try:
        raw = stack.enter_context(path.open("rb"))
        if path.suffix == ".gz":
            return raw, stack.enter_context(gzip.GzipFile(fileobj=raw))
        if path.suffix == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(raw))
            return raw, stack.enter_context(archive.open(_only_member(path, archive)))
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}; fetch the file again") from error
    return raw, raw


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [
        one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith(ZIP_NOISE)
    ]
    if len(members) != 1:
        raise DataError(f"{path} must hold one file, it holds {len(members)}; unpack it and give them apart")
    return members[0]
