"""`Strategy`: the one class a user writes. It runs unchanged in backtest, mock, emulated, chaos and live worlds.

All callbacks, timers and jobs run on the engine's thread, one at a time: no locks are needed. Order methods return
the order's id at once; what becomes of it arrives by callback.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from nexustrader._strategy.precision import (
    Mode,
    amount_to_precision,
    min_order_amount,
    price_to_precision,
)
from nexustrader._strategy.runtime import Runtime
from nexustrader.constants import (
    AccountType,
    BookLevel,
    DataType,
    ExchangeType,
    InstrumentType,
    KlineInterval,
    OrderSide,
    OrderType,
    ParamBackend,
    PositionSide,
    TimeInForce,
    TradingState,
    TriggerType,
)
from nexustrader.domain.instrument import Instrument, to_market
from nexustrader.domain.outcome import Route
from nexustrader.domain.setting import Margin, SetLeverage, SetMarginMode, SetPositionMode
from nexustrader.error import InstrumentError, OrderError, StrategyBuildError, SubscriptionError
from nexustrader.execution.request import OrderRequest
from nexustrader.indicator import Indicator, IndicatorManager, IndicatorProxy
from nexustrader.kernel.log import get_logger
from nexustrader.market.cache import Cache
from nexustrader.market.data import resolve_symbols
from nexustrader.schema import (
    AccountBalance,
    BaseMarket,
    BatchOrder,
    BookL1,
    BookL2,
    FundingRate,
    IndexPrice,
    Kline,
    KlineList,
    MarkPrice,
    Order,
    Ticker,
    Trade,
)

Symbols = str | list[str]
Moment = int | datetime | None

_DATA_CALLBACKS = {
    DataType.BOOKL1: "on_bookl1",
    DataType.BOOKL2: "on_bookl2",
    DataType.TRADE: "on_trade",
    DataType.KLINE: "on_kline",
    DataType.FUNDING_RATE: "on_funding_rate",
    DataType.INDEX_PRICE: "on_index_price",
    DataType.MARK_PRICE: "on_mark_price",
}
_TOPIC_CALLBACKS = {
    "private_ws_status": "on_private_ws_status",
    "private_ws_resync_diff": "on_private_ws_resync_diff",
    "ws_order_request_result": "on_ws_order_request_result",
}
_ENDPOINT_CALLBACKS = {
    "pending": "on_pending_order",
    "accepted": "on_accepted_order",
    "partially_filled": "on_partially_filled_order",
    "filled": "on_filled_order",
    "canceling": "on_canceling_order",
    "canceled": "on_canceled_order",
    "expired": "on_expired_order",
    "failed": "on_failed_order",
    "cancel_failed": "on_cancel_failed_order",
    "balance": "on_balance",
}


class Strategy:
    """Subclass it, subscribe in `on_start`, trade in the callbacks."""

    def __init__(self) -> None:
        self.log = get_logger(type(self).__name__)
        self._runtime: Runtime | None = None
        self._early: list[Callable[[], object]] = []
        self.indicator = self._indicators = IndicatorProxy()

    # -- what the engine does --------------------------------------------------------------------------------

    def _bind(self, runtime: Runtime) -> None:
        """Become part of an engine: callbacks on its bus, calls that came early carried out at its start."""
        if not hasattr(self, "_early"):
            Strategy.__init__(self)  # a subclass that skipped super().__init__()
        self._runtime = runtime
        for kind, name in _DATA_CALLBACKS.items():
            if getattr(type(self), name) is not getattr(Strategy, name):
                runtime.bus.subscribe(kind.value, getattr(self, name))
        for topic, name in _TOPIC_CALLBACKS.items():
            runtime.bus.subscribe(topic, getattr(self, name))
        for endpoint, name in _ENDPOINT_CALLBACKS.items():
            runtime.bus.register(endpoint, getattr(self, name))
            if name in vars(self) or getattr(type(self), name) is not getattr(Strategy, name):
                runtime.heard.add(endpoint)

    def _run_early(self) -> None:
        """Carry out what was asked for before the engine was ready."""
        early, self._early = self._early, []
        for call in early:
            call()

    @property
    def _engine(self) -> Runtime:
        runtime: Runtime | None = getattr(self, "_runtime", None)
        if runtime is None:
            raise StrategyBuildError(
                f"{type(self).__name__} does not belong to an engine yet. Pass it to Config(strategy=…) and "
                "Engine(config), and make this call in on_start() or a later callback"
            )
        return runtime

    def _when_ready(self, call: Callable[[], object]) -> None:
        """Carry out `call` now, or at the start of the engine that is still to come."""
        if getattr(self, "_runtime", None) is None:
            self._early.append(call)
        else:
            call()

    # -- what a strategy reads -------------------------------------------------------------------------------

    @property
    def cache(self) -> Cache:
        """Latest market data, orders, positions and balances."""
        return self._engine.cache

    @property
    def clock(self) -> Any:
        """Engine time and named timers."""
        return self._engine.clock

    @property
    def ready(self) -> bool:
        """True once every subscription made with `ready=False` has its data."""
        return self._engine.market.ready

    # -- data ------------------------------------------------------------------------------------------------

    def _subscribe(
        self, kind: DataType, symbols: Symbols, detail: str, ready: bool, ready_timeout: float
    ) -> None:
        names = resolve_symbols(symbols)
        self._when_ready(
            lambda: self._engine.market.subscribe(
                kind, names, detail, ready=ready, ready_timeout_s=ready_timeout
            )
        )

    def _unsubscribe(self, kind: DataType, symbols: Symbols, detail: str = "") -> None:
        names = resolve_symbols(symbols)
        self._when_ready(lambda: self._engine.market.unsubscribe(kind, names, detail))

    def subscribe_bookl1(self, symbols: Symbols, ready_timeout: float = 60, ready: bool = True) -> None:
        """Best bid and ask, to `on_bookl1`. `ready=False` holds `self.ready` back until each symbol has data."""
        self._subscribe(DataType.BOOKL1, symbols, "", ready, ready_timeout)

    def subscribe_trade(self, symbols: Symbols, ready_timeout: float = 60, ready: bool = True) -> None:
        """Public trades, to `on_trade`."""
        self._subscribe(DataType.TRADE, symbols, "", ready, ready_timeout)

    def subscribe_kline(
        self, symbols: Symbols, interval: KlineInterval, ready_timeout: float = 60, ready: bool = True
    ) -> None:
        """Candles of the venue, to `on_kline`; `confirm` is True on the last word about a candle."""
        self._subscribe(DataType.KLINE, symbols, _interval(interval).value, ready, ready_timeout)

    def subscribe_bookl2(
        self, symbols: Symbols, level: BookLevel, ready_timeout: float = 60, ready: bool = True
    ) -> None:
        """The best `level` price levels a side, to `on_bookl2`; bad books are not told, see `BookL2.ok`."""
        self._subscribe(DataType.BOOKL2, symbols, _level(level).value, ready, ready_timeout)

    def subscribe_funding_rate(self, symbols: Symbols, ready_timeout: float = 60, ready: bool = True) -> None:
        """Funding rates of perpetuals, to `on_funding_rate`."""
        self._subscribe(DataType.FUNDING_RATE, symbols, "", ready, ready_timeout)

    def subscribe_index_price(self, symbols: Symbols, ready_timeout: float = 60, ready: bool = True) -> None:
        """Index prices, to `on_index_price`."""
        self._subscribe(DataType.INDEX_PRICE, symbols, "", ready, ready_timeout)

    def subscribe_mark_price(self, symbols: Symbols, ready_timeout: float = 60, ready: bool = True) -> None:
        """Mark prices, to `on_mark_price`."""
        self._subscribe(DataType.MARK_PRICE, symbols, "", ready, ready_timeout)

    def unsubscribe_bookl1(self, symbols: Symbols) -> None:
        """Undo one `subscribe_bookl1`."""
        self._unsubscribe(DataType.BOOKL1, symbols)

    def unsubscribe_trade(self, symbols: Symbols) -> None:
        """Undo one `subscribe_trade`."""
        self._unsubscribe(DataType.TRADE, symbols)

    def unsubscribe_kline(self, symbols: Symbols, interval: KlineInterval) -> None:
        """Undo one `subscribe_kline`."""
        self._unsubscribe(DataType.KLINE, symbols, _interval(interval).value)

    def unsubscribe_bookl2(self, symbols: Symbols, level: BookLevel) -> None:
        """Undo one `subscribe_bookl2`."""
        self._unsubscribe(DataType.BOOKL2, symbols, _level(level).value)

    def unsubscribe_funding_rate(self, symbols: Symbols) -> None:
        """Undo one `subscribe_funding_rate`."""
        self._unsubscribe(DataType.FUNDING_RATE, symbols)

    def unsubscribe_index_price(self, symbols: Symbols) -> None:
        """Undo one `subscribe_index_price`."""
        self._unsubscribe(DataType.INDEX_PRICE, symbols)

    def unsubscribe_mark_price(self, symbols: Symbols) -> None:
        """Undo one `subscribe_mark_price`."""
        self._unsubscribe(DataType.MARK_PRICE, symbols)

    # -- indicators ------------------------------------------------------------------------------------------

    def register_indicator(
        self,
        symbols: Symbols,
        indicator: Indicator,
        data_type: DataType,
        account_type: AccountType | None = None,
    ) -> None:
        """Subscribe the data and feed them to `indicator` before this strategy's own callbacks.

        For one symbol it is `indicator` itself that is fed, for several a copy each: `self.indicator.NAME[symbol]`.
        What it needs of the past is fetched meanwhile; see `Indicator.is_warmed_up`. Raises StrategyBuildError.
        """
        del account_type  # the symbol says where it trades
        names = resolve_symbols(symbols)
        self._when_ready(lambda: self._register(names, indicator, data_type))

    def _register(self, symbols: list[str], indicator: Indicator, data_type: DataType) -> None:
        container = getattr(self._indicators, indicator.name)
        for symbol, one in self._indicator_manager.register(symbols, indicator, data_type).items():
            if container.get(symbol, one) is not one:
                self.log.warning(
                    f"{indicator.name} of {symbol} is now another indicator; give each a name= of its own"
                )
            container[symbol] = one

    def get_warmup_status(self) -> dict[str, bool]:
        """By symbol: whether all its indicators that need a warm-up have had it."""
        return self._indicator_manager.warmup_status()

    def wait_for_warmup(self, timeout_seconds: float = 60) -> bool:
        """Block until history has come, at most so long; True when all indicators are warmed up.

        False at once where only klines that are still to come can do that: none arrives during a callback.
        """
        return self._indicator_manager.wait(timeout_seconds)

    @property
    def _indicator_manager(self) -> IndicatorManager:
        return self._engine.indicators

    # -- orders ----------------------------------------------------------------------------------------------

    def create_order(
        self,
        symbol: str,
        side: OrderSide,
        type: OrderType,  # noqa: A002  # the public contract names it so
        amount: Decimal,
        price: Decimal | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        reduce_only: bool = False,
        client_oid: str | None = None,
        idempotency_key: str | None = None,
        account_type: AccountType | None = None,
        account: str | None = None,
        trigger_price: Decimal | None = None,
        trigger_type: TriggerType = TriggerType.LAST_PRICE,
        position_side: PositionSide | None = None,
        **kwargs: Any,
    ) -> str:
        """Send an order by REST; returns its id at once.

        `amount` in base units, `price` in quote; both are put on the venue's grid without ever being worse than
        asked. STOP_LOSS and TAKE_PROFIT types wait at the venue until the price of `trigger_type` reaches
        `trigger_price`. In hedge mode `position_side` names the position. The same `idempotency_key` never creates
        a second order, not even after a restart. Other keywords go to the venue's request as they are. A refused
        order reaches `on_failed_order`. Raises OrderError for values of a wrong type, InstrumentError for what is
        no symbol, EngineBuildError when no account trades it.
        """
        request = OrderRequest(
            symbol=symbol,
            side=side,
            type=type,
            amount=amount,
            price=price,
            time_in_force=time_in_force,
            reduce_only=reduce_only,
            trigger_price=trigger_price,
            trigger_type=trigger_type,
            position_side=position_side,
            client_oid=client_oid,
            idempotency_key=idempotency_key,
            route=Route.REST,
            params=kwargs,
        )
        engine = self._engine
        return engine.ems.create(engine.route(symbol, account_type, account), request)

    def create_order_ws(
        self,
        symbol: str,
        side: OrderSide,
        type: OrderType,  # noqa: A002  # the public contract names it so
        amount: Decimal,
        price: Decimal | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        reduce_only: bool = False,
        client_oid: str | None = None,
        idempotency_key: str | None = None,
        account_type: AccountType | None = None,
        account: str | None = None,
        ws_fallback: bool = True,
        trigger_price: Decimal | None = None,
        trigger_type: TriggerType = TriggerType.LAST_PRICE,
        position_side: PositionSide | None = None,
        **kwargs: Any,
    ) -> str:
        """Send an order over the order socket; its bytes reach the socket before this call returns.

        As `create_order`; with `ws_fallback` an order that could not be sent goes by REST under the same id.
        """
        request = OrderRequest(
            symbol=symbol,
            side=side,
            type=type,
            amount=amount,
            price=price,
            time_in_force=time_in_force,
            reduce_only=reduce_only,
            trigger_price=trigger_price,
            trigger_type=trigger_type,
            position_side=position_side,
            client_oid=client_oid,
            idempotency_key=idempotency_key,
            route=Route.WS,
            ws_fallback=ws_fallback,
            params=kwargs,
        )
        engine = self._engine
        return engine.ems.create(engine.route(symbol, account_type, account), request)

    def create_batch_orders(
        self,
        orders: Sequence[BatchOrder],
        account_type: AccountType | None = None,
        account: str | None = None,
    ) -> list[str]:
        """Send several orders by REST, together where the venue takes them so; returns their ids at once.

        All go to the account of the first. Each is an order like any other: some may fail where others do not. Raises
        as `create_order`.
        """
        if not orders:
            return []
        engine = self._engine
        requests = [
            OrderRequest(
                symbol=one.symbol,
                side=one.side,
                type=one.type,
                amount=one.amount,
                price=one.price,
                time_in_force=one.time_in_force,
                reduce_only=one.reduce_only,
                params=one.kwargs,
            )
            for one in orders
        ]
        return engine.ems.create_batch(engine.route(orders[0].symbol, account_type, account), requests)

    def cancel_order(
        self,
        symbol: str,
        oid: str,
        account_type: AccountType | None = None,
        account: str | None = None,
        **kwargs: Any,
    ) -> str:
        """Ask by REST for the end of an order; the answer is `on_canceled_order` or `on_cancel_failed_order`."""
        del account_type, account  # the order knows its account
        return self._engine.ems.cancel(symbol, oid, Route.REST, ws_fallback=True, params=kwargs)

    def cancel_order_ws(
        self,
        symbol: str,
        oid: str,
        account_type: AccountType | None = None,
        account: str | None = None,
        ws_fallback: bool = True,
        **kwargs: Any,
    ) -> str:
        """As `cancel_order`, over the order socket."""
        del account_type, account  # the order knows its account
        return self._engine.ems.cancel(symbol, oid, Route.WS, ws_fallback=ws_fallback, params=kwargs)

    def cancel_all_orders(
        self, symbol: str, account_type: AccountType | None = None, account: str | None = None
    ) -> None:
        """Ask for the end of every open order of `symbol`."""
        engine = self._engine
        engine.ems.cancel_all(engine.route(symbol, account_type, account), symbol)

    def modify_order(
        self,
        symbol: str,
        oid: str | None = None,
        side: OrderSide | None = None,
        price: Decimal | None = None,
        amount: Decimal | None = None,
        account_type: AccountType | None = None,
        account: str | None = None,
        *,
        uuid: str | None = None,
        **kwargs: Any,
    ) -> str:
        """Change price and/or total amount of a live order, where the venue can; `side` and `uuid` are accepted."""
        del symbol, side, account_type, account  # the order knows them
        name = oid or uuid
        if name is None:
            raise OrderError("modify_order needs the order's id: pass oid=…")
        return self._engine.ems.amend(name, price=price, amount=amount, params=kwargs)

    def set_leverage(self, symbol: str, leverage: Decimal | int, account: str | None = None) -> None:
        """Positions in `symbol` are opened at this leverage from now on. Usable in any callback.

        Raises Denied where the venue has no such call, VenueRejected when it refuses, NotSent, and OutcomeUnknown:
        then ask for it again.
        """
        setting = SetLeverage(symbol, Decimal(leverage))
        self._engine.requests.change(self._engine.route(symbol, None, account), setting)

    def set_margin_mode(self, symbol: str, mode: str, account: str | None = None) -> None:
        """`mode` is "cross" or "isolated"; venues that know it for a whole account set it so. Raises as above."""
        setting = SetMarginMode(symbol, Margin(mode.lower()))
        self._engine.requests.change(self._engine.route(symbol, None, account), setting)

    def set_position_mode(self, symbol: str, *, hedge: bool, account: str | None = None) -> None:
        """Hedge or one-way mode of the account that trades `symbol`. Raises as above."""
        self._engine.requests.change(self._engine.route(symbol, None, account), SetPositionMode(hedge))

    def fetch_order(
        self,
        symbol: str,
        oid: str,
        account_type: AccountType | None = None,
        force_refresh: bool = False,
        account: str | None = None,
    ) -> Order | None:
        """The order as the cache has it, or as the venue says now with `force_refresh`. Usable in any callback.

        Raises OutcomeUnknown when the venue could not be asked: None means that it does not exist.
        """
        engine = self._engine
        known = engine.cache.get_order(oid)
        if known is not None and not force_refresh:
            return known
        return engine.requests.order(engine.route(symbol, account_type, account), symbol, oid)

    def fetch_open_orders(
        self, symbol: str, account_type: AccountType | None = None, account: str | None = None
    ) -> list[Order]:
        """Open orders of `symbol` as the venue lists them now. Raises OutcomeUnknown when it could not be asked."""
        engine = self._engine
        return engine.requests.open_orders(engine.route(symbol, account_type, account), symbol)

    def fetch_recent_trades(
        self, symbol: str, limit: int = 50, account_type: AccountType | None = None
    ) -> list[Order]:
        """Own orders of `symbol` with fills, newest first, from the cache."""
        del account_type
        cache = self._engine.cache
        found = [cache.get_order(oid) for oid in cache.get_symbol_orders(symbol)]
        filled = [order for order in found if order is not None and order.filled]
        return sorted(filled, key=lambda order: order.timestamp or 0, reverse=True)[:limit]

    def set_reconnect_reconcile_grace_ms(self, exchange: ExchangeType, grace_ms: int) -> None:
        """How long after a reconnect the venue's lists are given to settle. Raises ValueError when negative."""
        self._engine.reconciler.set_exchange_grace_ms(exchange.value, grace_ms)

    # -- requests --------------------------------------------------------------------------------------------

    def request_klines(
        self,
        symbol: Symbols,
        interval: KlineInterval,
        limit: int | None = None,
        start_time: Moment = None,
        end_time: Moment = None,
        account_type: AccountType | None = None,
    ) -> KlineList:
        """The last `limit` candles of a range, oldest first. Times in ms or datetime (naive: local time)."""
        del account_type  # the symbol says where it trades
        requests = self._engine.requests
        klines: list[Kline] = []
        for name in resolve_symbols(symbol):
            klines += requests.klines(name, _interval(interval), limit, _to_ms(start_time), _to_ms(end_time))
        return KlineList(klines)

    def request_ticker(self, symbol: str, account_type: AccountType | None = None) -> Ticker:
        """Last price and 24-hour volume now."""
        del account_type  # the symbol says where it trades
        return self._engine.requests.ticker(symbol)

    # -- instruments -----------------------------------------------------------------------------------------

    def _instrument(self, symbol: str) -> Instrument:
        instrument = self._engine.instruments.get(symbol)
        if instrument is None:
            raise InstrumentError(f"{symbol} is not a known symbol of the configured connectors")
        return instrument

    def market(self, symbol: str) -> BaseMarket:
        """Everything known about an instrument."""
        return to_market(self._instrument(symbol))

    def tick_sz(self, symbol: str) -> float:
        """Price step in quote units."""
        return float(self._instrument(symbol).tick)

    def lot_sz(self, symbol: str) -> float:
        """Amount step in base units."""
        return float(self._instrument(symbol).lot)

    def min_order_amount(self, symbol: str, px: float | Decimal | None = None) -> Decimal:
        """The smallest amount the venue takes at `px`; without `px` at the mid of the book. Raises OrderError."""
        instrument = self._instrument(symbol)
        if px is None:
            book = self._engine.cache.bookl1(symbol)
            if book is None:
                raise OrderError(f"min_order_amount({symbol}) needs px= or a subscribe_bookl1 with data")
            px = book.mid
        return min_order_amount(instrument, Decimal(str(px)))

    def amount_to_precision(
        self, symbol: str, amount: Decimal | float | str, mode: Mode = "round"
    ) -> Decimal:
        """`amount` on the lot."""
        return amount_to_precision(self._instrument(symbol), amount, mode)

    def price_to_precision(self, symbol: str, price: Decimal | float | str, mode: Mode = "round") -> Decimal:
        """`price` on the tick."""
        return price_to_precision(self._instrument(symbol), price, mode)

    def _symbols(
        self,
        kinds: tuple[InstrumentType, ...],
        exchange: ExchangeType,
        base: str | None,
        quote: str | None,
        exclude: list[str] | None,
    ) -> list[str]:
        left_out = set(exclude or ())
        return [
            symbol
            for symbol, i in self._engine.instruments.items()
            if i.exchange is exchange
            and i.type in kinds
            and i.active
            and base in (None, i.base)
            and quote in (None, i.quote)
            and symbol not in left_out
        ]

    def spot_info(
        self,
        exchange: ExchangeType,
        base: str | None = None,
        quote: str | None = None,
        exclude: list[str] | None = None,
    ) -> list[str]:
        """Active spot symbols of a venue."""
        return self._symbols((InstrumentType.SPOT,), exchange, base, quote, exclude)

    def linear_info(
        self,
        exchange: ExchangeType,
        base: str | None = None,
        quote: str | None = None,
        exclude: list[str] | None = None,
    ) -> list[str]:
        """Active linear contracts of a venue."""
        return self._symbols((InstrumentType.LINEAR,), exchange, base, quote, exclude)

    def inverse_info(
        self,
        exchange: ExchangeType,
        base: str | None = None,
        quote: str | None = None,
        exclude: list[str] | None = None,
    ) -> list[str]:
        """Active inverse contracts of a venue."""
        return self._symbols((InstrumentType.INVERSE,), exchange, base, quote, exclude)

    # -- time ------------------------------------------------------------------------------------------------

    def schedule(
        self,
        func: Callable[..., Any],
        trigger: Literal["interval", "cron", "date"] = "interval",
        **kwargs: Any,
    ) -> None:
        """Run `func` on the engine's clock and thread: interval (seconds=…), cron (minute=…) or date (run_date=…)."""
        self._when_ready(lambda: self._engine.scheduler.add(func, trigger, **kwargs))

    def set_timer(
        self,
        callback: Callable[..., Any],
        interval: timedelta,
        name: str | None = None,
        start_time: datetime | None = None,
        stop_time: datetime | None = None,
    ) -> None:
        """Deprecated: use `schedule`."""
        warnings.warn("set_timer is deprecated, use schedule", DeprecationWarning, stacklevel=2)
        self.schedule(
            callback,
            "interval",
            seconds=interval.total_seconds(),
            name=name,
            start_date=start_time,
            end_date=stop_time,
        )

    # -- params ----------------------------------------------------------------------------------------------

    def param(
        self,
        name: str,
        value: Any = None,
        default: Any = None,
        backend: ParamBackend | str = ParamBackend.MEMORY,
    ) -> Any:
        """Set a named value that outlives a restart when `value` is given; else read it."""
        store = self._params(backend)
        if value is not None:
            store.set(name, value)
            return None
        return store.get(name, default)

    def clear_param(self, name: str | None = None, backend: ParamBackend | str = ParamBackend.MEMORY) -> None:
        """Forget one named value, or all of them."""
        self._params(backend).clear(name)

    def _params(self, backend: ParamBackend | str) -> Any:
        kind = ParamBackend(backend)
        store = self._engine.params.get(kind)
        if store is None:
            raise StrategyBuildError(f"params backend {kind.value!r} is not available in this engine")
        return store

    # -- risk ------------------------------------------------------------------------------------------------

    @property
    def trading_state(self) -> TradingState:
        """What the risk gate lets through: ACTIVE all, REDUCING what reduces a position, HALTED cancels alone."""
        return self._engine.gate.state

    def halt_trading(self, reason: str) -> None:
        """Let nothing but cancels leave from now on, also after a restart. Orders that rest stay: cancel them."""
        self._engine.gate.halt(reason)

    def reduce_only_trading(self, reason: str) -> None:
        """Let only orders leave that reduce a position, also after a restart. A halt stays a halt."""
        self._engine.gate.reduce_only(reason)

    def resume_trading(self) -> None:
        """Let orders leave again; losses are measured anew from now on."""
        self._engine.gate.resume()

    # -- life ------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the engine in good order."""
        self._engine.stop()

    def wait(self, seconds: float) -> None:
        """Block the engine's thread. Everything else waits too: prefer `schedule`."""
        time.sleep(seconds)

    def on_start(self) -> None:
        """Called once, when private connectors are connected. Subscribe here.

        What became of orders while the program was not running is told right after it; the cache shows it already.
        """

    def on_stop(self) -> None:
        """Called once, before open orders are cancelled and connections closed. The last chance to create an order."""

    # -- market data callbacks -------------------------------------------------------------------------------

    def on_bookl1(self, bookl1: BookL1) -> None:
        """A new best bid or ask."""

    def on_bookl2(self, bookl2: BookL2) -> None:
        """New best levels."""

    def on_trade(self, trade: Trade) -> None:
        """A public trade."""

    def on_kline(self, kline: Kline) -> None:
        """A candle, still open or (`confirm`) closed."""

    def on_funding_rate(self, funding_rate: FundingRate) -> None:
        """A funding rate."""

    def on_index_price(self, index_price: IndexPrice) -> None:
        """An index price."""

    def on_mark_price(self, mark_price: MarkPrice) -> None:
        """A mark price."""

    # -- order callbacks -------------------------------------------------------------------------------------

    def on_pending_order(self, order: Order) -> None:
        """The venue took the request."""

    def on_accepted_order(self, order: Order) -> None:
        """The order is live on the book, or was modified."""

    def on_partially_filled_order(self, order: Order) -> None:
        """Part of the order was filled."""

    def on_filled_order(self, order: Order) -> None:
        """All of the order was filled."""

    def on_canceling_order(self, order: Order) -> None:
        """The venue took the cancel."""

    def on_canceled_order(self, order: Order) -> None:
        """The order was cancelled."""

    def on_expired_order(self, order: Order) -> None:
        """The order ended by itself: an IOC remainder, a FOK that could not be filled."""

    def on_failed_order(self, order: Order) -> None:
        """The order was refused, here or by the venue; `order.reason` says why. It never was on the book."""

    def on_cancel_failed_order(self, order: Order) -> None:
        """The cancel was refused; `order.reason` says why. The order itself stays as it was."""

    # -- account callbacks -----------------------------------------------------------------------------------

    def on_balance(self, balance: AccountBalance) -> None:
        """Balances changed."""

    def on_private_ws_status(self, status: dict[str, Any]) -> None:
        """The private connection came, went or was resynced."""

    def on_private_ws_resync_diff(self, diff: dict[str, Any]) -> None:
        """What a resync after a reconnect found."""

    def on_ws_order_request_result(self, result: dict[str, Any]) -> None:
        """How an order request over the socket ended, where it was not a plain success."""


def _interval(interval: KlineInterval | str) -> KlineInterval:
    try:
        return KlineInterval(interval)
    except ValueError:
        known = ", ".join(one.value for one in KlineInterval)
        raise SubscriptionError(f"{interval!r} is no KlineInterval; there are {known}") from None


def _level(level: BookLevel | str) -> BookLevel:
    try:
        return BookLevel(level)
    except ValueError:
        known = ", ".join(one.value for one in BookLevel)
        raise SubscriptionError(f"{level!r} is no BookLevel; there are {known}") from None


def _to_ms(moment: Moment) -> int | None:
    if isinstance(moment, datetime):
        return int(moment.astimezone(UTC).timestamp() * 1000)
    if moment is None or isinstance(moment, int):
        return moment
    raise ValueError(f"a time must be milliseconds or a datetime, got {moment!r}")
