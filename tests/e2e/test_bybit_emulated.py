"""One unified account of Bybit and its market data, on the emulated venue."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal

import pytest

from bybit_world import CALL, INVERSE, LINEAR, SPOT, BybitWorld, bybit_world, moving_bybit_world
from nexustrader.constants import DataType, KlineInterval, OrderSide, OrderType, TimeInForce
from nexustrader.domain.events import EventKind
from nexustrader.domain.order_state import Status
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.domain.setting import SetLeverage, SetPositionMode
from nexustrader.exchange.bybit import BybitAccountType
from nexustrader.market.subscriptions import Stream
from nexustrader.schema import BookL1, BookL2, FundingRate, IndexPrice, Kline, MarkPrice, Trade

BUY, SELL = OrderSide.BUY, OrderSide.SELL
A = BybitAccountType

# -- market data ----------------------------------------------------------------------------------------


@bybit_world
async def test_instruments_of_all_categories_have_names_of_their_own(w: BybitWorld) -> None:
    assert {name for feed in w.feeds.values() for name in feed.instruments} >= {LINEAR, SPOT, INVERSE, CALL}
    assert all(feed.instruments for feed in w.feeds.values())


@pytest.mark.slow
@moving_bybit_world
async def test_every_stream_of_every_category_flows(w: BybitWorld) -> None:
    ticker = (DataType.MARK_PRICE, DataType.INDEX_PRICE)
    wanted = {
        (A.SPOT, SPOT): (DataType.BOOKL1, DataType.BOOKL2, DataType.TRADE, DataType.KLINE),
        (A.LINEAR, LINEAR): (
            DataType.BOOKL1, DataType.BOOKL2, DataType.TRADE, DataType.KLINE, *ticker, DataType.FUNDING_RATE,
        ),
        (A.INVERSE, INVERSE): (DataType.BOOKL1, DataType.BOOKL2, DataType.KLINE, *ticker, DataType.FUNDING_RATE),
        (A.OPTION, CALL): (DataType.BOOKL1, DataType.BOOKL2, *ticker),
    }  # fmt: skip
    detail = {DataType.BOOKL2: "10", DataType.KLINE: "1m"}
    for (account_type, symbol), kinds in wanted.items():
        for kind in kinds:
            w.feeds[account_type].subscribe(Stream(kind, symbol, detail.get(kind, "")))
    await asyncio.sleep(90)
    shown = {
        BookL1: DataType.BOOKL1, BookL2: DataType.BOOKL2, Trade: DataType.TRADE, Kline: DataType.KLINE,
        MarkPrice: DataType.MARK_PRICE, IndexPrice: DataType.INDEX_PRICE, FundingRate: DataType.FUNDING_RATE,
    }  # fmt: skip
    got = {(datum.symbol, shown[type(datum)]) for datum in w.delivered}
    assert got == {(symbol, kind) for (_, symbol), kinds in wanted.items() for kind in kinds}
    assert all(datum.ok for datum in w.delivered if isinstance(datum, BookL2))
    assert any(datum.confirm for datum in w.delivered if isinstance(datum, Kline))


@pytest.mark.slow
@moving_bybit_world
async def test_a_book_that_loses_an_update_comes_back(w: BybitWorld) -> None:
    feed = w.feeds[A.LINEAR]
    feed.subscribe(Stream(DataType.BOOKL2, LINEAR, "50"))
    await asyncio.sleep(5)
    before = len(w.delivered)
    assert before
    w.network.cut_all("market")
    await asyncio.sleep(30)
    after = w.delivered[before:]
    assert [datum.ok for datum in after].count(False) == 1
    assert after[-1].ok
    assert 10 < len(after[-1].bids) <= 50


@pytest.mark.slow
@moving_bybit_world
async def test_klines_and_the_ticker_by_rest(w: BybitWorld) -> None:
    await asyncio.sleep(330)
    klines = await w.feeds[A.LINEAR].request_klines(LINEAR, KlineInterval.MINUTE_1.value, 5, None, None)
    assert [bar.start for bar in klines] == sorted({bar.start for bar in klines})
    assert len(klines) == 5
    assert [bar.confirm for bar in klines[:-1]] == [True] * 4
    ticker = await w.feeds[A.LINEAR].request_ticker(LINEAR)
    assert ticker.last_price > 0


# -- orders ---------------------------------------------------------------------------------------------


@bybit_world
async def test_a_limit_order_rests_and_is_cancelled_by_either_way(w: BybitWorld) -> None:
    for route in (Route.WS, Route.REST):
        state = await w.send(LINEAR, BUY, "0.01", "50000.0", route=route)
        assert state.status is Status.ACCEPTED
        assert state.eid
        state = await w.cancel(state, route)
        assert (state.status, state.reason) == (Status.CANCELED, None)
    assert set(w.conclusions) == {Conclusion.ACCEPTED}


@bybit_world
async def test_a_market_order_is_filled_with_its_fee(w: BybitWorld) -> None:
    state = await w.send(LINEAR, BUY, "0.01", None)
    assert (state.status, state.filled, state.average) == (Status.FILLED, Decimal("0.01"), Decimal("60000.1"))
    assert state.fees == (("USDT", Decimal("0.01") * Decimal("60000.1") * Decimal("0.00055")),)
    assert w.positions[LINEAR].signed_amount == Decimal("0.01")
    (asked,) = [each for each in await w.gateway.query_positions() if each.symbol == LINEAR]
    assert (asked.signed_amount, asked.entry_price) == (Decimal("0.01"), Decimal("60000.1"))
    state = await w.send(LINEAR, SELL, "0.01", None, reduce_only=True)
    assert state.status is Status.FILLED
    assert w.positions[LINEAR].signed_amount == 0


@bybit_world
async def test_a_market_order_of_spot_is_in_base_and_pays_with_what_it_gets(w: BybitWorld) -> None:
    state = await w.send(SPOT, BUY, "0.01", None)
    assert (state.status, state.filled) == (Status.FILLED, Decimal("0.01"))
    assert state.fees == (("BTC", Decimal("0.00001")),)
    asked = {balance.asset: balance for balance in await w.gateway.query_balances()}
    for asset in ("BTC", "USDT"):
        assert (asked[asset].free, asked[asset].locked) == (w.balances[asset].free, w.balances[asset].locked)


@bybit_world
async def test_what_a_spot_order_locks_is_not_free(w: BybitWorld) -> None:
    before = {balance.asset: balance for balance in await w.gateway.query_balances()}["USDT"]
    state = await w.send(SPOT, BUY, "0.01", "50000.0")
    assert w.balances["USDT"].locked == Decimal(500)
    assert w.balances["USDT"].free == before.free - 500
    await w.cancel(state)
    assert (w.balances["USDT"].free, w.balances["USDT"].locked) == (before.free, 0)


@bybit_world
async def test_an_inverse_order_counts_contracts_and_pays_in_base(w: BybitWorld) -> None:
    state = await w.send(INVERSE, BUY, "600", None)
    assert (state.status, state.filled, state.average) == (Status.FILLED, 600, Decimal("60000.1"))
    assert [currency for currency, _ in state.fees] == ["BTC"]
    assert w.positions[INVERSE].signed_amount == 600


@bybit_world
async def test_an_option_takes_a_limit_order(w: BybitWorld) -> None:
    state = await w.send(CALL, BUY, "0.1", "5")
    assert state.status is Status.ACCEPTED
    assert (await w.cancel(state)).status is Status.CANCELED


@bybit_world
async def test_a_post_only_order_that_would_take_fails(w: BybitWorld) -> None:
    for symbol in (LINEAR, SPOT):
        state = await w.send(symbol, BUY, "0.01", "60000.1", type=OrderType.POST_ONLY)
        assert state.status is Status.REJECTED
        assert "PostOnly" in (state.reason or "")
    state = await w.send(LINEAR, BUY, "0.01", "59000.0", type=OrderType.POST_ONLY)
    assert state.status is Status.ACCEPTED


@bybit_world
async def test_what_cannot_rest_expires(w: BybitWorld) -> None:
    state = await w.send(LINEAR, BUY, "12", "60000.1", time_in_force=TimeInForce.IOC)
    assert (state.status, state.filled) == (Status.EXPIRED, 10)
    w.move("60000.0", "60000.1", size="0.5")
    state = await w.send(SPOT, BUY, "0.6", "60000.1", time_in_force=TimeInForce.FOK)
    assert (state.status, state.filled) == (Status.EXPIRED, 0)


@bybit_world
async def test_an_amendment_is_told_once_and_with_its_terms(w: BybitWorld) -> None:
    state = await w.send(LINEAR, BUY, "0.01", "50000.0")
    state = await w.amend(state, "51000.0", "0.02")
    assert (state.price, state.amount, state.is_amending) == (51000, Decimal("0.02"), False)
    assert state.status is Status.ACCEPTED
    state = await w.amend(state, "52000.0")
    assert (state.price, state.amount) == (52000, Decimal("0.02"))
    assert Counter(event.kind for event in w.told)[EventKind.AMENDED] == 0  # shown by the order's own words


@bybit_world
async def test_a_conditional_order_waits_for_its_price_and_then_trades(w: BybitWorld) -> None:
    stop = {"type": OrderType.STOP_LOSS_MARKET, "trigger_price": Decimal("61000.0")}
    state = await w.send(LINEAR, BUY, "0.01", None, **stop)
    assert state.status is Status.PENDING
    await w.gateway.query_order(LINEAR, state.oid, None)
    w.move("61000.0", "61000.1")
    w.trade("61000.1", "BUY")
    await asyncio.sleep(2)
    state = w.states[state.oid]
    assert (state.status, state.filled) == (Status.FILLED, Decimal("0.01"))
    profit = {"type": OrderType.TAKE_PROFIT_LIMIT, "trigger_price": Decimal("50000.0")}
    state = await w.send(LINEAR, BUY, "0.01", "49000.0", **profit)
    assert state.status is Status.PENDING
    assert (await w.cancel(state)).status is Status.CANCELED


@bybit_world
async def test_a_refusal_says_why(w: BybitWorld) -> None:
    state = await w.send(LINEAR, BUY, "1000", "59000.0")
    assert state.status is Status.REJECTED
    assert w.results[-1].conclusion is Conclusion.REJECTED
    state = await w.send(LINEAR, SELL, "0.01", "70000.0", reduce_only=True)
    assert (state.status, w.results[-1].code) == (Status.REJECTED, "110017")


@bybit_world
async def test_the_same_id_again_proves_the_first_order_and_makes_no_second(w: BybitWorld) -> None:
    for symbol, code in ((LINEAR, "110072"), (SPOT, "170141")):
        state = await w.send(symbol, BUY, "0.01", "50000.0")
        again = await w.send(symbol, BUY, "0.01", "50000.0", oid=state.oid)
        assert (w.results[-1].conclusion, w.results[-1].code) == (Conclusion.UNKNOWN, code)
        assert again.status is Status.ACCEPTED
        assert len(await w.gateway.query_open_orders(symbol)) == 1


@bybit_world
async def test_a_cancel_that_comes_too_late_is_refused_and_changes_nothing(w: BybitWorld) -> None:
    state = await w.send(LINEAR, BUY, "0.01", None)
    assert (await w.cancel(state)).status is Status.FILLED
    assert w.results[-1].conclusion is Conclusion.REJECTED
    assert w.results[-1].code == "110001"


# -- questions ------------------------------------------------------------------------------------------


@bybit_world
async def test_an_order_is_found_by_either_id_whatever_became_of_it(w: BybitWorld) -> None:
    resting = await w.send(LINEAR, BUY, "0.01", "50000.0")
    filled = await w.send(SPOT, BUY, "0.01", None)
    cancelled = await w.cancel(await w.send(INVERSE, BUY, "100", "50000.0"))
    for state, kind in (
        (resting, EventKind.ACCEPTED),
        (filled, EventKind.FILLED),
        (cancelled, EventKind.CANCELED),
    ):
        for eid in (None, state.eid):
            found = await w.gateway.query_order(state.symbol, state.oid, eid)
            assert found is not None
            assert (found.oid, found.eid, found.kind) == (state.oid, state.eid, kind)
    assert await w.gateway.query_order(LINEAR, "17000000000000099991", None) is None


@bybit_world
async def test_open_orders_come_page_by_page_from_all_categories(w: BybitWorld) -> None:
    for number in range(60):
        await w.send(LINEAR, BUY, "0.01", str(50000 + number))
    await w.send(SPOT, BUY, "0.01", "50000.0")
    await w.send(INVERSE, BUY, "100", "50000.0")
    opened = await w.gateway.query_open_orders()
    assert Counter(event.symbol for event in opened) == {LINEAR: 60, SPOT: 1, INVERSE: 1}
    assert {event.oid for event in opened} == w.states.keys()
    assert len(await w.gateway.query_open_orders(LINEAR)) == 60


@bybit_world
async def test_executions_by_query_are_those_that_were_told(w: BybitWorld) -> None:
    begun = w.clock.timestamp_ms()
    state = await w.send(LINEAR, BUY, "0.01", None)
    await w.send(LINEAR, SELL, "0.02", None)
    told = [event.fill for event in w.told if event.fill is not None]
    assert [event.fill for event in await w.gateway.query_fills_since(LINEAR, begun)] == told
    assert [event.fill for event in await w.gateway.query_fills(LINEAR, state.oid, state.eid)] == told[:1]
    assert await w.gateway.query_fills_since(SPOT, begun) == []


@bybit_world
async def test_a_lost_private_socket_is_told_and_comes_back(w: BybitWorld) -> None:
    w.network.cut_all("user")
    await asyncio.sleep(5)
    state = await w.send(LINEAR, BUY, "0.01", None)
    assert state.status is Status.FILLED
    assert "disconnected" in w.statuses


@bybit_world
async def test_a_lost_order_socket_leaves_what_was_sent_in_doubt(w: BybitWorld) -> None:
    w.network.frame_changes.append(lambda pipe, frame: [] if pipe.kind == "api" else [(0.0, frame)])
    state = await w.send(LINEAR, BUY, "0.01", "50000.0")
    w.network.cut_all("api")
    await asyncio.sleep(1)
    assert w.conclusions == [Conclusion.UNKNOWN]
    assert state.status is Status.ACCEPTED  # the private socket told of it


@bybit_world
async def test_settings_of_the_account(w: BybitWorld) -> None:
    await w.gateway.change(SetLeverage(LINEAR, Decimal(5)))
    await w.gateway.change(SetLeverage(LINEAR, Decimal(5)))  # so already
    await w.gateway.change(SetPositionMode(True))
