"""What kind of market an instrument is, in the public description."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from nexustrader.constants import ExchangeType, InstrumentType
from nexustrader.domain.instrument import Instrument, to_market

EXPIRY_MS = 1_758_873_600_000


@pytest.mark.parametrize(
    ("kind", "expiry_ms", "public", "flag"),
    [
        (InstrumentType.SPOT, None, InstrumentType.SPOT, "spot"),
        (InstrumentType.LINEAR, None, InstrumentType.SWAP, "swap"),
        (InstrumentType.INVERSE, None, InstrumentType.SWAP, "swap"),
        (InstrumentType.LINEAR, EXPIRY_MS, InstrumentType.FUTURE, "future"),
        (InstrumentType.OPTION, None, InstrumentType.OPTION, "option"),
        (InstrumentType.OPTION, EXPIRY_MS, InstrumentType.OPTION, "option"),
    ],
)
def test_a_market_is_of_exactly_one_kind(
    kind: InstrumentType, expiry_ms: int | None, public: InstrumentType, flag: str
) -> None:
    fields: dict[str, Any] = dict.fromkeys(("tick", "lot", "maker", "taker"), Decimal("0.001"))
    market = to_market(
        Instrument(
            symbol="BTCUSDT.BINANCE",
            venue_symbol="BTCUSDT",
            exchange=ExchangeType.BINANCE,
            type=kind,
            base="BTC",
            quote="USDT",
            settle="USDT",
            expiry_ms=expiry_ms,
            **fields,
        )
    )
    assert market.type is public
    assert [name for name in ("spot", "swap", "future", "option") if getattr(market, name)] == [flag]
