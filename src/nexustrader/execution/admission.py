"""Whether an order may be sent as it is asked for: on the venue's grid, within its filters, past the risk gate."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument, quantise, quantise_order, refusal
from nexustrader.domain.order import OrderState, reduces
from nexustrader.domain.outcome import Conclusion
from nexustrader.error import InstrumentError
from nexustrader.execution.request import OrderRequest, numbers
from nexustrader.market.cache import Cache
from nexustrader.risk.gate import Gate
from nexustrader.risk.rules import Proposal
from nexustrader.schema import InstrumentId

Terms = tuple[Decimal, Decimal | None, str | None]
"""Amount and price that would be sent, and why they must not be (None: they may)."""


class Admission:
    """Judges creates and amendments; sends nothing."""

    def __init__(self, cache: Cache, instruments: Mapping[str, Instrument]) -> None:
        self._cache = cache
        self._instruments = instruments
        self.gate: Gate | None = None

    def create(self, account: str, request: OrderRequest, blocked: str | None) -> Terms:
        """The terms of a new order. `blocked`: why no order at all goes to this account now."""
        instrument = self._instruments.get(request.symbol)
        amount, price, reason = numbers(request.amount, request.price)
        if instrument is None:
            return amount, price, unknown(request.symbol)
        reason = blocked or reason
        if reason is not None:
            return amount, price, reason
        amount, price = quantise_order(instrument, request.side, request.type, amount, price)
        reason = refusal(
            instrument,
            side=request.side,
            type=request.type,
            amount=amount,
            price=price,
            reduce_only=request.reduce_only,
            reference_price=self._reference_price(request) if request.type.is_market else None,
        )
        if reason is None and (request.type.is_triggered or request.trigger_price is not None):
            reason = _trigger_refusal(instrument, request)
        gate = self.gate
        if gate is not None and not gate.is_open and reason is None:
            order = Proposal(
                request.side,
                request.type,
                amount,
                price,
                request.reduce_only or reduces(request.side, request.position_side),
                trigger_of(instrument, request) if request.trigger_price is not None else None,
                request.position_side,
            )
            reason = gate.refuse_order(account, instrument, order)
        return amount, price, reason

    def trigger(self, request: OrderRequest) -> Decimal | None:
        """The trigger price of a new order as it would be sent."""
        instrument = self._instruments.get(request.symbol)
        if request.trigger_price is None or instrument is None:
            return None
        return trigger_of(instrument, request)

    def amend(self, state: OrderState, price: Any, amount: Any) -> Terms:
        """The terms of an order after an amendment; None leaves a term as it is."""
        new_amount, new_price, reason = numbers(
            state.amount if amount is None else amount, state.price if price is None else price
        )
        instrument = self._instruments.get(state.symbol)
        if instrument is None:
            return new_amount, new_price, unknown(state.symbol)
        if reason is not None:
            return new_amount, new_price, reason
        new_amount, new_price = quantise_order(instrument, state.side, state.type, new_amount, new_price)
        reason = refusal(
            instrument,
            side=state.side,
            type=state.type,
            amount=new_amount,
            price=new_price,
            reduce_only=state.reduce_only,
            reference_price=None,
        )
        if reason is None and self.gate is not None:
            reason = self.gate.refuse_amendment(state, instrument, new_amount, new_price)
        return new_amount, new_price, reason

    def again(self, state: OrderState) -> str | None:
        """Why an order that was admitted must not be sent by a second route now."""
        return None if self.gate is None else self.gate.refuse_again(state)

    def on_unsent(self, oid: str) -> None:
        """An amendment that was admitted did not leave."""
        if self.gate is not None:
            self.gate.on_amended(oid, Conclusion.NOT_SENT)

    def on_amended(self, result: ev.CommandResult) -> None:
        """An amendment has ended."""
        if self.gate is not None:
            self.gate.on_amended(result.oid, result.conclusion)

    def _reference_price(self, request: OrderRequest) -> Decimal | None:
        """What a market order would pay, for the notional check; None without a book."""
        if request.trigger_price is not None:
            return numbers(1, request.trigger_price)[1]
        book = self._cache.bookl1(request.symbol)
        if book is None:
            return None
        return Decimal(str(book.ask if request.side.is_buy else book.bid))


def trigger_of(instrument: Instrument, request: OrderRequest) -> Decimal | None:
    """The trigger price as it would be sent: on the grid, on the side that triggers no earlier than asked."""
    _, price, reason = numbers(1, request.trigger_price)
    if price is None or reason is not None:
        return None
    rises = (
        request.side.is_buy is request.type.is_stop_loss
    )  # a buy stop waits for a rise, a sell stop for a fall
    return quantise(price, instrument.tick, "ceil" if rises else "floor")


def _trigger_refusal(instrument: Instrument, request: OrderRequest) -> str | None:
    """Why a triggered order makes no sense as it is asked for, or None."""
    if not request.type.is_triggered:
        return f"TRIGGER: a {request.type.value} order takes no trigger_price; use a STOP_LOSS or TAKE_PROFIT type"
    price = trigger_of(instrument, request)
    if price is None or price <= 0:
        return f"TRIGGER: a {request.type.value} order needs a trigger_price above 0, it is {request.trigger_price}"
    return None


def unknown(symbol: str) -> str:
    """The reason for a symbol that no connector knows. Raises InstrumentError for what cannot be one."""
    try:
        InstrumentId.from_str(symbol)
    except ValueError as error:
        raise InstrumentError(str(error)) from None
    return f"{symbol} is not a known symbol"
