"""What is assumed of the venue: in the account, as the strategy sees it, and in the ledger of assumptions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from backtest_setup import MINUTE_MS, PERP, T0, AtBars, bars_of, flat_bars, run

from nexustrader.backtest.assumptions import Setup, assumptions
from nexustrader.sim.admission import BINANCE_USDM_RULES
from nexustrader.sim.fees import FeeSchedule, FeeTier
from nexustrader.sim.latency import Latency, SampledDelay
from nexustrader.sim.settings import Assumptions, SimSettings

D = Decimal
EIGHT_HOURS = 480  # bars, from midnight on
KEY = "binance:LINEAR_MOCK"


def test_a_perpetual_pays_funding_at_the_close_of_its_hour_and_only_what_was_held_before() -> None:
    bars = flat_bars([100.0] * (2 * EIGHT_HOURS + 5))
    for bought, sold, paid in (
        (1, EIGHT_HOURS - 1, "0"),
        (1, EIGHT_HOURS, "0.0995"),  # the mark is half a tick below: buyers led to a close at the ask
        (EIGHT_HOURS, EIGHT_HOURS + 1, "0"),
        (1, 2 * EIGHT_HOURS + 1, "0.199"),
    ):
        plan: dict[int, Any] = {bought: lambda s: s.buy("10"), sold: lambda s: s.sell("10")}
        result = run(AtBars(plan), bars, fees=0)
        lost = -result.realized_pnl
        assert 10_000 - result.balances[KEY]["USDT"] - lost == D(paid)


def test_a_wick_liquidates_and_the_strategy_sees_its_position_go() -> None:
    seen: list[Any] = []

    def look(strategy: Any) -> None:
        position = strategy.cache.get_position(PERP)
        seen.append(0 if position is None else position.signed_amount)

    plan = {1: lambda s: s.buy("900"), 3: look, 4: look, 5: lambda s: s.buy("1")}
    rows = [(100.0, 100.0, 100.0, 100.0)] * 3 + [(100.0, 100.0, 80.0, 99.0)] + [(99.0, 99.0, 99.0, 99.0)] * 3
    strategy = AtBars(plan)
    result = run(strategy, bars_of(rows), fees=0)
    assert seen == [900, 0]
    closing = result.fills[-1]
    assert closing.oid.startswith("autoclose-")
    assert T0 + 3 * MINUTE_MS < closing.timestamp <= T0 + 4 * MINUTE_MS
    assert result.balances[KEY]["USDT"] == 0
    assert result.position(PERP) is None
    assert strategy.orders[-1][0].startswith("failed: insufficient USDT")


def setup(**changes: Any) -> Setup:
    values: dict[str, Any] = {
        "interval": "1m", "latency_ms": 0, "ticks_behind_touch": 1, "fees": {KEY: "maker 0, taker 0"},
        "leverage": {KEY: "10"}, "has_spot": False, "has_derivatives": True, "default_balances": {},
        "default_instruments": (), "off_grid": {}, "notes": {}, "undelivered": (), "unpriced": (), "currency": "USDT",
    }  # fmt: skip
    return Setup(**{**values, **changes})


@pytest.mark.parametrize(
    ("assumed", "says"),
    [
        ({"latency": Latency(entry=SampledDelay((1, 2)), reply=3)}, "a command takes one of 2 sampled times"),
        ({"latency": Latency(feed=4)}, "market data takes 4 ms"),
        ({"slippage": 5}, "5 basis points worse"),
        ({"funding": False}, f"funding of {PERP} is neither paid nor received"),
        ({"funding": {PERP: [(T0, "0.0001")]}}, f"funding of {PERP} is paid at 1 recorded rates"),
        ({"margin": False}, "never liquidated"),
        ({"margin": "isolated"}, f"margin of {KEY} is isolated, at leverage 10"),
        (
            {"queue": 3},
            "where a level shrinks without a trade, those who cancel stood behind it by the share back^3",
        ),
        ({}, "where a level shrinks without a trade, those who cancel stood behind it, as long as"),
        ({"rules": BINANCE_USDM_RULES}, "more than 300 orders within 10 s"),
        (
            {"fees": FeeSchedule(tiers=(FeeTier(D(0), D("0.001"), D("0.002")),))},
            f"fees of {KEY}: by the value traded on the 30 days before",
        ),
    ],
)
def test_what_is_assumed_is_in_the_ledger(assumed: dict[str, Any], says: str) -> None:
    settings = {KEY: SimSettings(balances={}, assumed=Assumptions.of(**assumed))}
    told = assumptions(setup(settings=settings, perpetuals=(PERP,)))
    assert any(says in sentence.lower() or says.lower() in sentence.lower() for sentence in told)
    assert len(set(told)) == len(told)


def test_accounts_that_differ_are_named() -> None:
    settings = {
        "one": SimSettings(balances={}, latency_ms=5),
        "other": SimSettings(balances={}, assumed=Assumptions.of(latency=7, slippage=3)),
    }
    told = assumptions(setup(settings=settings))
    assert any(text.startswith("one: A command reaches the venue 5 ms") for text in told)
    assert any(text.startswith("other: A command takes 7 ms") for text in told)
    assert any(
        text.startswith("other: An order that takes is executed 3 basis points worse") for text in told
    )
    assert sum("liquidated" in text or "maintenance margin" in text for text in told) == 1


def test_what_is_named_reaches_the_venue_the_equity_curve_and_the_result() -> None:
    bars = flat_bars([100.0] * (EIGHT_HOURS + 3))
    result = run(AtBars({1: lambda s: s.buy("10")}), bars, fees=0, funding="0.001")
    assert result.funding == D("-0.995")
    assert ("Funding", "-0.99500000 USDT (received, less paid)") in result.figures()
    assert result.equity.values[-1] - result.equity.values[2] == pytest.approx(-0.995)
    free = run(AtBars({1: lambda s: s.buy("10")}), bars, fees=0, funding=False)
    assert free.funding == 0
    assert "Funding" not in dict(free.figures())
    late = run(AtBars({1: lambda s: s.buy("10")}), bars, fees=0, latency=50_000)
    assert late.fills[0].timestamp == T0 + MINUTE_MS + 50_000
    assert any("50000 ms" in text or "50,000 ms" in text for text in late.assumptions)


def test_market_data_may_take_their_time() -> None:
    heard: list[int] = []
    strategy = AtBars({1: lambda s: heard.append(s.clock.timestamp_ms() - T0)})
    run(strategy, flat_bars([100.0, 101.0]), latency=Latency(feed=250))
    assert heard == [MINUTE_MS + 250]
