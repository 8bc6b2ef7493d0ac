"""The same market maker with simulated orders on the venue's public data: no keys.

nexustrader run examples/paper_trading.py --emulate binance    # the public data is emulated as well
nexustrader run examples/paper_trading.py                      # public data of Binance
"""

from maker_strategy import MarketMaker

from nexustrader.config import BasicConfig, Config, MockConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, settings
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType

config = Config(
    strategy_id="market_maker",
    user_id="paper",
    strategy=MarketMaker(run_seconds=settings.get("DEMO.SECONDS") or None),
    basic_config={ExchangeType.BINANCE: BasicConfig()},
    public_conn_config={
        ExchangeType.BINANCE: [PublicConnectorConfig(account_type=BinanceAccountType.USD_M_FUTURE)]
    },
    private_conn_config={
        ExchangeType.BINANCE: [
            MockConnectorConfig(
                account_type=BinanceAccountType.LINEAR_MOCK,
                initial_balance={"USDT": 10_000},
                fee_rate=0.0005,
                leverage=5,
                overwrite_balance=True,
                overwrite_position=True,
            )
        ]
    },
)

engine = Engine(config)

if __name__ == "__main__":
    try:
        engine.start()
    finally:
        engine.dispose()
