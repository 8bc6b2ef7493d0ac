"""Brings what we hold of an account in line with the venue: at the start, after a reconnect, and from time to time.

Start-up, reconnect, routine and doubt take the same path: query, turn the answers into events, apply. Answers may be
behind the stream (`VenuePort.query_lag_ms`), so an answer never takes back what the stream has told:

* orders: `domain.order.apply` never goes backwards, and what a list lacks is asked for order by order;
* balances: a list counts as of a moment before it was asked for, and a newer word of the stream stands;
* positions: only a difference that two lists show, as far apart as answers may be behind, and between which no fill
  came, is one; and only where neither an execution of ours that was not heard of nor an order in doubt explains it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from typing import Any

from nexustrader.constants import WsOrderResultType
from nexustrader.domain import events as ev
from nexustrader.domain import order as orders
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_effects import Told
from nexustrader.domain.order_state import Status
from nexustrader.domain.outcome import CommandKind, Conclusion
from nexustrader.error import NexusTraderError
from nexustrader.execution.doubts import Doubts
from nexustrader.execution.errands import Errands, Spawn
from nexustrader.execution.oms import OrderManager
from nexustrader.execution.past_fills import take_past_fills, take_recent_fills
from nexustrader.execution.policy import RECONCILE_INTERVAL_S
from nexustrader.execution.unknowns import UNKNOWN_QUARANTINE_MS, Quarantine, Release, Unknowns
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock, VenuePort
from nexustrader.market.cache import Cache
from nexustrader.portfolio.portfolio import Held, Portfolio

RECONNECT_GRACE_MS = 700
RESYNC_GAP_S = 5.0  # between rounds that keep being called for
RESYNC_RETRY_DELAYS_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
STREAM_SETTLE_S = 2.0  # what a list shows and the stream has not told this much later, it has lost
SETTLE_S = 1.0  # for what is under way while a list is read
POSITION_ATTEMPTS = 3
BALANCE_ATTEMPTS = 3
RECENT_FILL_MS = 600_000  # clocks of venues differ from ours, but not by this much
CONNECTION_EVENTS = frozenset({"connected", "disconnected", "reconnected", "listen_key_expired", "banned"})
RESYNC_AT = frozenset({"reconnected", "resync_needed", "balance_update"})

Publish = Callable[[str, Any], None]

_log = get_logger("Reconciler")


class Round(Enum):
    """Why an account is asked."""

    START = "start"
    RESYNC = "resync"  # something cannot be known from the stream
    ROUTINE = "routine"  # the stream should have told everything: told of only when it has not


class Reconciler:
    """One for the engine; works on any venue port.

    `interval_s`: how often each account is asked as a matter of routine, once `watch` has been called; None: never.
    `quarantine(symbol, reason)` and `release(symbol)`: see `Unknowns`.
    """

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
        interval_s: float | None = RECONCILE_INTERVAL_S,
        unknown_quarantine_ms: int | None = UNKNOWN_QUARANTINE_MS,
        quarantine: Quarantine | None = None,
        release: Release | None = None,
    ) -> None:
        self._clock = clock
        self._cache = cache
        self._oms = oms
        self._portfolio = portfolio
        self._publish = publish
        self._interval_s = interval_s
        self._ports: dict[str, VenuePort] = {}
        self._grace_ms: dict[str, int] = {}
        self._resync_due: set[str] = set()
        self._resynced_at_s: dict[str, float] = {}
        self._down: set[str] = set()  # accounts whose private stream is known to be away
        self._errands = Errands(spawn)
        unknowns = Unknowns(
            oms, self._errands, limit_ms=unknown_quarantine_ms, quarantine=quarantine, release=release
        )
        self._doubts = Doubts(
            clock,
            oms,
            self._ports,
            self._errands,
            unknowns,
            tell_ws_result=tell_ws_result,
            tell_refused=tell_refused,
        )
        self.resolve_unknown = self._doubts.resolve_unknown
        self.confirm_end = self._doubts.confirm_end
        self.confirm_cancel = self._doubts.confirm_cancel
        self.settle_change = self._doubts.settle_change

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

    # -- when ------------------------------------------------------------------------------------------------

    async def start_up(self, account: str) -> None:
        """Bring orders, balances and positions in line with the venue.

        What happened while the process was down is told as recovered. Raises what the queries of lists raise; a
        single order that cannot be asked for stays in doubt.
        """
        self._oms.begin_recovery(account)
        try:
            await self._sync(self._ports[account], Round.START)
        finally:
            self._oms.end_recovery(account)

    def watch(self, account: str) -> None:
        """Ask the account as a matter of routine from now on."""
        if self._interval_s is not None:
            self._errands.begin("watch", account, partial(self._watch, account, self._interval_s))

    def on_status(self, account: str, event: str) -> None:
        """Follow the private connection of an account; resync after it was away."""
        if event == "disconnected":
            self._down.add(account)
        elif event == "connected":
            self._down.discard(account)
        if event in CONNECTION_EVENTS:
            self._publish_status(account, event)
        if event in RESYNC_AT:
            self._resync_due.add(account)
            self._errands.begin("resync", account, partial(self._resync, account))
        if event == "balance_update":
            # The list that is asked for now may be from before it.
            self._errands.begin("balances", account, partial(self._settle_balances, self._ports[account]))

    async def _resync(self, account: str) -> None:
        """Until a round has succeeded that began after the last call for one."""
        failures = 0
        grace_s = self._grace_ms.get(account, RECONNECT_GRACE_MS) / 1000
        now_s = asyncio.get_running_loop().time
        while account in self._resync_due:
            retry = min(failures, len(RESYNC_RETRY_DELAYS_S) - 1)
            gap_s = self._resynced_at_s.get(account, -RESYNC_GAP_S) + RESYNC_GAP_S - now_s()
            await asyncio.sleep(max(grace_s, gap_s) + RESYNC_RETRY_DELAYS_S[retry])
            self._resync_due.discard(account)
            if await self._is_resynced(account):
                failures = 0
                self._resynced_at_s[account] = now_s()
            else:
                failures += 1
                self._resync_due.add(account)
        if self._ports[account].query_lag_ms:
            self._errands.begin("follow-up", account, partial(self._follow_up, account))

    async def _is_resynced(self, account: str) -> bool:
        """One round, told as a diff; False when it failed."""
        before = self._shown(account)
        failed: Exception | None = None
        try:
            await self._sync(self._ports[account], Round.RESYNC)
        except Exception as error:  # tidy: ok — whatever went wrong, the account is asked again
            unforeseen = None if isinstance(error, NexusTraderError) else error
            _log.error(f"{account}: resync failed, trying again: {error}", exc=unforeseen)
            failed = error
        self._publish_diff(account, before, failed)
        return failed is None

    async def _follow_up(self, account: str) -> None:
        """Ask once more when answers can no longer be from before the stream was there to tell what follows."""
        await asyncio.sleep(self._ports[account].query_lag_ms / 1000 + SETTLE_S)
        await self._look_for_differences(account)

    async def _watch(self, account: str, interval_s: float) -> None:
        await self._follow_up(account)
        while True:
            await asyncio.sleep(interval_s)
            if self._errands.is_busy("resync", account):
                continue
            found = await self._look_for_differences(account)
            if found and account not in self._down:
                # Alive by its pings and yet silent: only a new connection is known to work.
                reason = f"it did not tell of {', '.join(found)}"
                _log.error(f"{account}: the private stream is renewed: {reason}")
                self._ports[account].renew(reason)

    async def _look_for_differences(self, account: str) -> list[str]:
        """A round that is told as a resync only when something differed; returns what did."""
        before = self._shown(account)
        try:
            found = await self._sync(self._ports[account], Round.ROUTINE)
        except Exception as error:  # tidy: ok — whatever went wrong, the account is asked again
            unforeseen = None if isinstance(error, NexusTraderError) else error
            _log.warning(
                f"{account}: the venue could not be compared with, later again: {error}", exc=unforeseen
            )
            return []
        if found:
            self._publish_diff(account, before, None)
        return found

    # -- one round -------------------------------------------------------------------------------------------

    async def _sync(self, port: VenuePort, why: Round) -> list[str]:
        """One round over an account; returns the orders and symbols where the venue had something new to us.

        Orders first, so that fills have moved the positions before those are compared.
        """
        found = await self._sync_orders(port, why)
        if not self._portfolio.on_balance_snapshot(port.account, await port.query_balances()):
            self._errands.begin("balances", port.account, partial(self._settle_balances, port))
        is_certain = why is Round.START and not self._has_recent_fills(port.account)
        return found + await self._sync_positions(port, is_certain=is_certain)

    async def _sync_orders(self, port: VenuePort, why: Round) -> list[str]:
        # Race: an order that is created while the list is read is not missing from it.
        expected = [s.oid for s in self._oms.open_orders(port.account) if self._is_expected(s, port, why)]
        answers = await port.query_open_orders()
        listed = {answer.oid for answer in answers}
        missing = [oid for oid in expected if oid not in listed]
        news = [answer for answer in answers if self._is_news(answer)]
        if why is Round.ROUTINE and (news or missing):
            await asyncio.sleep(STREAM_SETTLE_S)  # the list may be ahead of the stream
        found = [answer.oid for answer in news if self._is_news(answer)]
        if why is not Round.ROUTINE:
            for answer in answers:
                self._doubts.take_terms(answer)
            orders = self._orders_of([*found, *missing])
            await take_past_fills(port, self._oms, orders, self._clock.timestamp_ms())
        for answer in answers:
            await self._doubts.take(port, answer)
        settled = await asyncio.gather(*(self._settle_missing(oid) for oid in missing))
        if why is Round.START:
            self._follow_changes_of_earlier_run(port.account)
        return found + [oid for oid, has_news in zip(missing, settled, strict=True) if has_news]

    def _orders_of(self, oids: list[str]) -> list[OrderState]:
        return [state for state in map(self._oms.get, oids) if state is not None]

    def _is_expected(self, state: OrderState, port: VenuePort, why: Round) -> bool:
        """Whether the venue's list of open orders has to hold this one."""
        if why is Round.START:
            return True
        if state.status is Status.INITIALIZED or self._errands.is_busy("doubt", state.oid):
            return False  # Race: its create is under way, and ends in a result of its own; or it is asked for already
        age_ms = self._clock.timestamp_ms() - state.created
        return why is Round.RESYNC or age_ms > port.query_lag_ms

    def _is_news(self, answer: ev.OrderEvent) -> bool:
        """True when an answer would move an order of ours."""
        state = self._oms.get(answer.oid)
        if state is None:
            return not self._oms.is_foreign(answer.oid)
        effects = orders.apply(state, answer).effects
        return any(isinstance(effect, Told) or effect.amount for effect in effects)

    async def _settle_missing(self, oid: str) -> bool:
        """We hold it open, the venue's list lacks it: closed only by answers about the order itself.

        True when they said something new.
        """
        state = self._oms.get(oid)
        if state is None or state.is_closed:
            return False
        known, _ = await self._doubts.ask(state)
        after = self._oms.get(oid)
        if not known and after is not None and after.is_open:
            reason = "the venue's lists do not hold it"
            self._oms.apply(
                ev.OrderEvent(
                    oid=oid,
                    kind=ev.EventKind.UNKNOWN,
                    source=ev.Source.LOCAL,
                    timestamp=self._clock.timestamp_ms(),
                    reason=reason,
                )
            )
            self.resolve_unknown(oid)
            return False
        return after is not None and (after.status, after.filled) != (state.status, state.filled)

    def _follow_changes_of_earlier_run(self, account: str) -> None:
        """Cancels and amendments whose results that run has not lived to hear."""
        for state in self._oms.open_orders(account):
            if state.has_cancel_intent:
                self.confirm_cancel(self._in_doubt(state, CommandKind.CANCEL))
            if state.is_amending:
                self.settle_change(self._in_doubt(state, CommandKind.AMEND))

    def _in_doubt(self, state: OrderState, kind: CommandKind) -> ev.CommandResult:
        return ev.CommandResult(
            kind=kind,
            conclusion=Conclusion.UNKNOWN,
            oid=state.oid,
            symbol=state.symbol,
            account=state.account,
            timestamp=self._clock.timestamp_ms(),
            reason=f"the process ended before the {kind.value} did",
        )

    async def _settle_balances(self, port: VenuePort) -> None:
        """The stream contradicts a list that may be older than it: ask when that can no longer be."""
        for _ in range(BALANCE_ATTEMPTS):
            await asyncio.sleep(port.query_lag_ms / 1000 + SETTLE_S)
            try:
                balances = await port.query_balances()
            except NexusTraderError as error:
                _log.warning(f"{port.account}: balances could not be asked for: {error}")
                continue
            if self._portfolio.on_balance_snapshot(port.account, balances):
                return

    def _has_recent_fills(self, account: str) -> bool:
        since_ms = self._clock.timestamp_ms() - RECENT_FILL_MS
        return any(state.filled and state.timestamp > since_ms for state in self._oms.orders(account))

    async def _sync_positions(self, port: VenuePort, *, is_certain: bool) -> list[str]:
        """Adopt the venue's positions where they differ from our fills for good; returns their symbols."""
        adopted: list[str] = []
        for _ in range(POSITION_ATTEMPTS):
            differing = self._portfolio.differences(port.account, await port.query_positions())
            if differing and not is_certain:
                doubtful = self._doubtful(port.account)
                differing, is_settled = await self._lasting(port, differing)
                doubtful &= self._doubtful(port.account)
            else:
                doubtful, is_settled = self._doubtful(port.account), True
            is_settled &= not self._withhold(port.account, differing, doubtful) or is_certain
            if differing and await self._is_explained(port, differing):
                continue
            for event in differing.values():
                self._portfolio.adjust(event)
                self._oms.record_adjustment(event)
                adopted.append(event.symbol)
            if is_settled:
                return adopted
        _log.info(f"{port.account}: trading too fast to compare positions now; the next round does")
        return adopted

    def _doubtful(self, account: str) -> set[str]:
        """Orders of which the venue has not said what they did, or are to be."""
        states = self._oms.open_orders(account)
        return {s.oid for s in states if s.is_unknown or s.eid is None or s.is_amending}

    def _withhold(self, account: str, differing: dict[Held, ev.PositionEvent], doubtful: set[str]) -> bool:
        """Take out of `differing` what an order in doubt may have done: taken over now, it would count twice later.

        True when something was taken out. It is compared again in the next round; the doubt ends by the venue's word.
        """
        by_symbol = {state.symbol: state.oid for state in self._orders_of(sorted(doubtful))}
        withheld = [held for held in differing if held[0] in by_symbol]
        for held in withheld:
            event = differing.pop(held)
            _log.warning(
                f"{account} {event.symbol}: the venue's position of {event.signed_amount} is not taken over yet: "
                f"order {by_symbol[event.symbol]} is in doubt"
            )
        return bool(withheld)

    async def _is_explained(self, port: VenuePort, differing: dict[Held, ev.PositionEvent]) -> bool:
        """True when executions of ours that we had not heard of moved one of the positions: compare anew.

        Race: taken over with the position now, such an execution would count twice when it is heard of later.
        """
        before = self._fill_counts(port.account, differing)
        since_ms = self._clock.timestamp_ms() - RECENT_FILL_MS
        await take_recent_fills(port, self._oms, dict.fromkeys(symbol for symbol, _ in differing), since_ms)
        return self._fill_counts(port.account, differing) != before

    def _fill_counts(self, account: str, differing: Iterable[Held]) -> dict[Held, int]:
        return {held: self._portfolio.fill_count(account, held[0]) for held in differing}

    async def _lasting(
        self, port: VenuePort, differing: dict[Held, ev.PositionEvent]
    ) -> tuple[dict[Held, ev.PositionEvent], bool]:
        """What still differs when the list can no longer be older than our fills, and whether that was all.

        Race: the list and the stream of fills are not in step. A list may lack fills that we have heard of, and hold
        fills of which the stream is about to tell. So the second list is asked for when it cannot be older than the
        first question, and only a symbol without any fill from then until the stream has caught up counts.
        """
        before = self._fill_counts(port.account, differing)
        await asyncio.sleep(port.query_lag_ms / 1000 + SETTLE_S)
        again = self._portfolio.differences(port.account, await port.query_positions())
        await asyncio.sleep(SETTLE_S)
        after = self._fill_counts(port.account, again)
        lasting = {held: event for held, event in again.items() if before.get(held) == after[held]}
        return lasting, len(lasting) == len(again)

    # -- telling ---------------------------------------------------------------------------------------------

    def _shown(self, account: str) -> tuple[set[str], set[str]]:
        """Symbols with a position, and open orders, as a strategy sees them."""
        return set(self._cache.get_all_positions()), {s.oid for s in self._oms.open_orders(account)}

    def _publish_diff(
        self, account: str, before: tuple[set[str], set[str]], failed: Exception | None
    ) -> None:
        (positions, open_orders), (positions_now, open_orders_now) = before, self._shown(account)
        diff: dict[str, Any] = {"success": failed is None} | ({"error": str(failed)} if failed else {})
        diff |= {
            "positions_opened": sorted(positions_now - positions),
            "positions_closed": sorted(positions - positions_now),
            "open_orders_added": sorted(open_orders_now - open_orders),
            "open_orders_removed": sorted(open_orders - open_orders_now),
        }
        self._publish("private_ws_resync_diff", self._head(account) | {"diff": diff})
        self._publish_status(account, "resync_failed" if failed else "resynced")

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
