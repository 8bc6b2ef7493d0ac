"""A simulated venue for one account: the `VenuePort` of the mock and backtest worlds.

Commands reach it after a latency, are checked, and enter one matching engine a symbol. What the engine reports
is booked by the account first and told afterwards: the conclusion of the command, the facts about orders in the
order in which they happened, then the balances and positions that they changed. Nothing here reads a wall clock
or draws a random number: equal inputs give equal events and ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial

from nexustrader.domain import events as ev
from nexustrader.domain.ids import decode
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.domain.outcome import CommandKind, Conclusion, Route
from nexustrader.error import NexusTraderError, OrderError
from nexustrader.kernel.clock import NS_PER_MS
from nexustrader.kernel.ports import Clock, TimerHandle, VenueSink
from nexustrader.schema import BookL1, Kline, Trade
from nexustrader.sim import facts
from nexustrader.sim.account import Applied, SimAccount
from nexustrader.sim.admission import not_traded, sim_order, unusable
from nexustrader.sim.convert import to_sim_instrument
from nexustrader.sim.facts import REJECTED, Placed, answer, fact
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.money import MONEY
from nexustrader.sim.quoted import QuotedMarket
from nexustrader.sim.settings import Keeper, SavedAccount, SimSettings
from nexustrader.sim.ticks import Tick, bar_ticks
from nexustrader.sim.types import MatchEvent, Rejected, Side, SimOrder

CLOSED_ORDERS_MAX = 100_000  # how many ended orders can still be asked for


class SimExchange:
    """One account at a simulated venue, fed by `on_bookl1`, `on_trade`, `on_bar` or `on_tick`.

    `want_data(symbol)` is called at the first order of a symbol, so that whoever feeds the exchange can begin to
    do so. `observe(fact, applied)` hears of every execution. `keeper` keeps the account between runs.
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
    ) -> None:
        self.account = account
        self.absence_horizon_ms, self.query_lag_ms = settings.latency_ms, 0
        self.settings = settings
        self._instruments = instruments
        self._clock = clock
        self._keeper = keeper
        self._want_data = want_data
        self._observe = observe
        self._sink: VenueSink | None = None
        self._markets: dict[str, QuotedMarket | None] = {}
        self._orders: dict[str, Placed] = {}
        self._closed: dict[str, None] = {}  # ended orders, oldest first
        self._wanted: set[str] = set()
        self._next_id = settings.first_id
        self._born_ms = clock.timestamp_ms()
        self._told: dict[str, tuple[Decimal, Decimal]] = {}
        self._refresh: TimerHandle | None = None
        self._save_due = False
        self.ledger = SimAccount(account, settings.balances, leverage=settings.leverage)

    # -- life --------------------------------------------------------------------------------------------------

    def attach(self, sink: VenueSink) -> None:
        self._sink = sink

    async def start(self) -> None:
        """Takes over what an earlier run left, and tells that the account is there."""
        if self._keeper is not None and (saved := self._keeper.load()) is not None:
            self._restore(saved)
        self._out.on_status(self.account, "connected")
        self._arm_refresh()

    async def stop(self) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
            self._refresh = None
        self._save()

    def renew(self, reason: str) -> None: ...  # there is no stream that could fall silent

    def _restore(self, saved: SavedAccount) -> None:
        self.ledger = SimAccount(
            self.account, {**self.settings.balances, **saved.balances}, leverage=self.settings.leverage
        )
        for symbol, (amount, price) in saved.positions.items():
            market = self._market(symbol)
            if market is None:
                raise OrderError(
                    f"{self.account} has a position of {to_plain(amount)} {symbol} from an earlier run, and that "
                    "symbol is not known now; add its connector, or start once with overwrite_position=True"
                )
            self.ledger.add_instrument(market.sim)
            self.ledger.restore_position(symbol, market.sim.to_lots(amount), price)

    def saved(self) -> SavedAccount:
        """What is to outlive a restart."""
        return SavedAccount(
            balances={asset: self.ledger.wallet(asset) for asset in self.ledger.assets()},
            positions={
                position.symbol: (
                    self._known(position.symbol).sim.amount(position.lots),
                    self.ledger.entry_price(position.symbol),
                )
                for position in self.ledger.positions()
            },
        )

    def _save(self) -> None:
        self._save_due = False
        if self._keeper is not None:
            self._keeper.save(self.saved())

    def _arm_refresh(self) -> None:
        if self.settings.update_interval_s is not None:
            delay_ns = int(self.settings.update_interval_s * 1000) * NS_PER_MS
            self._refresh = self._clock.call_at(self._clock.timestamp_ns() + delay_ns, self._revalue)

    def _revalue(self) -> None:
        """Tells every open position with its present unrealised profit."""
        self._arm_refresh()
        for position in self.ledger.positions():
            self._out.on_position(self._position_event(position.symbol))

    @property
    def _out(self) -> VenueSink:
        if self._sink is None:
            raise OrderError(f"{self.account} reports to nobody: attach a sink before it starts")
        return self._sink

    # -- the market --------------------------------------------------------------------------------------------

    def on_bookl1(self, book: BookL1) -> None:
        """A new touch."""
        self._on_news(book.symbol, book)

    def on_tick(self, symbol: str, tick: Tick) -> None:
        """One point of a bar, as the touch that it left.

        Its trade is not told besides: the touch holds what was traded, so that would fill orders twice, and at a
        price that was only touched.
        """
        self._on_news(symbol, tick)

    def on_bar(self, bar: Kline) -> None:
        """A whole bar at once: its path is walked while an order rests, else only its end matters."""
        market = self._market(bar.symbol)
        if market is None:
            return
        if not market.resting:
            market.news = bar
            return
        for tick in bar_ticks(bar, market.tick, market.lot):
            self.on_tick(bar.symbol, tick)

    def on_trade(self, trade: Trade) -> None:
        """A public trade; it fills orders that rest at its price or better."""
        market = self._market(trade.symbol)
        if market is not None and market.resting:
            side = Side.BUY if trade.side.is_buy else Side.SELL
            self._tell(market, market.public_trade(trade.price, trade.size, side))

    def has_open_order(self, symbol: str) -> bool:
        """True while an order of the symbol rests, so that every quote may matter."""
        market = self._markets.get(symbol)
        return market is not None and bool(market.resting)

    def _on_news(self, symbol: str, news: BookL1 | Tick) -> None:
        market = self._market(symbol)
        if market is not None:
            market.news = news
            if market.resting:
                self._tell(market, market.take_news())

    def _market(self, symbol: str) -> QuotedMarket | None:
        """The symbol's market; None when this account does not trade it."""
        try:
            return self._markets[symbol]
        except KeyError:
            market = self._markets[symbol] = self._open_market(symbol)
            return market

    def _open_market(self, symbol: str) -> QuotedMarket | None:
        instrument = self._instruments.get(symbol)
        if instrument is None or not_traded(instrument, self.account, self.settings.kinds):
            return None
        settings = self.settings
        sim = to_sim_instrument(instrument, maker=settings.maker_fee, taker=settings.taker_fee)
        self.ledger.add_instrument(sim)
        engine = MatchingEngine(
            sim,
            settings.first_id,
            position_of=lambda _account, position_side: self.ledger.position_lots(symbol, position_side),
            feed="top",
        )
        return QuotedMarket(instrument, engine)

    def _known(self, symbol: str) -> QuotedMarket:
        market = self._market(symbol)
        assert market is not None, f"{symbol} has an order or a position and no market"
        return market

    # -- commands ----------------------------------------------------------------------------------------------

    def submit(self, command: ev.Submit) -> None:
        self._arrive(partial(self._enter, command))

    def cancel(self, command: ev.Cancel) -> None:
        self._arrive(partial(self._cancel, command))

    def amend(self, command: ev.Amend) -> None:
        self._arrive(partial(self._amend, command))

    def cancel_all(self, command: ev.CancelAll) -> None:
        self._arrive(partial(self._cancel_all, command))

    def _arrive(self, call: Callable[[], None]) -> None:
        """The command reaches the venue after the latency, and never within the call that gave it."""
        if self.settings.latency_ms:
            self._clock.call_at(self._clock.timestamp_ns() + self.settings.latency_ms * NS_PER_MS, call)
        else:
            self._clock.call_soon(call)

    def _enter(self, command: ev.Submit) -> None:
        kind = CommandKind.CREATE
        reason = self._unusable(command)
        if reason is not None:
            self._conclude(kind, command, reason)
            return
        market = self._known(command.symbol)
        self._tell(market, market.take_news())
        try:
            order = sim_order(command, market.sim, self._next_id, self._clock.timestamp_ms())
            reason = self._unaffordable(market, order)
        except OrderError as error:
            reason = str(error)
        if reason is not None:
            self._conclude(kind, command, reason)
            return
        placed = self._orders[command.oid] = Placed(command, order, market.sim)
        self._next_id += 1
        self._tell(market, market.deepen(order, self.settings.ticks_behind_touch))
        market.resting[order.order_id] = placed
        events = market.engine.submit(order)
        if isinstance(events[0], Rejected):
            self._book(market, events)
            del self._orders[command.oid]
            self._conclude(kind, command, REJECTED[events[0].reason])
            return
        news = self._book(market, events)
        self._conclude(kind, command, None, (facts.acked(placed, self._clock.timestamp_ms()),))
        self._report(market, news)

    def _cancel(self, command: ev.Cancel) -> None:
        placed = self._orders.get(command.oid)
        reason = facts.not_open(command.oid, placed)
        if placed is None or reason is not None:
            self._conclude(CommandKind.CANCEL, command, reason)
            return
        market = self._known(command.symbol)
        news = self._book(market, market.engine.cancel(placed.state.order_id))
        self._conclude(CommandKind.CANCEL, command, None)
        self._report(market, news)

    def _amend(self, command: ev.Amend) -> None:
        placed = self._orders.get(command.oid)
        reason = facts.not_open(command.oid, placed)
        if placed is None or reason is not None:
            self._conclude(CommandKind.AMEND, command, reason)
            return
        market = self._known(command.symbol)
        self._tell(market, market.take_news())
        try:
            wanted = placed.state.snapshot()
            wanted.price = wanted.price if command.price is None else market.sim.to_ticks(command.price)
            wanted.lots = wanted.lots if command.amount is None else market.sim.to_lots(command.amount)
            reason = facts.not_open(command.oid, placed) or self._unaffordable(market, wanted)
            if reason is None:
                self._tell(market, market.deepen(wanted, self.settings.ticks_behind_touch))
                events = market.engine.amend(wanted.order_id, wanted.price, wanted.lots)
        except OrderError as error:
            reason = str(error)
        if reason is not None:
            self._conclude(CommandKind.AMEND, command, reason)
            return
        news = self._book(market, events)
        self._conclude(CommandKind.AMEND, command, None)
        self._report(market, news)

    def _cancel_all(self, command: ev.CancelAll) -> None:
        market = self._market(command.symbol)
        if market is None:
            reason = f"{command.symbol} is not traded by {self.account}"
            self._conclude(CommandKind.CANCEL_ALL, command, reason)
            return
        news = self._book(market, market.engine.cancel_all(self.account))
        self._conclude(CommandKind.CANCEL_ALL, command, None)
        self._report(market, news)

    # -- checks ------------------------------------------------------------------------------------------------

    def _unusable(self, command: ev.Submit) -> str | None:
        """Why the order cannot enter, whatever the account holds."""
        instrument = self._instruments.get(command.symbol)
        if instrument is None:
            return f"{command.symbol} is not a known symbol"
        reason = not_traded(instrument, self.account, self.settings.kinds) or unusable(command)
        if reason is None and command.oid in self._orders:
            reason = f"order {command.oid} is a duplicate: an order with this id has arrived before"
        return reason or self._without_book(command.symbol) or self._without_asset(command.symbol)

    def _without_book(self, symbol: str) -> str | None:
        if self._want_data is not None and symbol not in self._wanted:
            try:
                self._want_data(symbol)
            except NexusTraderError as error:
                return f"no public data of {symbol}: {error}"
            self._wanted.add(symbol)
        if self._known(symbol).has_book:
            return None
        return f"no book of {symbol} is known: call subscribe_bookl1({symbol!r}) and wait for its first data"

    def _without_asset(self, symbol: str) -> str | None:
        asset = self._known(symbol).sim.settle
        if asset in self.ledger.assets():
            return None
        return f"the account holds no {asset}, in which {symbol} is settled: name it in the initial balance"

    def _unaffordable(self, market: QuotedMarket, order: SimOrder) -> str | None:
        """Why the account cannot afford the order, or None. Market orders are reckoned at the touch."""
        self._mark(market)
        symbol = market.instrument.symbol
        price = market.price_against(order.side) if order.price is None else None
        reason = self.ledger.refusal(symbol, order, price)
        if reason is None or market.sim.kind == "spot":
            return reason
        return f"{reason} at leverage {to_plain(self.ledger.leverage(symbol))}"

    def _mark(self, market: QuotedMarket) -> None:
        if (mark := market.mark()) is not None:
            self.ledger.set_mark(market.instrument.symbol, mark)

    # -- telling -----------------------------------------------------------------------------------------------

    def _book(self, market: QuotedMarket, events: Iterable[MatchEvent]) -> list[ev.OrderEvent]:
        """Books what the engine reports, before anybody hears of it, and returns it as facts."""
        news: list[ev.OrderEvent] = []
        now_ms = self._clock.timestamp_ms()
        for event in events:
            applied = self.ledger.apply(event)
            placed = market.resting[event.order.order_id]
            placed.state = event.order
            if not event.order.is_open:
                del market.resting[event.order.order_id]
                self._close(placed)
            told = fact(placed, event, applied, now_ms)
            if told is None:
                continue
            news.append(told)
            if applied is not None:
                placed.fills.append(told)
                if self._observe is not None:
                    self._observe(told, applied)
        return news

    def _close(self, placed: Placed) -> None:
        self._closed[placed.command.oid] = None
        if len(self._closed) > CLOSED_ORDERS_MAX:
            oldest = next(iter(self._closed))
            del self._closed[oldest]
            self._orders.pop(oldest, None)

    def _tell(self, market: QuotedMarket, events: list[MatchEvent]) -> None:
        if events:
            self._report(market, self._book(market, events))

    def _report(self, market: QuotedMarket, news: list[ev.OrderEvent]) -> None:
        """Facts about orders first, then what they did to balances and the position."""
        for told in news:
            self._out.on_order_event(told)
        has_fills = any(told.fill is not None for told in news)
        is_spot = market.sim.kind == "spot"
        if is_spot or has_fills:
            self._report_balances((market.sim.base, market.sim.quote) if is_spot else (market.sim.settle,))
        if has_fills and not is_spot:
            self._out.on_position(self._position_event(market.instrument.symbol))
        if has_fills and self._keeper is not None and not self._save_due:
            self._save_due = True
            self._clock.call_soon(self._save)

    def _report_balances(self, assets: Iterable[str]) -> None:
        for asset in assets:
            event = self._balance_event(asset)
            if self._told.get(asset) != (event.free, event.locked):
                self._told[asset] = (event.free, event.locked)
                self._out.on_balance(event)

    def _balance_event(self, asset: str) -> ev.BalanceEvent:
        locked = self.ledger.locked(asset)
        return ev.BalanceEvent(
            account=self.account,
            asset=asset,
            free=MONEY.subtract(self.ledger.wallet(asset), locked),
            locked=locked,
            timestamp=self._clock.timestamp_ms(),
        )

    def _position_event(self, symbol: str, *, snapshot: bool = False) -> ev.PositionEvent:
        market = self._known(symbol)
        self._mark(market)
        return ev.PositionEvent(
            account=self.account,
            symbol=symbol,
            signed_amount=market.sim.amount(self.ledger.position_lots(symbol)),
            entry_price=self.ledger.entry_price(symbol),
            unrealized_pnl=self.ledger.unrealized(symbol),
            timestamp=self._clock.timestamp_ms(),
            snapshot=snapshot,
        )

    def _conclude(
        self,
        kind: CommandKind,
        command: ev.Command,
        reason: str | None,
        events: tuple[ev.OrderEvent, ...] = (),
    ) -> None:
        """Tells the one conclusion of a command: accepted, or rejected for a reason."""
        self._out.on_result(
            ev.CommandResult(
                kind=kind,
                conclusion=Conclusion.ACCEPTED if reason is None else Conclusion.REJECTED,
                oid="" if isinstance(command, ev.CancelAll) else command.oid,
                symbol=command.symbol,
                account=self.account,
                timestamp=self._clock.timestamp_ms(),
                route=command.route if isinstance(command, ev.Submit | ev.Cancel) else Route.REST,
                attempt=command.attempt if isinstance(command, ev.Submit | ev.Cancel) else 1,
                reason=reason,
                events=events,
            )
        )

    # -- queries -----------------------------------------------------------------------------------------------

    async def query_order(self, symbol: str, oid: str, eid: str | None) -> ev.OrderEvent | None:
        placed = self._orders.get(oid)
        if placed is not None:
            return answer(placed, self._clock.timestamp_ms())
        return self._of_earlier_run(symbol, oid, eid)

    def _of_earlier_run(self, symbol: str, oid: str, eid: str | None) -> ev.OrderEvent | None:
        """Open orders end with the process: one that was sent before this venue was made is cancelled."""
        try:
            sent_ms = decode(oid).timestamp_ms
        except ValueError:
            return None
        if self._keeper is None or sent_ms >= self._born_ms:
            return None
        return facts.lost(self.account, symbol, oid, eid, self._clock.timestamp_ms())

    async def query_fills(self, symbol: str, oid: str, eid: str | None) -> list[ev.OrderEvent]:
        del symbol, eid  # the id names the order
        placed = self._orders.get(oid)
        return [] if placed is None else facts.fill_answers(placed)

    async def query_fills_since(self, symbol: str, since_ms: int) -> list[ev.OrderEvent]:
        return facts.fills_since(self._orders.values(), symbol, since_ms)

    async def query_open_orders(self, symbol: str | None = None) -> list[ev.OrderEvent]:
        now_ms = self._clock.timestamp_ms()
        return [
            answer(placed, now_ms)
            for market in self._markets.values()
            if market is not None and symbol in (None, market.instrument.symbol)
            for placed in market.resting.values()
        ]

    async def query_balances(self) -> list[ev.BalanceEvent]:
        return [self._balance_event(asset) for asset in self.ledger.assets()]

    async def query_positions(self) -> list[ev.PositionEvent]:
        return [self._position_event(p.symbol, snapshot=True) for p in self.ledger.positions()]
