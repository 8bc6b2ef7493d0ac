"""What the crash suite trades: a few orders of every kind, one decision after the other, the same in every run.

Every order has an idempotency key, and a process that starts anew begins the program from its first step: what was
done already must not be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from nexustrader.constants import OrderSide, OrderType, TimeInForce
from nexustrader.schema import Order

if TYPE_CHECKING:
    from crash_child import Trader

PERP = "BTCUSDT-PERP.BINANCE"
SPOT = "BTCUSDT.BINANCE"
ENTERED = "entered"  # the venue has spoken of the order
CLOSED = "closed"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Create an order under a key of its own, and go on when the order is as far as `until`."""

    key: str
    symbol: str
    amount: str
    price: str | None = None
    side: OrderSide = OrderSide.BUY
    tif: TimeInForce = TimeInForce.GTC
    by_socket: bool = True
    until: str = ENTERED

    def do(self, trader: Trader) -> None:
        create: Callable[..., str] = trader.create_order_ws if self.by_socket else trader.create_order
        oid = create(
            self.symbol,
            self.side,
            OrderType.MARKET if self.price is None else OrderType.LIMIT,
            Decimal(self.amount),
            None if self.price is None else Decimal(self.price),
            time_in_force=self.tif,
            idempotency_key=self.key,
        )
        trader.oids.setdefault(self.key, oid)
        if trader.oids[self.key] != oid:
            trader.complain(f"the key {self.key} gave {oid} after it had given {trader.oids[self.key]}")

    def is_done(self, trader: Trader) -> bool:
        state = trader.state(self.key)
        if self.until == CLOSED:
            return bool(state.is_closed)
        return not state.is_unknown and state.word.value not in ("INITIALIZED", "PENDING")


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """End an order, unless it has ended by itself."""

    key: str
    by_socket: bool = True

    def do(self, trader: Trader) -> None:
        if trader.state(self.key).is_open:
            cancel = trader.cancel_order_ws if self.by_socket else trader.cancel_order
            cancel(trader.state(self.key).symbol, trader.oids[self.key])

    def is_done(self, trader: Trader) -> bool:
        return bool(trader.state(self.key).is_closed)


class Modify(msgspec.Struct, frozen=True, kw_only=True):
    """Change an order's price, unless it has ended or has that price already."""

    key: str
    price: str

    def do(self, trader: Trader) -> None:
        if not self.is_done(trader):
            trader.modify_order(PERP, trader.oids[self.key], price=Decimal(self.price))

    def is_done(self, trader: Trader) -> bool:
        state = trader.state(self.key)
        return bool(state.is_closed) or state.price == Decimal(self.price)


class CancelAll(msgspec.Struct, frozen=True, kw_only=True):
    """End every open order of a symbol."""

    symbol: str

    def do(self, trader: Trader) -> None:
        trader.cancel_all_orders(self.symbol)

    def is_done(self, trader: Trader) -> bool:
        return not any(order.symbol == self.symbol for order in trader.core.oms.open_orders())


class Maintain(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine does with its journal from time to time, or what becomes of its disk."""

    what: str

    def do(self, trader: Trader) -> None:
        """Nothing once: it is begun and looked after by `is_done`."""

    def is_done(self, trader: Trader) -> bool:
        return trader.maintain(self.what)


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """Let the market do something while this process is there."""

    does: str

    def do(self, trader: Trader) -> None:
        trader.let_market(self.does)

    def is_done(self, trader: Trader) -> bool:
        return True


Step = Place | Cancel | Modify | CancelAll | Maintain | Market

TRADING: Sequence[Step] = (
    Place(key="rest", symbol=PERP, amount="0.010", price="50000"),
    Place(key="rest by rest", symbol=PERP, amount="0.020", price="49000", by_socket=False),
    Place(key="cross", symbol=PERP, amount="0.030", price="60600", until=CLOSED),
    Place(
        key="ioc",
        symbol=PERP,
        amount="0.005",
        price="60600",
        tif=TimeInForce.IOC,
        by_socket=False,
        until=CLOSED,
    ),
    Place(key="ioc unfilled", symbol=PERP, amount="0.005", price="59000", tif=TimeInForce.IOC, until=CLOSED),
    Place(key="spot", symbol=SPOT, amount="0.01", price="50000"),
    Place(key="spot market", symbol=SPOT, amount="0.01", by_socket=False, until=CLOSED),
    Maintain(what="checkpoint"),
    Cancel(key="rest"),
    Modify(key="rest by rest", price="48500"),
    Place(key="third", symbol=PERP, amount="0.010", price="48000"),
    Maintain(what="rotate"),
    Cancel(key="spot", by_socket=False),
    CancelAll(symbol=PERP),
    Place(
        key="cross", symbol=PERP, amount="0.030", price="60600", until=CLOSED
    ),  # the key again: nothing leaves
    Place(key="reduce", symbol=PERP, side=OrderSide.SELL, amount="0.010", until=CLOSED),
    Place(key="last", symbol=PERP, amount="0.010", price="47000"),
    Market(does="part"),
)
FULL_DISK: Sequence[Step] = (
    Place(key="rest", symbol=PERP, amount="0.010", price="50000"),
    Place(key="rest by rest", symbol=PERP, amount="0.020", price="49000", by_socket=False),
    Maintain(what="disk full"),
    Place(key="refused", symbol=PERP, amount="0.010", price="48000", until=CLOSED),
    Cancel(key="rest"),
    Maintain(what="disk free"),
    Place(key="third", symbol=PERP, amount="0.010", price="48000"),
)
PROGRAMS: Mapping[str, Sequence[Step]] = {"trading": TRADING, "full disk": FULL_DISK}


class Heard(msgspec.Struct, frozen=True):
    """One thing that the strategy was told."""

    oid: str
    notice: str
    status: str
    filled: str
    price: str
    recovered: bool

    @classmethod
    def of(cls, notice: str, order: Order) -> Heard:
        return cls(
            str(order.oid),
            notice,
            order.status.value,
            str(order.filled or 0),
            str(order.price),
            order.recovered,
        )


def is_settled(core: Any) -> bool:
    """True when nothing is in doubt, under way, known as a sum only, or not proved to have been told."""
    orders = list(core.oms.orders())
    return (
        not core.ems.is_waiting
        and core.oms.is_all_told
        and all(
            state.fills_amount >= state.filled
            and (state.is_closed or not (state.is_unknown or state.has_cancel_intent))
            for state in orders
        )
    )
