"""The queue models, and what both engines make of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_histories import INSTRUMENT

from nexustrader.error import OrderError
from nexustrader.sim.kernel.engine import KernelEngine
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.queue import QueueModel
from nexustrader.sim.queue_pessimistic import PessimisticQueue
from nexustrader.sim.queue_power import POWER_MAX, PowerQueue
from nexustrader.sim.types import Side, SimOrder

pytestmark = pytest.mark.timeout(600)  # the first test that plays natively may have to compile the kernel

LOTS = st.integers(0, 1 << 50)
MODELS = st.sampled_from([PessimisticQueue(), *map(PowerQueue, range(1, POWER_MAX + 1))])


@given(MODELS, LOTS, LOTS, LOTS)
def test_the_lots_ahead_stay_within_what_is_known(
    model: QueueModel, ahead: int, before: int, now: int
) -> None:
    assert 0 <= model.ahead(ahead, before, now) <= min(ahead, now)


@given(MODELS, LOTS, st.integers(0, 1000))
def test_lots_that_join_change_nothing_ahead(model: QueueModel, ahead: int, joined: int) -> None:
    assert model.ahead(ahead, ahead, ahead + joined) == ahead


@given(LOTS, LOTS, LOTS, st.integers(1, POWER_MAX))
def test_no_guess_is_more_pessimistic(ahead: int, before: int, now: int, power: int) -> None:
    assert PowerQueue(power).ahead(ahead, before, now) <= PessimisticQueue().ahead(ahead, before, now)


@pytest.mark.parametrize(
    ("power", "expected"),
    [
        (1, 18),  # 10 of 40 leave; 20 of 40 ahead would lose 5, 24 loses 6
        (2, 18),  # f(back) = 256, f(front) = 576: 3.08 leave behind, 6.92 ahead: 17.08, rounded up
    ],
)
def test_cancels_are_shared_by_the_power_of_the_place(power: int, expected: int) -> None:
    assert PowerQueue(power).ahead(24, 40, 30) == expected


def test_near_the_front_a_higher_power_sees_fewer_cancels_ahead() -> None:
    assert [PowerQueue(power).ahead(100, 400, 200) for power in (1, 2, 3)] == [50, 80, 93]


def test_what_cannot_have_left_behind_left_ahead() -> None:
    """20 of 21 lots leave: behind were only 6, so 14 of the 15 ahead are gone whatever the model shares."""
    assert PowerQueue(1).ahead(15, 21, 1) == 1


def test_an_order_that_is_last_moves_with_every_cancel() -> None:
    assert PowerQueue(3).ahead(40, 40, 25) == 25


@pytest.mark.parametrize("power", [0, -1, POWER_MAX + 1, 1.5])
def test_a_power_is_a_whole_number_in_range(power: float) -> None:
    with pytest.raises(OrderError, match="power"):
        PowerQueue(power)


class GuessingQueue:
    def ahead(self, ahead: int, before: int, now: int) -> int:
        return min(ahead, now)

    def describe(self) -> str:
        return "nobody knows"


def test_a_model_of_ones_own_runs_in_the_plain_engine_alone() -> None:
    MatchingEngine(INSTRUMENT, queue=GuessingQueue())
    with pytest.raises(OrderError, match="GuessingQueue"):
        KernelEngine(INSTRUMENT, queue=GuessingQueue())


Engine = MatchingEngine | KernelEngine


@pytest.fixture(params=[MatchingEngine, KernelEngine], ids=["plain", "native"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """A buy of 5 at 100 behind 40 lots of the market, queue of power 1."""
    engine = request.param(INSTRUMENT, queue=PowerQueue(1))
    engine.set_book([(100, 40)], [(102, 10)])
    engine.submit(SimOrder(order_id=1, account="a", side=Side.BUY, lots=5, price=100))
    engine.set_level(Side.BUY, 100, 80)
    return engine


def ahead(engine: Engine, order_id: int = 1) -> int:
    return engine.order(order_id).queue_ahead


def test_cancels_move_the_order_forward(engine: Engine) -> None:
    engine.set_level(Side.BUY, 100, 60)
    assert ahead(engine) == 30


def test_a_decrease_that_trades_explain_is_no_cancel(engine: Engine) -> None:
    engine.public_trade(100, 20, Side.SELL)
    engine.set_level(Side.BUY, 100, 60)
    assert ahead(engine) == 20


def test_what_trades_do_not_explain_are_cancels(engine: Engine) -> None:
    engine.public_trade(100, 20, Side.SELL)  # 20 of 60 are ahead
    engine.set_level(Side.BUY, 100, 45)
    assert ahead(engine) == 15


def test_what_users_take_is_no_cancel(engine: Engine) -> None:
    engine.submit(SimOrder(order_id=2, account="b", side=Side.SELL, lots=20, price=100))
    assert ahead(engine) == 20
    engine.set_level(Side.BUY, 100, 60)
    assert ahead(engine) == 20


def test_telling_the_same_level_again_forgets_no_trade(engine: Engine) -> None:
    engine.public_trade(100, 20, Side.SELL)
    before = engine.state_hash()
    engine.set_level(Side.BUY, 100, 80)
    assert engine.state_hash() == before


def test_nobody_gets_in_front_of_an_order_that_came_before(engine: Engine) -> None:
    engine.public_trade(100, 30, Side.SELL)
    engine.submit(SimOrder(order_id=2, account="b", side=Side.BUY, lots=5, price=100))
    for lots in (70, 50, 20, 12, 3):
        engine.set_level(Side.BUY, 100, lots)
        assert ahead(engine, 1) <= ahead(engine, 2) <= lots
        assert engine.check_invariants() == []
