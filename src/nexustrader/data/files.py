"""The Parquet files of a catalogue: written in even row groups, read some rows at a time, refused if not ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from nexustrader.data.kinds import KEY_TYPE, KEY_VERSION, Kind
from nexustrader.error import DataError

ROWS_PER_GROUP = 1 << 17
ROWS_PER_BATCH = 1 << 15


# Times and ids grow by little, so that their differences are small; prices and sizes repeat.
ENCODINGS = {pl.Int64: "DELTA_BINARY_PACKED", pl.String: "DELTA_BYTE_ARRAY"}
SCRATCH: Mapping[str, Any] = {"compression": "none", "use_dictionary": False}


def _stored(kind: Kind) -> dict[str, Any]:
    """How the columns of a kind are kept."""
    encodings = {column.name: ENCODINGS[column.type] for column in kind.columns if column.type in ENCODINGS}
    repeating = [name for name in kind.names if name not in encodings]
    return {"compression": "zstd", "use_dictionary": repeating, "column_encoding": encodings}


class RowWriter:
    """Writes frames of one kind into one Parquet file, in row groups of even size. Close it, or use it in `with`.

    `is_scratch`: written fast rather than small.
    """

    def __init__(self, path: Path, kind: Kind, *, is_scratch: bool = False) -> None:
        self.rows = 0
        self._kind = kind
        self._held: list[pl.DataFrame] = []
        self._rows_held = 0
        options = SCRATCH if is_scratch else _stored(kind)
        self._writer = pq.ParquetWriter(path, kind.arrow_schema, write_page_checksum=True, **options)

    def write(self, frame: pl.DataFrame) -> None:
        """Add rows, in the kind's columns."""
        self.rows += len(frame)
        self._held.append(frame)
        self._rows_held += len(frame)
        if self._rows_held >= ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is held and end the file; may be repeated."""
        self._flush()
        self._writer.close()

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _flush(self) -> None:
        if self._rows_held:
            table = pl.concat(self._held).to_arrow().cast(self._kind.arrow_schema)
            self._writer.write_table(table, row_group_size=ROWS_PER_GROUP)
        self._held, self._rows_held = [], 0


def batches(path: Path, kind: Kind, rows: int = ROWS_PER_BATCH) -> Iterator[pl.DataFrame]:
    """The rows of a file, some at a time. Raises DataError for a file that is damaged, or of another kind."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            refuse_foreign(path, kind, file.schema_arrow)
            for group in range(file.num_row_groups):  # one by one: a reader of all keeps what it has read
                for batch in file.iter_batches(rows, row_groups=[group]):
                    yield frame_of(batch)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; import the data of that day again") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path} cannot be read: {error}; remove it and import the data of that day again"
        ) from error


def frame_of(arrow: Any) -> pl.DataFrame:
    """A polars frame of an Arrow table or batch."""
    frame = pl.from_arrow(arrow)
    assert isinstance(frame, pl.DataFrame)
    return frame


def refuse_foreign(path: Path, kind: Kind, schema: Any) -> None:
    """Raises DataError unless the file's schema is the one of this kind that this program knows."""
    metadata = schema.metadata or {}
    name, version = metadata.get(KEY_TYPE, b"").decode(), metadata.get(KEY_VERSION, b"").decode()
    if name != kind.name or not version.isdecimal():
        raise DataError(
            f"{path} holds {name or 'rows of unknown type'} instead of {kind.name}; a catalogue has only files that "
            "were imported into it: remove this one"
        )
    if int(version) > kind.version:
        raise DataError(
            f"{path} has version {version} of {kind.name}, this program reads up to {kind.version}; update "
            "nexustrader, or import the data into another catalogue"
        )
    if not schema.equals(kind.arrow_schema):
        raise DataError(
            f"{path} does not have the columns of {kind.name} version {version}; remove it and import the data of "
            "that day again"
        )
