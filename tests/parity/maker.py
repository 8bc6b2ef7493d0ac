"""A program that quotes at the touch and takes now and then, on quotes and public trades."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.config import BasicConfig, Config, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, OrderSide, OrderType
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType
from nexustrader.strategy import Strategy

SYMBOL = "BTCUSDT-PERP.BINANCE"
TRADING_S = 25.0
AMOUNT = Decimal("0.010")


class Maker(Strategy):
    turns = 0

    def on_start(self) -> None:
        self.started_s = self.clock.timestamp()
        self.subscribe_bookl1(SYMBOL, ready=False)
        self.subscribe_trade(SYMBOL)
        self.schedule(self.quote, "interval", seconds=0.7)

    def quote(self) -> None:
        book = self.cache.bookl1(SYMBOL)
        if book is None or self.clock.timestamp() - self.started_s > TRADING_S:
            return
        self.turns += 1
        for oid in sorted(self.cache.get_open_orders(SYMBOL))[:-4]:
            self.cancel_order_ws(SYMBOL, oid)
        side = (OrderSide.BUY, OrderSide.SELL)[self.turns % 2]
        if self.turns % 5 == 0:
            self.create_order_ws(SYMBOL, side, OrderType.MARKET, AMOUNT)
            return
        price = book.bid if side.is_buy else book.ask
        self.create_order_ws(
            SYMBOL, side, OrderType.POST_ONLY, AMOUNT * (1 + self.turns % 3), Decimal(str(price))
        )

    def on_stop(self) -> None:
        self.cancel_all_orders(SYMBOL)


config = Config(
    strategy_id="maker",
    user_id="test",
    strategy=Maker(),
    basic_config={ExchangeType.BINANCE: BasicConfig(settings_key="BINANCE.CHAOS")},
    public_conn_config={
        ExchangeType.BINANCE: [PublicConnectorConfig(account_type=BinanceAccountType.USD_M_FUTURE)]
    },
    private_conn_config={
        ExchangeType.BINANCE: [PrivateConnectorConfig(account_type=BinanceAccountType.USD_M_FUTURE)]
    },
)

if __name__ == "__main__":
    Engine(config).start()
