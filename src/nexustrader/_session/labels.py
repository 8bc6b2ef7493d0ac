"""Names that timers and tasks have in every run of the same program."""

from __future__ import annotations

from functools import partial
from typing import Any


def label_of(func: Any) -> str:
    """What a timer calls."""
    while isinstance(func, partial):
        func = func.func
    label = label_of_work(func)
    owner = getattr(getattr(func, "__self__", None), "name", None)
    return f"{label} {owner}" if isinstance(owner, str) else label


def label_of_work(work: Any) -> str:
    """What a coroutine, or any function, is."""
    return str(getattr(work, "__qualname__", type(work).__qualname__))
