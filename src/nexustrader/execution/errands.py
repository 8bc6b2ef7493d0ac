"""Work in the background, by name: what is under way is not begun a second time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

Work = Coroutine[Any, Any, None]
Spawn = Callable[[Work, str], object]


class Errands:
    """One task for each purpose and each order or account that it is about."""

    def __init__(self, spawn: Spawn) -> None:
        self._spawn = spawn
        self._busy: set[str] = set()

    def begin(self, purpose: str, about: str, work: Callable[[], Work]) -> None:
        """Start `work`, unless the same is under way.

        It is called once its task runs: a task that is cancelled before that leaves no coroutine that nobody awaits.
        """
        name = f"{purpose} {about}"
        if name not in self._busy:
            self._busy.add(name)
            self._spawn(self._run(name, work), name)

    def is_busy(self, purpose: str, about: str) -> bool:
        return f"{purpose} {about}" in self._busy

    async def _run(self, name: str, work: Callable[[], Work]) -> None:
        try:
            await work()
        finally:
            self._busy.discard(name)
