"""Requests that come over the public and private sockets, and the acknowledgements in the form of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from nexustrader.emulator.bybit.categories import OPTION, SPOT

encode = msgspec.json.encode

PRIVATE = "private"
HANDLER_NOT_FOUND = "error:handler not found,topic:{}"
ALREADY_SUBSCRIBED = "error:already subscribed,topic:{}"
INVALID_OP = "error:invalid op"
UNDECODABLE = "Failed to decode incoming data: {}"
ARGS_MAX = "args size >10"
NOT_AUTHORIZED = "Request not authorized"


class Request(msgspec.Struct):
    """One request as it arrives."""

    op: str
    req_id: str = ""
    args: list[Any] = []


def read(text: str) -> Request:
    """Raises msgspec.MsgspecError for what is no request."""
    return msgspec.json.decode(text, type=Request)


def ack(socket: str, request: Request, connection: str, topics: Sequence[str]) -> bytes:
    """The success of a subscription or of its end; `socket` is the category, or `private`."""
    if socket == OPTION:
        data = {"failTopics": [], "successTopics": list(topics)}
        return encode({"success": True, "conn_id": connection, "data": data, "type": "COMMAND_RESP"})
    return encode(
        {
            "success": True,
            "ret_msg": request.op if socket == SPOT else "",
            "conn_id": connection,
            "req_id": request.req_id,
            "op": request.op,
        }
    )


def refused(socket: str, request: Request, connection: str, message: str, topics: Sequence[str]) -> bytes:
    """The refusal of a request; the socket stays open."""
    body: dict[str, object] = {"success": False, "ret_msg": message, "conn_id": connection}
    if socket == OPTION and request.op in {"subscribe", "unsubscribe"}:
        data = {"failTopics": list(topics), "successTopics": []}
        return encode({**body, "data": data, "type": "COMMAND_RESP"})
    return encode({**body, "req_id": request.req_id, "op": request.op})


def pong(socket: str, request: Request, connection: str, now_ms: int) -> bytes:
    """The answer to a ping, which every socket has in a form of its own."""
    if socket == OPTION:
        return encode({"args": [str(now_ms)], "op": "pong"})
    if socket == PRIVATE:
        body: dict[str, object] = {"op": "pong", "args": [str(now_ms)], "conn_id": connection}
        return encode({"req_id": request.req_id, **body} if request.req_id else body)
    body = {"success": True, "ret_msg": "pong", "conn_id": connection, "op": "ping"}
    return encode(body if socket == SPOT else {**body, "req_id": request.req_id})
