"""The venue's own dead-man timer: it cancels a symbol's open orders when it has not heard of us for too long.

Off unless it is configured, and never silent: it also cancels the orders that protect a position, and strangers' orders
in the same symbols.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from nexustrader.constants import AccountType
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.order import OrderState
from nexustrader.error import DeadManError, NexusTraderError
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.session import RestSession
from nexustrader.venue.spec import Venue

BEATS_PER_COUNTDOWN = 3
STOP_TIMEOUT_S = 2.0

Orders = Callable[[str], Iterable[OrderState]]

_log = get_logger("DeadMan")


class DeadMan:
    """Keeps the timers of one account running while it has open orders. One task.

    `known_orders` are all that the journal knows, ended ones too: a predecessor that crashed may have left timers in
    their symbols, and those without open orders are ended at the start. `leaves_armed`: at a stop, orders that are
    still open are ones that could not be cancelled, so their timers run on; else they are meant to stay. Raises
    DeadManError where the venue has no such timer.
    """

    def __init__(
        self,
        account: str,
        venue: Venue,
        account_type: AccountType,
        countdown_ms: int,
        session: RestSession,
        instruments: Mapping[str, Instrument],
        open_orders: Orders,
        tasks: TaskManager,
        *,
        leaves_armed: bool,
        known_orders: Orders | None = None,
    ) -> None:
        require_dead_man(account, venue, account_type)
        self.account = account
        self._venue = venue
        self._type = account_type
        self._countdown_ms = countdown_ms
        self._session = session
        self._instruments = instruments
        self._open_orders = open_orders
        self._tasks = tasks
        self._leaves_armed = leaves_armed
        self._known_orders = known_orders
        self._task: asyncio.Task[None] | None = None
        self._armed: set[str] = set()
        self._told: set[str] = set()

    @property
    def armed(self) -> frozenset[str]:
        """Symbols whose timer may run at the venue: all that it has not said to have ended."""
        return frozenset(self._armed)

    def start(self) -> None:
        """Say what will happen, and begin."""
        _log.warning(
            f"{self.account}: the venue cancels all open orders {self._countdown_ms} ms after it last heard of this "
            "program, in every symbol in which the program has any. That includes orders that protect a position "
            "(stops, take-profits, reduce-only ones) and orders of others: made by hand or by another program"
        )
        if self._known_orders is not None:
            self._armed |= self._symbols(self._known_orders)
        self._task = self._tasks.create_task(self._run(), name=f"dead-man timer {self.account}")

    async def stop(self) -> None:
        """End the timers, but not those of orders that should have been cancelled and are still open."""
        if self._task is not None:
            self._task.cancel()
            # Race: a beat that is still at work would set a timer after its end was asked for.
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        left = self._armed & self._symbols(self._open_orders) if self._leaves_armed else set[str]()
        if left:
            _log.warning(
                f"{self.account}: the dead-man timer runs on for {', '.join(sorted(left))}: the venue cancels what is "
                f"open there within {self._countdown_ms} ms"
            )
        await self._set(dict.fromkeys(self._armed - left, 0), STOP_TIMEOUT_S)

    async def _run(self) -> None:
        period_s = self._countdown_ms / 1000 / BEATS_PER_COUNTDOWN
        while True:
            await self._beat(period_s)
            await asyncio.sleep(period_s)

    async def _beat(self, timeout_s: float) -> None:
        """Set the timers of symbols with open orders anew, and end those of symbols without."""
        wanted = self._symbols(self._open_orders)
        self._tell_of_protection()
        idle = self._armed - wanted
        # An idle timer must not run on: it would cancel orders that are created just before it ends.
        await self._set(dict.fromkeys(wanted, self._countdown_ms) | dict.fromkeys(idle, 0), timeout_s)

    def _symbols(self, orders: Orders) -> set[str]:
        return {order.symbol for order in orders(self.account) if order.symbol in self._instruments}

    def _tell_of_protection(self) -> None:
        """A position may rely on orders that this timer cancels: said once for each symbol."""
        for order in self._open_orders(self.account):
            protects = order.reduce_only or order.type.is_stop_loss or order.type.is_take_profit
            if protects and order.symbol not in self._told:
                self._told.add(order.symbol)
                _log.warning(
                    f"{self.account}: {order.symbol} has orders that protect its position, and the dead-man timer "
                    "cancels them too if this program falls silent: the position would then be without"
                )

    async def _set(self, countdowns: Mapping[str, int], timeout_s: float) -> None:
        await asyncio.gather(*(self._set_one(*item, timeout_s) for item in sorted(countdowns.items())))

    async def _set_one(self, symbol: str, countdown_ms: int, timeout_s: float) -> None:
        request = self._venue.dead_man_request(
            self._type, self._instruments[symbol].venue_symbol, countdown_ms
        )
        assert request is not None
        if countdown_ms:
            # Race: the venue may set it though no answer is ever read (a timeout, a stop): then it must be ended, too.
            self._armed.add(symbol)
        try:
            await asyncio.wait_for(self._session.ask(request), timeout_s)
        except (NexusTraderError, TimeoutError) as error:
            problem = str(error) or f"no answer within {timeout_s:g} s"
            _log.warning(
                f"{self.account} {symbol}: the dead-man timer could not be set to {countdown_ms} ms: {problem}"
            )
            return
        if not countdown_ms:
            self._armed.discard(symbol)


def require_dead_man(account: str, venue: Venue, account_type: AccountType) -> None:
    """Raises DeadManError where the venue has no such timer."""
    if venue.dead_man_request(account_type, "", 0) is None:
        raise DeadManError(
            f"account {account}: {account_type.value} has no dead-man timer at the venue; leave dead_man_ms out"
        )
