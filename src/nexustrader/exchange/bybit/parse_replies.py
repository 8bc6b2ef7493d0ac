"""Replies of REST and of the sockets, reduced to what is the same everywhere: status, code, text, body."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nexustrader.error import WireError
from nexustrader.exchange.bybit import errors, wire
from nexustrader.venue.spec import Reply, WsReply
from nexustrader.venue.wire import reader

HTTP_OK = 200
TEXT_CHARS_MAX = 300
RETRY_AFTER_MS_MAX = 3_600_000

_read_envelope = reader(wire.Envelope, "a reply")
_encode = msgspec.json.Encoder().encode
_read_batch = reader(wire.Batch, "the reply to a batch")
_read_head = reader(wire.Head, "a frame")
_read_topics = reader(wire.Topics, "the topics of an ack")

_ALREADY_SUBSCRIBED = "already subscribed"


def parse_rest_reply(status: int, headers: Mapping[str, str], body: bytes, now_ms: int) -> Reply:
    """Never raises. A 2xx that says no code is not ok and has none, so nothing is concluded from it."""
    is_good = HTTP_OK <= status < 300
    try:
        envelope = _read_envelope(body)
    except WireError:
        text = body[:TEXT_CHARS_MAX].decode("utf-8", "replace").strip()
        if is_good:
            return Reply(ok=False, status=status, message=f"the reply is not readable: {text}", body=body)
        is_too_often = status == 403 and "too frequent" in text.lower()
        return _refusal(status, errors.IP_LIMIT if is_too_often else f"HTTP {status}", text, body, None)
    text = _shown(envelope.retMsg)
    if envelope.retCode == 0:
        return Reply(is_good, status, None if is_good else f"HTTP {status}", text, body)
    wait = _retry_after_ms(headers, envelope.time or now_ms)
    return _refusal(status, _refined(envelope.retCode, text), text, body, wait)


def parse_batch_reply(body: bytes) -> list[Reply]:
    """The envelope says how each ended, beside the list of what was made. Raises WireError."""
    batch = _read_batch(body)
    ends, made = batch.retExtInfo.rows, batch.result.rows
    if len(ends) != len(made):
        raise WireError(f"{len(ends)} ends of {len(made)} orders. Nothing is concluded from it")
    return [
        parse_rest_reply(HTTP_OK, {}, _encode({"retCode": end.code, "retMsg": end.msg, "result": one}), 0)
        for end, one in zip(ends, made, strict=True)
    ]


def _shown(text: str | None) -> str:
    """What may be journalled and told: a refused signature echoes what was signed, the key with it."""
    return (text or "").partition("origin_string")[0][:TEXT_CHARS_MAX].strip()


def _refusal(status: int, code: str, text: str, body: bytes, wait: int | None) -> Reply:
    """A wait is told for refusals by a limit only; the headers name a moment in every reply."""
    rule = errors.ERRORS.get(code)
    hint = errors.RETRY_HINTS_MS.get(code)
    retry = (wait or hint) if rule is not None and rule.limit else None
    return Reply(False, status, code, text, body, retry)


def _refined(code: int, text: str) -> str:
    """The key of the error table: the venue's code, or one that takes the text into account."""
    if code == 10003 and "session" in text.lower():
        return errors.TOO_MANY_SESSIONS
    if code == 10004 and "expired" in text.lower():
        return errors.LOGON_EXPIRED
    return str(code)


def _retry_after_ms(headers: Mapping[str, str], now_ms: int) -> int | None:
    """Until the limit opens again: the difference of two moments of the venue's own clock."""
    named = {name.lower(): value for name, value in headers.items()}
    reset = _moment(named.get("x-bapi-limit-reset-timestamp"))
    if reset is None:
        return None
    return min(max(0, reset - (_moment(named.get("timenow")) or now_ms)), RETRY_AFTER_MS_MAX)


def _moment(text: str | None) -> int | None:
    return int(text) if text and len(text) <= 15 and text.isascii() and text.isdigit() else None


def used_limits(_headers: Mapping[str, str]) -> tuple[tuple[str, int, int], ...]:
    """Nothing: the headers count one bucket of many, and do not say which."""
    return ()


# -- sockets --------------------------------------------------------------------------------------------


def parse_ws_reply(raw: bytes) -> WsReply | None:
    """A reply of the order socket, or an ack of any socket; None for data and pongs. Raises WireError."""
    head = _read_head(raw)
    if head.topic is not None or head.op in ("pong", "ping"):
        return None
    request_id = (head.reqId or head.req_id or "").partition("-")[0] or None
    if head.retCode is not None:
        text = _shown(head.retMsg)
        if head.retCode == 0:
            return WsReply(request_id, Reply(ok=True, status=HTTP_OK, message=text, body=raw))
        wait = _retry_after_ms({n: str(v) for n, v in head.header.items()}, 0) if head.header else None
        return WsReply(request_id, _refusal(HTTP_OK, _refined(head.retCode, text), text, raw, wait))
    if head.success is None:
        return None
    text = (head.ret_msg or "")[:TEXT_CHARS_MAX]
    if head.success:
        return WsReply(request_id, Reply(ok=True, status=HTTP_OK, message=text, body=raw))
    return WsReply(request_id, _refusal(HTTP_OK, _unnumbered(head.op, text), text, raw, None))


def _unnumbered(operation: str, text: str) -> str:
    """The key of a refusal that comes without a code."""
    if operation != "auth":
        return errors.SUBSCRIPTION_REFUSED
    return errors.LOGON_EXPIRED if "expire" in text.lower() else errors.LOGON_REFUSED


def control_problem(raw: bytes) -> str | None:
    """What a control frame of a market socket complains about, None for a confirmation. Raises WireError."""
    head = _read_head(raw)
    if head.type == "COMMAND_RESP" and head.data:
        failed = _read_topics(head.data).failTopics
        return f"the venue refused a subscription: {', '.join(failed)[:TEXT_CHARS_MAX]}" if failed else None
    text = (head.ret_msg or head.retMsg or "")[:TEXT_CHARS_MAX]
    if head.success is not False or _ALREADY_SUBSCRIBED in text:
        return None
    return f"the venue refused a subscription: {text}"


def is_not_found(reply: Reply) -> bool:
    return not reply.ok and reply.code in errors.NOT_FOUND
