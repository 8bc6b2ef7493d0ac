"""What is wrong with a catalogue on disk: every file is read again and compared with what its manifest says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from nexustrader.data.files import batches
from nexustrader.data.gaps import DayFacts, DayScan
from nexustrader.data.importing import is_numbered, with_file
from nexustrader.data.kinds import NS_PER_DAY, TIME
from nexustrader.data.layout import Series, files_in
from nexustrader.data.manifest import read_manifest
from nexustrader.data.staging import FOLDER
from nexustrader.error import DataError

EPOCH = date(1970, 1, 1)


class Fault(NamedTuple):
    """One thing that is wrong, and what to do about it."""

    path: Path
    what: str


def check_series(
    root: Path, series: Series, progress: Callable[[int], None] | None = None
) -> Iterator[Fault]:
    """The faults of one series. `progress(bytes)` is called with the size of each file that was read."""
    folder = root / series.folder
    try:
        manifest = read_manifest(folder)
    except DataError as error:
        yield Fault(folder, str(error))
        return
    files = files_in(root, series)
    known = manifest.days if manifest is not None else {}
    if manifest is None:
        yield Fault(folder, "has no manifest; import its files again")
    for day in known.keys() - files.keys():
        yield Fault(root / series.file(day), "is missing; import the data of that day again")
    for day, path in files.items():
        facts = known.get(day)
        if facts is None and manifest is not None:
            yield Fault(path, "is not in the manifest; remove it, or import the data of that day again")
        try:
            found = _facts(path, series, day)
        except DataError as error:
            yield Fault(path, str(error))
        else:
            if facts is not None and found != facts:
                yield Fault(
                    path, f"{_difference(found, facts)}; remove it and import the data of that day again"
                )
        if progress is not None:
            progress(path.stat().st_size)


def leftovers(root: Path) -> Iterator[Fault]:
    """What an import that was cut short has left."""
    if (root / FOLDER).exists():
        yield Fault(
            root / FOLDER,
            "is there: an import runs now, or was cut short, and the next import finishes or sweeps it",
        )


def _facts(path: Path, series: Series, day: str) -> DayFacts:
    """The facts of a file that is what its folder says. Raises DataError."""
    scan = DayScan(series.kind, is_numbered=is_numbered(series))
    low = (date.fromisoformat(day) - EPOCH).days * NS_PER_DAY
    last = low
    for frame in batches(path, series.kind):
        times = frame[TIME]
        if not times.is_between(low, low + NS_PER_DAY - 1).all():
            raise DataError(f"{path} has rows of other days than {day}; remove it and import that day again")
        if int(times[0]) < last or not times.is_sorted():
            raise DataError(f"{path} has rows out of order; remove it and import that day again")
        last = int(times[-1])
        for column in series.kind.columns:
            if not frame.select(column.is_usable(pl.col(column.name))).to_series().all():
                raise DataError(
                    f"{path} has values of {column.name} that cannot be used; remove it and import that day again"
                )
        scan.feed(frame)
    return with_file(scan.facts(), path)


def _difference(found: DayFacts, known: DayFacts) -> str:
    if found.rows != known.rows:
        return f"has {found.rows:,} rows, the manifest says {known.rows:,}"
    if found.sha256 != known.sha256:
        return "was changed after it was imported"
    return "does not agree with the manifest"
