"""The matching engine's rules, one by one, for the plain engine and the native one alike."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from sim_setup import BUY, LINEAR, SELL, fills, names, order

from nexustrader.error import OrderError
from nexustrader.sim.kernel import layout
from nexustrader.sim.kernel.engine import KernelEngine
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.types import Expired, SimOrder, Traded

pytestmark = pytest.mark.timeout(600)  # the first test that plays natively may have to compile the kernel

Engine = MatchingEngine | KernelEngine
Kind = type[MatchingEngine] | type[KernelEngine]


@pytest.fixture(params=[MatchingEngine, KernelEngine], ids=["plain", "native"])
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


def ahead(engine: Engine, order: SimOrder) -> int:
    """Lots of the market before an open order."""
    return engine.order(order.order_id).queue_ahead


@pytest.fixture
def engine(kind: Kind) -> Engine:
    """Bids 100×10, 99×20; asks 102×10, 103×20."""
    engine = kind(LINEAR)
    engine.set_book([(100, 10), (99, 20)], [(102, 10), (103, 20)])
    return engine


# -- entry ---------------------------------------------------------------------------------------------


def test_a_resting_limit_order_is_accepted_and_shows_in_the_depth(engine: Engine) -> None:
    assert names(engine.submit(order(BUY, 5, 101))) == ["Accepted"]
    assert (engine.best_bid(), engine.external_best_bid()) == (101, 100)
    assert engine.depth(2) == ([(101, 5), (100, 10)], [(102, 10), (103, 20)])


def test_a_crossing_limit_order_walks_the_levels_and_rests_with_what_is_left(engine: Engine) -> None:
    events = engine.submit(order(BUY, 35, 103))
    assert names(events) == ["Accepted", "Traded 10@102", "Traded 20@103"]
    assert [event.order.filled for event in events] == [0, 10, 30]
    (rest,) = engine.open_orders()
    assert (rest.status, rest.remaining, rest.cost_ticks) == ("PARTIALLY_FILLED", 5, 10 * 102 + 20 * 103)
    assert engine.best_ask() is None


def test_a_limit_order_never_pays_more_than_its_limit(engine: Engine) -> None:
    assert fills(engine.submit(order(BUY, 35, 102))) == [(102, 10)]


def test_a_market_order_expires_what_finds_no_liquidity(engine: Engine) -> None:
    events = engine.submit(order(SELL, 40))
    assert names(events) == ["Accepted", "Traded 10@100", "Traded 20@99", "Expired NO_LIQUIDITY"]
    assert events[-1].order.status == "EXPIRED"
    assert events[-1].order.filled == 30


def test_an_ioc_order_does_not_rest(engine: Engine) -> None:
    assert names(engine.submit(order(BUY, 15, 102, tif="IOC"))) == [
        "Accepted",
        "Traded 10@102",
        "Expired IOC",
    ]
    assert engine.open_orders() == []


def test_a_fok_order_fills_wholly_or_not_at_all(engine: Engine) -> None:
    before = engine.state_hash()
    assert names(engine.submit(order(BUY, 31, 103, tif="FOK"))) == ["Accepted", "Expired FOK"]
    assert engine.state_hash() == before
    assert names(engine.submit(order(BUY, 30, 103, tif="FOK"))) == [
        "Accepted",
        "Traded 10@102",
        "Traded 20@103",
    ]


def test_a_venue_may_reject_an_unfillable_fok_instead(kind: Kind) -> None:
    engine = kind(LINEAR, unfillable_fok="REJECT")
    events = engine.submit(order(BUY, 1, 100, tif="FOK"))
    assert names(events) == ["Rejected FOK"]
    assert events[0].order.status == "REJECTED"


@pytest.mark.parametrize(("price", "expected"), [(101, "Accepted"), (102, "Rejected POST_ONLY")])
def test_a_post_only_order_never_takes(engine: Engine, price: int, expected: str) -> None:
    assert names(engine.submit(order(BUY, 1, price, post_only=True))) == [expected]


def test_a_post_only_order_does_not_take_from_users_either(engine: Engine) -> None:
    engine.submit(order(SELL, 1, 101))
    assert names(engine.submit(order(BUY, 1, 101, account="b", post_only=True))) == ["Rejected POST_ONLY"]


@pytest.mark.parametrize(
    "bad",
    [
        order(BUY, 0, 100),
        order(BUY, 1, 0),
        order(BUY, 1, 100, filled=1),
        order(BUY, 1, 100, tif="IOC", post_only=True),
    ],
)
def test_an_order_that_makes_no_sense_is_an_error(engine: Engine, bad: object) -> None:
    with pytest.raises(OrderError):
        engine.submit(bad)
    assert engine.open_orders() == []


def test_an_open_order_cannot_be_entered_again(engine: Engine) -> None:
    first = order(BUY, 1, 100)
    engine.submit(first)
    with pytest.raises(OrderError):
        engine.submit(order(BUY, 1, 100, order_id=first.order_id))


def test_events_are_snapshots(engine: Engine) -> None:
    mine = order(BUY, 5, 101)
    (accepted,) = engine.submit(mine)
    engine.public_trade(101, 2, SELL)
    assert accepted.order.filled == 0
    assert accepted.order.symbol == LINEAR.symbol
    assert mine.filled == 2


# -- users among themselves ----------------------------------------------------------------------------


def test_users_trade_by_price_and_then_by_time(engine: Engine) -> None:
    late_best, first, second = order(SELL, 1, 101), order(SELL, 2, 102), order(SELL, 4, 102)
    for maker in (first, second, late_best):
        engine.submit(maker)
    events = engine.submit(order(BUY, 15, 102, account="b"))
    assert [event.order.order_id for event in events if isinstance(event, Traded) and event.is_maker] == [
        late_best.order_id,
        first.order_id,
        second.order_id,
    ]
    assert fills(events) == [(101, 1), (101, 1), (102, 10), (102, 2), (102, 2), (102, 2), (102, 2)]


def test_external_lots_ahead_trade_first_and_those_that_came_later_last(engine: Engine) -> None:
    engine.submit(order(SELL, 5, 102))
    engine.set_level(SELL, 102, 12)
    engine.submit(order(SELL, 5, 102))
    events = engine.submit(order(BUY, 18, 102, account="b"))
    taken = [
        (event.lots, event.counterparty)
        for event in events
        if isinstance(event, Traded) and not event.is_maker
    ]
    assert taken == [(10, None), (5, "a"), (2, None), (1, "a")]


def test_both_sides_of_a_trade_carry_its_id_and_each_other(engine: Engine) -> None:
    engine.submit(order(SELL, 5, 101))
    taker, maker = engine.submit(order(BUY, 5, 101, account="b"))[1:]
    assert isinstance(taker, Traded)
    assert isinstance(maker, Traded)
    assert (taker.trade_id, taker.is_maker, taker.counterparty) == (1, False, "a")
    assert (maker.trade_id, maker.is_maker, maker.counterparty) == (1, True, "b")


@pytest.mark.parametrize(
    ("mode", "expected", "resting"),
    [
        (
            "EXPIRE_MAKER",
            ["Accepted", "Traded 3@101", "Traded 3@101", "Expired STP", "Traded 10@102"],
            ["BUY"],
        ),
        ("EXPIRE_TAKER", ["Accepted", "Traded 3@101", "Traded 3@101", "Expired STP"], ["SELL"]),
        ("EXPIRE_BOTH", ["Accepted", "Traded 3@101", "Traded 3@101", "Expired STP", "Expired STP"], []),
        ("NONE", ["Accepted", *["Traded 3@101"] * 2, *["Traded 5@101"] * 2, "Traded 10@102"], ["BUY"]),
    ],
)
def test_self_trade_prevention(engine: Engine, mode: str, expected: list[str], resting: list[str]) -> None:
    engine.submit(order(SELL, 3, 101, account="b"))
    engine.submit(order(SELL, 5, 101, account="a"))
    events = engine.submit(order(BUY, 20, 102, account="a", self_trade=mode))
    assert names(events) == expected
    assert [o.side.name for o in engine.open_orders()] == resting


def test_a_fok_order_does_not_count_its_own_accounts_orders(engine: Engine) -> None:
    engine.submit(order(SELL, 5, 101))
    assert names(engine.submit(order(BUY, 5, 101, tif="FOK"))) == ["Accepted", "Expired FOK"]
    assert len(engine.open_orders()) == 1


# -- the market meets resting orders -------------------------------------------------------------------


def test_public_trades_fill_only_after_the_queue_ahead(engine: Engine) -> None:
    engine.submit(order(BUY, 5, 100))
    assert engine.public_trade(100, 8, SELL) == []
    assert fills(engine.public_trade(100, 4, SELL)) == [(100, 2)]
    assert fills(engine.public_trade(100, 9, SELL)) == [(100, 3)]


def test_a_public_trade_of_the_same_side_does_not_fill(engine: Engine) -> None:
    engine.submit(order(BUY, 5, 101))
    assert engine.public_trade(101, 8, BUY) == []


def test_the_queue_is_capped_by_the_level_but_not_shortened_by_cancels_behind(engine: Engine) -> None:
    mine = order(BUY, 5, 100)
    engine.submit(mine)
    engine.set_level(BUY, 100, 30)
    assert ahead(engine, mine) == 10
    engine.set_level(BUY, 100, 11)
    assert ahead(engine, mine) == 10
    engine.set_level(BUY, 100, 4)
    assert ahead(engine, mine) == 4


def test_the_queue_is_gone_when_the_touch_moves_behind_the_order(engine: Engine) -> None:
    mine = order(BUY, 5, 100)
    engine.submit(mine)
    engine.set_top(99, 7, 102, 1)
    assert ahead(engine, mine) == 0


def test_a_trade_through_a_price_fills_it_by_the_lots_that_traded(engine: Engine) -> None:
    engine.submit(order(BUY, 5, 100))
    engine.submit(order(BUY, 5, 101))
    assert fills(engine.public_trade(99, 7, SELL)) == [(101, 5), (100, 2)]


def test_a_trade_through_a_price_used_up_its_queue(engine: Engine) -> None:
    mine = order(BUY, 5, 100)
    engine.submit(mine)
    engine.public_trade(99, 2, SELL)
    assert (mine.filled, ahead(engine, mine)) == (2, 0)


def test_what_users_take_ahead_shortens_the_queue(engine: Engine) -> None:
    mine = order(BUY, 5, 100)
    engine.submit(mine)
    engine.submit(order(SELL, 4, 100, account="b"))
    assert ahead(engine, mine) == 6
    assert engine.check_invariants() == []


def test_a_level_gives_no_more_than_it_holds(engine: Engine) -> None:
    engine.submit(order(SELL, 5, 102))
    assert names(engine.submit(order(BUY, 100, 102, account="b", tif="IOC"))) == [
        "Accepted",
        "Traded 10@102",
        "Traded 5@102",
        "Traded 5@102",
        "Expired IOC",
    ]


def test_one_public_trade_is_shared_by_the_orders_of_a_level(engine: Engine) -> None:
    engine.submit(order(BUY, 5, 100))
    engine.set_level(BUY, 100, 12)
    engine.submit(order(BUY, 5, 100))
    assert fills(engine.public_trade(100, 20, SELL)) == [(100, 5), (100, 3)]


def test_an_external_level_that_crosses_fills_at_the_orders_own_price(engine: Engine) -> None:
    engine.submit(order(BUY, 15, 101))
    (traded,) = engine.set_top(98, 1, 99, 6)
    assert isinstance(traded, Traded)
    assert (traded.price_ticks, traded.lots, traded.is_maker, traded.counterparty) == (101, 6, True, None)
    assert engine.check_invariants() == []


def test_taken_external_lots_come_back_only_with_another_quantity(engine: Engine) -> None:
    engine.submit(order(BUY, 10, 102))
    assert engine.best_ask() == 103
    engine.set_level(SELL, 102, 10)
    engine.set_top(100, 10, 102, 10)
    engine.set_book([(100, 10)], [(102, 10), (103, 20)])
    assert engine.best_ask() == 103
    engine.set_level(SELL, 102, 9)
    assert engine.best_ask() == 102


def test_telling_the_same_book_again_changes_nothing(engine: Engine) -> None:
    engine.submit(order(BUY, 4, 102))
    engine.submit(order(BUY, 4, 101))
    before = engine.state_hash()
    assert engine.set_book([(100, 10), (99, 20)], [(102, 10), (103, 20)]) == []
    assert engine.state_hash() == before


def test_a_touch_of_zero_lots_leaves_only_what_is_worse(engine: Engine) -> None:
    engine.set_top(100, 0, 103, 5)
    assert engine.depth(5) == ([(99, 20)], [(103, 5)])


def test_a_top_of_book_feed_shows_no_queue_below_the_touch_until_it_gets_there(kind: Kind) -> None:
    engine = kind(LINEAR, feed="top")
    engine.set_top(100, 10, 102, 10)
    mine = order(BUY, 5, 99)
    engine.submit(mine)
    assert engine.public_trade(99, 1000, SELL) == []
    engine.set_top(99, 7, 100, 3)
    assert ahead(engine, mine) == 7
    assert fills(engine.public_trade(99, 9, SELL)) == [(99, 2)]


def test_a_top_of_book_feed_shows_no_queue_before_its_first_quote(kind: Kind) -> None:
    engine = kind(LINEAR, feed="top")
    engine.submit(order(BUY, 5, 99))
    assert engine.public_trade(99, 1000, SELL) == []
    assert fills(engine.public_trade(98, 2, SELL)) == [(99, 2)]


def test_a_top_of_book_feed_puts_an_order_above_the_touch_first(kind: Kind) -> None:
    engine = kind(LINEAR, feed="top")
    engine.set_top(100, 10, 103, 10)
    mine = order(BUY, 5, 101)
    engine.submit(mine)
    assert ahead(engine, mine) == 0


def test_impossible_market_data_is_an_error(engine: Engine) -> None:
    for impossible in (
        lambda: engine.set_level(BUY, 0, 1),
        lambda: engine.set_level(BUY, 100, -1),
        lambda: engine.set_top(100, -1, 101, 1),
        lambda: engine.public_trade(0, 1, BUY),
        lambda: engine.public_trade(100, -1, BUY),
    ):
        with pytest.raises(OrderError):
            impossible()


# -- cancel and amend ----------------------------------------------------------------------------------


def test_cancel_takes_the_order_out_once(engine: Engine) -> None:
    mine = order(BUY, 5, 100)
    engine.submit(mine)
    assert names(engine.cancel(mine.order_id)) == ["Canceled USER"]
    assert engine.cancel(mine.order_id) == []
    assert engine.order(mine.order_id) is None


def test_cancel_all_takes_one_accounts_orders(engine: Engine) -> None:
    for account in ("a", "b", "a"):
        engine.submit(order(BUY, 5, 100, account=account))
    assert names(engine.cancel_all("a")) == ["Canceled USER"] * 2
    assert [o.account for o in engine.open_orders()] == ["b"]


def test_amend_loses_the_place_in_the_queue(engine: Engine) -> None:
    engine.set_top(101, 3, 102, 3)
    first, second = order(BUY, 5, 101), order(BUY, 5, 101)
    engine.submit(first)
    engine.submit(second)
    (amended,) = engine.amend(first.order_id, lots=4)
    assert (amended.order.lots, amended.order.price, amended.order.queue_ahead) == (4, 101, 0)
    (traded,) = engine.public_trade(101, 4, SELL)
    assert traded.order.order_id == second.order_id


def test_amend_to_a_crossing_price_takes(engine: Engine) -> None:
    mine = order(BUY, 5, 100)
    engine.submit(mine)
    assert names(engine.amend(mine.order_id, price=102)) == ["Amended", "Traded 5@102"]


def test_amend_to_what_is_filled_already_cancels(engine: Engine) -> None:
    mine = order(BUY, 5, 101)
    engine.submit(mine)
    engine.public_trade(101, 3, SELL)
    assert names(engine.amend(mine.order_id, lots=3)) == ["Canceled AMEND"]


def test_amend_of_a_post_only_order_into_the_market_cancels_it(engine: Engine) -> None:
    mine = order(BUY, 5, 100, post_only=True)
    engine.submit(mine)
    assert names(engine.amend(mine.order_id, price=102)) == ["Canceled POST_ONLY"]


def test_amend_of_an_unknown_order_does_nothing_and_of_nonsense_is_an_error(engine: Engine) -> None:
    assert engine.amend(-1, price=5) == []
    mine = order(BUY, 5, 100)
    engine.submit(mine)
    with pytest.raises(OrderError):
        engine.amend(mine.order_id, price=0)


# -- reduce-only ---------------------------------------------------------------------------------------


class Desk:
    """An engine whose users have positions."""

    def __init__(self, kind: Kind, mode: str = "CLIP") -> None:
        self.positions: dict[tuple[str, str], int] = {}
        self.engine = kind(LINEAR, position_of=lambda *key: self.positions.get(key, 0), reduce_only=mode)

    def settle(self, events: list) -> list:
        for event in events:
            if isinstance(event, Traded):
                key = (event.order.account, event.order.position_side)
                self.positions[key] = self.positions.get(key, 0) + event.order.side * event.lots
        return events


def test_a_reduce_only_order_without_a_position_to_reduce_is_rejected(kind: Kind) -> None:
    desk = Desk(kind)
    assert names(desk.engine.submit(order(SELL, 1, 100, reduce_only=True))) == ["Rejected REDUCE_ONLY"]
    desk.positions["a", "BOTH"] = 5
    assert names(desk.engine.submit(order(BUY, 1, 100, reduce_only=True))) == ["Rejected REDUCE_ONLY"]


def test_a_reduce_only_order_larger_than_the_position_is_clipped_or_rejected(kind: Kind) -> None:
    for mode, expected in (("CLIP", "Accepted"), ("REJECT", "Rejected REDUCE_ONLY")):
        desk = Desk(kind, mode)
        desk.positions["a", "BOTH"] = 5
        (event,) = desk.engine.submit(order(SELL, 8, 100, reduce_only=True))
        assert names([event]) == [expected]
        assert event.order.lots == (5 if mode == "CLIP" else 8)


def test_resting_reduce_only_orders_close_the_position_once_and_expire(kind: Kind) -> None:
    desk = Desk(kind)
    desk.positions["a", "BOTH"] = 5
    for price in (101, 102, 103):
        desk.engine.submit(order(SELL, 4, price, reduce_only=True))
    events = desk.settle(desk.engine.public_trade(110, 100, BUY))
    assert names(events) == ["Traded 4@101", "Traded 1@102", "Expired REDUCE_ONLY", "Expired REDUCE_ONLY"]
    assert desk.positions["a", "BOTH"] == 0
    assert desk.engine.open_orders() == []


def test_one_taker_closes_a_position_once_through_several_reduce_only_orders(kind: Kind) -> None:
    desk = Desk(kind)
    desk.positions["a", "BOTH"] = 5
    for _ in range(2):
        desk.engine.submit(order(SELL, 4, 101, reduce_only=True))
    assert names(desk.engine.submit(order(BUY, 5, 101, account="b", tif="FOK"))) == [
        "Accepted",
        *["Traded 4@101"] * 2,
        *["Traded 1@101"] * 2,
        "Expired REDUCE_ONLY",
    ]


def test_a_self_trade_leaves_the_position_and_so_what_can_be_reduced(kind: Kind) -> None:
    desk = Desk(kind)
    desk.positions["a", "BOTH"] = 5
    for _ in range(2):
        desk.engine.submit(order(SELL, 4, 101, reduce_only=True))
    assert fills(desk.engine.submit(order(BUY, 8, 101, self_trade="NONE"))) == [(101, 4)] * 4


def test_a_taker_passes_over_reduce_only_orders_that_have_nothing_to_reduce(kind: Kind) -> None:
    desk = Desk(kind)
    desk.positions["a", "BOTH"] = 5
    desk.engine.submit(order(SELL, 4, 101, reduce_only=True))
    desk.positions["a", "BOTH"] = 0  # liquidated elsewhere
    events = desk.engine.submit(order(BUY, 4, 101, account="b"))
    assert names(events) == ["Accepted", "Expired REDUCE_ONLY"]
    assert desk.engine.check_invariants() == []


def test_idle_reduce_only_orders_expire_on_request(kind: Kind) -> None:
    desk = Desk(kind)
    desk.positions["a", "LONG"] = 5
    desk.engine.submit(order(SELL, 4, 101, reduce_only=True, position_side="LONG"))
    assert desk.engine.expire_idle_reduce_only() == []
    desk.positions["a", "LONG"] = 0
    (event,) = desk.engine.expire_idle_reduce_only()
    assert isinstance(event, Expired)


def test_idle_reduce_only_orders_expire_in_order_of_arrival(kind: Kind) -> None:
    desk = Desk(kind)
    desk.positions |= {("a", "BOTH"): 5, ("b", "BOTH"): -5}
    entered = [order(SELL, 4, 103), order(SELL, 4, 101), order(BUY, 4, 99, account="b"), order(SELL, 4, 102)]
    for each in entered:
        each.reduce_only = True
        desk.engine.submit(each)
    desk.positions.clear()
    expired = [event.order.order_id for event in desk.engine.expire_idle_reduce_only()]
    assert expired == [each.order_id for each in entered]
    assert desk.engine.check_invariants() == []


def test_an_external_level_crossing_an_idle_reduce_only_order_expires_it(kind: Kind) -> None:
    desk = Desk(kind)
    desk.positions["a", "BOTH"] = 5
    desk.engine.submit(order(SELL, 4, 101, reduce_only=True))
    desk.positions["a", "BOTH"] = 0
    assert names(desk.engine.set_level(BUY, 101, 9)) == ["Expired REDUCE_ONLY"]


def test_several_levels_of_one_update_reduce_a_position_once(kind: Kind) -> None:
    desk = Desk(kind)
    desk.positions["a", "BOTH"] = 5
    desk.engine.submit(order(SELL, 5, 101, reduce_only=True))
    desk.engine.submit(order(SELL, 5, 102, reduce_only=True))
    events = desk.engine.set_levels([(101, 5), (102, 5), (103, 5)], [])
    assert names(events) == ["Traded 5@101", "Expired REDUCE_ONLY"]


def test_amending_a_reduce_only_order_clips_it_again(kind: Kind) -> None:
    desk = Desk(kind)
    desk.positions["a", "BOTH"] = 5
    mine = order(SELL, 2, 101, reduce_only=True)
    desk.engine.submit(mine)
    (event,) = desk.engine.amend(mine.order_id, lots=50)
    assert event.order.lots == 5
    desk.positions["a", "BOTH"] = 0
    assert names(desk.engine.amend(mine.order_id, price=102)) == ["Expired REDUCE_ONLY"]


# -- readings ------------------------------------------------------------------------------------------


def test_cost_to_take_tells_and_changes_nothing(engine: Engine) -> None:
    before = engine.state_hash()
    assert engine.cost_to_take(BUY, 15) == (15, 10 * 102 + 5 * 103)
    assert engine.cost_to_take(SELL, 40, limit=100) == (10, 10 * 100)
    assert engine.state_hash() == before


def test_the_hash_tells_different_books_apart(engine: Engine) -> None:
    hashes = {engine.state_hash()}
    mine = order(BUY, 5, 100)
    engine.submit(mine)
    hashes.add(engine.state_hash())
    engine.set_level(BUY, 100, 4)
    hashes.add(engine.state_hash())
    engine.cancel(mine.order_id)
    hashes.add(engine.state_hash())
    assert len(hashes) == 4


def test_trade_ids_go_on_from_where_they_are_told(kind: Kind) -> None:
    engine = kind(LINEAR, 500)
    engine.set_top(100, 1, 101, 1)
    (_, traded) = engine.submit(order(BUY, 1))
    assert isinstance(traded, Traded)
    assert (traded.trade_id, engine.next_trade_id) == (500, 501)


def test_damage_is_seen_by_the_check(engine: Engine) -> None:
    mine = order(BUY, 5, 100)
    engine.submit(mine)
    assert engine.check_invariants() == []
    if isinstance(engine, KernelEngine):
        cells = engine._state.cells
        place = engine._state.order_at(0)
        cells[place + layout.AHEAD], cells[place + layout.RANK], cells[layout.REDUCING] = 11, 99, 1
    mine.queue_ahead, mine.filled = 11, 6
    assert len(engine.check_invariants()) >= 2


def test_the_grid_is_exact() -> None:
    assert LINEAR.to_ticks(Decimal("60000.10")) == 600001
    assert LINEAR.to_lots(Decimal("1.234")) == 1234
    assert (LINEAR.nearest_ticks(60000.1), LINEAR.nearest_lots(1.2339999)) == (600001, 1234)
    for off in (lambda: LINEAR.to_ticks(Decimal("60000.15")), lambda: LINEAR.to_lots(Decimal("0.0015"))):
        with pytest.raises(OrderError, match="quantise"):
            off()


def test_an_instrument_without_a_grid_is_an_error() -> None:
    with pytest.raises(OrderError):
        msgspec.structs.replace(LINEAR, tick=Decimal(0))


def test_a_touch_that_shows_worse_than_an_order_ends_its_unknown_queue(kind: Kind) -> None:
    engine = kind(LINEAR, feed="top")
    engine.submit(order(BUY, 1, 100))  # nothing is known of the bids yet
    engine.set_level(BUY, 98, 1)
    engine.submit(order(BUY, 1, 100))
    assert [resting.queue_ahead for resting in engine.open_orders()] == [0, 0]
    assert engine.check_invariants() == []


def test_a_touch_that_goes_away_ends_the_unknown_queue_of_the_orders_above_what_is_left(kind: Kind) -> None:
    engine = kind(LINEAR, feed="top")
    engine.set_top(98, 1, 0, 0)
    engine.set_top(100, 1, 0, 0)
    engine.submit(order(BUY, 1, 99))  # behind the touch: its queue is unknown
    engine.set_top(100, 0, 0, 0)
    engine.submit(order(BUY, 1, 99))
    assert [resting.queue_ahead for resting in engine.open_orders()] == [0, 0]
    assert engine.check_invariants() == []
