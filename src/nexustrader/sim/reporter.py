"""Books what the engines of an account report, and tells it: to the account first, to the strategy afterwards.

What is told travels back with the delay of answers, and in the order in which it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from typing import NamedTuple, TypeVar

from nexustrader.domain import events as ev
from nexustrader.domain.outcome import CommandKind, Conclusion, Route
from nexustrader.error import OrderError
from nexustrader.kernel.ports import Clock, VenueSink
from nexustrader.sim.account import Applied, Entry, SimAccount
from nexustrader.sim.admission import Refused
from nexustrader.sim.facts import fact, worsened
from nexustrader.sim.latency import Delay, Lane
from nexustrader.sim.markets import Markets
from nexustrader.sim.money import MONEY
from nexustrader.sim.quoted import QuotedMarket
from nexustrader.sim.register import Register
from nexustrader.sim.types import MatchEvent

T = TypeVar("T")


def _nobody(symbol: str) -> None:
    del symbol


class Booked(NamedTuple):
    """A change of a wallet that no execution caused: funding, or what a liquidation left unpaid."""

    account: str
    symbol: str
    entry: Entry
    timestamp: int


class Reporter:
    """One account's way from what happened to who hears of it.

    `on_fills(symbol)` is called for every execution that was booked, `observe` hears of it, `observe_entry` of what
    else moved money.
    """

    def __init__(
        self,
        ledger: SimAccount,
        markets: Markets,
        register: Register,
        clock: Clock,
        lane: tuple[Lane, Delay] | None,
        observe: Callable[[ev.OrderEvent, Applied], None] | None,
        observe_entry: Callable[[Booked], None] | None,
    ) -> None:
        self.sink: VenueSink | None = None
        self.on_fills: Callable[[str], object] = _nobody
        self._ledger = ledger
        self._markets = markets
        self._register = register
        self._clock = clock
        self._lane = lane
        self._observe = observe
        self._observe_entry = observe_entry
        self._told: dict[str, tuple[Decimal, Decimal]] = {}

    @property
    def out(self) -> VenueSink:
        """Who listens. Raises OrderError while nobody does."""
        if self.sink is None:
            raise OrderError(f"{self._ledger.account} reports to nobody: attach a sink before it starts")
        return self.sink

    def _say(self, tell: Callable[[T], object], news: T) -> None:
        if self._lane is None:
            tell(news)
        else:
            lane, delay = self._lane
            lane.send(delay, partial(tell, news))

    # -- booking -----------------------------------------------------------------------------------------------

    def book(self, market: QuotedMarket, events: Iterable[MatchEvent]) -> list[ev.OrderEvent]:
        """Books what an engine reports, before anybody hears of it, and returns it as facts."""
        news: list[ev.OrderEvent] = []
        now_ms = self._clock.timestamp_ms()
        for event in events:
            placed = market.resting[event.order.order_id]
            event = worsened(placed, event)  # noqa: PLW2901 - from here on it is what happened
            applied = self._ledger.apply(event, now_ms, placed.fee_rate)
            placed.state = event.order
            if not event.order.is_open:
                del market.resting[event.order.order_id]
                self._register.close(placed.command.oid)
            told = fact(placed, event, applied, now_ms)
            if told is None:
                continue
            news.append(told)
            if applied is not None:
                placed.fills.append(told)
                self.on_fills(market.instrument.symbol)
                if self._observe is not None:
                    self._observe(told, applied)
        return news

    def note(self, symbol: str, entries: Iterable[Entry]) -> None:
        """Lets the observer know of money that moved without an execution."""
        if self._observe_entry is not None:
            for entry in entries:
                self._observe_entry(Booked(self._ledger.account, symbol, entry, self._clock.timestamp_ms()))

    # -- telling -----------------------------------------------------------------------------------------------

    def tell(self, market: QuotedMarket, events: list[MatchEvent]) -> None:
        """Books events and tells of them."""
        if events:
            self.report(market, self.book(market, events))

    def report(self, market: QuotedMarket, news: list[ev.OrderEvent]) -> None:
        """Facts about orders first, then what they did to balances and the position."""
        for told in news:
            self._say(self.out.on_order_event, told)
        self._report_money(market, news)

    def reply(
        self,
        kind: CommandKind,
        command: ev.Command,
        market: QuotedMarket,
        news: list[ev.OrderEvent],
        acked: tuple[ev.OrderEvent, ...] = (),
    ) -> None:
        """As `report`, of what a command brought about: its reply carries the facts about orders."""
        self.conclude(kind, command, None, (*acked, *news))
        self._report_money(market, news)

    def _report_money(self, market: QuotedMarket, news: list[ev.OrderEvent]) -> None:
        fills = [told.fill for told in news if told.fill is not None]
        has_fills, is_spot = bool(fills), market.sim.kind == "spot"
        if is_spot or has_fills:
            mine = (market.sim.base, market.sim.quote) if is_spot else (market.sim.settle,)
            charged = [fill.fee_currency for fill in fills if fill.fee_currency is not None]
            self.report_balances(dict.fromkeys((*mine, *charged)))
        if has_fills and not is_spot:
            self._say(self.out.on_position, self.position_event(market.instrument.symbol))

    def report_balances(self, assets: Iterable[str], cause: str | None = None) -> None:
        """Tells those that have changed since they were told."""
        for asset in assets:
            event = self.balance_event(asset, cause)
            if self._told.get(asset) != (event.free, event.locked):
                self._told[asset] = (event.free, event.locked)
                self._say(self.out.on_balance, event)

    def tell_positions(self) -> None:
        """Tells every open position with its present unrealised profit."""
        for position in self._ledger.positions():
            self._say(self.out.on_position, self.position_event(position.symbol))

    def conclude(
        self,
        kind: CommandKind,
        command: ev.Command,
        refused: Refused | None,
        events: tuple[ev.OrderEvent, ...] = (),
    ) -> None:
        """Tells the one conclusion of a command: accepted, or rejected for a reason."""
        routed = command if isinstance(command, ev.Submit | ev.Cancel) else None
        result = ev.CommandResult(
            kind=kind,
            conclusion=Conclusion.ACCEPTED if refused is None else Conclusion.REJECTED,
            oid="" if isinstance(command, ev.CancelAll) else command.oid,
            symbol=command.symbol,
            account=self._ledger.account,
            timestamp=self._clock.timestamp_ms(),
            route=Route.REST if routed is None else routed.route,
            attempt=1 if routed is None else routed.attempt,
            reason=None if refused is None else refused.reason,
            code=None if refused is None else refused.code,
            events=events,
            retry_after_ms=None if refused is None else refused.retry_after_ms,
        )
        self._say(self.out.on_result, result)

    # -- states ------------------------------------------------------------------------------------------------

    def balance_event(self, asset: str, cause: str | None = None) -> ev.BalanceEvent:
        locked = self._ledger.locked(asset)
        return ev.BalanceEvent(
            account=self._ledger.account,
            asset=asset,
            free=MONEY.subtract(self._ledger.wallet(asset), locked),
            locked=locked,
            timestamp=self._clock.timestamp_ms(),
            cause=cause,
        )

    def position_event(self, symbol: str, *, snapshot: bool = False) -> ev.PositionEvent:
        market = self._markets.known(symbol)
        self._markets.mark(market)
        return ev.PositionEvent(
            account=self._ledger.account,
            symbol=symbol,
            signed_amount=market.sim.amount(self._ledger.position_lots(symbol)),
            entry_price=self._ledger.entry_price(symbol),
            unrealized_pnl=self._ledger.unrealized(symbol),
            timestamp=self._clock.timestamp_ms(),
            snapshot=snapshot,
        )
