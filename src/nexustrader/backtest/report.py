"""`write_report`: one HTML file that holds all it shows, and its numbers as JSON and Parquet beside it.

The same result gives the same bytes, but for one line: that with the real time that the run took. The hash in that
line is of all the others.
"""

from __future__ import annotations

import hashlib
import json
import math
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

from nexustrader.backtest import report_sections as sections
from nexustrader.backtest.bands import Bands
from nexustrader.backtest.report_charts import candle_chart, equity_chart, exposure_chart
from nexustrader.backtest.report_html import (
    Markup,
    chart,
    element,
    embedded,
    joined,
    section,
)
from nexustrader.backtest.result import BacktestFill, BacktestResult
from nexustrader.constants import InstrumentType
from nexustrader.error import NexusTraderError
from nexustrader.schema import InstrumentId

SYMBOLS_MAX = 8  # whose candles are drawn
SUFFIX = ".html"
REAL_TIME = '<p id="real-time">'  # begins the one line that differs between equal results
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


class Report(NamedTuple):
    """What was written, and the hash of the page's content."""

    html: Path
    json: Path
    fills: Path
    equity: Path
    report_hash: str


def write_report(result: BacktestResult | Bands, path: str | Path) -> Report:
    """Write `path` (.html), and beside it the result as JSON and its fills and curves as Parquet.

    Raises NexusTraderError for a path that does not end in .html, ImportError without plotly, OSError when a file
    cannot be written.
    """
    report = check_report(path)
    found = sections.findings_of(result)
    page, report_hash = render(found)
    report.html.write_text(page, encoding="utf-8", newline="\n")
    report.json.write_text(
        json.dumps(_as_dict(found) | {"report_hash": report_hash}, allow_nan=False), encoding="utf-8"
    )
    _fills(found.result.fills).write_parquet(report.fills)
    _curves(found).write_parquet(report.equity)
    return report._replace(report_hash=report_hash)


def check_report(path: str | Path) -> Report:
    """Make the folder and name the files, before a long run. Raises as `write_report` does."""
    page = Path(path)
    if page.suffix != SUFFIX:
        raise NexusTraderError(
            f"the report {page} is a page and files beside it; name it {page.stem}{SUFFIX}"
        )
    _plotly()
    page.parent.mkdir(parents=True, exist_ok=True)
    return Report(
        page,
        page.with_suffix(".json"),
        page.with_suffix(".fills.parquet"),
        page.with_suffix(".equity.parquet"),
        report_hash="",
    )


def report_hash(page: str) -> str:
    """Hash of a page's content: of all lines but that with the real time."""
    kept = [line for line in page.split("\n") if not line.startswith(REAL_TIME)]
    return hashlib.blake2b("\n".join(kept).encode(), digest_size=16).hexdigest()


# -- the page --------------------------------------------------------------------------------------------------


def render(found: sections.Findings) -> tuple[str, str]:
    """The page and the hash of its content."""
    result = found.result
    figures: dict[str, Any] = {"equity-chart": _equity(found), "exposure-chart": exposure_chart(result)}
    parts = _parts(found, figures)
    links = (element("a", title, href=f"#{name}") for name, title, _ in parts)
    title = result.strategy or "Backtest"
    head = element("div", element("h1", title), element("p", sections.lead(result), class_="lead"))
    body = [
        element("header", head, element("button", "Dark", id="theme", type="button")),
        sections.tiles(found),
        sections.warnings(found),
        element("nav", *links),
        *(section(name, heading, inside) for name, heading, inside in parts),
        Markup("<footer>\n@@REAL-TIME@@\n</footer>"),
    ]
    scripts = [
        Markup(f'<script type="application/json" id="figures">{embedded(figures)}</script>'),
        Markup(f"<script>{_plotly()}</script>"),
        Markup(f"<script>\n{_asset('report.js')}</script>"),
    ]
    page = "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            element("title", f"{title} · backtest"),
            f"<style>\n{_asset('report.css')}</style>\n</head>\n<body>",
            joined(body),
            joined(scripts),
            "</body>\n</html>\n",
        ]
    )
    return _timed(page, found)


def _timed(page: str, found: sections.Findings) -> tuple[str, str]:
    """Fill in the one line that differs between equal results."""
    marker = "@@REAL-TIME@@"
    place = page.rindex(f"<footer>\n{marker}\n") + len("<footer>\n")
    before, after = page[:place], page[place + len(marker) :]
    found_hash = report_hash(f"{before}{REAL_TIME}{after}")
    runs = [found.result] if found.bands is None else list(found.bands.results().values())
    elapsed_s = sum(run.elapsed_s for run in runs)
    bars_per_s = sum(run.bars for run in runs) / elapsed_s if elapsed_s else 0.0
    line = f"{REAL_TIME}Ran in {elapsed_s:.2f} s ({bars_per_s:,.0f} bars/s). Report hash <code>{found_hash}</code></p>"
    return f"{before}{line}{after}", found_hash


def _parts(found: sections.Findings, figures: dict[str, Any]) -> list[tuple[str, str, Markup]]:
    """Name, title and content of every section, in their order."""
    result = found.result
    curve = chart("equity-chart", height_px=520, label="Equity and drawdown over time")
    parts = [("equity", "Equity and drawdown", curve)]
    if found.bands is not None:
        parts.append(("bands", "Under other assumptions", sections.bands_table(found.bands, found.cases)))
    parts += [
        ("prices", "Trades on prices", _candles(result, figures)),
        ("exposure", "Exposure", chart("exposure-chart", height_px=260, label="Exposure over time")),
        ("months", "Monthly returns (%)", sections.months_table(found)),
        ("metrics", "Figures", sections.metrics_tables(found)),
        ("trades", "Trades", _trades(result)),
        ("end", "Held at the end", sections.holdings(result)),
        ("assumptions", "Assumptions", sections.ledger(result.assumptions)),
        ("data", "Data", sections.data_table(result)),
        ("refusals", "Refused orders", sections.refusals_table(result)),
        ("run", "Run", sections.identity(result)),
    ]
    return parts


def _equity(found: sections.Findings) -> dict[str, Any]:
    others = {}
    if found.bands is not None:
        others = {"Pessimistic": found.bands.pessimistic.equity, "Optimistic": found.bands.optimistic.equity}
    return equity_chart(found.result, others)


def _candles(result: BacktestResult, figures: dict[str, Any]) -> Markup:
    """A chart for each symbol, the most traded first and open."""
    fills: dict[str, list[BacktestFill]] = {symbol: [] for symbol in result.played}
    for fill in result.fills:
        fills.setdefault(fill.symbol, []).append(fill)
    ranked = sorted(result.played, key=lambda symbol: -len(fills[symbol]))
    parts: list[str] = []
    for place, symbol in enumerate(ranked[:SYMBOLS_MAX]):
        trades = [trade for trade in result.closed_trades if trade.symbol == symbol]
        name = f"candles-{place}"
        figures[name], note = candle_chart(
            result.played[symbol], _quote(symbol, result), fills[symbol], trades
        )
        inside = joined(
            [
                element("summary", f"{symbol}: {len(fills[symbol]):,} fills, {len(trades):,} closed trades"),
                chart(name, height_px=480, label=f"Price of {symbol} with fills"),
                element("p", note, class_="note") if note else "",
            ]
        )
        parts.append(Markup(f"<details{'' if place else ' open'}>{inside}</details>"))
    if len(ranked) > SYMBOLS_MAX:
        parts.append(
            element("p", f"The {SYMBOLS_MAX} most traded of {len(ranked)} symbols are drawn.", class_="note")
        )
    return joined(parts)


def _quote(symbol: str, result: BacktestResult) -> str:
    """What a price is in: coins for inverse contracts are priced in dollars, all else in what it settles in."""
    if InstrumentId.from_str(symbol).type is InstrumentType.INVERSE:
        return "USD"
    return next((fill.settle for fill in result.fills if fill.symbol == symbol), result.currency)


def _trades(result: BacktestResult) -> Markup:
    trades = result.closed_trades
    if not trades:
        return element("p", "No trade was closed.")
    note = ""
    if len(trades) > sections.TRADES_MAX:
        note = f"The first {sections.TRADES_MAX:,} of {len(trades):,}; all are in the JSON beside this page."
    return joined([sections.trades_table(trades), element("p", note, class_="note") if note else ""])


# -- what is read ----------------------------------------------------------------------------------------------


def _asset(name: str) -> str:
    return (files("nexustrader.backtest") / name).read_text(encoding="utf-8")


def _plotly() -> str:
    try:
        source = (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    except ModuleNotFoundError as exc:
        raise ImportError(
            "reports need plotly, which is not installed: install nexustrader with the extra 'backtest'"
        ) from exc
    return source.replace("</script", "<\\/script")


# -- what is written beside the page ---------------------------------------------------------------------------


def _as_dict(found: sections.Findings) -> dict[str, Any]:
    told = found.result.as_dict()
    told["metrics"] = _finite(found.figures)
    if found.bands is not None:
        told["bands"] = {
            name: {"assumptions": result.assumptions, "metrics": _finite(found.cases[name])}
            for name, result in found.bands.results().items()
        }
    return told


def _finite(figures: dict[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in figures.items()}


def _fills(fills: list[BacktestFill]) -> pl.DataFrame:
    """One row a fill; amounts of money as floats, their exact text being in the JSON."""
    numbers = ("price", "amount", "value", "fee", "fee_value", "realized_pnl")
    rows: list[dict[str, Any]] = msgspec.to_builtins(fills)
    names = BacktestFill.__struct_fields__
    frame = pl.DataFrame({name: [row[name] for row in rows] for name in names}, strict=False)
    types = dict.fromkeys(numbers, pl.Float64) | {"is_maker": pl.Boolean, "timestamp": pl.Int64}
    return _dated(frame.with_columns(pl.col(name).cast(types.get(name, pl.String)) for name in names))


def _curves(found: sections.Findings) -> pl.DataFrame:
    """Equity and exposure at the close of every bar; with bands also the equity of the other cases."""
    result = found.result
    columns: dict[str, Any] = {
        "timestamp": result.equity.times,
        "equity": result.equity.values,
        "net_exposure": result.exposure.net,
        "gross_exposure": result.exposure.gross,
    }
    if found.bands is not None:
        times = result.equity.times
        for name in ("optimistic", "pessimistic"):
            curve = found.bands.results()[name].equity
            if len(curve.times) == len(times):
                columns[name] = curve.values
    return _dated(pl.DataFrame(columns))


def _dated(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.from_epoch("timestamp", "ms").dt.replace_time_zone("UTC").alias("timestamp"))
