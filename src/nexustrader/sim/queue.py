"""What is assumed about the market's lots ahead of a resting order: the interface. One model a file."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class QueueModel(Protocol):
    """Says how a queue shrinks when its level does.

    Both engines do the rest alike: an order joins behind all lots of its level, trades at its price take from the
    front, and an order never gets in front of one that came before it.
    """

    def ahead(self, ahead: int, before: int, now: int) -> int:
        """Lots ahead, of `ahead` until now, once a level that held `before` lots holds `now`.

        `before` counts what traded already as gone: the difference is what joined or was cancelled.
        The answer lies between 0 and the smaller of `ahead` and `now`.
        """
        ...

    def describe(self) -> str:
        """What is assumed, in words that follow "where a level shrinks without a trade,"."""
        ...
