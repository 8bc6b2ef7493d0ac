"""Maintenance tiers, liquidations, and that no digit of the money is lost over them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from exchange_setup import BUY, INVERSE, LIMIT, MARKET, PERP, SELL, SPOT, Bench, bar, instrument
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from loguru import logger
from sim_setup import INVERSE as SIM_INVERSE
from sim_setup import LINEAR as SIM_LINEAR

from nexustrader.constants import InstrumentType, OrderSide
from nexustrader.domain import events as ev
from nexustrader.error import OrderError
from nexustrader.sim.funding import NO_FUNDING
from nexustrader.sim.liquidation import bounds, closing_ticks
from nexustrader.sim.margin import MaintenanceTier, Margin, liquidation_price, maintenance_margin
from nexustrader.sim.position import Position
from nexustrader.sim.settings import Assumptions
from nexustrader.sim.types import SimInstrument

D = Decimal
TIERS = (
    MaintenanceTier(D(0), D("0.005")),
    MaintenanceTier(D(50_000), D("0.01")),
    MaintenanceTier(D(250_000), D("0.025")),
)
OTHER = "ETHUSDT-PERP.BINANCE"
BOTH = {
    PERP: instrument(PERP, InstrumentType.LINEAR),
    OTHER: instrument(OTHER, InstrumentType.LINEAR, base="ETH"),
    SPOT: instrument(SPOT, InstrumentType.SPOT),
    INVERSE: instrument(INVERSE, InstrumentType.INVERSE),
}


def bench(margin: Margin | None = None, **more: Any) -> Bench:
    """An account of 1,000 USDT at leverage 10 with a touch of 100, without fees and funding."""
    given_settings = {
        "balances": {"USDT": D(1_000)},
        "maker_fee": D(0),
        "taker_fee": D(0),
        "assumed": Assumptions(margin=margin or Margin(), funding=NO_FUNDING),
        **more,
    }
    made = Bench(instruments=BOTH, **given_settings)
    for symbol in (PERP, OTHER, SPOT):
        made.quote(100.0, 100.0, 1_000.0, symbol=symbol)
    return made


def wallet(made: Bench, asset: str = "USDT") -> Decimal:
    return made.venue.ledger.wallet(asset)


# -- tiers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "held"), [(0, 0), (50_000, 250), (100_000, 750), (250_000, 2_250), (1_000_000, 21_000)]
)
def test_each_part_of_a_value_has_its_own_rate(value: int, held: int) -> None:
    assert maintenance_margin(D(value), TIERS) == maintenance_margin(D(-value), TIERS) == held


@given(
    st.sampled_from([SIM_LINEAR, SIM_INVERSE]),
    st.integers(-(10**6), 10**6).filter(bool),
    st.integers(1_000, 10**6),
    st.integers(0, 10**4),
)
def test_at_the_liquidation_price_equity_is_what_the_tiers_demand(
    sim: SimInstrument, lots: int, ticks: int, cushion: int
) -> None:
    price = sim.price(ticks)
    position = Position(sim.symbol, lots=lots, cost=sim.value(lots, price))
    at = liquidation_price(position, sim, D(cushion), TIERS)
    if at is None or at < D("0.01"):
        return
    gain = -1 if sim.kind == "inverse" else 1
    equity = cushion + gain * (sim.value(lots, at) - position.cost)
    assert equity == pytest.approx(
        maintenance_margin(sim.value(lots, at), TIERS), rel=D("1e-6"), abs=D("1e-6")
    )


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Margin(tiers=(MaintenanceTier(D(5), D("0.01")),)), "the first begins at 0"),
        (lambda: Margin(tiers=(TIERS[0], TIERS[2], TIERS[1])), "values and rates rise"),
        (lambda: Margin(tiers_of={PERP: (MaintenanceTier(D(0), D(1)),)}), "between 0 and 1"),
        (lambda: Margin(mode="portfolio"), "give 'cross' or 'isolated'"),  # type: ignore[arg-type]  # as users do
        (lambda: Margin(liquidation_fee=D(2)), "give 0 to 1"),
    ],
)
def test_margins_that_are_none_are_refused(build: Any, says: str) -> None:
    with pytest.raises(OrderError, match=says):
        build()


# -- where nothing has to be looked at ---------------------------------------------------------------------------


@given(
    st.sampled_from([SIM_LINEAR, SIM_INVERSE]),
    st.integers(-(10**5), 10**5).filter(bool),
    st.integers(1_000, 10**5),
    st.integers(1, 10**4),
    st.integers(0, 50),
)
def test_within_the_bounds_nothing_can_be_liquidated(
    sim: SimInstrument, lots: int, ticks: int, cushion: int, inside: int
) -> None:
    mark = sim.price(ticks)
    position = Position(sim.symbol, lots=lots, cost=sim.value(lots, mark))
    tiers = (MaintenanceTier(D(0), D("0.2")), MaintenanceTier(D(1_000), D("0.4")))
    found = bounds(position, sim, mark, cushion - maintenance_margin(position.cost, tiers), tiers[-1].rate)
    edge = found.low if lots > 0 else found.high
    assume(0 < edge < 10**7)
    price = sim.price(int(edge / float(sim.tick)) + (1 + inside if lots > 0 else -inside))
    assume(found.hold(float(price), float(price)))
    gain = -1 if sim.kind == "inverse" else 1
    equity = cushion + gain * (sim.value(lots, price) - position.cost)
    assert equity > maintenance_margin(sim.value(lots, price), tiers)


@given(
    st.sampled_from([SIM_LINEAR, SIM_INVERSE]),
    st.integers(-(10**5), 10**5).filter(bool),
    st.integers(1_000, 10**5),
    st.integers(-(10**3), 10**4),
    st.integers(1, 10**6),
)
def test_a_position_is_closed_where_nothing_is_left_or_worse(
    sim: SimInstrument, lots: int, ticks: int, cushion: int, at: int
) -> None:
    mark = sim.price(at)
    position = Position(sim.symbol, lots=lots, cost=sim.value(lots, sim.price(ticks)))
    gain = -1 if sim.kind == "inverse" else 1
    value = sim.value(lots, mark)
    assume(cushion + gain * (value - position.cost) <= abs(value) / 2)  # else nobody would close it
    closing = closing_ticks(position, sim, D(cushion), mark)
    side = 1 if lots > 0 else -1
    assert side * closing <= side * at or closing == 1
    left = cushion + gain * (sim.value(lots, sim.price(closing)) - position.cost)
    assert left <= D("1e-10") or closing == 1


# -- liquidations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "last", "over"), [(BUY, 90.4, 90.3), (SELL, 109.5, 109.6)])
def test_a_cross_account_ends_where_its_equity_meets_the_maintenance_margin(
    side: OrderSide, last: float, over: float
) -> None:
    made = bench()
    made.order(side, MARKET, "100")  # 10,000 at 1,000: maintenance is 0.4 % of the value
    other, far = (SELL, "150") if side is BUY else (BUY, "50")
    resting = made.order(other, LIMIT, "1", far)
    made.take()
    made.quote(last, last, 1_000.0)
    assert made.take() == []
    made.quote(over, over, 1_000.0)
    canceled, filled, balance, position, insured = made.take()
    assert (canceled.oid, canceled.kind, canceled.reason) == (
        resting,
        ev.EventKind.CANCELED,
        "the account is liquidated",
    )
    assert filled.oid.startswith("autoclose-")
    assert filled.kind is ev.EventKind.FILLED
    assert filled.side is other
    price = D(90) if side is BUY else D(110)  # where 1,000 are lost
    assert (filled.fill.price, filled.fill.amount, filled.fill.fee) == (price, 100, price * 100 * D("0.0125"))
    assert (balance.free, position.signed_amount) == (-filled.fill.fee, 0)
    assert (insured.free, insured.cause) == (0, "insurance")
    assert wallet(made) == 0
    assert made.venue.ledger.check_invariants() == []
    made.order(BUY, MARKET, "1")
    assert "insufficient USDT" in made.refusal()


def test_a_liquidation_is_loud() -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, level="ERROR", format="{message}")
    made = bench()
    made.order(BUY, MARKET, "100")
    made.quote(90.0, 90.0)
    logger.remove(sink)
    (line,) = lines
    assert f"LIQUIDATION of binance:TEST at a mark of 90.0 {PERP}" in line


def test_the_low_of_a_bar_counts_though_its_close_recovers() -> None:
    for low, is_liquidated in ((90.5, False), (90.3, True)):
        made = bench()
        made.order(BUY, MARKET, "100")
        made.play_bar(bar(100, 101, low, 100.5))
        assert (wallet(made) == 0) is is_liquidated
        assert (made.venue.ledger.position_lots(PERP) == 0) is is_liquidated


def test_a_bar_is_minded_only_where_it_may_liquidate() -> None:
    made = bench()
    assert not made.venue.minds(bar(100, 101, 1, 100))
    made.order(BUY, MARKET, "100")
    assert not made.venue.minds(bar(100, 101, 92, 100))
    assert made.venue.minds(bar(100, 101, 90, 100))
    resting = made.order(SELL, LIMIT, "1", "150")
    assert made.venue.minds(bar(100, 101, 92, 100))
    made.cancel(resting)
    assert not made.venue.minds(bar(100, 101, 92, 100))


def test_a_jump_past_bankruptcy_closes_at_the_market_and_the_venue_bears_the_rest() -> None:
    made = bench()
    made.order(BUY, MARKET, "100")
    made.take()
    made.quote(70.0, 70.0)
    (filled,) = made.facts()
    assert filled.fill is not None
    assert filled.fill.price == 70
    (booked,) = made.booked
    assert (booked.entry.cause, booked.entry.amount) == ("insurance", 2_000 + 7_000 * D("0.0125"))
    assert wallet(made) == 0


def test_an_isolated_position_loses_its_margin_and_nothing_else() -> None:
    made = bench(Margin(mode="isolated"), leverage=D(20))
    made.order(BUY, MARKET, "100")  # secured by 500
    made.order(SELL, MARKET, "50", symbol=OTHER)
    kept = made.order(BUY, LIMIT, "1", "50", symbol=OTHER)
    gone = made.order(BUY, LIMIT, "1", "50")
    made.quote(95.4, 95.4, 1_000.0)
    assert made.venue.ledger.position_lots(PERP) == 100_000
    made.quote(95.3, 95.3, 1_000.0)
    assert made.venue.ledger.position_lots(PERP) == 0
    assert wallet(made) == 500
    assert (made.kinds(kept)[-1], made.kinds(gone)[-1]) == ("accepted", "canceled")
    assert made.venue.ledger.position_lots(OTHER) == -50_000
    assert made.venue.ledger.available("USDT") == 500 - 250


def test_an_isolated_position_is_secured_by_what_was_set_aside_for_it() -> None:
    made = bench(Margin(mode="isolated"), leverage=D(20))
    ledger = made.venue.ledger
    made.order(BUY, MARKET, "100")
    assert (ledger.position(PERP).margin, ledger.available("USDT")) == (500, 500)
    made.order(SELL, MARKET, "40")
    assert ledger.position(PERP).margin == 300
    made.quote(110.0, 110.0, 1_000.0)
    assert ledger.available("USDT") == 700  # profits of an isolated position secure no other
    made.order(SELL, MARKET, "80")  # turns short with 20 at 110
    assert (ledger.position(PERP).lots, ledger.position(PERP).margin) == (-20_000, 110)
    made.order(BUY, MARKET, "20")
    assert ledger.position(PERP).margin == 0


def test_funding_of_an_isolated_position_is_paid_from_its_margin() -> None:
    made = bench(Margin(mode="isolated"), leverage=D(20))
    ledger = made.venue.ledger
    made.order(BUY, MARKET, "100")
    ledger.funding(PERP, D("0.01"), D(100))
    assert (wallet(made), ledger.position(PERP).margin, ledger.available("USDT")) == (900, 400, 500)
    made.quote(96.3, 96.3, 1_000.0)
    assert wallet(made) == 500


def test_all_positions_of_a_wallet_end_together_and_others_go_on() -> None:
    made = bench(balances={"USDT": D(1_000), "BTC": D(1)})
    made.quote(100.0, 100.0, 10_000.0, symbol=INVERSE)
    made.order(BUY, MARKET, "50")
    made.order(BUY, MARKET, "50", symbol=OTHER)
    made.order(BUY, MARKET, "2", symbol=INVERSE)
    made.quote(100.0, 100.0)  # what is safe is reckoned here, with 480 for each to lose
    made.quote(89.0, 89.0, symbol=OTHER)
    assert wallet(made) == 1_000
    made.quote(91.5, 91.5)
    assert made.venue.ledger.position_lots(OTHER) == made.venue.ledger.position_lots(PERP) == 0
    assert wallet(made) == 0
    assert made.venue.ledger.position_lots(INVERSE) == 2
    closed = {e.symbol: e.fill.price for e in made.facts() if e.oid.startswith("autoclose") and e.fill}
    assert closed == {
        PERP: D("91.0"),
        OTHER: D("89.0"),
    }  # the first where nothing is left, the others at the market


def test_an_inverse_short_is_liquidated_in_base() -> None:
    made = bench(balances={"BTC": D(1)})
    made.quote(10_000.0, 10_000.0, 100_000.0, symbol=INVERSE)
    made.order(SELL, MARKET, "500", symbol=INVERSE)  # 50,000 USD are 5 BTC
    made.quote(12_400.0, 12_400.0, symbol=INVERSE)
    assert wallet(made, "BTC") == 1
    made.quote(12_460.0, 12_460.0, symbol=INVERSE)
    assert wallet(made, "BTC") == 0
    assert made.facts()[-1].fill.price == 12_500  # type: ignore[union-attr]  # it has one


async def test_without_liquidations_losses_have_no_end() -> None:
    made = bench(Margin(liquidates=False))
    made.order(BUY, MARKET, "100")
    made.quote(50.0, 50.0)
    (position,) = await made.venue.query_positions()
    assert (position.signed_amount, position.unrealized_pnl) == (100, -5_000)
    assert made.venue.ledger.equity("USDT") == -4_000


async def test_queries_know_of_the_liquidation() -> None:
    made = bench()
    made.order(BUY, MARKET, "100")
    made.quote(80.0, 80.0)
    oid = made.facts()[-1].oid
    found = await made.venue.query_fills_since(PERP, 0)
    assert [fill.fill.price for fill in found if fill.fill] == [100, 80]
    answer = await made.venue.query_order(PERP, oid, None)
    assert answer is not None
    assert answer.kind is ev.EventKind.FILLED


# -- any history -------------------------------------------------------------------------------------------------

_orders = st.tuples(
    st.sampled_from([PERP, OTHER]), st.sampled_from([BUY, SELL]), st.integers(1, 300_000), st.booleans()
)
_prices = st.tuples(st.sampled_from([PERP, OTHER]), st.integers(200, 3_000))
_hours = st.integers(1, 30)


@given(st.sampled_from(["cross", "isolated"]), st.lists(st.one_of(_orders, _prices, _hours), max_size=40))
@settings(max_examples=150)
def test_no_digit_of_the_money_is_lost_in_any_history(mode: Any, actions: list[Any]) -> None:
    margin = Margin(mode=mode, tiers=TIERS)
    made = bench(margin, maker_fee=D("0.0002"), taker_fee=D("0.0005"), assumed=Assumptions(margin=margin))
    ledger, moves = made.venue.ledger, list[Any]()
    made.venue._reporter._observe = lambda _, applied: moves.append(applied)
    for action in actions:
        made.take()
        before, margins = ledger.wallet("USDT"), {p.symbol: p.margin for p in ledger.positions()}
        match action:
            case (symbol, price):
                made.quote(price / 10, price / 10, 500.0, symbol=symbol)
            case (symbol, side, lots, rests):
                limit = (
                    {"kind": LIMIT, "price": "90" if side is BUY else "110"} if rests else {"kind": MARKET}
                )
                made.order(side, amount=str(D(lots) / 1000), symbol=symbol, **limit)
            case hours:
                made.pass_ms(hours * 3_600_000)
        for position in ledger.positions():
            made.venue._markets.mark(made.venue._markets.known(position.symbol))
        paid = sum((applied.fee for applied in moves), D(0))
        earned = sum((applied.realized_pnl for applied in moves), D(0))
        otherwise = sum((booked.entry.amount for booked in made.booked), D(0))
        assert ledger.wallet("USDT") == 1_000 + earned - paid + otherwise
        assert ledger.check_invariants() == []
        told = [one for one in made.listener.heard if isinstance(one, ev.BalanceEvent)]
        assert not told or told[-1].free == ledger.free("USDT")
        fills = [fact for fact in made.facts() if fact.fill is not None]
        closed = [fact.symbol for fact in fills if fact.oid.startswith("autoclose")]
        if mode == "cross" and closed:
            assert ledger.wallet("USDT") == 0
        elif closed and len(fills) == 1:
            assert ledger.wallet("USDT") == before - margins[closed[0]]
        if isinstance(action, tuple) and len(action) == 2:
            assert all(ledger.excess(p) > 0 for p in ledger.positions() if p.symbol == action[0])
