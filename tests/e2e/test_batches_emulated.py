"""A batch over real sockets: its orders rest at the emulated venue, and end with the engine."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import canaries
from nexustrader.config import BasicConfig, Config, LogConfig, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import AccountType, ExchangeType, OrderSide, OrderType, settings
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType, BybitAccountType
from nexustrader.schema import BatchOrder, BookL1, Order
from nexustrader.strategy import Strategy

pytestmark = pytest.mark.slow

VENUES: dict[str, tuple[AccountType, AccountType]] = {
    "binance": (BinanceAccountType.USD_M_FUTURE_TESTNET, BinanceAccountType.USD_M_FUTURE_TESTNET),
    "bybit": (BybitAccountType.LINEAR_TESTNET, BybitAccountType.UNIFIED_TESTNET),
}


class Batch(Strategy):
    """Sends seven orders far from the market at once, one of them unusable, and ends when six rest."""

    def __init__(self, symbol: str) -> None:
        super().__init__()
        self.symbol = symbol
        self.oids: list[str] = []
        self.accepted: set[str] = set()
        self.failed: list[str] = []
        self.canceled: set[str] = set()

    def on_start(self) -> None:
        self.subscribe_bookl1(self.symbol)

    def on_bookl1(self, book: BookL1) -> None:
        if self.oids:
            return
        price = Decimal(str(round(book.bid * 0.9)))
        orders = [
            BatchOrder(
                symbol=self.symbol,
                side=OrderSide.BUY,
                type=OrderType.LIMIT,
                amount=Decimal("0.01") if n != 3 else Decimal(0),
                price=price - n,
            )
            for n in range(7)
        ]
        self.oids = self.create_batch_orders(orders)

    def on_accepted_order(self, order: Order) -> None:
        self.accepted.add(order.oid or "")
        self._look()

    def on_failed_order(self, order: Order) -> None:
        self.failed.append(order.oid or "")
        self._look()

    def on_canceled_order(self, order: Order) -> None:
        self.canceled.add(order.oid or "")

    def _look(self) -> None:
        if len(self.accepted) == 6 and self.failed:
            self.stop()


@pytest.mark.parametrize("venue", VENUES)
def test_a_batch_rests_but_for_the_order_that_cannot(
    venue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, private = VENUES[venue]
    exchange = ExchangeType(venue)
    monkeypatch.chdir(tmp_path)
    with EmulatorProcess.start(venue, seed=3) as emulator:
        canaries.watch(emulator.api_key, emulator.secret)
        monkeypatch.setenv(f"NEXUS_ENDPOINTS__{venue.upper()}", emulator.url)
        settings.reload()
        strategy = Batch(f"BTCUSDT-PERP.{venue.upper()}")
        keys = BasicConfig(api_key=emulator.api_key, secret=emulator.secret, testnet=True)
        engine = Engine(
            Config(
                strategy_id="test",
                user_id="batch",
                strategy=strategy,
                basic_config={exchange: keys},
                public_conn_config={exchange: [PublicConnectorConfig(account_type=public)]},
                private_conn_config={exchange: [PrivateConnectorConfig(account_type=private)]},
                log_config=LogConfig(level_stdout="WARNING"),
            )
        )
        engine.start()
    monkeypatch.undo()
    settings.reload()
    assert strategy.failed == [strategy.oids[3]]
    assert strategy.accepted == set(strategy.oids) - {strategy.oids[3]}
    assert strategy.canceled == strategy.accepted
