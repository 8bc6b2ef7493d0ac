"""The page: whole in itself, the same for the same result, and nothing that a user writes becomes markup."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from report_setup import PERP, EmaCross, config, ema_result, ema_run, hourly, text_of

from nexustrader.backtest import Backtest, BacktestResult
from nexustrader.backtest.bands import bands
from nexustrader.backtest.metrics_table import MEASURES, measured, sample_of
from nexustrader.backtest.report import REAL_TIME, check_report, report_hash, write_report
from nexustrader.backtest.report_sections import TRADES_MAX
from nexustrader.backtest.result import Exposure
from nexustrader.constants import KlineInterval, OrderSide, OrderStatus, OrderType
from nexustrader.data.bars import build_bars
from nexustrader.error import NexusTraderError
from nexustrader.schema import Kline

EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\"'&{}"
MINUTE_MS = 60_000
PAGE_BYTES_MAX = 10_000_000


def synthetic(count: int, source: str = "the test", gap: int | None = None) -> Any:
    """Minutes of a random walk; with a gap, an hour is missing after that many."""
    draw = np.random.default_rng(7)
    close = np.round(50_000 * np.exp(np.cumsum(draw.normal(0, 0.0006, count))), 1)
    opens = np.append(50_000.0, close[:-1])
    start = 1_600_000_020_000 + MINUTE_MS * np.arange(count)
    if gap is not None:
        start[gap:] += 60 * MINUTE_MS
    columns = {"start": start, "open": opens, "high": np.maximum(opens, close) + 5}
    columns |= {"low": np.minimum(opens, close) - 5, "close": close, "volume": np.full(count, 10.0)}
    return build_bars(columns, PERP, source, interval=KlineInterval.MINUTE_1)


def small(count: int = 3_000, **more: Any) -> BacktestResult:
    strategy = EmaCross(interval=KlineInterval.MINUTE_1)
    return Backtest(config(strategy), synthetic(count, **more)).run()


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return small()


@pytest.fixture(scope="module")
def page(result: BacktestResult, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(result, tmp_path_factory.mktemp("page"))


def write(result: Any, folder: Path) -> str:
    return write_report(result, folder / "out.html").html.read_text(encoding="utf-8")


def figures_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


# -- what it shows ---------------------------------------------------------------------------------------------


def test_a_reader_finds_figures_assumptions_seed_and_trace(result: BacktestResult, page: str) -> None:
    shown = text_of(page)
    for text in (
        "EmaCross",
        f"{PERP} · 3,000 bars of 1m · 2020-09-13 12:27 to 2020-09-15 14:27 UTC (2 days)",
        f"{result.final_equity:,.2f}",
        f"{len(result.fills):,} fills, {result.trades:,} closed trades",
        result.trace_hash,
        *(assumption.replace("&", "&amp;") for assumption in result.assumptions),
        *(measure.name.replace(">", "&gt;") for measure in MEASURES),
    ):
        assert " ".join(text.split()) in shown


def test_few_days_gaps_and_refusals_are_warned_of(tmp_path: Path) -> None:
    class Greedy(EmaCross):
        def on_kline(self, kline: Kline) -> None:
            self.create_order(PERP, OrderSide.BUY, OrderType.MARKET, self.held + 1_000_000)
            raise ValueError

    greedy = Backtest(config(Greedy(interval=KlineInterval.MINUTE_1)), synthetic(50, gap=20)).run()
    shown = text_of(write(greedy, tmp_path))
    assert "Exceptions that the strategy raised in its callbacks: 50." in shown
    assert "50 of 50 orders were refused" in shown
    assert f"60 bars are missing in the data of {PERP}" in shown
    assert "Less than 30 days (1)" in shown
    assert f"{PERP} 2020-09-13 12:47 2020-09-13 13:47 60" in shown
    assert "insufficient USDT" in shown
    assert "No trade was closed" in shown


@pytest.mark.slow
def test_a_long_list_of_trades_is_cut_and_says_so(result: BacktestResult, tmp_path: Path) -> None:
    trade = result.closed_trades[0]
    many = dataclasses.replace(result, closed_trades=[trade] * (TRADES_MAX + 5))
    page = write(many, tmp_path)
    assert f"The first {TRADES_MAX:,} of {TRADES_MAX + 5:,}" in text_of(page)
    assert page.count(f'data-value="{trade.opened_ms}"') == TRADES_MAX


# -- whole in itself -------------------------------------------------------------------------------------------


class Resources(HTMLParser):
    """Collects everything that a browser would fetch, and handlers in attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [f"{tag} {name}={value}" for name, value in attrs if name in ("src", "srcset", "data")]
        self.found += [f"{tag} {name}" for name, _ in attrs if name.startswith("on")]
        self.found += [
            f"{tag} {value}" for name, value in attrs if name == "href" and not (value or "").startswith("#")
        ]


def test_nothing_is_fetched_and_the_browser_is_told_to_fetch_nothing(page: str) -> None:
    resources = Resources()
    resources.feed(page)
    assert resources.found == []
    assert "link" not in resources.tags
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\';' in page
    assert (
        "sendChartToCloud" in page.rsplit("modeBarButtonsToRemove", maxsplit=1)[-1]
    )  # Plotly offers to upload charts


@pytest.mark.slow
def test_charts_are_figures_that_plotly_knows(page: str) -> None:
    graph_objects = pytest.importorskip("plotly.graph_objects")
    for name, figure in figures_of(page).items():
        painted = json.loads(re.sub(r'"var\(--[\w-]+\)"', '"#123456"', json.dumps(figure)))
        graph_objects.Figure(painted)
        titles = [painted["layout"][axis]["title"]["text"] for axis in painted["layout"] if "axis" in axis]
        assert "Time (UTC)" in titles, name
        assert all("(" in title for title in titles), titles  # every axis has its unit


def test_every_colour_of_a_chart_is_one_of_the_page(page: str) -> None:
    used = set(re.findall(r"var\((--[\w-]+)\)", json.dumps(figures_of(page))))
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert used
    for name in used:
        assert f"{name}:" in style


@pytest.mark.slow
def test_a_million_bars_stay_a_small_page(tmp_path: Path) -> None:
    few = small(2_000)
    bars = synthetic(1_000_000)
    fills = [msgspec.structs.replace(few.fills[0], timestamp=int(t)) for t in bars.start[::50]]
    trades = [few.closed_trades[0]] * 20_000
    times = np.append(bars.start[:1], bars.start + MINUTE_MS)
    values = np.append(bars.open[:1], bars.close)
    many = dataclasses.replace(
        few,
        played={PERP: bars},
        fills=fills,
        closed_trades=trades,
        equity=dataclasses.replace(few.equity, times=times, values=values),
        exposure=Exposure(lambda: (values, values)),
    )
    page = write(many, tmp_path)
    assert len(page.encode()) < PAGE_BYTES_MAX
    assert "A candle holds 500 bars of 1m" in text_of(page)
    assert "of 20,000 fills are drawn" in text_of(page)


# -- the same for the same -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_equal_runs_have_equal_pages_but_for_the_line_of_real_time(page: str, tmp_path: Path) -> None:
    again = dataclasses.replace(small(), elapsed_s=12_345.0)
    written = write_report(again, tmp_path / "out.html")
    other = written.html.read_text(encoding="utf-8")
    ours, theirs = page.split("\n"), other.split("\n")
    differing = [place for place, lines in enumerate(zip(ours, theirs, strict=True)) if lines[0] != lines[1]]
    assert len(differing) == 1
    assert ours[differing[0]].startswith(REAL_TIME)
    assert "12345.00 s" in theirs[differing[0]]
    assert report_hash(page) == report_hash(other) == written.report_hash
    assert written.report_hash in theirs[differing[0]]


def test_another_result_has_another_hash(page: str, tmp_path: Path) -> None:
    assert report_hash(write(small(2_999), tmp_path)) != report_hash(page)


# -- what users write ------------------------------------------------------------------------------------------


def evil(result: BacktestResult) -> BacktestResult:
    """The result with markup wherever a text is not our own."""
    refused = msgspec.structs.replace(result.orders[0], status=OrderStatus.FAILED, reason=EVIL)
    notes = msgspec.structs.replace(result.data[PERP], sources=(EVIL,))
    position = next(iter(result.positions.values()))
    return dataclasses.replace(
        result,
        strategy=EVIL,
        symbols=(EVIL,),
        currency=EVIL,
        trace_hash=EVIL,
        orders=[refused],
        assumptions=(EVIL,),
        data={EVIL: notes},
        positions={EVIL: position},
        balances={EVIL: {EVIL: position.signed_amount}},
        fills=[msgspec.structs.replace(fill, settle=EVIL) for fill in result.fills],
        closed_trades=[msgspec.structs.replace(t, symbol=EVIL, settle=EVIL) for t in result.closed_trades],
    )


@pytest.mark.slow
def test_text_of_users_is_never_markup(result: BacktestResult, page: str, tmp_path: Path) -> None:
    bad = write(evil(result), tmp_path)
    honest, found = Resources(), Resources()
    honest.feed(page)
    found.feed(bad)
    assert found.found == []
    assert "img" not in found.tags
    assert found.tags.count("script") == honest.tags.count("script") == 3
    assert "alert(2)" in text_of(bad)  # shown as what it is
    assert "<img" not in json.dumps(figures_of(bad))  # Plotly reads labels as markup


def test_a_symbol_is_never_markup_in_a_chart(result: BacktestResult, tmp_path: Path) -> None:
    name = "<b>X</b>USDT-PERP.BINANCE"
    page = write(dataclasses.replace(result, played={name: result.played[PERP]}), tmp_path)
    assert "<b>" not in json.dumps(figures_of(page))
    assert "&lt;b&gt;X" in page


# -- the files beside it ---------------------------------------------------------------------------------------


def test_numbers_are_beside_the_page(result: BacktestResult, tmp_path: Path) -> None:
    written = write_report(result, tmp_path / "deep" / "out.html")
    assert sorted(path.name for path in written.html.parent.iterdir()) == [
        "out.equity.parquet",
        "out.fills.parquet",
        "out.html",
        "out.json",
    ]
    told = json.loads(written.json.read_text())
    assert told["trace_hash"] == result.trace_hash
    assert len(told["closed_trades"]) == result.trades
    figures = measured(sample_of(result))
    assert told["metrics"]["sharpe"] == pytest.approx(figures["sharpe"])
    fills, curve = pl.read_parquet(written.fills), pl.read_parquet(written.equity)
    assert fills["price"].to_list() == [float(fill.price) for fill in result.fills]
    assert fills["side"].to_list() == [fill.side.value for fill in result.fills]
    assert fills["timestamp"].dt.epoch("ms").to_list() == [fill.timestamp for fill in result.fills]
    assert curve["equity"].to_list() == result.equity.values.tolist()
    assert curve.columns == ["timestamp", "equity", "net_exposure", "gross_exposure"]


def test_a_run_without_fills_has_an_empty_table_of_the_same_shape(tmp_path: Path) -> None:
    class Idle(EmaCross):
        def on_kline(self, kline: Kline) -> None:
            pass

    idle = Backtest(config(Idle(interval=KlineInterval.MINUTE_1)), synthetic(10)).run()
    written = write_report(idle, tmp_path / "out.html")
    some = write_report(small(500), tmp_path / "some.html")
    assert pl.read_parquet(written.fills).is_empty()
    assert pl.read_parquet_schema(written.fills) == pl.read_parquet_schema(some.fills)
    assert json.loads(written.json.read_text())["metrics"]["sharpe"] is None


@pytest.mark.parametrize("name", ["out.json", "out", "out.htm"])
def test_a_report_is_named_html(name: str, tmp_path: Path) -> None:
    with pytest.raises(NexusTraderError, match=r"name it out\.html"):
        check_report(tmp_path / name)


# -- bands, and real data --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_bands_are_drawn_and_tabled(tmp_path: Path) -> None:
    bars = synthetic(800)
    found = bands(
        lambda **changes: Backtest(
            config(EmaCross(interval=KlineInterval.MINUTE_1)), **{"data": bars} | changes
        )
    )
    written = write_report(found, tmp_path / "out.html")
    page = written.html.read_text(encoding="utf-8")
    names = [trace["name"] for trace in figures_of(page)["equity-chart"]["data"]]
    assert names[:2] == ["Pessimistic", "Optimistic"]
    assert "Under other assumptions" in text_of(page)
    assert "0.025 %, 0.025 % 0.05 %, 0.05 % 0.075 %, 0.075 %" in text_of(page)
    curve = pl.read_parquet(written.equity)
    assert curve["optimistic"].to_list() == found.optimistic.equity.values.tolist()
    assert set(json.loads(written.json.read_text())["bands"]) == {"optimistic", "base", "pessimistic"}


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium to draw the page with")
def test_a_browser_draws_every_chart_of_real_data_without_an_error(testdata: Path, tmp_path: Path) -> None:
    page = write_report(ema_result(testdata), tmp_path / "out.html").html
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--virtual-time-budget=8000",
    ]
    command = [str(BROWSER), *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count('class="chart js-plotly-plot"') == 3
    assert done.stdout.count('class="main-svg"') >= 3
    assert "candlestick" in done.stdout
    assert "Share chart" not in re.findall(r'data-title="([^"]*)"', done.stdout)


@pytest.mark.slow
def test_real_data_give_the_same_report_twice(testdata: Path, tmp_path: Path) -> None:
    bars = hourly(testdata)
    hashes = {write_report(ema_run(bars).run(), tmp_path / "out.html").report_hash for _ in range(2)}
    assert len(hashes) == 1
