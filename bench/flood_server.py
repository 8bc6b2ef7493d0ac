"""Loopback WebSocket server that floods combined-stream bookTicker frames as fast as the socket takes them."""

from __future__ import annotations

import argparse
import asyncio
import struct

import uvloop
from harness import SERVER_CPU, pin
from picows import WSListener, WSMsgType, ws_create_server

FRAMES_PER_WRITE = 200
CHUNKS = 50


def payload(i: int) -> bytes:
    bid = 30000.0 + (i * 7 % 1000) / 10
    t = 1717700000000 + i
    return (
        '{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":%d,"s":"BTCUSDT","b":"%.2f","B":"%.3f",'
        '"a":"%.2f","A":"4.123","T":%d,"E":%d}}' % (400900217 + i, bid, 1 + i % 97 / 10, bid + 0.1, t, t)
    ).encode()


def frame(body: bytes) -> bytes:
    return b"\x81\x7e" + struct.pack("!H", len(body)) + body


def chunks() -> list[bytes]:
    return [
        b"".join(frame(payload(c * FRAMES_PER_WRITE + j)) for j in range(FRAMES_PER_WRITE))
        for c in range(CHUNKS)
    ]


class Flood(WSListener):  # type: ignore[misc]
    """Starts when the client sends its first text frame."""

    def __init__(self, count: int, data: list[bytes]) -> None:
        self.count = count
        self.data = data
        self.writable = asyncio.Event()
        self.writable.set()
        self.task: asyncio.Task[None] | None = None

    def on_ws_connected(self, transport) -> None:  # type: ignore[no-untyped-def]
        self.transport = transport

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def on_ws_frame(self, transport, frame) -> None:  # type: ignore[no-untyped-def]
        if frame.msg_type == WSMsgType.TEXT and self.task is None:
            self.task = asyncio.get_running_loop().create_task(self.flood())

    def on_ws_disconnected(self, transport) -> None:  # type: ignore[no-untyped-def]
        asyncio.get_running_loop().stop()

    async def flood(self) -> None:
        await asyncio.sleep(0.3)
        write = self.transport.underlying_transport.write
        for i in range(self.count // FRAMES_PER_WRITE):
            await self.writable.wait()
            write(self.data[i % CHUNKS])
            if i % 8 == 0:
                await asyncio.sleep(0)


async def main(count: int) -> None:
    data = chunks()
    server = await ws_create_server(lambda _request: Flood(count, data), "127.0.0.1", 0)
    print("PORT", server.sockets[0].getsockname()[1], flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=500_000)
    pin(SERVER_CPU)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main(parser.parse_args().count))
    loop.call_later(170, loop.stop)
    loop.run_forever()
