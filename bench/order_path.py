"""Microseconds from the order call to its bytes at a sink on loopback, beside a bare sign-and-encode loop.

    python bench/order_path.py [--runs 5] [--count 2000]

bare    one f-string payload, HMAC, one encoded Struct, one socket write: the least a program can do
ours    Strategy.create_order_ws: quantise, check, journal (SQLite WAL on disk), sign, encode, write
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from harness import CLIENT_CPU, Child, alternate, machine, median, pairwise, pin

SYMBOL = "BTCUSDT-PERP.BINANCE"
SECRET = "s" * 64
KEY = "k" * 64
GAP_S = 0.003


class Params(msgspec.Struct):
    apiKey: str  # noqa: N815
    newClientOrderId: str  # noqa: N815
    price: str
    quantity: str
    side: str
    symbol: str
    timeInForce: str  # noqa: N815
    timestamp: int
    type: str
    signature: str


class Call(msgspec.Struct):
    id: str
    method: str
    params: Params


async def drive(count: int, place: Callable[[], object], idle: bool) -> list[int]:
    """Call `place` at an even pace; returns when each call began.

    Between two calls the processor sleeps (`idle`), or the loop turns: then a processor's own waking up, which on a
    virtual machine costs more than the work itself, is not part of the figure.
    """
    calls = []
    for _ in range(count):
        began = time.perf_counter_ns()
        place()
        calls.append(began)
        if idle:
            await asyncio.sleep(GAP_S)
        else:
            until = time.perf_counter() + GAP_S
            while time.perf_counter() < until:
                await asyncio.sleep(0)
    await asyncio.sleep(0.2)
    return calls


async def stamps_of(url: str) -> list[int]:
    from picows import WSListener, WSMsgType, ws_connect

    got: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()

    class Listener(WSListener):  # type: ignore[misc]
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == WSMsgType.TEXT:
                got.set_result(json.loads(frame.get_payload_as_bytes()))

    transport, _ = await ws_connect(Listener, url)
    transport.send(WSMsgType.TEXT, b"dump")
    stamps = await got
    transport.disconnect()
    return stamps


async def side_bare(url: str, count: int, idle: bool) -> list[int]:
    from picows import WSListener, WSMsgType, ws_connect

    base = hmac.new(SECRET.encode(), None, hashlib.sha256)
    encode = msgspec.json.encode
    transport, _ = await ws_connect(WSListener, url)
    text = WSMsgType.TEXT
    sequence = 0

    def place() -> None:
        nonlocal sequence
        sequence += 1
        ts = time.time_ns() // 1_000_000
        oid = f"{ts}{sequence:07d}"
        query = (
            f"apiKey={KEY}&newClientOrderId={oid}&price=30000.0&quantity=0.010&side=BUY&symbol=BTCUSDT"
            f"&timeInForce=GTC&timestamp={ts}&type=LIMIT"
        )
        signed = base.copy()
        signed.update(query.encode())
        params = Params(
            KEY, oid, "30000.0", "0.010", "BUY", "BTCUSDT", "GTC", ts, "LIMIT", signed.hexdigest()
        )
        transport.send(text, encode(Call(oid, "order.place", params)))

    return await drive(count, place, idle)


async def side_ours(url: str, count: int, idle: bool) -> list[int]:
    from stack import order_stack

    from nexustrader.constants import OrderSide, OrderType
    from nexustrader.strategy import Strategy

    strategy = Strategy()
    amount, price = Decimal("0.010"), Decimal("30000.0")
    with tempfile.TemporaryDirectory() as folder:
        stack = await order_stack(strategy, url, KEY, SECRET, Path(folder))

        def place() -> None:
            strategy.create_order_ws(SYMBOL, OrderSide.BUY, OrderType.LIMIT, amount, price)

        calls = await drive(count, place, idle)
        await stack.close()
    return calls


async def measure(side: str, count: int, idle: bool) -> dict[str, float]:
    sink = Child("order_sink.py")
    url = f"ws://127.0.0.1:{sink.ready[1]}"
    pin(CLIENT_CPU)
    calls = await {"bare": side_bare, "ours": side_ours}[side](url, count, idle)
    stamps = await stamps_of(url)
    sink.stop()
    assert len(stamps) == len(calls), (len(stamps), len(calls))
    warm = max(20, count // 10)
    took = sorted((at - began) / 1000 for at, began in list(zip(stamps, calls, strict=True))[warm:])
    return {"p50_us": statistics.median(took), "p99_us": took[int(len(took) * 0.99)]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--side")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument(
        "--pace", choices=["idle", "busy"], help="what happens between two orders; both if left out"
    )
    args = parser.parse_args()
    if args.side:
        uvloop.install()
        print(json.dumps(asyncio.run(measure(args.side, args.count, args.pace == "idle"))))
        return
    sides = ["bare", "ours"]
    print(machine())
    for pace in [args.pace] if args.pace else ["idle", "busy"]:
        results = alternate("order_path.py", sides, args.runs, "--count", str(args.count), "--pace", pace)
        for side in sides:
            p50, p99 = median(results[side], "p50_us"), median(results[side], "p99_us")
            print(f"{pace:4} {side:5} p50 {p50:7.1f} us   p99 {p99:7.1f} us")
        print(f"{pace:4} ours / bare, p50: {pairwise(results, 'ours', 'bare', 'p50_us'):.2f}")


if __name__ == "__main__":
    main()
