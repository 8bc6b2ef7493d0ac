"""Fault points: what may be made to go wrong, as data that tests post and the servers consult.

A fault names an action and the requests it applies to. Three moments exist: `before` a request is carried
out, `after` it was carried out but before the reply leaves, and `now`, when the fault is posted. A further
fault is one line in `ACTIONS` and its effect where the moment is served.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

FOREVER = -1

BEFORE = "before"
AFTER = "after"
NOW = "now"

ACTIONS: dict[str, str] = {
    "reject_next": BEFORE,  # refuse with `code` and `msg`; nothing is carried out
    "http_status_next": BEFORE,  # answer `status` and `body` (REST; on the WebSocket API the error's status)
    "http_status_after": AFTER,  # the same, but the request was carried out
    "drop_request": BEFORE,  # nothing is carried out and nothing is answered
    "drop_ack": AFTER,  # carried out, never answered
    "delay_ack_ms": AFTER,  # carried out, answered `delay_ms` later
    "reset_before": BEFORE,  # the connection is cut; nothing is carried out
    "reset_after": AFTER,  # the connection is cut after the request was carried out
    "disconnect": NOW,  # cut the connections of `kind`
    "expire_listen_key": NOW,  # every listen key of the account ends
}
ORDER_REQUESTS = ("order.place", "order.cancel", "order.modify", "order.cancelAll")


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One fault to come. Fields that an action does not use are ignored."""

    action: str
    on: str | None = (
        None  # the request, e.g. "order.place"; None = any request about orders, "*" = any at all
    )
    route: str | None = None  # "rest" or "ws"
    product: str | None = None  # "spot" or "usdm"
    symbol: str | None = None
    skip: int = 0  # let this many matching requests pass first
    count: int = 1  # how many times it applies; -1 = until cleared
    delay_ms: int = 0
    code: int = -1001
    msg: str = "Internal error; unable to process your request. Please try again."
    status: int = 503
    body: str | None = None
    kind: str = "all"  # connections: "market", "user", "api" (WebSocket API) or "all"

    def applies_to(self, moment: str, request: Mapping[str, str | None]) -> bool:
        """True when this request at this moment is meant."""
        if ACTIONS[self.action] != moment or self.count == 0:
            return False
        name = request.get("on")
        if self.on is None and name not in ORDER_REQUESTS:
            return False
        wanted = {"route": self.route, "product": self.product, "symbol": self.symbol}
        if self.on is not None and self.on != "*":
            wanted["on"] = self.on
        return all(value is None or request.get(key) == value for key, value in wanted.items())


class FaultPlan:
    """The faults to come, and how often each action came true."""

    def __init__(self) -> None:
        self.pending: list[Fault] = []
        self.fired: dict[str, int] = {}

    def add(self, fault: Fault) -> None:
        """Arms a fault. Raises ValueError for an unknown action or a count that can never be reached."""
        if fault.action not in ACTIONS:
            raise ValueError(f"no fault is called {fault.action!r}; known: {', '.join(sorted(ACTIONS))}")
        if fault.count == 0 or fault.count < FOREVER or fault.skip < 0 or fault.delay_ms < 0:
            raise ValueError(f"fault {fault.action} needs count >= 1 (or -1), skip >= 0 and delay_ms >= 0")
        self.pending.append(fault)

    def take(self, moment: str, **request: str | None) -> Fault | None:
        """The fault that strikes this request at this moment, already counted; None for none."""
        for fault in self.pending:
            if not fault.applies_to(moment, request):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.count != FOREVER:
                fault.count -= 1
            if fault.count == 0:
                self.pending.remove(fault)
            self.note(fault.action)
            return fault
        return None

    def note(self, action: str) -> None:
        """Counts one fault that came true."""
        self.fired[action] = self.fired.get(action, 0) + 1

    def clear(self) -> None:
        """Forgets the faults to come; the counts stay."""
        self.pending.clear()
