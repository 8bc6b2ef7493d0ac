"""A venue that somebody else has written is found by its entry point, and an engine trades on it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nexustrader.chaos.history import History
from nexustrader.chaos.loop import LoopClock, SeededLoop
from nexustrader.chaos.network import Network
from nexustrader.chaos.process import Disk, MemoryWorld
from nexustrader.config import BasicConfig, Config, LogConfig, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, OrderSide, OrderStatus, OrderType, settings
from nexustrader.emulator.peer import Conduct, Peer, Socket
from nexustrader.emulator.rest import RestCall, RestReply
from nexustrader.engine import Engine
from nexustrader.error import EngineBuildError
from nexustrader.kernel.entropy import Entropy
from nexustrader.schema import BookL1, Order
from nexustrader.strategy import Strategy
from nexustrader.venue.registry import load_venue

TOY = Path(__file__).parent / "toy"
SYMBOL = "BTCUSDT.BITGET"
CALM = Conduct(ping_interval_ms=60_000, pong_timeout_ms=60_000)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toy as an installer leaves it: a module on the path, and what it registers beside it."""
    info = tmp_path / "toy_bitget-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-bitget\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nexustrader.venues]\nbitget = toy_bitget:VENUE\n")
    monkeypatch.syspath_prepend(str(TOY))
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.overlay("BITGET", "key", "secret")
    yield
    settings.remove_overlay("BITGET")
    sys.modules.pop("toy_bitget", None)


class ToyService:
    """The toy's other side: orders with a price rest until they are cancelled, others fill at once."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.orders: dict[str, dict[str, Any]] = {}
        self.private: list[Peer] = []

    def rest(self, call: RestCall) -> RestReply:
        path = call.raw_path.partition("?")[0]
        asked = json.loads(call.body or b"{}")
        if path == "/order":
            is_market = asked["price"] is None
            filled = asked["amount"] if is_market else "0"
            order = asked | {"kind": "FILLED" if is_market else "ACCEPTED", "filled": filled}
            return self._told(order)
        if path == "/cancel":
            return self._told(self.orders[asked["id"]] | {"kind": "CANCELED"})
        answers: dict[str, Any] = {
            "/time": {"time": self.clock.timestamp_ms()},
            "/instruments": {"symbols": ["BTCUSDT"]},
            "/orders": {"orders": [o for o in self.orders.values() if o["kind"] == "ACCEPTED"]},
            "/fills": {},
            "/balances": {},
        }
        return _json(answers[path])

    def _told(self, order: dict[str, Any]) -> RestReply:
        order["time"] = self.clock.timestamp_ms()
        self.orders[order["id"]] = order
        for peer in self.private:
            peer.send(json.dumps({"order": order}).encode())
        return _json(order)

    def open(self, raw_path: str, peer: Peer) -> Socket | RestReply:
        def on_text(text: str) -> None:
            said = json.loads(text)
            if said["op"] == "sub":
                quote = {"topic": said["topics"][0], "bid": 99.0, "ask": 101.0}
                peer.send(json.dumps(quote).encode())
            elif said["op"] in ("logon", "private"):
                peer.send(json.dumps({"reply": said["id"], "ok": True}).encode())

        if raw_path == "/private":
            self.private.append(peer)
        return Socket(kind="user", conduct=CALM, on_text=on_text, end=lambda: None)


def _json(body: Any) -> RestReply:
    return RestReply(status=200, headers={}, body=json.dumps(body).encode())


class Buyer(Strategy):
    """Buys once at the market and once away from it, and cancels what rests."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[OrderType | None, OrderStatus]] = []

    def on_start(self) -> None:
        self.subscribe_bookl1(SYMBOL)

    def on_bookl1(self, bookl1: BookL1) -> None:
        for kind, price in ((OrderType.MARKET, None), (OrderType.LIMIT, self.price_to_precision(SYMBOL, 90))):
            self.create_order(SYMBOL, OrderSide.BUY, kind, self.amount_to_precision(SYMBOL, 1), price)

    def on_accepted_order(self, order: Order) -> None:
        self.cancel_order(SYMBOL, str(order.oid))

    def on_filled_order(self, order: Order) -> None:
        self.told.append((order.type, order.status))

    def on_canceled_order(self, order: Order) -> None:
        self.told.append((order.type, order.status))
        self.stop()


def test_without_the_package_the_engine_says_that_there_is_no_connector() -> None:
    with pytest.raises(EngineBuildError, match="no connector for bitget"):
        load_venue(ExchangeType.BITGET)


@pytest.mark.usefixtures("installed")
def test_a_venue_of_somebody_else_trades_like_our_own() -> None:
    account_type = load_venue(ExchangeType.BITGET).account_types()["SPOT"]
    loop, entropy = SeededLoop(None), Entropy(1)
    service = ToyService(LoopClock(loop))
    network = Network(loop, service, service.clock, entropy, History(loop.time))
    strategy = Buyer()
    config = Config(
        strategy_id="toy",
        user_id="test",
        strategy=strategy,
        basic_config={ExchangeType.BITGET: BasicConfig(settings_key="BITGET.TOY")},
        public_conn_config={ExchangeType.BITGET: [PublicConnectorConfig(account_type=account_type)]},
        private_conn_config={ExchangeType.BITGET: [PrivateConnectorConfig(account_type=account_type)]},
        log_config=LogConfig(bypass=True),
    )
    engine = Engine(config, world=MemoryWorld(loop, network, Disk(1_000), entropy))
    asyncio.set_event_loop(loop)
    try:
        engine.start()
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    assert sorted(strategy.told, key=str) == [
        (OrderType.LIMIT, OrderStatus.CANCELED),
        (OrderType.MARKET, OrderStatus.FILLED),
    ]
    assert {row["kind"] for row in service.orders.values()} == {"CANCELED", "FILLED"}
    assert not engine.health.violations
