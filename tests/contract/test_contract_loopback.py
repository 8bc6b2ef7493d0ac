"""Every venue over sockets of this machine."""

from __future__ import annotations

import pytest
from binance_emulated import BinanceSpot, BinanceUsdm
from bybit_emulated import BybitLinear, BybitSpot

pytestmark = pytest.mark.slow


class TestBinanceSpot(BinanceSpot):
    transport = "loopback"


class TestBinanceUsdm(BinanceUsdm):
    transport = "loopback"


class TestBybitSpot(BybitSpot):
    transport = "loopback"


class TestBybitLinear(BybitLinear):
    transport = "loopback"
