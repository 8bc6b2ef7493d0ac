"""Parameters as text, whether they came in a query or in JSON: read, or refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from nexustrader.emulator.bybit.categories import CATEGORIES
from nexustrader.emulator.bybit.errors import bad

Params = Mapping[str, str]

ITEMS = "request"  # the list of orders in a batch
_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?\Z")
_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}\Z")


def of_query(query: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The parameters of a query, which has no orders in it."""
    return dict(parse_qsl(query, keep_blank_values=True)), []


def of_body(body: bytes) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The parameters of a JSON body, and those of the orders in it. Raises BybitError 10001 for anything else."""
    try:
        raw = msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except msgspec.MsgspecError:
        raise bad("the body is not a JSON object") from None
    return of_object(raw)


def of_object(raw: Mapping[str, Any]) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The same of an object that is decoded."""
    items = raw.get(ITEMS, [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise bad(f"{ITEMS} is not a list of objects")
    params = {name: _text(value) for name, value in raw.items() if name != ITEMS and value is not None}
    return params, [
        {name: _text(value) for name, value in item.items() if value is not None} for item in items
    ]


def required(params: Params, name: str) -> str:
    """A parameter that must be there. Raises BybitError 10001."""
    value = params.get(name)
    if not value:
        raise bad(f"{name} is missing")
    return value


def category(params: Params, allowed: tuple[str, ...] = CATEGORIES) -> str:
    """The category. Raises BybitError 10001."""
    value = params.get("category", "")
    if value not in allowed:
        raise bad("category is not correct/supported")
    return value


def choice(params: Params, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
    """One of some words. Raises BybitError 10001."""
    value = params.get(name) or default
    if value not in allowed:
        raise bad(f"{name} is invalid")
    return value


def decimal(params: Params, name: str) -> Decimal | None:
    """A decimal in plain notation; None when it was not sent. Raises BybitError 10001."""
    text = params.get(name)
    if not text:
        return None
    if not _DECIMAL.match(text):
        raise bad(f"{name} is invalid")
    return Decimal(text)


def amount(params: Params, name: str) -> Decimal:
    """A decimal that must be there."""
    required(params, name)
    value = decimal(params, name)
    assert value is not None
    return value


def integer(params: Params, name: str, default: int | None = None) -> int | None:
    """An integer. Raises BybitError 10001."""
    text = params.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit():
        raise bad(f"{name} is invalid")
    return int(text)


def limit(params: Params, default: int, maximum: int) -> int:
    """The `limit` of a list, brought into its range."""
    value = integer(params, "limit", default)
    assert value is not None
    return max(1, min(value, maximum))


def flag(params: Params, name: str) -> bool:
    """A boolean, absent meaning false. Raises BybitError 10001."""
    return choice(params, name, ("true", "false"), "false") == "true"


def link_id(params: Params) -> str:
    """The user's own id of an order; empty when he gave none. Raises BybitError 10001."""
    value = params.get("orderLinkId", "")
    if value and not _LINK_ID.match(value):
        raise bad("orderLinkId is invalid: at most 36 of A-Z a-z 0-9 _ -")
    return value


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return msgspec.json.encode(value).decode()
