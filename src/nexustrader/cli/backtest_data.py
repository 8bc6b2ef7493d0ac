"""What `--data` and `--ticks` of a command name: files, or what a catalogue holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nexustrader.error import DataError

if TYPE_CHECKING:
    from nexustrader.data.catalog import Catalog

Read = Callable[["Catalog", str, str, str | None, str | None], Any]
TICKS: Mapping[str, tuple[tuple[str, Read], ...]] = {  # the kinds of a catalogue that will do, the best first
    "quotes": (("quote", lambda catalog, symbol, _kind, start, end: catalog.quotes(symbol, start, end)),),
    "trades": tuple(
        (name, lambda catalog, symbol, kind, start, end: catalog.trades(symbol, start, end, kind))
        for name in ("trade", "agg_trade")
    ),
    "depth": (("book_delta", lambda catalog, symbol, _kind, start, end: catalog.depth(symbol, start, end)),),
}


def sources(data: Iterable[str], symbol: str | None) -> dict[str, list[Path]]:
    """Files or a catalogue's folder by symbol; a folder alone stands for all its symbols that have klines, or for all
    where none has. Raises DataError for files without a symbol.
    """
    found: dict[str, list[Path]] = {}
    for text in data:
        name, is_named, file = text.partition("=")
        path = Path(file if is_named else text)
        owner = name if is_named else symbol
        if owner is not None:
            owners = [owner]
        elif path.is_dir():
            owners = _symbols(path)
        else:
            raise DataError(f"{text}: say what it is of with --symbol, or write --data SYMBOL={text}")
        for one in owners:
            found.setdefault(one, []).append(path)
    return found


def with_ticks(
    files: Mapping[str, Sequence[Path]], ticks: Sequence[str], start: str | None, end: str | None
) -> dict[str, Any]:
    """The data of every symbol with these ticks, by which its orders are filled.

    Raises BadParameter for what are no ticks, and DataError where they are not held in a catalogue.
    """
    unknown = [one for one in ticks if one not in TICKS]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: no such ticks; write {', '.join(TICKS)}")
    if not ticks:
        return dict(files)
    return {symbol: _held(paths, symbol, ticks, start, end) for symbol, paths in files.items()}


def _symbols(folder: Path) -> list[str]:
    from nexustrader.data.catalog import Catalog

    held = Catalog(folder).series()
    found = {one.symbol for one in held if one.kind.step_ns} or {one.symbol for one in held}
    if not found:
        raise DataError(f"the catalogue {folder} is empty; fill it with: nexustrader data import FILES")
    return sorted(found)


def _held(
    paths: Sequence[Path], symbol: str, ticks: Sequence[str], start: str | None, end: str | None
) -> list[Any]:
    from nexustrader.data.catalog import Catalog

    if len(paths) != 1 or not paths[0].is_dir():
        named = ", ".join(map(str, paths))
        raise DataError(
            f"--ticks are read from a catalogue, which {named} is not; make one with: nexustrader data import"
        )
    catalog = Catalog(paths[0])
    kinds = {series.kind.name: series.kind for series in catalog.series() if series.symbol == symbol}
    found: list[Any] = []
    for one in ticks:
        kind, read = next((each for each in TICKS[one] if each[0] in kinds), (None, None))
        if kind is None or read is None:
            raise DataError(
                f"{paths[0]} holds no {one} of {symbol}; it has {', '.join(sorted(kinds)) or 'nothing of it'}"
            )
        found.append(read(catalog, symbol, kind, start, end))
    if any(kind.step_ns for kind in kinds.values()):
        bars = catalog.history(symbol)[symbol]
        found += [bars, *catalog.longer(symbol, bars.interval)]
    return found
