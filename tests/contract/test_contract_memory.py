"""Every venue on the network in memory, under virtual time."""

from __future__ import annotations

from binance_emulated import BinanceSpot, BinanceUsdm


class TestBinanceSpot(BinanceSpot):
    transport = "memory"


class TestBinanceUsdm(BinanceUsdm):
    transport = "memory"
