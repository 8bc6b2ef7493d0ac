"""Replies of REST and of the sockets, reduced to what is the same everywhere: status, code, text, body."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from nexustrader.error import WireError
from nexustrader.exchange.binance import errors, wire
from nexustrader.exchange.binance.spec import INTERVAL_LETTERS_MS
from nexustrader.venue.spec import Reply, WsReply
from nexustrader.venue.wire import reader

TEXT_CHARS_MAX = 300
RETRY_AFTER_MS_MAX = 7 * 86_400_000
NOT_FOUND = "-2013"

_read_anything = reader(msgspec.Raw, "a reply")
_read_complaint = reader(wire.Complaint, "a reply")
_read_items = reader(list[msgspec.Raw], "the reply to a batch")
_read_envelope = reader(wire.WsEnvelope, "a frame")
_read_error = reader(wire.WsError, "an error")
_read_limit_data = reader(wire.LimitData, "the limit data")

_BANNED_UNTIL = re.compile(r"until (\d{13})\b")
_HEADER_POOLS = (("x-mbx-used-weight-", "weight"), ("x-mbx-order-count-", "orders"))

# Texts that change what a code means, word for word.
_SERVICE_UNAVAILABLE = "Service Unavailable."
_INTERNAL_ERROR = "Internal error; unable to process your request. Please try again."


def parse_rest_reply(status: int, headers: Mapping[str, str], body: bytes, now_ms: int) -> Reply:
    """Never raises. A 2xx that is not JSON is not ok and has no code, so nothing is concluded from it."""
    try:
        complaint = _complaint(body)
    except WireError:
        complaint = None
    if complaint is None:
        code, text = None, body[:TEXT_CHARS_MAX].decode("utf-8", "replace").strip()
        if 200 <= status < 300:
            return Reply(ok=False, status=status, message=f"the reply is not readable: {text}", body=body)
    else:
        code, text = _code_text(complaint.code), (complaint.msg or "")[:TEXT_CHARS_MAX]
        if 200 <= status < 300 and not (code or "").startswith("-"):
            return Reply(ok=True, status=status, message=text, body=body)
    key = _refined(status, code, text, by_rest=True)
    retry = _retry_after_ms(headers, text, now_ms)
    wait = errors.RETRY_HINTS_MS.get(key) if retry is None else retry
    return Reply(False, status, key, text, body, wait)


def _complaint(body: bytes) -> wire.Complaint:
    if body.lstrip()[:1] == b"{":
        return _read_complaint(body)
    _read_anything(body)
    return wire.Complaint()


def _code_text(code: int | str | None) -> str | None:
    """The code as text; None for the codes that say nothing (0, 200)."""
    text = str(code)[:TEXT_CHARS_MAX]
    return None if code is None or text in ("0", "200", "") else text


def _refined(status: int, code: str | None, text: str, *, by_rest: bool = False) -> str:
    """The key of the error table: the venue's code, or one that takes the text into account.

    Two texts of REST at 503 say that nothing was done; on the order socket every 5xx leaves it open.
    """
    is_503 = by_rest and status == 503
    if is_503 and text == _SERVICE_UNAVAILABLE:
        return errors.SERVICE_UNAVAILABLE
    if code is None:
        return f"HTTP {status}"
    if is_503 and code == "-1001" and text == _INTERNAL_ERROR:
        return errors.INTERNAL_ERROR_FAILED
    if code == "-2010" and "duplicate" in text.lower():
        return errors.DUPLICATE_SPOT
    if code == "-4015" and "duplicate" in text.lower():
        return errors.DUPLICATE_FUTURES
    return code


def _retry_after_ms(headers: Mapping[str, str], text: str, now_ms: int) -> int | None:
    """From the header, in seconds; else from a text that names the end of a ban."""
    seconds = headers.get("retry-after") or headers.get("Retry-After") or ""
    if seconds.isascii() and seconds.isdigit():
        return min(int(seconds[:9]) * 1_000, RETRY_AFTER_MS_MAX)
    banned = _BANNED_UNTIL.search(text)
    if banned is not None:
        return min(max(0, int(banned[1]) - now_ms), RETRY_AFTER_MS_MAX)
    return None


def parse_batch_reply(body: bytes) -> list[Reply]:
    """Each item is an order or a complaint. Raises WireError."""
    return [parse_rest_reply(200, {}, bytes(item), 0) for item in _read_items(body)]


def used_limits(headers: Mapping[str, str]) -> Iterator[tuple[str, int, int]]:
    """(pool, interval_ms, used) of each limit that the headers (lower-case names) report."""
    for name, value in headers.items():
        for prefix, pool in _HEADER_POOLS:
            if not name.startswith(prefix) or not (value.isascii() and value.isdigit()):
                continue
            count, letter = name[len(prefix) : -1], name[-1].upper()
            if count.isascii() and count.isdigit() and letter in INTERVAL_LETTERS_MS:
                yield pool, int(count[:9]) * INTERVAL_LETTERS_MS[letter], int(value[:15])


def parse_ws_reply(raw: bytes) -> WsReply | None:
    """A reply of the order socket; None for what is not a reply. Raises WireError."""
    envelope = _read_envelope(raw)
    if isinstance(envelope.id, msgspec.UnsetType):
        return None
    request_id = None if envelope.id is None else str(envelope.id)
    status = envelope.status if envelope.status is not None else 200
    complaint = bytes(envelope.error).removeprefix(b"null")
    if not complaint and envelope.code is None and 200 <= status < 300:
        return WsReply(request_id, Reply(ok=True, status=status, body=bytes(envelope.result)))
    body = complaint or raw  # market sockets complain without an envelope
    error = _read_error(body)
    text = (error.msg or "")[:TEXT_CHARS_MAX]
    key = _refined(status, _code_text(error.code), text)
    wait = _socket_retry_ms(bytes(error.data)) or errors.RETRY_HINTS_MS.get(key)
    return WsReply(request_id, Reply(False, status, key, text, body, wait))


def _socket_retry_ms(data: bytes) -> int | None:
    """The wait in an error of the order socket: the difference of two moments of the venue's own clock."""
    if not data:
        return None
    try:
        limit = _read_limit_data(data)
    except WireError:
        return None  # other errors carry other data
    return min(max(0, limit.retryAfter - limit.serverTime), RETRY_AFTER_MS_MAX) if limit.retryAfter else None


def control_problem(raw: bytes) -> str | None:
    """What a control frame of a market socket complains about, None for a confirmation. Raises WireError."""
    answer = parse_ws_reply(raw)
    if answer is None or answer.reply.ok:
        return None
    return f"the venue refused a subscription: {answer.reply.code}: {answer.reply.message}"


def is_not_found(reply: Reply) -> bool:
    return not reply.ok and reply.code == NOT_FOUND
