"""From intent to venue and back: quantise, check, journal, send, and draw the one conclusion.

Everything runs in plain calls on the engine's thread: a `create` inside a market data callback reaches the socket in
the same call stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Protocol

import msgspec

from nexustrader.constants import OrderSide, OrderType, TimeInForce, WsOrderResultType
from nexustrader.domain import events as ev
from nexustrader.domain.ids import OidGenerator
from nexustrader.domain.instrument import Instrument, quantise_order, refusal
from nexustrader.domain.order import OrderState
from nexustrader.domain.outcome import CommandKind, Conclusion, Route
from nexustrader.error import InstrumentError, JournalError
from nexustrader.execution.oms import OrderManager
from nexustrader.execution.outcome import Step, ends_at_once, next_step
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock, VenuePort
from nexustrader.market.cache import Cache

_log = get_logger("EMS")

Tell = Callable[[dict[str, Any]], None]
NO_PARAMS: dict[str, ev.ParamValue] = {}


class Resolver(Protocol):
    """What the execution manager needs of the reconciler."""

    def resolve_unknown(self, oid: str, *, tell_ws: bool = False) -> None: ...
    def confirm_end(self, oid: str) -> None: ...
    def confirm_cancel(self, oid: str) -> None: ...
    def settle_refused_change(self, result: ev.CommandResult) -> None: ...


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a strategy asked for, before any check."""

    symbol: str
    side: OrderSide
    type: OrderType
    amount: Decimal
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    client_oid: str | None = None
    idempotency_key: str | None = None
    route: Route = Route.REST
    ws_fallback: bool = True
    params: dict[str, ev.ParamValue] = NO_PARAMS


class ExecutionManager:
    """One for the whole engine; venue ports and instruments are looked up by account and symbol."""

    def __init__(
        self,
        clock: Clock,
        cache: Cache,
        oms: OrderManager,
        ids: OidGenerator,
        instruments: Mapping[str, Instrument],
        *,
        tell: Tell,
    ) -> None:
        self._clock = clock
        self._cache = cache
        self._oms = oms
        self._ids = ids
        self._instruments = instruments
        self._tell = tell
        self._ports: dict[str, VenuePort] = {}
        self._resolver: Resolver | None = None
        self._in_command = False
        self._underway: dict[tuple[CommandKind, str], ev.Submit | ev.Cancel] = {}

    def add_port(self, port: VenuePort) -> None:
        self._ports[port.account] = port

    def set_resolver(self, resolver: Resolver) -> None:
        self._resolver = resolver

    # -- create ----------------------------------------------------------------------------------------------

    def create(self, account: str, request: OrderRequest) -> str:
        """Send an order and return the id by which the user knows it, at once. Never raises for a bad order.

        A refused order reaches `on_failed_order` with its reason, after this call has returned.
        """
        key = request.idempotency_key
        if key is not None:
            known = self._cache.get_idempotent_create_order_oid(key)
            if known is not None:
                _log.info(f"idempotency key {key} already belongs to order {known}: nothing is sent")
                return known
        if request.client_oid is not None and self._oms.get(request.client_oid) is not None:
            _log.warning(f"client_oid {request.client_oid} is already in use: nothing is sent")
            return request.client_oid
        now = self._clock.timestamp_ms()
        command, reason = self._command(account, request, now)
        name = command.client_oid or command.oid
        if reason is not None:
            self._clock.call_soon(partial(self._refuse, command, reason))
            return name
        try:
            self._oms.write_ahead(command)
        except JournalError as error:
            self._clock.call_soon(
                partial(self._refuse, command, f"not sent, the journal cannot be written: {error}")
            )
            return name
        if key is not None:
            self._cache.reserve_idempotent_create_order(key, name)
        self._underway[CommandKind.CREATE, command.oid] = command
        try:
            self._send(partial(self._ports[account].submit, command))
        finally:
            self._oms.know(command)  # after the send: nothing answers before this call returns
            self._cache.add_inflight_order(command.symbol, name)
        return name

    def _command(self, account: str, request: OrderRequest, now: int) -> tuple[ev.Submit, str | None]:
        """The command as it would be sent, and why it must not be sent (None: it may)."""
        oid = self._ids.next(now)
        instrument = self._instruments.get(request.symbol)
        amount, price, reason = _numbers(request)
        if reason is None and instrument is None:
            reason = f"{request.symbol} is not a known symbol"
        elif reason is None and account not in self._ports:
            reason = f"no private connector for {account}"
        if reason is None and instrument is not None:
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
        return ev.Submit(
            oid=oid,
            account=account,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            amount=amount,
            price=price,
            time_in_force=request.time_in_force,
            reduce_only=request.reduce_only,
            route=request.route,
            ws_fallback=request.ws_fallback,
            client_oid=request.client_oid,
            idempotency_key=request.idempotency_key,
            params=request.params,
            timestamp=now,
        ), reason

    def _reference_price(self, request: OrderRequest) -> Decimal | None:
        """What a market order would pay, for the notional check; None without a book."""
        book = self._cache.bookl1(request.symbol)
        if book is None:
            return None
        return Decimal(str(book.ask if request.side.is_buy else book.bid))

    def _refuse(self, command: ev.Submit, reason: str) -> None:
        _log.warning(f"{command.symbol} {command.side.value} {command.amount}: refused here: {reason}")
        self._oms.refuse(command, self._event(command.oid, ev.EventKind.REJECTED, reason))

    # -- change ----------------------------------------------------------------------------------------------

    def cancel(
        self,
        account: str,
        symbol: str,
        oid: str,
        route: Route,
        *,
        ws_fallback: bool,
        params: dict[str, ev.ParamValue],
    ) -> str:
        """Ask for the end of an order; the answer comes by callback."""
        state = self._oms.get(oid)
        if state is None or state.is_closed:
            why = (
                "no such order is known"
                if state is None
                else f"the order is already {state.public_status.value}"
            )
            self._clock.call_soon(partial(self._tell_cancel_failed, symbol, oid, state, why))
            return oid
        command = ev.Cancel(
            oid=state.oid,
            account=state.account or account,
            symbol=state.symbol,
            eid=state.eid,
            route=route,
            ws_fallback=ws_fallback,
            params=params,
            timestamp=self._clock.timestamp_ms(),
        )
        self._cache.mark_cancel_intent(oid)
        self._oms.record(command)
        self._oms.apply(self._event(state.oid, ev.EventKind.CANCEL_SENT, None))
        self._underway[CommandKind.CANCEL, command.oid] = command
        self._send(partial(self._ports[command.account].cancel, command))
        return oid

    def _tell_cancel_failed(self, symbol: str, oid: str, state: OrderState | None, why: str) -> None:
        self._oms.tell_cancel_failed(symbol, oid, state, why)

    def amend(
        self,
        account: str,
        oid: str,
        *,
        price: Decimal | None,
        amount: Decimal | None,
        params: dict[str, ev.ParamValue],
    ) -> str:
        """Change price and/or total amount of a live order, keeping its ids."""
        state = self._oms.get(oid)
        if state is None or state.is_closed:
            _log.warning(f"order {oid} cannot be modified: it is {'closed' if state else 'not known'}")
            return oid
        instrument = self._instruments[state.symbol]
        new_amount, new_price = quantise_order(
            instrument, state.side, state.type, amount or state.amount, price or state.price
        )
        reason = refusal(
            instrument,
            side=state.side,
            type=state.type,
            amount=new_amount,
            price=new_price,
            reduce_only=state.reduce_only,
            reference_price=None,
        )
        if reason is not None:
            _log.warning(f"order {oid} is not modified: {reason}")
            event = self._event(state.oid, ev.EventKind.AMEND_REJECTED, reason)
            self._clock.call_soon(partial(self._oms.apply, event))
            return oid
        command = ev.Amend(
            oid=state.oid,
            account=state.account or account,
            symbol=state.symbol,
            side=state.side,
            price=new_price,
            amount=new_amount,
            eid=state.eid,
            params=params,
            timestamp=self._clock.timestamp_ms(),
        )
        self._oms.record(command)
        self._send(partial(self._ports[command.account].amend, command))
        return oid

    def cancel_all(self, account: str, symbol: str) -> None:
        """Ask for the end of every open order of `symbol` on one account."""
        if symbol not in self._instruments:
            raise InstrumentError(f"{symbol} is not a known symbol")
        states = [s for s in self._oms.open_orders(account) if s.symbol == symbol]
        command = ev.CancelAll(
            account=account,
            symbol=symbol,
            oids=tuple(s.oid for s in states),
            timestamp=self._clock.timestamp_ms(),
        )
        self._cache.mark_all_cancel_intent(symbol)
        self._oms.record(command)
        for state in states:
            self._oms.apply(self._event(state.oid, ev.EventKind.CANCEL_SENT, None))
        self._send(partial(self._ports[account].cancel_all, command))

    def _send(self, send: Callable[[], None]) -> None:
        self._in_command = True
        try:
            send()
        finally:
            self._in_command = False

    # -- conclusions -----------------------------------------------------------------------------------------

    def on_result(self, result: ev.CommandResult) -> None:
        """Draw the conclusion of one command."""
        if self._in_command:
            # Race: the port may answer before `create` has returned the id to the strategy; the strategy must
            # know the id before it hears of the order.
            self._clock.call_soon(partial(self.on_result, result))
            return
        if result.kind is CommandKind.CANCEL_ALL:
            self._on_cancel_all(result)
            return
        state = self._oms.get(result.oid)
        if state is None:
            _log.error(f"a result for an order that is not known: {result.oid} {result.conclusion.value}")
            return
        command = self._underway.pop((result.kind, result.oid), None)
        step = next_step(result, ws_fallback=command is not None and command.ws_fallback)
        match step:
            case Step.CONFIRM:
                self._confirm(result, state)
            case Step.REROUTE:
                assert command is not None
                self._reroute(result, command)
            case Step.CLOSE_UNSENT | Step.CLOSE_REJECTED:
                self._close(result, step)
            case Step.ASK:
                self._oms.apply(self._event(result.oid, ev.EventKind.UNKNOWN, result.reason))
                self._resolve().resolve_unknown(result.oid, tell_ws=result.route is Route.WS)
            case Step.TELL:
                self.tell_refused(result)
            case Step.ASK_THEN_TELL:
                self._resolve().settle_refused_change(result)

    def _confirm(self, result: ev.CommandResult, state: OrderState) -> None:
        if result.kind is CommandKind.CREATE:
            if not any(event.kind is ev.EventKind.ACKED for event in result.events):
                self._oms.apply(self._event(result.oid, ev.EventKind.ACKED, None, source=ev.Source.ACK))
        elif result.kind is CommandKind.CANCEL:
            self._oms.apply(self._event(result.oid, ev.EventKind.CANCEL_ACKED, None, source=ev.Source.ACK))
        for event in result.events:
            self._oms.apply(event)
        after = self._oms.get(result.oid)
        if after is None or after.is_closed:
            return
        if result.kind is CommandKind.CREATE and ends_at_once(state.type, state.time_in_force):
            self._resolve().confirm_end(result.oid)
        elif result.kind is CommandKind.CANCEL:
            self._resolve().confirm_cancel(result.oid)

    def _reroute(self, result: ev.CommandResult, command: ev.Submit | ev.Cancel) -> None:
        """The same command by REST, under the same client id: nothing of the first attempt has left."""
        _log.warning(f"order {result.oid}: {result.reason}; sending the {result.kind.value} by REST")
        again = msgspec.structs.replace(command, route=Route.REST, timestamp=self._clock.timestamp_ms())
        if isinstance(again, ev.Submit):
            again = msgspec.structs.replace(again, attempt=again.attempt + 1)
        self._oms.record(again)
        self._underway[result.kind, result.oid] = again
        port = self._ports[result.account]
        self._send(
            partial(port.submit, again) if isinstance(again, ev.Submit) else partial(port.cancel, again)
        )

    def _close(self, result: ev.CommandResult, step: Step) -> None:
        unsent = step is Step.CLOSE_UNSENT
        kind = ev.EventKind.NOT_SENT if unsent else ev.EventKind.REJECTED
        reason = (
            f"WS_REQUEST_NOT_SENT: {result.reason}" if unsent and result.route is Route.WS else result.reason
        )
        self._oms.apply(self._event(result.oid, kind, reason, source=ev.Source.ACK, code=result.code))
        if result.route is Route.WS:
            kind_told = WsOrderResultType.REQUEST_NOT_SENT if unsent else WsOrderResultType.ACK_REJECTED
            self.tell_ws_result(result.oid, kind_told, result.reason)

    def tell_refused(self, result: ev.CommandResult) -> None:
        """A cancel or amendment that came to nothing: the order stays, the user hears why."""
        kind = (
            ev.EventKind.CANCEL_REJECTED if result.kind is CommandKind.CANCEL else ev.EventKind.AMEND_REJECTED
        )
        self._oms.apply(self._event(result.oid, kind, result.reason, source=ev.Source.ACK, code=result.code))
        if result.route is Route.WS:
            unsent = result.conclusion is Conclusion.NOT_SENT
            told = WsOrderResultType.REQUEST_NOT_SENT if unsent else WsOrderResultType.ACK_REJECTED
            self.tell_ws_result(result.oid, told, result.reason)

    def _on_cancel_all(self, result: ev.CommandResult) -> None:
        states = [s for s in self._oms.open_orders(result.account) if s.symbol == result.symbol]
        if result.conclusion is Conclusion.ACCEPTED:
            for event in result.events:
                self._oms.apply(event)
            for state in states:
                if state.has_cancel_intent:
                    self._resolve().confirm_cancel(state.oid)
            return
        for state in states:
            if state.has_cancel_intent:
                one = ev.CommandResult(
                    kind=CommandKind.CANCEL,
                    conclusion=result.conclusion,
                    oid=state.oid,
                    symbol=state.symbol,
                    account=result.account,
                    timestamp=result.timestamp,
                    route=Route.REST,
                    reason=result.reason,
                    code=result.code,
                )
                self.on_result(one)

    def tell_ws_result(self, oid: str, kind: WsOrderResultType, reason: str | None) -> None:
        """Publish how a WebSocket order request ended, where it was not a plain success."""
        state = self._oms.get(oid)
        if state is None:
            return
        self._tell(
            {
                "oid": state.client_oid or oid,
                "symbol": state.symbol,
                "exchange": self._instruments[state.symbol].exchange,
                "result_type": kind,
                "reason": reason,
                "timestamp": self._clock.timestamp_ms(),
            }
        )

    def _resolve(self) -> Resolver:
        assert self._resolver is not None
        return self._resolver

    def _event(
        self,
        oid: str,
        kind: ev.EventKind,
        reason: str | None,
        *,
        source: ev.Source = ev.Source.LOCAL,
        code: str | None = None,
    ) -> ev.OrderEvent:
        return ev.OrderEvent(
            oid=oid, kind=kind, source=source, timestamp=self._clock.timestamp_ms(), reason=reason, code=code
        )


def _numbers(request: OrderRequest) -> tuple[Decimal, Decimal | None, str | None]:
    """Amount and price as finite decimals, and what is wrong with them."""
    try:
        amount = _decimal(request.amount)
        price = _decimal(request.price) if request.price is not None else None
    except (InvalidOperation, ValueError, TypeError):
        return Decimal(0), None, f"amount {request.amount!r} or price {request.price!r} is not a number"
    if not amount.is_finite() or (price is not None and not price.is_finite()):
        return Decimal(0), None, f"amount {amount} and price {price} must be finite"
    return amount, price, None


def _decimal(value: Any) -> Decimal:
    return value if type(value) is Decimal else Decimal(str(value))
