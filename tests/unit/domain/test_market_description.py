"""What kind of market an instrument is, in the public description."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from nexustrader.constants import ExchangeType, InstrumentType
from nexustrader.domain.instrument import Instrument, to_market
from nexustrader.schema import BaseMarket, Limit, LimitMinMax, MarginMode, Precision

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
    market = described(kind, expiry_ms)
    assert market.type is public
    assert [name for name in ("spot", "swap", "future", "option") if getattr(market, name)] == [flag]


@pytest.mark.parametrize(
    ("kind", "linear", "inverse", "sub_type"),
    [
        (InstrumentType.SPOT, None, None, None),
        (InstrumentType.LINEAR, True, False, InstrumentType.LINEAR),
        (InstrumentType.INVERSE, False, True, InstrumentType.INVERSE),
        (InstrumentType.OPTION, False, False, None),
    ],
)
def test_a_contract_says_what_it_is_settled_in(
    kind: InstrumentType, linear: bool | None, inverse: bool | None, sub_type: InstrumentType | None
) -> None:
    market = described(kind, None)
    assert (market.linear, market.inverse, market.subType) == (linear, inverse, sub_type)


def test_a_market_is_described_in_full() -> None:
    future = Instrument(
        symbol="BTCUSDT-250926.BINANCE",
        venue_symbol="BTCUSDT_250926",
        exchange=ExchangeType.BINANCE,
        type=InstrumentType.LINEAR,
        base="BTC",
        quote="USDT",
        settle="USDC",
        tick=Decimal("0.1"),
        lot=Decimal("0.001"),
        min_price=Decimal(1),
        max_price=Decimal(2),
        min_amount=Decimal(3),
        market_max_amount=Decimal(4),
        max_notional=Decimal(5),
        contract_size=Decimal(6),
        maker=Decimal("0.0002"),
        taker=Decimal("0.0005"),
        active=False,
        expiry_ms=EXPIRY_MS,
        listed_ms=7,
    )
    assert to_market(future) == BaseMarket(
        id="BTCUSDT_250926",
        lowercaseId="btcusdt_250926",
        symbol="BTCUSDT-250926.BINANCE",
        base="BTC",
        quote="USDT",
        settle="USDC",
        baseId="BTC",
        quoteId="USDT",
        settleId="USDC",
        type=InstrumentType.FUTURE,
        spot=False,
        swap=False,
        future=True,
        option=False,
        index=False,
        active=False,
        contract=True,
        linear=True,
        inverse=False,
        subType=InstrumentType.LINEAR,
        taker=0.0005,
        maker=0.0002,
        contractSize=6.0,
        expiry=EXPIRY_MS,
        expiryDatetime="2025-09-26T08:00:00.000Z",
        precision=Precision(amount=0.001, price=0.1),
        limits=Limit(
            leverage=LimitMinMax(),
            amount=LimitMinMax(min=3.0),
            price=LimitMinMax(min=1.0, max=2.0),
            cost=LimitMinMax(max=5.0),
            market=LimitMinMax(max=4.0),
        ),
        marginModes=MarginMode(),
        created=7,
        percentage=True,
    )


def described(kind: InstrumentType, expiry_ms: int | None) -> BaseMarket:
    fields: dict[str, Any] = dict.fromkeys(("tick", "lot", "maker", "taker"), Decimal("0.001"))
    return to_market(
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
