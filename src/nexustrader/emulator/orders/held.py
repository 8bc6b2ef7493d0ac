"""Orders that wait for a price: they are looked at with every trade and every move of the touch."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.records import OrderRecord
from nexustrader.emulator.orders.request import OrderRequest, Trigger
from nexustrader.emulator.orders.trading import Trading


class HeldOrders:
    """Those of one product."""

    def __init__(self, trading: Trading, markets: Mapping[str, Market]) -> None:
        self._trading = trading
        self._markets = markets
        self._waiting: dict[str, list[OrderRecord]] = {}
        for market in markets.values():
            market.on_moved = self._look

    def place(self, account: Account, request: OrderRequest) -> OrderRecord:
        """Takes an order that has a trigger. Raises VenueError, also for one that would trigger at once."""
        assert request.trigger is not None
        self._check(request.trigger, self._markets[request.listing.symbol])
        record = self._trading.hold(account, request)
        self._waiting.setdefault(record.symbol, []).append(record)
        return record

    def amend(
        self, record: OrderRecord, price: Decimal, amount: Decimal, trigger_price: Decimal | None
    ) -> None:
        """Changes an order that waits. Raises VenueError, and then it stays as it was."""
        market, trigger = self._markets[record.symbol], record.trigger
        assert trigger is not None
        if trigger_price is not None:
            trigger = trigger._replace(price=trigger_price)
            self._check(trigger, market)
        if (price, amount) != (record.price, record.amount) or trigger == record.trigger:
            self._trading.rules.check_amendment(record, market, price, amount)
        self._trading.modify_held(record, price, amount, trigger)

    def _check(self, trigger: Trigger, market: Market) -> None:
        if _is_due(trigger, market):
            raise self._trading.rules.would_trigger(trigger, _price(trigger, market))

    def _look(self, market: Market) -> None:
        waiting = self._waiting.get(market.symbol)
        if not waiting:
            return
        # Race: what is released may move others; each is released once, in the order of its making.
        waiting = [record for record in waiting if record.is_open and record.is_held]
        due = [record for record in waiting if record.trigger and _is_due(record.trigger, market)]
        self._waiting[market.symbol] = [record for record in waiting if record not in due]
        for record in due:
            self._trading.release(record)


def _is_due(trigger: Trigger, market: Market) -> bool:
    now = _price(trigger, market)
    return now >= trigger.price if trigger.rises else now <= trigger.price


def _price(trigger: Trigger, market: Market) -> Decimal:
    """The price that a trigger looks at."""
    return market.mark if trigger.by_mark else market.instrument.price(market.candles.last)
