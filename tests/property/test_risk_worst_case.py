"""I9: no sequence of answers, silences, delays and fills takes a position at the venue beyond its limit.

The venue here does what venues do to us: it carries out what we believe lost, answers late or not at all, fills
whatever it has in any sequence, and tells of it later and in disorder. It honours reduce-only by its own position.
After every step the worst that may still happen is worked out from the venue's truth.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from desk import BTC, Desk
from nexustrader.constants import OrderSide, TradingState
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.risk.limits import RiskConfig
from virtual_time import run_virtual

K = ev.EventKind
LOT = BTC.lot
LIMIT = 5 * LOT


@dataclass
class VenueOrder:
    """An order as the venue has it."""

    command: ev.Submit
    amount: Decimal
    filled: Decimal = Decimal(0)
    is_open: bool = True


@dataclass
class Truth:
    """The venue: its orders, its position, and what it has not told yet."""

    desk: Desk
    orders: dict[str, VenueOrder] = field(default_factory=dict)
    pending: list[ev.Command] = field(default_factory=list)  # received or lost, not answered
    silent: list[ev.Command] = field(default_factory=list)  # in doubt for us; may take effect at any time
    untold: list[ev.OrderEvent] = field(default_factory=list)
    position: Decimal = Decimal(0)
    trades: int = 0

    def take_new(self, seen: int) -> int:
        commands = self.desk.venue.commands
        self.pending += commands[seen:]
        return len(commands)

    def carry_out(self, command: ev.Command) -> None:
        if isinstance(command, ev.Submit) and command.oid not in self.orders:
            self.orders[command.oid] = VenueOrder(command, command.amount)
        elif isinstance(command, ev.Amend) and command.oid in self.orders:
            order = self.orders[command.oid]
            assert command.amount is not None
            if order.is_open and command.amount > order.filled:
                order.amount = command.amount
                self.tell(command.oid, K.AMENDED, amount=order.amount, price=command.price)
        elif (
            isinstance(command, ev.Cancel) and command.oid in self.orders and self.orders[command.oid].is_open
        ):
            self.orders[command.oid].is_open = False
            self.tell(command.oid, K.CANCELED)

    def tell(self, oid: str, kind: ev.EventKind, **more: Any) -> None:
        # Every report of a venue says how much of the order is filled, so no order ends with fills unheard of.
        if filled := self.orders[oid].filled:
            more |= {"filled": filled, "average": Decimal(30_000)}
        self.untold.append(self.desk.venue.event(oid, kind, eid="7", **more))

    def fill(self, oid: str, amount: Decimal) -> None:
        order = self.orders[oid]
        is_buy = order.command.side.is_buy
        room = order.amount - order.filled if order.is_open else Decimal(0)
        if order.command.reduce_only:
            room = min(room, max(-self.position if is_buy else self.position, Decimal(0)))
        done = min(room, amount)
        if not done:
            return
        self.trades += 1
        self.position += done if is_buy else -done
        order.filled += done
        order.is_open = order.filled < order.amount
        fill = ev.Fill(trade_id=str(self.trades), price=Decimal(30_000), amount=done, timestamp=self.trades)
        self.tell(oid, K.FILLED, fill=fill)

    def furthest(self, *, is_buy: bool) -> Decimal:
        """How far the position goes on one side if all that may be there fills there, the reducing orders first."""
        may_come = self.pending + self.silent
        largest = {oid: order.amount for oid, order in self.orders.items() if order.is_open}
        filled = {oid: order.filled for oid, order in self.orders.items()}
        commands = {oid: order.command for oid, order in self.orders.items()}
        for command in may_come:
            if isinstance(command, ev.Submit) and command.oid not in self.orders:
                largest[command.oid], commands[command.oid] = command.amount, command
        for command in may_come:
            if isinstance(command, ev.Amend) and command.oid in largest:
                largest[command.oid] = max(largest[command.oid], command.amount or Decimal(0))
        at = self.position
        for reduces in (True, False):
            for oid, amount in largest.items():
                if (commands[oid].side.is_buy, commands[oid].reduce_only) != (is_buy, reduces):
                    continue
                room = amount - filled.get(oid, Decimal(0))
                if reduces:
                    room = min(room, max(-at if is_buy else at, Decimal(0)))
                at += room if is_buy else -room
        return at

    def check(self) -> None:
        for is_buy in (True, False):
            far = self.furthest(is_buy=is_buy)
            assert abs(self.position) <= LIMIT
            assert far <= LIMIT if is_buy else far >= -LIMIT, f"{self.position} may go to {far}"


def answer(truth: Truth, chance: random.Random) -> None:
    """Answer one command, or leave it in doubt."""
    command = truth.pending.pop(chance.randrange(len(truth.pending)))
    how = chance.choice([Conclusion.ACCEPTED, Conclusion.ACCEPTED, Conclusion.UNKNOWN, Conclusion.REJECTED])
    events: tuple[ev.OrderEvent, ...] = ()
    if how is Conclusion.ACCEPTED:
        told = len(truth.untold)
        truth.carry_out(command)
        events = tuple(truth.untold[told:])
        del truth.untold[told:]
        if not isinstance(command, ev.Submit) and not events:
            how = Conclusion.REJECTED  # there was nothing left to change
    elif how is Conclusion.UNKNOWN:
        truth.silent.append(command)
    truth.desk.venue.result(command, how, reason="as it happens", events=events)


ACTIONS = (
    ["create"] * 4
    + ["answer"] * 4
    + ["late", "fill", "fill", "tell", "tell", "amend", "amend", "cancel", "state"]
)


def create(desk: Desk, chance: random.Random) -> None:
    desk.create(
        side=chance.choice(list(OrderSide)),
        amount=chance.randint(1, 7) * LOT,
        reduce_only=chance.random() < 0.3,
        route=Route.REST,
    )


async def trade(desk: Desk, chance: random.Random) -> None:
    """Let everything happen in any sequence."""
    desk.venue.unreachable = True  # a doubt stays one
    truth, seen = Truth(desk), 0
    for _ in range(60):
        action = chance.choice(ACTIONS)
        open_oids = [state.oid for state in desk.oms.open_orders()]
        if action == "create":
            create(desk, chance)
        elif action == "answer" and truth.pending:
            answer(truth, chance)
        elif action == "late" and truth.silent:
            truth.carry_out(chance.choice(truth.silent))
        elif action == "fill" and truth.orders:
            truth.fill(chance.choice(list(truth.orders)), chance.randint(1, 7) * LOT)
        elif action == "tell" and truth.untold:
            desk.on_order_event(truth.untold.pop(chance.randrange(len(truth.untold))))
        elif action == "amend" and open_oids:
            amount = chance.randint(1, 7) * LOT
            desk.ems.amend(chance.choice(open_oids), price=None, amount=amount, params={})
        elif action == "cancel" and open_oids:
            desk.cancel(chance.choice(open_oids), Route.REST)
        elif action == "state" and desk.gate is not None:
            if desk.gate.state is TradingState.ACTIVE:
                desk.gate.reduce_only("for a while")
            else:
                desk.gate.resume()
        await desk.settle()
        seen = truth.take_new(seen)
        truth.check()


@given(st.integers(0, 2**32))
@settings(max_examples=200)
def test_a_position_never_goes_beyond_its_limit_at_the_venue(seed: int) -> None:
    run_virtual(lambda clock: trade(Desk(clock, risk=RiskConfig(position_max=LIMIT)), random.Random(seed)))


@given(st.integers(0, 2**32))
@settings(max_examples=200)
def test_while_reducing_no_position_is_opened_or_turned_whatever_fills_late(seed: int) -> None:
    async def work(clock: Any) -> None:
        chance = random.Random(seed)
        desk = Desk(clock, risk=RiskConfig())
        desk.venue.unreachable = True
        truth, seen = Truth(desk), 0
        for _ in range(chance.randint(1, 6)):
            create(desk, chance)
            seen = truth.take_new(seen)
            answer(truth, chance)
            if truth.orders:
                truth.fill(chance.choice(list(truth.orders)), chance.randint(1, 7) * LOT)
        assert desk.gate is not None
        desk.gate.reduce_only("from here")
        del truth.pending[:]
        for _ in range(4):
            create(desk, chance)
            seen = truth.take_new(seen)
        created = list(truth.pending)
        for command in truth.silent + created:
            truth.carry_out(command)
        oids = list(truth.orders)
        chance.shuffle(oids)
        for oid in oids:
            was = truth.position
            truth.fill(oid, 100 * LOT)
            if truth.orders[oid].command in created:
                assert abs(truth.position) <= abs(was)
                assert truth.position * was >= 0

    run_virtual(work)
