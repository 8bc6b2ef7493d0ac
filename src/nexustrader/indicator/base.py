"""`Indicator`: what a user writes to turn market data into a value."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from nexustrader.constants import DataType, KlineInterval
from nexustrader.schema import BookL1, BookL2, FundingRate, IndexPrice, Kline, MarkPrice, Trade

HANDLERS: Mapping[DataType, str] = {
    DataType.KLINE: "handle_kline",
    DataType.BOOKL1: "handle_bookl1",
    DataType.BOOKL2: "handle_bookl2",
    DataType.TRADE: "handle_trade",
    DataType.INDEX_PRICE: "handle_index_price",
    DataType.FUNDING_RATE: "handle_funding_rate",
    DataType.MARK_PRICE: "handle_mark_price",
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(slots=True)
class WarmupProgress:
    """How far a warm-up has come: closed bars given so far, and whether some are still being asked for."""

    bars: int = 0
    is_behind: bool = False
    resets: int = 0


class Indicator:
    """Override the handlers of the data it is registered for, and the property `value`.

    params: for the user's own use. name: where `strategy.indicator` has it; the class's name if None.
    warmup_period: closed bars that it needs before its value means anything; they are fetched when it is registered.
    kline_interval: of the klines that it is fed.

    A subclass may leave out `super().__init__()` and may simply set `self.value`. Raises ValueError for a name that is
    no plain attribute, and for a negative warmup_period.
    """

    # What one has whose subclass does not call this class's __init__.
    params: Mapping[str, Any] = MappingProxyType({})
    warmup_period: int | None = None
    kline_interval: KlineInterval | None = None
    _name: str | None = None

    def __init__(
        self,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        warmup_period: int | None = None,
        kline_interval: KlineInterval | None = None,
    ) -> None:
        if warmup_period is not None and warmup_period < 0:
            raise ValueError(f"warmup_period counts bars, it cannot be {warmup_period}")
        self.params = {} if params is None else params
        if name is not None:
            self.name = name
        checked_name(self.name)  # a subclass may have one of its own
        self.warmup_period = warmup_period
        self.kline_interval = kline_interval

    @property
    def name(self) -> str:
        """As which `strategy.indicator` has it."""
        return checked_name(type(self).__name__) if self._name is None else self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = checked_name(name)

    if TYPE_CHECKING:

        @property
        def value(self) -> Any:
            """What it says now."""
    else:
        # A plain attribute, so that a subclass may set it; for type checkers a property, so that it may override it.
        value = None

    # -- warm-up ---------------------------------------------------------------------------------------------

    @property
    def requires_warmup(self) -> bool:
        """True when it needs bars of the past: it has both a warmup_period and a kline_interval."""
        return bool(self.warmup_period) and self.kline_interval is not None

    @property
    def is_warmed_up(self) -> bool:
        """True once as many closed bars as it needs were given. False again while it catches up after a gap."""
        progress = self.warmup_progress
        return not self.requires_warmup or (
            progress.bars >= (self.warmup_period or 0) and not progress.is_behind
        )

    @property
    def warmup_progress(self) -> WarmupProgress:
        """How far the warm-up has come."""
        progress: WarmupProgress = self.__dict__.setdefault("_warmup_progress", WarmupProgress())
        return progress

    def reset_warmup(self) -> None:
        """Warm up anew: the history is fetched and given again. Extend it to forget what the indicator has gathered."""
        progress = self.warmup_progress
        progress.bars = 0
        progress.resets += 1

    # -- what it is fed --------------------------------------------------------------------------------------

    def handle_kline(self, kline: Kline) -> None:
        """A candle of `kline_interval`: closed ones of the past, then each that is told, open or (`confirm`) closed."""
        self._refuse("handle_kline", kline)

    def handle_bookl1(self, bookl1: BookL1) -> None:
        """A new best bid or ask."""
        self._refuse("handle_bookl1", bookl1)

    def handle_bookl2(self, bookl2: BookL2) -> None:
        """New best levels."""
        self._refuse("handle_bookl2", bookl2)

    def handle_trade(self, trade: Trade) -> None:
        """A public trade."""
        self._refuse("handle_trade", trade)

    def handle_index_price(self, index_price: IndexPrice) -> None:
        """An index price."""
        self._refuse("handle_index_price", index_price)

    def handle_funding_rate(self, funding_rate: FundingRate) -> None:
        """A funding rate."""
        self._refuse("handle_funding_rate", funding_rate)

    def handle_mark_price(self, mark_price: MarkPrice) -> None:
        """A mark price."""
        self._refuse("handle_mark_price", mark_price)

    def _refuse(self, handler: str, datum: object) -> NoReturn:
        raise NotImplementedError(
            f"{type(self).__name__} was given a {type(datum).__name__} and does not define {handler}"
        )


def checked_name(name: str) -> str:
    """The name, if `strategy.indicator.NAME` can be written with it. Raises ValueError."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ValueError(
            f"an indicator cannot be called {name!r}: pass name= with ASCII letters, digits and _, beginning with a "
            "letter and no keyword of Python"
        )
    return name
