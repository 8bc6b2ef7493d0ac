"""Symbols of the venue to instruments: filters of both eras, both products, and rows that are broken."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from nexustrader.constants import ExchangeType, InstrumentType, OrderSide, OrderType
from nexustrader.domain.instrument import Instrument, refusal
from nexustrader.error import WireError
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.schema import InstrumentId

SPOT, USD_M = BinanceAccountType.SPOT, BinanceAccountType.USD_M_FUTURE

SPOT_FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "100.05", "stepSize": "0.00000000"},
    {"filterType": "NOTIONAL", "minNotional": "5.0", "applyMinToMarket": True, "maxNotional": "9000000.0",
     "applyMaxToMarket": False, "avgPriceMins": 5},
    {"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10},
    {"filterType": "A_FILTER_OF_NEXT_YEAR", "whatever": [1, {"x": 2}]},
]  # fmt: skip

FUTURES_FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "556.80", "maxPrice": "4529764", "tickSize": "0.10"},
    {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
    {"filterType": "MIN_NOTIONAL", "notional": "100"},
    {
        "filterType": "PERCENT_PRICE",
        "multiplierDown": "0.95",
        "multiplierUp": "1.05",
        "multiplierDecimal": "4",
    },
]


def spot_row(**changes: Any) -> dict[str, Any]:
    row = {
        "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
        "isSpotTradingAllowed": True, "filters": SPOT_FILTERS,
    }  # fmt: skip
    return row | changes


def futures_row(**changes: Any) -> dict[str, Any]:
    row = {
        "symbol": "BTCUSDT", "pair": "BTCUSDT", "contractType": "PERPETUAL", "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000, "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
        "marginAsset": "USDT", "filters": FUTURES_FILTERS,
    }  # fmt: skip
    return row | changes


def parsed(account_type, *rows) -> tuple[list[Instrument], tuple[str, ...]]:
    return VENUE.parse_instruments(account_type, msgspec.json.encode({"timezone": "UTC", "symbols": rows}))


def test_a_spot_symbol():
    (instrument,), problems = parsed(SPOT, spot_row())
    assert problems == ()
    assert instrument == Instrument(
        symbol="BTCUSDT.BINANCE", venue_symbol="BTCUSDT", exchange=ExchangeType.BINANCE, type=InstrumentType.SPOT,
        base="BTC", quote="USDT", settle="USDT", tick=Decimal("0.01"), lot=Decimal("0.00001"),
        min_price=Decimal("0.01"), max_price=Decimal(1000000), min_amount=Decimal("0.00001"),
        max_amount=Decimal(9000), market_max_amount=Decimal("100.05"), min_notional=Decimal(5),
        maker=Decimal("0.001"), taker=Decimal("0.001"),
    )  # fmt: skip
    assert str(instrument.tick) == "0.01", "steps carry no more decimals than they need"


def test_a_perpetual():
    (instrument,), problems = parsed(USD_M, futures_row())
    assert problems == ()
    assert instrument == Instrument(
        symbol="BTCUSDT-PERP.BINANCE", venue_symbol="BTCUSDT", exchange=ExchangeType.BINANCE,
        type=InstrumentType.LINEAR, base="BTC", quote="USDT", settle="USDT", tick=Decimal("0.1"),
        lot=Decimal("0.001"), min_price=Decimal("556.8"), max_price=Decimal(4529764),
        min_amount=Decimal("0.001"), max_amount=Decimal(1000), market_min_amount=Decimal("0.001"),
        market_max_amount=Decimal(120), market_lot=Decimal("0.001"), min_notional=Decimal(100),
        reduce_only_exempt_from_notional=True, maker=Decimal("0.0002"), taker=Decimal("0.0005"),
        listed_ms=1569398400000,
    )  # fmt: skip


def test_a_dated_future_has_its_expiry_in_the_symbol():
    row = futures_row(symbol="BTCUSDT_260925", contractType="CURRENT_QUARTER", deliveryDate=1790323200000)
    (instrument,), _ = parsed(USD_M, row)
    assert (instrument.symbol, instrument.expiry_ms) == ("BTCUSDT-260925.BINANCE", 1790323200000)
    assert InstrumentId.from_str(instrument.symbol).is_linear


@pytest.mark.parametrize("contract_type", ["TRADIFI_PERPETUAL", "", "A_TYPE_OF_NEXT_YEAR"])
def test_the_contract_type_decides_nothing(contract_type):
    (instrument,), problems = parsed(USD_M, futures_row(contractType=contract_type))
    assert (instrument.symbol, problems) == ("BTCUSDT-PERP.BINANCE", ())


def test_a_perpetual_that_is_being_delivered_has_an_expiry():
    (instrument,), _ = parsed(
        USD_M, futures_row(contractType="PERPETUAL DELIVERING", deliveryDate=1790323200000)
    )
    assert (instrument.symbol, instrument.expiry_ms) == ("BTCUSDT-PERP.BINANCE", 1790323200000)


@pytest.mark.parametrize("status", ["BREAK", "HALT", "PENDING_TRADING", "SETTLING", "CLOSE", "NEW_STATUS"])
def test_symbols_that_do_not_trade_are_left_out_without_a_complaint(status):
    assert parsed(SPOT, spot_row(status=status)) == ([], ())
    assert parsed(USD_M, futures_row(status=status)) == ([], ())
    assert parsed(SPOT, spot_row(isSpotTradingAllowed=False)) == ([], ())


def test_the_older_notional_filter():
    old = [f for f in SPOT_FILTERS if f["filterType"] != "NOTIONAL"]
    old.append(
        {"filterType": "MIN_NOTIONAL", "minNotional": "10.0", "applyToMarket": False, "avgPriceMins": 5}
    )
    (instrument,), _ = parsed(SPOT, spot_row(filters=old))
    assert (instrument.min_notional, instrument.notional_applies_to_market) == (Decimal(10), False)


def test_no_market_order_is_refused_for_a_maximum_that_does_not_bind_it():
    (instrument,), _ = parsed(SPOT, spot_row())
    reason = refusal(
        instrument, side=OrderSide.BUY, type=OrderType.MARKET, amount=Decimal(100), price=None, reduce_only=False,
        reference_price=Decimal(100_000),
    )  # fmt: skip
    assert reason is None
    both = [f | {"applyMaxToMarket": True} if f["filterType"] == "NOTIONAL" else f for f in SPOT_FILTERS]
    (instrument,), _ = parsed(SPOT, spot_row(filters=both))
    assert instrument.max_notional == Decimal(9_000_000)


@pytest.mark.parametrize(
    "broken",
    [
        {"filters": []},
        {"filters": None},
        {"filters": [*FUTURES_FILTERS[1:], FUTURES_FILTERS[0] | {"tickSize": "0"}]},
        {"filters": [*FUTURES_FILTERS[1:], FUTURES_FILTERS[0] | {"tickSize": "NaN"}]},
        {"filters": [*FUTURES_FILTERS[1:], FUTURES_FILTERS[0] | {"tickSize": "1e999999999"}]},
        {"filters": [*FUTURES_FILTERS[1:], FUTURES_FILTERS[0] | {"tickSize": None}]},
        {"baseAsset": None},
        {"symbol": 5},
        {"deliveryDate": "soon"},
        {"status": None},
    ],
)
def test_a_broken_row_is_reported_and_the_others_stay(broken):
    instruments, problems = parsed(
        USD_M, futures_row(symbol="AUSDT"), futures_row(**broken), futures_row(symbol="BUSDT")
    )
    assert [i.venue_symbol for i in instruments] == ["AUSDT", "BUSDT"]
    assert len(problems) == 1
    assert len(problems[0]) < 500


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"symbols":null}', b"<html>", b'{"symbols":[{"symbol":']
)
def test_an_answer_that_is_no_list_of_symbols_is_a_wire_error(body):
    with pytest.raises(WireError, match="exchangeInfo"):
        VENUE.parse_instruments(SPOT, body)


@pytest.mark.parametrize(
    ("name", "account_type", "expected"),
    [
        ("spot_2021", SPOT, 11),
        ("spot_2025", SPOT, 10),
        ("usdm_2021_with_delivery", USD_M, 11),
        ("usdm_2025", USD_M, 12),
    ],
)
def test_recorded_symbols_become_instruments(testdata, name, account_type, expected):
    body = (testdata / f"wire/binance/samples/exchangeinfo/{name}.json").read_bytes()
    instruments, problems = VENUE.parse_instruments(account_type, body)
    assert problems == ()
    assert len(instruments) == expected
    assert len({i.symbol for i in instruments}) == expected
    for instrument in instruments:
        assert InstrumentId.from_str(instrument.symbol).id == instrument.symbol.split(".", 1)[0]
        assert instrument.tick > 0
        assert instrument.lot > 0
        assert instrument.min_notional is not None
        assert instrument.venue_symbol in body.decode()
    if name == "usdm_2021_with_delivery":
        dated = {i.symbol: i.expiry_ms for i in instruments if i.expiry_ms}
        assert dated == {"BTCUSDT-210924.BINANCE": 1632470400000, "ETHUSDT-210924.BINANCE": 1632470400000}
