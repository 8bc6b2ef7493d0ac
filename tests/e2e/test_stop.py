"""How an engine ends: nothing of ours is left at the venue that was not meant to be, and no intent is dropped."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from e2e_setup import FUTURES, Build

from nexustrader.cli.ledger import ask
from nexustrader.constants import OrderSide, OrderStatus, OrderType
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.schema import BookL1, Order
from nexustrader.strategy import Strategy

PERP = "BTCUSDT-PERP.BINANCE"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


def statuses(emulator: EmulatorProcess, oids: list[str]) -> list[str]:
    """What the venue's ledger says about orders."""
    orders: list[dict[str, Any]] = ask(emulator, "/emulator/ledger")["accounts"]["main"]["usdm"]["orders"]
    found = {order["client_id"]: order["status"] for order in orders}
    return [found.get(oid, "never had it") for oid in oids]


class Quoter(Strategy):
    """Rests far below the market; stops after a second."""

    def __init__(self) -> None:
        super().__init__()
        self.oids: list[str] = []

    def on_start(self) -> None:
        self.subscribe_bookl1(PERP)
        self.schedule(self.stop, trigger="interval", seconds=1)

    def quote(self, *, ws: bool = True) -> None:
        book = self.cache.bookl1(PERP)
        assert book is not None
        price = Decimal(str(book.bid)) * Decimal("0.9")
        create = self.create_order_ws if ws else self.create_order
        self.oids.append(create(PERP, OrderSide.BUY, OrderType.LIMIT, Decimal("0.01"), price))

    def on_bookl1(self, bookl1: BookL1) -> None:
        if not self.oids:
            self.quote()


def test_a_strategy_that_quotes_anew_whenever_it_is_cancelled_leaves_no_order_behind(
    build: Build, redirected: EmulatorProcess
) -> None:
    class Stubborn(Quoter):
        def on_canceled_order(self, order: Order) -> None:
            self.quote()

    strategy = Stubborn()
    build(strategy).start()
    assert len(strategy.oids) > 1
    assert statuses(redirected, strategy.oids) == ["CANCELED"] + ["never had it"] * (len(strategy.oids) - 1)
    last = strategy.cache.get_order(strategy.oids[-1])
    assert last is not None
    assert (last.status, last.reason) == (
        OrderStatus.FAILED,
        "the engine is stopping: no new order is sent",
    )


def test_an_order_that_was_under_way_when_all_were_cancelled_is_cancelled_too(
    build: Build, redirected: EmulatorProcess
) -> None:
    class Late(Quoter):
        def on_stop(self) -> None:
            self.quote(ws=False)

    strategy = Late()
    build(strategy).start()
    assert len(strategy.oids) == 2
    assert statuses(redirected, strategy.oids) == ["CANCELED", "CANCELED"]


def test_an_order_created_in_on_stop_reaches_the_venue_before_the_connections_close(
    build: Build, redirected: EmulatorProcess
) -> None:
    class Flattening(Strategy):
        def on_start(self) -> None:
            self.subscribe_bookl1(PERP)
            self.schedule(self.stop, trigger="interval", seconds=1)

        def on_stop(self) -> None:
            self.oid = self.create_order(PERP, OrderSide.BUY, OrderType.MARKET, Decimal("0.01"))

    strategy = Flattening()
    build(strategy, exit_after_cancel=False).start()
    assert statuses(redirected, [strategy.oid]) == ["FILLED"]
    order = strategy.cache.get_order(strategy.oid)
    assert order is not None
    assert order.status is not OrderStatus.INITIALIZED


def test_a_stop_with_an_account_in_the_journal_that_is_no_longer_configured_is_a_clean_one(
    build: Build, redirected: EmulatorProcess
) -> None:
    from e2e_setup import SPOT

    class SpotQuoter(Quoter):
        def on_start(self) -> None:
            self.schedule(self.stop, trigger="interval", seconds=1)
            self.oids.append(
                self.create_order_ws(
                    "BTCUSDT.BINANCE", OrderSide.BUY, OrderType.LIMIT, Decimal("0.001"), Decimal(20_000)
                )
            )

    first = SpotQuoter()
    build(first, SPOT, FUTURES, exit_after_cancel=False).start()
    build(Quoter(), FUTURES).start()
