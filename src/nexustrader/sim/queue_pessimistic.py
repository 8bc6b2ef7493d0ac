"""The pessimistic queue: whoever cancels stood behind you."""

from __future__ import annotations

import msgspec


class PessimisticQueue(msgspec.Struct, frozen=True):
    """The queue shrinks by trades alone, and when the level holds less than the queue: never by guessing."""

    def ahead(self, ahead: int, before: int, now: int) -> int:
        del before
        return min(ahead, now)

    def describe(self) -> str:
        return "those who cancel stood behind it, as long as that is possible"
