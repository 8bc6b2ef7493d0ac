"""Filters refuse with the venue's code, and let through what is right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.emulator.binance.errors import ApiError
from nexustrader.emulator.binance.handlers import filters, requests
from nexustrader.emulator.binance.instruments import LISTINGS
from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.emulator.market.listing import OPEN_ORDERS_MAX

PRICES = {symbol: listing.start_price for symbol, listing in LISTINGS[SPOT].items()}


def refusal(product: str, open_orders: int = 0, **params: str) -> tuple[int, str] | None:
    """Code and text of the refusal of a limit order with these parameters, None when it passes."""
    defaults = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    sent = {**defaults, "quantity": "0.1", "price": "60000", **params}
    sent = {name: value for name, value in sent.items() if value != "-"}
    parse = requests.spot_order if product == SPOT else requests.usdm_order
    try:
        request = parse(sent, LISTINGS[product])
        filters.check(request, PRICES[sent["symbol"]], open_orders)
    except ApiError as error:
        return error.code, error.message
    return None


MARKET = {"type": "MARKET", "price": "-", "timeInForce": "-"}


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({}, None),
        ({"price": "60000.001"}, "PRICE_FILTER"),
        ({"price": "1000000.01"}, "PRICE_FILTER"),
        ({"price": "11999.99"}, "PERCENT_PRICE_BY_SIDE"),
        ({"price": "300000.01"}, "PERCENT_PRICE_BY_SIDE"),
        ({"quantity": "0.000001"}, "LOT_SIZE"),
        ({"quantity": "0.123456"}, "LOT_SIZE"),
        ({"quantity": "9000.00001"}, "LOT_SIZE"),
        ({"quantity": "0.00008"}, "NOTIONAL"),
        ({"quantity": "8000"}, "NOTIONAL"),
        ({**MARKET, "quantity": "98"}, "MARKET_LOT_SIZE"),
        ({**MARKET, "quantity": "0.00008"}, "NOTIONAL"),
        ({**MARKET, "quantity": "-", "quoteOrderQty": "4.99"}, "NOTIONAL"),
        ({**MARKET, "quantity": "-", "quoteOrderQty": "5"}, None),
        ({"symbol": "ODDUSDT", "price": "12.525", "quantity": "5"}, None),
        ({"symbol": "ODDUSDT", "price": "12.53", "quantity": "5"}, "PRICE_FILTER"),
        ({"symbol": "ODDUSDT", "price": "12.525", "quantity": "6"}, "LOT_SIZE"),
    ],
)
def test_spot_names_the_broken_filter(params: dict[str, str], name: str | None) -> None:
    expected = None if name is None else (-1013, f"Filter failure: {name}")
    assert refusal(SPOT, **params) == expected


def test_spot_refuses_more_decimals_than_assets_have() -> None:
    assert refusal(SPOT, quantity="0.123456789")[0] == -1111  # type: ignore[index]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, None),
        ({"price": "0"}, -4001),
        ({"price": "60000.001"}, -1111),
        ({"price": "60000.01"}, -4014),
        ({"price": "500"}, -4013),
        ({"price": "5000000"}, -4002),
        ({"price": "63000.1"}, -4016),
        ({"price": "63000.0"}, None),
        ({"side": "SELL", "price": "56999.9"}, -4024),
        ({"side": "SELL", "price": "57000"}, None),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.0001"}, -1111),
        ({"quantity": "1000.001"}, -4005),
        ({"quantity": "0.001"}, -4164),
        ({"quantity": "0.001", "reduceOnly": "true"}, None),
        ({**MARKET, "quantity": "120.001"}, -4005),
        ({**MARKET, "quantity": "0.001"}, -4164),
        ({"symbol": "ODDUSDT", "price": "12.525", "quantity": "5"}, None),
        ({"symbol": "ODDUSDT", "price": "12.530", "quantity": "5"}, -4014),
        ({"symbol": "ODDUSDT", "price": "12.525", "quantity": "6"}, -4023),
        ({"symbol": "ODDUSDT", "price": "12.525", "quantity": "2.4"}, -4004),
    ],
)
def test_futures_have_a_code_for_each_rule(params: dict[str, str], code: int | None) -> None:
    found = refusal(USDM, **params)
    assert (found and found[0]) == code


def test_the_minimum_notional_is_named_in_the_text() -> None:
    found = refusal(USDM, quantity="0.001")
    assert found == (-4164, "Order's notional must be no smaller than 100 (unless you choose reduce only).")


def test_open_orders_are_limited_but_market_orders_go_on() -> None:
    assert refusal(SPOT, OPEN_ORDERS_MAX) == (-1013, "Filter failure: MAX_NUM_ORDERS")
    assert refusal(USDM, OPEN_ORDERS_MAX)[0] == -2025  # type: ignore[index]
    assert refusal(USDM, OPEN_ORDERS_MAX, **MARKET) is None


@pytest.mark.parametrize(
    ("product", "params", "code"),
    [
        (SPOT, {"symbol": "-"}, -1102),
        (SPOT, {"symbol": "NOPE"}, -1121),
        (SPOT, {"side": "HOLD"}, -1117),
        (SPOT, {"type": "ICEBERG"}, -1116),
        (SPOT, {"timeInForce": "-"}, -1102),
        (SPOT, {"timeInForce": "GTX"}, -1115),
        (SPOT, {"type": "LIMIT_MAKER"}, -1106),
        (SPOT, {"type": "LIMIT_MAKER", "timeInForce": "-"}, None),
        (SPOT, {**MARKET, "timeInForce": "GTC"}, -1106),
        (SPOT, {**MARKET, "quantity": "-"}, -1102),
        (SPOT, {"price": "6e4"}, -1100),
        (SPOT, {"price": "-60000"}, -1100),
        (SPOT, {"newClientOrderId": "a b"}, -1100),
        (SPOT, {"newOrderRespType": "SOME"}, -1136),
        (SPOT, {"selfTradePreventionMode": "MAYBE"}, -1102),
        (USDM, {"type": "STOP_MARKET"}, -4120),
        (USDM, {"type": "TRAILING_STOP_MARKET"}, -4120),
        (USDM, {"type": "ICEBERG"}, -1116),
        (USDM, {"timeInForce": "DAY"}, -1115),
        (USDM, {"positionSide": "LONG"}, -4061),
        (USDM, {"positionSide": "UP"}, -4060),
        (USDM, {"positionSide": "BOTH"}, None),
        (USDM, {"reduceOnly": "maybe"}, -1102),
        (USDM, {"newClientOrderId": "x" * 37}, -4015),
        (USDM, {"newClientOrderId": "a b"}, -1100),
        (USDM, {"newOrderRespType": "FULL"}, -1136),
        (USDM, {"priceMatch": "QUEUE"}, -1106),
    ],
)
def test_malformed_requests_are_refused_by_name(
    product: str, params: dict[str, str], code: int | None
) -> None:
    found = refusal(product, **params)
    assert (found and found[0]) == code


@given(
    product=st.sampled_from([SPOT, USDM]),
    symbol=st.sampled_from(["BTCUSDT", "ETHUSDT", "SOLUSDT", "ODDUSDT"]),
    price_steps=st.integers(-20, 20),
    lots=st.integers(1, 5_000),
)
def test_orders_on_the_grid_fail_on_size_or_notional_alone(
    product: str, symbol: str, price_steps: int, lots: int
) -> None:
    listing = LISTINGS[product][symbol]
    price, amount = listing.start_price + price_steps * listing.tick, listing.lot * lots
    found = refusal(product, symbol=symbol, quantity=f"{amount:f}", price=f"{price:f}")
    small, large = price * amount < listing.min_notional, price * amount > listing.max_notional
    if amount <= listing.max_amount and not small and not (large and product == SPOT):
        assert found is None
    elif small:
        assert found is not None
        assert found[0] in {-1013, -4164}
