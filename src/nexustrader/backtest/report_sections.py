"""The parts of a report, each made of a result alone and of the figures that were reckoned of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from nexustrader.backtest.bands import Bands, Case
from nexustrader.backtest.metrics import DAYS_PER_YEAR
from nexustrader.backtest.metrics_table import (
    GROUPS,
    MEASURES,
    Measure,
    Sample,
    measured,
    monthly_returns,
    sample_of,
    yearly_returns,
)
from nexustrader.backtest.report_html import (
    MINUS,
    NONE,
    Cell,
    Column,
    Markup,
    element,
    joined,
    moment,
    money,
    number,
    percent,
    span,
    table,
)
from nexustrader.backtest.result import BacktestResult, ClosedTrade
from nexustrader.constants import PositionSide
from nexustrader.data.bars import Bars
from nexustrader.domain.instrument import to_plain
from nexustrader.sim.fees import FeeSchedule
from nexustrader.sim.latency import ConstantDelay
from nexustrader.sim.queue_pessimistic import PessimisticQueue
from nexustrader.sim.queue_power import PowerQueue
from nexustrader.sim.slippage import FixedBps, SquareRootImpact

TRADES_MAX = 1_000  # rows of the list of trades
GAPS_MAX = 10
DAYS_MIN = 30  # under which figures of a year say little
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TILES = ("total_return", "cagr", "sharpe", "max_drawdown", "trades", "win_rate", "profit_factor", "fees")
COMPARED = ("total_return", "cagr", "sharpe", "max_drawdown", "trades", "profit_factor", "fees")
SIGNED = frozenset({"total_return", "cagr"})
UNITS: Mapping[str, str] = {measure.key: measure.unit for measure in MEASURES}
NAMES: Mapping[str, str] = {measure.key: measure.name for measure in MEASURES}


class Findings(NamedTuple):
    """A result with its figures, and with those of the cases around it where there are some."""

    result: BacktestResult
    sample: Sample
    figures: dict[str, float]
    bands: Bands | None
    cases: dict[str, dict[str, float]]  # case -> figures, with the base, the optimistic one first


def findings_of(given: BacktestResult | Bands) -> Findings:
    """Reckon every figure once."""
    if isinstance(given, BacktestResult):
        sample = sample_of(given)
        return Findings(given, sample, measured(sample), None, {})
    sample = sample_of(given.base)
    cases = {name: measured(sample_of(result)) for name, result in given.results().items()}
    return Findings(given.base, sample, cases["base"], given, cases)


# -- the head --------------------------------------------------------------------------------------------------


def lead(result: BacktestResult) -> str:
    """What was run over what."""
    symbols = ", ".join(result.symbols)
    period = f"{moment(result.start_ms)} to {moment(result.end_ms)} UTC"
    return f"{symbols} · {result.bars:,} bars of {result.interval} · {period} ({result.duration.days:,} days)"


def tiles(found: Findings) -> Markup:
    """Headline figures, with their range over the cases."""
    result = found.result
    worth = element("div", f"from {money(result.initial_equity)} {result.currency}", class_="range")
    parts = [_tile(f"Final equity ({result.currency})", money(result.final_equity), worth)]
    for key in TILES:
        text = _shown(key, found.figures[key])
        ranged = [_shown(key, figures[key]) for figures in found.cases.values()]
        below = element("div", f"{ranged[0]} … {ranged[-1]}", class_="range") if ranged else ""
        parts.append(_tile(_named(key, result.currency), text, below))
    for symbol, change in _market(result).items():
        below = element("div", symbol, class_="range")
        parts.append(_tile("Buying and holding", number(change, "percent", signed=True), below))
    return element("div", *parts, class_="tiles")


def _tile(name: str, figure: str, below: str) -> Markup:
    return element(
        "div",
        element("div", name, class_="name"),
        element("div", figure, class_="figure"),
        below,
        class_="tile",
    )


def _shown(key: str, value: float) -> str:
    return number(value, UNITS[key], signed=key in SIGNED)


def _market(result: BacktestResult) -> dict[str, float]:
    """What the price of a lone symbol did meanwhile."""
    if len(result.played) != 1:
        return {}
    return {symbol: float(bars.close[-1] / bars.open[0]) - 1 for symbol, bars in result.played.items()}


def warnings(found: Findings) -> Markup:
    """What a reader must know before trusting a figure."""
    result = found.result
    told = []
    if result.user_errors:
        told.append(f"Exceptions that the strategy raised in its callbacks: {result.user_errors:,}.")
    if refused := sum(result.refusals().values()):
        told.append(f"{refused:,} of {len(result.orders):,} orders were refused.")
    for symbol, notes in result.data.items():
        if notes.gaps:
            told.append(
                f"{notes.missing:,} bars are missing in the data of {symbol}, in gaps: {notes.gaps:,}."
            )
    days = len(found.sample.returns)
    if days < DAYS_MIN:
        told.append(f"Less than {DAYS_MIN} days ({days}): figures of a year that come from them say little.")
    return joined(element("p", text, class_="warning") for text in told)


# -- tables ----------------------------------------------------------------------------------------------------


def bands_table(bands: Bands, cases: Mapping[str, Mapping[str, float]]) -> Markup:
    """What the cases take for granted, and what came of it."""
    columns = [Column("Assumption or figure"), *(Column(name.capitalize(), is_number=True) for name in cases)]
    return table(columns, case_rows(bands, cases), label="Cases")


def case_rows(bands: Bands, cases: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """The same as texts: a name, and one for each case."""
    rows = [
        [what, *(say(case) for case in bands.cases)]
        for what, say in (
            ("Fees, maker and taker", _fees),
            ("Latency", _latency),
            ("Slippage beyond the touch", _slippage),
            ("Funding, paid and received", _funding),
            ("Cancels before an order", _queue),
        )
    ]
    currency = bands.base.currency
    return rows + [
        [_named(key, currency), *(_shown(key, figures[key]) for figures in cases.values())]
        for key in COMPARED
    ]


def _named(key: str, currency: str) -> str:
    return f"{NAMES[key]} ({currency})" if UNITS[key] == "money" else NAMES[key]


def _fees(case: Case) -> str:
    if case.fees is None:
        return "as configured"
    if isinstance(case.fees, FeeSchedule):
        first, last = case.fees.tiers[0], case.fees.tiers[-1]
        return f"{_rates(first[1:])} to {_rates(last[1:])}, by tier"
    return _rates(case.fees)


def _rates(rates: Iterable[Decimal]) -> str:
    return ", ".join(f"{100 * float(rate):.4g} %".replace("-", MINUS) for rate in rates)


def _latency(case: Case) -> str:
    ways = case.latency.ways
    told = [
        f"{delay.ms:g} ms" if isinstance(delay, ConstantDelay) else delay.describe().removeprefix("takes ")
        for delay in (ways.entry, ways.cancel)
    ]
    return ", ".join(dict.fromkeys(told))


def _slippage(case: Case) -> str:
    slippage = case.slippage
    if isinstance(slippage, FixedBps):
        return f"{slippage.bps:g} basis points"
    if isinstance(slippage, SquareRootImpact):
        return f"{slippage.coefficient:g} x sqrt(share of the bar)"
    return f"{slippage.ticks} {'tick' if slippage.ticks == 1 else 'ticks'}"


def _funding(case: Case) -> str:
    return ", ".join(
        f"{100 * float(share):g} %" for share in (case.funding.paid_share, case.funding.received_share)
    )


def _queue(case: Case) -> str:
    if isinstance(case.queue, PessimisticQueue):
        return "all behind"
    return f"power {case.queue.power}" if isinstance(case.queue, PowerQueue) else case.queue.describe()


def months_table(found: Findings) -> Markup:
    """Compounded returns by month, tinted by their size."""
    by_month, by_year = monthly_returns(found.sample.daily), yearly_returns(found.sample.daily)
    largest = max((abs(value) for value in by_month.values() if not math.isnan(value)), default=0.0)
    rows = []
    for year, whole in by_year.items():
        cells: list[str | Cell] = [str(year)]
        for month in range(1, 13):
            value = by_month.get((year, month))
            cells.append("" if value is None else _tinted(value, largest))
        cells.append(_tinted(whole, 0.0)._replace(class_="total", style=""))
        rows.append(cells)
    columns = [Column("Year"), *(Column(month, is_number=True) for month in (*MONTHS, "Year"))]
    return table(columns, rows, class_="months", label="Monthly returns")


def _tinted(value: float, largest: float) -> Cell:
    depth = 0.08 + 0.42 * abs(value) / largest if largest and not math.isnan(value) else 0.0
    tint = "cool" if value > 0 else "warm" if value < 0 else ""
    return Cell(
        NONE if math.isnan(value) else percent(value, signed=True),
        class_=tint,
        style=f"--depth:{depth:.2f}" if tint else "",
    )


def metrics_tables(found: Findings) -> Markup:
    """Every figure by group; its formula is told by its name's tooltip."""
    compared = found.cases or {"base": found.figures}
    heads = [name.capitalize() for name in compared] if found.cases else [""]
    groups = []
    for group, measures in GROUPS.items():
        rows = [_figure_row(measure, compared.values(), found.result.currency) for measure in measures]
        columns = [Column(group), *(Column(head, is_number=True) for head in heads)]
        groups.append(element("div", table(columns, rows, label=group), class_="group"))
    return element("div", *groups, class_="groups")


def _figure_row(measure: Measure, compared: Iterable[Mapping[str, float]], currency: str) -> list[str | Cell]:
    unit = {"money": f", {currency}", "days": ", days", "hours": ", hours"}.get(measure.unit, "")
    name = Cell(measure.name + unit, title=measure.formula)
    return [name, *(number(figures[measure.key], measure.unit) for figures in compared)]


def trades_table(trades: Sequence[ClosedTrade]) -> Markup:
    """The first of the closed trades, which the page lets sort."""
    settles = {trade.settle for trade in trades}
    unit = f", {settles.pop()}" if len(settles) == 1 else ""
    columns = [
        Column("No.", is_number=True),
        Column("Symbol"),
        Column("Side"),
        Column("Opened (UTC)"),
        Column("Closed (UTC)"),
        Column("Held", is_number=True),
        *(Column(name, is_number=True) for name in ("Amount", "Entry", "Exit")),
        *(Column(name + unit, is_number=True) for name in ("Fees", "Net profit")),
    ]
    rows = [
        _trade(place, trade, "" if unit else f" {trade.settle}")
        for place, trade in enumerate(trades[:TRADES_MAX], 1)
    ]
    return element("div", table(columns, rows, class_="sortable", label="Trades"), class_="tall")


def _trade(place: int, trade: ClosedTrade, unit: str) -> list[str | Cell]:
    held_ms = trade.closed_ms - trade.opened_ms
    return [
        Cell(f"{place:,}", place),
        trade.symbol,
        "long" if trade.side is PositionSide.LONG else "short",
        Cell(moment(trade.opened_ms), trade.opened_ms),
        Cell(moment(trade.closed_ms), trade.closed_ms),
        Cell(span(held_ms), held_ms),
        Cell(to_plain(trade.amount), float(trade.amount)),
        _price(float(trade.entry_price)),
        _price(float(trade.exit_price)),
        Cell(money(float(trade.fees)) + unit, float(trade.fees)),
        Cell(
            money(float(trade.profit), signed=True) + unit,
            float(trade.profit),
            class_="gain" if trade.profit > 0 else "loss" if trade.profit < 0 else "",
        ),
    ]


def _price(value: float) -> Cell:
    return Cell(f"{value:,.8g}" if value < 1e8 else f"{value:,.0f}", value)


def holdings(result: BacktestResult) -> Markup:
    """What was held at the end: positions and wallets."""
    parts: list[str] = []
    if result.positions:
        columns = [
            Column("Open position"),
            *(Column(n, is_number=True) for n in ("Amount", "Entry", "Unrealised")),
        ]
        parts.append(
            table(
                columns,
                (
                    [
                        symbol,
                        to_plain(p.signed_amount).replace("-", MINUS),
                        _price(p.entry_price),
                        money(p.unrealized_pnl, signed=True),
                    ]
                    for symbol, p in result.positions.items()
                ),
                label="Open positions",
            )
        )
    wallets = [
        [key, asset, to_plain(amount)]
        for key, assets in result.balances.items()
        for asset, amount in assets.items()
    ]
    parts.append(
        table(
            [Column("Account"), Column("Asset"), Column("Wallet", is_number=True)], wallets, label="Wallets"
        )
    )
    return joined(parts)


# -- data and what went wrong ----------------------------------------------------------------------------------


def data_table(result: BacktestResult) -> Markup:
    """Where the bars came from and what is wrong with them."""
    names = ("Bars played", "Rows", "Gaps", "Missing", "Repeated", "Out of order")
    columns = [
        Column("Symbol"),
        *(Column(name, is_number=True) for name in names),
        Column("First bar played (UTC)"),
        Column("Sources"),
    ]
    rows = []
    for symbol, notes in result.data.items():
        bars = result.played.get(symbol)
        counts = (notes.rows, notes.gaps, notes.missing, notes.duplicates, notes.out_of_order)
        rows.append(
            [
                symbol,
                f"{len(bars) if bars else 0:,}",
                *(f"{count:,}" for count in counts),
                moment(int(bars.start[0])) if bars else NONE,
                ", ".join(notes.sources) or NONE,
            ]
        )
    return joined([table(columns, rows, label="Data"), *_gaps(result.played)])


def _gaps(played: Mapping[str, Bars]) -> Iterable[Markup]:
    """The longest gaps among the bars of the run."""
    found: list[tuple[int, int, int, str]] = []
    for symbol, bars in played.items():
        missing = np.diff(bars.start) // bars.step_ms - 1
        for place in np.flatnonzero(missing > 0):
            since, until = int(bars.start[place]) + bars.step_ms, int(bars.start[place + 1])
            found.append((-int(missing[place]), since, until, symbol))
    if found:
        columns = [
            Column("Gap in"),
            Column("From (UTC)"),
            Column("To (UTC)"),
            Column("Bars missing", is_number=True),
        ]
        rows = [
            [symbol, moment(a), moment(b), f"{-count:,}"] for count, a, b, symbol in sorted(found)[:GAPS_MAX]
        ]
        yield element("p", f"Gaps in the run, the longest first ({len(found):,} in all):", class_="note")
        yield table(columns, rows, label="Gaps")


def refusals_table(result: BacktestResult) -> Markup:
    """Reasons for which orders were refused."""
    if not result.refusals():
        return element("p", "No order was refused.")
    rows = [[reason, f"{count:,}"] for reason, count in result.refusals().items()]
    return table([Column("Reason"), Column("Orders", is_number=True)], rows, label="Refusals")


def ledger(assumptions: Iterable[str]) -> Markup:
    """Every sentence that the result takes for granted."""
    return element("ol", joined(element("li", text) for text in assumptions), class_="ledger")


def identity(result: BacktestResult) -> Markup:
    """What the run can be told by, and repeated from."""
    pairs: list[list[Any]] = [
        ["Trace hash", element("code", result.trace_hash)],
        ["Seed", element("code", str(result.seed))],
        ["Orders", f"{len(result.orders):,}"],
        ["Fills", f"{len(result.fills):,}"],
        ["Strategy errors", f"{result.user_errors:,}"],
        ["Periods a year", f"{DAYS_PER_YEAR} days, ending at midnight UTC"],
    ]
    return table([Column("Run"), Column("")], pairs, label="Run")
