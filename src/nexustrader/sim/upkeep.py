"""What a simulated venue does to an account without being asked: it pays funding, and it liquidates.

Both hang on positions alone. While none is open there is no timer and no price that matters.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import to_plain
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock
from nexustrader.sim.account import Entry, SimAccount
from nexustrader.sim.facts import Placed
from nexustrader.sim.funding import Funding, FundingClock, is_perpetual
from nexustrader.sim.keeping import Keeping
from nexustrader.sim.liquidation import EVERYWHERE, NOWHERE, bounds, closing_ticks
from nexustrader.sim.markets import Markets
from nexustrader.sim.position import Position
from nexustrader.sim.quoted import QuotedMarket
from nexustrader.sim.register import Register
from nexustrader.sim.reporter import Reporter
from nexustrader.sim.types import Side, SimOrder, Traded

_log = get_logger("SimExchange")


class Upkeep:
    """Funding and liquidations of one account. Keeps the prices that are `safe` in each market."""

    def __init__(
        self,
        ledger: SimAccount,
        markets: Markets,
        register: Register,
        clock: Clock,
        reporter: Reporter,
        keeping: Keeping,
        funding: Funding,
    ) -> None:
        self._ledger = ledger
        self._markets = markets
        self._register = register
        self._clock = clock
        self._reporter = reporter
        self._keeping = keeping
        self._funding = funding
        self._payments = FundingClock(clock, funding, self._pay)
        self._is_stale = False  # positions or money have changed since it was reckoned which prices are safe

    def on_fills(self, symbol: str) -> None:
        """Executions of a symbol were booked."""
        self._keeping.save_soon()
        market = self._markets.known(symbol)
        if market.sim.kind == "spot" and not self._ledger.positions():
            return
        self._touch()
        if self._ledger.position_lots(symbol) and is_perpetual(market.instrument):
            self._payments.watch(symbol)

    def resume(self) -> None:
        """Takes up positions that were restored."""
        for position in self._ledger.positions():
            self.on_fills(position.symbol)

    def stop(self) -> None:
        self._payments.stop()

    # -- funding -----------------------------------------------------------------------------------------------

    def _pay(self, symbol: str, rate: Decimal) -> bool:
        """Settles funding; False when the symbol is not held any more."""
        lots = self._ledger.position_lots(symbol)
        if not lots:
            return False
        market = self._markets.known(symbol)
        mark = market.mark() or self._ledger.entry_price(symbol)
        due = self._funding.rate_for(lots, rate)
        self._book(symbol, self._ledger.funding(symbol, due, mark), "funding")
        self._touch()
        return True

    def _book(self, symbol: str, entries: Iterable[Entry], cause: str) -> None:
        moved = tuple(entries)
        self._reporter.note(symbol, moved)
        self._reporter.report_balances(dict.fromkeys(entry.asset for entry in moved), cause)
        self._keeping.save_soon()

    # -- liquidation -------------------------------------------------------------------------------------------

    def _touch(self) -> None:
        """Has it reckoned anew, before the next price, which are safe."""
        if self._ledger.margins.liquidates:
            self._is_stale = True
            for market in self._markets:
                market.safe = NOWHERE

    def endangers(self, market: QuotedMarket, low: float, high: float) -> bool:
        """True when a price between these may liquidate something, so that it has to be looked at."""
        if self._is_stale:
            self._reckon()
        return not market.safe.hold(low, high)

    def check(self, symbol: str, mark: Decimal) -> None:
        """Liquidates what this mark liquidates."""
        for position in self._ledger.positions():
            self._markets.mark(self._markets.known(position.symbol))
        self._ledger.set_mark(symbol, mark)
        self._touch()
        position = self._ledger.position(symbol)
        if position.lots and self._ledger.excess(position) <= 0:
            self._liquidate(position)

    def _reckon(self) -> None:
        """Finds the prices at which nothing has to be looked at."""
        self._is_stale = False
        ledger, positions = self._ledger, self._ledger.positions()
        held = [self._markets.known(position.symbol) for position in positions]
        for market in self._markets:
            market.safe = EVERYWHERE
        for market in held:
            self._markets.mark(market)
        settled_in = [market.sim.settle for market in held]
        for position, market in zip(positions, held, strict=True):
            share = 1 if ledger.margins.mode == "isolated" else settled_in.count(market.sim.settle)
            rate_max = ledger.margins.of(market.sim)[-1].rate
            excess, mark = ledger.excess(position), ledger.mark(position.symbol)
            market.safe = bounds(position, market.sim, mark, excess / share, rate_max)

    def _liquidate(self, first: Position) -> None:
        """Cancels open orders, closes what the same wallet secures, and bears what is missing."""
        ledger, settle = self._ledger, self._markets.known(first.symbol).sim.settle
        is_isolated = ledger.margins.mode == "isolated"
        doomed = [first.symbol]
        if not is_isolated:
            doomed += [
                position.symbol
                for position in ledger.positions()
                if position.symbol != first.symbol
                and self._markets.known(position.symbol).sim.settle == settle
            ]
        _log.error(
            f"LIQUIDATION of {ledger.account} at a mark of {to_plain(ledger.mark(first.symbol))} {first.symbol}: what "
            f"covers {', '.join(doomed)} no longer exceeds the maintenance margin; open orders are cancelled, and what "
            "is held of it is closed"
        )
        for market in list(self._markets):
            if not is_isolated or market.instrument.symbol == first.symbol:
                for order_id in list(market.resting):
                    self._reporter.tell(market, market.engine.cancel(order_id, "LIQUIDATION"))
        secured, before = first.margin, ledger.wallet(settle)
        for symbol in doomed:
            self._close(symbol)
        missing = before - secured - ledger.wallet(settle) if is_isolated else -ledger.wallet(settle)
        if missing > 0:
            self._book(first.symbol, [ledger.insure(settle, missing, first.symbol)], "insurance")

    def _close(self, symbol: str) -> None:
        """Closes a position as the venue does: by an order of its own, at a price that is not in any book."""
        market, position = self._markets.known(symbol), self._ledger.position(symbol)
        now_ms = self._clock.timestamp_ms()
        ticks = closing_ticks(position, market.sim, self._ledger.cushion(position), self._ledger.mark(symbol))
        order_id, lots = self._register.next_id, abs(position.lots)
        side = Side.SELL if position.lots > 0 else Side.BUY
        command = ev.Submit(
            oid=f"autoclose-{now_ms}-{order_id}",
            account=self._ledger.account,
            symbol=symbol,
            side=OrderSide.BUY if side is Side.BUY else OrderSide.SELL,
            type=OrderType.MARKET,
            amount=market.sim.amount(lots),
            reduce_only=True,
            timestamp=now_ms,
        )
        order = SimOrder(
            order_id=order_id,
            account=command.account,
            side=side,
            lots=lots,
            kind="market",
            client_id=command.oid,
            filled=lots,
            reduce_only=True,
            timestamp_ms=now_ms,
            status="FILLED",
            cost_ticks=ticks * lots,
            symbol=symbol,
        )
        placed = Placed(command, order, market.sim, fee_rate=self._ledger.margins.liquidation_fee)
        self._register.add(placed)
        market.resting[order_id] = placed
        trade_id, market.engine.next_trade_id = market.engine.next_trade_id, market.engine.next_trade_id + 1
        news = self._reporter.book(market, [Traded(order, ticks, lots, False, trade_id)])
        # With its terms, so that whoever adopts the orders of strangers can tell what it was.
        self._reporter.report(
            market,
            [
                msgspec.structs.replace(told, type=command.type, amount=command.amount, reduce_only=True)
                for told in news
            ],
        )
