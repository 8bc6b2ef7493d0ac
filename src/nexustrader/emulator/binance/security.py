"""Who asks, and may they: key header, signature and time window, in the order in which the venue checks them.

The signature covers the bytes as they arrived (query directly followed by body, without the `signature` item);
nothing is decoded and encoded again on the way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import parse_qsl

from nexustrader.emulator.binance.errors import TOO_FAR_AHEAD, TOO_FAR_BEHIND, ApiError, refusal
from nexustrader.emulator.signatures import Verifier

API_KEY_LENGTH = 64
RECV_WINDOW_MS = 5_000
RECV_WINDOW_MS_MAX = 60_000
AHEAD_MS_MAX = 1_000
MICROSECONDS_FROM = 10**15  # a timestamp this large is in microseconds


def rest_payload(query: bytes, body: bytes) -> bytes:
    """What a REST signature covers: query directly followed by body, each without its `signature` item."""
    return _unsigned(query) + _unsigned(body)


def rest_params(query: bytes, body: bytes) -> dict[str, str]:
    """Parameters of query and form body together; the query wins where both have a name."""
    params = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
    params.update(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    return params


def ws_payload(params: Mapping[str, str]) -> bytes:
    """What a WebSocket API signature covers: all parameters but `signature`, sorted by name."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature").encode()


def check_key_format(api_key: str | None) -> str:
    """The key itself. Raises ApiError -2014 when there is none or it cannot be one."""
    if not api_key or len(api_key) != API_KEY_LENGTH or not api_key.isalnum() or not api_key.isascii():
        raise refusal(-2014)
    return api_key


def check_time(params: Mapping[str, str], now_ms: int) -> None:
    """Raises ApiError -1102, -1131 or -1021 unless `timestamp` lies in the window that the request allows."""
    timestamp = _number(params, "timestamp")
    if timestamp >= MICROSECONDS_FROM:
        timestamp /= 1000
    window_ms = _number(params, "recvWindow") if params.get("recvWindow") else float(RECV_WINDOW_MS)
    if not 0 <= window_ms <= RECV_WINDOW_MS_MAX:
        raise ApiError(-1131, f"recvWindow must be less than {RECV_WINDOW_MS_MAX}.")
    if timestamp >= now_ms + AHEAD_MS_MAX:
        raise ApiError(-1021, TOO_FAR_AHEAD)
    if now_ms - timestamp > window_ms:
        raise ApiError(-1021, TOO_FAR_BEHIND)


def check_signature(verifier: Verifier, payload: bytes, signature: str | None) -> None:
    """Raises ApiError -1102 without a signature and -1022 for a wrong one."""
    if not signature:
        raise refusal(-1102, "signature")
    if not verifier.accepts(payload, signature):
        raise refusal(-1022)


def _unsigned(part: bytes) -> bytes:
    return b"&".join(item for item in part.split(b"&") if not item.startswith(b"signature="))


def _number(params: Mapping[str, str], name: str) -> float:
    try:
        value = float(params[name])
    except (KeyError, ValueError):
        raise refusal(-1102, name) from None
    if not math.isfinite(value):
        raise refusal(-1102, name)
    return value
