"""Bodies that are not what they should be: what a broken or hostile server sends with status 200."""

from __future__ import annotations

import re
from collections.abc import Callable

OVERSIZED_BYTES = 4_194_304
PAGE = b"<html><head><title>Attention Required</title></head><body><h1>Please wait</h1></body></html>"

_NUMBER = re.compile(rb'(?<=:)"?-?\d+(?:\.\d+)?"?')
_ENUM = re.compile(rb'"(status|type|side|timeInForce|X|x|orderStatus|orderType)":"[^"]*"')


def _oversized(body: bytes) -> bytes:
    return b'{"padding":"' + b"x" * OVERSIZED_BYTES + b'","was":' + body + b"}"


def _duplicate_key(body: bytes) -> bytes:
    """Every member of the object twice."""
    if not body.startswith(b"{") or len(body) < len(b"{}") + 1:
        return body
    return b"{" + body[1:-1] + b"," + body[1:]


GARBLE: dict[str, Callable[[bytes], bytes]] = {
    "html": lambda _: PAGE,
    "empty": lambda _: b"",
    "truncated": lambda body: body[: len(body) // 2],
    "oversized": _oversized,
    "nan": lambda body: _NUMBER.sub(b"NaN", body, count=1),
    "huge_number": lambda body: _NUMBER.sub(b"1" + b"0" * 5_000, body, count=1),
    "duplicate_key": _duplicate_key,
    "unknown_enum": lambda body: _ENUM.sub(rb'"\1":"NEVER_HEARD_OF"', body, count=1),
    "content_type": lambda body: body,
}
CONTENT_TYPES = {"html": "text/html; charset=utf-8", "content_type": "text/plain"}
