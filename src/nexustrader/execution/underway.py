"""Commands whose result has not come, so that each result finds its very own."""

from __future__ import annotations

from collections import deque

from nexustrader.domain import events as ev
from nexustrader.domain.outcome import CommandKind


class Underway:
    """Of an order at most one create is under way, but perhaps several cancels."""

    def __init__(self) -> None:
        self.creates: dict[str, ev.Submit] = {}  # by oid
        self._cancels: dict[str, dict[int, ev.Cancel]] = {}  # by oid and attempt
        self._cancel_alls: dict[
            tuple[str, str], deque[ev.CancelAll]
        ] = {}  # by account and symbol, oldest first

    def __bool__(self) -> bool:
        return bool(self.creates or self._cancels or self._cancel_alls)

    def add_cancel(self, command: ev.Cancel) -> None:
        self._cancels.setdefault(command.oid, {})[command.attempt] = command

    def has_cancel(self, oid: str) -> bool:
        return oid in self._cancels

    def add_cancel_all(self, command: ev.CancelAll) -> None:
        self._cancel_alls.setdefault((command.account, command.symbol), deque()).append(command)

    def take_cancel_all(self, result: ev.CommandResult) -> tuple[str, ...]:
        """The orders that the oldest such command of the symbol was about."""
        commands = self._cancel_alls.get((result.account, result.symbol))
        if not commands:
            return ()
        command = commands.popleft()
        if not commands:
            del self._cancel_alls[result.account, result.symbol]
        return command.oids

    def take(self, result: ev.CommandResult) -> ev.Submit | ev.Cancel | None:
        """The command that a result concludes; None when it is not (or no longer) under way."""
        if result.kind is CommandKind.CREATE:
            return self.creates.pop(result.oid, None)
        if result.kind is not CommandKind.CANCEL:
            return None
        cancels = self._cancels.get(result.oid, {})
        command = cancels.pop(result.attempt, None)
        if not cancels:
            self._cancels.pop(result.oid, None)
        return command
