"""Asks the venue whenever its silence leaves something open, and lets only its answers move an order.

Start-up, reconnect and doubt take the same path: query, turn the answers into events, apply. A query that could not
be answered concludes nothing and is put again. An order ends unseen only after several rounds in a row in which the
order query, the list of open orders and its fills all answered "no", and only once the venue's horizon has passed
since the doubt arose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from nexustrader.constants import WsOrderResultType
from nexustrader.domain import events as ev
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_state import Status
from nexustrader.domain.outcome import CommandKind, Conclusion, Route
from nexustrader.error import NexusTraderError
from nexustrader.execution.oms import OrderManager
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock, VenuePort
from nexustrader.market.cache import Cache
from nexustrader.portfolio.portfolio import Portfolio

ABSENCE_NEGATIVES_MIN = 3
# How long to wait before each question; the last one again and again.
RESOLVE_DELAYS_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
CONFIRM_DELAYS_S = (1.0, 1.0, 1.0, 2.0, 4.0, 8.0)
RESYNC_RETRY_DELAYS_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
CONFIRM_END_ATTEMPTS = 3
RECONNECT_GRACE_MS = 700
QUESTIONS_AT_ONCE_MAX = (
    8  # a lost socket may leave hundreds of doubts; orders and cancels need connections too
)
POSITION_ATTEMPTS = 5
POSITION_SETTLE_S = 1.0
CONNECTION_EVENTS = frozenset({"connected", "disconnected", "reconnected", "listen_key_expired"})
RESYNC_AT = frozenset({"reconnected", "resync_needed", "balance_update"})

Spawn = Callable[[Coroutine[Any, Any, None], str], object]
Publish = Callable[[str, Any], None]

_log = get_logger("Reconciler")


class _Doubt:
    """One open question about an order: since when, how often it was put, and how often in a row it was denied."""

    def __init__(self, since_ms: int, delays_s: tuple[float, ...]) -> None:
        self.since_ms = since_ms
        self.asked = 0
        self.denied = 0
        self._delays_s = delays_s

    @property
    def delay_s(self) -> float:
        return self._delays_s[min(self.asked, len(self._delays_s) - 1)]

    @property
    def is_worth_a_line(self) -> bool:
        """True ever more rarely: a venue that is away for hours must not fill the log."""
        return self.asked & (self.asked + 1) == 0

    def note(self, known: bool | None) -> None:
        self.asked += 1
        self.denied = self.denied + 1 if known is False else 0


class Reconciler:
    """One for the engine; works on any venue port."""

    def __init__(
        self,
        clock: Clock,
        cache: Cache,
        oms: OrderManager,
        portfolio: Portfolio,
        *,
        spawn: Spawn,
        publish: Publish,
        tell_ws_result: Callable[[str, WsOrderResultType, str | None], None],
        tell_refused: Callable[[ev.CommandResult], None],
    ) -> None:
        self._clock = clock
        self._cache = cache
        self._oms = oms
        self._portfolio = portfolio
        self._spawn = spawn
        self._publish = publish
        self._tell_ws_result = tell_ws_result
        self._tell_refused = tell_refused
        self._ports: dict[str, VenuePort] = {}
        self._grace_ms: dict[str, int] = {}
        self._busy: set[str] = set()  # "<what> <oid>" under way: one task per doubt
        self._resync_due: set[str] = set()
        self._asking = asyncio.Semaphore(QUESTIONS_AT_ONCE_MAX)

    def add_port(self, port: VenuePort) -> None:
        self._ports[port.account] = port

    def set_grace_ms(self, account: str, grace_ms: int) -> None:
        """How long after a reconnect the venue is given before its lists are believed."""
        if grace_ms < 0:
            raise ValueError(f"grace_ms must not be negative, got {grace_ms}")
        self._grace_ms[account] = grace_ms

    def set_exchange_grace_ms(self, exchange: str, grace_ms: int) -> None:
        """`set_grace_ms` for every account of a venue. Raises ValueError when negative or nothing is configured."""
        accounts = [key for key in self._ports if key.startswith(f"{exchange}:")]
        if not accounts:
            raise ValueError(f"no private connector of {exchange} is configured")
        for account in accounts:
            self.set_grace_ms(account, grace_ms)

    # -- doubts about one order ------------------------------------------------------------------------------

    def resolve_unknown(self, oid: str, *, tell_ws: bool = False) -> None:
        """A create may or may not have arrived: ask until the venue has said what became of it."""
        self._once("doubt", oid, self._resolve(oid, tell_ws=tell_ws))

    def confirm_end(self, oid: str) -> None:
        """The venue finishes this order on entry: fetch its end should the stream have lost it."""
        self._once("end", oid, self._confirm_end(oid))

    def confirm_cancel(self, result: ev.CommandResult) -> None:
        """The venue took a cancel, and the order's end has not been heard of."""
        self._once("cancel", result.oid, self._follow_cancel(result, CONFIRM_DELAYS_S))

    def settle_change(self, result: ev.CommandResult) -> None:
        """A cancel or amendment was refused or is in doubt: learn what the order is before telling anybody."""
        if result.kind is CommandKind.CANCEL and result.conclusion is Conclusion.UNKNOWN:
            self._once("cancel", result.oid, self._follow_cancel(result, RESOLVE_DELAYS_S))
        else:
            self._once(f"{result.kind.value} refused", result.oid, self._settle_refused(result))

    def _once(self, what: str, oid: str, work: Coroutine[Any, Any, None]) -> None:
        key = f"{what} {oid}"
        if key in self._busy:
            work.close()
            return
        self._busy.add(key)
        self._spawn(self._guarded(key, work), key)

    async def _guarded(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            self._busy.discard(key)

    async def _resolve(self, oid: str, *, tell_ws: bool) -> None:
        doubt = self._new_doubt(RESOLVE_DELAYS_S)
        while True:
            known = await self._inquire(oid, doubt)
            if tell_ws:
                tell_ws = False
                self._tell_timeout(oid, known)
            if known and not self._is(oid, Status.UNKNOWN):
                return

    async def _confirm_end(self, oid: str) -> None:
        doubt = self._new_doubt(CONFIRM_DELAYS_S)
        shown_open = 0
        while self._is_open(oid) and shown_open < CONFIRM_END_ATTEMPTS:
            shown_open += bool(await self._inquire(oid, doubt))

    async def _follow_cancel(self, result: ev.CommandResult, delays_s: tuple[float, ...]) -> None:
        """Until the order has ended, or lives on at a time when the cancel can no longer arrive: then it has failed."""
        doubt = self._new_doubt(delays_s)
        tell_ws = result.route is Route.WS and result.conclusion is Conclusion.UNKNOWN
        while (state := self._oms.get(result.oid)) is not None and state.is_open and state.has_cancel_intent:
            known = await self._inquire(result.oid, doubt)
            if tell_ws:
                tell_ws = False
                self._tell_timeout(result.oid, known)
            if known and self._is_open(result.oid) and self._is_past_horizon(doubt, state.account):
                self._tell_change_refused(result, known)
                return

    async def _settle_refused(self, result: ev.CommandResult) -> None:
        before = self._oms.get(result.oid)
        doubt = self._new_doubt(RESOLVE_DELAYS_S)
        known: bool | None = None
        while known is None:
            known = await self._inquire(result.oid, doubt)
        after = self._oms.get(result.oid)
        if before is None or after is None or after.is_closed:
            return
        is_amended = (after.price, after.amount) != (before.price, before.amount)
        if not (result.kind is CommandKind.AMEND and result.conclusion is Conclusion.UNKNOWN and is_amended):
            self._tell_change_refused(result, known)
        if not known:
            self.resolve_unknown(result.oid)

    def _tell_change_refused(self, result: ev.CommandResult, known: bool) -> None:
        state = self._oms.get(result.oid)
        seen = "the venue does not know the order"
        if known and state is not None:
            seen = f"venue status {state.public_status.value}"
        reason = f"{result.reason}; {seen}" if result.reason else f"it had no effect; {seen}"
        self._tell_refused(msgspec.structs.replace(result, reason=reason))

    def _tell_timeout(self, oid: str, known: bool | None) -> None:
        state = self._oms.get(oid)
        if known:
            self._tell_ws_result(oid, WsOrderResultType.ACK_TIMEOUT_CONFIRMED, None)
        else:
            self._tell_ws_result(oid, WsOrderResultType.ACK_TIMEOUT, state.reason if state else None)

    # -- asking ----------------------------------------------------------------------------------------------

    def _new_doubt(self, delays_s: tuple[float, ...]) -> _Doubt:
        return _Doubt(self._clock.timestamp_ms(), delays_s)

    def _is(self, oid: str, status: Status) -> bool:
        state = self._oms.get(oid)
        return state is not None and state.status is status

    def _is_open(self, oid: str) -> bool:
        state = self._oms.get(oid)
        return state is not None and state.is_open

    def _is_past_horizon(self, doubt: _Doubt, account: str) -> bool:
        return self._clock.timestamp_ms() - doubt.since_ms > self._ports[account].absence_horizon_ms

    async def _inquire(self, oid: str, doubt: _Doubt) -> bool | None:
        """Wait and ask once more; an order that was denied often and long enough ends here.

        True: the venue has spoken of it (or it has ended), all is applied. False: denied. None: not answered.
        """
        await asyncio.sleep(doubt.delay_s)
        async with self._asking:
            state = self._oms.get(oid)
            if state is None or state.is_closed:
                return True
            known = await self._ask(state, is_loud=doubt.is_worth_a_line)
        doubt.note(known)
        # Race: a create that is still under way may arrive at any time; only its own result opens this way.
        if (
            doubt.denied < ABSENCE_NEGATIVES_MIN
            or self._is(oid, Status.INITIALIZED)
            or not self._is_past_horizon(doubt, state.account)
        ):
            return known
        self._end_unseen(oid)
        return True

    def _end_unseen(self, oid: str) -> None:
        state = self._oms.get(oid)
        if state is None or state.is_closed:
            return
        if state.word is Status.ACCEPTED:
            kind, reason = (
                ev.EventKind.CANCELED,
                "the venue no longer knows it: it has ended while nobody listened",
            )
        else:
            kind, reason = ev.EventKind.ABSENT, "the venue has never shown it"
        self._oms.apply(self._local(oid, kind, reason))

    async def _ask(self, state: OrderState, *, is_loud: bool = True) -> bool | None:
        """True: the venue knows it, its answers are applied. False: three times no. None: not all answered."""
        try:
            port = self._ports[state.account]
            answer = await port.query_order(state.symbol, state.oid, state.eid)
            if answer is not None:
                await self._take(port, answer)
                return True
            listed = [e for e in await port.query_open_orders(state.symbol) if e.oid == state.oid]
            fills = await port.query_fills(state.symbol, state.oid, state.eid)
        except Exception as error:  # tidy: ok — whatever went wrong in the asking, it was no answer
            if is_loud:
                unforeseen = None if isinstance(error, NexusTraderError) else error
                _log.warning(f"order {state.oid}: the venue could not be asked: {error}", exc=unforeseen)
            return None
        for event in listed + fills:
            self._oms.apply(event)
        return bool(listed) or self._oms.get(state.oid) != state  # fills that are known already prove no life

    async def _take(self, port: VenuePort, answer: ev.OrderEvent) -> None:
        """Apply a query's answer, after the single fills that we have not seen yet: they carry the fees."""
        state = self._oms.get(answer.oid)
        if state is not None and answer.filled is not None and answer.filled > state.filled:
            try:
                for fill in await port.query_fills(state.symbol, state.oid, answer.eid or state.eid):
                    self._oms.apply(fill)
            except NexusTraderError as error:
                _log.warning(
                    f"order {answer.oid}: the single fills could not be read, fees are incomplete: {error}"
                )
        self._oms.apply(answer)

    # -- the whole account -----------------------------------------------------------------------------------

    async def start_up(self, account: str) -> None:
        """Bring orders, balances and positions in line with the venue.

        Raises what the queries of lists raise; a single order that cannot be asked for stays in doubt.
        """
        await self._sync(self._ports[account], starting=True)

    def on_status(self, account: str, event: str) -> None:
        """Follow the private connection of an account; resync after it was away."""
        if event in CONNECTION_EVENTS:
            self._publish_status(account, event)
        if event in RESYNC_AT:
            self._resync_due.add(account)
            self._once("resync", account, self._resync(account))

    async def _resync(self, account: str) -> None:
        """Until a round has succeeded that began after the last call for one."""
        failures = 0
        while account in self._resync_due:
            grace_s = self._grace_ms.get(account, RECONNECT_GRACE_MS) / 1000
            retry = min(failures, len(RESYNC_RETRY_DELAYS_S) - 1)
            await asyncio.sleep(grace_s + RESYNC_RETRY_DELAYS_S[retry])
            self._resync_due.discard(account)
            error = await self._resync_once(account)
            if error is None:
                failures = 0
            else:
                failures += 1
                self._resync_due.add(account)

    async def _resync_once(self, account: str) -> Exception | None:
        """One round, told as a diff; returns what it failed by."""
        before_positions = set(self._cache.get_all_positions())
        before_orders = {s.oid for s in self._oms.open_orders(account)}
        failed: Exception | None = None
        try:
            await self._sync(self._ports[account], starting=False)
        except Exception as error:  # tidy: ok — whatever went wrong, the account is asked again
            unforeseen = None if isinstance(error, NexusTraderError) else error
            _log.error(f"{account}: resync failed, trying again: {error}", exc=unforeseen)
            failed = error
        after_positions = set(self._cache.get_all_positions())
        after_orders = {s.oid for s in self._oms.open_orders(account)}
        diff: dict[str, Any] = {"success": failed is None} | ({"error": str(failed)} if failed else {})
        diff |= {
            "positions_opened": sorted(after_positions - before_positions),
            "positions_closed": sorted(before_positions - after_positions),
            "open_orders_added": sorted(after_orders - before_orders),
            "open_orders_removed": sorted(before_orders - after_orders),
        }
        self._publish("private_ws_resync_diff", self._head(account) | {"diff": diff})
        self._publish_status(account, "resync_failed" if failed else "resynced")
        return failed

    async def _sync(self, port: VenuePort, *, starting: bool) -> None:
        """One round over an account. Orders first, so that fills have moved the positions before those are compared."""
        listed = {event.oid: event for event in await port.query_open_orders()}
        for event in listed.values():
            await self._take(port, event)
        for state in self._oms.open_orders(port.account):
            if state.oid not in listed:
                await self._settle_missing(state, starting=starting)
            elif starting and state.has_cancel_intent:
                self.confirm_cancel(self._cancel_of_earlier_run(state))
        self._portfolio.on_balance_snapshot(port.account, await port.query_balances())
        await self._sync_positions(port)

    async def _sync_positions(self, port: VenuePort) -> None:
        # Race: the venue's list and the stream of fills are not in step. Only a difference that stays while no fill
        # arrives is one; adopting it at once would count a fill twice whose event is still under way.
        for _ in range(POSITION_ATTEMPTS):
            before = self._portfolio.fill_count(port.account)
            positions = await port.query_positions()
            if self._portfolio.differs(port.account, positions):
                await asyncio.sleep(POSITION_SETTLE_S)
            if self._portfolio.fill_count(port.account) == before:
                for adjustment in self._portfolio.on_position_snapshot(port.account, positions):
                    self._oms.record_adjustment(adjustment)
                return
        _log.info(f"{port.account}: trading too fast to compare positions now; the next resync does")

    async def _settle_missing(self, state: OrderState, *, starting: bool) -> None:
        """We hold it open, the venue's list lacks it: closed only by answers about the order itself."""
        if state.status is Status.INITIALIZED and not starting:
            return  # Race: its create is under way in this very run, and ends in a result of its own.
        if not await self._ask(state):
            self._oms.apply(self._local(state.oid, ev.EventKind.UNKNOWN, "the venue's lists do not hold it"))
            self.resolve_unknown(state.oid)

    def _cancel_of_earlier_run(self, state: OrderState) -> ev.CommandResult:
        return ev.CommandResult(
            kind=CommandKind.CANCEL,
            conclusion=Conclusion.UNKNOWN,
            oid=state.oid,
            symbol=state.symbol,
            account=state.account,
            timestamp=self._clock.timestamp_ms(),
            reason="the process ended before the cancel did",
        )

    def _publish_status(self, account: str, event: str) -> None:
        self._publish("private_ws_status", self._head(account) | {"event": event})

    def _head(self, account: str) -> dict[str, Any]:
        exchange, account_type, *name = account.split(":", 2)
        return {
            "exchange": exchange,
            "account_type": account_type,
            "account": name[0] if name else None,
            "timestamp": self._clock.timestamp_ms(),
        }

    def _local(self, oid: str, kind: ev.EventKind, reason: str) -> ev.OrderEvent:
        return ev.OrderEvent(
            oid=oid, kind=kind, source=ev.Source.LOCAL, timestamp=self._clock.timestamp_ms(), reason=reason
        )
