"""Fixtures of the emulator tests: a venue whose markets move only by hand, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from venue_client import VenueClient

from nexustrader.emulator.binance.emulator import BinanceEmulator
from nexustrader.emulator.binance.venue import BinanceSettings
from nexustrader.emulator.venue import STILL


@pytest.fixture
async def emulator() -> AsyncIterator[BinanceEmulator]:
    """A running emulator with BTCUSDT at 60000.0/60000.1, ten BTC on either side."""
    async with BinanceEmulator(BinanceSettings(market=STILL)) as emulator:
        for product in ("spot", "usdm"):
            emulator.move("BTCUSDT", "60000.0", "60000.1", product=product)
        yield emulator
    wrong = emulator.venue.check_invariants()
    assert not wrong, wrong


@pytest.fixture
async def client(emulator: BinanceEmulator) -> AsyncIterator[VenueClient]:
    """A client with the emulator's own key."""
    async with VenueClient(emulator) as client:
        yield client
