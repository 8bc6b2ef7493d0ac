"""Private events by tokens: one for each part of an account, fetched by REST, said on a socket, prolonged in time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from memory_transport import MemoryConnection
from nexustrader.error import AuthFailed
from nexustrader.exchange.binance import BinanceAccountType
from nexustrader.venue.spec import Endpoints
from nexustrader.venue.transport import HttpAnswer
from venue_account import Account, http
from virtual_time import LoopClock, run_virtual

HELD = {"asset": "USDT", "free": "1", "locked": "0"}
PROLONG_S = 1_200


class Isolated(Account):
    """An isolated margin account with some pairs, whose venue takes tokens."""

    def __init__(self, clock: LoopClock) -> None:
        self.pairs = ["BTCUSDT", "ETHUSDT"]
        self.refused: HttpAnswer | None = None
        self.status = 200
        super().__init__(
            clock,
            BinanceAccountType.ISOLATED_MARGIN,
            Endpoints("https://venue", "wss://streams", None, "wss://private"),
        )
        self.transport.on_connect = self._on_connect
        self.orders = self._about_tokens

    def _about_tokens(self, _method: str, url: str) -> HttpAnswer:
        if "userListenToken" in url:
            return self.refused or http(
                200, {"token": f"t-{url.split('symbol=')[1][:7]}", "expirationTime": 1}
            )
        pairs = [{"symbol": pair, "baseAsset": HELD, "quoteAsset": HELD} for pair in self.pairs]
        return http(200, {"assets": pairs})

    def _on_connect(self, connection: MemoryConnection) -> None:
        connection.on_send = lambda raw: self._answer_frame(connection, json.loads(raw))

    def _answer_frame(self, connection: MemoryConnection, frame: dict[str, Any]) -> None:
        error = {"error": {"code": -1209, "msg": "Invalid listenToken."}} if self.status != 200 else {}
        answer = {"id": frame["id"], "status": self.status, "result": {"subscriptionId": 0}} | error
        asyncio.get_running_loop().call_soon(connection.push, json.dumps(answer).encode())

    @property
    def sockets(self) -> list[MemoryConnection]:
        return self.transport.connections

    def tokens_on(self, connection: MemoryConnection) -> list[str]:
        return [json.loads(raw)["params"]["listenToken"] for raw in connection.sent]


def isolated_test(test: Any) -> Any:
    def run() -> None:
        async def work(clock: LoopClock) -> None:
            account = Isolated(clock)
            await test(account)
            await account.gateway.stop()

        run_virtual(work)

    run.__name__ = test.__name__
    return run


@isolated_test
async def test_every_part_of_the_account_is_heard_by_its_own_token(a: Isolated) -> None:
    await a.gateway.start()
    (socket,) = a.sockets
    assert socket.url == "wss://private"
    assert a.tokens_on(socket) == ["t-BTCUSDT", "t-ETHUSDT"]
    assert a.statuses == ["connected"]
    event = {"e": "outboundAccountPosition", "E": 1, "B": []}
    socket.push(json.dumps({"subscriptionId": 1, "event": event}).encode())
    assert a.statuses == ["connected", "balance_update"]


@isolated_test
async def test_tokens_are_prolonged_on_the_open_socket_and_new_pairs_are_heard_too(a: Isolated) -> None:
    await a.gateway.start()
    a.pairs.append("XRPUSDT")
    await asyncio.sleep(PROLONG_S + 1)
    (socket,) = a.sockets
    assert a.tokens_on(socket) == ["t-BTCUSDT", "t-ETHUSDT", "t-BTCUSDT", "t-ETHUSDT", "t-XRPUSDT"]
    assert a.statuses == ["connected"]


@isolated_test
async def test_a_failure_to_prolong_is_tried_again_and_disturbs_nothing(a: Isolated) -> None:
    await a.gateway.start()
    a.refused = http(400, {"code": -1000, "msg": "An unknown error occurred while processing the request."})
    await asyncio.sleep(PROLONG_S + 1)
    a.refused = None
    await asyncio.sleep(PROLONG_S)
    (socket,) = a.sockets
    assert len(a.tokens_on(socket)) == 4
    assert a.statuses == ["connected"]


@isolated_test
async def test_a_lapsed_subscription_begins_anew(a: Isolated) -> None:
    await a.gateway.start()
    a.sockets[0].push(b'{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}')
    await asyncio.sleep(60)
    assert len(a.sockets) == 2
    assert a.statuses == ["connected", "disconnected", "connected", "reconnected"]


@isolated_test
async def test_a_token_that_is_refused_is_fetched_anew(a: Isolated) -> None:
    a.status = 400
    start = asyncio.ensure_future(a.gateway.start())
    await asyncio.sleep(2)
    assert a.statuses == []
    a.status = 200
    await start
    assert len(a.sockets) > 1
    assert a.statuses == ["connected"]


@isolated_test
async def test_refused_credentials_end_the_start(a: Isolated) -> None:
    a.refused = http(401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."})
    with pytest.raises(AuthFailed, match="-2015"):
        await a.gateway.start()


@isolated_test
async def test_a_socket_that_closes_while_tokens_are_prolonged_ends_no_later_prolonging(a: Isolated) -> None:
    await a.gateway.start()
    (socket,) = a.sockets
    socket.on_send = lambda _raw: socket.close()  # the reply never comes: the socket is gone
    await asyncio.sleep(PROLONG_S + 60)
    again = a.sockets[-1]
    assert again is not socket
    assert len(a.tokens_on(again)) == 2
    await asyncio.sleep(PROLONG_S)
    assert len(a.tokens_on(again)) == 4
