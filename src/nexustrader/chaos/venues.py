"""Which venues chaos can run against: how each emulated one is built, and what our names for its parts are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from nexustrader.constants import AccountType, ExchangeType
from nexustrader.emulator.binance.service import BinanceService
from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.emulator.binance.venue import BinanceSettings, BinanceVenue
from nexustrader.emulator.bybit.accounts import WALLET
from nexustrader.emulator.bybit.categories import LINEAR
from nexustrader.emulator.bybit.service import BybitService
from nexustrader.emulator.bybit.venue import BybitSettings, BybitVenue
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.service import Service
from nexustrader.emulator.venue import AnyVenue
from nexustrader.exchange import BinanceAccountType, BybitAccountType
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock

SYMBOLS = ("BTCUSDT", "ETHUSDT")
MARKET_STEP_MS = 250
API_KEY = "chaoskey" + "k" * 56
SECRET = "chaossecret" + "s" * 53

Build = Callable[[int, int, Clock, Entropy], tuple[AnyVenue, Service]]


class VenueSide(msgspec.Struct, frozen=True, kw_only=True):
    """One venue. `build` takes seed, reach of stale answers in ms, clock and entropy.

    `account_types` and `suffixes` (what our symbols end with) are by the emulator's products. Where `unified` is
    given, that one account trades all of them. `streams_snapshots`: books begin with a snapshot on their stream.
    `silence_s`: how much longer than a minute or two the venue may want silence.
    """

    exchange: ExchangeType
    build: Build
    account_types: Mapping[str, AccountType]
    suffixes: Mapping[str, str]
    unified: AccountType | None = None
    streams_snapshots: bool = False
    silence_s: float = 0.0

    @property
    def markets(self) -> tuple[str, ...]:
        """The products that runs trade in turn, futures first."""
        return tuple(sorted(self.account_types, key=lambda name: name == SPOT))

    def trading_type(self, product: str) -> AccountType:
        """The account type by which a product is traded."""
        return self.unified or self.account_types[product]

    def product_of(self, account_type: AccountType, market: str) -> str:
        """The emulator's product behind one of our account types; futures for any that is no spot.

        Of a unified account only the `market` that a run trades is looked at.
        """
        if account_type is self.unified:
            return market
        is_spot = getattr(account_type, "is_spot", False)
        return next(
            name for name, one in self.account_types.items() if getattr(one, "is_spot", False) == is_spot
        )


def _binance(seed: int, history_ms: int, clock: Clock, entropy: Entropy) -> tuple[AnyVenue, Service]:
    balances = {
        SPOT: {"USDT": Decimal(100_000), "BTC": Decimal(2), "BNB": Decimal(100)},
        USDM: {"USDT": Decimal(100_000), "BNB": Decimal(100)},
    }
    settings = BinanceSettings(
        seed=seed, symbols=SYMBOLS, step_ms=MARKET_STEP_MS, push_ms=MARKET_STEP_MS, history_ms=history_ms
    )
    spec = AccountSpec(api_key=API_KEY, secret=SECRET, balances=balances)
    venue = BinanceVenue([spec], settings, clock, entropy.child("listen keys"))
    return venue, BinanceService(venue)


def _bybit(seed: int, history_ms: int, clock: Clock, entropy: Entropy) -> tuple[AnyVenue, Service]:  # noqa: ARG001 — nothing secret is drawn here
    balances = {WALLET: {"USDT": Decimal(100_000), "BTC": Decimal(2), "BNB": Decimal(100)}}
    settings = BybitSettings(
        seed=seed, symbols=SYMBOLS, step_ms=MARKET_STEP_MS, push_ms=MARKET_STEP_MS, history_ms=history_ms
    )
    spec = AccountSpec(api_key=API_KEY, secret=SECRET, balances=balances)
    venue = BybitVenue([spec], settings, clock)
    return venue, BybitService(venue)


DEFAULT_VENUE = "binance"
VENUES = {
    "binance": VenueSide(
        exchange=ExchangeType.BINANCE,
        build=_binance,
        account_types={SPOT: BinanceAccountType.SPOT, USDM: BinanceAccountType.USD_M_FUTURE},
        suffixes={SPOT: ".BINANCE", USDM: "-PERP.BINANCE"},
    ),
    "bybit": VenueSide(
        exchange=ExchangeType.BYBIT,
        build=_bybit,
        account_types={SPOT: BybitAccountType.SPOT, LINEAR: BybitAccountType.LINEAR},
        suffixes={SPOT: ".BYBIT", LINEAR: "-PERP.BYBIT"},
        unified=BybitAccountType.UNIFIED,
        streams_snapshots=True,
        silence_s=600.0,
    ),
}
