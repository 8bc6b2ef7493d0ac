"""Private frames in, facts out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from nexustrader.constants import OrderSide, OrderType, PositionSide, TimeInForce
from nexustrader.domain.events import BalanceEvent, EventKind, Fill, OrderEvent, PositionEvent, Source
from nexustrader.error import WireError
from nexustrader.exchange.binance import VENUE, BinanceAccountType

SPOT, USD_M = BinanceAccountType.SPOT, BinanceAccountType.USD_M_FUTURE
OURS = "17540000001230010042"
BIG_ID = 8389765739703625592  # beyond what a float holds


def report(**changes: Any) -> bytes:
    """An executionReport of a resting limit order, as the order socket sends it."""
    event = {
        "e": "executionReport", "E": 1754000000200, "s": "BTCUSDT", "c": OURS, "S": "BUY", "o": "LIMIT",
        "f": "GTC", "q": "0.02000000", "p": "61800.20000000", "P": "0.00000000", "F": "0.00000000", "g": -1,
        "C": "", "x": "NEW", "X": "NEW", "r": "NONE", "i": BIG_ID, "l": "0.00000000", "z": "0.00000000",
        "L": "0.00000000", "n": "0", "N": None, "T": 1754000000199, "t": -1, "I": 3, "w": True, "m": False,
        "M": False, "O": 1754000000199, "Z": "0.00000000", "Y": "0.00000000", "Q": "0.00000000",
        "W": 1754000000199, "V": "EXPIRE_MAKER",
    }  # fmt: skip
    return msgspec.json.encode({"subscriptionId": 0, "event": event | changes})


def update(**changes: Any) -> bytes:
    """The ORDER_TRADE_UPDATE of a resting limit order."""
    order = {
        "s": "BTCUSDT", "c": OURS, "S": "SELL", "o": "LIMIT", "f": "GTC", "q": "0.020", "p": "61800.2",
        "ap": "0", "sp": "0", "x": "NEW", "X": "NEW", "i": BIG_ID, "l": "0", "z": "0", "L": "0",
        "T": 1754000000199, "t": 0, "b": "0", "a": "0", "m": False, "R": False, "wt": "CONTRACT_PRICE",
        "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0,
        "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0, "er": "0",
    }  # fmt: skip
    event = {"e": "ORDER_TRADE_UPDATE", "E": 1754000000200, "T": 1754000000199, "o": order | changes}
    return msgspec.json.encode(event)


def event_of(account_type, resolve, raw) -> OrderEvent:
    (event,) = VENUE.parse_user_event(account_type, "binance:test", resolve, raw)
    assert isinstance(event, OrderEvent)
    return event


# -- spot orders -----------------------------------------------------------------------------------------


def test_a_spot_order_that_rests_is_accepted(resolve_spot):
    assert event_of(SPOT, resolve_spot, report()) == OrderEvent(
        oid=OURS, kind=EventKind.ACCEPTED, source=Source.STREAM, timestamp=1754000000199,
        account="binance:test", symbol="BTCUSDT.BINANCE", eid=str(BIG_ID), filled=Decimal(0),
        price=Decimal("61800.2"), amount=Decimal("0.02"), side=OrderSide.BUY, type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
    )  # fmt: skip


def test_a_spot_execution_is_a_fill_with_its_trade_id_and_fee(resolve_spot):
    event = event_of(
        SPOT, resolve_spot,
        report(x="TRADE", X="PARTIALLY_FILLED", l="0.01", z="0.015", L="61800.1", Z="927.003", n="0.00000412",
               N="BNB", t=808340393, m=True),
    )  # fmt: skip
    assert event.kind is EventKind.FILLED
    assert event.filled == Decimal("0.015")
    assert event.average == Decimal("61800.2")
    assert event.fill == Fill(
        trade_id="808340393", price=Decimal("61800.1"), amount=Decimal("0.01"), fee=Decimal("0.00000412"),
        fee_currency="BNB", is_maker=True, timestamp=1754000000199,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("execution", "kind"), [("CANCELED", EventKind.CANCELED), ("REPLACED", EventKind.AMENDED)]
)
def test_on_cancel_and_amend_the_order_is_named_by_its_original_id(execution, kind, resolve_spot):
    event = event_of(SPOT, resolve_spot, report(x=execution, X=execution, c="the-request", C=OURS, z="0.01"))
    assert (event.oid, event.kind, event.filled) == (OURS, kind, Decimal("0.01"))


@pytest.mark.parametrize("original", ["", None])
def test_without_an_original_id_the_event_names_the_order(original, resolve_spot):
    assert event_of(SPOT, resolve_spot, report(x="CANCELED", X="CANCELED", C=original)).oid == OURS


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"x": "EXPIRED", "X": "EXPIRED"}, EventKind.EXPIRED, None),
        ({"x": "EXPIRED", "X": "EXPIRED", "eR": "UNFILLED_IOC_QUANTITY_EXPIRED"}, EventKind.EXPIRED,
         "UNFILLED_IOC_QUANTITY_EXPIRED"),
        ({"x": "REJECTED", "X": "REJECTED", "r": "INSUFFICIENT_BALANCES"}, EventKind.REJECTED,
         "INSUFFICIENT_BALANCES"),
        ({"x": "TRADE_PREVENTION", "X": "EXPIRED_IN_MATCH"}, EventKind.EXPIRED, None),
        ({"x": "TRADE_PREVENTION", "X": "NEW"}, EventKind.ACCEPTED, None),
        ({"x": "SOMETHING_NEW", "X": "PENDING_NEW"}, EventKind.ACKED, None),
        ({"x": "SOMETHING_NEW", "X": "NEVER_SEEN"}, EventKind.ACCEPTED, None),
    ],
)  # fmt: skip
def test_the_other_ways_a_spot_order_goes(changes, kind, reason, resolve_spot):
    event = event_of(SPOT, resolve_spot, report(**changes))
    assert (event.kind, event.reason, event.fill) == (kind, reason, None)


def test_a_market_order_has_no_price(resolve_spot):
    event = event_of(SPOT, resolve_spot, report(o="MARKET", p="0.00000000"))
    assert (event.type, event.price) == (OrderType.MARKET, None)


def test_orders_of_other_programs_are_told_with_what_is_known(resolve_spot):
    event = event_of(SPOT, resolve_spot, report(c="web_1", o="PEGGED_SOMETHING", f="GTD", S="BOTH"))
    assert (event.oid, event.type, event.time_in_force, event.side) == ("web_1", None, None, None)
    assert event.amount == Decimal("0.02")


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("LIMIT_MAKER", OrderType.POST_ONLY),
        ("STOP_LOSS", OrderType.STOP_LOSS_MARKET),
        ("TAKE_PROFIT", OrderType.TAKE_PROFIT_MARKET),
        ("STOP_LOSS_LIMIT", OrderType.STOP_LOSS_LIMIT),
    ],
)
def test_spot_order_types_are_translated(kind, type_, resolve_spot):
    assert event_of(SPOT, resolve_spot, report(o=kind)).type is type_


def test_the_same_event_reads_the_same_in_every_envelope(resolve_spot):
    bare = msgspec.json.encode(msgspec.json.decode(report())["event"])
    combined = b'{"stream":"key","data":%s}' % bare
    events = {VENUE.parse_user_event(SPOT, "a", resolve_spot, raw) for raw in (report(), bare, combined)}
    assert len(events) == 1


# -- futures orders --------------------------------------------------------------------------------------


def test_a_futures_order_that_rests_is_accepted_also_without_a_fee_key(resolve):
    assert event_of(USD_M, resolve, update()) == OrderEvent(
        oid=OURS, kind=EventKind.ACCEPTED, source=Source.STREAM, timestamp=1754000000199,
        account="binance:test", symbol="BTCUSDT-PERP.BINANCE", eid=str(BIG_ID), filled=Decimal(0),
        price=Decimal("61800.2"), amount=Decimal("0.02"), side=OrderSide.SELL, type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC, reduce_only=False,
    )  # fmt: skip


def test_a_futures_execution_is_a_fill(resolve):
    event = event_of(
        USD_M, resolve,
        update(x="TRADE", X="FILLED", l="0.005", z="0.020", L="61800.3", ap="61800.25", n="-0.0123", N="USDT",
               t=648980369, m=True, R=True),
    )  # fmt: skip
    assert (event.kind, event.filled, event.average) == (
        EventKind.FILLED,
        Decimal("0.02"),
        Decimal("61800.25"),
    )
    assert event.reduce_only is True
    assert event.fill == Fill(
        trade_id="648980369", price=Decimal("61800.3"), amount=Decimal("0.005"), fee=Decimal("-0.0123"),
        fee_currency="USDT", is_maker=True, timestamp=1754000000199,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"x": "CANCELED", "X": "CANCELED"}, EventKind.CANCELED, None),
        ({"x": "EXPIRED", "X": "EXPIRED", "er": "2"}, EventKind.EXPIRED, "the rest of an IOC order"),
        ({"x": "EXPIRED", "X": "EXPIRED_IN_MATCH", "er": "1"}, EventKind.EXPIRED, "self-trade prevention"),
        ({"x": "EXPIRED", "X": "EXPIRED", "er": "99"}, EventKind.EXPIRED, "99"),
        ({"x": "AMENDMENT", "X": "NEW"}, EventKind.AMENDED, None),
        ({"x": "NEW", "X": "NEW_ADL"}, EventKind.ACCEPTED, None),
        ({"x": "UNHEARD", "X": "UNHEARD"}, EventKind.ACCEPTED, None),
    ],
)
def test_the_other_ways_a_futures_order_goes(changes, kind, reason, resolve):
    event = event_of(USD_M, resolve, update(**changes))
    assert (event.kind, event.reason, event.fill) == (kind, reason, None)


def test_an_amendment_tells_the_price_and_the_total_now_in_force(resolve):
    event = event_of(USD_M, resolve, update(x="AMENDMENT", p="61700.0", q="0.030", z="0.010"))
    assert (event.price, event.amount, event.filled) == (Decimal("61700"), Decimal("0.03"), Decimal("0.01"))


@pytest.mark.parametrize(
    ("client_id", "reason"),
    [
        ("autoclose-1754000000199001", "liquidation by the venue"),
        ("adl_autoclose", "auto-deleveraging by the venue"),
        ("settlement_autoclose-17", "settlement by the venue"),
        ("delivery_autoclose-17", "delivery by the venue"),
    ],
)
def test_a_liquidation_is_a_fill_that_says_why(client_id, reason, resolve):
    event = event_of(
        USD_M, resolve,
        update(c=client_id, x="CALCULATED", X="FILLED", o="LIQUIDATION", f="IOC", l="0.02", z="0.02", L="60000",
               ap="60000", t=0),
    )  # fmt: skip
    assert (event.kind, event.reason, event.type, event.filled) == (
        EventKind.FILLED,
        reason,
        None,
        Decimal("0.02"),
    )
    assert event.fill is None, "without a trade id only the cumulative amount counts, or it would count twice"


def test_foreign_futures_orders_never_raise(resolve):
    event = event_of(
        USD_M, resolve, update(o="TRAILING_STOP_MARKET", f="GTD", c="android_x", er=None, R=None)
    )
    assert (event.type, event.time_in_force, event.reduce_only) == (None, None, None)
    assert event_of(USD_M, resolve, update(f="GTX")).type is OrderType.POST_ONLY
    assert event_of(USD_M, resolve, update(o="STOP")).type is OrderType.STOP_LOSS_LIMIT


@pytest.mark.parametrize(
    ("venue_symbol", "symbol"),
    [("ETHUSDT", "ETHUSDT-PERP.BINANCE"), ("BTCUSDT_260925", "BTCUSDT-260925.BINANCE")],
)
def test_a_symbol_that_is_not_loaded_is_named_by_the_grammar(venue_symbol, symbol, resolve):
    assert event_of(USD_M, resolve, update(s=venue_symbol)).symbol == symbol
    assert event_of(SPOT, lambda _: None, report(s="ETHUSDT")).symbol == "ETHUSDT.BINANCE"


# -- balances and positions ------------------------------------------------------------------------------


def test_spot_balances_are_absolute(resolve_spot):
    raw = msgspec.json.encode({
        "subscriptionId": 0,
        "event": {"e": "outboundAccountPosition", "E": 9, "u": 8, "B": [{"a": "BNB", "f": "1.5", "l": "0.25"}]},
    })  # fmt: skip
    assert VENUE.parse_user_event(SPOT, "a", resolve_spot, raw) == (
        BalanceEvent(account="a", asset="BNB", free=Decimal("1.5"), locked=Decimal("0.25"), timestamp=8),
    )


def account_update(reason, balances, positions) -> bytes:
    return msgspec.json.encode(
        {"e": "ACCOUNT_UPDATE", "E": 9, "T": 8, "a": {"m": reason, "B": balances, "P": positions, "S": 1}}
    )


def test_an_account_update_tells_wallet_balances_and_positions(resolve):
    raw = account_update(
        "ORDER",
        [{"a": "USDT", "wb": "122624.12", "cw": "100.1", "bc": "0"}],
        [{"s": "BTCUSDT", "pa": "-0.020", "ep": "61800.2", "bep": 61790.1, "cr": "200", "up": "-1.5",
          "mt": "cross", "iw": "0", "ps": "BOTH"}],
    )  # fmt: skip
    assert VENUE.parse_user_event(USD_M, "a", resolve, raw) == (
        BalanceEvent(account="a", asset="USDT", free=Decimal("122624.12"), timestamp=8, cause="ORDER"),
        PositionEvent(
            account="a", symbol="BTCUSDT-PERP.BINANCE", signed_amount=Decimal("-0.02"),
            entry_price=Decimal("61800.2"), unrealized_pnl=Decimal("-1.5"), timestamp=8,
        ),
    )  # fmt: skip


def test_in_hedge_mode_the_empty_row_of_one_way_mode_is_left_out(resolve):
    rows = [
        {"s": "BTCUSDT", "pa": "0", "ep": "0", "up": "0", "ps": "BOTH"},
        {"s": "BTCUSDT", "pa": "20", "ep": "6563.6", "up": "2850.2", "ps": "LONG"},
        {"s": "BTCUSDT", "pa": "-10", "ep": "6563.8", "up": "-1423.1", "ps": "SHORT"},
        {"s": "ETHUSDT", "pa": "0", "ep": "0", "up": "0", "ps": "BOTH"},
    ]
    facts = VENUE.parse_user_event(USD_M, "a", resolve, account_update("ORDER", [], rows))
    assert [(f.symbol, f.signed_amount, f.position_side) for f in facts] == [
        ("BTCUSDT-PERP.BINANCE", Decimal(20), PositionSide.LONG),
        ("BTCUSDT-PERP.BINANCE", Decimal(-10), PositionSide.SHORT),
        ("ETHUSDT-PERP.BINANCE", Decimal(0), None),
    ]


def test_free_means_the_same_from_rest_and_from_the_stream(resolve):
    """A futures balance must not change its meaning with the first private event."""
    body = (
        b'[{"accountAlias":"x","asset":"USDT","balance":"1000.5","crossWalletBalance":"900","crossUnPnl":"7",'
        b'"availableBalance":"650","maxWithdrawAmount":"650","marginAvailable":true,"updateTime":1}]'
    )
    (rest,) = VENUE.parse_balances("a", body, 8)
    raw = account_update("FUNDING_FEE", [{"a": "USDT", "wb": "1000.5", "cw": "900", "bc": "0"}], [])
    (streamed,) = VENUE.parse_user_event(USD_M, "a", resolve, raw)
    assert (rest.free, rest.locked) == (streamed.free, streamed.locked) == (Decimal("1000.5"), Decimal(0))


def test_balances_and_positions_by_rest(resolve):
    spot = (
        b'{"balances":[{"asset":"BTC","free":"1.25","locked":"0.75"}],"canTrade":true,"permissions":["SPOT"]}'
    )
    assert VENUE.parse_balances("a", spot, 5) == [
        BalanceEvent(account="a", asset="BTC", free=Decimal("1.25"), locked=Decimal("0.75"), timestamp=5)
    ]
    positions = (
        b'[{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"0.030","entryPrice":"61800.2",'
        b'"unRealizedProfit":"0.76","updateTime":1},'
        b'{"symbol":"ETHUSDT","positionSide":"BOTH","positionAmt":"0.000","entryPrice":"0.0",'
        b'"unRealizedProfit":"0.00000000","updateTime":0}]'
    )
    open_, flat = VENUE.parse_positions("a", resolve, positions, 5)
    assert (flat.symbol, flat.signed_amount, flat.snapshot) == ("ETHUSDT-PERP.BINANCE", Decimal(0), True)
    assert [open_] == [
        PositionEvent(
            account="a", symbol="BTCUSDT-PERP.BINANCE", signed_amount=Decimal("0.030"),
            entry_price=Decimal("61800.2"), unrealized_pnl=Decimal("0.76"), timestamp=5, snapshot=True,
        )
    ]  # fmt: skip
    assert VENUE.parse_is_hedge_mode(b'{"dualSidePosition":true}') is True
    assert VENUE.parse_is_hedge_mode(b'{"dualSidePosition":false}') is False


# -- everything else -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "word"),
    [
        ({"e": "listenKeyExpired", "E": 1, "listenKey": "k"}, "listen_key_expired"),
        ({"e": "balanceUpdate", "E": 1, "a": "BTC", "d": "100.0", "T": 1}, "balance_update"),
        ({"e": "eventStreamTerminated", "E": 1}, "stream_terminated"),
        ({"e": "serverShutdown", "E": 1}, "server_shutdown"),
    ],
)
def test_status_words(event, word, resolve):
    assert VENUE.parse_user_event(USD_M, "a", resolve, msgspec.json.encode(event)) == (word,)
    wrapped = msgspec.json.encode({"event": event})
    assert VENUE.parse_user_event(SPOT, "a", resolve, wrapped) == (word,)


@pytest.mark.parametrize(
    "event",
    [
        {
            "e": "TRADE_LITE",
            "E": 1,
            "T": 1,
            "s": "BTCUSDT",
            "q": "1",
            "p": "0",
            "c": OURS,
            "S": "BUY",
            "t": 1,
            "i": 1,
        },
        {"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "T": 1, "ac": {"s": "BTCUSDT", "l": 25}},
        {"e": "MARGIN_CALL", "E": 1, "cw": "3", "p": []},
        {"e": "STRATEGY_UPDATE", "T": 1, "E": 1, "su": {}},
        {"e": "listStatus", "E": 1, "s": "ETHBTC", "g": 2},
        {"e": "A_TYPE_OF_NEXT_YEAR", "anything": [1, 2, {"x": None}]},
        {"result": None, "id": 1},
        {},
    ],
)
def test_events_that_say_nothing_we_keep_give_nothing(event, resolve):
    assert VENUE.parse_user_event(USD_M, "a", resolve, msgspec.json.encode(event)) == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"e":5}',
        b'{"e":"ORDER_TRADE_UPDATE"}',
        update(z="NaN"),
        update(z="Infinity"),
        update(z="1e999999999"),
        update(i=2**70),
        update(i="12"),
        update()[:-9],
        b"[" * 100_000,
    ],
)
def test_a_private_frame_that_cannot_be_read_is_a_wire_error(raw, resolve):
    with pytest.raises(WireError, match="Nothing is concluded"):
        VENUE.parse_user_event(USD_M, "a", resolve, raw)


def test_the_listen_key_must_look_like_one_because_it_goes_into_a_url():
    assert (
        VENUE.parse_listen_key(b'{"listenKey":"pqia91ma19a5s61cv6a81va65sdf19v8"}')
        == "pqia91ma19a5s61cv6a81va65sdf19v8"
    )
    for bad in (b'{"listenKey":""}', b'{"listenKey":"../x"}', b'{"listenKey":"a\\n"}', b"{}"):
        with pytest.raises(WireError):
            VENUE.parse_listen_key(bad)


@pytest.mark.parametrize("side", [PositionSide.LONG, PositionSide.SHORT])
def test_an_order_of_hedge_mode_tells_which_position_it_changes(resolve, side):
    """A stranger's execution, a liquidation and an adopted order know it from nowhere else."""
    assert event_of(USD_M, resolve, update(ps=side.value)).position_side is side
    assert event_of(USD_M, resolve, update()).position_side is None
    queried = {
        "symbol": "BTCUSDT", "orderId": BIG_ID, "clientOrderId": OURS, "status": "NEW", "side": "SELL",
        "type": "LIMIT", "timeInForce": "GTC", "price": "61800.2", "origQty": "0.020", "executedQty": "0",
        "reduceOnly": False, "positionSide": side.value, "updateTime": 1754000000199,
    }  # fmt: skip
    (order,) = VENUE.parse_orders(USD_M, "binance:test", resolve, msgspec.json.encode([queried]))
    assert order.position_side is side
