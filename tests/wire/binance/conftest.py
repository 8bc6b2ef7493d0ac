"""What the tests of Binance's wire share: two instruments, a signer and the golden cases."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nexustrader.constants import ExchangeType, InstrumentType
from nexustrader.domain.instrument import Instrument
from nexustrader.exchange.binance import VENUE
from nexustrader.venue.spec import Resolve, Signer

FIXTURES = Path(__file__).parent / "fixtures"

# The published example key of the venue's documentation: no account has it.
API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"


def _instrument(symbol: str, kind: InstrumentType) -> Instrument:
    return Instrument(
        symbol=symbol,
        venue_symbol="BTCUSDT",
        exchange=ExchangeType.BINANCE,
        type=kind,
        base="BTC",
        quote="USDT",
        settle="USDT",
        tick=Decimal("0.1"),
        lot=Decimal("0.001"),
        maker=Decimal("0.0002"),
        taker=Decimal("0.0005"),
    )


@pytest.fixture(scope="session")
def perp() -> Instrument:
    return _instrument("BTCUSDT-PERP.BINANCE", InstrumentType.LINEAR)


@pytest.fixture(scope="session")
def spot() -> Instrument:
    return _instrument("BTCUSDT.BINANCE", InstrumentType.SPOT)


@pytest.fixture(scope="session")
def resolve(perp: Instrument) -> Resolve:
    return {VENUE.key_of(perp): perp}.get


@pytest.fixture(scope="session")
def resolve_spot(spot: Instrument) -> Resolve:
    return {VENUE.key_of(spot): spot}.get


@pytest.fixture(scope="session")
def secret() -> str:
    return SECRET


@pytest.fixture(scope="session")
def signer() -> Signer:
    return VENUE.make_signer(API_KEY, SECRET, None)


@pytest.fixture(scope="session")
def cases() -> Callable[[str], list[dict[str, Any]]]:
    """Golden cases by file name, each a dict with its own `name`."""

    def load(name: str) -> list[dict[str, Any]]:
        loaded: list[dict[str, Any]] = msgspec.json.decode((FIXTURES / f"{name}.json").read_bytes())
        return loaded

    return load
