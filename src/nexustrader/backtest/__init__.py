"""Backtests: the live engine's own code on virtual time, over recorded bars, quotes, trades and books."""

from __future__ import annotations

try:
    from nexustrader.backtest.inputs import Fees
    from nexustrader.backtest.result import BacktestFill, BacktestResult, EquityCurve
    from nexustrader.backtest.runner import Backtest, BacktestEngine
    from nexustrader.data.bars import Bars, DataNotes
    from nexustrader.data.depth import Depth, build_depth
    from nexustrader.data.ticks import Quotes, Trades, build_quotes, build_trades
except ModuleNotFoundError as exc:
    if exc.name not in ("numpy", "polars"):
        raise
    raise ImportError(
        f"backtests need {exc.name}, which is not installed: install nexustrader with the extra 'backtest'"
    ) from exc

__all__ = [
    "Backtest",
    "BacktestEngine",
    "BacktestFill",
    "BacktestResult",
    "Bars",
    "DataNotes",
    "Depth",
    "EquityCurve",
    "Fees",
    "Quotes",
    "Trades",
    "build_depth",
    "build_quotes",
    "build_trades",
]
