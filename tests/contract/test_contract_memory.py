"""Every venue on the network in memory, under virtual time."""

from __future__ import annotations

from binance_emulated import BinanceSpot, BinanceUsdm
from bybit_emulated import BybitLinear, BybitSpot


class TestBinanceSpot(BinanceSpot):
    transport = "memory"


class TestBinanceUsdm(BinanceUsdm):
    transport = "memory"


class TestBybitSpot(BybitSpot):
    transport = "memory"


class TestBybitLinear(BybitLinear):
    transport = "memory"
