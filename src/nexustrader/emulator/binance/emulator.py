"""Binance on loopback, as tests and programs use it."""

from __future__ import annotations

from nexustrader.emulator.binance.errors import ApiError
from nexustrader.emulator.binance.security import API_KEY_LENGTH, check_key_format
from nexustrader.emulator.binance.service import BinanceService
from nexustrader.emulator.binance.venue import BinanceSettings, BinanceVenue
from nexustrader.emulator.emulator import Emulator
from nexustrader.emulator.service import Service
from nexustrader.kernel.ports import Clock


class BinanceEmulator(Emulator[BinanceVenue]):
    """Binance spot and USD-M on loopback; `/spot` and `/usdm` under its URL serve one product each."""

    venue_name = "binance"
    settings_type = BinanceSettings

    @classmethod
    def wrong_key(cls, api_key: str) -> str | None:
        """Why no request could use this API key; None for one that can be."""
        try:
            check_key_format(api_key)
        except ApiError:
            return f"must be {API_KEY_LENGTH} letters and digits"
        return None

    def _make_venue(self, clock: Clock) -> BinanceVenue:
        assert isinstance(self.settings, BinanceSettings)
        return BinanceVenue(self.accounts, self.settings, clock)

    def _make_service(self) -> Service:
        return BinanceService(self.venue)
