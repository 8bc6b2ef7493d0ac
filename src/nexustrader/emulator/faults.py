"""Fault points: what may be made to go wrong, as data that tests post and the venue consults.

A fault names an action and what it applies to. Each action has the moments at which the venue asks for it. A further
fault is one line in `ACTIONS` and its effect where that moment is served. What struck is counted in `fired`, and only
then: a fault that met nothing leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

FOREVER = -1

# Moments.
BEFORE = "before"  # a request came; nothing is carried out
HANDLING = "handling"  # a request is carried out, otherwise than it should be
FILL = "fill"  # an order was filled to its end
READ = "read"  # the answer to a query
AFTER = "after"  # a request was carried out; its reply has not left
EVENT = "event"  # a user event is about to be pushed
PUSH = "push"  # market data is about to be pushed
SUBSCRIBE = "subscribe"  # a stream is asked for
CONNECT = "connect"  # a WebSocket is opened
NOW = "now"  # when the fault is posted

ANY = ("*",)
COMMANDS = ("order.place", "order.cancel", "order.modify", "order.cancelAll")
ORDER_QUERIES = ("order.status", "openOrder", "openOrders.status", "allOrders", "myTrades")
ACCOUNT_QUERIES = (
    "account.status",
    "v2/account.status",
    "account.balance",
    "account.position",
    "v2/account.position",
)
QUERIES = (*ORDER_QUERIES, *ACCOUNT_QUERIES)
ORDER_EVENTS = ("ORDER_TRADE_UPDATE", "ALGO_UPDATE", "executionReport", "order", "execution")
# What `on` may say instead of one name.
GROUPS = {"orders": COMMANDS, "queries": QUERIES, "accounts": ACCOUNT_QUERIES}

ENDS = ("EXPIRED", "CANCELED", "STP", "POST_ONLY", "REDUCE_ONLY")
GARBLES = (
    "html",
    "empty",
    "truncated",
    "oversized",
    "nan",
    "huge_number",
    "duplicate_key",
    "unknown_enum",
    "content_type",
)


class Action(NamedTuple):
    """When an action is asked for, what it applies to without `on`, and what `how` may be (the first by default)."""

    moments: tuple[str, ...]
    on: tuple[str, ...] = COMMANDS
    hows: tuple[str, ...] = ()


ACTIONS: dict[str, Action] = {
    # Requests and replies. `reply` names a documented refusal; `code`, `msg`, `status` and `body` change it.
    "reject_next": Action((BEFORE,)),  # refuse with `code` and `msg`, status 400
    "http_status_next": Action((BEFORE,)),  # refuse with a status (on the WebSocket API the error's status)
    "http_status_after": Action((AFTER,)),  # the same, but the request was carried out
    "drop_request": Action((BEFORE,)),  # nothing is carried out and nothing is answered
    "drop_ack": Action((AFTER,)),  # carried out, never answered
    "delay_ack_ms": Action((AFTER,)),  # carried out, answered `delay_ms` later
    "reset_before": Action((BEFORE,)),  # the connection is cut; nothing is carried out
    "reset_after": Action((AFTER,)),  # the connection is cut after the request was carried out
    "garble_reply": Action((AFTER,), hows=GARBLES),  # status 200 and a body that is not what it should be
    "maintenance": Action((BEFORE, CONNECT), ANY),  # everything is refused until lifted
    # Orders that go otherwise than asked.
    "ghost_twin": Action((HANDLING,), ("order.place",)),  # accepted, and refused as a duplicate of itself
    "killed_at_entry": Action((HANDLING,), ("order.place",), ("told", "acked")),  # EXPIRED without NEW
    "late_end": Action((HANDLING,), ("order.place",), ENDS),  # accepted; `delay_ms` later the venue ends it
    "fill_wins": Action((HANDLING,), ("order.cancel", "order.modify")),  # `part` of the order fills first
    "cancel_refused": Action((HANDLING,), ("order.cancel",)),  # as unknown, although it is open and stays so
    "false_cancel": Action((HANDLING,), ("order.cancel",)),  # the reply says CANCELED, but `part` of it fills
    "cancel_all_partial": Action(
        (HANDLING,), ("order.cancelAll",)
    ),  # the `n` newest stay, the reply says done
    "overfill": Action((FILL,), ANY),  # `part` of the amount is executed on top
    "fee_asset": Action((FILL,), ANY),  # the last execution's fee is taken in `asset`
    # Queries.
    "stale_reads": Action((READ,), QUERIES),  # answered as it was `lag_ms` ago, see Settings.history_ms
    "cut_open_orders": Action((READ,), ("openOrders.status",)),  # the `n` newest are missing
    "repeat_open_orders": Action((READ,), ("openOrders.status",)),  # the `n` newest stand there twice
    "hide_newest_fills": Action((READ,), ("myTrades",)),  # the `n` newest are missing
    # User events. `on` is the event's name, `step` what it tells: NEW, TRADE, CANCELED, EXPIRED, ...
    "drop_event": Action((EVENT,), ORDER_EVENTS),
    "duplicate_event": Action((EVENT,), ORDER_EVENTS),  # the second one `delay_ms` later
    "delay_event": Action((EVENT,), ORDER_EVENTS),  # `delay_ms` later
    "swap_event": Action((EVENT,), ORDER_EVENTS),  # behind the account's next event, or `delay_ms` later
    "alter_event": Action((EVENT,), ORDER_EVENTS, ("new_fields", "unknown_type", "unknown_enum")),
    "replay_events": Action((NOW,)),  # the last `n` are pushed again
    "replay_on_connect": Action((SUBSCRIBE,), ANY),  # the same, when somebody begins to listen
    "expire_listen_key": Action((NOW,), hows=("told", "silent")),  # every listen key ends
    "end_user_stream": Action((NOW,), hows=("told", "silent")),  # the same for subscriptions of spot
    # Market streams. `on` is the kind of stream (bookTicker, trade, kline, ...), `topic` one stream's name.
    "drop_push": Action((PUSH,), ANY),  # silence; the connection lives
    "freeze_push": Action((PUSH,), ANY),  # what was pushed last is pushed again: alive, but stale
    "multiply_push": Action((PUSH,), ANY),  # `n` times
    "swap_push": Action((PUSH,), ("depth",)),  # behind the stream's next push
    "cross_push": Action((PUSH,), ("depth",)),  # with a bid as good as the best ask
    "old_snapshot": Action((HANDLING,), ("depth",)),  # the book as it was `n` updates ago
    "drop_subscribe_ack": Action((SUBSCRIBE,), ANY),  # carried out, never answered
    "mute_topic": Action((SUBSCRIBE,), ANY),  # answered, never carried out
    "late_snapshot": Action((SUBSCRIBE,), ("depth",)),  # where streams begin with one: `delay_ms` later
    "restart_books": Action((NOW,)),  # where streams begin with a snapshot: a new one, as after a restart
    # Connections. `kind` is "market", "user", "api" (WebSocket API) or "all".
    "disconnect": Action((NOW,)),
    "refuse_connect": Action((CONNECT,), ANY),  # the upgrade is refused
    # The user himself, and the venue's own deeds. `symbol`, `product`, and what each needs.
    "manual_order": Action((NOW,)),  # `side`, `amount`, `price` (none: at the market)
    "manual_cancel": Action((NOW,)),  # the open orders of `symbol`, of `client_id`, or all
    "end_order": Action((NOW,), hows=ENDS),  # the venue ends them
    "fill_order": Action((NOW,)),  # the market fills `part` of them, out of turn
    "liquidate": Action((NOW,)),  # the position of `symbol`
    "adl": Action((NOW,)),  # `part` of the position of `symbol`, at the mark
    "funding": Action((NOW,)),  # at `rate`
    "transfer": Action((NOW,)),  # `amount` of `asset`, negative to take it away
}


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One fault to come. Fields that an action does not use are ignored."""

    action: str
    # What it applies to. None is "whatever".
    on: str | None = None  # one name, a group ("orders", "queries", "accounts") or "*"; None = see ACTIONS
    route: str | None = None  # "rest" or "ws"
    product: str | None = None  # "spot", "usdm", "linear", ...
    symbol: str | None = None
    client_id: str | None = None  # the order's client id
    account: str | None = None
    step: str | None = None
    topic: str | None = None
    kind: str = "all"
    # How often.
    skip: int = 0  # let this many pass first
    count: int = 1  # how many times it applies; -1 = until cleared
    # What it does.
    how: str = ""
    delay_ms: int = 0
    lag_ms: int = 0
    n: int = 1
    part: Decimal = Decimal(1)
    reply: str | None = None
    code: int | None = None
    msg: str | None = None
    status: int | None = None
    body: str | None = None
    side: Literal["BUY", "SELL"] = "BUY"
    amount: Decimal = Decimal(0)
    price: Decimal | None = None
    rate: Decimal = Decimal("0.0001")
    asset: str = "BNB"

    def applies_to(self, moment: str, about: Mapping[str, str | None]) -> bool:
        """True when this thing at this moment is meant."""
        action = ACTIONS[self.action]
        if moment not in action.moments or self.count == 0:
            return False
        names = action.on if self.on is None else GROUPS.get(self.on, (self.on,))
        if names != ANY and about.get("on") not in names:
            return False
        if self.kind != "all" and about.get("kind", self.kind) != self.kind:
            return False
        return all(
            wanted is None or about.get(name) == wanted
            for name, wanted in (
                ("route", self.route),
                ("product", self.product),
                ("symbol", self.symbol),
                ("client_id", self.client_id),
                ("account", self.account),
                ("step", self.step),
                ("topic", self.topic),
            )
        )


class FaultPlan:
    """The faults to come, and how often each action came true."""

    def __init__(self) -> None:
        self.pending: list[Fault] = []
        self.fired: dict[str, int] = {}

    def add(self, fault: Fault) -> None:
        """Arms a fault. Raises ValueError for one that can never strike."""
        check(fault)
        self.pending.append(fault)

    def find(self, moment: str, actions: Iterable[str] = (), /, **about: str | None) -> Fault | None:
        """The fault that would strike this thing at this moment; None for none. `struck` makes it so.

        With `actions` only those are meant.
        """
        for fault in self.pending:
            if (actions and fault.action not in actions) or not fault.applies_to(moment, about):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            return fault
        return None

    def use(self, fault: Fault) -> Fault:
        """Takes a fault away after the last time it applies. It is not counted: it may still come to nothing."""
        if fault.count != FOREVER:
            fault.count -= 1
        self.pending[:] = [left for left in self.pending if left.count]
        return fault

    def struck(self, fault: Fault) -> Fault:
        """Uses and counts a fault that came true."""
        self.note(fault.action)
        return self.use(fault)

    def take(self, moment: str, actions: Iterable[str] = (), /, **about: str | None) -> Fault | None:
        """The fault that strikes this thing at this moment, already counted; None for none."""
        fault = self.find(moment, actions, **about) if self.pending else None
        return self.struck(fault) if fault is not None else None

    def note(self, action: str) -> None:
        """Counts one fault that came true."""
        self.fired[action] = self.fired.get(action, 0) + 1

    def lift(self, action: str) -> int:
        """Forgets the faults to come of one action, e.g. ends the maintenance; returns how many there were."""
        kept = [fault for fault in self.pending if fault.action != action]
        lifted = len(self.pending) - len(kept)
        self.pending[:] = kept
        return lifted

    def clear(self) -> None:
        """Forgets the faults to come; the counts stay."""
        self.pending.clear()


def check(fault: Fault) -> None:
    """Raises ValueError for a fault that can never strike. Puts the default in where `how` is left out."""
    action = ACTIONS.get(fault.action)
    if action is None:
        raise ValueError(f"no fault is called {fault.action!r}; known: {', '.join(sorted(ACTIONS))}")
    if fault.count == 0 or fault.count < FOREVER or min(fault.skip, fault.delay_ms, fault.lag_ms) < 0:
        raise ValueError(f"fault {fault.action} needs count >= 1 (or -1), skip, delay_ms and lag_ms >= 0")
    if fault.n < 1 or not 0 < fault.part <= 1:
        raise ValueError(f"fault {fault.action} needs n >= 1 and 0 < part <= 1")
    if action.hows:
        fault.how = fault.how or action.hows[0]
        if fault.how not in action.hows:
            raise ValueError(
                f"fault {fault.action} has no way {fault.how!r}; known: {', '.join(action.hows)}"
            )
