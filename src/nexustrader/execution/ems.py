"""From intent to venue and back: quantise, check, journal, send, and draw the one conclusion.

Everything runs in plain calls on the engine's thread: a `create` inside a market data callback reaches the socket in
the same call stack.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Protocol

import msgspec

from nexustrader.constants import WsOrderResultType
from nexustrader.domain import events as ev
from nexustrader.domain.ids import OidGenerator
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_state import CancelState
from nexustrader.domain.outcome import CommandKind, Conclusion, Route
from nexustrader.error import InstrumentError, JournalError, OrderError
from nexustrader.execution.admission import Admission, unknown
from nexustrader.execution.oms import OrderManager, exchange_of, name_of
from nexustrader.execution.outcome import Step, ends_at_once, next_step
from nexustrader.execution.request import OrderRequest, check_kinds, plain_params
from nexustrader.execution.underway import Underway
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock, VenuePort
from nexustrader.market.cache import Cache
from nexustrader.risk.gate import Gate

_log = get_logger("EMS")

Tell = Callable[[dict[str, Any]], None]
WS_RESULTS = {
    Conclusion.NOT_SENT: WsOrderResultType.REQUEST_NOT_SENT,
    Conclusion.REJECTED: WsOrderResultType.ACK_REJECTED,
}


class Resolver(Protocol):
    """What the execution manager needs of the reconciler."""

    def resolve_unknown(self, oid: str, *, tell_ws: bool = False) -> None: ...
    def confirm_end(self, oid: str) -> None: ...
    def confirm_cancel(self, result: ev.CommandResult) -> None: ...
    def settle_change(self, result: ev.CommandResult) -> None: ...


class ExecutionManager:
    """One for the whole engine; venue ports and instruments are looked up by account and symbol.

    `is_alone`: nobody else has orders on these accounts, so that a venue's call for all orders may be used.
    """

    def __init__(
        self,
        clock: Clock,
        cache: Cache,
        oms: OrderManager,
        ids: OidGenerator,
        instruments: Mapping[str, Instrument],
        *,
        tell: Tell,
        is_alone: bool = False,
    ) -> None:
        self._clock = clock
        self._cache = cache
        self._oms = oms
        self._ids = ids
        self._instruments = instruments
        self._tell = tell
        self._admission = Admission(cache, instruments)
        self._is_alone = is_alone
        self._ports: dict[str, VenuePort] = {}
        self._resolver: Resolver | None = None
        self._in_command = False
        self._underway = Underway()
        self._cancel_attempts = itertools.count(1)
        self._closed_because: str | None = None

    def add_port(self, port: VenuePort) -> None:
        self._ports[port.account] = port

    def set_resolver(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def set_gate(self, gate: Gate) -> None:
        """Let every order pass this gate first."""
        self._admission.gate = gate

    def close(self, reason: str) -> None:
        """Refuse every new order from now on; cancels and amendments still go."""
        self._closed_because = reason

    @property
    def is_waiting(self) -> bool:
        """True while an order or a cancel was given to a venue and its result has not come."""
        return bool(self._underway)

    # -- create ----------------------------------------------------------------------------------------------

    def create(self, account: str, request: OrderRequest) -> str:
        """Send an order and return the id by which the user knows it, at once.

        An order that cannot be sent reaches `on_failed_order` with its reason, after this call has returned. Raises
        OrderError for values of a wrong type and InstrumentError for what is no symbol: nothing can be told of those.
        """
        check_kinds(request)
        name, command = self._admit(account, request)
        if command is not None:
            self._in_command = True
            try:
                self._ports[account].submit(command)
            finally:
                self._in_command = False
                self._oms.know(command)  # after the send: nothing answers before this call returns
                self._cache.add_inflight_order(command.symbol, name)
        return name

    def create_batch(self, account: str, requests: Sequence[OrderRequest]) -> list[str]:
        """Send several orders together, where the venue takes them so. Raises as `create`.

        Each is an order like any other, judged with those before it as if they were sent already.
        """
        for request in requests:  # what raises does so before the first of them is journalled
            check_kinds(request)
            plain_params(request.params)
            if request.symbol not in self._instruments:
                unknown(request.symbol)
        names: list[str] = []
        commands: list[ev.Submit] = []
        for request in requests:
            name, command = self._admit(account, request)
            names.append(name)
            if command is not None:
                commands.append(command)
                self._oms.know(command)
                self._cache.add_inflight_order(command.symbol, name)
        if commands:
            self._send(partial(self._ports[account].submit_batch, commands))
        return names

    def _admit(self, account: str, request: OrderRequest) -> tuple[str, ev.Submit | None]:
        """The name of an order, and its command once that is journalled (None: nothing is to be sent)."""
        key = request.idempotency_key
        if key is not None:
            known = self._cache.get_idempotent_create_order_oid(key)
            if known is not None:
                _log.debug(f"idempotency key {key} already belongs to order {known}: nothing is sent")
                return known, None
        if request.client_oid is not None and self._oms.is_taken(request.client_oid):
            _log.warning(f"client_oid {request.client_oid} is already in use: nothing is sent")
            return request.client_oid, None
        now = self._clock.timestamp_ms()
        command, reason = self._command(account, request, now)
        name = name_of(command)
        if reason is None:
            try:
                self._oms.write_ahead(command)
            except JournalError as error:
                reason = f"not sent, the journal cannot be written: {error}"
        if reason is not None:
            self._oms.claim(command)
            self._clock.call_soon(partial(self._refuse, command, reason))
            return name, None
        if key is not None:
            self._cache.reserve_idempotent_create_order(key, name)
        self._underway.creates[command.oid] = command
        return name, command

    def _command(self, account: str, request: OrderRequest, now: int) -> tuple[ev.Submit, str | None]:
        """The command as it would be sent, and why it must not be sent (None: it may)."""
        oid = self._ids.next(now)
        blocked = self._closed_because
        if blocked is None and account not in self._ports:
            blocked = f"no private connector for {account}"
        amount, price, reason = self._admission.create(account, request, blocked)
        return ev.Submit(
            oid=oid,
            account=account,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            amount=amount,
            price=price,
            time_in_force=request.time_in_force,
            trigger_price=self._admission.trigger(request),
            trigger_type=request.trigger_type,
            reduce_only=request.reduce_only,
            position_side=request.position_side,
            route=request.route,
            ws_fallback=request.ws_fallback,
            client_oid=request.client_oid,
            idempotency_key=request.idempotency_key,
            params=plain_params(request.params),
            timestamp=now,
        ), reason

    def _refuse(self, command: ev.Submit, reason: str) -> None:
        _log.warning(f"{command.symbol} {command.side.value} {command.amount}: refused here: {reason}")
        self._oms.refuse(command, self._event(command.oid, ev.EventKind.REJECTED, reason))

    # -- change ----------------------------------------------------------------------------------------------

    def cancel(
        self,
        symbol: str,
        oid: str,
        route: Route,
        *,
        ws_fallback: bool,
        params: dict[str, ev.ParamValue],
    ) -> str:
        """Ask for the end of an order; the answer comes by callback. Raises OrderError for unusable `params`."""
        params = plain_params(params)
        state = self._oms.get(oid)
        why = self._unchangeable(state)
        if state is None or why is not None:
            self._clock.call_soon(partial(self._oms.tell_cancel_failed, symbol, oid, state, why))
            return oid
        command = ev.Cancel(
            oid=state.oid,
            account=state.account,
            symbol=state.symbol,
            eid=state.eid,
            route=route,
            ws_fallback=ws_fallback,
            attempt=next(self._cancel_attempts),
            is_triggered=state.type.is_triggered,
            params=params,
            timestamp=self._clock.timestamp_ms(),
        )
        self._cache.mark_cancel_intent(name_of(state))
        self._oms.record(command)
        self._underway.add_cancel(command)
        self._send(partial(self._ports[command.account].cancel, command))
        return oid

    def _unchangeable(self, state: OrderState | None) -> str | None:
        """Why an order can be neither cancelled nor amended, or None."""
        if state is None:
            return "no such order is known"
        if state.is_closed:
            return f"the order is already {state.public_status.value}"
        if self._is_foreign(state):
            return "it is somebody else's order, which is left alone until it is claimed"
        return None if state.account in self._ports else f"no private connector for {state.account}"

    def _is_foreign(self, state: OrderState) -> bool:
        return state.is_adopted and self._oms.is_foreign(state.oid)

    def amend(
        self,
        oid: str,
        *,
        price: Decimal | None,
        amount: Decimal | None,
        params: dict[str, ev.ParamValue],
    ) -> str:
        """Change price and/or total amount of a live order, keeping its ids. OrderError for unusable `params`."""
        params = plain_params(params)
        state = self._oms.get(oid)
        reason = self._unchangeable(state)
        if state is None or reason is not None:
            _log.warning(f"order {oid} is not modified: {reason}")
            return oid
        new_amount, new_price, reason = self._admission.amend(state, price, amount)
        if reason is not None:
            _log.warning(f"order {oid} is not modified: {reason}")
            event = self._event(state.oid, ev.EventKind.AMEND_REJECTED, reason)
            self._clock.call_soon(partial(self._oms.apply, event))
            return oid
        command = ev.Amend(
            oid=state.oid,
            account=state.account,
            symbol=state.symbol,
            side=state.side,
            price=new_price,
            amount=new_amount,
            eid=state.eid,
            params=params,
            timestamp=self._clock.timestamp_ms(),
        )
        try:
            self._oms.write_ahead(command)
        except JournalError as error:
            _log.warning(f"order {oid} is not modified: not sent, the journal cannot be written: {error}")
            self._admission.on_unsent(state.oid)
            return oid
        self._oms.ask_change(command)
        self._send(partial(self._ports[command.account].amend, command))
        return oid

    def cancel_all(self, account: str, symbol: str) -> None:
        """Ask for the end of every open order of ours in `symbol`. Raises InstrumentError and OrderError.

        A venue's own call for this ends the orders of strangers too, and no query can rule out that there are any:
        one may come right after it, and answers may be stale. So each order of ours is cancelled by itself, unless
        the account was declared to be ours alone and no order of anybody else was ever seen there. Nor does that call
        end orders that wait for a price everywhere.
        """
        if symbol not in self._instruments:
            raise InstrumentError(unknown(symbol))
        if account not in self._ports:
            raise OrderError(f"no private connector for {account}: its orders cannot be cancelled from here")
        states = [s for s in self._oms.open_orders(account) if s.symbol == symbol and not self._is_foreign(s)]
        waits = any(s.type.is_triggered for s in states)
        if waits or not self._is_alone or self._oms.is_shared(account):
            for state in states:
                if not self._underway.has_cancel(state.oid) and state.cancel is not CancelState.ACKED:
                    self.cancel(symbol, state.oid, Route.REST, ws_fallback=True, params={})
            return
        command = ev.CancelAll(
            account=account,
            symbol=symbol,
            oids=tuple(s.oid for s in states),
            timestamp=self._clock.timestamp_ms(),
        )
        self._oms.record(command)
        self._underway.add_cancel_all(command)
        for state in states:
            self._cache.mark_cancel_intent(name_of(state))
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
        """Draw the conclusion of one command; one that comes late is still the venue's word."""
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
        command = self._underway.take(result)
        if result.kind is CommandKind.AMEND:
            self._admission.on_amended(result)
        step = next_step(result, ws_fallback=command is not None and command.ws_fallback)
        match step:
            case Step.CONFIRM:
                self._confirm(result, state)
            case Step.REROUTE:
                assert command is not None
                self._reroute(result, command, state)
            case Step.CLOSE_UNSENT | Step.CLOSE_REJECTED:
                self._close(result, step)
            case Step.ASK:
                self._oms.apply(self._event(result.oid, ev.EventKind.UNKNOWN, result.reason))
                self._resolve().resolve_unknown(result.oid, tell_ws=result.route is Route.WS)
            case Step.TELL:
                self.tell_refused(result)
            case Step.ASK_THEN_TELL | _:
                self._resolve().settle_change(result)

    def _confirm(self, result: ev.CommandResult, state: OrderState) -> None:
        if result.kind is CommandKind.CREATE:
            if not any(event.kind is ev.EventKind.ACKED for event in result.events):
                self._oms.apply(self._event(result.oid, ev.EventKind.ACKED, None, source=ev.Source.ACK))
        elif result.kind is CommandKind.CANCEL:
            self._oms.apply(self._event(result.oid, ev.EventKind.CANCEL_ACKED, None, source=ev.Source.ACK))
        elif not result.events:
            # The venue has done what was asked, and says nothing of it (e.g. that the terms were so already).
            self._oms.apply(self._event(result.oid, ev.EventKind.AMENDED, None, source=ev.Source.ACK))
        for event in result.events:
            self._oms.apply(event)
        after = self._oms.get(result.oid)
        if after is None or after.is_closed:
            return
        if result.kind is CommandKind.CREATE and ends_at_once(state.type, state.time_in_force):
            self._resolve().confirm_end(result.oid)
        elif result.kind is CommandKind.CANCEL:
            self._resolve().confirm_cancel(result)

    def _reroute(self, result: ev.CommandResult, command: ev.Submit | ev.Cancel, state: OrderState) -> None:
        """The same command by REST, under the same client id: nothing of the first attempt has left."""
        if isinstance(command, ev.Submit):
            refused = "it is no longer wanted" if state.has_cancel_intent else None
            if refused is None and state.is_open:
                refused = self._admission.again(state)
            if refused is not None:
                result = msgspec.structs.replace(result, reason=f"{result.reason}; {refused}")
                self._close(result, Step.CLOSE_UNSENT)
                return
        if state.is_closed:
            return
        _log.warning(f"order {result.oid}: {result.reason}; sending the {result.kind.value} by REST")
        again = msgspec.structs.replace(command, route=Route.REST, timestamp=self._clock.timestamp_ms())
        if isinstance(again, ev.Submit):
            again = msgspec.structs.replace(again, attempt=again.attempt + 1)
        self._oms.record(again)
        port = self._ports[result.account]
        if isinstance(again, ev.Submit):
            self._underway.creates[again.oid] = again
            self._send(partial(port.submit, again))
        else:
            self._underway.add_cancel(again)
            self._send(partial(port.cancel, again))

    def _close(self, result: ev.CommandResult, step: Step) -> None:
        unsent = step is Step.CLOSE_UNSENT
        kind = ev.EventKind.NOT_SENT if unsent else ev.EventKind.REJECTED
        reason = (
            f"WS_REQUEST_NOT_SENT: {result.reason}" if unsent and result.route is Route.WS else result.reason
        )
        self._oms.apply(self._event(result.oid, kind, reason, source=ev.Source.ACK, code=result.code))
        after = self._oms.get(result.oid)
        if after is None or after.is_closed:  # else the venue has shown it, which is the stronger word
            self._tell_ws_refusal(result)

    def tell_refused(self, result: ev.CommandResult) -> None:
        """A cancel or amendment that came to nothing: the order stays, the user hears why."""
        if result.kind is CommandKind.CANCEL and self._underway.has_cancel(result.oid):
            _log.info(f"order {result.oid}: {result.reason}; another cancel of it is under way")
            return
        kind = (
            ev.EventKind.CANCEL_REJECTED if result.kind is CommandKind.CANCEL else ev.EventKind.AMEND_REJECTED
        )
        self._oms.apply(self._event(result.oid, kind, result.reason, source=ev.Source.ACK, code=result.code))
        self._tell_ws_refusal(result)

    def _on_cancel_all(self, result: ev.CommandResult) -> None:
        """What one command for many means for each order that is to end."""
        for event in result.events:
            self._oms.apply(event)
        for oid in self._underway.take_cancel_all(result):
            state = self._oms.get(oid)
            if state is None or state.is_closed or self._underway.has_cancel(oid):
                continue
            if state.cancel is CancelState.ACKED and result.conclusion is not Conclusion.ACCEPTED:
                continue  # a cancel of its own was taken, and is followed
            one = msgspec.structs.replace(result, kind=CommandKind.CANCEL, oid=state.oid, events=())
            if result.conclusion is Conclusion.ACCEPTED:
                self._resolve().confirm_cancel(one)
            elif result.conclusion is Conclusion.NOT_SENT:
                self.tell_refused(one)
            else:
                self._resolve().settle_change(one)

    def _tell_ws_refusal(self, result: ev.CommandResult) -> None:
        told = WS_RESULTS.get(result.conclusion)
        if result.route is Route.WS and told is not None:
            self.tell_ws_result(result.oid, told, result.reason)

    def tell_ws_result(self, oid: str, kind: WsOrderResultType, reason: str | None) -> None:
        """Publish how a WebSocket order request ended, where it was not a plain success."""
        state = self._oms.get(oid)
        if state is None:
            return
        self._tell(
            {
                "oid": name_of(state),
                "symbol": state.symbol,
                "exchange": exchange_of(state.symbol),
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
