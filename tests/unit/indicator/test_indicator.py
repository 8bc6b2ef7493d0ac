"""What an indicator is, and where a strategy finds it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from nexustrader.constants import KlineInterval
from nexustrader.indicator import Indicator, IndicatorProxy

M1 = KlineInterval.MINUTE_1


class Mean(Indicator):
    pass


def test_its_name_is_that_of_its_class_unless_it_has_one() -> None:
    assert Mean().name == "Mean"
    assert Mean(name="ma_20").name == "ma_20"


def test_a_subclass_may_have_a_name_of_its_own() -> None:
    class Trend(Indicator):
        name = "trend"

    assert Trend().name == "trend"
    assert Trend(name="other").name == "other"


@pytest.mark.parametrize("name", ["", "_ma", "20ma", "ma-20", "ma 20", "class", "größe"])
def test_a_name_that_is_no_plain_attribute_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be called"):
        Mean(name=name)
    with pytest.raises(ValueError, match="cannot be called"):
        Mean().name = name


def test_a_negative_warm_up_is_refused() -> None:
    with pytest.raises(ValueError, match="counts bars"):
        Mean(warmup_period=-1)


@pytest.mark.parametrize(
    ("given", "needs"),
    [
        ({}, False),
        ({"warmup_period": 5}, False),
        ({"kline_interval": M1}, False),
        ({"warmup_period": 0, "kline_interval": M1}, False),
        ({"warmup_period": 5, "kline_interval": M1}, True),
    ],
)
def test_it_needs_a_warm_up_when_it_has_a_period_and_an_interval(given: dict[str, Any], needs: bool) -> None:
    mean = Mean(**given)
    assert mean.requires_warmup is needs
    assert mean.is_warmed_up is not needs


@pytest.mark.parametrize(
    "handler",
    [
        "handle_kline",
        "handle_bookl1",
        "handle_bookl2",
        "handle_trade",
        "handle_index_price",
        "handle_funding_rate",
        "handle_mark_price",
    ],
)
def test_a_handler_that_is_not_defined_says_so(handler: str) -> None:
    with pytest.raises(NotImplementedError, match=f"Mean was given a str and does not define {handler}"):
        getattr(Mean(), handler)("datum")


def test_without_super_init_it_has_all_that_it_needs() -> None:
    class Bare(Indicator):
        def __init__(self) -> None:
            self.value = 7  # type: ignore[misc]

    bare = Bare()
    assert (bare.name, bare.value, bare.is_warmed_up, dict(bare.params)) == ("Bare", 7, True, {})
    bare.kline_interval, bare.warmup_period = M1, 3
    assert not bare.is_warmed_up
    bare.warmup_progress.bars = 3
    assert copy.deepcopy(bare).is_warmed_up
    bare.reset_warmup()
    assert not bare.is_warmed_up


def test_value_is_none_until_there_is_one() -> None:
    assert Mean().value is None
    assert Mean({"period": 3}).params == {"period": 3}


def test_a_proxy_has_a_container_for_every_name() -> None:
    proxy = IndicatorProxy()
    container = proxy.ma
    assert container["A"] is None
    container["A"] = mean = Mean()
    assert proxy.ma["A"] is mean
    assert "A" in proxy.ma
    assert "B" not in proxy.ma
    assert proxy.ma.get("B", 5) == 5
    assert proxy.ma.symbols() == ["A"]
    assert not hasattr(proxy, "_private")
