"""The charts of a report as Plotly figures in plain data. Colours are names of the page's own, filled in when drawn.

Text that a user chose is escaped: Plotly reads its labels as markup.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nexustrader.backtest.report_series import candles, every, kept, rounded
from nexustrader.backtest.result import BacktestFill, BacktestResult, ClosedTrade, EquityCurve
from nexustrader.data.bars import Bars, Floats, Ints

POINTS_MAX = 3_000
CANDLES_MAX = 2_000
MARKS_MAX = 1_000  # buys, sells and trades, each, that are drawn on one chart
MARKS_LARGE_MAX = 200  # more of them are drawn small
PERCENT = 100

Figure = dict[str, Any]
Axis = dict[str, Any]


def equity_chart(result: BacktestResult, others: Mapping[str, EquityCurve]) -> Figure:
    """Equity above what is lost of its height; `others` are curves of the same run, lowest and highest first."""
    times, values = result.equity.times, result.equity.values
    data = [*_band(others), *_market(result), _line("Equity", times, values, "--equity", width=1.8)]
    heights = np.maximum.accumulate(values)
    fall = PERCENT * (np.divide(values, heights, out=np.ones(len(values)), where=heights > 0) - 1)
    data.append(
        _line("Drawdown", times, fall, "--loss", width=1)
        | {"yaxis": "y2", "fill": "tozeroy", "fillcolor": "var(--loss-soft)", "showlegend": False}
        | {"hovertemplate": "%{y:.2f} %<extra>Drawdown</extra>"}
    )
    layout = _layout(_axis(f"Equity ({html.escape(result.currency)})", domain=[0.33, 1]))
    layout["yaxis2"] = _axis("Drawdown (%)", domain=[0, 0.27], ticksuffix=" %")
    layout["xaxis"]["anchor"] = "y2"
    return {"data": data, "layout": layout}


def exposure_chart(result: BacktestResult) -> Figure:
    """What is held, in per cent of the equity: net with its sign, and gross where that is more."""
    equity = result.equity.values
    net, gross = (
        PERCENT * np.divide(column, equity, out=np.zeros(len(equity)), where=equity > 0)
        for column in (result.exposure.net, result.exposure.gross)
    )
    data = [
        _line("Net", result.equity.times, net, "--equity", width=1)
        | {"fill": "tozeroy", "fillcolor": "var(--equity-soft)"}
    ]
    if not np.array_equal(np.abs(net), gross):
        data.append(_line("Gross", result.equity.times, gross, "--market", width=1))
    for trace in data:
        trace["line"]["shape"] = "hv"
        trace["hovertemplate"] = "%{y:.1f} %<extra>" + trace["name"] + "</extra>"
    return {"data": data, "layout": _layout(_axis("Exposure (% of equity)", ticksuffix=" %"))}


def candle_chart(
    bars: Bars, quote: str, fills: Sequence[BacktestFill], trades: Sequence[ClosedTrade]
) -> tuple[Figure, str]:
    """Candles with fills and trades on them, and in words what was left out for size."""
    drawn = candles(bars, CANDLES_MAX)
    data: list[Any] = [
        {
            "type": "candlestick",
            "name": "Price",
            "x": drawn.start.tolist(),
            **{name: rounded(getattr(drawn, name)) for name in ("open", "high", "low", "close")},
            "increasing": {"line": {"color": "var(--up)", "width": 1}, "fillcolor": "var(--page)"},
            "decreasing": {"line": {"color": "var(--down)", "width": 1}, "fillcolor": "var(--down)"},
        }
    ]
    shown = [trades[place] for place in every(len(trades), MARKS_MAX)] if trades else []
    for name, won, colour, dash in (("Won", True, "--gain", "solid"), ("Lost", False, "--loss", "dot")):
        if some := [trade for trade in shown if (trade.profit > 0) is won]:
            data.append(_ways(name, some, colour, dash))
    for name, buys, colour, symbol in (
        ("Buy", True, "--buy", "triangle-up"),
        ("Sell", False, "--sell", "triangle-down"),
    ):
        side = [fill for fill in fills if fill.side.is_buy is buys]
        if side:
            data.append(_marks(name, side, colour, symbol))
    layout = _layout(_axis(f"Price ({html.escape(quote)})"))
    layout["hovermode"] = "closest"
    layout["xaxis"] |= {
        "rangeslider": {"visible": False},
        "range": [int(bars.start[0]), int(bars.start[-1]) + bars.step_ms],
    }
    return {"data": data, "layout": layout}, _left_out(bars, drawn.merged, fills, trades)


# -- traces ----------------------------------------------------------------------------------------------------


def _line(name: str, times: Ints, values: Floats, colour: str, *, width: float) -> dict[str, Any]:
    places = kept(values, POINTS_MAX)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": html.escape(name),
        "x": times[places].tolist(),
        "y": rounded(values[places]),
        "line": {"color": f"var({colour})", "width": width},
    }


def _band(others: Mapping[str, EquityCurve]) -> list[dict[str, Any]]:
    """Each curve is filled to the one before it."""
    traces: list[dict[str, Any]] = []
    for name, curve in others.items():
        trace = _line(name, curve.times, curve.values, "--band", width=1)
        trace["line"]["dash"] = "dot" if not traces else "dash"
        if traces:
            trace |= {"fill": "tonexty", "fillcolor": "var(--band-soft)"}
        traces.append(trace)
    return traces


def _market(result: BacktestResult) -> list[dict[str, Any]]:
    """The equity of holding the one symbol from the beginning, for comparison."""
    if len(result.played) != 1:
        return []
    ((symbol, bars),) = result.played.items()
    times = np.append(bars.start[:1], bars.start + bars.step_ms)
    worth = np.append(bars.open[:1], bars.close) / bars.open[0] * result.initial_equity
    return [_line(f"Holding {symbol}", times, worth, "--market", width=1)]


def _ways(name: str, trades: Sequence[ClosedTrade], colour: str, dash: str) -> dict[str, Any]:
    """From entry to exit of each trade; None lifts the pen."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{name} trade",
        "x": [x for trade in trades for x in (trade.opened_ms, trade.closed_ms, None)],
        "y": [y for trade in trades for y in (float(trade.entry_price), float(trade.exit_price), None)],
        "line": {"color": f"var({colour})", "width": 1.4, "dash": dash},
        "hoverinfo": "skip",
    }


def _marks(name: str, fills: Sequence[BacktestFill], colour: str, symbol: str) -> dict[str, Any]:
    shown = [fills[place] for place in every(len(fills), MARKS_MAX)]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [fill.timestamp for fill in shown],
        "y": [float(fill.price) for fill in shown],
        "text": [str(fill.amount) for fill in shown],
        "hovertemplate": f"{name} %{{text}} at %{{y}}<br>%{{x}}<extra></extra>",
        "marker": {
            "symbol": symbol,
            "size": 9 if len(shown) <= MARKS_LARGE_MAX else 5,
            "color": f"var({colour})",
            "line": {"color": "var(--page)", "width": 1},
        },
    }


def _left_out(bars: Bars, merged: int, fills: Sequence[BacktestFill], trades: Sequence[ClosedTrade]) -> str:
    notes = []
    if merged > 1:
        notes.append(f"A candle holds {merged:,} bars of {bars.interval.value}.")
    sides = [sum(fill.side.is_buy is buys for fill in fills) for buys in (True, False)]
    for what, total, drawn in (
        ("fills", len(fills), sum(min(side, MARKS_MAX) for side in sides)),
        ("trades", len(trades), min(len(trades), MARKS_MAX)),
    ):
        if drawn < total:
            notes.append(f"{drawn:,} of {total:,} {what} are drawn, in even steps.")
    return " ".join(notes)


# -- layout ----------------------------------------------------------------------------------------------------


def _axis(title: str, **more: Any) -> Axis:
    return {
        "title": {"text": title, "standoff": 8},
        "gridcolor": "var(--grid)",
        "zerolinecolor": "var(--grid)",
        "linecolor": "var(--grid)",
        "automargin": True,
        **more,
    }


def _layout(y_axis: Axis) -> dict[str, Any]:
    return {
        "xaxis": _axis("Time (UTC)", type="date"),
        "yaxis": y_axis,
        "hovermode": "x unified",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "margin": {"l": 64, "r": 16, "t": 24, "b": 40},
        "paper_bgcolor": "var(--page)",
        "plot_bgcolor": "var(--page)",
        "font": {"color": "var(--text)", "family": "var(--font)", "size": 13},
        "hoverlabel": {"bgcolor": "var(--raised)", "font": {"color": "var(--text)"}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "var(--muted)", "activecolor": "var(--text)"},
        "dragmode": "zoom",
    }
