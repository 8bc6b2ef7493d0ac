"""A program of a user: places three resting orders on its first run, and says at each start which are open.

Arguments: the database, and the milliseconds of the venue's dead-man timer if there is to be one.
"""

from __future__ import annotations

import json
import os
import sys
from decimal import Decimal

from nexustrader.config import BasicConfig, Config, LogConfig, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, OrderSide, OrderType, StorageType
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType
from nexustrader.schema import Order
from nexustrader.strategy import Strategy

SYMBOL = "BTCUSDT-PERP.BINANCE"
PRICES = (Decimal(50_000), Decimal(49_000), Decimal(48_000))


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


class RestingOrders(Strategy):
    def on_start(self) -> None:
        position = self.cache.get_position(SYMBOL)
        say(
            event="start",
            open=sorted(self.cache.get_open_orders(SYMBOL)),
            position=str(position.signed_amount if position else 0),
        )
        for price in PRICES:
            self.create_order_ws(
                SYMBOL,
                OrderSide.BUY,
                OrderType.LIMIT,
                Decimal("0.01"),
                price,
                idempotency_key=f"rest-{price}",
            )
        say(event="placed")

    def on_accepted_order(self, order: Order) -> None:
        say(event="accepted", oid=order.oid)

    def on_filled_order(self, order: Order) -> None:
        say(event="filled", oid=order.oid)


TYPE = BinanceAccountType.USD_M_FUTURE_TESTNET
DEAD_MAN_MS = int(sys.argv[2]) if len(sys.argv) > 2 else None
engine = Engine(
    Config(
        strategy_id=os.environ.get("RESTING_ID", "resting"),
        user_id="test",
        strategy=RestingOrders(),
        basic_config={ExchangeType.BINANCE: BasicConfig(settings_key="BINANCE.DEMO", testnet=True)},
        public_conn_config={ExchangeType.BINANCE: [PublicConnectorConfig(account_type=TYPE)]},
        private_conn_config={
            ExchangeType.BINANCE: [PrivateConnectorConfig(account_type=TYPE, dead_man_ms=DEAD_MAN_MS)]
        },
        db_path=sys.argv[1],
        storage_backend=StorageType[os.environ.get("RESTING_BACKEND", "SQLITE")],
        exit_after_cancel=False,
        log_config=LogConfig(level_stdout="OFF"),
    )
)

if __name__ == "__main__":
    engine.start()
