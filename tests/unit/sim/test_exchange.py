"""The simulated venue: what it concludes, what it tells, in which order, and what it refuses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from exchange_setup import (
    BUY,
    INVERSE,
    LIMIT,
    MARKET,
    PERP,
    POST_ONLY,
    SELL,
    SPOT,
    Bench,
    bar,
    instrument,
)
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.constants import InstrumentType, OrderSide, OrderType, TimeInForce
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import CommandKind, Conclusion
from nexustrader.error import InstrumentError, OrderError
from nexustrader.sim.convert import to_sim_instrument
from nexustrader.sim.settings import SimSettings
from nexustrader.sim.ticks import Tick
from nexustrader.sim.types import Side

IOC, FOK = TimeInForce.IOC, TimeInForce.FOK


def quoted(**settings: Any) -> Bench:
    bench = Bench(**settings)
    bench.quote(100.0, 100.1)
    return bench


# -- conclusions and facts -------------------------------------------------------------------------------------


def test_a_command_is_concluded_once_and_its_facts_follow_in_the_order_of_a_venue() -> None:
    bench = quoted()
    oid = bench.order(BUY, MARKET, "0.5")
    result, accepted, filled, balance, position = bench.take()
    assert (result.kind, result.conclusion, result.oid) == (CommandKind.CREATE, Conclusion.ACCEPTED, oid)
    acked, *facts = result.events
    assert (acked.kind, acked.eid) == (ev.EventKind.ACKED, "1")
    assert facts == [accepted, filled], "the reply carries what it brought about"
    assert (accepted.kind, filled.kind) == (ev.EventKind.ACCEPTED, ev.EventKind.FILLED)
    assert filled.fill == ev.Fill(
        trade_id="1",
        price=Decimal("100.1"),
        amount=Decimal("0.5"),
        fee=Decimal("0.02502500"),
        fee_currency="USDT",
        timestamp=bench.now(),
    )
    assert (balance.asset, balance.free) == ("USDT", Decimal(10_000) - Decimal("0.025025"))
    assert (position.signed_amount, position.entry_price) == (Decimal("0.5"), Decimal("100.1"))
    assert position.unrealized_pnl == Decimal("-0.025")  # valued at the middle of the touch


def test_nothing_is_told_within_the_call_that_gives_a_command() -> None:
    bench = quoted()
    bench.venue.submit(
        ev.Submit(
            oid="1",
            account="binance:TEST",
            symbol=PERP,
            side=BUY,
            type=MARKET,
            amount=Decimal(1),
            timestamp=0,
        )
    )
    assert bench.take() == []
    bench.clock.run_soon()
    assert bench.results()[0].conclusion is Conclusion.ACCEPTED


def test_with_latency_an_order_meets_the_book_of_its_arrival() -> None:
    bench = quoted(latency_ms=50)
    oid = bench.order(BUY, MARKET, "0.5")
    bench.pass_ms(49)
    assert bench.take() == []
    bench.quote(110.0, 110.1)
    bench.pass_ms(1)
    assert bench.fills(oid) == [("110.1", "0.500")]


@pytest.mark.parametrize("latency_ms", [-1, 60_001])
def test_an_impossible_latency_is_refused(latency_ms: int) -> None:
    with pytest.raises(OrderError, match="choose 0 to 60000"):
        SimSettings(balances={}, latency_ms=latency_ms)


@pytest.mark.parametrize(
    "impossible",
    [
        {"leverage": Decimal(0)},
        {"leverage": Decimal(-1)},
        {"leverage": Decimal("nan")},
        {"ticks_behind_touch": -1},  # behind the touch, never before it
    ],
)
def test_settings_that_no_venue_has_are_refused(impossible: dict[str, Any]) -> None:
    with pytest.raises(OrderError, match=next(iter(impossible))):
        SimSettings(balances={}, **impossible)


def test_profit_and_fees_reach_the_balance() -> None:
    bench = quoted()
    bench.order(BUY, MARKET, "1")
    bench.quote(110.0, 110.1)
    bench.order(SELL, MARKET, "1")
    paid = (Decimal("100.1") + 110) * Decimal("0.0005")
    assert bench.free("USDT") == 10_000 + Decimal("9.9") - paid
    assert bench.take()[-1].signed_amount == 0


def test_an_order_larger_than_the_touch_fills_the_rest_one_tick_behind_it_every_time() -> None:
    bench = quoted()
    bench.quote(100.0, 100.1, 1.0)
    first = bench.order(BUY, MARKET, "3")
    second = bench.order(BUY, MARKET, "3")
    assert bench.fills(first) == [("100.1", "1.000"), ("100.2", "2.000")]
    assert bench.fills(second) == [("100.2", "3.000")]  # the touch is taken until it is quoted anew
    bench.quote(100.0, 100.1, 2.0)
    third = bench.order(BUY, LIMIT, "3", "100.1")
    assert bench.fills(third) == [("100.1", "2.000")]  # its limit does not reach behind the touch
    assert bench.kinds(third) == ["accepted", "filled"]


def test_an_order_that_cannot_reach_behind_the_touch_brings_nobody_forward_there() -> None:
    bench = quoted()
    resting = bench.order(SELL, LIMIT, "1", "100.2")
    bench.order(BUY, LIMIT, "3", "100.1", tif=IOC)
    bench.trade(100.2, 5.0, BUY)
    assert bench.fills(resting) == []


def test_levels_that_are_no_longer_quoted_do_not_fill_large_orders() -> None:
    bench = quoted()
    for price in (150.0, 140.0, 130.0):
        bench.quote(price - 0.1, price)
        bench.order(SELL, LIMIT, "0.001", "200")  # something rests, so that every quote reaches the engine
    bench.quote(99.9, 100.0)
    oid = bench.order(BUY, MARKET, "5")
    assert bench.fills(oid) == [("100.0", "1.000"), ("100.1", "4.000")]


# -- resting orders --------------------------------------------------------------------------------------------


def test_a_resting_order_fills_as_maker_when_the_market_trades_through_it() -> None:
    bench = quoted()
    oid = bench.order(BUY, LIMIT, "2", "99.5")
    bench.trade(99.5, 5.0, SELL)
    assert bench.fills(oid) == []  # what waits before it at this price is not known
    bench.trade(99.4, 0.5, SELL)
    bench.trade(99.4, 5.0, SELL)
    assert bench.fills(oid) == [("99.5", "0.500"), ("99.5", "1.500")]
    first = bench.facts(oid)[1]
    assert first.fill is not None
    assert first.fill.is_maker
    assert first.fill.fee == Decimal("0.5") * Decimal("99.5") * Decimal("0.0002")
    assert first.filled == Decimal("0.5")


def test_a_resting_order_fills_when_a_quote_crosses_it() -> None:
    bench = quoted()
    oid = bench.order(SELL, LIMIT, "0.3", "101")
    bench.quote(101.5, 101.6)
    assert bench.fills(oid) == [("101.0", "0.300")]


def test_a_bar_fills_what_its_path_goes_through_and_not_what_it_only_touches() -> None:
    bench = quoted()
    through = bench.order(BUY, LIMIT, "0.5", "98")
    touched = bench.order(BUY, LIMIT, "0.5", "97.5")
    bench.play_bar(bar(100.0, 101.0, 97.5, 99.0))
    assert bench.fills(through) == [("98.0", "0.500")]
    assert bench.fills(touched) == []
    oid = bench.order(BUY, MARKET, "0.1")
    assert bench.fills(oid) == [("99.0", "0.100")]  # buyers led to the close: it stands on the ask


def test_what_a_bar_trades_at_a_point_fills_resting_orders_once() -> None:
    bench = quoted()
    oid = bench.order(BUY, LIMIT, "3", "98")
    bench.venue.on_tick(PERP, Tick(price=975, lots=1_000, aggressor=Side.SELL))
    assert bench.fills(oid) == [("98.0", "1.000")]
    bench.venue.on_tick(PERP, Tick(price=974, lots=500, aggressor=Side.SELL))
    assert bench.fills(oid) == [("98.0", "1.000"), ("98.0", "0.500")]


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_bar_price_that_only_touches_an_order_never_fills_it(side: OrderSide) -> None:
    bench = quoted()
    oid = bench.order(side, LIMIT, "1", "100.0" if side is BUY else "100.1")
    for lots in (10, 10_000, 100, 100_000):
        for aggressor in Side:
            price = 1_000 if side is BUY else 1_001
            bench.venue.on_tick(PERP, Tick(price, lots, aggressor))
    assert bench.fills(oid) == []


def test_a_bar_without_resting_orders_leaves_its_close_as_the_book() -> None:
    bench = Bench()
    bench.play_bar(bar(100.0, 101.0, 97.5, 100.9))
    assert bench.fills(bench.order(BUY, MARKET, "0.1")) == [("100.9", "0.100")]


def test_post_only_rests_or_is_refused() -> None:
    bench = quoted()
    bench.order(BUY, POST_ONLY, "1", "100.1")
    assert "post-only" in bench.refusal()
    assert bench.facts() == []
    oid = bench.order(BUY, POST_ONLY, "1", "100.0")
    assert bench.kinds(oid) == ["accepted"]


def test_an_ioc_order_expires_with_its_rest_and_a_fok_order_as_a_whole() -> None:
    bench = quoted()
    ioc = bench.order(BUY, LIMIT, "3", "100.1", tif=IOC)
    assert bench.kinds(ioc) == ["accepted", "filled", "expired"]
    fok = bench.order(BUY, LIMIT, "3", "99", tif=FOK)
    assert bench.kinds(fok) == ["accepted", "expired"]
    assert "fill-or-kill" in (bench.facts(fok)[-1].reason or "")


def test_a_market_order_against_an_empty_side_expires() -> None:
    bench = Bench()
    bench.quote(100.0, 0.0, 1.0, ask_size=0.0)
    oid = bench.order(BUY, MARKET, "1")
    assert bench.kinds(oid) == ["accepted", "expired"]


# -- reduce-only -----------------------------------------------------------------------------------------------


def test_reduce_only_needs_a_position_and_is_cut_to_it() -> None:
    bench = quoted()
    bench.order(SELL, MARKET, "1", reduce_only=True)
    assert "no position" in bench.refusal()
    bench.order(BUY, MARKET, "0.4")
    oid = bench.order(SELL, MARKET, "1", reduce_only=True)
    accepted, filled = bench.facts(oid)
    assert accepted.amount == Decimal("0.4")
    assert filled.filled == Decimal("0.4")
    assert bench.venue.ledger.position_lots(PERP) == 0


def test_a_resting_reduce_only_order_expires_when_the_position_is_gone() -> None:
    bench = quoted()
    bench.order(BUY, MARKET, "1")
    resting = bench.order(SELL, LIMIT, "1", "120", reduce_only=True)
    bench.order(SELL, MARKET, "1")
    assert bench.kinds(resting) == ["accepted", "expired"]


# -- changes ---------------------------------------------------------------------------------------------------


def test_a_cancel_is_concluded_and_then_told() -> None:
    bench = quoted()
    oid = bench.order(BUY, LIMIT, "1", "99")
    bench.take()
    bench.cancel(oid)
    result, canceled = bench.take()
    assert (result.kind, result.conclusion) == (CommandKind.CANCEL, Conclusion.ACCEPTED)
    assert canceled.kind is ev.EventKind.CANCELED


def test_a_cancel_of_what_is_not_open_is_refused() -> None:
    bench = quoted()
    bench.cancel("stranger")
    assert "not known" in bench.refusal()
    bench.cancel(bench.order(BUY, MARKET, "1"))
    assert "it is FILLED" in bench.refusal()


def test_an_amendment_changes_price_and_amount_and_may_trade() -> None:
    bench = quoted()
    oid = bench.order(BUY, LIMIT, "1", "99")
    bench.amend(oid, price="99.5", amount="2")
    amended = bench.facts(oid)[-1]
    assert (amended.kind, amended.price, amended.amount) == (
        ev.EventKind.AMENDED,
        Decimal("99.5"),
        Decimal(2),
    )
    bench.amend(oid, price="100.1")
    assert bench.fills(oid) == [("100.1", "1.000")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"price": "99.55"}, "not a multiple of the tick"),
        ({"amount": "0.0001"}, "not a multiple of the lot"),
        ({"amount": "5000"}, "insufficient USDT"),
        ({"price": "-1"}, "cannot be amended"),
    ],
)
def test_a_refused_amendment_leaves_the_order(change: dict[str, str], reason: str) -> None:
    bench = quoted()
    oid = bench.order(BUY, LIMIT, "1", "99")
    bench.amend(oid, **change)
    assert reason in bench.refusal()
    assert bench.kinds(oid) == ["accepted"]
    bench.cancel(oid)
    assert bench.kinds(oid) == ["accepted", "canceled"]


def test_cancel_all_ends_the_orders_of_one_symbol() -> None:
    bench = quoted()
    bench.quote(100.0, 100.1, symbol=SPOT)
    ours = [bench.order(BUY, LIMIT, "1", "99"), bench.order(BUY, LIMIT, "1", "98")]
    other = bench.order(BUY, LIMIT, "1", "99", symbol=SPOT)
    bench.cancel_all()
    assert [bench.kinds(oid)[-1] for oid in [*ours, other]] == ["canceled", "canceled", "accepted"]
    assert bench.results()[-1].kind is CommandKind.CANCEL_ALL
    bench.cancel_all("ETHUSDT-PERP.BINANCE")
    assert "not traded" in bench.refusal()


# -- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"amount": "0"}, "amount must be above 0"),
        ({"kind": LIMIT, "price": "0"}, "needs a price above 0"),
        ({"kind": LIMIT}, "needs a price above 0"),
        ({"symbol": "DOGEUSDT-PERP.BINANCE"}, "not a known symbol"),
        ({"symbol": SPOT}, "is spot, and binance:TEST trades linear"),
        ({"kind": OrderType.STOP_LOSS_MARKET}, "STOP_LOSS_MARKET orders are not simulated"),
        ({"kind": OrderType.TAKE_PROFIT_LIMIT, "price": "1"}, "TAKE_PROFIT_LIMIT orders are not simulated"),
        ({"kind": POST_ONLY, "price": "99", "tif": IOC}, "post-only"),
        ({"amount": "0.0005"}, "not a multiple of the lot"),
        ({"kind": LIMIT, "price": "99.55"}, "not a multiple of the tick"),
        ({"amount": "1000"}, "insufficient USDT"),
        ({"amount": "1000"}, "at leverage 10"),
    ],
)
def test_an_order_that_cannot_be_is_refused_with_its_reason(order: dict[str, Any], reason: str) -> None:
    bench = quoted(kinds=frozenset({InstrumentType.LINEAR}))
    given_order: dict[str, Any] = {"side": BUY, "kind": MARKET, "amount": "1", **order}
    bench.order(**given_order)
    assert reason in bench.refusal()
    assert len(bench.take()) == 1


def test_another_venues_symbol_is_refused() -> None:
    bench = Bench(account="bybit:LINEAR")
    bench.order(BUY, MARKET, "1")
    assert "traded on binance, not by bybit:LINEAR" in bench.refusal()


def test_kinds_that_are_not_simulated_are_refused_by_name() -> None:
    option = instrument("BTCUSDT-PERP.BINANCE", InstrumentType.OPTION)
    with pytest.raises(InstrumentError, match="is of type option, which is not simulated"):
        to_sim_instrument(option)


def test_an_order_without_a_book_is_refused_and_says_what_to_subscribe() -> None:
    bench = Bench()
    bench.order(BUY, MARKET, "1")
    assert f"subscribe_bookl1('{PERP}')" in bench.refusal()
    bench.quote(100.0, 100.1)
    bench.order(BUY, MARKET, "1")
    assert bench.results()[-1].conclusion is Conclusion.ACCEPTED


def test_an_order_without_the_settlement_asset_is_refused() -> None:
    bench = quoted(balances={"USDC": Decimal(100)})
    bench.order(BUY, MARKET, "0.1")
    assert "holds no USDT" in bench.refusal()


def test_a_second_order_of_one_id_is_refused_and_the_first_lives() -> None:
    bench = quoted()
    bench.order(BUY, LIMIT, "1", "99", oid="twin")
    bench.order(BUY, LIMIT, "1", "99", oid="twin")
    assert "duplicate" in bench.refusal()
    assert bench.kinds("twin") == ["accepted"]


def test_leverage_bounds_the_value_of_all_positions_and_open_orders() -> None:
    bench = quoted(leverage=Decimal(1), maker_fee=Decimal(0), taker_fee=Decimal(0))
    bench.order(BUY, LIMIT, "60", "100")  # 6,000 of 10,000
    bench.order(BUY, LIMIT, "40.001", "100")
    assert "insufficient" in bench.refusal()
    bench.order(BUY, LIMIT, "40", "100")
    assert bench.results()[-1].conclusion is Conclusion.ACCEPTED


def test_an_order_that_only_reduces_is_never_too_large_for_the_balance() -> None:
    bench = quoted(leverage=Decimal(1))
    bench.order(BUY, MARKET, "99")
    bench.quote(50.0, 50.1, 1000.0)
    bench.order(SELL, MARKET, "99")
    assert bench.results()[-1].conclusion is Conclusion.ACCEPTED


# -- other kinds -----------------------------------------------------------------------------------------------


def test_spot_pays_its_fee_from_what_it_receives_and_locks_what_rests() -> None:
    bench = Bench()
    bench.quote(100.0, 100.1, symbol=SPOT)
    bench.order(SELL, MARKET, "1", symbol=SPOT)
    assert "insufficient BTC" in bench.refusal()
    bench.order(BUY, MARKET, "1", symbol=SPOT)
    assert bench.free("BTC") == 1 - Decimal("0.0005")
    bench.take()
    bench.order(SELL, LIMIT, "0.5", "120", symbol=SPOT)
    (told,) = [one for one in bench.take() if isinstance(one, ev.BalanceEvent)]
    assert (told.asset, told.free, told.locked) == ("BTC", Decimal("0.4995"), Decimal("0.5"))


def test_inverse_contracts_are_settled_in_base() -> None:
    bench = Bench(balances={"BTC": Decimal(1)}, maker_fee=Decimal(0), taker_fee=Decimal(0))
    bench.quote(10_000.0, 10_000.0, 1000.0, symbol=INVERSE)
    bench.order(BUY, MARKET, "100", symbol=INVERSE)  # 10,000 USD
    bench.quote(20_000.0, 20_000.0, 1000.0, symbol=INVERSE)
    bench.order(SELL, MARKET, "100", symbol=INVERSE)
    assert bench.free("BTC") == Decimal("1.5")


# -- queries and life ------------------------------------------------------------------------------------------


async def test_queries_answer_as_a_venue_would() -> None:
    bench = quoted()
    done = bench.order(BUY, MARKET, "0.5")
    resting = bench.order(BUY, LIMIT, "1", "99")
    venue = bench.venue
    answer = await venue.query_order(PERP, done, None)
    assert answer is not None
    assert (answer.kind, answer.filled, answer.average) == (
        ev.EventKind.FILLED,
        Decimal("0.5"),
        Decimal("100.1"),
    )
    assert [e.oid for e in await venue.query_open_orders(PERP)] == [resting]
    assert [e.oid for e in await venue.query_open_orders()] == [resting]
    assert await venue.query_open_orders(SPOT) == []
    (fill,) = await venue.query_fills(PERP, done, None)
    assert fill.source is ev.Source.QUERY
    assert await venue.query_fills(PERP, "stranger", None) == []
    (again,) = await venue.query_fills_since(PERP, fill.timestamp)
    assert (again.oid, again.eid, again.fill) == ("", answer.eid, fill.fill)
    assert await venue.query_fills_since(PERP, fill.timestamp + 1) == []
    assert await venue.query_fills_since(SPOT, 0) == []
    assert await venue.query_order(PERP, "stranger", None) is None
    assert [b.asset for b in await venue.query_balances()] == ["USDT"]
    (position,) = await venue.query_positions()
    assert position.snapshot
    assert position.signed_amount == Decimal("0.5")


async def test_open_positions_are_told_anew_with_their_profit() -> None:
    bench = quoted(update_interval_s=60.0)
    await bench.venue.start()
    bench.order(BUY, MARKET, "1")
    bench.take()
    bench.quote(110.0, 110.2)
    bench.pass_ms(60_000)
    (told,) = bench.take()
    assert told.unrealized_pnl == Decimal("10.0")
    await bench.venue.stop()
    bench.pass_ms(600_000)
    assert bench.take() == []


def test_every_execution_is_observed_with_what_it_did_to_the_account() -> None:
    seen: list[tuple[str, Decimal]] = []
    bench = quoted()
    bench.venue._reporter._observe = lambda fact, applied: seen.append((fact.oid, applied.fee))
    oid = bench.order(BUY, MARKET, "1")
    assert seen == [(oid, Decimal("0.05005000"))]


# -- any history -----------------------------------------------------------------------------------------------

_orders = st.tuples(
    st.just("order"),
    st.sampled_from([BUY, SELL]),
    st.sampled_from([(MARKET, "GTC"), (LIMIT, "GTC"), (LIMIT, "IOC"), (LIMIT, "FOK"), (POST_ONLY, "GTC")]),
    st.integers(1, 4_000),
    st.integers(980, 1_020),
    st.booleans(),
)
_quotes = st.tuples(st.just("quote"), st.integers(980, 1_018), st.integers(1, 3), st.integers(1, 3_000))
_trades = st.tuples(
    st.just("trade"), st.integers(980, 1_020), st.integers(1, 3_000), st.sampled_from([BUY, SELL])
)
_changes = st.tuples(st.sampled_from(["cancel", "amend"]), st.integers(1, 12), st.integers(980, 1_020))
_actions = st.lists(st.one_of(_orders, _quotes, _trades, _changes), max_size=40)


def _play(actions: list[Any], symbol: str) -> Bench:
    bench = Bench(balances={"USDT": Decimal(2_000), "BTC": Decimal(5)}, leverage=Decimal(2))
    bench.quote(100.0, 100.1, symbol=symbol)
    for action in actions:
        match action:
            case ("order", side, (kind, tif), lots, ticks, reduce_only):
                price = None if kind is MARKET else str(Decimal(ticks) / 10)
                bench.order(
                    side,
                    kind,
                    str(Decimal(lots) / 1000),
                    price,
                    symbol=symbol,
                    tif=TimeInForce(tif),
                    reduce_only=reduce_only,
                )
            case ("quote", bid, spread, lots):
                bench.quote(bid / 10, (bid + spread) / 10, lots / 1000, symbol=symbol)
            case ("trade", ticks, lots, side):
                bench.trade(ticks / 10, lots / 1000, side, symbol=symbol)
            case ("cancel", place, _):
                bench.cancel(f"order-{place}", symbol)
            case ("amend", place, ticks):
                bench.amend(f"order-{place}", price=str(Decimal(ticks) / 10), symbol=symbol)
    return bench


@pytest.mark.slow
@given(_actions, st.sampled_from([PERP, SPOT]))
def test_any_history_is_told_once_consistently_and_the_same_every_time(
    actions: list[Any], symbol: str
) -> None:
    bench, again = _play(actions, symbol), _play(actions, symbol)
    assert bench.listener.heard == again.listener.heard
    assert bench.venue.ledger.check_invariants() == []
    commands = [action for action in actions if action[0] in ("order", "cancel", "amend")]
    assert len(bench.results()) == len(commands)
    fills: set[str] = set()
    for oid in {fact.oid for fact in bench.facts()}:
        kinds = bench.kinds(oid)
        assert kinds[0] == "accepted"
        ends = [kind for kind in kinds if kind in ("canceled", "expired")]
        assert len(ends) <= 1
        assert not ends or kinds[-1] == ends[0]
        for fact in bench.facts(oid):
            if fact.fill is not None:
                assert fact.fill.trade_id not in fills
                fills.add(fact.fill.trade_id)
    told = {e.asset: (e.free, e.locked) for e in bench.listener.heard if isinstance(e, ev.BalanceEvent)}
    for asset, (free, locked) in told.items():
        assert (free, locked) == (bench.venue.ledger.free(asset), bench.venue.ledger.locked(asset))
