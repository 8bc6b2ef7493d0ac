"""`nexustrader data`: market data into a catalogue, and what is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from nexustrader.cli.explain import plain
from nexustrader.error import DataError

if TYPE_CHECKING:
    from nexustrader.data.catalog import Catalog
    from nexustrader.data.importing import Imported

EXIT_FAULTS = 1
EXTRA = ("numpy", "polars", "pyarrow")
GAPS_SHOWN_MAX = 20
WIDTH_OF_FILES = 160  # characters of a line that goes into a file or a pipe
NS_PER_S = 1_000_000_000

app = typer.Typer(
    name="data",
    help="Market data in a catalogue: import, list, check, download and record them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_messages = Console(stderr=True)

CatalogOption = Annotated[Path, typer.Option("--catalog", help="The folder of the catalogue.")]
SymbolOption = Annotated[
    str, typer.Option("--symbol", help="What the data are of, e.g. BTCUSDT-PERP.BINANCE.")
]
VenueOption = Annotated[
    str | None, typer.Option("--venue", help="The venue, if the symbol does not end with it, e.g. binance.")
]
SizeOption = Annotated[
    float,
    typer.Option(
        "--contract-size", min=0, help="What to multiply sizes with where the file counts contracts."
    ),
]


@app.callback()
def _needs_the_extra() -> None:
    try:
        import nexustrader.data.catalog  # noqa: F401 — only whether it can be
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        raise DataError(
            f"market data need {error.name}, which is not installed: install nexustrader with the extra 'backtest'"
        ) from error


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(help="Files of a venue or a vendor: csv, csv.gz, zip, gz.")],
    symbol: SymbolOption,
    venue: VenueOption = None,
    kind: Annotated[
        str | None, typer.Option(help="What the files hold, e.g. kline_1m, if they do not tell.")
    ] = None,
    venue_symbol: Annotated[
        str | None, typer.Option(help="What the files call the symbol, if it is another name.")
    ] = None,
    contract_size: SizeOption = 1.0,
    catalog: CatalogOption = Path("data"),
) -> None:
    """Read files into a catalogue. Each goes in whole or not at all; importing one twice changes nothing.

    Formats are told from the content: Binance Vision, Bybit, OKX, Tardis, and recorded frames.
    """
    from nexustrader.data.catalog import Catalog

    name = _symbol(symbol, venue)
    target = Catalog(catalog)
    table = _table("file", "type", "rows", "new", "days", "unsorted", "repeated", right=5)
    done: list[Imported] = []
    try:
        with _progress() as progress:
            for path in files:
                size = path.stat().st_size if path.is_file() else None
                task = progress.add_task(path.name, total=size)
                found = target.import_file(
                    path,
                    name,
                    kind=kind,
                    venue_symbol=venue_symbol,
                    contract_size=contract_size,
                    progress=_follow(progress, task),
                )
                progress.remove_task(task)
                done += found
                for one in found:
                    source = one.source
                    counts = (
                        source.rows,
                        one.added,
                        one.changed_days,
                        source.out_of_order,
                        source.duplicates,
                    )
                    table.add_row(path.name, one.series.kind.name, *(f"{count:,}" for count in counts))
    finally:
        if done:
            _print(table)
            _print_gaps(target, done)


def _print_gaps(catalog: Catalog, done: list[Imported]) -> None:
    latest = {one.series: one.manifest for one in done}
    for series, manifest in latest.items():
        count = manifest.gap_count(series.kind)
        if count:
            print(
                f"{series.symbol} {series.kind.name} has {count:,} gaps; see: nexustrader data check --gaps "
                f"--catalog {catalog.root}"
            )


@app.command("ls")
def ls(catalog: CatalogOption = Path("data")) -> None:
    """List what a catalogue holds, with the gaps, and how many rows of the sources were unsorted or repeated."""
    from nexustrader.data.catalog import Catalog

    found = Catalog(catalog)
    table = _table("symbol", "type", "from", "to", "days", "rows", "gaps", "unsorted", "repeated", right=5)
    for series in found.series():
        manifest = found.manifest(series.symbol, series.kind.name)
        days = list(manifest.days)
        counts = (manifest.gap_count(series.kind), manifest.out_of_order, manifest.duplicates)
        table.add_row(
            series.symbol,
            series.kind.name,
            days[0],
            days[-1],
            f"{len(days):,}",
            f"{manifest.rows:,}",
            *(f"{count:,}" for count in counts),
        )
    _print(table)


@app.command("check")
def check(
    catalog: CatalogOption = Path("data"),
    gaps: Annotated[bool, typer.Option("--gaps", help="List the gaps, too.")] = False,
) -> None:
    """Read every file again and compare it with its manifest. Exit code 1 says that something is wrong.

    Gaps are told, but are not wrong: they are what the sources do not have.
    """
    from nexustrader.data.catalog import Catalog

    found = Catalog(catalog)
    everything = found.series()
    with _progress() as progress:
        task = progress.add_task("checking", total=_bytes_in(catalog))
        faults = list(found.check(lambda count: progress.advance(task, count)))
    console = Console()
    for fault in faults:
        text = fault.what if fault.what.startswith(str(fault.path)) else f"{fault.path} {fault.what}"
        console.print(plain(text, "red"), soft_wrap=True)
    for series in everything if gaps and not faults else ():
        listed = found.manifest(series.symbol, series.kind.name).gaps(series.kind)
        for gap in listed[:GAPS_SHOWN_MAX]:
            missing = "" if gap.missing is None else f", {gap.missing:,} missing"
            span = f"from {_moment(gap.after_ns)} to {_moment(gap.before_ns)}"
            print(f"{series.symbol} {series.kind.name}: gap {span}{missing}")
        if len(listed) > GAPS_SHOWN_MAX:
            print(f"{series.symbol} {series.kind.name}: and {len(listed) - GAPS_SHOWN_MAX:,} more gaps")
    if faults:
        print(f"{len(faults):,} fault(s)")
        raise typer.Exit(EXIT_FAULTS)
    print(f"{len(everything):,} series, no fault")


@app.command("download")
def download_files(
    symbol: SymbolOption,
    start: Annotated[str, typer.Option(help="First day, e.g. 2024-01-01.")],
    end: Annotated[str | None, typer.Option(help="Last day; yesterday (UTC) if left out.")] = None,
    kind: Annotated[
        str, typer.Option(help="kline_ with an interval, trade, agg_trade, quote (futures) or funding.")
    ] = "kline_1m",
    to: Annotated[Path, typer.Option(help="The folder for the files.")] = Path("downloads"),
    catalog: Annotated[
        Path | None, typer.Option(help="Import the files into this catalogue when they are there.")
    ] = None,
    contract_size: SizeOption = 1.0,
    base_url: Annotated[
        str | None, typer.Option(help="Another place with the same files, e.g. a mirror.")
    ] = None,
) -> None:
    """Fetch the files of Binance Vision, verified by their checksums. It goes on where it stopped."""
    from nexustrader.data.binance_archive import BASE_URL, Archive
    from nexustrader.data.download import download
    from nexustrader.data.kinds import kind_of

    archive = Archive(symbol, kind_of(kind))
    last = _day(end) if end else _yesterday()
    with _progress() as progress:
        tasks = {}

        def told(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name)
            progress.update(tasks[name], completed=done, total=total, visible=done != total)

        done = asyncio.run(download(archive, _day(start), last, to, base_url=base_url or BASE_URL, told=told))
    print(f"{len(done.files):,} file(s) in {to}")
    if done.absent:
        print(
            f"{len(done.absent):,} file(s) are not in the archive, from {done.absent[0]} to {done.absent[-1]}"
        )
    if catalog is not None:
        import_files(done.files, symbol, kind=kind, contract_size=contract_size, catalog=catalog)


@app.command("record")
def record_streams(
    symbols: Annotated[
        list[str],
        typer.Option("--symbol", help="What to record, e.g. BTCUSDT-PERP.BINANCE; may be repeated."),
    ],
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", help="quote, trade, book (20 levels), or a kline such as kline_1m; may be repeated."
        ),
    ] = None,
    catalog: CatalogOption = Path("data"),
    every: Annotated[
        float, typer.Option(min=1, help="Seconds between two imports into the catalogue.")
    ] = 300.0,
    seconds: Annotated[float, typer.Option(min=0, help="How long; 0 is until Ctrl-C.")] = 0.0,
    testnet: Annotated[bool, typer.Option("--testnet", help="The venue's testnet.")] = False,
) -> None:
    """Record public streams of Binance into a catalogue. No keys are needed.

    What has come is on disk within a second; after a crash the next recorder takes it up.
    """
    from nexustrader.cli.recording import Plan, record

    plan = Plan(symbols, kinds or ["quote", "trade"], catalog, every, seconds, testnet)
    with _messages.status("recording") as status:
        done = record(plan, lambda so_far: status.update(f"recording: {so_far.frames:,} frames"))
    print(f"{done.frames:,} frames, {done.rows:,} rows new in {catalog}")


# -- words and figures -------------------------------------------------------------------------------------------


def _symbol(symbol: str, venue: str | None) -> str:
    if venue is None or "." in symbol:
        return symbol
    return f"{symbol}.{venue.upper()}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DataError(f"{text!r} is no day; write it as 2024-01-31") from None


def _yesterday() -> date:
    from nexustrader.kernel.clock import LiveClock

    return LiveClock().utc_now().date() - timedelta(days=1)


def _moment(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _bytes_in(root: Path) -> int:
    return sum(path.stat().st_size for path in root.glob("venue=*/**/*.parquet"))


def _table(*names: str, right: int) -> Table:
    """A table whose last `right` columns are numbers, which are never cut; words are folded if need be."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for place, name in enumerate(names):
        is_number = place >= len(names) - right
        table.add_column(name, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold")
    return table


def _follow(progress: Progress, task: TaskID) -> Callable[[int], None]:
    return lambda count: progress.update(task, completed=count)


def _print(table: Table) -> None:
    """On one line a row where it is not read on a screen."""
    console = Console()
    (console if console.is_terminal else Console(width=WIDTH_OF_FILES)).print(table)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Bars on stderr, which are not drawn where that is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_messages, transient=True, disable=not _messages.is_terminal) as progress:
        yield progress
