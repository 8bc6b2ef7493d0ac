"""A WebSocket that stays up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from memory_transport import MemoryTransport
from nexustrader.error import NotSent, WsRequestNotSentError
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.stream import (
    RECONNECT_DELAY_MS_MAX,
    RECONNECT_DELAY_MS_MIN,
    Stream,
    reconnect_delay_ms,
)
from virtual_time import run_virtual


class Site:
    """A stream and what it told."""

    def __init__(self, fails_once: str = "") -> None:
        self.fails_once = fails_once
        self.failed = False
        self.transport = MemoryTransport()
        self.told: list[str] = []
        self.frames: list[bytes] = []
        self.logon: Any = None
        self.urls = 0
        self.stream = Stream(
            "test",
            self._url,
            self.transport,
            TaskManager(asyncio.get_running_loop()),
            Entropy(1),
            on_frame=self.frames.append,
            on_up=self._on_up,
            on_down=self._on_down,
        )

    def _fail(self, part: str) -> None:
        if self.fails_once == part and not self.failed:
            self.failed = True
            raise LookupError("nobody thought of this")

    def _on_down(self, reason: str) -> None:
        self.told.append(f"down: {reason}")
        self._fail("down")

    async def _url(self) -> str:
        self.urls += 1
        self._fail("url")
        return f"ws://venue/{self.urls}"

    async def is_up(self) -> bool:
        try:
            await asyncio.wait_for(self.stream.wait_up(), 0.001)
        except TimeoutError:
            return False
        return True

    async def _on_up(self, reconnected: bool) -> None:
        self.told.append("reconnected" if reconnected else "up")
        self._fail("logon")
        if self.logon is not None:
            await self.logon()


def test_it_reconnects_after_a_loss_with_a_fresh_url_and_tells_each_step() -> None:
    async def run(_clock: Any) -> None:
        site = Site()
        site.stream.start()
        await site.stream.wait_up()
        site.transport.connections[0].break_off("reset")
        await asyncio.sleep(60)
        assert site.told == ["up", "down: reset", "reconnected"]
        assert [c.url for c in site.transport.connections] == ["ws://venue/1", "ws://venue/2"]
        assert await site.is_up()

    run_virtual(run)


def test_nothing_can_be_sent_while_it_is_down() -> None:
    async def run(_clock: Any) -> None:
        site = Site()
        with pytest.raises(WsRequestNotSentError):
            site.stream.send(b"order")
        site.stream.start()
        await site.stream.wait_up()
        site.stream.send(b"order")
        assert site.transport.connections[0].sent == [b"order"]
        site.transport.connections[0].break_off()
        await asyncio.sleep(0.001)
        with pytest.raises(WsRequestNotSentError):
            site.stream.send(b"order")

    run_virtual(run)


def test_a_logon_that_outlives_its_socket_does_not_mark_the_next_one_ready() -> None:
    async def run(_clock: Any) -> None:
        site = Site()
        hang = asyncio.Event()
        site.logon = hang.wait
        site.stream.start()
        await asyncio.sleep(1)
        assert not await site.is_up()
        site.transport.connections[0].break_off()
        hang.set()
        await asyncio.sleep(0)
        assert not await site.is_up()

    run_virtual(run)


def test_a_failed_logon_closes_the_socket_and_tries_again() -> None:
    async def run(_clock: Any) -> None:
        site = Site()
        attempts = 0

        async def logon() -> None:
            nonlocal attempts
            attempts += 1
            if attempts < 3:
                raise NotSent("no answer")

        site.logon = logon
        site.stream.start()
        await asyncio.wait_for(site.stream.wait_up(), 300)
        assert attempts == 3

    run_virtual(run)


def test_an_unreachable_venue_is_asked_ever_more_rarely() -> None:
    async def run(clock: Any) -> None:
        site = Site()
        site.transport.refuse_connections = True
        site.stream.start()
        await asyncio.sleep(3600)
        assert 100 < site.urls < 1000  # full jitter below 30 s: neither a storm nor silence
        await site.stream.stop()

    run_virtual(run)


def test_a_stopped_stream_stays_down() -> None:
    async def run(_clock: Any) -> None:
        site = Site()
        site.stream.start()
        await site.stream.wait_up()
        await site.stream.stop()
        await asyncio.sleep(600)
        assert len(site.transport.connections) == 1
        assert not await site.is_up()

    run_virtual(run)


@pytest.mark.parametrize("part", ["url", "logon", "down"])
def test_no_unforeseen_error_ends_a_stream(part: str) -> None:
    async def run(_clock: Any) -> None:
        site = Site(fails_once=part)
        site.stream.start()
        await asyncio.wait_for(site.stream.wait_up(), 60)
        site.transport.connections[-1].break_off()
        await asyncio.sleep(0.001)
        await asyncio.wait_for(site.stream.wait_up(), 60)
        assert site.failed

    run_virtual(run)


@pytest.mark.parametrize("attempt", [0, 1, 5, 100])
def test_the_delay_has_a_floor_and_a_ceiling(attempt: int) -> None:
    assert reconnect_delay_ms(attempt, 0.0) == RECONNECT_DELAY_MS_MIN
    assert reconnect_delay_ms(attempt, 0.9999) <= RECONNECT_DELAY_MS_MAX
