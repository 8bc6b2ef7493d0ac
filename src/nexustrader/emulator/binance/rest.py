"""REST: a request line and a form body in, JSON and usage headers out. No transport: what to do is said as data."""

from __future__ import annotations

from nexustrader.emulator.binance.errors import refusal
from nexustrader.emulator.binance.gate import Gate, Identity
from nexustrader.emulator.binance.handlers.operation import Operation
from nexustrader.emulator.binance.security import rest_params, rest_payload
from nexustrader.emulator.binance.topics import SPOT
from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.gate import Outcome
from nexustrader.emulator.rest import (
    SEND,
    RestCall,
    RestReply,
    delivery_of,
    json_reply,
    not_found,
    page_reply,
)


class Rest:
    """Answers the REST requests of one product."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._product = gate.product

    def answer(self, call: RestCall, path: str) -> RestReply:
        """Answers one request; `path` is the venue's, without a prefix of ours."""
        operation = self._gate.table.get((call.method, path))
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
        delivery = delivery_of(outcome.fault)
        if delivery.kind != SEND:
            return RestReply(delivery=delivery)
        account = outcome.account.name if operation.is_order and outcome.account is not None else None
        usage = self._gate.limiter.headers(address, account, self._product.clock.timestamp_ms())
        if outcome.error is not None:
            return _refused(outcome.error, usage)
        return json_reply(outcome.result, 200, usage, outcome.fault)

    def _unknown(self, method: str, path: str) -> RestReply:
        if self._gate.name == SPOT:
            return not_found()
        error = refusal(-5000, "")
        return json_reply({"code": error.code, "msg": f"Path {path}, Method {method} is invalid"}, 404)


def refused(error: VenueError) -> RestReply:
    """The refusal of an upgrade."""
    return _refused(error, {})


def _refused(error: VenueError, headers: dict[str, str]) -> RestReply:
    headers = {**headers, **error.headers}
    if error.page is not None:
        return page_reply(error, headers)
    return json_reply({"code": error.code, "msg": error.message}, error.status, headers)
