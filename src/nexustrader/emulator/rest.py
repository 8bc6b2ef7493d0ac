"""HTTP without a transport: calls and replies as data, and how a reply reaches the client."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.faults import Fault
from nexustrader.emulator.garble import CONTENT_TYPES, GARBLE

BODY_BYTES_MAX = 1_048_576

SEND = "send"
HOLD = "hold"
CUT = "cut"

HTML = {"Content-Type": "text/html; charset=utf-8"}
JSON = {"Content-Type": "application/json"}
_NOT_FOUND = b"<html><body><h2>404 Not found</h2></body></html>"


class RestCall(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request. `raw_path` is path and query as sent; header names are in lower case."""

    method: str
    raw_path: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    address: str = "unknown"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What the transport does with a reply: send it, hold the client until it goes away, or cut the connection.

    `delay_ms` passes before that.
    """

    kind: str = SEND
    delay_ms: int = 0


class RestReply(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP reply and how it reaches the client."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""
    delivery: Delivery = Delivery()


def json_reply(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None, fault: Fault | None = None
) -> RestReply:
    """A body as JSON, garbled or delayed where a fault says so."""
    reply = RestReply(
        status=status,
        headers={**JSON, **(headers or {})},
        body=msgspec.json.encode(body),
        delivery=delivery_of(fault),
    )
    return _garbled(reply, fault.how) if fault is not None and fault.action == "garble_reply" else reply


def page_reply(error: VenueError, headers: Mapping[str, str]) -> RestReply:
    """The page that a refusal sends in the place of JSON."""
    assert error.page is not None
    kind = HTML if error.page.startswith("<") else JSON
    return RestReply(status=error.status, headers={**kind, **headers}, body=error.page.encode())


def not_found() -> RestReply:
    """The page for a path that leads nowhere."""
    return RestReply(status=404, headers=HTML, body=_NOT_FOUND)


def delivery_of(fault: Fault | None) -> Delivery:
    """How a fault lets the reply reach the client."""
    if fault is None:
        return Delivery()
    if fault.action in {"drop_request", "drop_ack"}:
        return Delivery(kind=HOLD)
    if fault.action in {"reset_before", "reset_after"}:
        return Delivery(kind=CUT)
    return Delivery(delay_ms=fault.delay_ms if fault.action == "delay_ack_ms" else 0)


def _garbled(reply: RestReply, how: str) -> RestReply:
    headers = dict(reply.headers)
    if how in CONTENT_TYPES:
        headers["Content-Type"] = CONTENT_TYPES[how]
    return msgspec.structs.replace(reply, headers=headers, body=GARBLE[how](reply.body))
