"""Binance as the contract runs on it."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.binance.service import BinanceService
from nexustrader.emulator.binance.topics import COINM, SPOT, USDM
from nexustrader.emulator.binance.venue import BinanceSettings, BinanceVenue
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.venue import STILL
from nexustrader.exchange.binance import VENUE
from nexustrader.exchange.binance.constants import BinanceAccountType
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock
from nexustrader.testing.venue_contract import OnCore, VenueContract

SYMBOLS = ("BTCUSDT", "ETHUSDT")
COINS = ("BTCUSD_PERP", "ETHUSD_PERP")


class Binance(VenueContract):
    venue = VENUE
    symbols: tuple[str, ...] = SYMBOLS

    def emulate(self, clock: Clock, entropy: Entropy, api_key: str, secret: str) -> OnCore:
        balances = {
            SPOT: {"USDT": Decimal(100_000), "BTC": Decimal(2)},
            USDM: {"USDT": Decimal(100_000)},
            COINM: {"BTC": Decimal(2)},
        }
        settings = BinanceSettings(market=STILL, symbols=(*SYMBOLS, *COINS))
        spec = AccountSpec(api_key=api_key, secret=secret, balances=balances)
        venue = BinanceVenue([spec], settings, clock, entropy)
        return OnCore(venue, BinanceService(venue))


class BinanceSpot(Binance):
    account_type = public_type = BinanceAccountType.SPOT
    product = SPOT
    suffix = ".BINANCE"


class BinanceUsdm(Binance):
    account_type = public_type = BinanceAccountType.USD_M_FUTURE
    product = USDM
    suffix = "-PERP.BINANCE"


class BinanceCoinm(Binance):
    account_type = public_type = BinanceAccountType.COIN_M_FUTURE
    product = COINM
    symbols = COINS
    amount = Decimal(10)  # contracts

    def name_of(self, symbol: str) -> str:
        return f"{symbol.replace('_', '-')}.BINANCE"
