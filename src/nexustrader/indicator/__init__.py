"""Indicators: what a strategy computes from market data, fed before its own callbacks and warmed up from history."""

from nexustrader.indicator.base import Indicator, WarmupProgress
from nexustrader.indicator.containers import IndicatorContainer, IndicatorProxy
from nexustrader.indicator.manager import IndicatorManager

__all__ = ["Indicator", "IndicatorContainer", "IndicatorManager", "IndicatorProxy", "WarmupProgress"]
