"""Fetches the single executions behind an amount that is known as a sum only: they carry price, fee and trade id.

An acknowledgement or a query may say that an order is filled before the stream has brought its executions, and the
stream may have lost them. The position is right either way; cost and fees are not until the executions are known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from nexustrader.domain.order import OrderState
from nexustrader.error import NexusTraderError
from nexustrader.execution.oms import OrderManager
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import VenuePort

# How long to wait before each question. The first gives the stream its time; after the last it is given up.
FETCH_DELAYS_S = (2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)

Spawn = Callable[[Coroutine[Any, Any, None], str], object]

_log = get_logger("Executions")


def is_complete(state: OrderState) -> bool:
    """True when every execution behind the filled amount is known by itself."""
    return state.fills_amount >= state.filled


class MissingExecutions:
    """One for the engine; asks once for each order that lacks some."""

    def __init__(self, oms: OrderManager, *, spawn: Spawn) -> None:
        self._oms = oms
        self._spawn = spawn
        self._ports: dict[str, VenuePort] = {}
        self._asking: set[str] = set()

    def add_port(self, port: VenuePort) -> None:
        self._ports[port.account] = port

    def note(self, state: OrderState) -> None:
        """See to it that this order's executions become known."""
        if is_complete(state) or state.oid in self._asking or state.account not in self._ports:
            return
        self._asking.add(state.oid)
        self._spawn(self._fetch(state.oid), f"executions {state.oid}")

    def note_all(self) -> None:
        """The same for every order known, after a restart."""
        for state in list(self._oms.orders()):
            self.note(state)

    async def _fetch(self, oid: str) -> None:
        try:
            for delay_s in FETCH_DELAYS_S:
                await asyncio.sleep(delay_s)
                if self._is_settled(oid) or (await self._ask(oid) and self._is_settled(oid)):
                    return
            _log.error(
                f"order {oid}: the venue does not show all its executions; its cost and fees are incomplete"
            )
        finally:
            self._asking.discard(oid)

    def _is_settled(self, oid: str) -> bool:
        state = self._oms.get(oid)
        return state is None or is_complete(state)

    async def _ask(self, oid: str) -> bool:
        """Take in what the venue shows of its executions; False when it could not be asked."""
        state = self._oms.get(oid)
        assert state is not None
        try:
            fills = await self._ports[state.account].query_fills(state.symbol, state.oid, state.eid)
        except NexusTraderError as error:
            _log.warning(f"order {state.oid}: its executions could not be read, trying again: {error}")
            return False
        for fill in fills:
            self._oms.apply(fill)
        return True
