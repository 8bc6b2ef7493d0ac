"""The native engine against the plain one: equal histories give equal reports and equal state, after every step."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_histories import HISTORY, SETTINGS, World

from nexustrader.sim.kernel import state
from nexustrader.sim.kernel.engine import KernelEngine
from nexustrader.sim.matching import MatchingEngine

pytestmark = pytest.mark.timeout(600)  # the first test that plays natively may have to compile the kernel

HELD = st.tuples(*[st.sampled_from([-30, -12, -5, 0, 5, 12, 30])] * 3)


def live_side_by_side(options: dict[str, Any], held: tuple[int, ...], history: list[Any]) -> None:
    plain, native = World(MatchingEngine, held, options), World(KernelEngine, held, options)
    for world in (plain, native):
        world.book([(99, 8), (98, 13)], [(101, 8), (102, 13)])
    for number, step in enumerate(history):
        assert native.live(step) == plain.live(step), (number, step)
        assert native.engine.state_hash() == plain.engine.state_hash(), (number, step)
        assert native.engine.open_orders() == plain.engine.open_orders(), (number, step)
    assert native.engine.check_invariants() == plain.engine.check_invariants() == []
    for reading in ("best_bid", "best_ask", "external_best_bid", "external_best_ask"):
        assert getattr(native.engine, reading)() == getattr(plain.engine, reading)(), reading


@pytest.mark.slow
@settings(max_examples=200)
@given(SETTINGS, HELD, HISTORY)
def test_both_engines_report_the_same_and_end_in_the_same_state(
    options: Any, held: Any, history: Any
) -> None:
    live_side_by_side(options, held, history)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@settings(max_examples=10_000, suppress_health_check=list(HealthCheck))
@given(SETTINGS, HELD, HISTORY)
def test_both_engines_agree_at_length(options: Any, held: Any, history: Any) -> None:
    live_side_by_side(options, held, history)


@pytest.mark.slow
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SETTINGS, HELD, HISTORY)
def test_a_state_that_has_to_grow_at_every_turn_stays_the_same(
    monkeypatch: pytest.MonkeyPatch, options: Any, held: Any, history: Any
) -> None:
    for first in ("LEVELS_FIRST", "ORDERS_FIRST", "KEYS_FIRST"):
        monkeypatch.setattr(state, first, 1)
    live_side_by_side(options, held, history)
