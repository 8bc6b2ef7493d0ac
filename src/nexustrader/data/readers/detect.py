"""What a file is, told from its first lines, and the reader for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from nexustrader.data.kinds import KLINE_PREFIX, Kind
from nexustrader.data.readers.bybit_book import read_book
from nexustrader.data.readers.layouts import HEADERLESS, LAYOUTS, kline_layout
from nexustrader.data.readers.recorded import read_frames
from nexustrader.data.readers.tables import Layout, read_table
from nexustrader.data.readers.text import first_lines
from nexustrader.data.readers.wish import Wish
from nexustrader.data.rows import Chunk
from nexustrader.error import DataError

LINE_SHOWN_CHARS = 80
RECORDED = re.compile(r"\d{16,19} [{\[]")
BOOLEANS = frozenset({"true", "false"})


def read_file(path: Path, wish: Wish, progress: Callable[[int], None] | None = None) -> Iterator[Chunk]:
    """The rows of a file in the order in which it has them. Raises DataError for a file that nothing here reads."""
    line = first_lines(path, 1)[0]
    if RECORDED.match(line):
        return read_frames(path, wish, progress)
    if line.startswith("{"):
        return read_book(path, wish, progress)
    cells = [cell.strip().strip('"') for cell in line.split(",")]
    has_header = not _is_number(cells[0])
    names = [_name(cell) for cell in cells] if has_header else _names_of(path, cells, line)
    layout = _layout(names)
    if layout is None:
        raise _unknown(path, line)
    if wish.kind is not None and not _fits(layout, wish.kind):
        raise DataError(f"{path.name} holds {layout.name}, not {wish.kind.name}; leave --kind away")
    return read_table(path, layout, names, wish, progress, has_header=has_header)


def _names_of(path: Path, cells: list[str], line: str) -> list[str]:
    """The names of the columns of a file without header."""
    flags = 0
    while flags < len(cells) and cells[-1 - flags].lower() in BOOLEANS:
        flags += 1
    names = HEADERLESS.get((len(cells), flags))
    if names is None:
        raise _unknown(path, line)
    return list(names)


def _layout(names: list[str]) -> Layout | None:
    return next((one for one in LAYOUTS if one.needs <= set(names)), None) or kline_layout(names)


def _fits(layout: Layout, kind: Kind) -> bool:
    return kind.name.startswith(KLINE_PREFIX) if layout.kind is None else layout.kind is kind


def _name(cell: str) -> str:
    """The name without its translation, which some files add behind a slash."""
    return cell.partition("/")[0].strip().lower().replace(" ", "_")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unknown(path: Path, line: str) -> DataError:
    known = ", ".join(layout.name for layout in LAYOUTS)
    return DataError(
        f"{path.name} begins with {line[:LINE_SHOWN_CHARS]!r}, which is no layout that is known here: {known}, klines, "
        "Bybit order books and recorded frames. Give the columns the names of one of them"
    )
