"""A simulated venue for one account: the `VenuePort` of the mock and backtest worlds.

Commands reach it after a latency, are checked, and enter one matching engine a symbol. What the engine reports
is booked by the account first and told afterwards: the conclusion of the command, the facts about orders in the
order in which they happened, then the balances and positions that they changed. Nothing here reads a wall clock,
and chance comes by a seed: equal inputs give equal events and ids.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from functools import partial

from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.domain.outcome import CommandKind
from nexustrader.domain.setting import SetLeverage, SetMarginMode, Setting
from nexustrader.error import Denied, NexusTraderError, OrderError
from nexustrader.kernel.clock import NS_PER_MS
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock, TimerHandle, VenueSink
from nexustrader.schema import BookL1, Kline, Trade
from nexustrader.sim import facts
from nexustrader.sim.account import Applied, SimAccount
from nexustrader.sim.admission import (
    OrderMeter,
    Refused,
    filtered,
    not_traded,
    outside_band,
    sim_order,
    too_many_open,
    unusable,
)
from nexustrader.sim.booked import BookedMarket
from nexustrader.sim.facts import REJECTED, Placed
from nexustrader.sim.fees import FeeMeter
from nexustrader.sim.keeping import Keeping
from nexustrader.sim.latency import Delay, Lane
from nexustrader.sim.liquidation import EVERYWHERE, NOWHERE, Bounds
from nexustrader.sim.markets import Markets
from nexustrader.sim.quoted import News, QuotedMarket, Trail
from nexustrader.sim.register import Register
from nexustrader.sim.reporter import Booked, Reporter
from nexustrader.sim.settings import Keeper, SavedAccount, SimSettings
from nexustrader.sim.ticks import Tick
from nexustrader.sim.types import MatchEvent, Rejected, Side, SimOrder
from nexustrader.sim.upkeep import Upkeep


class SimExchange:
    """One account at a simulated venue, fed by `on_bookl1`, `on_trade`, `on_bar` or `on_tick`.

    `want_data(symbol)` is called at the first order of a symbol, so that whoever feeds the exchange can begin to
    do so. `observe(fact, applied)` hears of every execution, `observe_entry(booked)` of every other change of a
    wallet. `keeper` keeps the account between runs. Of symbols in `booked` the whole books are played.
    """

    def __init__(
        self,
        account: str,
        instruments: Mapping[str, Instrument],
        clock: Clock,
        settings: SimSettings,
        *,
        keeper: Keeper | None = None,
        want_data: Callable[[str], None] | None = None,
        observe: Callable[[ev.OrderEvent, Applied], None] | None = None,
        observe_entry: Callable[[Booked], None] | None = None,
        booked: Collection[str] = (),
    ) -> None:
        self.account = account
        self.settings = settings
        self._instruments = instruments
        self._clock = clock
        self._want_data = want_data
        self._wanted: set[str] = set()
        self._refresh: TimerHandle | None = None
        assumed, latency = settings.assumed, settings.latency
        self.absence_horizon_ms, self.query_lag_ms = latency.there_ms_max, 0
        fees = None if assumed.fees is None else FeeMeter(assumed.fees, clock.timestamp_ms())
        self.ledger = SimAccount(
            account, settings.balances, leverage=settings.leverage, margins=assumed.margin, fees=fees
        )
        entropy = Entropy(settings.seed).child(f"latency of {account}")
        self._ways = latency.ways
        self._there = Lane(clock, entropy.child("commands"))
        back = (Lane(clock, entropy.child("answers")), self._ways.reply) if self._ways.reply.max_ms else None
        self._rules = assumed.rules
        self._meter = OrderMeter(self._rules.order_limits)
        self._slippage = settings.slippage
        self._markets = Markets(self.ledger, instruments, settings, booked)
        self._register = Register(
            account, clock, self._markets, first_id=settings.first_id, forgets=keeper is not None
        )
        self._keeping = Keeping(keeper, self.ledger, self._markets, clock)
        self._reporter = Reporter(
            self.ledger, self._markets, self._register, clock, back, observe, observe_entry
        )
        self._upkeep = Upkeep(
            self.ledger, self._markets, self._register, clock, self._reporter, self._keeping, assumed.funding
        )
        self._reporter.on_fills = self._upkeep.on_fills

    # -- life --------------------------------------------------------------------------------------------------

    def attach(self, sink: VenueSink) -> None:
        self._reporter.sink = sink

    async def start(self) -> None:
        """Takes over what an earlier run left, and tells that the account is there."""
        self._keeping.restore()
        self._upkeep.resume()
        self._reporter.out.on_status(self.account, "connected")
        self._arm_refresh()

    async def stop(self) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
            self._refresh = None
        self._upkeep.stop()
        self._keeping.save()

    def renew(self, reason: str) -> None: ...  # there is no stream that could fall silent

    def saved(self) -> SavedAccount:
        """What is to outlive a restart."""
        return self._keeping.saved()

    def _arm_refresh(self) -> None:
        if self.settings.update_interval_s is not None:
            delay_ns = int(self.settings.update_interval_s * 1000) * NS_PER_MS
            self._refresh = self._clock.call_at(self._clock.timestamp_ns() + delay_ns, self._revalue)

    def _revalue(self) -> None:
        self._arm_refresh()
        self._reporter.tell_positions()

    # -- the market --------------------------------------------------------------------------------------------

    def on_bookl1(self, book: BookL1) -> None:
        """A new touch."""
        market = self._on_news(book.symbol, book)
        if market is None or market.safe is EVERYWHERE:
            return
        middle = (book.bid + book.ask) / 2 if book.bid and book.ask else book.bid or book.ask
        if self._is_dangerous(market, middle, middle) and (mark := market.mark()) is not None:
            self._upkeep.check(book.symbol, mark)

    def on_tick(self, symbol: str, tick: Tick) -> None:
        """One point of a bar, as the touch that it left.

        Its trade is not told besides: the touch holds what was traded, so that would fill orders twice, and at a
        price that was only touched.
        """
        market = self._on_news(symbol, tick)
        if market is None:
            return
        price = tick.price * market.tick
        if self._is_dangerous(market, price, price):
            self._upkeep.check(symbol, market.sim.price(tick.price))

    def on_bar(self, bar: Kline) -> None:
        """A whole bar that it does not mind: only its end is kept."""
        market = self._markets.get(bar.symbol)
        if market is not None:
            market.news = bar

    def on_trade(self, trade: Trade) -> None:
        """A public trade; it fills orders that rest at its price or better."""
        market = self._markets.get(trade.symbol)
        if market is not None and market.resting:
            side = Side.BUY if trade.side.is_buy else Side.SELL
            self._reporter.tell(market, market.public_trade(trade.price, trade.size, side))

    def book_of(self, symbol: str) -> BookedMarket | None:
        """The market of a symbol whose whole book is played; None when this account does not trade it."""
        market = self._markets.get(symbol)
        assert market is None or isinstance(market, BookedMarket), f"{symbol} was not named in `booked`"
        return market

    def on_played(self, market: BookedMarket, events: list[MatchEvent]) -> None:
        """Levels and trades were played to the market: what that did to orders, and the touch that it left."""
        self._reporter.tell(market, events)
        middle = market.middle()
        if self._is_dangerous(market, middle, middle) and (mark := market.mark()) is not None:
            self._upkeep.check(market.instrument.symbol, mark)

    def safe_prices(self, market: BookedMarket) -> Bounds:
        """Prices that liquidate nothing, as long as no position changes."""
        if market.safe is NOWHERE and (middle := market.middle()):
            self._upkeep.endangers(market, middle, middle)
        return market.safe

    def minds(self, bar: Kline) -> bool:
        """True when something may happen within this bar: an order rests, or a price of it may liquidate a position."""
        market = self._markets.opened.get(bar.symbol)
        if market is None:
            return False
        return bool(market.resting) or self._is_dangerous(market, bar.low, bar.high)

    def untouched(self, symbol: str, reach_ticks: float) -> Bounds:
        """Prices between which a quote or trade of the symbol changes nothing but the book; see `QuotedMarket`."""
        try:
            market = self._markets.opened[symbol]
        except KeyError:
            return NOWHERE
        return EVERYWHERE if market is None else market.untouched(reach_ticks)

    def pass_over(self, symbol: str, last: News, trail: Trail) -> None:
        """Takes in quotes within these prices, all but the last by what they leave in the book."""
        if (market := self._markets.get(symbol)) is not None:
            market.pass_over(last, trail)

    def _is_dangerous(self, market: QuotedMarket, low: float, high: float) -> bool:
        """True when a price between these may liquidate something."""
        safe = market.safe
        return not (safe.low < low and high < safe.high) and self._upkeep.endangers(market, low, high)

    def _on_news(self, symbol: str, news: BookL1 | Tick) -> QuotedMarket | None:
        market = self._markets.get(symbol)
        if market is not None:
            market.news = news
            if market.resting:
                self._reporter.tell(market, market.take_news())
        return market

    # -- commands ----------------------------------------------------------------------------------------------

    def submit(self, command: ev.Submit) -> None:
        self._arrive(self._ways.entry, partial(self._enter, command))

    def submit_batch(self, commands: Sequence[ev.Submit]) -> None:
        for command in commands:
            self.submit(command)

    def cancel(self, command: ev.Cancel) -> None:
        self._arrive(self._ways.cancel, partial(self._cancel, command))

    def amend(self, command: ev.Amend) -> None:
        self._arrive(self._ways.entry, partial(self._amend, command))

    def cancel_all(self, command: ev.CancelAll) -> None:
        self._arrive(self._ways.cancel, partial(self._cancel_all, command))

    def _arrive(self, delay: Delay, call: Callable[[], None]) -> None:
        """The command reaches the venue after its latency, and never within the call that gave it."""
        self._there.send(delay, call)

    def _enter(self, command: ev.Submit) -> None:
        kind = CommandKind.CREATE
        refused = self._meter.refusal(self._clock.timestamp_ms()) or _refused(self._unusable(command))
        if refused is not None:
            self._reporter.conclude(kind, command, refused)
            return
        market = self._markets.known(command.symbol)
        self._reporter.tell(market, market.take_news())
        try:
            order = sim_order(command, market.sim, self._register.next_id, self._clock.timestamp_ms())
            refused = self._filtered(market, command, order) or self._unaffordable(market, order)
        except OrderError as error:
            refused = Refused(str(error))
        if refused is not None:
            self._reporter.conclude(kind, command, refused)
            return
        placed = Placed(command, order, market.sim, slip=market.slip(order, self._slippage))
        self._register.add(placed)
        self._reporter.tell(market, market.deepen(order, self._slippage.behind))
        market.resting[order.order_id] = placed
        events = market.engine.submit(order)
        if isinstance(events[0], Rejected):
            self._reporter.book(market, events)
            self._register.drop(command.oid)
            self._reporter.conclude(kind, command, Refused(REJECTED[events[0].reason]))
            return
        news = self._reporter.book(market, events)
        self._reporter.reply(kind, command, market, news, (facts.acked(placed, self._clock.timestamp_ms()),))

    def _cancel(self, command: ev.Cancel) -> None:
        placed = self._register.get(command.oid)
        reason = facts.not_open(command.oid, placed)
        if placed is None or reason is not None:
            self._reporter.conclude(CommandKind.CANCEL, command, _refused(reason))
            return
        market = self._markets.known(command.symbol)
        news = self._reporter.book(market, market.engine.cancel(placed.state.order_id))
        self._reporter.reply(CommandKind.CANCEL, command, market, news)

    def _amend(self, command: ev.Amend) -> None:
        kind, placed = CommandKind.AMEND, self._register.get(command.oid)
        refused = self._meter.refusal(self._clock.timestamp_ms()) or _refused(
            facts.not_open(command.oid, placed)
        )
        if placed is None or refused is not None:
            self._reporter.conclude(kind, command, refused)
            return
        market = self._markets.known(command.symbol)
        self._reporter.tell(market, market.take_news())
        try:
            wanted = placed.state.snapshot()
            wanted.price = wanted.price if command.price is None else market.sim.to_ticks(command.price)
            wanted.lots = wanted.lots if command.amount is None else market.sim.to_lots(command.amount)
            refused = (
                _refused(facts.not_open(command.oid, placed))
                or outside_band(self._rules, command.price, market.mark())
                or self._unaffordable(market, wanted)
            )
            if refused is None:
                placed.slip = market.slip(wanted, self._slippage)
                self._reporter.tell(market, market.deepen(wanted, self._slippage.behind))
                events = market.engine.amend(wanted.order_id, wanted.price, wanted.lots)
        except OrderError as error:
            refused = Refused(str(error))
        if refused is not None:
            self._reporter.conclude(kind, command, refused)
            return
        news = self._reporter.book(market, events)
        self._reporter.reply(kind, command, market, news)

    def _cancel_all(self, command: ev.CancelAll) -> None:
        market = self._markets.get(command.symbol)
        if market is None:
            refused = Refused(f"{command.symbol} is not traded by {self.account}")
            self._reporter.conclude(CommandKind.CANCEL_ALL, command, refused)
            return
        news = self._reporter.book(market, market.engine.cancel_all(self.account))
        self._reporter.reply(CommandKind.CANCEL_ALL, command, market, news)

    # -- checks ------------------------------------------------------------------------------------------------

    def _unusable(self, command: ev.Submit) -> str | None:
        """Why the order cannot enter, whatever the account holds."""
        if self._markets.get(command.symbol) is None:
            instrument = self._instruments.get(command.symbol)
            if instrument is None:
                return f"{command.symbol} is not a known symbol"
            return not_traded(instrument, self.account, self.settings.kinds)
        reason = unusable(command)
        if reason is None and command.oid in self._register:
            reason = f"order {command.oid} is a duplicate: an order with this id has arrived before"
        return reason or self._without_book(command.symbol) or self._without_asset(command.symbol)

    def _without_book(self, symbol: str) -> str | None:
        if self._want_data is not None and symbol not in self._wanted:
            try:
                self._want_data(symbol)
            except NexusTraderError as error:
                return f"no public data of {symbol}: {error}"
            self._wanted.add(symbol)
        if self._markets.known(symbol).has_book:
            return None
        return f"no book of {symbol} is known: call subscribe_bookl1({symbol!r}) and wait for its first data"

    def _without_asset(self, symbol: str) -> str | None:
        asset = self._markets.known(symbol).sim.settle
        if self.ledger.has(asset):
            return None
        return f"the account holds no {asset}, in which {symbol} is settled: name it in the initial balance"

    def _filtered(self, market: QuotedMarket, command: ev.Submit, order: SimOrder) -> Refused | None:
        """Why the rules of the venue refuse the order, or None."""
        touch, mark = market.price_against(order.side), market.mark()
        return filtered(self._rules, market.instrument, command, touch, mark) or too_many_open(
            self._rules, len(market.resting)
        )

    def _unaffordable(self, market: QuotedMarket, order: SimOrder) -> Refused | None:
        """Why the account cannot afford the order, or None. Market orders are reckoned at what they would pay."""
        symbol = market.instrument.symbol
        for name in dict.fromkeys((symbol, *(held.symbol for held in self.ledger.positions()))):
            self._markets.mark(self._markets.known(name))  # what another position has lost is not available
        price: Decimal | None = None
        if order.price is None:
            price = market.price_to_pay(order, self._slippage)
        reason = self.ledger.refusal(symbol, order, price)
        if reason is None or market.sim.kind == "spot":
            return _refused(reason)
        return Refused(f"{reason} at leverage {to_plain(self.ledger.leverage(symbol))}")

    # -- queries -----------------------------------------------------------------------------------------------

    async def query_order(self, symbol: str, oid: str, eid: str | None) -> ev.OrderEvent | None:
        return self._register.order(symbol, oid, eid)

    async def query_fills(self, symbol: str, oid: str, eid: str | None) -> list[ev.OrderEvent]:
        del symbol, eid  # the id names the order
        return self._register.fills(oid)

    async def query_fills_since(self, symbol: str, since_ms: int) -> list[ev.OrderEvent]:
        return self._register.fills_since(symbol, since_ms)

    async def query_open_orders(self, symbol: str | None = None) -> list[ev.OrderEvent]:
        return self._register.open_orders(symbol)

    async def query_balances(self) -> list[ev.BalanceEvent]:
        return [self._reporter.balance_event(asset) for asset in self.ledger.assets()]

    async def query_positions(self) -> list[ev.PositionEvent]:
        return [self._reporter.position_event(p.symbol, snapshot=True) for p in self.ledger.positions()]

    async def change(self, setting: Setting) -> None:
        if isinstance(setting, SetLeverage):
            self.ledger.set_leverage(setting.symbol, setting.leverage)
            return
        now: object = self.ledger.margins.mode if isinstance(setting, SetMarginMode) else False
        wanted: object = setting.mode.value if isinstance(setting, SetMarginMode) else setting.is_hedge
        if wanted != now:
            raise Denied(
                f"{self.account}: {setting} is not simulated: margin mode is an assumption of the simulated venue, "
                "and its accounts are in one-way mode"
            )


def _refused(reason: str | None) -> Refused | None:
    return None if reason is None else Refused(reason)
