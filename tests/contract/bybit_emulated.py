"""Bybit as the contract runs on it: one unified account, seen on spot, linear and inverse contracts."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.bybit.accounts import WALLET
from nexustrader.emulator.bybit.categories import INVERSE, LINEAR, SPOT
from nexustrader.emulator.bybit.service import BybitService
from nexustrader.emulator.bybit.venue import BybitSettings, BybitVenue
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.venue import STILL
from nexustrader.exchange.bybit import VENUE, BybitAccountType
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock
from nexustrader.testing.venue_contract import OnCore, VenueContract

SYMBOLS = ("BTCUSDT", "ETHUSDT")
INVERSES = ("BTCUSD",)


class Bybit(VenueContract):
    venue = VENUE
    account_type = BybitAccountType.UNIFIED
    symbols: tuple[str, ...] = SYMBOLS

    def emulate(self, clock: Clock, entropy: Entropy, api_key: str, secret: str) -> OnCore:
        balances = {WALLET: {"USDT": Decimal(100_000), "BTC": Decimal(2)}}
        settings = BybitSettings(market=STILL, symbols=(*SYMBOLS, *INVERSES))
        venue = BybitVenue([AccountSpec(api_key=api_key, secret=secret, balances=balances)], settings, clock)
        return OnCore(venue, BybitService(venue))


class BybitSpot(Bybit):
    public_type = BybitAccountType.SPOT
    product = SPOT
    suffix = ".BYBIT"


class BybitLinear(Bybit):
    public_type = BybitAccountType.LINEAR
    product = LINEAR
    refuses_prices = False
    suffix = "-PERP.BYBIT"


class BybitInverse(Bybit):
    public_type = BybitAccountType.INVERSE
    product = INVERSE
    symbols = INVERSES
    suffix = "-PERP.BYBIT"
    amount = Decimal(100)
    refuses_prices = False
