"""Risk configuration: nothing is limited by default, single symbols override, mistakes are named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from desk import SYMBOL
from nexustrader.config import RiskConfig, SymbolLimits
from nexustrader.risk.limits import Limits


def test_nothing_is_limited_unless_it_is_asked_for() -> None:
    config = RiskConfig()
    assert config.limits(SYMBOL) == Limits(None, None, None, None)
    assert not config.limits_orders
    assert not config.limits_losses


def test_a_symbols_own_limits_take_the_place_of_the_general_ones_field_by_field() -> None:
    config = RiskConfig(
        order_notional_max=100, price_collar=0.1, symbols={SYMBOL: SymbolLimits(price_collar=Decimal("0.02"))}
    )
    assert config.limits(SYMBOL) == Limits(Decimal(100), None, None, Decimal("0.02"))
    assert config.limits("ETHUSDT-PERP.BINANCE") == Limits(Decimal(100), None, None, Decimal("0.1"))


@pytest.mark.parametrize(
    "fields",
    [
        {"order_notional_max": 1},
        {"position_max": 0.5},
        {"position_notional_max": Decimal(1)},
        {"price_collar": 0.1},
        {"orders_max": 5},
        {"symbols": {SYMBOL: SymbolLimits(position_max=1)}},
    ],
)
def test_any_limit_of_orders_is_one(fields: dict[str, Any]) -> None:
    assert RiskConfig(**fields).limits_orders


@pytest.mark.parametrize("fields", [{"daily_loss_max": 1}, {"drawdown_max": 0.1}])
def test_limits_of_losses_concern_no_single_order(fields: dict[str, Any]) -> None:
    config = RiskConfig(**fields)
    assert config.limits_losses
    assert not config.limits_orders


@pytest.mark.parametrize(
    ("fields", "error", "word"),
    [
        ({"order_notional_max": 0}, ValueError, "RiskConfig.order_notional_max"),
        ({"position_max": -1}, ValueError, "position_max"),
        ({"position_notional_max": "1"}, TypeError, "position_notional_max"),
        ({"price_collar": 1.5}, ValueError, "price_collar"),
        ({"orders_max": 0}, ValueError, "orders_max"),
        ({"orders_max": 1.5}, TypeError, "orders_max"),
        ({"orders_window_ms": 0}, ValueError, "orders_window_ms"),
        ({"daily_loss_max": 0}, ValueError, "daily_loss_max"),
        ({"drawdown_max": 20}, ValueError, "drawdown_max"),
        ({"capital": float("nan")}, TypeError, "capital"),
        ({"currency": " "}, ValueError, "currency"),
        ({"on_loss": "continue"}, ValueError, "on_loss"),
        ({"on_user_error": "stop"}, ValueError, "on_user_error"),
        ({"unknown_quarantine_ms": -1}, ValueError, "unknown_quarantine_ms"),
        ({"symbols": [SYMBOL]}, TypeError, "symbols"),
        ({"symbols": {SYMBOL: {"position_max": 1}}}, TypeError, "SymbolLimits"),
        ({"symbols": {"BTCUSDT": SymbolLimits()}}, ValueError, "BTCUSDT-PERP.BINANCE"),
        ({"symbols": {7: SymbolLimits()}}, ValueError, "symbols[7]"),
    ],
)
def test_a_mistake_names_the_field_and_what_it_must_be(
    fields: dict[str, Any], error: type[Exception], word: str
) -> None:
    with pytest.raises(error) as caught:
        RiskConfig(**fields)
    assert word in str(caught.value)


def test_a_symbols_limits_are_checked_too() -> None:
    with pytest.raises(ValueError, match=r"SymbolLimits\.price_collar"):
        SymbolLimits(price_collar=2)


def test_a_quarantine_may_be_switched_off() -> None:
    assert RiskConfig(unknown_quarantine_ms=None).unknown_quarantine_ms is None
    assert RiskConfig(unknown_quarantine_ms=0).unknown_quarantine_ms == 0, "at once"
    assert RiskConfig().unknown_quarantine_ms == 60_000
