"""The way of user events from what happened to whoever listens, and what may go wrong on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from nexustrader.emulator.faults import EVENT, SUBSCRIBE, Fault, FaultPlan
from nexustrader.emulator.orders.accounts import Account
from nexustrader.kernel.ports import Clock, TimerHandle

NS_PER_MS = 1_000_000
KEPT_MAX = 200  # events of an account that may be replayed
# What altered events hold that no client has heard of.
UNHEARD_OF = "NEVER_HEARD_OF"
NEW_FIELDS: dict[str, object] = {"zz": [1, {"deep": None}], "Zy": 1.5}
SWAP_MS_MAX = 1_000  # how long an event waits for the next one, unless the fault says it

Body = dict[str, object]
Publish = Callable[[Account, Body], None]
About = Callable[[Body], Mapping[str, str | None]]
Alter = Callable[[str, Body, int], list[Body]]


class UserFeed:
    """Publishes the user events of some products through `deliver`, as the fault plan lets it.

    `about` says of an event what faults ask for: its name (`on`), `product`, `symbol`, `client_id` and `step`; `alter`
    is what is told in the place of an event that is altered in some way at some time in ms.
    """

    def __init__(
        self,
        products: Sequence[str],
        deliver: Publish,
        clock: Clock,
        faults: FaultPlan,
        about: About,
        alter: Alter,
    ) -> None:
        self._products = products
        self._event_about = about
        self._event_alter = alter
        self._deliver = deliver
        self._clock = clock
        self._faults = faults
        self._kept: dict[str, deque[Body]] = {}
        self._held: dict[str, list[tuple[Body, TimerHandle]]] = {}
        self._effects: dict[str, Callable[[Account, Body, Fault], None]] = {
            "drop_event": lambda *_: None,
            "duplicate_event": self._duplicate,
            "delay_event": lambda account, event, fault: self._later(account, event, fault.delay_ms),
            "swap_event": self._swap,
            "alter_event": self._alter,
        }

    def publish(self, account: Account, event: Body) -> None:
        """Tells one event, and then the ones that were held back for it."""
        held = self._held.pop(account.name, [])
        self._kept.setdefault(account.name, deque(maxlen=KEPT_MAX)).append(event)
        fault = self._faults.take(EVENT, **self._about(account, event)) if self._faults.pending else None
        if fault is None:
            self._deliver(account, event)
        else:
            self._effects[fault.action](account, event, fault)
        for late, timer in held:
            timer.cancel()
            self._deliver(account, late)

    def replay(self, account: Account, n: int) -> int:
        """Tells the last `n` events once more; returns how many there were."""
        events = list(self._kept.get(account.name, ()))[-n:]
        for event in events:
            self._deliver(account, event)
        return len(events)

    def on_listener(self, account: Account) -> None:
        """Somebody begins to listen."""
        about = {"on": "user", "account": account.name}
        faults = (
            self._faults.find(SUBSCRIBE, ("replay_on_connect",), product=product, **about)
            for product in self._products
        )
        fault = next((found for found in faults if found is not None), None)
        if fault is None or not self._kept.get(account.name):
            return
        self._faults.struck(fault)
        # The reply to the request that began it goes first.
        self._clock.call_soon(lambda: self.replay(account, fault.n))

    def _about(self, account: Account, event: Body) -> Mapping[str, str | None]:
        return {"product": self._products[0], "account": account.name, **self._event_about(event)}

    # -- effects ------------------------------------------------------------------------------------------

    def _duplicate(self, account: Account, event: Body, fault: Fault) -> None:
        self._deliver(account, event)
        self._later(account, event, fault.delay_ms)

    def _swap(self, account: Account, event: Body, fault: Fault) -> None:
        def give_up() -> None:
            held = self._held.get(account.name, [])
            self._held[account.name] = [pair for pair in held if pair[0] is not event]
            self._deliver(account, event)

        due_ns = (self._clock.timestamp_ms() + (fault.delay_ms or SWAP_MS_MAX)) * NS_PER_MS
        pair = (event, self._clock.call_at(due_ns, give_up))
        self._held.setdefault(account.name, []).append(pair)

    def _alter(self, account: Account, event: Body, fault: Fault) -> None:
        for told in self._event_alter(fault.how, event, self._clock.timestamp_ms()):
            self._deliver(account, told)

    def _later(self, account: Account, event: Body, delay_ms: int) -> None:
        if delay_ms == 0:
            self._deliver(account, event)
            return
        due_ns = (self._clock.timestamp_ms() + delay_ms) * NS_PER_MS
        self._clock.call_at(due_ns, lambda: self._deliver(account, event))
