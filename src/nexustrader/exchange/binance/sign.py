"""How Binance wants its requests signed: the query on REST, the sorted parameters on the order socket."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from urllib.parse import quote

from nexustrader.error import CredentialsError
from nexustrader.exchange.binance.spec import RECV_WINDOW_MS
from nexustrader.venue import signing
from nexustrader.venue.spec import Request, Security, Signer

API_KEY_HEADER = "X-MBX-APIKEY"

make_signer = partial(signing.make_signer, "Binance")


def sign_request(
    request: Request, signer: Signer | None, timestamp_ms: int
) -> tuple[str, dict[str, str], bytes]:
    """-> path with query, headers, empty body. Values are percent-encoded first; the signature comes last.

    Raises CredentialsError for a private request without a signer.
    """
    query = "&".join([f"{name}={quote(value, safe='')}" for name, value in request.params])
    headers: dict[str, str] = {}
    if request.security is not Security.NONE:
        if signer is None:
            raise CredentialsError(f"{request.method} {request.path} needs an API key; none is configured")
        headers[API_KEY_HEADER] = signer.api_key
        if request.security is Security.SIGNED:
            stamp = f"recvWindow={RECV_WINDOW_MS}&timestamp={timestamp_ms}"
            query = f"{query}&{stamp}" if query else stamp
            query = f"{query}&signature={quote(signer.sign(query.encode()), safe='')}"
    return (f"{request.path}?{query}" if query else request.path), headers, b""


def socket_params(params: Mapping[str, str | int], signer: Signer, timestamp_ms: int) -> dict[str, str | int]:
    """`params` with key, window, time and the signature over all of them, sorted by name."""
    full: dict[str, str | int] = {
        **params, "apiKey": signer.api_key, "recvWindow": RECV_WINDOW_MS, "timestamp": timestamp_ms
    }  # fmt: skip
    payload = "&".join([f"{name}={full[name]}" for name in sorted(full)])
    full["signature"] = signer.sign(payload.encode())
    return full
