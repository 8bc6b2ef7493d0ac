"""The only code that touches sockets: HTTP by aiohttp, WebSocket by picows.

Everything above speaks to the two small protocols here, so that the chaos world can put an in-memory network in
their place. The errors raised say what may be concluded: `NotSent` only when no byte can have left.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import aiohttp
import msgspec
import picows

from nexustrader.error import EngineBuildError, NotSent, OutcomeUnknown, WsRequestNotSentError

HTTP_BODY_BYTES_MAX = 32 * 1024 * 1024
WS_FRAME_BYTES_MAX = 8 * 1024 * 1024
WS_CONNECT_TIMEOUT_S = 10.0
WS_IDLE_PING_S = 10.0
WS_PONG_TIMEOUT_S = 10.0
HTTP_CONNECTIONS_MAX = 32
RESEND_SWITCH = "_retry_connection"

OnFrame = Callable[[bytes], None]


class HttpAnswer(msgspec.Struct, frozen=True):
    """An HTTP reply as it came; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection(Protocol):
    """An open WebSocket."""

    def send(self, payload: bytes) -> None:
        """Hand one text frame to the socket. Raises WsRequestNotSentError when the socket is already closed."""

    def close(self) -> None:
        """Close at once: nothing can be sent any more."""

    async def wait_closed(self) -> str:
        """Return the reason once the socket is closed, by whichever side. Never raises for what closed it."""


class Transport(Protocol):
    """The way out of this process."""

    @property
    def in_use(self) -> bool:
        """True once a request was made: then it has to be closed."""

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_ms: int
    ) -> HttpAnswer:
        """Raises NotSent (no byte left) or OutcomeUnknown (anything may have happened)."""

    async def connect(self, url: str, on_frame: OnFrame) -> Connection:
        """Open a WebSocket. Raises NotSent."""

    async def close(self) -> None: ...


class _Listener(picows.WSListener):
    """Bridges one picows connection: text frames whole, fragments joined, the close reason kept."""

    def __init__(self, on_frame: OnFrame) -> None:
        self._on_frame = on_frame
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self.reason = "closed by the peer"

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        kind = frame.msg_type
        if kind == picows.WSMsgType.TEXT and frame.fin and not self._parts:
            self._on_frame(frame.get_payload_as_bytes())
        elif kind in (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION):
            self._join(transport, frame)
        elif kind == picows.WSMsgType.CLOSE:
            self.reason = f"closed by the peer with code {frame.get_close_code()}"
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def _join(self, transport: Any, frame: Any) -> None:
        part = frame.get_payload_as_bytes()
        self._parts_bytes += len(part)
        if self._parts_bytes > WS_FRAME_BYTES_MAX:
            self.reason = f"a fragmented message exceeded {WS_FRAME_BYTES_MAX} bytes"
            transport.disconnect()
            return
        self._parts.append(part)
        if frame.fin:
            whole = b"".join(self._parts)
            self._parts.clear()
            self._parts_bytes = 0
            self._on_frame(whole)


class _PicowsConnection:
    def __init__(self, transport: Any, listener: _Listener) -> None:
        self._transport = transport
        self._listener = listener
        self._text = picows.WSMsgType.TEXT
        self._is_closing = False

    def send(self, payload: bytes) -> None:
        transport = self._transport
        # Race: between a CLOSE (or our own close) and the end of the connection picows drops frames in silence.
        if self._is_closing or transport.is_close_frame_sent or transport.is_disconnected:
            raise WsRequestNotSentError
        transport.send(self._text, payload)

    def close(self) -> None:
        self._is_closing = True
        self._listener.reason = "closed by us"
        self._transport.disconnect(graceful=False)  # a dead peer would hold up a graceful end for minutes

    async def wait_closed(self) -> str:
        try:
            await self._transport.wait_disconnected()
        except Exception as error:  # tidy: ok — picows raises here what the handler of a frame raised
            return f"{type(error).__name__}: {error}"
        return self._listener.reason


class NetworkTransport:
    """Real sockets. TLS is verified and cannot be switched off; redirects are never followed.

    A request is sent once: whether it may be sent again is for the caller to conclude. `request` raises
    EngineBuildError when the installed aiohttp cannot be kept from doing so by itself.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = _session_that_sends_once()
        return self._session

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_ms: int
    ) -> HttpAnswer:
        timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        try:
            async with self._http().request(
                method,
                _verbatim(url),
                headers=headers,
                data=body or None,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                content = await answer.content.read(HTTP_BODY_BYTES_MAX + 1)
                while len(content) <= HTTP_BODY_BYTES_MAX and not answer.content.at_eof():
                    content += await answer.content.read(HTTP_BODY_BYTES_MAX + 1 - len(content))
        except aiohttp.ClientConnectorError as error:
            raise NotSent(f"no connection to {_origin(url)}: {error.os_error}") from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise OutcomeUnknown(
                f"{method} {_origin(url)} ended without a readable answer ({type(error).__name__})"
            ) from None
        if len(content) > HTTP_BODY_BYTES_MAX:
            raise OutcomeUnknown(f"{method} {_origin(url)}: the answer exceeded {HTTP_BODY_BYTES_MAX} bytes")
        return HttpAnswer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, content)

    async def connect(self, url: str, on_frame: OnFrame) -> Connection:
        tls = self._tls_context() if url.startswith("wss:") else None
        try:
            listener = _Listener(on_frame)
            transport, _ = await picows.ws_connect(
                lambda: listener,
                url,
                ssl_context=tls,
                websocket_handshake_timeout=WS_CONNECT_TIMEOUT_S,
                enable_auto_ping=True,
                auto_ping_idle_timeout=WS_IDLE_PING_S,
                auto_ping_reply_timeout=WS_PONG_TIMEOUT_S,
                max_frame_size=WS_FRAME_BYTES_MAX,
                max_redirects=0,
                logger_name="nexustrader",
            )
        except (OSError, TimeoutError, picows.WSError) as error:
            raise NotSent(f"no WebSocket to {_origin(url)}: {type(error).__name__} {error}") from None
        return _PicowsConnection(transport, listener)

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    @property
    def in_use(self) -> bool:
        return self._session is not None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _session_that_sends_once() -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=HTTP_CONNECTIONS_MAX, ttl_dns_cache=300),
        auto_decompress=True,
        trust_env=False,
    )
    # aiohttp sends GET, PUT and DELETE again when a kept-alive connection ends before the reply, though the venue may
    # have carried the first one out. It has no public switch for that.
    if not hasattr(session, RESEND_SWITCH):
        session.detach()
        raise EngineBuildError(
            f"aiohttp {aiohttp.__version__} has no ClientSession.{RESEND_SWITCH}: it cannot be kept from sending a "
            "request twice, so nothing is sent. Install a version of aiohttp that this package was tested with"
        )
    setattr(session, RESEND_SWITCH, False)
    return session


def _verbatim(url: str) -> Any:
    """The URL exactly as signed: yarl must not re-encode the query."""
    from yarl import URL

    return URL(url, encoded=True)


def _origin(url: str) -> str:
    """Scheme, host and path: the query may hold a signature and never reaches a message."""
    return url.split("?", 1)[0]
