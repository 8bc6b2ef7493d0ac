"""Is the backtest what happened live? A recorded session, re-simulated and compared order by order."""

from __future__ import annotations

from nexustrader.backtest.parity.assumed import Cause
from nexustrader.backtest.parity.compare import Difference
from nexustrader.backtest.parity.findings import AccountFinding, LatencyFound, OrderFinding, ParityReport
from nexustrader.backtest.parity.parity import parity

__all__ = [
    "AccountFinding",
    "Cause",
    "Difference",
    "LatencyFound",
    "OrderFinding",
    "ParityReport",
    "parity",
]
