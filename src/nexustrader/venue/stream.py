"""One WebSocket that stays up: connect, tell, wait for the end, back off, again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from nexustrader.error import NotSent, WsRequestNotSentError
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.spec import VenueSpec
from nexustrader.venue.transport import Connection, OnFrame, Transport

RECONNECT_DELAY_MS_MIN = 250
RECONNECT_DELAY_MS_MAX = 30_000
STABLE_AFTER_S = 10.0

_log = get_logger("Stream")


def reconnect_delay_ms(attempt: int, unit: float) -> int:
    """Exponential back-off with full jitter; `unit` is a uniform number in [0, 1)."""
    ceiling = min(RECONNECT_DELAY_MS_MAX, RECONNECT_DELAY_MS_MIN * 2 ** min(attempt, 16))
    return int(RECONNECT_DELAY_MS_MIN + (ceiling - RECONNECT_DELAY_MS_MIN) * unit)


class Pulse(NamedTuple):
    """A sign of life that the venue wants to hear from us. What it answers is a control frame like others."""

    frame: bytes
    interval_s: float


def pulse_of(spec: VenueSpec) -> Pulse | None:
    """What the venue declares; None for one that is content with the pings of the WebSocket protocol."""
    return Pulse(spec.ping_frame, spec.ping_interval_ms / 1000) if spec.ping_interval_ms else None


class Stream:
    """Keeps one connection alive.

    `url` is asked anew for every attempt (a listen key may have changed). `on_up` runs after each connect and may
    await a logon; it is cancelled when the socket closes under it. `on_down(reason)` follows each `on_up`. Whatever
    one of them raises ends the attempt, never the stream.
    """

    def __init__(
        self,
        name: str,
        url: Callable[[], Awaitable[str]],
        transport: Transport,
        tasks: TaskManager,
        entropy: Entropy,
        *,
        on_frame: OnFrame,
        on_up: Callable[[bool], Awaitable[None]],
        on_down: Callable[[str], None],
        pulse: Pulse | None = None,
    ) -> None:
        self.name = name
        self._url = url
        self._transport = transport
        self._tasks = tasks
        self._entropy = entropy
        self._on_frame = on_frame
        self._on_up = on_up
        self._on_down = on_down
        self._pulse = pulse
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._stopping = False

    def start(self) -> None:
        """Begin connecting in the background. Idempotent."""
        if self._task is None:
            self._task = self._tasks.create_task(self._run(), name=f"stream {self.name}")

    async def wait_up(self) -> None:
        """Return once connected and `on_up` has finished."""
        await self._ready.wait()

    def send(self, payload: bytes) -> None:
        """Send one text frame now, in this call stack. Raises WsRequestNotSentError when not connected."""
        connection = self._connection
        if connection is None:
            raise WsRequestNotSentError
        connection.send(payload)

    def drop(self, reason: str) -> None:
        """Close the socket so that the loop reconnects."""
        if self._connection is not None:
            _log.info(f"{self.name}: dropping the connection: {reason}")
            self._connection.close()

    async def stop(self) -> None:
        """Close for good."""
        self._stopping = True
        if self._connection is not None:
            self._connection.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        attempt = 0
        connected_before = False
        loop = asyncio.get_running_loop()
        while not self._stopping:
            began = loop.time()
            try:
                connection = await self._transport.connect(await self._url(), self._on_frame)
                connected_before, reconnected = True, connected_before
                await self._hold(connection, reconnected)
            except NotSent as error:
                _log.warning(f"{self.name}: {error}")
            except Exception as error:  # tidy: ok — a stream whose task dies is silent for good
                _log.exception(f"{self.name}: {error}; connecting again")
            attempt = 0 if loop.time() - began > STABLE_AFTER_S else attempt + 1
            if not self._stopping:
                await asyncio.sleep(reconnect_delay_ms(attempt, self._entropy.random()) / 1000)

    async def _hold(self, connection: Connection, reconnected: bool) -> None:
        """Serve one connection from open to close."""
        self._connection = connection
        works = [self._tasks.create_task(self._logon(connection, reconnected), name=f"logon {self.name}")]
        if self._pulse is not None:
            beat = self._beat(connection, self._pulse)
            works.append(self._tasks.create_task(beat, name=f"pulse {self.name}"))
        reason = "the stream was stopped"
        try:
            reason = await connection.wait_closed()
        finally:
            # Race: the socket may close while the logon awaits its reply; a logon that outlives its socket would
            # mark the next one as ready.
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)
            self._connection = None
            self._ready.clear()
            connection.close()
            self._on_down(reason)
            if not self._stopping:
                _log.warning(f"{self.name}: disconnected ({reason}), reconnecting")

    async def _logon(self, connection: Connection, reconnected: bool) -> None:
        try:
            await self._on_up(reconnected)
        except NotSent as error:
            _log.warning(f"{self.name}: {error}")
        except Exception as error:  # tidy: ok — a socket without its logon would be open and silent
            _log.exception(f"{self.name}: the logon failed: {error}")
        else:
            self._ready.set()
            return
        connection.close()

    async def _beat(self, connection: Connection, pulse: Pulse) -> None:
        while True:
            await asyncio.sleep(pulse.interval_s)
            try:
                connection.send(pulse.frame)
            except NotSent:
                return  # it is closing
