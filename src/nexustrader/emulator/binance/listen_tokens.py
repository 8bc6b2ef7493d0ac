"""Listen tokens of margin: a way to the private events of an account that ends at a time and can be prolonged."""

from __future__ import annotations

from nexustrader.emulator.binance.errors import refusal
from nexustrader.emulator.binance.userdata import SpotSubscriptions
from nexustrader.emulator.orders.accounts import Account
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock, TimerHandle

NS_PER_MS = 1_000_000


class ListenTokens:
    """The tokens of one product. Subscriptions that nobody prolongs end, and their listeners are told."""

    def __init__(self, subscriptions: SpotSubscriptions, clock: Clock, entropy: Entropy) -> None:
        self._subscriptions = subscriptions
        self._clock = clock
        self._entropy = entropy
        self._tokens: dict[str, tuple[Account, int]] = {}
        self._timers: dict[str, TimerHandle] = {}

    def issue(self, account: Account, expires_ms: int) -> dict[str, object]:
        """A new token; the ones before it stay good."""
        token = self._entropy.token_hex(32)
        self._tokens[token] = (account, expires_ms)
        return {"token": token, "expirationTime": expires_ms}

    def redeem(self, token: str) -> tuple[Account, int]:
        """Whose events it opens, and until when: then they end. Raises ApiError -1209."""
        account, expires_ms = self._tokens.get(token, (None, 0))
        if account is None or expires_ms <= self._clock.timestamp_ms():
            raise refusal(-1209)
        running = self._timers.pop(account.name, None)
        if running is not None:
            running.cancel()
        owner = account
        self._timers[account.name] = self._clock.call_at(expires_ms * NS_PER_MS, lambda: self._end(owner))
        return account, expires_ms

    def stop(self) -> None:
        """Stops all timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _end(self, account: Account) -> None:
        del self._timers[account.name]
        self._subscriptions.end(account, self._clock.timestamp_ms())
