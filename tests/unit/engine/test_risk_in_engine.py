"""The risk gate inside the engine's own core: how a strategy reaches it, and what reaches it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from test_core import Site

from desk import ACCOUNT, SYMBOL
from nexustrader._engine.routing import Account
from nexustrader.config import RiskConfig
from nexustrader.constants import (
    ExchangeType,
    OrderSide,
    OrderStatus,
    OrderType,
    TradingState,
)
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion
from nexustrader.exchange import BinanceAccountType
from nexustrader.schema import MarkPrice, Order
from virtual_time import LoopClock, run_virtual

K = ev.EventKind
ACTIVE, REDUCING, HALTED = TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED


def engine_test(
    **risk: Any,
) -> Callable[[Callable[[Site], Coroutine[Any, Any, None]]], Callable[[], None]]:
    def decorate(test: Callable[[Site], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        def run() -> None:
            async def work(clock: LoopClock) -> None:
                site = Site(clock, risk=RiskConfig(**risk))
                site.core.accounts.add(
                    Account(ACCOUNT, ExchangeType.BINANCE, BinanceAccountType.USD_M_FUTURE)
                )
                await test(site)

            run_virtual(work)

        run.__name__ = test.__name__
        return run

    return decorate


def buy(site: Site, amount: str = "0.01") -> ev.Submit | None:
    """The command that reaches the venue, or None."""
    sent = len(site.venue.commands)
    site.strategy.create_order(SYMBOL, OrderSide.BUY, OrderType.LIMIT, Decimal(amount), Decimal(30_000))
    found = site.venue.commands[sent:]
    assert all(isinstance(command, ev.Submit) for command in found)
    return found[0] if found else None  # type: ignore[return-value]  # as asserted


async def fill(site: Site, command: ev.Submit, price: int) -> None:
    site.venue.result(command, Conclusion.ACCEPTED)
    site.core.on_order_event(
        site.venue.event(command.oid, K.FILLED, filled=command.amount, average=Decimal(price), eid="7")
    )
    await asyncio.sleep(0)


@engine_test()
async def test_a_strategy_halts_and_resumes(site: Site) -> None:
    site.core.run_start()
    strategy = site.strategy
    assert strategy.trading_state is ACTIVE
    strategy.reduce_only_trading("end of the day")
    assert strategy.trading_state is REDUCING
    strategy.halt_trading("the model is wrong")
    assert strategy.trading_state is HALTED
    assert buy(site) is None
    await asyncio.sleep(0)
    (order,) = (site.core.cache.get_order(oid) for oid in site.core.cache.get_symbol_orders(SYMBOL))
    assert order is not None
    assert (order.status, order.reason) == (
        OrderStatus.FAILED,
        "TRADING_HALTED: the model is wrong; resume_trading() ends this",
    )
    strategy.resume_trading()
    assert strategy.trading_state is ACTIVE
    assert buy(site) is not None


@engine_test()
async def test_an_engine_that_was_halted_starts_halted(site: Site) -> None:
    site.core.run_start()
    site.strategy.halt_trading("the model is wrong")
    site.core.run_stop()
    again = Site(site.clock, site.journal)
    again.core.restore()
    again.core.run_start()
    assert again.strategy.trading_state is HALTED


@engine_test(on_user_error="reduce")
async def test_an_exception_in_a_callback_stops_new_risk(site: Site) -> None:
    def broken() -> None:
        raise ValueError("a fault of the strategy")

    site.core.run_start()
    site.strategy.in_accepted = broken
    command = buy(site)
    assert command is not None
    site.venue.result(command, Conclusion.ACCEPTED)
    site.core.on_order_event(site.venue.event(command.oid, K.ACCEPTED, eid="7"))
    assert site.strategy.trading_state is REDUCING
    assert site.core.user_errors == 1
    assert "on_accepted_order raised" in site.core.gate.reason


@engine_test(on_user_error="halt")
async def test_an_exception_in_a_scheduled_job_or_on_start_stops_new_risk_too(site: Site) -> None:
    site.core._on_job_error("tidy_up", ValueError())
    assert site.strategy.trading_state is HALTED
    site.strategy.resume_trading()

    def broken() -> None:
        raise ValueError("a fault of the strategy")

    site.strategy._early.append(broken)
    site.core.run_start()
    assert site.strategy.trading_state is HALTED


@engine_test(daily_loss_max=1)
async def test_a_fill_that_realises_a_loss_beyond_the_limit_is_followed_by_no_new_risk(site: Site) -> None:
    site.core.cache._mark[SYMBOL] = MarkPrice(ExchangeType.BINANCE, SYMBOL, 30_000.0, 0)
    site.core.run_start()
    states: list[TradingState] = []
    site.core.on_told = lambda name, _: (
        states.append(site.strategy.trading_state) if name == "filled" else None
    )
    command = buy(site)
    assert command is not None
    await fill(site, command, 30_101)
    assert states == [REDUCING]  # the callback already knows
    assert buy(site) is None
    site.core.run_stop()


@engine_test(position_max=Decimal("0.01"))
async def test_the_limits_of_the_configuration_hold(site: Site) -> None:
    told: list[Order] = []
    site.core.on_told = lambda _, message: told.append(message)
    site.core.run_start()
    assert buy(site, "0.01") is not None
    assert buy(site, "0.001") is None
    await asyncio.sleep(0)
    assert (told[-1].reason or "").startswith("POSITION")


@engine_test()
async def test_a_snapshot_of_the_journal_holds_the_gate(site: Site) -> None:
    site.strategy.halt_trading("the model is wrong")
    assert "the model is wrong" in site.core.gate.section()


@engine_test(unknown_quarantine_ms=10_000)
async def test_a_symbol_with_an_order_in_doubt_takes_no_new_risk_until_the_venue_has_spoken(
    site: Site,
) -> None:
    site.core.run_start()
    site.venue.unreachable = True
    command = buy(site)
    assert command is not None
    site.venue.result(command, Conclusion.UNKNOWN, reason="no ACK")
    await asyncio.sleep(9)
    assert buy(site) is not None
    await asyncio.sleep(2)
    assert buy(site) is None
    assert "10 s" in site.core.gate.quarantined[SYMBOL]
    site.core.on_order_event(site.venue.event(command.oid, K.ACCEPTED, eid="7"))
    await asyncio.sleep(2)
    assert buy(site) is not None
