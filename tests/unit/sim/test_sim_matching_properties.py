"""The matching engine under random users and a random market, judged by a referee from its events."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sim_setup import BUY, LINEAR, SELL, order

from nexustrader.kernel.entropy import Entropy
from nexustrader.sim.kernel.engine import KernelEngine
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.types import Amended, Expired, MatchEvent, Side, SimOrder, Traded

pytestmark = pytest.mark.timeout(600)  # the first test that plays natively may have to compile the kernel

SIDES = st.sampled_from(list(Side))
PRICES = st.integers(98, 102)
LOTS = st.integers(1, 9)
LEVELS = st.dictionaries(PRICES, st.integers(0, 20), max_size=5).map(lambda levels: list(levels.items()))
ACCOUNTS = st.sampled_from("abc")


class Referee(RuleBasedStateMachine):
    """Knows the rules of fair matching, not how the engine follows them."""

    kind: type[MatchingEngine] | type[KernelEngine] = MatchingEngine

    @initialize(
        reduce_only=st.sampled_from(["CLIP", "REJECT"]),
        fok=st.sampled_from(["EXPIRE", "REJECT"]),
        feed=st.sampled_from(["depth", "top"]),
        held=st.tuples(*[st.integers(-12, 12)] * 3),
        levels=st.tuples(*[st.integers(0, 12)] * 4),
    )
    def start(self, reduce_only: str, fok: str, feed: str, held, levels) -> None:
        self.positions: dict[tuple[str, str], int] = defaultdict(int)
        self.positions |= {(account, "BOTH"): lots for account, lots in zip("abc", held, strict=True)}
        self.engine = self.kind(
            LINEAR,
            position_of=lambda account, position_side: self.positions[account, position_side],
            reduce_only=reduce_only,
            unfillable_fok=fok,
            feed=feed,
        )
        self.told: dict[Side, dict[int, int]] = {BUY: {}, SELL: {}}
        self.taken: dict[Side, dict[int, int]] = {BUY: defaultdict(int), SELL: defaultdict(int)}
        self.resting: dict[int, SimOrder] = {}  # last snapshots, in order of arrival at their price
        self.next_id = 1
        self.next_trade_id = 1
        best_bid, bid, ask, best_ask = levels
        self.book([(99, best_bid), (98, bid)], [(101, best_ask), (102, ask)])

    # -- what users do --------------------------------------------------------------------------------------

    @rule(
        side=SIDES,
        price=st.none() | PRICES,
        lots=LOTS,
        account=ACCOUNTS,
        tif=st.sampled_from(["GTC", "GTC", "IOC", "FOK"]),
        post_only=st.booleans(),
        reduce_only=st.sampled_from([False, False, True]),
        self_trade=st.sampled_from(["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH"]),
    )
    def submit(self, side, price, lots, account, tif, post_only, reduce_only, self_trade) -> None:
        entered = order(
            side,
            lots,
            price,
            order_id=self.next_id,
            account=account,
            tif=tif,
            post_only=post_only and price is not None and tif == "GTC",
            reduce_only=reduce_only,
            self_trade=self_trade,
        )
        self.next_id += 1
        events = self.engine.submit(entered)
        self.judge(events, taker_id=entered.order_id)
        took = [event for event in events if isinstance(event, Traded) and not event.is_maker]
        if entered.post_only or entered.status == "REJECTED":
            assert not took
        expired_by_stp = [e.order for e in events if isinstance(e, Expired) and e.reason == "STP"]
        assert all(o.account == account for o in expired_by_stp)
        assert (entered in expired_by_stp) <= (self_trade in ("EXPIRE_TAKER", "EXPIRE_BOTH"))
        if self_trade in ("NONE", "EXPIRE_TAKER"):
            assert not [o for o in expired_by_stp if o != entered]
        if self_trade != "NONE":
            assert all(event.counterparty != account for event in took)
        if tif == "FOK":
            assert entered.filled in (0, entered.lots)
            if not entered.filled:
                assert not any(event.order.order_id != entered.order_id for event in events)
        if price is None or tif != "GTC":
            assert not entered.is_open
        assert entered.lots <= lots

    @rule(
        account=ACCOUNTS,
        distances=st.tuples(st.integers(0, 2), st.integers(1, 2)),
        lots=st.tuples(LOTS, LOTS),
        reduce_only=st.sampled_from([False, False, True]),
    )
    def quote(self, account, distances, lots, reduce_only) -> None:
        """Makers on both sides, so that there is something to meet."""
        for side, distance, size in zip((BUY, SELL), distances, lots, strict=True):
            price = 100 - side * distance
            maker = order(side, size, price, order_id=self.next_id, account=account, reduce_only=reduce_only)
            self.next_id += 1
            self.judge(self.engine.submit(maker), taker_id=maker.order_id)

    @precondition(lambda self: self.resting)
    @rule(data=st.data(), price=st.none() | PRICES, lots=st.none() | LOTS)
    def amend(self, data, price, lots) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.resting)))
        self.judge(self.engine.amend(order_id, price, lots), taker_id=order_id)

    @rule(data=st.data())
    def cancel(self, data) -> None:
        order_id = data.draw(st.sampled_from([0, *sorted(self.resting)]))
        events = self.engine.cancel(order_id)
        assert [event.order.order_id for event in events] == ([order_id] if order_id else [])
        self.judge(events)

    @rule(account=ACCOUNTS)
    def liquidate(self, account) -> None:
        self.positions[account, "BOTH"] = 0
        self.judge(self.engine.expire_idle_reduce_only())

    # -- what the market does -------------------------------------------------------------------------------

    @rule(side=SIDES, price=PRICES, lots=st.integers(0, 20))
    def level(self, side, price, lots) -> None:
        self.tell(side, price, lots)
        self.judge(self.engine.set_level(side, price, lots))

    @rule(bids=LEVELS, asks=LEVELS)
    def levels(self, bids, asks) -> None:
        for side, levels in ((BUY, bids), (SELL, asks)):
            for price, lots in levels:
                self.tell(side, price, lots)
        self.judge(self.engine.set_levels(bids, asks))

    @rule(bids=LEVELS, asks=LEVELS)
    def book(self, bids, asks) -> None:
        for side, levels in ((BUY, dict(bids)), (SELL, dict(asks))):
            for price in {*self.told[side], *levels}:
                self.tell(side, price, levels.get(price, 0))
        self.judge(self.engine.set_book(bids, asks))
        before = self.engine.state_hash()
        assert self.engine.set_book(bids, asks) == []
        assert self.engine.state_hash() == before

    @rule(bid=PRICES, spread=st.integers(1, 3), bid_lots=st.integers(0, 20), ask_lots=st.integers(0, 20))
    def top(self, bid, spread, bid_lots, ask_lots) -> None:
        ask = bid + spread
        for side, touch in ((BUY, bid), (SELL, ask)):
            for price in [price for price in self.told[side] if side * price > side * touch]:
                self.tell(side, price, 0)
        self.tell(BUY, bid, bid_lots)
        self.tell(SELL, ask, ask_lots)
        self.judge(self.engine.set_top(bid, bid_lots, ask, ask_lots))

    @rule(price=PRICES, lots=LOTS, aggressor=SIDES)
    def trade(self, price, lots, aggressor) -> None:
        queues = [o.queue_ahead for o in self.resting_at(aggressor.opposite, price)]
        events = self.engine.public_trade(price, lots, aggressor)
        filled = [event for event in events if isinstance(event, Traded)]
        assert sum(event.lots for event in filled) <= lots
        assert all(aggressor * event.price_ticks <= aggressor * price for event in filled)
        if queues:
            better = sum(event.lots for event in filled if event.price_ticks != price)
            here = sum(event.lots for event in filled if event.price_ticks == price)
            assert here <= max(0, lots - better - queues[0])
        self.judge(events, consumes=False)

    def resting_at(self, side: Side, price: int) -> list[SimOrder]:
        return [self.engine.order(i) for i, o in self.resting.items() if (o.side, o.price) == (side, price)]

    def tell(self, side: Side, price: int, lots: int) -> None:
        if self.told[side].get(price, 0) != lots:
            self.told[side][price] = lots
            self.taken[side].pop(price, None)

    # -- the judgement --------------------------------------------------------------------------------------

    def judge(self, events: list[MatchEvent], taker_id: int = 0, *, consumes: bool = True) -> None:
        trades: dict[int, list[Traded]] = defaultdict(list)
        before = dict(self.resting)
        for event in events:
            assert 0 <= event.order.filled <= event.order.lots
            if isinstance(event, Traded):
                trades[event.trade_id].append(event)
                self.judge_execution(event, taker_id)
            self.follow(event)
        self.judge_trades(trades, consumes=consumes)
        self.judge_priority(
            before, [event for event in events if isinstance(event, Traded) and event.is_maker]
        )
        assert {o.order_id for o in self.engine.open_orders()} == set(self.resting)

    def judge_execution(self, event: Traded, taker_id: int) -> None:
        executed = event.order
        assert event.is_maker == (executed.order_id != taker_id)
        if executed.price is not None:
            improvement = executed.side * (executed.price - event.price_ticks)
            assert improvement == 0 if event.is_maker else improvement >= 0
        key = (executed.account, executed.position_side)
        moved = executed.side * event.lots
        if executed.reduce_only and event.counterparty != executed.account:
            assert self.positions[key] * executed.side < 0
            assert abs(self.positions[key]) >= event.lots
        self.positions[key] += moved

    def judge_trades(self, trades: dict[int, list[Traded]], *, consumes: bool) -> None:
        for trade_id, sides in trades.items():
            assert trade_id == self.next_trade_id
            self.next_trade_id += 1
            first = sides[0]
            assert first.lots > 0
            if first.counterparty is not None:
                taker, maker = sides
                assert (taker.price_ticks, taker.lots) == (maker.price_ticks, maker.lots)
                assert taker.order.side == maker.order.side.opposite
                assert (taker.is_maker, maker.is_maker) == (False, True)
                assert (taker.counterparty, maker.counterparty) == (maker.order.account, taker.order.account)
            else:
                assert len(sides) == 1
                if consumes:
                    self.consume(first)

    def consume(self, event: Traded) -> None:
        """The market's lots must have been there: at a taker's price, or crossing a maker's."""
        side, left = event.order.side.opposite, event.lots
        told, taken = self.told[side], self.taken[side]
        prices = [event.price_ticks]
        if event.is_maker:
            prices = [price for price in told if side * (price - event.price_ticks) >= 0]
        for price in sorted(prices, reverse=side is BUY):
            lots = min(left, told.get(price, 0) - taken[price])
            taken[price] += lots
            left -= lots
        assert left == 0

    def judge_priority(self, before: dict[int, SimOrder], makers: list[Traded]) -> None:
        """Whoever stood before a maker that traded has traded to the end, or was expired."""
        for event in makers:
            for other_id, other in before.items():
                ranks_before = other.side * (other.price - event.order.price)
                arrival = list(before)
                earlier = ranks_before > 0 or (
                    ranks_before == 0 and arrival.index(other_id) < arrival.index(event.order.order_id)
                )
                if other.side == event.order.side and earlier:
                    assert other_id not in self.resting

    def follow(self, event: MatchEvent) -> None:
        snapshot = event.order
        if isinstance(event, Amended) or not snapshot.is_open:
            self.resting.pop(snapshot.order_id, None)
        if snapshot.is_open and snapshot.kind == "limit":
            self.resting[snapshot.order_id] = snapshot

    @invariant()
    def the_engine_finds_nothing_wrong(self) -> None:
        if hasattr(self, "engine"):
            assert self.engine.check_invariants() == []

    @invariant()
    def what_the_market_offers_is_what_was_told_less_what_was_taken(self) -> None:
        if not hasattr(self, "engine"):
            return
        for side, shown in zip((BUY, SELL), self.engine.depth(50), strict=True):
            offered: dict[int, int] = defaultdict(int)
            for price, lots in self.told[side].items():
                offered[price] += lots - self.taken[side][price]
            for resting in self.resting.values():
                if resting.side == side:
                    offered[resting.price] += resting.remaining
            assert dict(shown) == {price: lots for price, lots in offered.items() if lots}


class NativeReferee(Referee):
    kind = KernelEngine


class TestFairMatching(Referee.TestCase):
    settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


class TestFairNativeMatching(NativeReferee.TestCase):
    settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


@pytest.mark.slow
class TestFairMatchingAtLength(Referee.TestCase):
    settings = settings(max_examples=500, stateful_step_count=50, deadline=None)


@pytest.mark.slow
class TestFairNativeMatchingAtLength(NativeReferee.TestCase):
    settings = settings(max_examples=500, stateful_step_count=50, deadline=None)


def session(seed: int, steps: int, kind: type[MatchingEngine] | type[KernelEngine] = MatchingEngine) -> str:
    """Hash after a random session: users and market drawn from one seed."""
    draw = Entropy(seed)
    engine = kind(LINEAR)
    for step in range(steps):
        side = draw.choice(list(Side))
        price, lots = draw.randint(95, 105), draw.randint(1, 12)
        match draw.randint(0, 5):
            case 0 | 1:
                account = draw.choice("abc")
                engine.submit(order(side, lots, price, order_id=step, account=account, client_id=f"c{step}"))
            case 2:
                engine.set_level(side, price, lots)
            case 3:
                engine.set_top(price, lots, price + 1, lots)
            case 4:
                engine.public_trade(price, lots, side)
            case 5:
                engine.amend(draw.randint(0, step), price, lots)
    assert engine.check_invariants() == []
    return engine.state_hash()


def test_equal_histories_give_equal_hashes_and_others_do_not() -> None:
    assert session(1, 300) == session(1, 300, KernelEngine) != session(2, 300)


@pytest.mark.slow
def test_the_hash_does_not_depend_on_the_process() -> None:
    command = [
        sys.executable,
        "-c",
        "import test_sim_matching_properties as t; print(t.session(7, 2000, t.KernelEngine))",
    ]
    hashes = {
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert hashes == {session(7, 2000) + "\n"}
