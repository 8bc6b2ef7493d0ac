"""What a strategy may ask for, and what it is told about a typing error."""

from __future__ import annotations

from typing import Any

import pytest

from nexustrader.error import SubscriptionError
from nexustrader.strategy import Strategy

PERP = "BTCUSDT-PERP.BINANCE"


@pytest.mark.parametrize("wrong", ["7m", None, 60])
@pytest.mark.parametrize("ask", [Strategy.subscribe_kline, Strategy.unsubscribe_kline])
def test_an_interval_that_does_not_exist_is_refused_with_those_that_do(ask: Any, wrong: Any) -> None:
    with pytest.raises(SubscriptionError, match="is no KlineInterval; there are 1s, 1m"):
        ask(Strategy(), PERP, wrong)


@pytest.mark.parametrize("ask", [Strategy.subscribe_bookl2, Strategy.unsubscribe_bookl2])
def test_a_level_that_does_not_exist_is_refused_with_those_that_do(ask: Any) -> None:
    with pytest.raises(SubscriptionError, match="'7' is no BookLevel; there are 5, 10, 20, 50"):
        ask(Strategy(), PERP, "7")
