"""What the commands around backtests are given: money, fees, and the user's program with its parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Any

import typer

from nexustrader import exchange
from nexustrader.cli.load import load_program, run_file
from nexustrader.config import BasicConfig, Config, MockConnectorConfig
from nexustrader.constants import AccountType, ExchangeType, InstrumentType
from nexustrader.error import EngineBuildError, InstrumentError, StrategyBuildError
from nexustrader.schema import InstrumentId
from nexustrader.strategy import Strategy

NO_PARAMS: Mapping[str, Any] = MappingProxyType({})
MODULE = "nexustrader_backtest_program"  # what a program without an engine is run as
ACCOUNT_TYPES = {
    ExchangeType.BINANCE: "BinanceAccountType",
    ExchangeType.BYBIT: "BybitAccountType",
    ExchangeType.OKX: "OkxAccountType",
    ExchangeType.BITGET: "BitgetAccountType",
    ExchangeType.HYPERLIQUID: "HyperLiquidAccountType",
}
MOCK_TYPES = {
    InstrumentType.SPOT: "SPOT_MOCK",
    InstrumentType.LINEAR: "LINEAR_MOCK",
    InstrumentType.INVERSE: "INVERSE_MOCK",
}


def amounts(texts: Iterable[str]) -> Iterator[tuple[str, Decimal]]:
    """Opening balances. Raises BadParameter for what is none."""
    for text in texts:
        asset, _, amount = text.partition("=")
        try:
            yield asset, Decimal(amount)
        except InvalidOperation:
            raise typer.BadParameter(
                f"{text!r} is no balance; write ASSET=AMOUNT, such as USDT=10000"
            ) from None


def fee(text: str | None) -> tuple[Decimal, Decimal] | None:
    """Maker and taker fee. Raises BadParameter for what is none."""
    if text is None:
        return None
    try:
        maker, _, taker = text.partition(",")
        return Decimal(maker), Decimal(taker or maker)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is no fee; write a fraction, or MAKER,TAKER") from None


def settings_of(
    start: str | None,
    end: str | None,
    seed: int,
    balances: Mapping[str, Decimal],
    fee_text: str | None,
    leverage: float | None,
    latency_ms: int,
) -> dict[str, Any]:
    """What the options say, as keyword arguments of `Backtest`."""
    return {
        "start": start,
        "end": end,
        "seed": seed,
        "balances": dict(balances) or None,
        "fees": fee(fee_text),
        "leverage": leverage,
        "latency_ms": latency_ms,
    }


# -- the program -----------------------------------------------------------------------------------------------


def config_of(
    program: Path,
    symbols: Iterable[str],
    balances: Mapping[str, Decimal],
    params: Mapping[str, Any] = NO_PARAMS,
) -> Config:
    """The program's own config; for a file with nothing but a strategy, one with a mock account per kind.

    With `params` its strategy is made anew, of these. Raises StrategyBuildError when it does not take them.
    """
    try:
        config = load_program(program)
    except EngineBuildError:
        kind = _lone_strategy(program) if program.is_file() else None
        if kind is None:
            raise
        return _config_for(_made(kind, params), symbols, balances)
    if not params:
        return config
    return dataclasses.replace(config, strategy=_made(type(config.strategy), params))


def _made(kind: type[Strategy], params: Mapping[str, Any]) -> Strategy:
    if not params:
        return kind()
    try:
        return kind(**params)
    except TypeError as error:
        raise StrategyBuildError(
            f"{kind.__name__} cannot be made with {', '.join(params)}: {error}. Let its __init__ take each of them, "
            "and give all its other arguments defaults"
        ) from error


def _lone_strategy(program: Path) -> type[Strategy] | None:
    """The one Strategy subclass that the file defines; None when there is none or several."""
    names = run_file(program, MODULE)
    classes = [
        value
        for value in names.values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == MODULE
    ]
    return classes[0] if len(classes) == 1 else None


def _config_for(strategy: Strategy, symbols: Iterable[str], balances: Mapping[str, Decimal]) -> Config:
    if not balances:
        raise EngineBuildError(
            "the program names no account; give what to begin with, e.g. --balance USDT=10000"
        )
    money = {asset: float(amount) for asset, amount in balances.items()}
    connectors: dict[ExchangeType, list[MockConnectorConfig]] = {}
    for symbol in symbols:
        try:
            named = InstrumentId.from_str(symbol)
        except ValueError as error:
            raise InstrumentError(str(error)) from error
        account_type = _mock_account_type(named)
        accounts = connectors.setdefault(named.exchange, [])
        if all(account.account_type is not account_type for account in accounts):
            accounts.append(MockConnectorConfig(money, account_type))
    return Config(
        strategy_id=type(strategy).__name__,
        user_id="backtest",
        strategy=strategy,
        basic_config={venue: BasicConfig() for venue in connectors},
        public_conn_config={},
        private_conn_config=connectors,
    )


def _mock_account_type(symbol: InstrumentId) -> AccountType:
    enum, member = ACCOUNT_TYPES.get(symbol.exchange), MOCK_TYPES.get(symbol.type)
    if enum is None or member is None:
        raise EngineBuildError(f"{symbol.symbol} has no mock account: its venue or its type is not simulated")
    found: AccountType = getattr(exchange, enum)[member]
    return found
