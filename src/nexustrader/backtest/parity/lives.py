"""What became of every order and of every account: told by a recording or by a simulated venue, kept in one way."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind, Source
from nexustrader.domain.order import OrderState, apply
from nexustrader.domain.outcome import CommandKind, Conclusion

ZERO = Decimal(0)
FUNDING = "funding"  # a balance whose cause has this word in it was moved by funding
MOVED = ("deposit", "withdraw", "transfer")  # ... and by somebody else with one of these
OPEN = "OPEN"


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """One order from its command to its end. `status` is OPEN until it has ended; `fills` are by time."""

    oid: str
    status: str
    filled: Decimal
    average: Decimal | None
    fees: dict[str, Decimal]
    fills: tuple[ev.Fill, ...]
    reason: str | None

    @property
    def maker(self) -> Decimal:
        """How much of it was filled as maker."""
        return sum((fill.amount for fill in self.fills if fill.is_maker), ZERO)

    def reached_ms(self, amount: Decimal) -> int | None:
        """When so much of it was filled; None if it never was, or nobody told of the executions."""
        total = ZERO
        for fill in self.fills:
            total += fill.amount
            if total >= amount:
                return fill.timestamp
        return None


class Held(NamedTuple):
    """What is held of an asset or a symbol, by the word of a moment."""

    amount: Decimal
    timestamp: int


Key = tuple[str, str]
"""(account, asset or symbol)."""


class Lives:
    """A `VenueSink` that keeps orders, balances and positions. Only orders that it was told to follow have a life.

    `strangers` are accounts on which others were executed: those of an earlier run, or somebody else's. `moved` is
    money that came and went without trading.
    """

    def __init__(self) -> None:
        self.submits: dict[str, ev.Submit] = {}
        self.balances: dict[Key, Held] = {}
        self.positions: dict[Key, Held] = {}
        self.funding: dict[Key, Decimal] = {}
        self.moved: dict[Key, Decimal] = {}
        self.strangers: set[str] = set()
        self._orders: dict[str, OrderState] = {}
        self._oids: dict[str, str] = {}  # by the venue's id
        self._fills: dict[str, dict[str, ev.Fill]] = {}

    def follow(self, command: ev.Submit) -> None:
        """A create was decided. A second one of the same id is the same order by another way."""
        if command.oid not in self.submits:
            self.submits[command.oid] = command
            self._orders[command.oid] = apply(None, command).order

    # -- what a venue tells ------------------------------------------------------------------------------------

    def on_result(self, result: ev.CommandResult) -> None:
        for event in result.events:
            self.on_order_event(event)
        if result.kind is CommandKind.CREATE and result.conclusion is Conclusion.REJECTED:
            self.on_order_event(
                ev.OrderEvent(
                    oid=result.oid,
                    kind=EventKind.REJECTED,
                    source=Source.ACK,
                    timestamp=result.timestamp,
                    reason=result.reason,
                    code=result.code,
                )
            )

    def on_order_event(self, event: ev.OrderEvent) -> None:
        oid = event.oid or self._oids.get(event.eid or "", "")
        order = self._orders.get(oid)
        if order is None:
            if event.fill is not None:
                self.strangers.add(event.account)
            return
        if event.eid is not None:
            self._oids[event.eid] = oid
        self._orders[oid] = apply(order, msgspec.structs.replace(event, oid=oid)).order
        if event.fill is not None:
            self._fills.setdefault(oid, {}).setdefault(event.fill.trade_id, event.fill)

    def on_balance(self, event: ev.BalanceEvent) -> None:
        key, total = (event.account, event.place), event.free + event.locked
        known = self.balances.get(key)
        if known is not None and event.timestamp < known.timestamp:
            return
        cause = (event.cause or "").lower()
        if known is not None and FUNDING in cause:
            self.funding[key] = self.funding.get(key, ZERO) + total - known.amount
        elif known is not None and any(word in cause for word in MOVED):
            self.moved[key] = self.moved.get(key, ZERO) + total - known.amount
        self.balances[key] = Held(total, event.timestamp)

    def on_position(self, event: ev.PositionEvent) -> None:
        key = (event.account, event.symbol)
        known = self.positions.get(key)
        if known is None or event.timestamp >= known.timestamp:
            self.positions[key] = Held(event.signed_amount, event.timestamp)

    def on_status(self, account: str, event: str) -> None: ...

    # -- what is known -----------------------------------------------------------------------------------------

    def life(self, oid: str) -> Life:
        """What became of an order that is followed."""
        order = self._orders[oid]
        fills = sorted(self._fills.get(oid, {}).values(), key=lambda fill: fill.timestamp)
        return Life(
            oid=oid,
            status=order.status.value if order.is_closed else OPEN,
            filled=order.filled,
            average=order.average,
            fees={currency: fee for currency, fee in order.fees if fee},
            fills=tuple(fills),
            reason=order.reason,
        )
