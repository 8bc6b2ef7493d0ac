"""Which venues are emulated, and where. An emulator is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nexustrader.error import SettingsFileError

if TYPE_CHECKING:
    from nexustrader.emulator.emulator import Emulator

VENUES = {
    "binance": "nexustrader.emulator.binance.emulator:BinanceEmulator",
    "bybit": "nexustrader.emulator.bybit.emulator:BybitEmulator",
}
DEFAULT_VENUES = ("binance",)


def emulator_of(name: str) -> type[Emulator[Any]]:
    """The emulator of a venue. Raises SettingsFileError where there is none."""
    if name not in VENUES:
        raise SettingsFileError(f"no emulator for {name}; there are emulators for {', '.join(VENUES)}")
    module, _, cls = VENUES[name].partition(":")
    emulator: type[Emulator[Any]] = getattr(import_module(module), cls)
    return emulator
