"""The market maker of `maker_strategy.py` on Binance USD-M futures.

nexustrader run examples/market_maker.py --emulate binance     # no keys, no internet
nexustrader run examples/market_maker.py                       # Binance demo account, key in .keys/.secrets.toml
nexustrader backtest examples/market_maker.py --data BTCUSDT-1m-2024-01.csv.gz --symbol BTCUSDT-PERP.BINANCE
"""

from maker_strategy import MarketMaker

from nexustrader.config import BasicConfig, Config, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, settings
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType

config = Config(
    strategy_id="market_maker",
    user_id="demo",
    strategy=MarketMaker(run_seconds=settings.get("DEMO.SECONDS") or None),
    basic_config={ExchangeType.BINANCE: BasicConfig(settings_key="BINANCE.DEMO", testnet=True)},
    public_conn_config={
        ExchangeType.BINANCE: [PublicConnectorConfig(account_type=BinanceAccountType.USD_M_FUTURE_TESTNET)]
    },
    private_conn_config={
        ExchangeType.BINANCE: [PrivateConnectorConfig(account_type=BinanceAccountType.USD_M_FUTURE_TESTNET)]
    },
)

engine = Engine(config)

if __name__ == "__main__":
    try:
        engine.start()
    finally:
        engine.dispose()
