"""Every command ends in exactly one result, and private events never stop silently, whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from memory_transport import answers
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.error import AuthFailed, InstrumentError, OutcomeUnknown
from nexustrader.exchange.binance import BinanceAccountType
from nexustrader.exchange.binance.venue import BinanceVenue
from nexustrader.venue.transport import HttpAnswer
from venue_account import ACCOUNT, OID, Account, account_test, http
from virtual_time import LoopClock, run_virtual

NEW = http(200, {"orderId": 7, "clientOrderId": OID, "status": "NEW", "symbol": "BTCUSDT"})
SKEW = http(400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})

# -- commands ------------------------------------------------------------------------------------------------


@account_test
async def test_what_the_rate_limit_holds_back_is_not_sent_on_the_route_that_was_asked_for(a: Account) -> None:
    a.session.limiter.spend("orders", 300, a.clock.timestamp_ms())
    a.submit(Route.REST)
    a.submit(Route.WS)
    assert [(r.conclusion, r.route) for r in a.results] == [
        (Conclusion.NOT_SENT, Route.REST),
        (Conclusion.NOT_SENT, Route.WS),
    ]


@account_test
async def test_a_symbol_that_the_account_does_not_trade_ends_each_command_here(a: Account) -> None:
    gone = {"symbol": "GONEUSDT-PERP.BINANCE"}
    for route in Route:
        a.submit(route, **gone)
        a.cancel(route, **gone)
    a.gateway.cancel_all(ev.CancelAll(account=ACCOUNT, timestamp=0, **gone))
    await asyncio.sleep(1)
    assert a.conclusions == [
        Conclusion.REJECTED,
        Conclusion.NOT_SENT,
        Conclusion.REJECTED,
        Conclusion.NOT_SENT,
        Conclusion.NOT_SENT,
    ]
    assert "GONEUSDT-PERP.BINANCE" in (a.results[0].reason or "")


@account_test
async def test_asking_about_a_symbol_that_is_no_longer_traded_is_told_as_such(a: Account) -> None:
    with pytest.raises(InstrumentError, match="GONEUSDT"):
        await a.gateway.query_order("GONEUSDT-PERP.BINANCE", OID, None)


@pytest.mark.parametrize("route", list(Route))
def test_a_request_that_cannot_be_built_ends_its_command(route: Route) -> None:
    @account_test
    async def run(a: Account) -> None:
        a.submit(route, time_in_force=None)
        await asyncio.sleep(1)
        assert a.conclusions == [Conclusion.REJECTED]
        assert "could not be built" in (a.results[0].reason or "")

    run()


@account_test
async def test_a_clock_that_cannot_be_read_leaves_a_refusal_for_skew_as_it_is(a: Account) -> None:
    a.orders = answers(SKEW)
    a.time = lambda: http(200, b"<html>maintenance</html>")
    a.submit(Route.REST)
    await asyncio.sleep(1)
    assert a.conclusions == [Conclusion.REJECTED]
    a.time = lambda: http(200, {"serverTime": "soon"})
    a.submit(Route.REST)
    await asyncio.sleep(1)
    assert a.conclusions == [Conclusion.REJECTED] * 2


@account_test
async def test_an_unforeseen_error_while_sending_is_unknown(a: Account) -> None:
    a.orders = answers(LookupError("nobody thought of this"))
    a.submit(Route.REST)
    await asyncio.sleep(1)

    def fail(_payload: bytes) -> None:
        raise LookupError("nobody thought of this")

    a.order_socket.on_send = fail
    a.submit(Route.WS)
    assert a.conclusions == [Conclusion.UNKNOWN] * 2


class Unreadable(BinanceVenue):
    """A venue package with a fault in it."""

    def parse_order_reply(self, *_: Any) -> Any:  # type: ignore[override]
        raise LookupError("nobody thought of this")


@pytest.mark.parametrize("route", list(Route))
def test_a_reply_that_we_fail_to_read_is_unknown(route: Route) -> None:
    @account_test
    async def run(a: Account) -> None:
        a.gateway._venue = Unreadable()
        a.submit(route)
        if route is Route.WS:
            a.reply({"status": 200, "result": json.loads(NEW.body)})
        await asyncio.sleep(1)
        assert a.conclusions == [Conclusion.UNKNOWN]

    run()


# -- queries -------------------------------------------------------------------------------------------------


@account_test
async def test_balances_carry_the_venues_time_as_of_which_they_are_certain(a: Account) -> None:
    """Else those of the stream would look older than a list that was read before them, and be left out."""
    a.time = lambda: http(200, {"serverTime": a.clock.timestamp_ms() - 5_000})
    await a.session.sync_time()

    def slow(_method: str, _url: str) -> HttpAnswer:
        a.clock._start_ns += 2_000_000_000
        return http(200, b'[{"asset":"USDT","balance":"5"}]')

    a.orders = slow
    asked_ms = a.clock.timestamp_ms()
    (event,) = await a.gateway.query_balances()
    assert event.timestamp == asked_ms - 5_000 - a.gateway.query_lag_ms


# -- the order socket ----------------------------------------------------------------------------------------


@account_test
async def test_an_unreadable_frame_on_the_order_socket_may_have_been_a_fill_and_is_asked_for(
    a: Account,
) -> None:
    a.order_socket.push(b'{"event":{"e":"executionRep')
    assert a.statuses[-1] == "resync_needed"


@account_test
async def test_a_server_that_shuts_down_its_private_stream_costs_no_order_its_reply(a: Account) -> None:
    a.submit()
    a.user_socket.push(b'{"e":"serverShutdown","E":1}')
    a.reply({"status": 200, "result": json.loads(NEW.body)})
    await asyncio.sleep(30)
    assert a.conclusions == [Conclusion.ACCEPTED]
    assert a.statuses == ["connected", "disconnected", "connected", "reconnected"]


# -- private events ------------------------------------------------------------------------------------------


@account_test
async def test_an_unreadable_listen_key_is_asked_for_again(a: Account) -> None:
    good, a.listen_key = a.listen_key, http(200, {"surprise": True})
    a.user_socket.break_off()
    await asyncio.sleep(60)
    assert a.statuses[-1] == "disconnected"
    a.listen_key = good
    await asyncio.sleep(120)
    assert a.statuses[-1] == "reconnected"


@account_test
async def test_a_listen_key_that_a_limit_kept_from_being_refreshed_is_not_given_up(a: Account) -> None:
    good, a.listen_key = (
        a.listen_key,
        http(429, {"code": -1003, "msg": "Too many requests."}, retry_after="5"),
    )
    await asyncio.sleep(1300)
    assert a.statuses == ["connected"]
    a.listen_key = good
    await asyncio.sleep(1300)
    assert a.statuses == ["connected"]


@account_test
async def test_a_clock_that_is_unreadable_once_is_read_again(a: Account) -> None:
    a.time = lambda: http(200, {"serverTime": "soon"})
    await asyncio.sleep(90)
    a.time = lambda: http(200, {"serverTime": a.clock.timestamp_ms() + 5_000})
    await asyncio.sleep(90)
    assert abs(a.session.time.offset_ms - 5_000) < 100


class SpotAccount(Account):
    """Spot: private events share the order socket; `logons` are the replies to the subscriptions."""

    def __init__(self, clock: LoopClock, *logons: dict[str, Any]) -> None:
        super().__init__(clock, BinanceAccountType.SPOT)
        left = list(logons)

        def answer(connection: Any, payload: bytes) -> None:
            request = json.loads(payload)
            if request["method"] == "userDataStream.subscribe.signature":
                reply = left.pop(0) if left else {"status": 200, "result": {"subscriptionId": 0}}
                asyncio.get_running_loop().call_soon(
                    lambda: connection.push(json.dumps({"id": request["id"]} | reply).encode())
                )

        def on_connect(connection: Any) -> None:
            connection.on_send = lambda payload: answer(connection, payload)

        self.transport.on_connect = on_connect


def refusal(status: int, code: int) -> dict[str, Any]:
    return {"status": status, "error": {"code": code, "msg": "no"}}


def test_a_private_subscription_refused_for_a_passing_reason_is_repeated() -> None:
    async def run(clock: LoopClock) -> None:
        account = SpotAccount(clock, refusal(400, -1021), refusal(429, -1003))
        await asyncio.wait_for(account.gateway.start(), 20)
        assert account.statuses == ["connected"]
        await account.gateway.stop()

    run_virtual(run)


def test_a_private_subscription_that_is_active_already_is_as_good_as_a_new_one() -> None:
    async def run(clock: LoopClock) -> None:
        account = SpotAccount(clock, refusal(400, -2035))
        await account.gateway.start()
        assert account.statuses == ["connected"]
        await account.gateway.stop()

    run_virtual(run)


def test_a_refused_key_stops_the_start_at_once() -> None:
    async def run(clock: LoopClock) -> None:
        account = SpotAccount(clock, *[refusal(401, -2015)] * 50)
        with pytest.raises(AuthFailed, match="-2015"):
            await account.gateway.start()
        assert clock.timestamp_ms() < 1_700_000_005_000
        await account.gateway.stop()

    run_virtual(run)


def test_private_events_come_back_when_a_key_that_was_refused_works_again() -> None:
    async def run(clock: LoopClock) -> None:
        account = SpotAccount(clock, {"status": 200, "result": {}}, *[refusal(401, -2015)] * 2)
        await account.gateway.start()
        account.order_socket.break_off()
        await asyncio.sleep(60)
        assert account.statuses == ["connected", "disconnected", "connected", "reconnected"]
        await account.gateway.stop()

    run_virtual(run)


def test_a_terminated_private_subscription_is_renewed_by_a_new_socket() -> None:
    async def run(clock: LoopClock) -> None:
        account = SpotAccount(clock)
        await account.gateway.start()
        account.order_socket.push(b'{"event":{"e":"eventStreamTerminated","E":1}}')
        await asyncio.sleep(30)
        assert account.statuses == ["connected", "disconnected", "connected", "reconnected"]
        await account.gateway.stop()

    run_virtual(run)


@account_test
async def test_a_code_that_leaves_doubt_is_no_answer_to_a_question(a: Account) -> None:
    for status, code in ((200, -1007), (400, -987_654)):
        a.orders = answers(http(status, {"code": code, "msg": "Timeout waiting for response."}))
        with pytest.raises(OutcomeUnknown):
            await a.gateway.query_open_orders()
