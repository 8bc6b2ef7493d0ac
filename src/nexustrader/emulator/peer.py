"""A connected client as the venue sees it, whatever carries it: what it can be told, and how the venue treats it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from nexustrader.kernel.ports import Clock, TimerHandle

NS_PER_MS = 1_000_000
CLOSE_GOING_AWAY = 1001
CLOSE_POLICY = 1008

OnText = Callable[[str], None]


class Conduct(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue does and demands on its WebSockets.

    Without a `ping_interval_ms` it does not ping; with `idle_ms` it cuts who says nothing for so long.
    """

    ping_interval_ms: int | None = None
    pong_timeout_ms: int = 0
    idle_ms: int | None = None
    life_ms: int = 86_400_000
    messages_per_s_max: int | None = None


class Peer(Protocol):
    """One WebSocket of a client. The methods may be called at any time, also after the end, when they do nothing."""

    @property
    def address(self) -> str: ...
    @property
    def opened_ms(self) -> int: ...
    @property
    def closed(self) -> bool: ...

    def send(self, data: bytes) -> None:
        """Queues one text frame."""

    def close(self, code: int = CLOSE_GOING_AWAY) -> None:
        """Closes with a closing frame after what is queued."""

    def abort(self) -> None:
        """Cuts the connection without a closing handshake."""


class Socket(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's end of an open WebSocket. The transport calls `on_text` for each text frame and `end` once."""

    kind: str  # "market", "user" or "api" (WebSocket API)
    conduct: Conduct
    on_text: OnText
    end: Callable[[], None]


class Pulse:
    """Keeps one connection as its conduct says: pings it, ends it when no pong comes or its life is over."""

    def __init__(self, peer: Peer, conduct: Conduct, clock: Clock, ping: Callable[[bytes], None]) -> None:
        self._peer = peer
        self._conduct = conduct
        self._clock = clock
        self._ping = ping
        self._last_pong_ms = self._last_heard_ms = peer.opened_ms
        self._timer: TimerHandle | None = None
        self._second = 0
        self._messages = 0

    def start(self) -> None:
        """Begins; the first ping comes one interval after the opening."""
        self._beat()

    def stop(self) -> None:
        """Ends it, however the connection ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def on_pong(self) -> None:
        """The client gave a sign of life."""
        self._last_pong_ms = self._clock.timestamp_ms()

    def may_speak(self) -> bool:
        """Counts one message of the client; False for one too many, which has closed the connection."""
        self._last_heard_ms = self._clock.timestamp_ms()
        limit = self._conduct.messages_per_s_max
        if limit is None:
            return True
        second = self._clock.timestamp_ms() // 1_000
        if second != self._second:
            self._second, self._messages = second, 0
        self._messages += 1
        if self._messages > limit:
            self._peer.close(CLOSE_POLICY)
        return self._messages <= limit

    def _beat(self) -> None:
        now_ms, opened_ms, conduct = self._clock.timestamp_ms(), self._peer.opened_ms, self._conduct
        if now_ms - opened_ms >= conduct.life_ms:
            self._peer.close(CLOSE_GOING_AWAY)
            return
        if conduct.idle_ms is not None and now_ms - self._last_heard_ms >= conduct.idle_ms:
            self._peer.abort()
            return
        next_ms = opened_ms + conduct.life_ms
        if conduct.idle_ms is not None:
            next_ms = min(next_ms, self._last_heard_ms + conduct.idle_ms)
        if conduct.ping_interval_ms is not None:
            if now_ms - self._last_pong_ms > conduct.ping_interval_ms + conduct.pong_timeout_ms:
                self._peer.abort()
                return
            if now_ms > opened_ms:
                self._ping(str(now_ms).encode())
            next_ms = min(next_ms, now_ms + conduct.ping_interval_ms)
        self._timer = self._clock.call_at(next_ms * NS_PER_MS, self._beat)
