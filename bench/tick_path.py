"""Ticks per second from the socket to `Strategy.on_bookl1`, beside bare loops on the same flood.

    python bench/tick_path.py [--runs 5] [--count 500000]

typed   picows, one msgspec decode into a typed Struct, prices to float, one call: the least a program can do
codec   picows, routed by a peek at the bytes, decode, an event Struct with a time stamp, two handlers: what a small
        framework needs
ours    the whole package: Feed, decoder, cache, bus, Strategy
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import uvloop
from harness import CLIENT_CPU, Child, alternate, machine, median, pairwise, pin

SYMBOL = "BTCUSDT-PERP.BINANCE"


class Counter:
    """The strategy of every side. The first tenth warms up."""

    def __init__(self, total: int, done: Callable[[], None]) -> None:
        self.n = 0
        self.total = total
        self.skip = total // 10
        self.done = done
        self.started = self.cpu = 0.0
        self.result: dict[str, float] = {}

    def quote(self, bid: float, ask: float, size: float) -> None:
        self.n = n = self.n + 1
        if n == self.skip:
            self.started, self.cpu = time.perf_counter(), time.process_time()
        elif n == self.total:
            wall, cpu = time.perf_counter() - self.started, time.process_time() - self.cpu
            count = self.total - self.skip
            self.result = {"ticks_per_s": count / wall, "cpu_us_per_tick": cpu / count * 1e6}
            self.done()


class WireData(msgspec.Struct, gc=False):
    s: str
    b: str
    B: str
    a: str
    A: str


class WireFrame(msgspec.Struct, gc=False):
    data: WireData


class Quote(msgspec.Struct, gc=False):
    symbol: str
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    timestamp: int


async def bare(
    url: str, counter: Counter, done: asyncio.Event, on_payload: Callable[[Any], None], view: bool
) -> None:
    from picows import WSListener, WSMsgType, ws_connect

    text = WSMsgType.TEXT

    class Listener(WSListener):  # type: ignore[misc]
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == text:
                on_payload(frame.get_payload_as_memoryview() if view else frame.get_payload_as_bytes())

    transport, _ = await ws_connect(Listener, url)
    transport.send(text, b"{}")
    await done.wait()
    transport.disconnect()


async def side_typed(url: str, counter: Counter, done: asyncio.Event) -> None:
    decode = msgspec.json.Decoder(WireFrame).decode
    quote = counter.quote

    def on_payload(raw: Any) -> None:
        d = decode(raw).data
        quote(float(d.b), float(d.a), float(d.B))

    await bare(url, counter, done, on_payload, view=True)


async def side_codec(url: str, counter: Counter, done: asyncio.Event) -> None:
    decode = msgspec.json.Decoder(WireFrame).decode
    cache: dict[str, Quote] = {}
    symbols = {"BTCUSDT": SYMBOL}

    def store(quote: Quote) -> None:
        cache[quote.symbol] = quote

    def strategy(quote: Quote) -> None:
        counter.quote(quote.bid, quote.ask, quote.bid_size)

    handlers = {Quote: (store, strategy)}

    def book_ticker(raw: bytes) -> None:
        d = decode(raw).data
        quote = Quote(symbols[d.s], float(d.b), float(d.a), float(d.B), float(d.A), time.time_ns())
        for handler in handlers[Quote]:
            handler(quote)

    routes = {b"bookTicker": book_ticker}

    def on_payload(raw: bytes) -> None:
        start = raw.index(b"@", 11) + 1
        routes[raw[start : raw.index(b'"', start)]](raw)

    await bare(url, counter, done, on_payload, view=False)


async def side_ours(url: str, counter: Counter, done: asyncio.Event) -> None:
    from stack import market_stack

    from nexustrader.schema import BookL1
    from nexustrader.strategy import Strategy

    class Ours(Strategy):
        def on_bookl1(self, bookl1: BookL1) -> None:
            counter.quote(bookl1.bid, bookl1.ask, bookl1.bid_size)

    strategy = Ours()
    feed = market_stack(strategy, url)
    strategy.subscribe_bookl1(SYMBOL)
    await done.wait()
    await feed.stop()


async def measure(side: str, count: int) -> dict[str, float]:
    server = Child("flood_server.py", "--count", str(count))
    pin(CLIENT_CPU)
    done = asyncio.Event()
    counter = Counter(count, done.set)
    run = {"typed": side_typed, "codec": side_codec, "ours": side_ours}[side]
    await asyncio.wait_for(run(f"ws://127.0.0.1:{server.ready[1]}", counter, done), 120)
    server.stop()
    return counter.result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--side")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--count", type=int, default=500_000)
    args = parser.parse_args()
    if args.side:
        uvloop.install()
        print(json.dumps(asyncio.run(measure(args.side, args.count))))
        return
    sides = ["typed", "codec", "ours"]
    results = alternate("tick_path.py", sides, args.runs, "--count", str(args.count))
    print(machine())
    for side in sides:
        rate, cpu = median(results[side], "ticks_per_s"), median(results[side], "cpu_us_per_tick")
        print(f"{side:6} {rate:10,.0f} ticks/s   {cpu:6.3f} us CPU per tick")
    for other in ("typed", "codec"):
        print(f"ours / {other}: {pairwise(results, 'ours', other, 'ticks_per_s'):.3f}")


if __name__ == "__main__":
    main()
