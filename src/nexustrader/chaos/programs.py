"""What trades in a run: the suite's own workload, or a user's program with throw-away credentials."""

from __future__ import annotations

from pathlib import Path

from nexustrader.chaos.plan import Plan
from nexustrader.chaos.venues import API_KEY, SECRET, VENUES
from nexustrader.chaos.workload import POSITION_LIMIT, RandomTrader
from nexustrader.cli.load import load_program
from nexustrader.config import (
    BasicConfig,
    Config,
    PrivateConnectorConfig,
    PublicConnectorConfig,
    ReconcileConfig,
    RiskConfig,
    SymbolLimits,
)
from nexustrader.constants import ExchangeType, settings
from nexustrader.error import EngineBuildError
from nexustrader.execution.policy import ForeignOrders
from nexustrader.kernel.entropy import Entropy

TRADED_BY_OTHERS = frozenset({"F44", "F45"})  # by hand, and by the venue itself
PRESSING_EVERY = 3  # one run in so many goes to the limit


def config_of(plan: Plan, entropy: Entropy) -> Config:
    """A fresh Config with a fresh strategy. Raises EngineBuildError for a program that chaos cannot run."""
    side = VENUES[plan.venue]
    exchange, account_type = side.exchange, side.account_types[plan.market]
    trading_type = side.trading_type(plan.market)
    settings.overlay(exchange.name, API_KEY, SECRET)
    if plan.program is not None:
        return _program(Path(plan.program), exchange)
    symbol = f"BTCUSDT{side.suffixes[plan.market]}"
    return Config(
        strategy_id="chaos",
        user_id="suite",
        strategy=RandomTrader(
            entropy, symbol, presses=plan.seed % PRESSING_EVERY == 1, with_book=plan.with_book
        ),
        basic_config={exchange: BasicConfig(settings_key=f"{exchange.name}.CHAOS")},
        public_conn_config={exchange: [PublicConnectorConfig(account_type=account_type)]},
        private_conn_config={exchange: [PrivateConnectorConfig(account_type=trading_type)]},
        reconcile=ReconcileConfig(foreign_orders=_others(plan)),
        risk=RiskConfig(symbols={symbol: SymbolLimits(position_max=POSITION_LIMIT)}),
    )


def _others(plan: Plan) -> ForeignOrders:
    """Every third run declares the account to be its own, where nobody else trades on it."""
    is_alone = plan.seed % 3 == 0 and not TRADED_BY_OTHERS & {*plan.faults}
    return "none" if is_alone else "ignore"


def _program(path: Path, exchange: ExchangeType) -> Config:
    config = load_program(path)
    venues = [e.name for e in config.private_conn_config if e is not exchange]
    if config.is_mock or venues or not config.private_conn_config:
        has = f"trades on {', '.join(venues)}" if venues else "sends no order to a venue"
        raise EngineBuildError(
            f"{path} {has}: this proves what happens between a program and {exchange.name}. Give it a "
            f"PrivateConnectorConfig of {exchange.name} alone, or choose another venue"
        )
    return config
