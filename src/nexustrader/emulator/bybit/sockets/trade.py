"""The trade socket: orders by requests that need no signature once the session is logged in."""

from __future__ import annotations

from typing import Any

import msgspec

from nexustrader.emulator.bybit.errors import BybitError, bad, refusal
from nexustrader.emulator.bybit.gate import Gate, Served
from nexustrader.emulator.bybit.handlers import params as read
from nexustrader.emulator.bybit.handlers.operations import TRADE
from nexustrader.emulator.bybit.security import check_time
from nexustrader.emulator.bybit.sockets.private import login
from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.frames import deliver
from nexustrader.emulator.gate import Outcome
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.peer import Peer

encode = msgspec.json.encode

REQUEST_ID_MAX = 36


class Request(msgspec.Struct):
    """One request as it arrives."""

    op: str
    reqId: str = ""  # noqa: N815 — the wire's name
    header: dict[str, Any] = {}
    args: list[Any] = []


class TradeConnection:
    """One client of the trade socket."""

    def __init__(self, gate: Gate, peer: Peer, name: str) -> None:
        self._gate = gate
        self._clock = gate.venue.clock
        self._peer = peer
        self._name = name
        self._account: Account | None = None
        self._seen: set[str] = set()

    def on_text(self, text: str) -> None:
        """Answers one request."""
        try:
            request = msgspec.json.decode(text, type=Request)
        except msgspec.MsgspecError as wrong:
            self._refuse(Request(op=""), bad(f"the request is not JSON: {wrong}"))
            return
        if request.op == "ping":
            self._send(request, {"retCode": 0, "retMsg": "OK", "op": "pong", "data": [self._now_text()]})
            return
        try:
            if request.op == "auth":
                self._auth(request)
            else:
                self._trade(request)
        except VenueError as error:
            self._refuse(request, error)

    def end(self) -> None:
        """Nothing outlives the session."""

    # -- requests -----------------------------------------------------------------------------------------

    def _auth(self, request: Request) -> None:
        if self._account is not None:
            raise refusal(20001)
        self._account = login(self._gate.venue.accounts, request.args, self._clock.timestamp_ms())
        self._send(request, {"retCode": 0, "retMsg": "OK", "op": "auth"})

    def _trade(self, request: Request) -> None:
        operation = TRADE.get(request.op)
        if operation is None:
            raise refusal(10404, request.op)
        if self._account is None:
            raise BybitError(10005, "Request not authorized")
        if len(request.reqId) > REQUEST_ID_MAX:
            raise bad("reqId is longer than 36")
        if request.reqId and request.reqId in self._seen:
            raise refusal(20006)
        self._seen.add(request.reqId)
        header = {name.upper(): str(value) for name, value in request.header.items()}
        timestamp, window = header.get("X-BAPI-TIMESTAMP", ""), header.get("X-BAPI-RECV-WINDOW", "")
        check_time(timestamp, window, self._clock.timestamp_ms())
        if len(request.args) != 1 or not isinstance(request.args[0], dict):
            raise bad("args takes exactly one object")
        params, items = read.of_object(request.args[0])
        served = self._gate.serve(
            operation, params, items, self._account, address=self._peer.address, route="ws"
        )
        deliver(self._peer, self._clock, served.outcome.fault, lambda: self._frame(request, served))

    # -- replies ------------------------------------------------------------------------------------------

    def _refuse(self, request: Request, error: VenueError) -> None:
        self._peer.send(self._frame(request, Served(outcome=Outcome(error=error))))

    def _frame(self, request: Request, served: Served) -> bytes:
        return self._encoded(
            request,
            {
                "retCode": served.code,
                "retMsg": served.message,
                "op": request.op,
                "data": served.result,
                "retExtInfo": served.ext,
                "header": {**served.headers(), "Traceid": "0" * 32, "Timenow": self._now_text()},
            },
        )

    def _send(self, request: Request, body: dict[str, object]) -> None:
        self._peer.send(self._encoded(request, body))

    def _encoded(self, request: Request, body: dict[str, object]) -> bytes:
        known = {"reqId": request.reqId} if request.reqId else {}
        return encode({**known, **body, "connId": self._name})

    def _now_text(self) -> str:
        return str(self._clock.timestamp_ms())
