"""Asks the venue whenever its silence leaves something open, and lets only its answers move an order.

Start-up, reconnect and doubt take the same path: query, turn the answers into events, apply. A query that could not
be answered concludes nothing. An order is ABSENT only after several rounds in which the order query, the list of
open orders and its fills all answered "no", and only once the venue's horizon has passed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from nexustrader.constants import WsOrderResultType
from nexustrader.domain import events as ev
from nexustrader.domain.order import OrderState
from nexustrader.domain.outcome import CommandKind
from nexustrader.error import NexusTraderError, NotSent, OutcomeUnknown, VenueRejected, WireError
from nexustrader.execution.oms import OrderManager
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock, VenuePort
from nexustrader.market.cache import Cache
from nexustrader.portfolio.portfolio import Portfolio

ABSENCE_NEGATIVES_MIN = 3
RESOLVE_DELAYS_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)  # then the last one again and again
CONFIRM_END_DELAY_S = 1.0
CONFIRM_END_ATTEMPTS = 3
CONFIRM_CANCEL_DELAY_S = 1.0
RECONNECT_GRACE_MS = 700
POSITION_ATTEMPTS = 5
UNANSWERED = (OutcomeUnknown, NotSent, VenueRejected, WireError)

Spawn = Callable[[Coroutine[Any, Any, None], str], object]
Publish = Callable[[str, Any], None]

_log = get_logger("Reconciler")


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
        self._once("unknown", oid, self._resolve_unknown(oid, tell_ws))

    def confirm_end(self, oid: str) -> None:
        self._once("end", oid, self._confirm_end(oid))

    def confirm_cancel(self, oid: str) -> None:
        self._once("cancel", oid, self._confirm_cancel(oid))

    def settle_refused_change(self, result: ev.CommandResult) -> None:
        self._once(result.kind.value, result.oid, self._settle_refused_change(result))

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

    async def _resolve_unknown(self, oid: str, tell_ws: bool) -> None:
        """Ask until the venue has said what became of the order."""
        negatives = 0
        attempt = 0
        told = not tell_ws
        while (state := self._oms.get(oid)) is not None and state.is_unknown:
            await asyncio.sleep(RESOLVE_DELAYS_S[min(attempt, len(RESOLVE_DELAYS_S) - 1)])
            attempt += 1
            found = await self._ask(state)
            if found is None:
                negatives = 0  # one source failed to answer: the count of negatives starts again
            elif found:
                break
            else:
                negatives += 1
            if not told:
                told = True
                self._tell_ws_result(oid, WsOrderResultType.ACK_TIMEOUT, state.reason)
            if negatives >= ABSENCE_NEGATIVES_MIN and self._horizon_passed(state):
                self._oms.apply(self._local(oid, ev.EventKind.ABSENT, "the venue has never seen it"))
                return
        if not told:
            self._tell_ws_result(oid, WsOrderResultType.ACK_TIMEOUT_CONFIRMED, None)

    def _horizon_passed(self, state: OrderState) -> bool:
        age_ms = self._clock.timestamp_ms() - state.created
        return age_ms > self._ports[state.account].absence_horizon_ms

    async def _ask(self, state: OrderState) -> bool | None:
        """True: the venue knows it, its answers are applied. False: three times no. None: not all answered."""
        port = self._ports[state.account]
        try:
            answer = await port.query_order(state.symbol, state.oid, state.eid)
            if answer is not None:
                await self._take(port, answer)
                return True
            open_orders = await port.query_open_orders(state.symbol)
            listed = [e for e in open_orders if e.oid == state.oid]
            fills = await port.query_fills(state.symbol, state.oid, state.eid)
        except UNANSWERED as error:
            _log.warning(f"order {state.oid} stays unknown, the venue could not be asked: {error}")
            return None
        for event in listed + fills:
            self._oms.apply(event)
        return bool(listed or fills)

    async def _take(self, port: VenuePort, answer: ev.OrderEvent) -> None:
        """Apply a query's answer, after the single fills that we have not seen yet: they carry the fees."""
        state = self._oms.get(answer.oid)
        if state is not None and answer.filled is not None and answer.filled > state.filled:
            try:
                for fill in await port.query_fills(state.symbol, state.oid, answer.eid or state.eid):
                    self._oms.apply(fill)
            except UNANSWERED as error:
                _log.warning(
                    f"order {answer.oid}: the single fills could not be read, fees are incomplete: {error}"
                )
        self._oms.apply(answer)

    async def _confirm_end(self, oid: str) -> None:
        """An order that the venue finishes on entry: fetch its end should the stream have lost it."""
        for _ in range(CONFIRM_END_ATTEMPTS):
            await asyncio.sleep(CONFIRM_END_DELAY_S)
            state = self._oms.get(oid)
            if state is None or state.is_closed:
                return
            await self._ask(state)

    async def _confirm_cancel(self, oid: str) -> None:
        await asyncio.sleep(CONFIRM_CANCEL_DELAY_S)
        state = self._oms.get(oid)
        if state is not None and not state.is_closed:
            await self._ask(state)

    async def _settle_refused_change(self, result: ev.CommandResult) -> None:
        """A cancel or amendment was refused or is in doubt: learn what the order is before telling anybody."""
        state = self._oms.get(result.oid)
        if state is None or state.is_closed:
            return
        answered = await self._ask(state)
        after = self._oms.get(result.oid)
        if after is None or after.is_closed:
            return
        if result.kind is CommandKind.CANCEL and answered is None:
            # Race: the cancel may still arrive. It stays asked for; telling "failed" would be a guess.
            self._spawn(self._confirm_cancel(result.oid), f"cancel {result.oid}")
            return
        seen = (
            f"venue status {after.public_status.value}" if answered else "the venue does not know the order"
        )
        self._tell_refused(msgspec.structs.replace(result, reason=f"{result.reason}; {seen}"))

    # -- the whole account -----------------------------------------------------------------------------------

    async def start_up(self, account: str) -> None:
        """Bring orders, balances and positions in line with the venue. Raises what the queries raise."""
        await self._sync(self._ports[account])

    def on_status(self, account: str, event: str) -> None:
        """Follow the private connection of an account; resync after it was away."""
        if event != "resync_needed":
            self._publish_status(account, event)
        if event in ("reconnected", "resync_needed", "balance_update"):
            self._once("resync", account, self._resync(account))

    async def _resync(self, account: str) -> None:
        await asyncio.sleep(self._grace_ms.get(account, RECONNECT_GRACE_MS) / 1000)
        before_positions = set(self._cache.get_all_positions())
        before_orders = {s.oid for s in self._oms.open_orders(account)}
        diff: dict[str, Any] = {"success": True}
        try:
            await self._sync(self._ports[account])
        except NexusTraderError as error:
            _log.error(f"{account}: resync failed, trying again on the next reconnect: {error}")
            diff = {"success": False, "error": str(error)}
        after_positions = set(self._cache.get_all_positions())
        after_orders = {s.oid for s in self._oms.open_orders(account)}
        diff |= {
            "positions_opened": sorted(after_positions - before_positions),
            "positions_closed": sorted(before_positions - after_positions),
            "open_orders_added": sorted(after_orders - before_orders),
            "open_orders_removed": sorted(before_orders - after_orders),
        }
        self._publish("private_ws_resync_diff", self._head(account) | {"diff": diff})
        self._publish_status(account, "resynced" if diff["success"] else "resync_failed")

    async def _sync(self, port: VenuePort) -> None:
        """One round over an account. Orders first, so that fills have moved the positions before those are compared."""
        listed = {event.oid: event for event in await port.query_open_orders()}
        for event in listed.values():
            if self._oms.get(event.oid) is not None:
                await self._take(port, event)
            else:
                self._oms.apply(event)
        for state in list(self._oms.open_orders(port.account)):
            if state.oid not in listed:
                await self._settle_missing(port, state)
        self._portfolio.on_balance_snapshot(port.account, await port.query_balances())
        await self._sync_positions(port)

    async def _sync_positions(self, port: VenuePort) -> None:
        # Race: a fill that arrives while the venue's list is under way makes the list stale; ask again.
        for _ in range(POSITION_ATTEMPTS):
            before = self._portfolio.fill_count(port.account)
            positions = await port.query_positions()
            if self._portfolio.fill_count(port.account) == before:
                for adjustment in self._portfolio.on_position_snapshot(port.account, positions):
                    self._oms.record_adjustment(adjustment)
                return
        _log.info(f"{port.account}: trading too fast to compare positions now; the next resync does")

    async def _settle_missing(self, port: VenuePort, state: OrderState) -> None:
        """We hold it open, the venue's list lacks it: closed only by an answer about the order itself."""
        answer = await port.query_order(state.symbol, state.oid, state.eid)
        if answer is not None:
            await self._take(port, answer)
        else:
            self._oms.apply(self._local(state.oid, ev.EventKind.UNKNOWN, "the venue's lists do not hold it"))
            self.resolve_unknown(state.oid)

    def _publish_status(self, account: str, event: str) -> None:
        self._publish("private_ws_status", self._head(account) | {"event": event})

    def _head(self, account: str) -> dict[str, Any]:
        exchange, _, rest = account.partition(":")
        return {
            "exchange": exchange,
            "account_type": rest,
            "timestamp": self._clock.timestamp_ms(),
        }

    def _local(self, oid: str, kind: ev.EventKind, reason: str) -> ev.OrderEvent:
        return ev.OrderEvent(
            oid=oid, kind=kind, source=ev.Source.LOCAL, timestamp=self._clock.timestamp_ms(), reason=reason
        )
