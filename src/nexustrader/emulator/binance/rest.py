"""REST: a request line and a form body in, JSON and usage headers out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from aiohttp import web

from nexustrader.emulator.binance.errors import ApiError, refusal
from nexustrader.emulator.binance.gate import Gate, Identity, Outcome
from nexustrader.emulator.binance.operation import Operation
from nexustrader.emulator.binance.operations import REST
from nexustrader.emulator.binance.security import rest_params, rest_payload
from nexustrader.emulator.binance.topics import SPOT
from nexustrader.emulator.faults import Fault

HOLD_S_MAX = 120.0  # how long an unanswered request is held open
HOLD_STEP_S = 0.02
BODY_BYTES_MAX = 1_048_576

Stopping = Callable[[], bool]


class Rest:
    """Answers the REST requests of one product."""

    def __init__(self, gate: Gate, stopping: Stopping) -> None:
        self._gate = gate
        self._product = gate.product
        self._stopping = stopping
        self._table = REST[gate.product.name]

    async def handle(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answers one request; `path` is the venue's, without a prefix of ours."""
        operation = self._table.get((request.method, path))
        if operation is None:
            return self._unknown(request.method, path)
        query = request.raw_path.partition("?")[2].encode("utf-8", "surrogateescape")
        body = await request.read()
        params = rest_params(query, body)
        identity = Identity(
            api_key=request.headers.get("X-MBX-APIKEY"),
            payload=rest_payload(query, body),
            signature=params.get("signature"),
        )
        address = request.remote or "unknown"
        outcome = self._gate.serve(operation, params, identity, address=address, route="rest")
        return await self._reply(request, operation, outcome, address)

    async def _reply(
        self, request: web.Request, operation: Operation, outcome: Outcome, address: str
    ) -> web.StreamResponse:
        fault = outcome.fault
        if fault is not None:
            if fault.action in {"drop_request", "drop_ack"}:
                await self._hold(request)
            if fault.action in {"drop_request", "drop_ack", "reset_before", "reset_after"}:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            if fault.action == "delay_ack_ms":
                await asyncio.sleep(fault.delay_ms / 1_000)
        account = outcome.account.name if operation.is_order and outcome.account is not None else None
        headers = self._product.limiter.headers(address, account, self._product.clock.timestamp_ms())
        if outcome.error is not None:
            return _refused(outcome.error, headers, fault)
        return _json(outcome.result, 200, headers)

    async def _hold(self, request: web.Request) -> None:
        """Leaves the client without an answer until it goes away."""
        held_s = 0.0
        while held_s < HOLD_S_MAX and not self._stopping():
            if request.transport is None or request.transport.is_closing():
                return
            await asyncio.sleep(HOLD_STEP_S)
            held_s += HOLD_STEP_S

    def _unknown(self, method: str, path: str) -> web.Response:
        if self._product.name == SPOT:
            return web.Response(status=404, text="<html><body><h2>404 Not found</h2></body></html>")
        error = refusal(-5000, "")
        return _json({"code": error.code, "msg": f"Path {path}, Method {method} is invalid"}, 404, {})


def _json(body: object, status: int, headers: dict[str, str]) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json"
    )


def _refused(error: ApiError, headers: dict[str, str], fault: Fault | None) -> web.Response:
    if fault is not None and fault.body is not None:
        kind = "text/html" if fault.body.startswith("<") else "application/json"
        return web.Response(text=fault.body, status=error.status, headers=headers, content_type=kind)
    body = {"code": error.code, "msg": error.message}
    return _json(body, error.status, {**headers, **error.headers})
