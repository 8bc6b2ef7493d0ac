"""Portfolio margin: spot on margin, USD-M and COIN-M in one account, told apart by instrument and by event."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import msgspec
import pytest

from nexustrader.constants import ExchangeType, InstrumentType, OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.events import BalanceEvent, PositionEvent
from nexustrader.domain.instrument import Instrument
from nexustrader.error import WireError
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.venue.spec import Request, Security

PM = BinanceAccountType.PORTFOLIO_MARGIN
OID = "17540000001230010042"


def instrument(symbol: str, venue_symbol: str, kind: InstrumentType) -> Instrument:
    return Instrument(
        symbol=symbol, venue_symbol=venue_symbol, exchange=ExchangeType.BINANCE, type=kind, base="BTC",
        quote="USDT", settle="USDT", tick=Decimal("0.1"), lot=Decimal("0.001"), maker=Decimal(0), taker=Decimal(0),
    )  # fmt: skip


MARGIN = instrument("BTCUSDT.BINANCE", "BTCUSDT", InstrumentType.SPOT)
LINEAR = instrument("BTCUSDT-PERP.BINANCE", "BTCUSDT", InstrumentType.LINEAR)
INVERSE = instrument("BTCUSD-PERP.BINANCE", "BTCUSD_PERP", InstrumentType.INVERSE)
resolve = {VENUE.key_of(i): i for i in (MARGIN, LINEAR, INVERSE)}.get
ROOTS = {MARGIN.symbol: "margin", LINEAR.symbol: "um", INVERSE.symbol: "cm"}


def test_instruments_that_are_called_alike_have_keys_of_their_own():
    assert len({VENUE.key_of(i) for i in (MARGIN, LINEAR, INVERSE)}) == 3


@pytest.mark.parametrize("traded", [MARGIN, LINEAR, INVERSE], ids=lambda i: i.symbol)
def test_each_instrument_is_traded_by_the_calls_of_its_kind(traded):
    order = ev.Submit(
        oid=OID, account="a", symbol=traded.symbol, side=OrderSide.BUY, type=OrderType.POST_ONLY,
        amount=Decimal(1), price=Decimal(2), timestamp=1,
    )  # fmt: skip
    cancel = ev.Cancel(oid=OID, account="a", symbol=traded.symbol, timestamp=1)
    every = ev.CancelAll(account="a", symbol=traded.symbol, timestamp=1)
    root = f"/papi/v1/{ROOTS[traded.symbol]}"
    sent = VENUE.order_request(PM, traded, order)
    assert (sent.method, sent.path, sent.orders) == ("POST", f"{root}/order", 1)
    how = dict(sent.params)
    assert how.get("timeInForce") == (None if traded is MARGIN else "GTX")
    assert how["type"] == ("LIMIT_MAKER" if traded is MARGIN else "LIMIT")
    assert VENUE.cancel_request(PM, traded, cancel).path == f"{root}/order"
    assert VENUE.cancel_all_request(PM, traded, every).path == f"{root}/allOpenOrders"
    assert VENUE.query_order_requests(PM, traded, OID, None)[0].path == f"{root}/order"
    assert VENUE.open_orders_requests(PM, traded)[0].path == f"{root}/openOrders"


def test_what_is_asked_of_the_whole_account():
    assert VENUE.open_orders_requests(PM, None) == (
        Request("GET", "/papi/v1/um/openOrders", (), Security.SIGNED, 40),
        Request("GET", "/papi/v1/cm/openOrders", (), Security.SIGNED, 40),
        Request("GET", "/papi/v1/um/algo/openAlgoOrders", (), Security.SIGNED, 40),
    )
    assert VENUE.positions_requests(PM) == (
        Request("GET", "/papi/v1/um/positionRisk", (), Security.SIGNED, 5),
        Request("GET", "/papi/v1/cm/positionRisk", (), Security.SIGNED, 1),
    )
    assert VENUE.balances_request(PM) == Request("GET", "/papi/v1/balance", (), Security.SIGNED, 20)
    assert VENUE.listen_key_request(PM, keepalive=False) == Request(
        "POST", "/papi/v1/listenKey", (), Security.KEY
    )
    endpoints = VENUE.endpoints(PM)
    assert endpoints.stream + VENUE.listen_key_route(PM, "k") == "wss://fstream.binance.com/pm/ws/k"
    assert VENUE.dead_man_request(PM, "BTCUSDT", 1) is None


def test_futures_fills_cannot_be_asked_for_by_order():
    """So all of late are asked for, and whoever asked takes those of the order."""
    assert VENUE.fills_request(PM, LINEAR, "28").params == (("symbol", "BTCUSDT"), ("limit", "1000"))
    assert VENUE.fills_request(PM, INVERSE, "28").weight == 20
    assert VENUE.fills_request(PM, MARGIN, "28").params == (("symbol", "BTCUSDT"), ("orderId", "28"))


def test_rows_say_by_their_form_what_they_are_about():
    row = {"orderId": 28, "clientOrderId": OID, "status": "NEW", "symbol": "BTCUSDT", "side": "BUY"}
    body = msgspec.json.encode([row | {"cummulativeQuoteQty": "0"}, row | {"reduceOnly": False}])
    assert [e.symbol for e in VENUE.parse_orders(PM, "a", resolve, body)] == [MARGIN.symbol, LINEAR.symbol]
    trade = {"id": 1, "orderId": 28, "price": "1", "qty": "1", "time": 5}
    for more, symbol in (
        ({"symbol": "BTCUSDT", "isMaker": True}, MARGIN.symbol),
        ({"symbol": "BTCUSDT", "maker": True}, LINEAR.symbol),
        ({"symbol": "BTCUSD_PERP", "maker": True}, INVERSE.symbol),
    ):
        (event,) = VENUE.parse_fills(PM, "a", OID, resolve, msgspec.json.encode([trade | more]))
        assert (event.symbol, event.fill.is_maker) == (symbol, True)


def test_balances_lie_in_three_wallets():
    row = {
        "asset": "USDT", "totalWalletBalance": "126", "crossMarginFree": "100", "crossMarginLocked": "3",
        "umWalletBalance": "-0.5", "cmWalletBalance": "23.5", "cmUnrealizedPNL": "",
    }  # fmt: skip
    balances = VENUE.parse_balances("a", msgspec.json.encode([row]), 4)
    assert [(b.wallet, b.free, b.locked) for b in balances] == [
        ("", 100, 3),
        ("UM", Decimal("-0.5"), 0),
        ("CM", Decimal("23.5"), 0),
    ]
    with pytest.raises(WireError, match="USDT lacks an amount"):
        VENUE.parse_balances("a", msgspec.json.encode([{k: v for k, v in row.items() if k[:2] != "cm"}]), 4)


def facts(frame):
    return VENUE.parse_user_event(PM, "a", resolve, msgspec.json.encode(frame))


def test_events_say_which_product_line_they_are_of():
    order = {
        "c": OID, "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "7", "p": "61800", "x": "NEW", "X": "NEW", "i": 28,
        "l": "0", "z": "0", "L": "0", "T": 8,
    }  # fmt: skip
    update = {"e": "ORDER_TRADE_UPDATE", "E": 9, "T": 8}
    (linear,) = facts(update | {"fs": "UM", "o": order | {"s": "BTCUSDT"}})
    (inverse,) = facts(update | {"fs": "CM", "o": order | {"s": "BTCUSD_PERP"}})
    (margin,) = facts({"e": "executionReport", "E": 9, "s": "BTCUSDT", **order})
    assert [e.symbol for e in (linear, inverse, margin)] == [LINEAR.symbol, INVERSE.symbol, MARGIN.symbol]
    change = {"m": "ORDER", "B": [{"a": "BTC", "wb": "2"}], "P": [{"s": "BTCUSD_PERP", "pa": "3", "ep": "4"}]}
    balance, position = facts({"e": "ACCOUNT_UPDATE", "E": 9, "T": 8, "fs": "CM", "a": change})
    assert (balance.wallet, balance.free, position.symbol) == ("CM", 2, INVERSE.symbol)
    (spot,) = facts({"e": "outboundAccountPosition", "E": 5, "u": 4, "B": [{"a": "BTC", "f": "1", "l": "0"}]})
    assert (spot.wallet, spot.free) == ("", 1)


def test_the_recorded_private_events_of_an_account(testdata):
    seen: Counter[str] = Counter()
    for path in sorted((testdata / "wire/binance/samples/userdata_recorded").glob("pm_*.jsonl")):
        for line in path.read_bytes().splitlines():
            for fact in VENUE.parse_user_event(PM, "a", lambda _: None, line) if line.strip() else ():
                name = type(fact).__name__ if not isinstance(fact, str) else fact
                seen[f"{path.stem} {name}"] += 1
                if isinstance(fact, BalanceEvent):
                    assert fact.wallet == ("UM" if "account_update" in path.name else "")
                elif isinstance(fact, PositionEvent):
                    assert fact.symbol.endswith("-PERP.BINANCE")
                elif not isinstance(fact, str):
                    assert fact.symbol.endswith("-PERP.BINANCE") is ("trade_update" in path.name)
    assert seen["pm_order_trade_update OrderEvent"] == 64
    assert seen["pm_execution_report OrderEvent"] == 59
    assert seen["pm_balance_update balance_update"] == 2
    assert seen["pm_account_update BalanceEvent"] > 50
    assert seen["pm_outbound_account_position BalanceEvent"] > 25
