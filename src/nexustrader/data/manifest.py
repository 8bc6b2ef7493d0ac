"""What is known of one series, in a JSON file beside its data: where its rows come from, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from nexustrader.data.gaps import DayFacts, Gap, seams
from nexustrader.data.kinds import Kind
from nexustrader.error import DataError

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One import. Out of order and repeated rows are counted as the source had them.

    A source without `sha256` is one that grows, such as a recording: its imports add up.
    """

    name: str
    sha256: str
    rows: int
    first_ns: int
    last_ns: int
    out_of_order: int = 0
    duplicates: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Days by date (2024-01-31) in order, and the sources in order of their first import."""

    version: int = MANIFEST_VERSION
    type: str
    symbol: str
    sources: tuple[Source, ...] = ()
    days: dict[str, DayFacts] = {}

    @property
    def rows(self) -> int:
        return sum(day.rows for day in self.days.values())

    @property
    def out_of_order(self) -> int:
        return sum(source.out_of_order for source in self.sources)

    @property
    def duplicates(self) -> int:
        return sum(source.duplicates for source in self.sources)

    def gaps(self, kind: Kind) -> list[Gap]:
        """Those that are listed, within days and between them, in order of time."""
        within = [gap for day in self.days.values() for gap in day.gaps]
        return sorted([*within, *seams(kind, self.days)], key=lambda gap: gap.after_ns)

    def gap_count(self, kind: Kind) -> int:
        """All gaps, also those that are not listed."""
        return sum(day.gap_count for day in self.days.values()) + len(list(seams(kind, self.days)))

    def with_source(self, source: Source, days: Iterable[tuple[str, DayFacts]]) -> Manifest:
        """The same after an import. A source that is imported again takes its old place."""
        known = {(one.name, one.sha256): one for one in self.sources}
        old = known.get((source.name, source.sha256))
        known[source.name, source.sha256] = source if old is None or source.sha256 else _together(old, source)
        merged = {**self.days, **dict(days)}
        return msgspec.structs.replace(self, sources=tuple(known.values()), days=dict(sorted(merged.items())))


def _together(old: Source, new: Source) -> Source:
    return msgspec.structs.replace(
        old,
        rows=old.rows + new.rows,
        first_ns=min(old.first_ns, new.first_ns),
        last_ns=max(old.last_ns, new.last_ns),
        out_of_order=old.out_of_order + new.out_of_order,
        duplicates=old.duplicates + new.duplicates,
    )


class _Version(msgspec.Struct):
    version: int


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a series; None if it has none. Raises DataError for one that cannot be used."""
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        version = msgspec.json.decode(content, type=_Version).version
        if version > MANIFEST_VERSION:
            raise DataError(
                f"{path} has version {version}, this program reads up to {MANIFEST_VERSION}; update nexustrader, or "
                "import the data into another catalogue"
            )
        return msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise DataError(
            f"{path} cannot be read: {error}; remove the folder of the series and import its files again"
        ) from error


def encoded(manifest: Manifest) -> bytes:
    """The content of the file."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)
