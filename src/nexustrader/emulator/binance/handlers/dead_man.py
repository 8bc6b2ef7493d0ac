"""The dead-man timer of futures: unless it is set anew in time, every open order of a symbol is cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexustrader.emulator.binance.errors import refusal
from nexustrader.emulator.binance.handlers import requests
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.trading import Trading
from nexustrader.kernel.ports import Clock, TimerHandle

if TYPE_CHECKING:
    from nexustrader.emulator.binance.handlers.operation import (
        Call,
    )  # which holds a product, which holds the countdowns


class Countdowns:
    """The running countdowns of one product, one for each account and symbol."""

    def __init__(self, clock: Clock, trading: Trading) -> None:
        self._clock = clock
        self._trading = trading
        self._timers: dict[tuple[str, str], TimerHandle] = {}

    def begin(self, account: Account, symbol: str, countdown_ms: int) -> None:
        """Starts a countdown in the place of the one that runs; 0 only ends that."""
        running = self._timers.pop((account.name, symbol), None)
        if running is not None:
            running.cancel()
        if countdown_ms:
            due_ns = self._clock.timestamp_ns() + countdown_ms * 1_000_000
            self._timers[account.name, symbol] = self._clock.call_at(
                due_ns, lambda: self._end(account, symbol)
            )

    def stop(self) -> None:
        """Ends all of them; nothing is cancelled."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    @property
    def running(self) -> list[tuple[str, str]]:
        """Account and symbol of each."""
        return sorted(self._timers)

    def _end(self, account: Account, symbol: str) -> None:
        del self._timers[account.name, symbol]
        for record in self._trading.open_orders(account, symbol):
            if not record.is_apart:
                self._trading.cancel(record)


def countdown_cancel_all(call: Call) -> object:
    """Starts, sets anew or (0) ends the countdown of a symbol."""
    listing = requests.symbol(call.params, call.product.listings)
    text = requests.required(call.params, "countdownTime")
    countdown_ms = requests.integer(call.params, "countdownTime")
    if countdown_ms is None or countdown_ms < 0:
        raise refusal(-1102, "countdownTime")
    call.product.countdowns.begin(call.owner, listing.symbol, countdown_ms)
    return {"symbol": listing.symbol, "countdownTime": text}
