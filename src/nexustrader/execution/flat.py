"""What is left at the venues after a stop, in their own words: what an operator has to know before walking away.

"Verified flat" is said of an account only when the venue itself has just answered that it holds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

import msgspec

from nexustrader.domain import events as ev
from nexustrader.domain.instrument import to_plain
from nexustrader.domain.order import OrderState
from nexustrader.error import NexusTraderError
from nexustrader.execution.oms import OrderManager, name_of
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import VenuePort

ASK_TIMEOUT_S = 5.0
ASK_AGAIN_S = 0.5  # a venue's list may still hold orders whose cancel it has just confirmed
ASKED_MAX = 4

_log = get_logger("Engine")


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What one account holds. With a `problem` the venue has not answered, and the rest says nothing."""

    account: str
    orders: tuple[ev.OrderEvent, ...] = ()
    positions: tuple[ev.PositionEvent, ...] = ()
    doubtful: tuple[OrderState, ...] = ()  # open by our books, and not in the venue's list
    problem: str | None = None

    @property
    def is_flat(self) -> bool:
        return not (self.orders or self.positions or self.doubtful or self.problem)


async def report_left(
    ports: Iterable[VenuePort],
    oms: OrderManager,
    spot: Collection[str] = (),
    timeout_s: float = ASK_TIMEOUT_S,
) -> list[Left]:
    """Ask every venue at once what its account holds, and log it. Never raises for what a venue does.

    `spot`: accounts without positions; what they own are balances. `timeout_s` bounds the whole.
    """
    asked = list(ports)
    found = list(await asyncio.gather(*(left_at(port, oms, timeout_s) for port in asked)))
    absent = {state.account for state in oms.open_orders()} - {port.account for port in asked}
    found += [Left(account=account, problem="this run has no connector for it") for account in sorted(absent)]
    for left in found:
        for text in order_lines(left, oms):
            _log.error(text)
        for text in position_lines(left):
            _log.warning(text)
    flat = [left.account for left in found if left.is_flat]
    if flat:
        notes = "; what spot accounts own are balances" if any(account in spot for account in flat) else ""
        _log.info(f"verified flat: no open order, no position at {', '.join(flat)}{notes}")
    return found


async def left_at(port: VenuePort, oms: OrderManager, timeout_s: float) -> Left:
    """Ask one venue, and again while it still lists orders that have ended by our books."""
    try:
        return await asyncio.wait_for(_ask(port, oms), timeout_s)
    except TimeoutError:
        return Left(account=port.account, problem=f"no answer within {timeout_s:g} s")
    except NexusTraderError as error:
        return Left(account=port.account, problem=str(error))
    except Exception as error:  # tidy: ok — whatever went wrong in the asking, it was no answer
        _log.exception(f"{port.account}: it could not be asked what is left", exc=error)
        return Left(account=port.account, problem=f"{type(error).__name__}, see the log")


async def _ask(port: VenuePort, oms: OrderManager) -> Left:
    listed = await port.query_open_orders()
    for _ in range(ASKED_MAX - 1):
        if not any(_has_ended(event, oms) for event in listed):
            break
        await asyncio.sleep(ASK_AGAIN_S)
        listed = await port.query_open_orders()
    positions = await port.query_positions()
    oids = {event.oid for event in listed}
    return Left(
        account=port.account,
        orders=tuple(listed),
        positions=tuple(event for event in positions if event.signed_amount),
        doubtful=tuple(state for state in oms.open_orders(port.account) if state.oid not in oids),
    )


def _has_ended(event: ev.OrderEvent, oms: OrderManager) -> bool:
    state = oms.get(event.oid)
    return state is not None and (state.is_closed or state.has_cancel_intent)


def order_lines(left: Left, oms: OrderManager) -> list[str]:
    """What may still be open, or why it is not known: a line each."""
    account = left.account
    if left.problem is not None:
        text = (
            f"{account}: whether it is flat could not be verified: {left.problem}. By our books "
            f"{len(oms.open_orders(account))} order(s) may still be open; look at the venue"
        )
        return [text]
    listed = [
        f"{account}: {_named(event, oms)} of {event.symbol} is open at the venue" for event in left.orders
    ]
    doubtful = [
        f"{account}: order {name_of(state)} of {state.symbol} may still be open: "
        f"{state.reason or state.public_status.value}; the venue does not list it now"
        for state in left.doubtful
    ]
    return listed + doubtful


def position_lines(left: Left) -> list[str]:
    """The positions that are left, a line each."""
    return [
        f"{left.account}: a position is left open: {to_plain(one.signed_amount)} {one.symbol} "
        f"at {to_plain(one.entry_price)}"
        for one in left.positions
    ]


def _named(event: ev.OrderEvent, oms: OrderManager) -> str:
    state = oms.get(event.oid)
    if state is None or oms.is_foreign(state.oid):
        return f"an order of somebody else ({event.oid})"
    return f"order {name_of(state)}"
