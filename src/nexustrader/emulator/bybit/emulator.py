"""Bybit on loopback, as tests and programs use it."""

from __future__ import annotations

from nexustrader.emulator.bybit.service import BybitService
from nexustrader.emulator.bybit.venue import BybitSettings, BybitVenue
from nexustrader.emulator.emulator import Emulator
from nexustrader.emulator.service import Service
from nexustrader.kernel.ports import Clock


class BybitEmulator(Emulator[BybitVenue]):
    """Bybit v5 on loopback: one origin serves REST and all sockets."""

    venue_name = "bybit"
    settings_type = BybitSettings

    @classmethod
    def wrong_key(cls, api_key: str) -> str | None:
        """Why no request could use this API key; None for one that can be."""
        return None if api_key.isascii() and api_key.isalnum() else "must be letters and digits"

    def _make_venue(self, clock: Clock) -> BybitVenue:
        assert isinstance(self.settings, BybitSettings)
        return BybitVenue(self.accounts, self.settings, clock)

    def _make_service(self) -> Service:
        return BybitService(self.venue)
