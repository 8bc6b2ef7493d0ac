"""REST: a request line and a form body in, JSON and usage headers out. No transport: what to do is said as data."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nexustrader.emulator.binance.errors import ApiError, refusal
from nexustrader.emulator.binance.gate import Gate, Identity, Outcome
from nexustrader.emulator.binance.operation import Operation
from nexustrader.emulator.binance.operations import REST
from nexustrader.emulator.binance.security import rest_params, rest_payload
from nexustrader.emulator.binance.topics import SPOT
from nexustrader.emulator.faults import Fault
from nexustrader.emulator.garble import CONTENT_TYPES, GARBLE

BODY_BYTES_MAX = 1_048_576

SEND = "send"
HOLD = "hold"
CUT = "cut"

_HTML = {"Content-Type": "text/html; charset=utf-8"}
_JSON = {"Content-Type": "application/json"}
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


class Rest:
    """Answers the REST requests of one product."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._product = gate.product
        self._table = REST[gate.product.name]

    def answer(self, call: RestCall, path: str) -> RestReply:
        """Answers one request; `path` is the venue's, without a prefix of ours."""
        operation = self._table.get((call.method, path))
        if operation is None:
            return self._unknown(call.method, path)
        query = call.raw_path.partition("?")[2].encode("utf-8", "surrogateescape")
        params = rest_params(query, call.body)
        identity = Identity(
            api_key=call.headers.get("x-mbx-apikey"),
            payload=rest_payload(query, call.body),
            signature=params.get("signature"),
        )
        outcome = self._gate.serve(operation, params, identity, address=call.address, route="rest")
        return self._reply(operation, outcome, call.address)

    def _reply(self, operation: Operation, outcome: Outcome, address: str) -> RestReply:
        delivery = _delivery(outcome.fault)
        if delivery.kind != SEND:
            return RestReply(delivery=delivery)
        account = outcome.account.name if operation.is_order and outcome.account is not None else None
        usage = self._product.limiter.headers(address, account, self._product.clock.timestamp_ms())
        if outcome.error is not None:
            return _refused(outcome.error, usage)
        reply = _json(outcome.result, 200, usage, delivery)
        fault = outcome.fault
        return _garbled(reply, fault.how) if fault is not None and fault.action == "garble_reply" else reply

    def _unknown(self, method: str, path: str) -> RestReply:
        if self._product.name == SPOT:
            return not_found()
        error = refusal(-5000, "")
        return _json({"code": error.code, "msg": f"Path {path}, Method {method} is invalid"}, 404)


def not_found() -> RestReply:
    """The page for a path that leads nowhere."""
    return RestReply(status=404, headers=_HTML, body=_NOT_FOUND)


def refused(error: ApiError) -> RestReply:
    """The refusal of an upgrade."""
    return _refused(error, {})


def _delivery(fault: Fault | None) -> Delivery:
    if fault is None:
        return Delivery()
    if fault.action in {"drop_request", "drop_ack"}:
        return Delivery(kind=HOLD)
    if fault.action in {"reset_before", "reset_after"}:
        return Delivery(kind=CUT)
    return Delivery(delay_ms=fault.delay_ms if fault.action == "delay_ack_ms" else 0)


def _json(
    body: object, status: int, headers: Mapping[str, str] | None = None, delivery: Delivery | None = None
) -> RestReply:
    return RestReply(
        status=status,
        headers={**_JSON, **(headers or {})},
        body=msgspec.json.encode(body),
        delivery=delivery or Delivery(),
    )


def _refused(error: ApiError, headers: dict[str, str]) -> RestReply:
    headers = {**headers, **error.headers}
    if error.page is not None:
        kind = _HTML if error.page.startswith("<") else _JSON
        return RestReply(status=error.status, headers={**kind, **headers}, body=error.page.encode())
    return _json({"code": error.code, "msg": error.message}, error.status, headers)


def _garbled(reply: RestReply, how: str) -> RestReply:
    headers = dict(reply.headers)
    if how in CONTENT_TYPES:
        headers["Content-Type"] = CONTENT_TYPES[how]
    return msgspec.structs.replace(reply, headers=headers, body=GARBLE[how](reply.body))
