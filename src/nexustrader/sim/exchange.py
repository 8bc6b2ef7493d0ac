"""A simulated venue for one account: the `VenuePort` of the mock and backtest worlds.

Commands reach it after a latency, are checked, and enter one matching engine a symbol. What the engine reports is
booked by the account first and told afterwards: the conclusion of the command, the facts about orders in the order in
which they happened, then the balances and positions that they changed. Nothing here reads a wall clock or draws a
random number: equal inputs give equal events and ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Protocol

import msgspec

from nexustrader.constants import InstrumentType, OrderType, TimeInForce
from nexustrader.domain import events as ev
from nexustrader.domain.ids import decode
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.domain.outcome import CommandKind, Conclusion, Route
from nexustrader.error import NexusTraderError, OrderError
from nexustrader.kernel.clock import NS_PER_MS
from nexustrader.kernel.ports import Clock, TimerHandle, VenueSink
from nexustrader.schema import BookL1, Kline, Trade
from nexustrader.sim.account import Applied, SimAccount
from nexustrader.sim.convert import KINDS, to_sim_instrument
from nexustrader.sim.facts import REJECTED, Placed, answer, fact, fill_answers
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.ticks import Tick, bar_ticks
from nexustrader.sim.types import Accepted, MatchEvent, Rejected, Side, SimOrder, Traded

CLOSED_ORDERS_MAX = 100_000  # how many ended orders can still be asked for
LATENCY_MS_MAX = 60_000
SIMULATED_TYPES = (OrderType.MARKET, OrderType.LIMIT, OrderType.POST_ONLY)

ZERO = Decimal(0)


class SimSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The account and the venue around it. Fees are fractions; None means the instrument's own.

    An order larger than the quantity at the touch takes the rest `ticks_behind_touch` behind it. Order and trade ids
    count up from `first_id`.
    """

    balances: Mapping[str, Decimal]
    kinds: frozenset[InstrumentType] = frozenset(KINDS)
    leverage: Decimal = Decimal(1)
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    latency_ms: int = 0
    update_interval_s: float | None = None
    ticks_behind_touch: int = 1
    first_id: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.latency_ms <= LATENCY_MS_MAX:
            raise OrderError(f"latency is {self.latency_ms} ms, choose 0 to {LATENCY_MS_MAX}")


class SavedAccount(msgspec.Struct, frozen=True):
    """What outlives a restart: wallets by asset, and (signed amount, entry price) by symbol."""

    balances: dict[str, Decimal] = {}
    positions: dict[str, tuple[Decimal, Decimal]] = {}


class Keeper(Protocol):
    """Keeps an account between runs."""

    def load(self) -> SavedAccount | None: ...
    def save(self, account: SavedAccount) -> None: ...


class _Market:
    """One symbol at the venue. `news` is the last quote, which the engine need not know while no order rests."""

    __slots__ = ("engine", "instrument", "lot", "news", "resting", "sim", "tick", "top")

    def __init__(self, instrument: Instrument, engine: MatchingEngine) -> None:
        self.instrument = instrument
        self.engine = engine
        self.sim = engine.instrument
        self.tick = float(instrument.tick)
        self.lot = float(instrument.lot)
        self.news: BookL1 | Kline | Tick | None = None
        self.top: tuple[int, int, int, int] | None = None  # bid, its lots, ask, its lots: as the engine knows it
        self.resting: dict[int, Placed] = {}


class SimExchange:
    """One account at a simulated venue, fed by `on_bookl1`, `on_trade`, `on_bar` or `on_tick`.

    `want_data(symbol)` is called at the first order of a symbol, so that whoever feeds the exchange can begin to.
    `observe(fact, applied)` hears of every execution. `keeper` keeps balances and positions between runs.
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
        self.absence_horizon_ms = settings.latency_ms
        self.settings = settings
        self._venue = account.partition(":")[0]
        self._instruments = instruments
        self._clock = clock
        self._keeper = keeper
        self._want_data = want_data
        self._observe = observe
        self._sink: VenueSink | None = None
        self._markets: dict[str, _Market | None] = {}
        self._orders: dict[str, Placed] = {}
        self._closed: dict[str, None] = {}  # ended orders, oldest first
        self._next_id = settings.first_id
        self._born_ms = clock.timestamp_ms()
        self._told: dict[str, tuple[Decimal, Decimal]] = {}
        self._refresh: TimerHandle | None = None
        self._save_due = False
        self.ledger = SimAccount(account, settings.balances, leverage=settings.leverage)

    # -- life ------------------------------------------------------------------------------------------------

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

    def _restore(self, saved: SavedAccount) -> None:
        self.ledger = SimAccount(self.account, saved.balances, leverage=self.settings.leverage)
        for symbol, (amount, price) in saved.positions.items():
            market = self._market(symbol)
            if market is None:
                raise OrderError(
                    f"{self.account} has a position of {to_plain(amount)} {symbol} from an earlier run, and that symbol is "
                    "not known now; add its connector, or start once with overwrite_position=True"
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

    # -- the market ------------------------------------------------------------------------------------------

    def on_bookl1(self, book: BookL1) -> None:
        """A new touch."""
        self._on_news(book.symbol, book)

    def on_tick(self, symbol: str, tick: Tick) -> None:
        """One point of a bar: its trade, then the touch that it left."""
        market = self._market(symbol)
        if market is not None and market.resting and tick.lots:
            self._tell(market, market.engine.public_trade(tick.price, tick.lots, tick.aggressor))
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
        if market is None or not market.resting:
            return
        price, lots = round(trade.price / market.tick), round(trade.size / market.lot)
        if lots:
            side = Side.BUY if trade.side.is_buy else Side.SELL
            self._take_news(market)
            self._tell(market, market.engine.public_trade(price, lots, side))

    def _on_news(self, symbol: str, news: BookL1 | Tick) -> None:
        market = self._market(symbol)
        if market is None:
            return
        market.news = news
        if market.resting:
            self._take_news(market)

    def _take_news(self, market: _Market) -> None:
        """Lets the engine know the last quote, which may fill resting orders."""
        news, market.news = market.news, None
        if news is None:
            return
        if isinstance(news, BookL1):
            bid, ask = round(news.bid / market.tick), round(news.ask / market.tick)
            bid_lots = max(1, round(news.bid_size / market.lot)) if bid > 0 else 0
            ask_lots = max(1, round(news.ask_size / market.lot)) if ask > 0 else 0
        else:
            tick = news if isinstance(news, Tick) else bar_ticks(news, market.tick, market.lot)[-1]
            bid, ask, ask_lots = tick.bid, tick.ask, tick.touch_lots
            bid_lots = ask_lots if bid > 0 else 0
        market.top = (bid, bid_lots, ask, ask_lots)
        self._tell(market, market.engine.set_top(bid, bid_lots, ask, ask_lots))

    def _market(self, symbol: str) -> _Market | None:
        """The symbol's market; None when this account does not trade it."""
        try:
            return self._markets[symbol]
        except KeyError:
            market = self._markets[symbol] = self._open_market(symbol)
            return market

    def _open_market(self, symbol: str) -> _Market | None:
        instrument = self._instruments.get(symbol)
        if instrument is None or self._foreign(instrument) is not None:
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
        return _Market(instrument, engine)

    def _known(self, symbol: str) -> _Market:
        market = self._market(symbol)
        assert market is not None, f"{symbol} has an order or a position and no market"
        return market

    def _foreign(self, instrument: Instrument) -> str | None:
        """Why this account does not trade the instrument, or None."""
        if instrument.exchange.value != self._venue:
            return f"{instrument.symbol} is traded on {instrument.exchange.value}, this account is {self.account}"
        if instrument.type in self.settings.kinds:
            return None
        kinds = ", ".join(sorted(kind.value for kind in self.settings.kinds))
        return f"{instrument.symbol} is {instrument.type.value}, and {self.account} trades {kinds}"

    # -- commands --------------------------------------------------------------------------------------------

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
        self._take_news(market)
        try:
            order = self._sim_order(market, command)
            reason = self._unaffordable(market, order)
        except OrderError as error:
            reason = str(error)
        if reason is not None:
            self._conclude(kind, command, reason)
            return
        placed = self._orders[command.oid] = Placed(command, order, market.sim)
        self._next_id += 1
        self._deepen(market, order)
        market.resting[order.order_id] = placed
        events = market.engine.submit(order)
        if isinstance(events[0], Rejected):
            self._book(market, events)
            del self._orders[command.oid]
            self._conclude(kind, command, REJECTED[events[0].reason])
            return
        facts = self._book(market, events)
        acked = ev.OrderEvent(
            oid=command.oid,
            kind=ev.EventKind.ACKED,
            source=ev.Source.ACK,
            timestamp=self._clock.timestamp_ms(),
            eid=placed.eid,
        )
        self._conclude(kind, command, None, (acked,))
        self._report(market, facts)

    def _sim_order(self, market: _Market, command: ev.Submit) -> SimOrder:
        """The command in ticks and lots. Raises OrderError off the grid or where fields contradict each other."""
        is_market, is_post_only = command.type is OrderType.MARKET, command.type is OrderType.POST_ONLY
        if is_post_only and command.time_in_force is not TimeInForce.GTC:
            raise OrderError(f"a post-only order rests, so it cannot be {command.time_in_force.value}; use GTC")
        price = None if is_market or command.price is None else market.sim.to_ticks(command.price)
        return SimOrder(
            order_id=self._next_id,
            account=self.account,
            side=Side.BUY if command.side.is_buy else Side.SELL,
            lots=market.sim.to_lots(command.amount),
            kind="market" if is_market else "limit",
            price=price,
            client_id=command.oid,
            tif=command.time_in_force.value,
            post_only=is_post_only,
            reduce_only=command.reduce_only,
            timestamp_ms=self._clock.timestamp_ms(),
        )

    def _cancel(self, command: ev.Cancel) -> None:
        placed = self._orders.get(command.oid)
        reason = _not_open(command.oid, placed)
        if placed is None or reason is not None:
            self._conclude(CommandKind.CANCEL, command, reason)
            return
        market = self._known(command.symbol)
        facts = self._book(market, market.engine.cancel(placed.state.order_id))
        self._conclude(CommandKind.CANCEL, command, None)
        self._report(market, facts)

    def _amend(self, command: ev.Amend) -> None:
        placed = self._orders.get(command.oid)
        reason = _not_open(command.oid, placed)
        if placed is None or reason is not None:
            self._conclude(CommandKind.AMEND, command, reason)
            return
        market = self._known(command.symbol)
        self._take_news(market)
        try:
            wanted = placed.state.snapshot()
            wanted.price = wanted.price if command.price is None else market.sim.to_ticks(command.price)
            wanted.lots = wanted.lots if command.amount is None else market.sim.to_lots(command.amount)
            reason = _not_open(command.oid, placed) or self._unaffordable(market, wanted)
            if reason is None:
                self._deepen(market, wanted)
                events = market.engine.amend(wanted.order_id, wanted.price, wanted.lots)
        except OrderError as error:
            reason = str(error)
        if reason is not None:
            self._conclude(CommandKind.AMEND, command, reason)
            return
        facts = self._book(market, events)
        self._conclude(CommandKind.AMEND, command, None)
        self._report(market, facts)

    def _cancel_all(self, command: ev.CancelAll) -> None:
        market = self._market(command.symbol)
        if market is None:
            self._conclude(CommandKind.CANCEL_ALL, command, f"{command.symbol} is not traded by {self.account}")
            return
        facts = self._book(market, market.engine.cancel_all(self.account))
        self._conclude(CommandKind.CANCEL_ALL, command, None)
        self._report(market, facts)

    # -- checks ----------------------------------------------------------------------------------------------

    def _unusable(self, command: ev.Submit) -> str | None:
        """Why the order cannot enter, as far as the market can say."""
        symbol = command.symbol
        instrument = self._instruments.get(symbol)
        if instrument is None:
            return f"{symbol} is not a known symbol"
        if (reason := self._foreign(instrument)) is not None:
            return reason
        if command.type not in SIMULATED_TYPES:
            known = ", ".join(kind.value for kind in SIMULATED_TYPES)
            return f"{command.type.value} orders are not simulated yet; use one of {known}"
        if command.amount <= 0:
            return f"the amount must be above 0, it is {to_plain(command.amount)}"
        if command.type is not OrderType.MARKET and (command.price is None or command.price <= 0):
            return f"a {command.type.value} order needs a price above 0, it is {command.price}"
        if command.oid in self._orders:
            return f"order {command.oid} is a duplicate: an order with this id has arrived before"
        return self._without_book(symbol) or self._without_asset(symbol)

    def _without_book(self, symbol: str) -> str | None:
        market = self._known(symbol)
        has_book = market.news is not None or market.top is not None
        if self._want_data is not None and not market.resting:
            try:
                self._want_data(symbol)
            except NexusTraderError as error:
                return f"no public data of {symbol}: {error}"
        if has_book:
            return None
        return f"no book of {symbol} is known yet: call subscribe_bookl1({symbol!r}) and wait for its first data"

    def _without_asset(self, symbol: str) -> str | None:
        asset = self._known(symbol).sim.settle
        if asset in self.ledger.assets():
            return None
        return f"the account holds no {asset}, in which {symbol} is settled: name it in the initial balance"

    def _unaffordable(self, market: _Market, order: SimOrder) -> str | None:
        """Why the account cannot afford the order, or None. Market orders are reckoned at the touch."""
        self._mark(market)
        symbol = market.instrument.symbol
        price = None
        if order.price is None and market.top is not None:
            bid, bid_lots, ask, ask_lots = market.top
            touch, lots = (ask, ask_lots) if order.side is Side.BUY else (bid, bid_lots)
            price = market.sim.price(touch) if lots else None
        reason = self.ledger.refusal(symbol, order, price)
        if reason is None or market.sim.kind == "spot":
            return reason
        return f"{reason} at leverage {to_plain(self.ledger.leverage(symbol))}"

    # -- liquidity and value ---------------------------------------------------------------------------------

    def _deepen(self, market: _Market, order: SimOrder) -> None:
        """What lies behind the touch is not known: it is taken to be as deep as the order needs, a little behind."""
        side = order.side
        bid, bid_lots, ask, ask_lots = market.top or (0, 0, 0, 0)
        touch, lots = (ask, ask_lots) if side is Side.BUY else (bid, bid_lots)
        behind = touch + side * self.settings.ticks_behind_touch
        if not lots or behind <= 0 or (order.price is not None and side * (order.price - behind) < 0):
            return
        if market.engine.cost_to_take(side, order.remaining, touch)[0] >= order.remaining:
            return
        # Removed first: to tell a level the quantity that it has is no news, and what was taken would stay taken.
        for level_lots in (0, order.remaining):
            self._tell(market, market.engine.set_level(side.opposite, behind, level_lots))

    def _mark(self, market: _Market) -> None:
        """Values the symbol at the middle of its touch."""
        if market.top is None:
            return
        bid, bid_lots, ask, ask_lots = market.top
        sides = [price for price, lots in ((bid, bid_lots), (ask, ask_lots)) if lots]
        if sides:
            self.ledger.set_mark(market.instrument.symbol, market.sim.tick * sum(sides) / len(sides))

    # -- telling ---------------------------------------------------------------------------------------------

    def _book(self, market: _Market, events: Iterable[MatchEvent]) -> list[ev.OrderEvent]:
        """Books what the engine reports, before anybody hears of it, and returns it as facts."""
        facts = []
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
            facts.append(told)
            if applied is not None:
                placed.fills.append(told)
                if self._observe is not None:
                    self._observe(told, applied)
        return facts

    def _close(self, placed: Placed) -> None:
        self._closed[placed.command.oid] = None
        if len(self._closed) > CLOSED_ORDERS_MAX:
            oldest = next(iter(self._closed))
            del self._closed[oldest]
            self._orders.pop(oldest, None)

    def _tell(self, market: _Market, events: list[MatchEvent]) -> None:
        if events:
            self._report(market, self._book(market, events))

    def _report(self, market: _Market, facts: list[ev.OrderEvent]) -> None:
        """Facts about orders first, then what they did to balances and the position."""
        for told in facts:
            self._out.on_order_event(told)
        has_fills = any(told.fill is not None for told in facts)
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
            free=self.ledger.wallet(asset) - locked,
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
        self, kind: CommandKind, command: ev.Command, reason: str | None, events: tuple[ev.OrderEvent, ...] = ()
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
                reason=reason,
                events=events,
            )
        )

    # -- queries ---------------------------------------------------------------------------------------------

    async def query_order(self, symbol: str, oid: str, eid: str | None) -> ev.OrderEvent | None:
        placed = self._orders.get(oid)
        if placed is not None:
            return answer(placed, self._clock.timestamp_ms())
        return self._of_earlier_run(symbol, oid, eid)

    def _of_earlier_run(self, symbol: str, oid: str, eid: str | None) -> ev.OrderEvent | None:
        """Open orders end with the process: one that was sent before this venue was made is told as cancelled."""
        try:
            sent_ms = decode(oid).timestamp_ms
        except ValueError:
            return None
        if self._keeper is None or sent_ms >= self._born_ms:
            return None
        return ev.OrderEvent(
            oid=oid,
            kind=ev.EventKind.CANCELED,
            source=ev.Source.QUERY,
            timestamp=self._clock.timestamp_ms(),
            account=self.account,
            symbol=symbol,
            eid=eid,
            reason="the simulated venue keeps no open orders across a restart",
        )

    async def query_fills(self, symbol: str, oid: str, eid: str | None) -> list[ev.OrderEvent]:
        del symbol, eid  # the id names the order
        placed = self._orders.get(oid)
        return [] if placed is None else fill_answers(placed)

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


def _not_open(oid: str, placed: Placed | None) -> str | None:
    """Why an order can be neither cancelled nor amended, or None."""
    if placed is None:
        return f"order {oid} is not known"
    return None if placed.state.is_open else f"order {oid} is not open, it is {placed.state.status}"
