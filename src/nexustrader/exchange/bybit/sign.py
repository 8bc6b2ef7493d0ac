"""How Bybit wants its requests signed: time, key, window and payload in one; and the logon of a socket."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

import msgspec

from nexustrader.error import CredentialsError
from nexustrader.exchange.bybit.spec import RECV_WINDOW_MS
from nexustrader.venue import signing
from nexustrader.venue.spec import Request, Security, Signer

LOGON_VALID_MS = 10_000

make_signer = partial(signing.make_signer, "Bybit")


def sign_request(
    request: Request, signer: Signer | None, timestamp_ms: int
) -> tuple[str, dict[str, str], bytes]:
    """-> path with query, headers, body. What is signed is the query or the body, byte for byte as it is sent.

    Raises CredentialsError for a private request without a signer.
    """
    # A cursor is percent-encoded as the venue gives it, and is sent back like that.
    query = "&".join([f"{name}={quote(value, safe='%')}" for name, value in request.params])
    target = f"{request.path}?{query}" if query else request.path
    headers = {"Content-Type": "application/json"} if request.body else {}
    if request.security is Security.NONE:
        return target, headers, request.body
    if signer is None:
        raise CredentialsError(f"{request.method} {request.path} needs an API key; none is configured")
    stamp = f"{timestamp_ms}{signer.api_key}{RECV_WINDOW_MS}".encode()
    headers |= {
        "X-BAPI-API-KEY": signer.api_key,
        "X-BAPI-TIMESTAMP": str(timestamp_ms),
        "X-BAPI-RECV-WINDOW": str(RECV_WINDOW_MS),
        "X-BAPI-SIGN": signer.sign(stamp + (request.body or query.encode())),
    }
    return target, headers, request.body


def logon_frame(request_id: str, signer: Signer, timestamp_ms: int) -> bytes:
    """The logon of the private socket and of the order socket, which spell the request's id in two ways."""
    expires = timestamp_ms + LOGON_VALID_MS
    signature = signer.sign(f"GET/realtime{expires}".encode())
    return msgspec.json.encode(
        {
            "req_id": request_id,
            "reqId": request_id,
            "op": "auth",
            "args": [signer.api_key, expires, signature],
        }
    )
