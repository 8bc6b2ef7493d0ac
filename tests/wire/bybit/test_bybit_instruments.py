"""Instruments, symbols, and the account types that trade them."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from nexustrader.constants import InstrumentType
from nexustrader.domain.instrument import notional
from nexustrader.error import EngineBuildError, WireError
from nexustrader.exchange.bybit import VENUE, BybitAccountType
from nexustrader.exchange.bybit.quirks import symbol_of
from nexustrader.schema import InstrumentId
from nexustrader.venue.spec import Endpoints, UserStreamKind

A = BybitAccountType

LINEAR = {
    "symbol": "BTCUSDT", "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": "BTC",
    "quoteCoin": "USDT", "settleCoin": "USDT", "launchTime": "1584230400000", "deliveryTime": "0",
    "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
    "lotSizeFilter": {
        "maxOrderQty": "1190.000", "minOrderQty": "0.001", "qtyStep": "0.001", "maxMktOrderQty": "119.000",
        "minNotionalValue": "5",
    },
}  # fmt: skip
SPOT = {
    "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading",
    "lotSizeFilter": {
        "basePrecision": "0.000001", "quotePrecision": "0.0000001", "minOrderQty": "0.000011", "maxOrderQty": "83",
        "minOrderAmt": "5", "maxLimitOrderQty": "90", "maxMarketOrderQty": "50",
    },
    "priceFilter": {"tickSize": "0.1"},
}  # fmt: skip


def read(category, *rows):
    body = msgspec.json.encode({"retCode": 0, "result": {"category": category, "list": rows}, "time": 1})
    return VENUE.parse_instruments(A[category.upper()], body)


def test_a_perpetual():
    (each,), problems = read("linear", LINEAR)
    assert problems == ()
    assert (each.symbol, each.venue_symbol, each.type) == (
        "BTCUSDT-PERP.BYBIT",
        "BTCUSDT",
        InstrumentType.LINEAR,
    )
    assert (str(each.tick), str(each.lot)) == ("0.1", "0.001")
    assert (each.min_price, each.max_price) == (Decimal("0.1"), Decimal("1999999.8"))
    assert (each.min_amount, each.max_amount, each.market_max_amount) == (Decimal("0.001"), 1190, 119)
    assert (each.min_notional, each.reduce_only_exempt_from_notional) == (5, True)
    assert (each.expiry_ms, each.listed_ms) == (None, 1584230400000)
    assert (str(each.maker), str(each.taker)) == ("0.0002", "0.00055")


def test_a_perpetual_that_is_to_end_has_no_expiry():
    (each,), _ = read("linear", LINEAR | {"deliveryTime": "1702592000000"})
    assert (each.symbol, each.expiry_ms) == ("BTCUSDT-PERP.BYBIT", None)


def test_spot_has_its_limits_in_quote():
    (each,), _ = read("spot", SPOT)
    assert (each.symbol, each.type, str(each.lot)) == ("BTCUSDT.BYBIT", InstrumentType.SPOT, "0.000001")
    assert (each.min_amount, each.max_amount, each.market_max_amount) == (None, 90, 50)
    assert (each.min_notional, each.reduce_only_exempt_from_notional) == (5, False)


def test_an_inverse_contract_is_worth_one_dollar():
    row = LINEAR | {
        "symbol": "BTCUSD",
        "contractType": "InversePerpetual",
        "quoteCoin": "USD",
        "settleCoin": "BTC",
    }
    (each,), _ = read("inverse", row)
    assert (each.symbol, each.settle, each.contract_size) == ("BTCUSD-PERP.BYBIT", "BTC", 1)
    assert notional(each, Decimal(300), Decimal(60000)) == 300


def test_what_ends_says_when():
    dated = LINEAR | {
        "symbol": "BTCUSDH25",
        "contractType": "InverseFutures",
        "deliveryTime": "1743148800000",
    }
    (each,), _ = read("inverse", dated)
    assert (each.symbol, each.expiry_ms) == ("BTCUSD-250328.BYBIT", 1743148800000)
    option = LINEAR | {
        "symbol": "BTC-13FEB25-89000-P-USDT",
        "contractType": "",
        "deliveryTime": "1739433600000",
    }
    (each,), _ = read("option", option)
    assert (each.symbol, each.type) == ("BTCUSDT-250213-89000-P.BYBIT", InstrumentType.OPTION)
    assert each.expiry_ms == 1739433600000


@pytest.mark.parametrize("status", ["PreLaunch", "Delivering", "Closed"])
def test_what_does_not_trade_now_is_left_out(status):
    assert read("linear", LINEAR | {"status": status}) == ([], ())


def test_a_row_that_cannot_be_read_is_reported_and_the_others_stay():
    bad = LINEAR | {"priceFilter": {"tickSize": "nan"}}
    none = LINEAR | {"lotSizeFilter": {}}
    instruments, problems = read("linear", bad, none, LINEAR)
    assert len(instruments) == 1
    assert "tickSize" in problems[0]
    assert "BTCUSDT has no qtyStep" in problems[1]


def test_an_answer_of_another_category_is_refused():
    with pytest.raises(WireError, match="spot"):
        VENUE.parse_instruments(A.LINEAR, b'{"result":{"category":"spot","list":[]}}')


# -- symbols --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("category", "native", "symbol"),
    [
        ("spot", "BTCUSDT", "BTCUSDT"),
        ("linear", "BTCUSDT", "BTCUSDT-PERP"),
        ("linear", "1000PEPEUSDT", "1000PEPEUSDT-PERP"),
        ("linear", "BTCPERP", "BTCUSDC-PERP"),
        ("linear", "BTCUSDT-21FEB25", "BTCUSDT-250221"),
        ("linear", "BTC-24MAR23", "BTCUSDC-230324"),
        ("linear", "ETH-7NOV25", "ETHUSDC-251107"),
        ("inverse", "BTCUSD", "BTCUSD-PERP"),
        ("inverse", "BTCUSDU25", "BTCUSD-250926"),
        ("inverse", "BTCUSDZ22", "BTCUSD-221230"),
        ("inverse", "BTCUSDH24", "BTCUSD-240329"),
        ("inverse", "ETHUSDM26", "ETHUSD-260626"),
        ("option", "BTC-13FEB25-89000-P-USDT", "BTCUSDT-250213-89000-P"),
        ("option", "ETH-3JAN23-1250-C", "ETHUSDC-230103-1250-C"),
        ("option", "XRP-3JAN25-2.5-C-USDT", "XRPUSDT-250103-2_5-C"),
    ],
)
def test_the_grammar_of_symbols(category, native, symbol):
    assert symbol_of(category, native) == f"{symbol}.BYBIT"
    kind = InstrumentId.from_str(f"{symbol}.BYBIT").type
    assert kind.value == category


@pytest.mark.parametrize("native", ["", "?", "BTC-", "BTC-99ZZZ99-1-C", "A-B-C"])
@pytest.mark.parametrize("category", ["spot", "linear", "inverse", "option"])
def test_a_name_that_follows_no_rule_stays_readable(category, native):
    assert symbol_of(category, native).endswith(".BYBIT")


def test_symbols_that_repeat_have_keys_of_their_own(instruments):
    assert VENUE.key_of(instruments["spot"]) == "spot:BTCUSDT"
    assert VENUE.key_of(instruments["linear"]) == "linear:BTCUSDT"


# -- account types --------------------------------------------------------------------------------------


def test_addresses_of_the_live_venue():
    live = ("wss://stream.bybit.com/v5/trade", "wss://stream.bybit.com/v5/private")
    assert VENUE.endpoints(A.LINEAR) == Endpoints(
        "https://api.bybit.com", "wss://stream.bybit.com/v5/public/linear", *live
    )
    assert A.LINEAR.base_url == "https://api.bybit.com"
    assert A.OPTION.ws_url == "wss://stream.bybit.com/v5/public/option"
    assert (A.UNIFIED.ws_order_url, A.UNIFIED.ws_private_url) == live


def test_addresses_of_the_testnet():
    assert VENUE.endpoints(A.SPOT_TESTNET) == Endpoints(
        "https://api-testnet.bybit.com",
        "wss://stream-testnet.bybit.com/v5/public/spot",
        "wss://stream-testnet.bybit.com/v5/trade",
        "wss://stream-testnet.bybit.com/v5/private",
    )


def test_the_demo_account_trades_by_rest_on_live_data():
    demo = VENUE.endpoints(A.UNIFIED_DEMO)
    assert (demo.rest, demo.trade) == ("https://api-demo.bybit.com", None)
    assert demo.private == "wss://stream-demo.bybit.com/v5/private"
    assert (demo.clock, VENUE.endpoints(A.UNIFIED).clock) == ("https://api.bybit.com", None)
    assert VENUE.public_types(A.UNIFIED_DEMO) == VENUE.public_types(A.UNIFIED)
    assert A.UNIFIED_DEMO.is_testnet


def test_a_unified_account_trades_what_its_parts_show():
    assert VENUE.public_types(A.UNIFIED) == (A.SPOT, A.LINEAR, A.INVERSE, A.OPTION)
    assert VENUE.public_types(A.UNIFIED_TESTNET) == (
        A.SPOT_TESTNET,
        A.LINEAR_TESTNET,
        A.INVERSE_TESTNET,
        A.OPTION_TESTNET,
    )
    assert VENUE.public_types(A.LINEAR) == (A.LINEAR,)


@pytest.mark.parametrize("account_type", [each for each in A if not each.is_mock])
def test_private_events_come_on_a_socket_of_their_own(account_type):
    assert VENUE.user_stream(account_type) is UserStreamKind.PRIVATE_SOCKET
    assert VENUE.endpoints(account_type).private is not None


@pytest.mark.parametrize("account_type", [each for each in A if each.is_mock])
def test_a_mock_has_no_venue_behind_it(account_type):
    assert account_type.base_url is account_type.ws_url is account_type.ws_order_url is None
    assert account_type.ws_private_url is None
    with pytest.raises(EngineBuildError, match=account_type.value):
        VENUE.endpoints(account_type)
