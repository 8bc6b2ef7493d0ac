"""An account whose private events have a socket of their own, and whose sockets want a logon and pings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

import canaries
from desk import BTC
from memory_transport import MemoryConnection, MemoryTransport
from nexustrader.constants import ExchangeType, InstrumentType, OrderSide, OrderType, PositionSide
from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.error import AuthFailed, OutcomeUnknown
from nexustrader.exchange.bybit import VENUE, BybitAccountType
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.gateway import Gateway
from nexustrader.venue.ratelimit import RateLimiter
from nexustrader.venue.session import RestSession
from nexustrader.venue.transport import HttpAnswer
from virtual_time import LoopClock, run_virtual

UNIFIED = BybitAccountType.UNIFIED
OID = "17000000000000010001"
PERP = msgspec.structs.replace(
    BTC, symbol="BTCUSDT-PERP.BYBIT", venue_symbol="BTCUSDT", exchange=ExchangeType.BYBIT
)
SPOT = msgspec.structs.replace(PERP, symbol="BTCUSDT.BYBIT", type=InstrumentType.SPOT)


def good(result: Any, time: int = 0) -> HttpAnswer:
    body = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": time}
    return HttpAnswer(200, {}, json.dumps(body).encode())


def bad(code: int, text: str = "no", status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, {}, json.dumps({"retCode": code, "retMsg": text, "result": {}}).encode())


def listed(*rows: Any, cursor: str = "", category: str = "linear", time: int = 0) -> HttpAnswer:
    return good({"category": category, "list": list(rows), "nextPageCursor": cursor}, time)


class Account:
    """A gateway on a transport in memory; `answers` has what the venue says by path."""

    def __init__(self, clock: LoopClock, account_type: BybitAccountType) -> None:
        self.clock = clock
        self.results: list[ev.CommandResult] = []
        self.facts: list[Any] = []
        self.statuses: list[str] = []
        self.transport = MemoryTransport()
        self.transport.answer = self._answer
        self.transport.on_connect = self._on_connect
        self.refuse_logon = ""
        nanos = lambda: {"timeSecond": "0", "timeNano": str(clock.timestamp_ms() * 1_000_000)}  # noqa: E731
        self.answers: dict[str, Callable[[dict[str, str]], HttpAnswer]] = {
            "/v5/market/time": lambda _: good(nanos()),
            "/v5/position/list": lambda _: listed(),
            "/v5/order/create": lambda _: good({"orderId": "v1", "orderLinkId": OID}),
        }
        self.tasks = TaskManager(asyncio.get_running_loop())
        session = RestSession(
            VENUE,
            "https://venue",
            VENUE.server_time_request(account_type),
            self.transport,
            clock,
            RateLimiter(VENUE.rate_limits(account_type)),
            signer=VENUE.make_signer(canaries.API_KEY, canaries.SECRET, None),
        )
        instruments: dict[str, Instrument] = {each.symbol: each for each in (PERP, SPOT)}
        self.gateway = Gateway(
            "bybit:X", VENUE, account_type, VENUE.endpoints(account_type), instruments, session, self.transport,
            clock, self.tasks, Entropy(1),
        )  # fmt: skip
        self.gateway.attach(self)

    def _answer(self, _method: str, url: str) -> HttpAnswer:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return self.answers[parts.path](query)

    def _on_connect(self, connection: MemoryConnection) -> None:
        def on_send(raw: bytes) -> None:
            frame = json.loads(raw)
            if frame["op"] not in ("auth", "subscribe"):
                return
            if "trade" in connection.url:
                reply = {"reqId": frame["reqId"], "retCode": 0, "retMsg": "OK", "op": "auth", "connId": "c"}
            else:
                reply = {"req_id": frame["req_id"], "success": True, "ret_msg": "", "op": frame["op"]}
            if self.refuse_logon and frame["op"] == "auth":
                reply |= {"success": False, "ret_msg": self.refuse_logon}
                reply |= {"retCode": 10004, "retMsg": self.refuse_logon} if "reqId" in reply else {}
            asyncio.get_running_loop().call_soon(connection.push, json.dumps(reply).encode())

        connection.on_send = on_send

    def on_result(self, result: ev.CommandResult) -> None:
        self.results.append(result)

    def on_order_event(self, event: ev.OrderEvent) -> None:
        self.facts.append(event)

    on_balance = on_position = on_order_event  # type: ignore[assignment]

    def on_status(self, account: str, event: str) -> None:
        self.statuses.append(event)

    def socket(self, word: str) -> MemoryConnection:
        return [c for c in self.transport.connections if word in c.url][-1]

    def said(self, word: str) -> list[dict[str, Any]]:
        return [json.loads(raw) for raw in self.socket(word).sent]

    def submit(self, route: Route = Route.WS, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "oid": OID, "account": "bybit:X", "symbol": PERP.symbol, "side": OrderSide.BUY, "type": OrderType.LIMIT,
            "amount": Decimal("0.010"), "price": Decimal("30000.0"), "route": route,
            "timestamp": self.clock.timestamp_ms(),
        }  # fmt: skip
        self.gateway.submit(ev.Submit(**(fields | changes)))

    def reply(self, code: int = 0, text: str = "OK", **more: Any) -> None:
        frame = self.said("trade")[-1]
        body = {"reqId": frame["reqId"], "retCode": code, "retMsg": text, "op": frame["op"], "connId": "c"}
        data = {"orderId": "v1", "orderLinkId": OID} if code == 0 else {}
        self.socket("trade").push(json.dumps(body | {"data": data} | more).encode())


def bybit_test(account_type: BybitAccountType = UNIFIED, *, start: bool = True) -> Any:
    def decorate(test: Any) -> Any:
        def run() -> None:
            async def work(clock: LoopClock) -> None:
                account = Account(clock, account_type)
                if start:
                    await account.gateway.start()
                await test(account)
                await account.gateway.stop()

            run_virtual(work)

        return run

    return decorate


# -- the sockets ----------------------------------------------------------------------------------------


@bybit_test()
async def test_both_sockets_log_on_and_the_private_one_subscribes(a: Account) -> None:
    assert [frame["op"] for frame in a.said("trade")] == ["auth"]
    assert [frame["op"] for frame in a.said("private")] == ["auth", "subscribe"]
    assert a.said("private")[1]["args"] == ["order", "execution", "position", "wallet"]


@bybit_test()
async def test_both_sockets_are_pinged_every_twenty_seconds_and_pongs_are_heard_in_silence(
    a: Account,
) -> None:
    await asyncio.sleep(45)
    for word in ("trade", "private"):
        assert [frame["op"] for frame in a.said(word)].count("ping") == 2
    a.socket("private").push(b'{"req_id":"p","op":"pong","args":["1"],"conn_id":"c"}')
    a.socket("trade").push(b'{"retCode":0,"retMsg":"OK","op":"pong","data":["1"],"connId":"c"}')
    assert (a.results, a.facts) == ([], [])


@bybit_test()
async def test_no_order_leaves_on_a_socket_that_has_not_logged_on_yet(a: Account) -> None:
    """The venue would refuse it for want of a logon: a definite no, that no other route would take up."""
    a.transport.on_connect = None  # the logon of the next socket is not answered
    a.socket("trade").break_off()
    await asyncio.sleep(5)
    assert [frame["op"] for frame in a.said("trade")] == ["auth"]
    a.submit()
    assert [frame["op"] for frame in a.said("trade")] == ["auth"]
    assert [result.conclusion for result in a.results] == [Conclusion.NOT_SENT]


@bybit_test(start=False)
async def test_a_wrong_signature_ends_the_start(a: Account) -> None:
    a.refuse_logon = "Invalid sign"
    with pytest.raises(AuthFailed, match="Invalid sign"):
        await a.gateway.start()


@bybit_test(start=False)
async def test_positions_of_hedge_mode_are_told_with_their_side(a: Account) -> None:
    row = {"symbol": "BTCUSDT", "side": "Sell", "size": "1", "positionIdx": 2, "avgPrice": "1"}
    a.answers["/v5/position/list"] = lambda query: listed(*[row] * (query.get("settleCoin") == "USDT"))
    await a.gateway.start()
    (position,) = await a.gateway.query_positions()
    assert (position.signed_amount, position.position_side) == (-1, PositionSide.SHORT)


@bybit_test()
async def test_private_facts_come_with_the_right_instrument_of_two_that_share_a_symbol(a: Account) -> None:
    row = {
        "symbol": "BTCUSDT", "orderId": "v1", "orderLinkId": OID, "orderStatus": "New", "side": "Buy", "qty": "1",
        "orderType": "Limit", "timeInForce": "GTC", "price": "2", "updatedTime": "5", "cumExecQty": "0",
    }  # fmt: skip
    rows = [row | {"category": category} for category in ("linear", "spot")]
    a.socket("private").push(json.dumps({"topic": "order", "creationTime": 1, "data": rows}).encode())
    assert [fact.symbol for fact in a.facts] == [PERP.symbol, SPOT.symbol]


@bybit_test()
async def test_a_lost_private_socket_comes_back_with_logon_and_subscription(a: Account) -> None:
    first = a.socket("private")
    first.break_off()
    await asyncio.sleep(5)
    assert a.socket("private") is not first
    assert [frame["op"] for frame in a.said("private")] == ["auth", "subscribe"]
    assert "disconnected" in a.statuses


# -- commands -------------------------------------------------------------------------------------------


@bybit_test()
async def test_an_order_on_the_socket_is_only_acked_by_its_reply(a: Account) -> None:
    a.submit()
    assert a.said("trade")[-1]["args"][0]["orderLinkId"] == OID
    a.reply()
    (result,) = a.results
    assert result.conclusion is Conclusion.ACCEPTED
    assert [(event.kind, event.eid) for event in result.events] == [(EventKind.ACKED, "v1")]


@bybit_test()
async def test_a_refusal_on_the_socket_is_one(a: Account) -> None:
    a.submit()
    a.reply(110007, "ab not enough for new order")
    (result,) = a.results
    assert (result.conclusion, result.code) == (Conclusion.REJECTED, "110007")
    assert "ab not enough" in (result.reason or "")


@pytest.mark.parametrize("code", [10016, 10019, 110072, 999999])
def test_what_leaves_doubt_is_unknown(code: int) -> None:
    @bybit_test()
    async def test(a: Account) -> None:
        a.submit()
        a.reply(code)
        assert a.results[0].conclusion is Conclusion.UNKNOWN

    test()


@bybit_test()
async def test_no_reply_in_time_is_unknown(a: Account) -> None:
    a.submit()
    await asyncio.sleep(5.1)
    assert a.results[0].conclusion is Conclusion.UNKNOWN


@bybit_test(BybitAccountType.UNIFIED_DEMO)
async def test_the_demo_account_has_no_order_socket_and_trades_by_rest(a: Account) -> None:
    a.submit()
    a.submit(Route.REST)
    await asyncio.sleep(0.1)
    assert not [c for c in a.transport.connections if "trade" in c.url]
    assert [result.conclusion for result in a.results] == [Conclusion.NOT_SENT, Conclusion.ACCEPTED]


@bybit_test()
async def test_a_skewed_clock_is_set_and_the_order_sent_once_more(a: Account) -> None:
    replies = [bad(10002), good({"orderId": "v1"})]
    a.answers["/v5/order/create"] = lambda _: replies.pop(0)
    a.submit(Route.REST)
    await asyncio.sleep(0.1)
    assert [result.conclusion for result in a.results] == [Conclusion.ACCEPTED]
    assert replies == []


@bybit_test()
async def test_the_places_of_one_category_are_not_those_of_another(a: Account) -> None:
    for number in range(10):
        a.submit(oid=f"{number}")
    a.submit(oid="spot", symbol=SPOT.symbol)
    assert [(result.oid, result.conclusion) for result in a.results] == [("9", Conclusion.NOT_SENT)]


@bybit_test()
async def test_a_breached_limit_of_the_ip_silences_all_requests(a: Account) -> None:
    a.answers["/v5/order/create"] = lambda _: HttpAnswer(403, {}, b"access too frequent")
    a.submit(Route.REST)
    await asyncio.sleep(0.1)
    asked = len(a.transport.requests)
    a.submit(Route.REST, oid="2")
    await asyncio.sleep(0.1)
    assert [result.conclusion for result in a.results] == [Conclusion.REJECTED, Conclusion.NOT_SENT]
    assert len(a.transport.requests) == asked


# -- questions ------------------------------------------------------------------------------------------

ORDER = {
    "symbol": "BTCUSDT", "orderId": "v1", "orderLinkId": OID, "orderStatus": "Filled", "side": "Buy", "qty": "1",
    "orderType": "Limit", "timeInForce": "GTC", "price": "2", "updatedTime": "5", "cumExecQty": "1", "avgPrice": "2",
}  # fmt: skip


@bybit_test()
async def test_what_the_live_orders_do_not_show_is_looked_for_in_the_history(a: Account) -> None:
    a.answers["/v5/order/realtime"] = lambda _: listed()
    a.answers["/v5/order/history"] = lambda _: listed(ORDER)
    found = await a.gateway.query_order(PERP.symbol, OID, None)
    assert found is not None
    assert (found.kind, found.eid) == (EventKind.FILLED, "v1")
    a.answers["/v5/order/history"] = lambda _: listed()
    assert await a.gateway.query_order(PERP.symbol, OID, None) is None


@bybit_test()
async def test_an_answer_that_is_none_is_no_absence(a: Account) -> None:
    a.answers["/v5/order/realtime"] = lambda _: listed()
    a.answers["/v5/order/history"] = lambda _: bad(10016)
    with pytest.raises(Exception, match="10016"):
        await a.gateway.query_order(PERP.symbol, OID, None)


@bybit_test()
async def test_open_orders_of_all_categories_are_read_page_by_page(a: Account) -> None:
    def realtime(query: dict[str, str]) -> HttpAnswer:
        category = query["category"]
        if category != "linear" or query.get("settleCoin") == "USDC":
            return listed(category=category)
        if "cursor" not in query:
            return listed(ORDER | {"orderStatus": "New"}, cursor="p%3A2")
        assert query["cursor"] == "p:2"
        return listed(ORDER | {"orderId": "v2", "orderLinkId": "c2"})

    a.answers["/v5/order/realtime"] = realtime
    assert [event.eid for event in await a.gateway.query_open_orders()] == ["v1", "v2"]


@bybit_test()
async def test_half_an_answer_is_none(a: Account) -> None:
    a.answers["/v5/order/realtime"] = lambda _: HttpAnswer(200, {}, b'{"retCode":0,"result":[],"time":1}')
    with pytest.raises(OutcomeUnknown):
        await a.gateway.query_open_orders(PERP.symbol)


@bybit_test()
async def test_executions_since_long_ago_are_asked_for_week_by_week(a: Account) -> None:
    now = a.clock.timestamp_ms()
    weeks: list[int] = []

    def executions(query: dict[str, str]) -> HttpAnswer:
        begin, end = int(query["startTime"]), int(query["endTime"])
        weeks.append(begin)
        row = {
            "symbol": "BTCUSDT", "orderId": "v1", "orderLinkId": OID, "side": "Buy", "execId": str(begin),
            "execPrice": "1", "execQty": "1", "execTime": str(min(end, now)), "execType": "Trade",
        }  # fmt: skip
        return listed(row, time=now)

    a.answers["/v5/execution/list"] = executions
    fills = await a.gateway.query_fills_since(PERP.symbol, now - 20 * 86_400_000)
    assert [fill.fill.trade_id for fill in fills if fill.fill] == [str(begin) for begin in weeks]
    assert len(weeks) == 3


@bybit_test()
async def test_positions_of_all_that_contracts_settle_in_are_joined(a: Account) -> None:
    def positions(query: dict[str, str]) -> HttpAnswer:
        row = {"symbol": "BTCUSDT", "side": "Sell", "size": "2", "positionIdx": 0, "avgPrice": "5"}
        return listed(*([row] if query.get("settleCoin") == "USDT" else []), category=query["category"])

    a.answers["/v5/position/list"] = positions
    (position,) = await a.gateway.query_positions()
    assert (position.symbol, position.signed_amount) == (PERP.symbol, -2)
