"""Who asks, and may they: key, time window and signature, in the order in which the venue checks them.

The signature covers timestamp, key, receive window and the query or body as it arrived.
"""

from __future__ import annotations

from collections.abc import Mapping

from nexustrader.emulator.bybit.errors import BybitError, bad, refusal
from nexustrader.emulator.signatures import Verifier

API_KEY_HEADER = "x-bapi-api-key"
TIME_HEADER = "x-bapi-timestamp"
WINDOW_HEADER = "x-bapi-recv-window"
SIGN_HEADER = "x-bapi-sign"
RECV_WINDOW_MS = 5_000
AHEAD_MS_MAX = 1_000


def check_time(timestamp: str, window: str, now_ms: int) -> None:
    """Raises BybitError 10001 or 10002 unless the request is of about now."""
    window_ms = RECV_WINDOW_MS if window == "" else _number(window)
    sent_ms = _number(timestamp)
    if window_ms is None or sent_ms is None:
        raise bad("timestamp or recv_window is not an integer")
    if not now_ms - window_ms <= sent_ms < now_ms + AHEAD_MS_MAX:
        raise refusal(10002, sent_ms, now_ms, window_ms)


def check_signed(verifier: Verifier, headers: Mapping[str, str], payload: bytes, now_ms: int) -> None:
    """Raises BybitError 10001, 10002 or 10004 unless time and signature are right."""
    timestamp, window = headers.get(TIME_HEADER, ""), headers.get(WINDOW_HEADER, "")
    check_time(timestamp, window, now_ms)
    signed = f"{timestamp}{headers.get(API_KEY_HEADER, '')}{window}".encode() + payload
    if not verifier.accepts(signed, headers.get(SIGN_HEADER, "")):
        raise refusal(10004, signed.decode("utf-8", "replace"))


def check_login(verifier: Verifier, expires: object, signature: object, now_ms: int) -> None:
    """Raises BybitError 10004 unless a socket's `auth` is signed and has not expired."""
    expires_ms = _number(str(expires))
    if expires_ms is None or not isinstance(signature, str):
        raise bad("auth takes a key, a time in ms and a signature")
    if expires_ms <= now_ms:
        raise BybitError(10004, "Request expired")
    if not verifier.accepts(f"GET/realtime{expires_ms}".encode(), signature):
        raise BybitError(10004, "Invalid sign")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
