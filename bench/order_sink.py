"""Order sink on loopback: stamps the moment an order frame arrives and answers it; GET-free, one WebSocket.

It spins rather than sleeps, so that its own wake-up is not part of the figure. A text frame "dump" returns the stamps.
"""

from __future__ import annotations

import asyncio
import json
import time

import uvloop
from harness import SERVER_CPU, pin
from picows import WSListener, WSMsgType, ws_create_server

LIFE_S = 200
REPLY = (
    b'{"clientOrderId":"x","cumQty":"0","executedQty":"0","orderId":22542179,"origQty":"0.010","price":"30000.0",'
    b'"reduceOnly":false,"side":"BUY","positionSide":"BOTH","status":"NEW","stopPrice":"0","closePosition":false,'
    b'"symbol":"BTCUSDT","timeInForce":"GTC","type":"LIMIT","origType":"LIMIT","updateTime":1566818724722,'
    b'"workingType":"CONTRACT_PRICE","priceProtect":false,"priceMatch":"NONE","selfTradePreventionMode":"NONE",'
    b'"goodTillDate":0}'
)
stamps: list[int] = []


class Sink(WSListener):  # type: ignore[misc]
    def on_ws_frame(self, transport, frame) -> None:  # type: ignore[no-untyped-def]
        now = time.perf_counter_ns()
        if frame.msg_type != WSMsgType.TEXT:
            return
        raw = frame.get_payload_as_bytes()
        if b"order.place" in raw:
            stamps.append(now)
            request_id = json.dumps(json.loads(raw)["id"]).encode()
            transport.send(WSMsgType.TEXT, b'{"id":' + request_id + b',"status":200,"result":' + REPLY + b"}")
        elif raw == b"dump":
            transport.send(WSMsgType.TEXT, json.dumps(stamps).encode())


async def main() -> None:
    server = await ws_create_server(lambda _request: Sink(), "127.0.0.1", 0)
    print("PORT", server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    end = time.monotonic() + LIFE_S

    def spin() -> None:
        if time.monotonic() > end:
            loop.stop()
        else:
            loop.call_soon(spin)

    spin()


if __name__ == "__main__":
    pin(SERVER_CPU)
    loop = uvloop.new_event_loop()
    loop.run_until_complete(main())
    loop.run_forever()
