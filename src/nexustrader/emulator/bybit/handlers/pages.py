"""Lists in pages: the cursor names the last row that was shown, URL-encoded as the venue sends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import quote, unquote

from nexustrader.emulator.bybit.errors import bad

T = TypeVar("T")

MARK = "last="


def page(rows: Sequence[T], limit: int, cursor: str, key: Callable[[T], str]) -> tuple[Sequence[T], str]:
    """A page of at most `limit` rows after the cursor, and the cursor of the next one; empty on the last.

    Raises BybitError 10001 for a cursor that is none.
    """
    first = 0
    if cursor:
        name = unquote(unquote(cursor)).removeprefix(MARK)
        keys = [key(row) for row in rows]
        if name not in keys:
            raise bad("cursor is invalid")
        first = keys.index(name) + 1
    shown = rows[first : first + limit]
    is_last = first + limit >= len(rows)
    return shown, "" if is_last else quote(MARK + key(shown[-1]), safe="")
