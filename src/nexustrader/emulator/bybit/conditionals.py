"""Orders that wait for a price: they are looked at with every trade and every move of the touch."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from nexustrader.emulator.bybit.handlers.create import RISING, check_trigger, trigger_price
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.records import OrderRecord
from nexustrader.emulator.orders.request import OrderRequest
from nexustrader.emulator.orders.trading import Trading
from nexustrader.sim.money import plain


class Conditionals:
    """The conditional orders of one category."""

    def __init__(self, trading: Trading, markets: Mapping[str, Market]) -> None:
        self._trading = trading
        self._markets = markets
        self._waiting: dict[str, list[OrderRecord]] = {}
        for market in markets.values():
            market.on_moved = self._look

    def place(self, account: Account, request: OrderRequest) -> OrderRecord:
        """Takes an order that has a trigger. Raises VenueError."""
        record = self._trading.hold(account, request)
        self._waiting.setdefault(record.symbol, []).append(record)
        return record

    def amend(self, record: OrderRecord, price: Decimal, amount: Decimal, trigger: str | None) -> None:
        """Changes an order that waits. Raises VenueError, and then it stays as it was."""
        market = self._markets[record.symbol]
        terms = dict(record.terms)
        if trigger is not None:
            terms["triggerPrice"] = plain(
                check_trigger(market, trigger, terms["triggerDirection"], terms["triggerBy"])
            )
        if (price, amount) != (record.price, record.amount) or terms == record.terms:
            self._trading.rules.check_amendment(record, market, price, amount)
        self._trading.modify_held(record, price, amount, terms)

    def _look(self, market: Market) -> None:
        waiting = self._waiting.get(market.symbol)
        if not waiting:
            return
        # Race: what is released may move others; each is released once, in the order of its making.
        waiting = [record for record in waiting if record.is_open and record.is_held]
        due = [record for record in waiting if _is_due(record, market)]
        self._waiting[market.symbol] = [record for record in waiting if record not in due]
        for record in due:
            self._trading.release(record)


def _is_due(record: OrderRecord, market: Market) -> bool:
    wanted = Decimal(record.terms["triggerPrice"])
    now = trigger_price(market, record.terms["triggerBy"])
    return now >= wanted if record.terms["triggerDirection"] == RISING else now <= wanted
