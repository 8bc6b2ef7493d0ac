"""Every venue over sockets of this machine."""

from __future__ import annotations

import pytest
from binance_emulated import BinanceSpot, BinanceUsdm

pytestmark = pytest.mark.slow


class TestBinanceSpot(BinanceSpot):
    transport = "loopback"


class TestBinanceUsdm(BinanceUsdm):
    transport = "loopback"
