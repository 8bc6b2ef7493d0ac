"""Feeds registered indicators with market data, before the strategy hears of it, and warms them up from history."""

from __future__ import annotations

import copy
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from nexustrader.constants import BookLevel, DataType, KlineInterval
from nexustrader.error import NexusTraderError, StrategyBuildError, SubscriptionError
from nexustrader.indicator.base import HANDLERS, Indicator, checked_name
from nexustrader.indicator.feeds import Feed, KlineFeed
from nexustrader.kernel.bus import MessageBus
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock
from nexustrader.market.data import MarketData
from nexustrader.schema import Kline

ASK_AGAIN_AFTER_MS = (1_000, 2_000, 4_000, 8_000, 16_000)
NS_PER_MS = 1_000_000

_log = get_logger("Indicators")

Ask = Callable[[Coroutine[Any, Any, None], str], object]


class History(Protocol):
    """Answers for which the engine's thread waits."""

    def klines(
        self,
        symbol: str,
        interval: KlineInterval,
        limit: int | None,
        start_ms: int | None,
        end_ms: int | None,
        timeout_s: float,
        /,
    ) -> list[Kline]: ...


class _Line(NamedTuple):
    """What history is asked for of."""

    symbol: str
    interval: KlineInterval


@dataclass(slots=True)
class _Registered:
    """An indicator of the user's, an unused copy of it to make others from (if it can be copied), and those in use."""

    original: Indicator
    template: Indicator | None
    used: dict[str, Indicator] = field(default_factory=dict)


class IndicatorManager:
    """One for one strategy. `ask(coroutine, name)` runs a question for history, as a task where it has to wait."""

    def __init__(
        self, bus: MessageBus, clock: Clock, market: MarketData, history: History, *, ask: Ask
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._market = market
        self._history = history
        self._run = ask
        self._feeds: dict[DataType, dict[str, tuple[Feed, ...]]] = {kind: {} for kind in HANDLERS}
        self._registered: dict[int, _Registered] = {}  # by the identity of the original
        self._asking: dict[_Line, list[tuple[KlineFeed, int]]] = {}  # questions that are about to be put

    # -- registering -----------------------------------------------------------------------------------------

    def register(self, symbols: Sequence[str], indicator: Indicator, kind: DataType) -> dict[str, Indicator]:
        """Subscribe and feed the data of every symbol to an indicator of its own, which are returned.

        For a single symbol that is the indicator itself, unless it has another symbol already; else they are copies.
        Registered again for a symbol it is fed this kind of data as well. Raises StrategyBuildError for what is no
        fitting indicator, ValueError for its name, and what a subscription raises.
        """
        self._check(indicator, kind)
        together: dict[str, list[str]] = {}
        for symbol in symbols:
            together.setdefault(self._detail(indicator, kind, symbol), []).append(symbol)
        for detail, names in together.items():
            self._market.subscribe(kind, names, detail, ready=True, ready_timeout_s=0)
        registered = self._known(indicator)
        found = {symbol: self._one_for(symbol, registered, is_alone=len(symbols) == 1) for symbol in symbols}
        for symbol, one in found.items():
            if all(feed.indicator is not one for feed in self._feeds[kind].get(symbol, ())):
                self._add(symbol, one, kind)
        return found

    def _check(self, indicator: Any, kind: DataType) -> None:
        """Refuse what is no indicator for this kind of data."""
        if not isinstance(indicator, Indicator):
            raise StrategyBuildError(f"register_indicator needs an Indicator, got {indicator!r}")
        name, handler = type(indicator).__name__, HANDLERS.get(kind)
        if handler is None:
            known = ", ".join(one.name for one in HANDLERS)
            raise SubscriptionError(f"{name} cannot be registered for {kind!r}; there are {known}")
        checked_name(indicator.name)
        if getattr(getattr(indicator, handler), "__func__", None) is getattr(Indicator, handler):
            raise StrategyBuildError(f"{name} is registered for {kind.name} and does not define {handler}")
        if kind is DataType.KLINE and not isinstance(indicator.kline_interval, KlineInterval):
            raise StrategyBuildError(
                f"{name} is registered for KLINE and its kline_interval is {indicator.kline_interval!r}; give it a "
                "KlineInterval"
            )

    def _detail(self, indicator: Indicator, kind: DataType, symbol: str) -> str:
        """The detail of the stream that is needed; of books the levels that are wanted already."""
        if kind is DataType.BOOKL2:
            return self._market.detail_of(kind, symbol) or BookLevel.L5.value
        interval = indicator.kline_interval if kind is DataType.KLINE else None
        return "" if interval is None else interval.value

    def _known(self, indicator: Indicator) -> _Registered:
        known = self._registered.get(id(indicator))
        if known is None:
            try:
                template = copy.deepcopy(indicator)
            except Exception:  # tidy: ok — user code; whether it matters is seen when a copy is needed
                template = None
            known = self._registered[id(indicator)] = _Registered(indicator, template)
        return known

    def _one_for(self, symbol: str, registered: _Registered, *, is_alone: bool) -> Indicator:
        used = registered.used
        if symbol not in used:
            used[symbol] = registered.original if is_alone and not used else self._copy(registered)
        return used[symbol]

    def _copy(self, registered: _Registered) -> Indicator:
        if registered.template is None:
            name = type(registered.original).__name__
            raise StrategyBuildError(
                f"{name} cannot be copied, and each symbol needs one of its own; register a new {name} for each"
            )
        return copy.deepcopy(registered.template)

    def _add(self, symbol: str, indicator: Indicator, kind: DataType) -> None:
        feeds = self._feeds[kind]
        if not feeds:
            self._bus.subscribe(kind.value, self._delivery(kind), first=True)
        if kind is not DataType.KLINE:
            feeds[symbol] = (*feeds.get(symbol, ()), Feed(indicator, kind, self._bus.report))
            return
        feed = KlineFeed(symbol, indicator, self._bus.report, self._ask)
        feeds[symbol] = (*feeds.get(symbol, ()), feed)
        feed.begin()

    def _delivery(self, kind: DataType) -> Callable[[Any], None]:
        feeds = self._feeds[kind]

        def deliver(datum: Any) -> None:
            for feed in feeds.get(datum.symbol, ()):
                feed.take(datum)

        return deliver

    # -- history ---------------------------------------------------------------------------------------------

    def _ask(self, feed: KlineFeed) -> None:
        """Put a question that `feed` has. Those of one symbol and interval that are due at once become one."""
        line = _Line(feed.symbol, feed.interval)
        waiting = self._asking.setdefault(line, [])
        waiting.append((feed, feed.question))
        if len(waiting) == 1:
            self._run(self._fetch(line), f"history {line.symbol} {line.interval.value}")

    async def _fetch(self, line: _Line) -> None:
        asked = [(feed, number) for feed, number in self._asking.pop(line) if feed.question == number]
        if not asked:
            return
        klines: list[Kline] | None = None
        try:
            klines = await self._market.request_klines(line.symbol, line.interval, self._wanted(asked))
        except Exception as error:  # tidy: ok — whatever it is, the indicators must not wait for ever
            _log.warning(
                f"the {line.interval.value} history of {line.symbol} for {len(asked)} indicator(s): "
                f"{type(error).__name__}: {error}"
            )
        for feed, number in asked:
            if feed.question == number:
                self._answer(feed, klines)

    def _wanted(self, asked: Sequence[tuple[KlineFeed, int]]) -> int:
        now_ms = self._clock.timestamp_ms()
        return max(feed.bars_wanted(now_ms) for feed, _ in asked)

    def _answer(self, feed: KlineFeed, klines: list[Kline] | None) -> None:
        if klines is not None:
            feed.answer(klines)
        if not feed.is_asking:
            return
        if feed.tries < len(ASK_AGAIN_AFTER_MS):
            due_ns = self._clock.timestamp_ns() + ASK_AGAIN_AFTER_MS[feed.tries] * NS_PER_MS
            number = feed.ask_again()
            self._clock.call_at(due_ns, lambda: self._ask_if_still(feed, number))
            return
        _log.error(
            f"{feed.indicator.name} of {feed.symbol}: history was asked for {feed.tries + 1} times in vain; it goes on "
            "with live klines"
        )
        feed.give_up()

    def _ask_if_still(self, feed: KlineFeed, number: int) -> None:
        if feed.question == number:
            self._ask(feed)

    def wait(self, timeout_s: float) -> bool:
        """Fetch what history is still wanted while the caller waits; True when every indicator is warmed up then.

        It cannot wait for live klines: none arrive before the caller returns.
        """
        deadline_s = self._clock.monotonic_ms() / 1_000 + timeout_s
        lines: dict[_Line, list[tuple[KlineFeed, int]]] = {}
        for feed in self._kline_feeds():
            feed.look()
            if feed.is_asking:
                lines.setdefault(_Line(feed.symbol, feed.interval), []).append((feed, feed.question))
        for (symbol, interval), asked in lines.items():
            left_s = deadline_s - self._clock.monotonic_ms() / 1_000
            if left_s <= 0:
                break
            try:
                klines = self._history.klines(symbol, interval, self._wanted(asked), None, None, left_s)
            except NexusTraderError as error:
                _log.warning(f"the {interval.value} history of {symbol}: {error}")
                continue
            for feed, _ in asked:
                feed.answer(klines)
        return not self.warmup_pending_symbols()

    # -- what is known ---------------------------------------------------------------------------------------

    def _kline_feeds(self) -> Iterator[KlineFeed]:
        for feeds in self._feeds[DataType.KLINE].values():
            for feed in feeds:
                assert isinstance(feed, KlineFeed)
                yield feed

    def _warming(self) -> Iterator[KlineFeed]:
        return (feed for feed in self._kline_feeds() if feed.indicator.requires_warmup)

    def warmup_status(self) -> dict[str, bool]:
        """By symbol: whether all its indicators that need a warm-up have had it."""
        status: dict[str, bool] = {}
        for feed in self._warming():
            status[feed.symbol] = status.get(feed.symbol, True) and feed.indicator.is_warmed_up
        return status

    def get_warmup_requirements(self) -> dict[tuple[str, KlineInterval], int]:
        """The longest warm-up, in bars, by symbol and interval."""
        longest: dict[tuple[str, KlineInterval], int] = {}
        for feed in self._warming():
            line = (feed.symbol, feed.interval)
            longest[line] = max(longest.get(line, 0), feed.indicator.warmup_period or 0)
        return longest

    def has_warmup_pending(self, symbol: str, interval: KlineInterval) -> bool:
        """True while an indicator of this symbol and interval is not warmed up."""
        return any(
            feed.symbol == symbol and feed.interval is interval and not feed.indicator.is_warmed_up
            for feed in self._warming()
        )

    def warmup_pending_symbols(self) -> list[str]:
        """The symbols of which an indicator is not warmed up."""
        return [symbol for symbol, is_done in self.warmup_status().items() if not is_done]

    @property
    def bookl1_subscribed_symbols(self) -> list[str]:
        """The symbols whose best bids and asks are fed to an indicator; the others likewise."""
        return list(self._feeds[DataType.BOOKL1])

    @property
    def bookl2_subscribed_symbols(self) -> list[str]:
        return list(self._feeds[DataType.BOOKL2])

    @property
    def trade_subscribed_symbols(self) -> list[str]:
        return list(self._feeds[DataType.TRADE])

    @property
    def kline_subscribed_symbols(self) -> list[str]:
        return list(self._feeds[DataType.KLINE])

    @property
    def index_price_subscribed_symbols(self) -> list[str]:
        return list(self._feeds[DataType.INDEX_PRICE])

    @property
    def funding_rate_subscribed_symbols(self) -> list[str]:
        return list(self._feeds[DataType.FUNDING_RATE])

    @property
    def mark_price_subscribed_symbols(self) -> list[str]:
        return list(self._feeds[DataType.MARK_PRICE])
