"""How a user names the assumptions of a venue, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from nexustrader.error import EngineBuildError, OrderError
from nexustrader.sim.admission import VenueRules
from nexustrader.sim.fees import flat_fees
from nexustrader.sim.funding import NO_FUNDING, Funding
from nexustrader.sim.latency import ConstantDelay, Latency
from nexustrader.sim.margin import Margin
from nexustrader.sim.queue_power import PowerQueue
from nexustrader.sim.settings import Assumptions, SimSettings
from nexustrader.sim.slippage import FixedBps, SquareRootImpact, TicksBehind


def test_nothing_said_is_the_usual() -> None:
    assert Assumptions.of() == Assumptions()
    settings = SimSettings(balances={}, latency_ms=7, ticks_behind_touch=3)
    assert settings.latency == Latency(entry=ConstantDelay(7))
    assert settings.slippage == TicksBehind(3)
    assert settings.assumed.funding == Funding()
    assert settings.assumed.margin.liquidates


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"latency": 5}, {"latency": Latency(entry=5)}),
        ({"latency": Latency(reply=3)}, {"latency": Latency(reply=3)}),
        ({"slippage": 2.5}, {"slippage": FixedBps(2.5)}),
        ({"slippage": SquareRootImpact(0.1)}, {"slippage": SquareRootImpact(0.1)}),
        ({"funding": False}, {"funding": NO_FUNDING}),
        ({"funding": "0.0002"}, {"funding": Funding(constant=Decimal("0.0002"))}),
        ({"margin": "isolated"}, {"margin": Margin(mode="isolated")}),
        ({"margin": False}, {"margin": Margin(liquidates=False)}),
        ({"fees": flat_fees(Decimal(0), Decimal(0))}, {"fees": flat_fees(Decimal(0), Decimal(0))}),
        ({"rules": VenueRules(filters=False)}, {"rules": VenueRules(filters=False)}),
        ({"queue": 3}, {"queue": PowerQueue(3)}),
        ({"queue": PowerQueue(1)}, {"queue": PowerQueue(1)}),
    ],
)
def test_short_words_stand_for_models(said: dict[str, Any], meant: dict[str, Any]) -> None:
    assert Assumptions.of(**said) == Assumptions(**meant)


@pytest.mark.parametrize("name", ["fees", "latency", "slippage", "margin", "rules", "queue"])
def test_what_is_no_model_is_refused_by_name(name: str) -> None:
    with pytest.raises(EngineBuildError, match=rf"{name}=\['x'\] is no assumption of a backtest; give "):
        Assumptions.of(**{name: ["x"]})


def test_two_words_for_one_thing_are_refused() -> None:
    with pytest.raises(OrderError, match="latency_ms=5 and a latency model are given; leave out one"):
        SimSettings(balances={}, latency_ms=5, assumed=Assumptions.of(latency=5))
    with pytest.raises(OrderError, match="ticks_behind_touch=2 and a slippage model are given"):
        SimSettings(balances={}, ticks_behind_touch=2, assumed=Assumptions.of(slippage=5))
    for impossible in ({"latency": -1}, {"latency": 10**6}):
        with pytest.raises(OrderError, match="choose 0 to 60000"):
            SimSettings(balances={}, assumed=Assumptions.of(**impossible))
