"""Open questions about single orders: asked until the venue's answers, and only they, settle them.

A query that could not be answered concludes nothing and is put again. An order ends unseen only when the venue's
horizon has passed since the last sign of it, and after that several rounds in a row in which the order query, the
list of open orders and, where the venue's own id is known, its fills all answered "no". The horizon covers how long a
command may take to arrive and how far answers may be behind, so those denials speak of a time after the last moment
at which the order could appear.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial

import msgspec

from nexustrader.constants import WsOrderResultType
from nexustrader.domain import events as ev
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_state import Status
from nexustrader.domain.outcome import CommandKind, Conclusion, Route
from nexustrader.error import NexusTraderError
from nexustrader.execution.errands import Errands
from nexustrader.execution.oms import OrderManager
from nexustrader.execution.unknowns import Unknowns
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock, VenuePort

DENIALS_MIN = 3
DENIAL_GAP_S = 0.5  # between the denials after the horizon
# How long to wait before each question; the last one again and again.
RESOLVE_DELAYS_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
CONFIRM_DELAYS_S = (1.0, 1.0, 1.0, 2.0, 4.0, 8.0)
CONFIRM_END_ATTEMPTS = 3
# Half of the connections of `venue.transport`: a lost socket may leave hundreds of doubts, and orders need some too.
QUESTIONS_AT_ONCE_MAX = 16

TellWsResult = Callable[[str, WsOrderResultType, str | None], None]
TellRefused = Callable[[ev.CommandResult], None]

_log = get_logger("Reconciler")


class Doubt:
    """One open question about an order: since when, how often it was put, and how often in a row it was denied."""

    def __init__(
        self, state: OrderState | None, now_ms: int, horizon_ms: int, delays_s: tuple[float, ...]
    ) -> None:
        self.since_ms = now_ms
        self.asked = 0
        self.has_news = False  # the venue has spoken of the order since, by whichever way
        self._denied = 0
        self._silent_since_ms = now_ms
        self._horizon_ms = horizon_ms
        self._delays_s = delays_s
        self._signs = None if state is None else signs_of_life(state)

    def delay_s(self, now_ms: int) -> float:
        """How long to wait with the next question: once the horizon has passed, not for long."""
        planned_s = self._delays_s[min(self.asked, len(self._delays_s) - 1)]
        left_ms = self._silent_since_ms + self._horizon_ms + 1 - now_ms
        if left_ms > 0:
            return min(planned_s, left_ms / 1000)
        return min(planned_s, DENIAL_GAP_S) if self._denied else planned_s

    @property
    def is_worth_a_line(self) -> bool:
        """True ever more rarely: a venue that is away for hours must not fill the log."""
        return self.asked & (self.asked + 1) == 0

    @property
    def is_denied(self) -> bool:
        return self._denied >= DENIALS_MIN

    def look(self, state: OrderState, now_ms: int) -> None:
        """See the order as it is now: after a sign of life, from elsewhere, absence has to be shown anew."""
        signs = signs_of_life(state)
        if signs != self._signs:
            self._signs, self._silent_since_ms = signs, now_ms
            self._denied = 0
            self.has_news = True

    def note(self, known: bool | None, asked_ms: int) -> None:
        """An answer to the question put at `asked_ms`: True, denied (False), or none (None)."""
        self.asked += 1
        is_late_enough = asked_ms - self._silent_since_ms > self._horizon_ms
        self._denied = self._denied + 1 if known is False and is_late_enough else 0

    def is_past_horizon(self, now_ms: int) -> bool:
        """True when the command in doubt can no longer arrive, and answers no longer be from before it."""
        return now_ms - self.since_ms > self._horizon_ms


def signs_of_life(state: OrderState) -> tuple[Status, Decimal, bool, int]:
    """What only the venue's word changes."""
    return state.word, state.filled, state.is_acked, state.terms_at


class Doubts:
    """One for the engine; works on any venue port."""

    def __init__(
        self,
        clock: Clock,
        oms: OrderManager,
        ports: Mapping[str, VenuePort],
        errands: Errands,
        unknowns: Unknowns,
        *,
        tell_ws_result: TellWsResult,
        tell_refused: TellRefused,
    ) -> None:
        self._clock = clock
        self._oms = oms
        self._ports = ports
        self._errands = errands
        self._unknowns = unknowns
        self._tell_ws_result = tell_ws_result
        self._tell_refused = tell_refused
        self._asking = asyncio.Semaphore(QUESTIONS_AT_ONCE_MAX)
        self._timeouts: set[str] = set()  # oids whose lost WebSocket reply is still to be told
        self._cancels: dict[str, int] = {}  # by oid: the latest cancel that is followed

    # -- the questions ---------------------------------------------------------------------------------------

    def resolve_unknown(self, oid: str, *, tell_ws: bool = False) -> None:
        """An order may or may not be at the venue: ask until the venue has said what became of it."""
        self._unknowns.watch(oid)
        if tell_ws:
            self._timeouts.add(oid)
        self._errands.begin("doubt", oid, partial(self._resolve, oid))

    def confirm_end(self, oid: str) -> None:
        """The venue finishes this order on entry: fetch its end should the stream have lost it."""
        self._errands.begin("end", oid, partial(self._confirm_end, oid))

    def confirm_cancel(self, result: ev.CommandResult) -> None:
        """The venue took a cancel, and the order's end has not been heard of."""
        self._begin_to_follow(result, CONFIRM_DELAYS_S)

    def settle_change(self, result: ev.CommandResult) -> None:
        """A cancel or amendment was refused or is in doubt: learn what the order is before telling anybody."""
        if result.conclusion is not Conclusion.UNKNOWN:
            self._errands.begin(
                f"{result.kind.value} refused", result.oid, partial(self._settle_refused, result)
            )
        elif result.kind is CommandKind.CANCEL:
            self._begin_to_follow(result, RESOLVE_DELAYS_S)
        else:
            self._errands.begin("amend", result.oid, partial(self._follow_amendment, result))

    def _begin_to_follow(self, result: ev.CommandResult, delays_s: tuple[float, ...]) -> None:
        self._cancels[result.oid] = max(self._cancels.get(result.oid, 0), result.attempt)
        self._errands.begin(
            "cancel", f"{result.oid} {result.attempt}", partial(self._follow_cancel, result, delays_s)
        )

    async def _resolve(self, oid: str) -> None:
        doubt = self._doubt(oid, RESOLVE_DELAYS_S)
        while True:
            known = bool(await self._inquire(oid, doubt) or doubt.has_news)
            if oid in self._timeouts:
                self._timeouts.discard(oid)
                self._tell_timeout(oid, known=known)
            if known and not self._is_unknown(oid):
                return

    async def _confirm_end(self, oid: str) -> None:
        doubt = self._doubt(oid, CONFIRM_DELAYS_S)
        shown_open = 0
        while self._is_open(oid) and shown_open < CONFIRM_END_ATTEMPTS:
            shown_open += bool(await self._inquire(oid, doubt))

    async def _follow_cancel(self, result: ev.CommandResult, delays_s: tuple[float, ...]) -> None:
        """Until the order has ended, or lives on at a time when the cancel can no longer arrive: then it has failed."""
        doubt = self._doubt(result.oid, delays_s)
        tell_ws = result.route is Route.WS and result.conclusion is Conclusion.UNKNOWN
        is_failed = False
        while self._is_being_cancelled(result.oid) and not is_failed:
            known = await self._inquire(result.oid, doubt)
            if tell_ws:
                tell_ws = False
                self._tell_timeout(result.oid, known=bool(known))
            is_failed = bool(known) and doubt.is_past_horizon(self._now())
        if self._cancels.get(result.oid) != result.attempt:
            return  # a later cancel of it can still arrive
        del self._cancels[result.oid]
        if is_failed and self._is_being_cancelled(result.oid):
            self._tell_change_refused(result, is_known=True)

    async def _follow_amendment(self, result: ev.CommandResult) -> None:
        """Until the new terms show, or the old ones hold at a time when the amendment can no longer arrive."""
        doubt = self._doubt(result.oid, RESOLVE_DELAYS_S)
        while self._is_being_amended(result.oid):
            known = await self._inquire(result.oid, doubt)
            if known and self._is_being_amended(result.oid) and doubt.is_past_horizon(self._now()):
                self._tell_change_refused(result, is_known=True)
                return

    async def _settle_refused(self, result: ev.CommandResult) -> None:
        doubt = self._doubt(result.oid, RESOLVE_DELAYS_S)
        known: bool | None = None
        while known is None:
            known = await self._inquire(result.oid, doubt)
        if not self._is_open(result.oid):
            return
        self._tell_change_refused(result, is_known=bool(known))
        if not known:
            self.resolve_unknown(result.oid)

    # -- telling ---------------------------------------------------------------------------------------------

    def _tell_change_refused(self, result: ev.CommandResult, *, is_known: bool) -> None:
        state = self._oms.get(result.oid)
        seen = "the venue does not know the order"
        if is_known and state is not None:
            seen = f"venue status {state.public_status.value}"
        reason = f"{result.reason}; {seen}" if result.reason else f"it had no effect; {seen}"
        self._tell_refused(msgspec.structs.replace(result, reason=reason))

    def _tell_timeout(self, oid: str, *, known: bool) -> None:
        state = self._oms.get(oid)
        if known:
            self._tell_ws_result(oid, WsOrderResultType.ACK_TIMEOUT_CONFIRMED, None)
        else:
            self._tell_ws_result(oid, WsOrderResultType.ACK_TIMEOUT, state.reason if state else None)

    # -- asking ----------------------------------------------------------------------------------------------

    def _now(self) -> int:
        """A clock that is set forward brings no order nearer to its end."""
        return self._clock.monotonic_ms()

    def _doubt(self, oid: str, delays_s: tuple[float, ...]) -> Doubt:
        state = self._oms.get(oid)
        # Race: it may have ended, and have made room for later ones, before this task began; `_inquire` sees to that.
        horizon_ms = 0 if state is None else self._ports[state.account].absence_horizon_ms
        return Doubt(state, self._now(), horizon_ms, delays_s)

    def _is_open(self, oid: str) -> bool:
        state = self._oms.get(oid)
        return state is not None and state.is_open

    def _is_unknown(self, oid: str) -> bool:
        state = self._oms.get(oid)
        return state is not None and state.is_unknown

    def _is_being_cancelled(self, oid: str) -> bool:
        state = self._oms.get(oid)
        return state is not None and state.is_open and state.has_cancel_intent

    def _is_being_amended(self, oid: str) -> bool:
        state = self._oms.get(oid)
        return state is not None and state.is_open and state.is_amending

    async def _inquire(self, oid: str, doubt: Doubt) -> bool | None:
        """Wait and ask once more; an order that was denied often and long enough ends here.

        True: the venue has spoken of it (or it has ended), all is applied. False: denied. None: not answered.
        """
        await asyncio.sleep(doubt.delay_s(self._now()))
        state = self._oms.get(oid)
        if state is None or state.is_closed:
            return True
        doubt.look(state, self._now())
        known, asked_ms = await self.ask(state, is_loud=doubt.is_worth_a_line)
        # Race: a create that is still under way may arrive at any time; only after its own result a denial counts.
        doubt.note(None if state.status is Status.INITIALIZED else known, asked_ms)
        after = self._oms.get(oid)
        if after is None or after.is_closed:
            return True
        if not doubt.is_denied:
            return known
        self._end_unseen(after)
        return True

    def _end_unseen(self, state: OrderState) -> None:
        kind, reason = ev.EventKind.ABSENT, "the venue has never shown it"
        if state.word is Status.ACCEPTED:
            kind = ev.EventKind.VANISHED
            reason = "the venue no longer knows it: it has ended while nobody listened"
        _log.warning(f"order {state.oid}: {reason}")
        self._oms.apply(
            ev.OrderEvent(
                oid=state.oid,
                kind=kind,
                source=ev.Source.LOCAL,
                timestamp=self._clock.timestamp_ms(),
                reason=reason,
            )
        )

    async def ask(self, state: OrderState, *, is_loud: bool = True) -> tuple[bool | None, int]:
        """Ask about one order, and when that was: True: the venue knows it, its answers are applied.

        False: no to all questions that can be put. None: not all were answered.
        """
        async with self._asking:
            asked_ms = self._now()
            try:
                return await self._ask(state), asked_ms
            except Exception as error:  # tidy: ok — whatever went wrong in the asking, it was no answer
                if is_loud:
                    unforeseen = None if isinstance(error, NexusTraderError) else error
                    _log.warning(f"order {state.oid}: the venue could not be asked: {error}", exc=unforeseen)
                return None, asked_ms

    async def _ask(self, state: OrderState) -> bool:
        port = self._ports[state.account]
        answer = await port.query_order(state.symbol, state.oid, state.eid)
        if answer is not None:
            await self.take(port, answer)
            return True
        listed = [event for event in await port.query_open_orders(state.symbol) if event.oid == state.oid]
        fills = await port.query_fills(state.symbol, state.oid, state.eid)
        for event in fills + listed:
            self._oms.apply(event)
        after = self._oms.get(state.oid)
        # Race: what is asked of the order meanwhile, or fills that are known already, prove no life.
        return after is None or bool(listed) or signs_of_life(after) != signs_of_life(state)

    def take_terms(self, answer: ev.OrderEvent) -> None:
        """Apply the larger amount that an order has by now.

        Race: it was amended while nobody listened; by the old amount its fills would seem to be its end.
        """
        state = self._oms.get(answer.oid)
        if state is not None and answer.amount is not None and answer.amount > state.amount:
            terms = msgspec.structs.replace(answer, kind=ev.EventKind.ACCEPTED, filled=None, average=None)
            self._oms.apply(terms)

    async def take(self, port: VenuePort, answer: ev.OrderEvent) -> None:
        """Apply a query's answer, after the single fills that we have not seen yet: they carry the fees."""
        state = self._oms.get(answer.oid)
        if state is not None and answer.filled is not None and answer.filled > state.filled:
            self.take_terms(answer)
            try:
                for fill in await port.query_fills(state.symbol, state.oid, answer.eid or state.eid):
                    self._oms.apply(fill)
            except NexusTraderError as error:
                _log.warning(
                    f"order {answer.oid}: the single fills could not be read, fees are incomplete: {error}"
                )
        self._oms.apply(answer)
