"""What the tests of Bybit's wire share: instruments of each category, a signer, commands."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nexustrader.constants import ExchangeType, InstrumentType
from nexustrader.domain.instrument import Instrument
from nexustrader.exchange.bybit import VENUE
from nexustrader.venue.spec import Resolve, Signer

API_KEY = "TESTKEY0000000001"
SECRET = "TESTSECRET000000000000000000000001"


def instrument(symbol: str, native: str, kind: InstrumentType, quote: str = "USDT") -> Instrument:
    base = native[:3]
    return Instrument(
        symbol=symbol,
        venue_symbol=native,
        exchange=ExchangeType.BYBIT,
        type=kind,
        base=base,
        quote=quote,
        settle=base if kind is InstrumentType.INVERSE else quote,
        tick=Decimal("0.1"),
        lot=Decimal("0.001"),
        maker=Decimal("0.0002"),
        taker=Decimal("0.0005"),
    )


ALL = {
    "spot": instrument("BTCUSDT.BYBIT", "BTCUSDT", InstrumentType.SPOT),
    "linear": instrument("BTCUSDT-PERP.BYBIT", "BTCUSDT", InstrumentType.LINEAR),
    "inverse": instrument("BTCUSD-PERP.BYBIT", "BTCUSD", InstrumentType.INVERSE, "USD"),
    "option": instrument("BTCUSDT-250213-89000-P.BYBIT", "BTC-13FEB25-89000-P-USDT", InstrumentType.OPTION),
}


@pytest.fixture(scope="session")
def instruments() -> dict[str, Instrument]:
    """One of each category, by category."""
    return ALL


@pytest.fixture(scope="session")
def linear() -> Instrument:
    return ALL["linear"]


@pytest.fixture(scope="session")
def spot() -> Instrument:
    return ALL["spot"]


@pytest.fixture(scope="session")
def inverse() -> Instrument:
    return ALL["inverse"]


@pytest.fixture(scope="session")
def option() -> Instrument:
    return ALL["option"]


@pytest.fixture(scope="session")
def resolve() -> Resolve:
    return {VENUE.key_of(each): each for each in ALL.values()}.get


@pytest.fixture(scope="session")
def signer() -> Signer:
    return VENUE.make_signer(API_KEY, SECRET, None)
