"""Random histories of one market and its users, and two engines that live through them side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from nexustrader.kernel.entropy import Entropy
from nexustrader.sim.kernel.columns import ASK, BID, BUYER, MORE, QUOTE, SELLER, Events
from nexustrader.sim.kernel.engine import KernelEngine, Played
from nexustrader.sim.kernel.layout import AT_CHANGE, AT_END, AT_HEARD, AT_TIME
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.queue_pessimistic import PessimisticQueue
from nexustrader.sim.queue_power import PowerQueue
from nexustrader.sim.types import MatchEvent, Side, SimInstrument, SimOrder, Traded

INSTRUMENT = SimInstrument(
    symbol="BTCUSDT-PERP.BINANCE",
    kind="linear",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    base="BTC",
    quote="USDT",
    settle="USDT",
)

SETTINGS = st.fixed_dictionaries(
    {
        "reduce_only": st.sampled_from(["CLIP", "REJECT"]),
        "unfillable_fok": st.sampled_from(["EXPIRE", "REJECT"]),
        "feed": st.sampled_from(["depth", "top"]),
        "queue": st.sampled_from([PessimisticQueue(), PowerQueue(1), PowerQueue(2), PowerQueue(3)]),
    }
)
SELF_TRADES = ["EXPIRE_MAKER", "EXPIRE_MAKER", "NONE", "EXPIRE_TAKER", "EXPIRE_BOTH"]
TIFS = ["GTC", "GTC", "GTC", "IOC", "FOK"]
KINDS = [QUOTE, QUOTE, BUYER, SELLER, BID, ASK, BID + MORE, ASK + MORE]
STEPS = 40


class Steps:
    """Draws steps by weight, all from one seed. Drawn by Hypothesis one by one, most of them would meet nobody."""

    def __init__(self, draw: Entropy) -> None:
        self.draw = draw

    def step(self) -> Any:
        name = self.draw.choice(
            ["quote"] * 6 + ["submit"] * 5 + ["level"] * 3 + ["trade"] * 3 + ["top", "play", "amend", "fill"] * 2
            + ["levels", "book", "cancel", "cancel_all", "idle", "cost", "move", "move"]
        )  # fmt: skip
        return (name, *getattr(self, name)())

    def price(self) -> int:
        return self.draw.randint(98, 102)

    def lots(self) -> int:
        return self.draw.choice([0, 1, 3, 5, 8, 13, 20])

    def side(self) -> Side:
        return self.draw.choice(list(Side))

    def account(self) -> str:
        return self.draw.choice("aabc")

    def rarely(self) -> bool:
        return self.draw.random() < 0.2

    def order(self, side: Side, price: int | None, lots: int) -> dict[str, Any]:
        return {
            "side": side,
            "price": price,
            "lots": lots,
            "account": self.account(),
            "reduce_only": self.draw.random() < 0.3,
            "position_side": self.draw.choice(["BOTH", "BOTH", "BOTH", "LONG"]),
        }

    def submit(self) -> Any:
        side = self.side()
        price = None if self.rarely() else 100 + side * self.draw.randint(-1, 2)
        fields = self.order(side, price, self.draw.randint(1, 30))
        return (
            fields
            | {
                "tif": self.draw.choice(TIFS),
                "post_only": self.rarely(),
                "self_trade": self.draw.choice(SELF_TRADES),
            },
        )

    def quote(self) -> Any:
        """Makers on both sides, so that there is something to meet."""
        return tuple(
            self.order(side, 100 - side * self.draw.randint(0, 2), self.draw.randint(1, 9))
            for side in (Side.BUY, Side.SELL)
        )

    def amend(self) -> Any:
        return (
            self.draw.randint(0, 9),
            None if self.rarely() else self.price(),
            self.draw.randint(1, 12) if self.draw.random() < 0.4 else None,
        )

    def cancel(self) -> Any:
        return self.draw.randint(0, 9), self.draw.choice(["USER", "LIQUIDATION"])

    def cancel_all(self) -> Any:
        return (self.account(),)

    def fill(self) -> Any:
        return self.draw.randint(0, 9), self.draw.randint(1, 9)

    def idle(self) -> Any:
        return (self.account(),)

    def move(self) -> Any:
        """A position changes elsewhere, and nobody tells the engine."""
        return self.account(), self.draw.choice([-30, -12, -5, 0, 0, 5, 12, 30])

    def cost(self) -> Any:
        return self.side(), self.draw.randint(1, 40), None if self.rarely() else self.price()

    def level(self) -> Any:
        return self.side(), self.price(), self.lots()

    def levels(self) -> Any:
        return tuple([(self.price(), self.lots()) for _ in range(self.draw.randint(0, 4))] for _ in Side)

    def book(self) -> Any:
        return self.levels()

    def top(self) -> Any:
        return self.price(), self.lots(), self.draw.randint(1, 3), self.lots()

    def trade(self) -> Any:
        return self.price(), self.lots(), self.side()

    def play(self) -> Any:
        rows = [
            (self.draw.randint(0, 1), self.draw.choice(KINDS), *self.top())
            for _ in range(self.draw.randint(0, 8))
        ]
        return rows, self.draw.randint(0, 9), self.draw.choice([0, 0, 0, 1, 2, 12, 31])


def history(seed: int) -> list[Any]:
    """A history of so many steps; what fails shows at which of them."""
    steps = Steps(Entropy(seed))
    return [steps.step() for _ in range(STEPS)]


HISTORY = st.integers(0, 2**64 - 1).map(history)


class World:
    """One engine, and the positions of its users."""

    def __init__(
        self, kind: type[MatchingEngine] | type[KernelEngine], held: Sequence[int], settings: Any
    ) -> None:
        self.positions: dict[tuple[str, str], int] = defaultdict(int)
        self.positions |= {(account, "BOTH"): lots for account, lots in zip("abc", held, strict=True)}
        self.engine = kind(INSTRUMENT, 7, position_of=lambda *key: self.positions[key], **settings)
        self.next_id = 1

    def live(self, step: Any) -> Any:
        """Does one step; returns all that can be seen of it."""
        name, *arguments = step
        seen = getattr(self, name)(*arguments)
        if name != "quote":
            self.settle(seen.events if isinstance(seen, Played) else seen)
        return seen

    def settle(self, events: list[MatchEvent]) -> list[MatchEvent]:
        for event in events:
            if isinstance(event, Traded):
                key = (event.order.account, event.order.position_side)
                self.positions[key] += event.order.side * event.lots
        return events

    def submit(self, fields: dict[str, Any]) -> list[MatchEvent]:
        price = fields["price"]
        if price is None or fields.get("tif", "GTC") != "GTC":
            fields = fields | {"post_only": False}
        order = SimOrder(
            **fields,
            order_id=self.next_id,
            kind="market" if price is None else "limit",
        )
        self.next_id += 1
        events = self.engine.submit(order)
        assert order == events[-1].order or events[-1].order.order_id != order.order_id or order.is_open
        return events

    def quote(self, *orders: dict[str, Any]) -> list[MatchEvent]:
        return [event for fields in orders for event in self.settle(self.submit(fields))]

    def move(self, account: str, lots: int) -> list[MatchEvent]:
        self.positions[account, "BOTH"] = lots
        return []

    def _id(self, number: int) -> int:
        """One of the open orders, or none."""
        ids = [order.order_id for order in self.engine.open_orders()]
        return ids[number % len(ids)] if ids else 0

    def amend(self, number: int, price: int | None, lots: int | None) -> list[MatchEvent]:
        return self.engine.amend(self._id(number), price, lots)

    def cancel(self, number: int, reason: Any) -> list[MatchEvent]:
        return self.engine.cancel(self._id(number), reason)

    def cancel_all(self, account: str) -> list[MatchEvent]:
        return self.engine.cancel_all(account)

    def fill(self, number: int, lots: int) -> list[MatchEvent]:
        return self.engine.fill(self._id(number), lots)

    def idle(self, account: str) -> list[MatchEvent]:
        self.positions[account, "BOTH"] = 0
        return self.engine.expire_idle_reduce_only()

    def cost(self, side: Side, lots: int, limit: int | None) -> Any:
        return [self.engine.cost_to_take(side, lots, limit)]

    def level(self, side: Side, price: int, lots: int) -> list[MatchEvent]:
        return self.engine.set_level(side, price, lots)

    def levels(self, bids: Any, asks: Any) -> list[MatchEvent]:
        return self.engine.set_levels(bids, asks)

    def book(self, bids: Any, asks: Any) -> list[MatchEvent]:
        return self.engine.set_book(bids, asks)

    def top(self, bid: int, bid_lots: int, spread: int, ask_lots: int) -> list[MatchEvent]:
        return self.engine.set_top(bid, bid_lots, bid + spread, ask_lots)

    def trade(self, price: int, lots: int, aggressor: Side) -> list[MatchEvent]:
        return self.engine.public_trade(price, lots, aggressor)

    def play(self, rows: Any, until_ns: int, listened: int) -> Played:
        events = events_of(rows)
        if isinstance(self.engine, KernelEngine):
            return self.engine.play(events, 0, until_ns, listened)
        return play_plainly(self.engine, events, until_ns, listened)


def events_of(rows: Any) -> Events:
    """Columns of these (time step, kind, price, lots, spread, second lots); an update that cannot go on ends."""
    cells, time_ns = [], 0
    for number, (step, kind, price, lots, spread, lots_2) in enumerate(rows):
        time_ns += step
        following = rows[number + 1] if number + 1 < len(rows) else None
        goes_on = following is not None and following[0] == 0 and following[1] % MORE in (BID, ASK)
        cells.append((time_ns, kind if goes_on else kind % MORE, price, lots, price + spread, lots_2))
    return Events(cells)


def play_plainly(engine: MatchingEngine, events: Events, until_ns: int, listened: int) -> Played:
    """What `KernelEngine.play` promises, in plain words."""
    update: dict[int, list[tuple[int, int]]] = {BID: [], ASK: []}
    for number, (time_ns, kind, price, lots, price_2, lots_2) in enumerate(events.rows.tolist()):
        if time_ns >= until_ns:
            return Played(number, [], AT_TIME)
        if kind == QUOTE:
            told = engine.set_top(price, lots, price_2, lots_2)
        elif kind % MORE in update:
            update[kind % MORE].append((price, lots))
            if kind & MORE:
                continue
            told = engine.set_levels(update[BID], update[ASK])
            update = {BID: [], ASK: []}
        else:
            told = engine.public_trade(price, lots, Side.BUY if kind == BUYER else Side.SELL)
        if told:
            return Played(number + 1, told, AT_CHANGE)
        if listened >> kind & 1:
            return Played(number + 1, [], AT_HEARD)
    return Played(events.count, [], AT_END)
