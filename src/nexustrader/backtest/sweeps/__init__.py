"""Many backtests of one strategy: over grids of parameters, by search, and forward through time."""

from __future__ import annotations

from nexustrader.backtest.sweeps.forward import Fold, WalkForward, walk_forward
from nexustrader.backtest.sweeps.space import Choices, Params, Span, Value, grid, parse_axis
from nexustrader.backtest.sweeps.sweep import Search, Sweep, search, sweep
from nexustrader.backtest.sweeps.trial import Trial

__all__ = [
    "Choices",
    "Fold",
    "Params",
    "Search",
    "Span",
    "Sweep",
    "Trial",
    "Value",
    "WalkForward",
    "grid",
    "parse_axis",
    "search",
    "sweep",
    "walk_forward",
]
