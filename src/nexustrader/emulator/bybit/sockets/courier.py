"""The order in which user messages leave: before or after the reply that they belong to, and among each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from nexustrader.emulator.orders.accounts import Account
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock

NS_PER_MS = 1_000_000
LATE_MS_MAX = 5

SHUFFLED = "shuffled"
BEFORE = "before"  # the reply
AFTER = "after"  # the reply

Body = dict[str, object]
Publish = Callable[[Account, Body], None]


class Courier:
    """Publishes what one moment told an account, in some order; moments stay in theirs.

    Race: the reply to a request and the messages about it leave by two sockets, in either order. `order` says in
    which: as the seed draws it, or always the same.
    """

    def __init__(self, publish: Publish, clock: Clock, entropy: Entropy, order: str) -> None:
        self._publish = publish
        self._clock = clock
        self._entropy = entropy
        self._order = order
        self._waiting: dict[str, deque[tuple[Account, Body]]] = {}

    def tell(self, account: Account, events: Sequence[Body]) -> None:
        """Sends the messages of one moment, now or in a few milliseconds."""
        events = list(events)
        if self._order == SHUFFLED:
            self._entropy.shuffle(events)
        waiting = self._waiting.setdefault(account.name, deque())
        is_idle = not waiting
        waiting.extend((account, event) for event in events)
        if not is_idle:
            return
        late = self._order == AFTER or (self._order == SHUFFLED and self._entropy.random() < 0.5)
        if not late:
            self._send(account.name)
            return
        due_ms = self._clock.timestamp_ms() + self._entropy.randint(1, LATE_MS_MAX)
        self._clock.call_at(due_ms * NS_PER_MS, lambda: self._send(account.name))

    def _send(self, name: str) -> None:
        waiting = self._waiting[name]
        while waiting:
            self._publish(*waiting.popleft())
