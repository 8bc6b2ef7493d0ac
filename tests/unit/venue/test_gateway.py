"""One account over the wire: what each answer and each silence of the venue is concluded to be."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

from desk import BTC, SYMBOL
from memory_transport import MemoryConnection, MemoryTransport, answers
from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.error import NotSent, OutcomeUnknown
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.gateway import Gateway
from nexustrader.venue.ratelimit import RateLimiter
from nexustrader.venue.session import RestSession
from nexustrader.venue.spec import Endpoints
from nexustrader.venue.transport import HttpAnswer
from virtual_time import LoopClock, run_virtual

TYPE = BinanceAccountType.USD_M_FUTURE
ACCOUNT = "binance:USD_M_FUTURE"
OID = "17000000000000000042"
LISTEN_KEY = HttpAnswer(200, {}, b'{"listenKey":"abc"}')


def http(status: int, body: dict[str, Any] | bytes, **headers: str) -> HttpAnswer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpAnswer(status, {k.replace("_", "-"): v for k, v in headers.items()}, raw)


class Account:
    """A gateway on a transport in memory; `results` and `facts` are what it delivered."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.results: list[ev.CommandResult] = []
        self.facts: list[Any] = []
        self.statuses: list[str] = []
        self.transport = MemoryTransport()
        self.orders = answers(
            http(200, {"orderId": 1, "status": "NEW", "clientOrderId": OID, "symbol": "BTCUSDT"})
        )
        self.transport.answer = self._answer
        tasks = TaskManager(asyncio.get_running_loop())
        self.session = RestSession(
            VENUE,
            "https://venue",
            VENUE.server_time_request(TYPE),
            self.transport,
            clock,
            RateLimiter(VENUE.rate_limits(TYPE)),
            signer=VENUE.make_signer("k" * 64, "s" * 64, None),
        )
        self.gateway = Gateway(
            ACCOUNT,
            VENUE,
            TYPE,
            Endpoints("https://venue", "wss://streams", "wss://orders"),
            {SYMBOL: BTC},
            self.session,
            self.transport,
            clock,
            tasks,
            Entropy(1),
        )
        self.gateway.attach(self)

    def _answer(self, method: str, url: str) -> HttpAnswer:
        if "/time" in url:
            return http(200, {"serverTime": self.clock.timestamp_ms()})
        if "listenKey" in url:
            return LISTEN_KEY
        if "positionSide/dual" in url:
            return http(200, {"dualSidePosition": False})
        return self.orders(method, url)

    def on_result(self, result: ev.CommandResult) -> None:
        self.results.append(result)

    def on_order_event(self, event: ev.OrderEvent) -> None:
        self.facts.append(event)

    on_balance = on_position = on_order_event  # type: ignore[assignment]

    def on_status(self, account: str, event: str) -> None:
        self.statuses.append(event)

    @property
    def order_socket(self) -> MemoryConnection:
        return [c for c in self.transport.connections if "orders" in c.url][-1]

    @property
    def user_socket(self) -> MemoryConnection:
        return [c for c in self.transport.connections if "streams" in c.url][-1]

    def submit(self, route: Route = Route.WS) -> None:
        self.gateway.submit(
            ev.Submit(
                oid=OID,
                account=ACCOUNT,
                symbol=SYMBOL,
                side=OrderSide.BUY,
                type=OrderType.LIMIT,
                amount=Decimal("0.010"),
                price=Decimal("30000.0"),
                route=route,
                timestamp=self.clock.timestamp_ms(),
            )
        )

    def reply(self, body: dict[str, Any]) -> None:
        request_id = json.loads(self.order_socket.sent[-1])["id"]
        self.order_socket.push(json.dumps({"id": request_id} | body).encode())


def account_test(test: Any) -> Any:
    def run() -> None:
        async def work(clock: LoopClock) -> None:
            account = Account(clock)
            await account.gateway.start()
            await test(account)
            await account.gateway.stop()

        run_virtual(work)

    run.__name__ = test.__name__
    return run


@account_test
async def test_an_order_reaches_the_socket_in_the_same_call_and_its_ack_is_accepted(a: Account) -> None:
    a.submit()
    assert json.loads(a.order_socket.sent[-1])["method"] == "order.place"
    a.reply(
        {"status": 200, "result": {"orderId": 7, "clientOrderId": OID, "status": "NEW", "symbol": "BTCUSDT"}}
    )
    (result,) = a.results
    assert result.conclusion is Conclusion.ACCEPTED
    assert result.events[0].eid == "7"


@account_test
async def test_no_ack_in_time_is_unknown_and_a_later_reply_changes_nothing_here(a: Account) -> None:
    a.submit()
    await asyncio.sleep(5.1)
    a.reply({"status": 400, "error": {"code": -2019, "msg": "Margin is insufficient."}})
    assert [r.conclusion for r in a.results] == [Conclusion.UNKNOWN]


@account_test
async def test_a_socket_lost_between_send_and_ack_is_unknown_not_failed(a: Account) -> None:
    a.submit()
    a.order_socket.break_off()
    await asyncio.sleep(0.1)
    assert [r.conclusion for r in a.results] == [Conclusion.UNKNOWN]


@account_test
async def test_without_a_socket_nothing_is_sent_and_that_is_said(a: Account) -> None:
    a.transport.refuse_connections = True
    a.order_socket.break_off()
    await asyncio.sleep(0.01)
    a.submit()
    assert [r.conclusion for r in a.results] == [Conclusion.NOT_SENT]


@account_test
async def test_a_definite_refusal_is_rejected_with_the_venues_words(a: Account) -> None:
    a.submit()
    a.reply({"status": 400, "error": {"code": -2019, "msg": "Margin is insufficient."}})
    assert a.results[0].conclusion is Conclusion.REJECTED
    assert "Margin is insufficient" in (a.results[0].reason or "")


@account_test
async def test_a_5xx_on_the_order_socket_is_unknown(a: Account) -> None:
    a.submit()
    a.reply(
        {"status": 503, "error": {"code": -1007, "msg": "Timeout waiting for response from backend server."}}
    )
    assert a.results[0].conclusion is Conclusion.UNKNOWN


@account_test
async def test_a_rest_order_without_a_readable_answer_is_unknown(a: Account) -> None:
    for answer in (
        OutcomeUnknown("reset"),
        http(502, b"<html>Bad gateway</html>"),
        http(200, b'{"orderId": '),
        http(200, b"<html>ok</html>"),
        http(503, {"code": -1000, "msg": "Unknown error, please check your request or try again later."}),
    ):
        a.results.clear()
        a.orders = answers(answer)
        a.submit(Route.REST)
        await asyncio.sleep(1)
        assert [r.conclusion for r in a.results] == [Conclusion.UNKNOWN], answer


@account_test
async def test_a_rest_order_without_a_connection_was_not_sent(a: Account) -> None:
    a.orders = answers(NotSent("connection refused"))
    a.submit(Route.REST)
    await asyncio.sleep(1)
    assert [r.conclusion for r in a.results] == [Conclusion.NOT_SENT]


@account_test
async def test_an_order_refused_for_clock_skew_is_sent_again_after_the_clock_was_read(a: Account) -> None:
    skew = http(400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})
    done = http(200, {"orderId": 7, "clientOrderId": OID, "status": "NEW", "symbol": "BTCUSDT"})
    a.orders = answers(skew, done)
    a.submit(Route.REST)
    await asyncio.sleep(1)
    assert [r.conclusion for r in a.results] == [Conclusion.ACCEPTED]
    sent = [url for method, url in a.transport.requests if method == "POST" and "order" in url]
    assert len(sent) == 2
    assert all(OID in url for url in sent)


@account_test
async def test_after_a_ban_nothing_leaves_until_it_ends(a: Account) -> None:
    a.orders = answers(
        http(418, {"code": -1003, "msg": "Way too many requests; IP banned."}, retry_after="120")
    )
    a.submit(Route.REST)
    await asyncio.sleep(1)
    assert a.results[-1].conclusion is Conclusion.REJECTED
    before = len(a.transport.requests)
    a.submit(Route.REST)
    await asyncio.sleep(1)
    assert a.results[-1].conclusion is Conclusion.NOT_SENT
    assert len(a.transport.requests) == before


@account_test
async def test_private_events_are_delivered_and_an_unreadable_one_asks_for_a_resync(a: Account) -> None:
    assert a.statuses == ["connected"]
    a.user_socket.push(b'{"e":"ORDER_TRADE_UPDATE","o":{"s":17}}')
    assert a.statuses[-1] == "resync_needed"
    a.user_socket.push(b'{"e":"SOMETHING_NEW","E":1}')
    assert a.facts == []


@account_test
async def test_an_expired_listen_key_is_replaced_by_a_new_connection(a: Account) -> None:
    a.user_socket.push(b'{"e":"listenKeyExpired","E":1,"listenKey":"abc"}')
    await asyncio.sleep(60)
    assert a.statuses == ["connected", "listen_key_expired", "disconnected", "connected", "reconnected"]
    assert sum("listenKey" in url for _, url in a.transport.requests) == 2


@account_test
async def test_the_listen_key_is_kept_alive(a: Account) -> None:
    await asyncio.sleep(2 * 3600)
    kept = [m for m, url in a.transport.requests if "listenKey" in url and m == "PUT"]
    assert len(kept) >= 3
