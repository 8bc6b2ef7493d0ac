"""Every venue on the network in memory, under virtual time."""

from __future__ import annotations

from binance_emulated import BinanceCoinm, BinanceSpot, BinanceUsdm
from bybit_emulated import BybitInverse, BybitLinear, BybitSpot


class TestBinanceSpot(BinanceSpot):
    transport = "memory"


class TestBinanceUsdm(BinanceUsdm):
    transport = "memory"


class TestBybitSpot(BybitSpot):
    transport = "memory"


class TestBybitLinear(BybitLinear):
    transport = "memory"


class TestBybitInverse(BybitInverse):
    transport = "memory"


class TestBinanceCoinm(BinanceCoinm):
    transport = "memory"
