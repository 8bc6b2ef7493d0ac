"""The way of rows into a catalogue: checked, cut into days, sorted in runs, merged with what is there, moved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from nexustrader.constants import ExchangeType
from nexustrader.data.files import RowWriter
from nexustrader.data.gaps import DayFacts, DayScan
from nexustrader.data.kinds import AGG_TRADE, NS_PER_DAY, TIME, TRADE, Kind
from nexustrader.data.layout import Series
from nexustrader.data.manifest import Manifest, Source, encoded, read_manifest
from nexustrader.data.merging import NEW, OLD, Run, in_order, merge
from nexustrader.data.rows import Chunk, checked
from nexustrader.data.staging import Staging
from nexustrader.error import DataError

OPEN_RUNS_MAX = 4
RUNS_PER_DAY_MAX = 64
NUMBERED_TRADES = {ExchangeType.BINANCE}  # venues that number the trades of a symbol without leaving one out


class Imported(NamedTuple):
    """What one import brought of one kind. `added` is how many rows the catalogue has more than before."""

    series: Series
    source: Source
    added: int
    changed_days: int
    manifest: Manifest


class Origin(NamedTuple):
    """Where rows come from: the name for messages and notes, and what tells one content from another."""

    name: str
    sha256: str


def import_chunks(
    root: Path, symbol: str, chunks: Iterable[Chunk], origin: Origin, *, may_be_empty: bool = False
) -> list[Imported]:
    """Put rows into the catalogue at `root`, all or none. Raises DataError, naming the source and the row."""
    with Staging(root) as staging:
        sorters: dict[str, _Sorter] = {}
        for chunk in chunks:
            kind = chunk.kind
            sorter = sorters.get(kind.name) or sorters.setdefault(kind.name, _Sorter(kind, staging))
            sorter.add(checked(chunk, origin.name))
        if not may_be_empty and not any(sorter.rows for sorter in sorters.values()):
            raise DataError(f"{origin.name} holds no rows of {symbol}; check the file")
        done = [
            _import_kind(root, Series.of(sorter.kind, symbol), sorter, origin, staging)
            for sorter in sorters.values()
            if sorter.rows
        ]
        staging.commit()
    return done


class _Sorter:
    """Takes the rows of one kind as they come and leaves sorted runs by day, one where they come in order."""

    def __init__(self, kind: Kind, staging: Staging) -> None:
        self.kind = kind
        self.rows = self.out_of_order = 0
        self.first_ns = self.last_ns = 0
        self._staging = staging
        self._runs: dict[int, list[Path]] = {}
        self._open: dict[int, tuple[RowWriter, int]] = {}  # day -> writer and the last time in it
        self._seen_ns = 0
        self._count = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Take the next rows."""
        if not len(frame):
            return
        times = frame[TIME]
        before = times.shift(1, fill_value=self._seen_ns)
        self.out_of_order += int((times < before).sum())
        self._seen_ns = int(times[-1])
        low, high = frame.select(pl.col(TIME).min(), pl.col(TIME).max().alias("high")).row(0)
        self.first_ns = min(self.first_ns or low, low)
        self.last_ns = max(self.last_ns, high)
        self.rows += len(frame)
        if low // NS_PER_DAY == high // NS_PER_DAY:
            self._add_day(low // NS_PER_DAY, frame)
        else:
            days = frame.with_columns((pl.col(TIME) // NS_PER_DAY).alias("_day"))
            for (day,), part in days.partition_by("_day", as_dict=True, include_key=False).items():
                self._add_day(int(day), part)

    def _add_day(self, day: int, frame: pl.DataFrame) -> None:
        frame = in_order(self.kind, frame)
        writer, last_ns = self._open.pop(day, (None, 0))
        if writer is not None and int(frame[TIME][0]) < last_ns:
            writer.close()
            writer = None
        if writer is None:
            writer = self._new_run(day)
        writer.write(frame)
        self._open[day] = writer, int(frame[TIME][-1])
        while len(self._open) > OPEN_RUNS_MAX:
            self._open.pop(next(iter(self._open)))[0].close()

    def _new_run(self, day: int) -> RowWriter:
        runs = self._runs.setdefault(day, [])
        if len(runs) == RUNS_PER_DAY_MAX:
            path = self._path()
            with RowWriter(path, self.kind, is_scratch=True) as writer:
                for merged in merge(self.kind, [Run(run, NEW) for run in runs]):
                    writer.write(merged.frame)
            for run in runs:
                run.unlink()
            runs[:] = [path]
        runs.append(self._path())
        return RowWriter(runs[-1], self.kind, is_scratch=True)

    def _path(self) -> Path:
        self._count += 1
        return self._staging.scratch(f"{self.kind.name}-{self._count}")

    def runs(self) -> dict[int, list[Path]]:
        """The runs of every day, complete."""
        for writer, _ in self._open.values():
            writer.close()
        self._open.clear()
        return dict(sorted(self._runs.items()))


class _Day(NamedTuple):
    facts: DayFacts
    own: int
    added: int
    is_changed: bool


def _import_kind(root: Path, series: Series, sorter: _Sorter, origin: Origin, staging: Staging) -> Imported:
    folder = root / series.folder
    old = read_manifest(folder) or Manifest(type=series.kind.name, symbol=series.symbol)
    days: dict[str, _Day] = {}
    for day, runs in sorter.runs().items():
        date = datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
        days[date] = _import_day(root, series, date, runs, old.days.get(date), staging)
    own = sum(day.own for day in days.values())
    source = Source(
        name=origin.name,
        sha256=origin.sha256,
        rows=sorter.rows,
        first_ns=sorter.first_ns,
        last_ns=sorter.last_ns,
        out_of_order=sorter.out_of_order,
        duplicates=sorter.rows - own,
    )
    manifest = old.with_source(source, ((date, day.facts) for date, day in days.items()))
    if manifest != old:
        staging.path(series.manifest).write_bytes(encoded(manifest))
    return Imported(
        series,
        source,
        sum(day.added for day in days.values()),
        sum(day.is_changed for day in days.values()),
        manifest,
    )


def _import_day(
    root: Path, series: Series, date: str, runs: list[Path], known: DayFacts | None, staging: Staging
) -> _Day:
    kind, place = series.kind, series.file(date)
    sources = [Run(run, NEW) for run in runs]
    had = (root / place).exists()
    if had:
        sources.insert(0, Run(root / place, OLD))
    scan = DayScan(kind, is_numbered=is_numbered(series))
    own = rows_before = 0
    is_changed = not had
    staged = staging.path(place)
    with RowWriter(staged, kind) as writer:
        for merged in merge(kind, sources):
            writer.write(merged.frame)
            scan.feed(merged.frame)
            own += merged.own
            rows_before += len(merged.before)
            is_changed = is_changed or not merged.frame.equals(merged.before)
    for run in runs:
        run.unlink()
    facts = scan.facts()
    if is_changed:
        facts = with_file(facts, staged)
    else:
        staging.drop(place)
        facts = known or with_file(facts, root / place)
    return _Day(facts, own, facts.rows - rows_before, is_changed)


def is_numbered(series: Series) -> bool:
    """True if the ids of the series tell what is missing."""
    return series.kind not in (TRADE, AGG_TRADE) or series.exchange in NUMBERED_TRADES


def with_file(facts: DayFacts, path: Path) -> DayFacts:
    """The facts with size and hash of the file."""
    return msgspec.structs.replace(facts, bytes=path.stat().st_size, sha256=sha256_of(path))


def sha256_of(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
