"""The WebSocket API: JSON requests in, JSON replies out, and on spot the user data subscriptions of a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from nexustrader.emulator.binance.errors import ApiError, error_body, refusal
from nexustrader.emulator.binance.gate import Gate, Identity
from nexustrader.emulator.binance.handlers.operation import NONE, SIGNED, Call, Operation
from nexustrader.emulator.binance.handlers.operations import WS
from nexustrader.emulator.binance.security import ws_payload
from nexustrader.emulator.binance.topics import SPOT
from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.frames import deliver
from nexustrader.emulator.gate import Outcome
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.peer import Peer
from nexustrader.emulator.signatures import PublicKeyVerifier

VERSION_PREFIX = "v3/"

encode = msgspec.json.encode


class Request(msgspec.Struct):
    """One request as it arrives."""

    method: str
    id: int | str | None = None
    params: dict[str, Any] = {}


class Session:
    """One connected client of the WebSocket API of one product."""

    def __init__(self, gate: Gate, connection: Peer, *, return_rate_limits: bool) -> None:
        self._gate = gate
        self._product = gate.product
        self._connection = connection
        self._return_rate_limits = return_rate_limits
        self._account: Account | None = None
        self._authorized_ms: int | None = None
        self._connected_ms = connection.opened_ms
        self._subscriptions: dict[int, Account] = {}
        self._next_subscription = 0
        self._methods = {**WS[self._product.name], **self._session_methods()}

    def on_text(self, text: str) -> None:
        """Answers one request."""
        try:
            request = msgspec.json.decode(text, type=Request)
        except msgspec.MsgspecError as wrong:
            self._connection.send(_refusal_frame(None, ApiError(-1100, f"Invalid request: {wrong}")))
            return
        params = {name: _text(value) for name, value in request.params.items()}
        operation = self._methods.get(request.method.removeprefix(VERSION_PREFIX))
        if operation is None:
            error = refusal(-1020) if self._product.name == SPOT else refusal(-5000, request.method)
            self._connection.send(_refusal_frame(request.id, error))
            return
        identity = self._identity(params)
        with_limits = _wants_limits(params.pop("returnRateLimits", None), self._return_rate_limits)
        outcome = self._gate.serve(operation, params, identity, address=self._connection.address, route="ws")
        self._deliver(request.id, operation, outcome, with_limits=with_limits)

    def end(self) -> None:
        """Ends all subscriptions."""
        for subscription_id in list(self._subscriptions):
            self._drop_subscription(subscription_id)

    # -- replies ------------------------------------------------------------------------------------------

    def _identity(self, params: Mapping[str, str]) -> Identity:
        api_key = params.get("apiKey")
        return Identity(
            api_key=api_key,
            payload=ws_payload(params),
            signature=params.get("signature"),
            # A request with a key of its own speaks for that key, whoever is logged on.
            logged_on=self._account if api_key is None else None,
        )

    def _deliver(
        self, reply_to: int | str | None, operation: Operation, outcome: Outcome, *, with_limits: bool
    ) -> None:
        deliver(
            self._connection,
            self._product.clock,
            outcome.fault,
            lambda: self._frame(reply_to, operation, outcome, with_limits=with_limits),
        )

    def _frame(
        self, reply_to: int | str | None, operation: Operation, outcome: Outcome, *, with_limits: bool
    ) -> bytes:
        body: dict[str, object] = {"id": reply_to, "status": 200, "result": outcome.result}
        if outcome.error is not None:
            body = {"id": reply_to, "status": outcome.error.status, "error": error_body(outcome.error)}
        if with_limits:
            account = outcome.account.name if operation.is_order and outcome.account is not None else None
            now_ms = self._product.clock.timestamp_ms()
            body["rateLimits"] = self._product.limiter.view(self._connection.address, account, now_ms)
        return encode(body)

    # -- the session's own methods ------------------------------------------------------------------------

    def _session_methods(self) -> dict[str, Operation]:
        def method(
            name: str, handler: Callable[[Call], object], security: str = NONE
        ) -> tuple[str, Operation]:
            return name, Operation(name=name, handler=handler, security=security, weight=2)

        methods = [
            method("session.logon", self._logon, SIGNED),
            method("session.status", self._status),
            method("session.logout", self._logout),
        ]
        if self._product.name == SPOT:
            methods += [
                method("session.subscriptions", self._list_subscriptions),
                method("userDataStream.subscribe", self._subscribe),
                method("userDataStream.subscribe.signature", self._subscribe, SIGNED),
                method("userDataStream.subscribe.listenToken", self._subscribe_by_token),
                method("userDataStream.unsubscribe", self._unsubscribe),
            ]
        return dict(methods)

    def _logon(self, call: Call) -> object:
        if not isinstance(call.owner.verifier, PublicKeyVerifier):
            raise refusal(-4056)
        self._account, self._authorized_ms = call.owner, call.now_ms
        return self._state(call)

    def _logout(self, call: Call) -> object:
        self._account = self._authorized_ms = None
        return self._state(call)

    def _status(self, call: Call) -> object:
        return self._state(call)

    def _state(self, call: Call) -> dict[str, object]:
        return {
            "apiKey": self._account.api_key if self._account is not None else None,
            "authorizedSince": self._authorized_ms,
            "connectedSince": self._connected_ms,
            "returnRateLimits": self._return_rate_limits,
            "serverTime": call.now_ms,
            "userDataStream": bool(self._subscriptions),
        }

    def _subscribe(self, call: Call) -> object:
        account = call.account or self._account
        if account is None:
            raise refusal(-2015)
        return {"subscriptionId": self._add_subscription(account)}

    def _subscribe_by_token(self, call: Call) -> object:
        """A token opens the events of its account; a new one for the same account prolongs them."""
        account, expires_ms = self._product.listen_tokens.redeem(call.params.get("listenToken", ""))
        number = self._product.subscriptions.find(account, self._connection.send)
        if number is None:
            number = self._add_subscription(account)
        return {"subscriptionId": number, "expirationTime": expires_ms}

    def _add_subscription(self, account: Account) -> int:
        number = self._next_subscription
        self._product.subscriptions.add(account, self._connection.send, number)
        self._subscriptions[number] = account
        self._next_subscription += 1
        return number

    def _unsubscribe(self, call: Call) -> object:
        wanted = call.params.get("subscriptionId")
        ids = [number for number in self._subscriptions if wanted in {None, str(number)}]
        if not ids:
            raise refusal(-2036)
        for number in ids:
            self._drop_subscription(number)
        return {}

    def _list_subscriptions(self, _: Call) -> object:
        return [{"subscriptionId": number} for number in self._subscriptions]

    def _drop_subscription(self, subscription_id: int) -> None:
        account = self._subscriptions.pop(subscription_id)
        self._product.subscriptions.remove(account, self._connection.send)


def _text(value: object) -> str:
    """A parameter as text, as the signature and the handlers see it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return encode(value).decode()


def _wants_limits(asked: str | None, default: bool) -> bool:
    return default if asked is None else asked == "true"


def _refusal_frame(reply_to: int | str | None, error: VenueError) -> bytes:
    return encode({"id": reply_to, "status": error.status, "error": error_body(error)})
