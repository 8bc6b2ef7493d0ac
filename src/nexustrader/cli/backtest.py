"""`nexustrader backtest`: a user's unchanged program over recorded bars."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nexustrader import exchange
from nexustrader.cli.load import load_program, run_file
from nexustrader.config import BasicConfig, Config, MockConnectorConfig
from nexustrader.constants import AccountType, ExchangeType, InstrumentType
from nexustrader.error import DataError, EngineBuildError, InstrumentError
from nexustrader.schema import InstrumentId
from nexustrader.strategy import Strategy

if TYPE_CHECKING:
    from nexustrader.backtest import Backtest, BacktestResult

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

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_messages = Console(stderr=True)


@app.command("backtest")
def backtest(
    program: Annotated[
        Path, typer.Argument(help="A strategy program, or a file with one Strategy subclass.")
    ],
    data: Annotated[
        list[str],
        typer.Option(
            help="Klines (csv, csv.gz or zip); may be given several times, as SYMBOL=FILE for several symbols."
        ),
    ],
    symbol: Annotated[
        str | None, typer.Option(help="What the data are of, e.g. BTCUSDT-PERP.BINANCE.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First day or moment (ISO, UTC).")] = None,
    end: Annotated[str | None, typer.Option(help="End, not included (ISO, UTC).")] = None,
    balance: Annotated[
        list[str] | None, typer.Option(help="Opening balance, e.g. USDT=10000; may be given several times.")
    ] = None,
    fee: Annotated[
        str | None, typer.Option(help="Fee as a fraction, or MAKER,TAKER, e.g. 0.0002,0.0005.")
    ] = None,
    leverage: Annotated[float | None, typer.Option(help="Leverage of every account.")] = None,
    latency: Annotated[int, typer.Option(help="Milliseconds from a command to the venue.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of whatever is random.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")] = False,
) -> None:
    """Run a strategy over recorded bars and print what came of it, with every assumption made."""
    from nexustrader.backtest import Backtest

    sources = _sources(data, symbol)
    balances = dict(_amounts(balance or []))
    run = Backtest(
        _config_of(program, sources, balances),
        sources,
        start,
        end,
        seed=seed,
        balances=balances or None,
        fees=_fee(fee),
        leverage=leverage,
        latency_ms=latency,
    )
    result = _run(run)
    if as_json:
        print(json.dumps(result.as_dict()))
    else:
        _show(result)


def _run(run: Backtest) -> BacktestResult:
    """Run with a progress bar on stderr, which is not drawn where that is no terminal."""
    columns = (
        TextColumn("Backtest"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("bars"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_messages, transient=True, disable=not _messages.is_terminal) as progress:
        task = progress.add_task("backtest", total=run.bars)
        return run.run(lambda played: progress.update(task, completed=played))


def _show(result: BacktestResult) -> None:
    console = Console()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in result.figures():
        table.add_row(name, text)
    console.print(table)
    console.print("\n[bold]Assumptions[/]")
    for text in result.assumptions:
        console.print(f"• {text}", style="dim", markup=False, highlight=False)


# -- what was asked for ----------------------------------------------------------------------------------------


def _sources(data: Iterable[str], symbol: str | None) -> dict[str, list[Path]]:
    """Files by symbol. Raises DataError for files without one."""
    found: dict[str, list[Path]] = {}
    for text in data:
        name, is_named, file = text.partition("=")
        owner = name if is_named else symbol
        if owner is None:
            raise DataError(f"{text}: say what it is of with --symbol, or write --data SYMBOL={text}")
        found.setdefault(owner, []).append(Path(file if is_named else text))
    return found


def _amounts(texts: Iterable[str]) -> Iterator[tuple[str, Decimal]]:
    for text in texts:
        asset, _, amount = text.partition("=")
        try:
            yield asset, Decimal(amount)
        except InvalidOperation:
            raise typer.BadParameter(
                f"{text!r} is no balance; write ASSET=AMOUNT, such as USDT=10000"
            ) from None


def _fee(text: str | None) -> tuple[Decimal, Decimal] | None:
    if text is None:
        return None
    try:
        maker, _, taker = text.partition(",")
        return Decimal(maker), Decimal(taker or maker)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is no fee; write a fraction, or MAKER,TAKER") from None


# -- the program -----------------------------------------------------------------------------------------------


def _config_of(program: Path, symbols: Iterable[str], balances: dict[str, Decimal]) -> Config:
    """The program's own config; for a file with nothing but a strategy, one with a mock account per kind."""
    try:
        return load_program(program)
    except EngineBuildError:
        strategy = _lone_strategy(program) if program.is_file() else None
        if strategy is None:
            raise
    return _config_for(strategy, symbols, balances)


def _lone_strategy(program: Path) -> Strategy | None:
    """An instance of the one Strategy subclass that the file defines; None when there is none or several."""
    names = run_file(program, MODULE)
    classes = [
        value
        for value in names.values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == MODULE
    ]
    return classes[0]() if len(classes) == 1 else None


def _config_for(strategy: Strategy, symbols: Iterable[str], balances: dict[str, Decimal]) -> Config:
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
