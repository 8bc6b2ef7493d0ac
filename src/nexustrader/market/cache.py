"""What is known right now: the latest market data, orders, positions and balances. A bounded projection.

Everything here can be rebuilt from the journal and the venue; nothing is decided from it. Orders handed out are
snapshots: keeping or changing one never touches the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from nexustrader.constants import AccountType, DataType, ExchangeType, KlineInterval, PositionSide
from nexustrader.domain.position import title
from nexustrader.schema import (
    AccountBalance,
    BookL1,
    BookL2,
    FundingRate,
    IndexPrice,
    Kline,
    MarkPrice,
    Order,
    Position,
    Trade,
)

CLOSED_ORDERS_MAX = 100_000
IDEMPOTENCY_KEYS_MAX = 100_000
KEYS_LOOKED_AT_MAX = 16  # in one call: it may be inside the creation of an order


class _Kept:
    """An order as it was last told of; its snapshot is made when it is first asked for."""

    __slots__ = ("is_acked", "is_closed", "made", "make", "symbol")

    def __init__(self, symbol: str, make: Callable[[], Order]) -> None:
        self.symbol = symbol
        self.is_acked = False
        self.is_closed = False
        self.make = make
        self.made: Order | None = None

    @property
    def snapshot(self) -> Order:
        if self.made is None:
            self.made = self.make()
        return self.made


class Cache:
    """Read it from strategies; only the engine's own parts write to it."""

    def __init__(
        self, closed_orders_max: int = CLOSED_ORDERS_MAX, keys_max: int = IDEMPOTENCY_KEYS_MAX
    ) -> None:
        self._bookl1: dict[str, BookL1] = {}
        self._bookl2: dict[str, BookL2] = {}
        self._trade: dict[str, Trade] = {}
        self._kline: dict[tuple[str, str], Kline] = {}
        self._funding: dict[str, FundingRate] = {}
        self._index: dict[str, IndexPrice] = {}
        self._mark: dict[str, MarkPrice] = {}
        self._orders: dict[str, _Kept] = {}
        self._closed: dict[str, None] = {}  # closed oids, oldest first
        self._closed_max = closed_orders_max
        self._by_symbol: dict[str, set[str]] = {}
        self._open: dict[str, set[str]] = {}
        self._cancel_intent: set[str] = set()
        self._inflight: dict[str, set[str]] = {}
        self._positions: dict[tuple[str, str | None], Position] = {}
        self._balances: dict[str, AccountBalance] = {}
        self._idempotency: dict[str, str] = {}
        self._keys_max = keys_max

    # -- market data -----------------------------------------------------------------------------------------

    def slots(self, kind: DataType) -> dict[str, object]:
        """The live dictionary behind one kind of data by symbol; for the market hub alone."""
        slots: dict[DataType, dict[str, object]] = {
            DataType.BOOKL1: self._bookl1,  # type: ignore[dict-item]  # one typed dict a kind, erased here
            DataType.BOOKL2: self._bookl2,  # type: ignore[dict-item]  # as above
            DataType.TRADE: self._trade,  # type: ignore[dict-item]  # as above
            DataType.FUNDING_RATE: self._funding,  # type: ignore[dict-item]  # as above
            DataType.INDEX_PRICE: self._index,  # type: ignore[dict-item]  # as above
            DataType.MARK_PRICE: self._mark,  # type: ignore[dict-item]  # as above
        }
        return slots[kind]

    def put_kline(self, kline: Kline) -> None:
        # `_value_` is what `.value` looks up, at a tenth of its cost.
        self._kline[kline.symbol, kline.interval._value_] = kline

    def bookl1(self, symbol: str) -> BookL1 | None:
        """The latest best bid and ask; None before the first."""
        return self._bookl1.get(symbol)

    def bookl2(self, symbol: str) -> BookL2 | None:
        """The latest levels; `ok` says whether they still count. None before the first."""
        return self._bookl2.get(symbol)

    def trade(self, symbol: str) -> Trade | None:
        return self._trade.get(symbol)

    def kline(self, symbol: str, interval: KlineInterval) -> Kline | None:
        return self._kline.get((symbol, interval.value))

    def funding_rate(self, symbol: str) -> FundingRate | None:
        return self._funding.get(symbol)

    def index_price(self, symbol: str) -> IndexPrice | None:
        return self._index.get(symbol)

    def mark_price(self, symbol: str) -> MarkPrice | None:
        return self._mark.get(symbol)

    def last_price(self, symbol: str) -> float | None:
        """The price by which a position is valued: mark, middle of the book, latest trade or candle, else None."""
        mark = self._mark.get(symbol)
        if mark is not None:
            return mark.price
        book = self._bookl1.get(symbol)
        if book is not None:
            return book.mid
        trade = self._trade.get(symbol)
        if trade is not None:
            return trade.price
        candles = [kline for (name, _), kline in self._kline.items() if name == symbol]
        return max(candles, key=_told_at).close if candles else None

    # -- orders ----------------------------------------------------------------------------------------------

    def note_order(
        self, oid: str, symbol: str, *, is_closed: bool, is_acked: bool, make: Callable[[], Order]
    ) -> None:
        """An order is another one now: `make` gives its snapshot. Keeps the indexes true to it."""
        kept = self._orders.get(oid)
        if kept is None:
            kept = self._orders[oid] = _Kept(symbol, make)
            self._by_symbol.setdefault(symbol, set()).add(oid)
            self._open.setdefault(symbol, set()).add(oid)
        else:
            kept.make, kept.made = make, None
        if is_acked and not kept.is_acked:
            kept.is_acked = True
            _drop(self._inflight, symbol, oid)
        if is_closed is not kept.is_closed:
            kept.is_closed = is_closed
            self._move_order(oid, symbol, is_closed=is_closed)

    def _move_order(self, oid: str, symbol: str, *, is_closed: bool) -> None:
        if not is_closed:  # it was given up, and lives
            del self._closed[oid]
            self._open[symbol].add(oid)
            return
        _drop(self._open, symbol, oid)
        _drop(self._inflight, symbol, oid)
        self._cancel_intent.discard(oid)
        self._closed[oid] = None
        if len(self._closed) > self._closed_max:
            self._forget(next(iter(self._closed)))

    def _forget(self, oid: str) -> None:
        """Drop the oldest closed order. Open orders are never dropped, whatever their age."""
        del self._closed[oid]
        order = self._orders.pop(oid)
        self._by_symbol[order.symbol].discard(oid)

    def get_order(self, oid: str) -> Order | None:
        """The latest snapshot of an order; None when it is not known."""
        kept = self._orders.get(oid)
        return None if kept is None else kept.snapshot

    def get_symbol_orders(self, symbol: str, in_mem: bool = True) -> set[str]:
        """All known order ids of a symbol, open and closed. `in_mem` is accepted for compatibility."""
        del in_mem
        return set(self._by_symbol.get(symbol, ()))

    def get_open_orders(
        self,
        symbol: str | None = None,
        exchange: ExchangeType | None = None,
        *,
        include_canceling: bool = False,
    ) -> set[str]:
        """Ids of open orders of a symbol or of a venue, without those we are cancelling. Raises ValueError."""
        if symbol is None and exchange is None:
            raise ValueError("get_open_orders needs a symbol or an exchange")
        symbols = (
            [symbol]
            if symbol is not None
            else [s for s in self._open if exchange is not None and s.endswith(f".{exchange.value.upper()}")]
        )
        found = {oid for s in symbols for oid in self._open.get(s, ())}
        return found if include_canceling else found - self._cancel_intent

    def get_inflight_orders(self, symbol: str) -> set[str]:
        """Orders sent, of which the venue has said nothing yet."""
        return set(self._inflight.get(symbol, ()))

    async def wait_for_inflight_orders(
        self,
        symbol: str,
        timeout: float = 5.0,  # noqa: ASYNC109  # the public contract names it so
        interval: float = 0.1,
    ) -> None:
        """Return once no order of `symbol` is in flight, at the latest after `timeout` seconds."""
        deadline = asyncio.get_running_loop().time() + timeout
        while self._inflight.get(symbol) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  # polled, as `interval` says
            await asyncio.sleep(interval)

    def add_inflight_order(self, symbol: str, oid: str) -> None:
        self._inflight.setdefault(symbol, set()).add(oid)

    def mark_cancel_intent(self, oid: str) -> None:
        """Hide an order from `get_open_orders` until it closes or its cancel is refused."""
        self._cancel_intent.add(oid)

    def clear_cancel_intent(self, oid: str) -> None:
        """A cancel came to nothing: the order is listed as open again."""
        self._cancel_intent.discard(oid)

    def mark_all_cancel_intent(self, symbol: str) -> None:
        self._cancel_intent |= self._open.get(symbol, set())

    # -- idempotency -----------------------------------------------------------------------------------------

    def reserve_idempotent_create_order(self, key: str, oid: str) -> str:
        """The first oid given for `key`, now and after a restart.

        Beyond IDEMPOTENCY_KEYS_MAX the oldest keys are forgotten, but never one whose order may still be open.
        """
        known = self._idempotency.setdefault(key, oid)
        if len(self._idempotency) > self._keys_max:
            self._forget_keys(key)
        return known

    def _forget_keys(self, newest: str) -> None:
        for _ in range(KEYS_LOOKED_AT_MAX):
            oldest = next(iter(self._idempotency))
            if len(self._idempotency) <= self._keys_max or oldest == newest:
                return
            oid = self._idempotency.pop(oldest)
            order = self._orders.get(oid)
            if order is not None and not order.is_closed:
                self._idempotency[oldest] = oid  # looked at again when all others have been

    def idempotency_keys(self) -> tuple[tuple[str, str], ...]:
        """Every key with the order it belongs to, oldest first."""
        return tuple(self._idempotency.items())

    def release_idempotent_create_order(self, key: str) -> None:
        """Free a key whose order was refused here and so never existed."""
        self._idempotency.pop(key, None)

    def get_idempotent_create_order_oid(self, key: str) -> str | None:
        return self._idempotency.get(key)

    def get_idempotency_key_for_oid(self, oid: str) -> str | None:
        return next((key for key, value in self._idempotency.items() if value == oid), None)

    # -- account ---------------------------------------------------------------------------------------------

    def put_position(
        self, position: Position, account: str | None = None, side: PositionSide | None = None
    ) -> None:
        """A flat position leaves the cache. `side`: in hedge mode, which of a symbol's two positions it is."""
        name = title(position.symbol, side)
        for key in ((name, None), (name, account)):
            if position.signed_amount:
                self._positions[key] = position
            else:
                self._positions.pop(key, None)

    def put_balance(self, account_key: str, balance: AccountBalance) -> None:
        self._balances[account_key] = balance

    def get_position(
        self, symbol: str, account: str | None = None, side: PositionSide | None = None
    ) -> Position | None:
        """The open position of a symbol (of a named account); None when flat.

        In hedge mode `side` names one of the two; without it the larger one is given.
        """
        if side is not None:
            return self._positions.get((title(symbol, side), account))
        found = [self._positions.get((title(symbol, each), account)) for each in _SIDES]
        return max((p for p in found if p is not None), key=lambda p: abs(p.signed_amount), default=None)

    def get_all_positions(self, exchange: ExchangeType | None = None) -> dict[str, Position]:
        """Open positions by symbol, in hedge mode by symbol and side ("BTCUSDT-PERP.BINANCE:LONG")."""
        return {
            symbol: position
            for (symbol, account), position in self._positions.items()
            if account is None and (exchange is None or position.exchange == exchange)
        }

    def get_balance(self, account_type: AccountType, account: str | None = None) -> AccountBalance:
        """Balances of an account; empty before the first report."""
        suffix = f":{account}" if account else ""
        tail = f":{account_type.value}{suffix}"
        for key, balance in self._balances.items():
            if key.endswith(tail) and key.split(":", 1)[0] == _venue_of(account_type):
                return balance
        return AccountBalance()


_SIDES = (None, PositionSide.LONG, PositionSide.SHORT)


def _told_at(kline: Kline) -> int:
    return kline.timestamp


def _venue_of(account_type: AccountType) -> str:
    return str(getattr(account_type, "exchange_id", ""))


def _drop(index: dict[str, set[str]], symbol: str, oid: str) -> None:
    known = index.get(symbol)
    if known is not None:
        known.discard(oid)
