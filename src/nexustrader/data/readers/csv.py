"""Tables of numbers from csv files, plain, gzipped or zipped, with a header line or without."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nexustrader.error import DataError

if TYPE_CHECKING:
    import polars as pl

FILE_SIZE_MAX = 4 << 30  # bytes of one file when unpacked
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some programs begin text with it
LINE_CHARS_MAX = 80  # of a file's line in a message
COLUMNS_SHOWN_MAX = 6  # of the names in a message


class NumberTable(NamedTuple):
    """Columns by name. `first_row` is the line of the file on which the first row stands, `head` its first line."""

    columns: dict[str, NDArray[Any]]
    first_row: int
    head: str


def read_numbers(path: Path, names: Sequence[str]) -> NumberTable:
    """Read a file of numbers. `names` name the columns where the file has no header; more columns are dropped.

    Raises DataError naming the file, and the row where there is one to blame.
    """
    import polars as pl

    content = read_bytes(path).removeprefix(BYTE_ORDER_MARK)
    line = content[: content.find(b"\n")] if b"\n" in content else content
    head = line.decode("utf-8", "replace").strip()
    has_header = _is_header(head)
    first_row = 2 if has_header else 1
    header = f"a header such as {','.join(names[:COLUMNS_SHOWN_MAX])}"
    if head and "," not in head:
        raise DataError(f"{path} has no commas in its first line, {_shown(head)}; begin it with {header}")
    if not has_header and head and not _is_number(_cells(head)[0]):
        raise DataError(
            f"{path} has no header, and its first line, {_shown(head)}, does not begin with a number; put {header} "
            "over it and write times as milliseconds since 1970 (UTC)"
        )
    try:
        frame = _parse(content, pl.Float64, has_header=has_header)
    except pl.exceptions.NoDataError:
        raise DataError(f"{path} is empty") from None
    except pl.exceptions.PolarsError as error:
        raise DataError(_blame(path, content, str(error), has_header=has_header)) from None
    if has_header:
        found = [name.strip().lower().replace(" ", "_") for name in frame.columns]
    elif len(frame.columns) < len(names):
        raise DataError(
            f"{path} has {len(frame.columns)} columns and no header, its first line is {_shown(head)}; put {header} "
            f"over them, or give all of {', '.join(names)}"
        )
    else:
        found = list(names)
    columns = {name: frame[column].to_numpy() for name, column in zip(found, frame.columns, strict=False)}
    return NumberTable(columns, first_row, _shown(head))


def read_bytes(path: Path) -> bytes:
    """The file's content, unpacked. Raises DataError."""
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                members = [name for name in archive.namelist() if name.endswith(".csv")]
                if len(members) != 1:
                    raise DataError(f"{path} must hold one csv file, it holds {len(members)}")
                with archive.open(members[0]) as stream:
                    return _limited(path, stream)
        if path.suffix == ".gz":
            with gzip.open(path) as stream:
                return _limited(path, stream)
        with path.open("rb") as stream:
            return _limited(path, stream)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; check the path") from None
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}; fetch it again") from error


def _limited(path: Path, stream: IO[bytes] | gzip.GzipFile) -> bytes:
    content = stream.read(FILE_SIZE_MAX + 1)
    if len(content) > FILE_SIZE_MAX:
        raise DataError(f"{path} unpacks to more than {FILE_SIZE_MAX:,} bytes; split it")
    return content


def _parse(content: bytes, dtype: type[pl.DataType], *, has_header: bool) -> pl.DataFrame:
    import polars as pl

    width = content.split(b"\n", 1)[0].count(b",") + 1
    return pl.read_csv(
        io.BytesIO(content),
        has_header=has_header,
        new_columns=None if has_header else [f"column_{place}" for place in range(width)],
        schema_overrides=[dtype] * width,
    )


def _blame(path: Path, content: bytes, problem: str, *, has_header: bool) -> str:
    """The first row that is not made of numbers, found by reading everything as text."""
    rows = content.decode("utf-8", "replace").splitlines()
    width = rows[0].count(",") + 1
    for number, row in enumerate(rows[1:] if has_header else rows, start=2 if has_header else 1):
        values = row.split(",")
        if len(values) != width:
            return f"{path}, row {number} has {len(values)} columns instead of {width}; correct or remove the row"
        wrong = next((value for value in values if value.strip() and not _is_number(value)), None)
        if wrong is not None:
            return f"{path}, row {number}: {wrong[:40]!r} is not a number; correct or remove the row"
    return f"{path} cannot be read: {problem}"


def _is_header(head: str) -> bool:
    """Tell names from a row of numbers, which may have text for its time."""
    numbers = [_is_number(cell) for cell in _cells(head)]
    return not numbers[0] and 2 * sum(numbers) <= len(numbers)


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(",")]


def _shown(line: str) -> str:
    return repr(line if len(line) <= LINE_CHARS_MAX else f"{line[:LINE_CHARS_MAX]}...")


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
