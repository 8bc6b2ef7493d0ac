"""Bybit's order book files: a JSON message a line, a snapshot and the deltas after it.

`cts` is the time of the matching engine, `ts` that of the message; a delta's update id follows the one before by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from nexustrader.data.kinds import BOOK_DELTA, NS_PER_MS
from nexustrader.data.readers.levels import ROWS_PER_CHUNK, BookRows
from nexustrader.data.readers.text import blocks
from nexustrader.data.readers.wish import Wish
from nexustrader.data.rows import Chunk
from nexustrader.error import DataError


class _Book(msgspec.Struct):
    s: str
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class _Message(msgspec.Struct):
    topic: str
    type: str
    ts: int
    data: _Book
    cts: int | None = None


_decode = msgspec.json.Decoder(_Message).decode


def read_book(path: Path, wish: Wish, progress: Callable[[int], None] | None = None) -> Iterator[Chunk]:
    """The levels of the wished symbol. Raises DataError naming file and line."""
    rows, seen, found = BookRows(), set[str](), False
    for block in blocks(path, progress):
        for row, line in enumerate(block.content.splitlines(), block.first_row):
            if not line.strip():
                continue
            try:
                message = _decode(line)
                book, is_snapshot = message.data, message.type == "snapshot"
                seen.add(book.s)
                if not wish.is_meant(book.s):
                    continue
                rows.add_event(
                    row,
                    (message.cts or message.ts) * NS_PER_MS,
                    None,
                    book.u,
                    None if is_snapshot else book.u - 1,
                    book.b,
                    book.a,
                    is_snapshot=is_snapshot,
                    contract_size=wish.contract_size,
                )
            except (ValueError, msgspec.MsgspecError) as error:
                raise DataError(
                    f"{path.name}, row {row} is no order book message: {error}; correct or remove the row"
                ) from error
            if len(rows) >= ROWS_PER_CHUNK:
                found = True
                yield Chunk(BOOK_DELTA, rows.take())
    if len(rows):
        yield Chunk(BOOK_DELTA, rows.take())
    elif not found and seen:
        raise wish.nothing_found(path, seen)
