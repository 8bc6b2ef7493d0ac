"""Cancel on disconnect: when nobody hears `dcp.*` any more, an account's orders end after its window."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nexustrader.emulator.bybit.categories import INVERSE, LINEAR, OPTION, SPOT
from nexustrader.emulator.bybit.product import BybitProduct
from nexustrader.emulator.orders.accounts import Account
from nexustrader.kernel.ports import Clock, TimerHandle

NS_PER_S = 1_000_000_000
WINDOW_S_MIN, WINDOW_S_MAX = 3, 300
# What is armed by one name: the topic that keeps it quiet, and the categories whose orders end.
GROUPS = {
    "DERIVATIVES": ("dcp.future", (LINEAR, INVERSE)),
    "SPOT": ("dcp.spot", (SPOT,)),
    "OPTIONS": ("dcp.option", (OPTION,)),
}
DEFAULT_GROUP = "OPTIONS"


class DeadMan:
    """The windows that accounts have armed. `is_heard` says whether somebody listens to a topic of an account.

    An account that has never listened is not disconnected: its window runs from its last listener's end.
    """

    def __init__(
        self,
        clock: Clock,
        products: Mapping[str, BybitProduct],
        is_heard: Callable[[Account, str], bool],
    ) -> None:
        self._clock = clock
        self._products = products
        self._is_heard = is_heard
        self._windows_s: dict[tuple[str, str], int] = {}
        self._timers: dict[tuple[str, str], TimerHandle] = {}

    def arm(self, account: Account, group: str, window_s: int) -> None:
        """Sets the window of a group."""
        self._windows_s[account.name, group] = window_s

    def window_s(self, account: Account) -> int | None:
        """The shortest window that an account has armed; None for none."""
        armed = [window for (name, _), window in self._windows_s.items() if name == account.name]
        return min(armed, default=None)

    def on_listener(self, account: Account) -> None:
        """Somebody listens: what would have ended stays."""
        for group, (topic, _) in GROUPS.items():
            if self._is_heard(account, topic):
                self._stop(account, group)

    def on_gone(self, account: Account, topics: Mapping[str, object]) -> None:
        """Somebody who heard these topics went away."""
        for group, (topic, _) in GROUPS.items():
            window_s = self._windows_s.get((account.name, group))
            if window_s is None or topic not in topics or self._is_heard(account, topic):
                continue
            self._stop(account, group)
            due_ns = self._clock.timestamp_ns() + window_s * NS_PER_S
            self._timers[account.name, group] = self._clock.call_at(due_ns, self._ender(account, group))

    def stop(self) -> None:
        """Ends every timer; nothing is cancelled."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _stop(self, account: Account, group: str) -> None:
        timer = self._timers.pop((account.name, group), None)
        if timer is not None:
            timer.cancel()

    def _ender(self, account: Account, group: str) -> Callable[[], None]:
        def end() -> None:
            self._timers.pop((account.name, group), None)
            for category in GROUPS[group][1]:
                trading = self._products[category].trading
                for record in trading.open_orders(account):
                    trading.cancel(record)

        return end
