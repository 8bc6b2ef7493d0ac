"""From what a user hands to a backtest to what a world needs: bars by symbol, times, accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from nexustrader._engine.routing import PRIORITY, Account, account_key
from nexustrader.config import Config, MockConnectorConfig, PrivateConnectorConfig
from nexustrader.constants import AccountType, InstrumentType
from nexustrader.data.bars import Bars, BarSource, join_bars
from nexustrader.data.moments import Moment, to_ms
from nexustrader.data.readers.binance_vision import read_klines
from nexustrader.data.readers.frames import from_frame, from_klines
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.error import DataError, EngineBuildError
from nexustrader.schema import Kline
from nexustrader.sim.convert import KINDS, to_sim_instrument
from nexustrader.sim.fees import FeeSchedule
from nexustrader.sim.mock import mock_settings
from nexustrader.sim.settings import USUAL, Assumptions, SimSettings

Amount = Decimal | float | int | str

INFINITE = Decimal("Infinity")
DEFAULT_LEVERAGE = Decimal(20)  # of accounts at a venue, whose leverage is set there
DEFAULT_MONEY = {"": Decimal(1), "USDT": Decimal(10_000), "USDC": Decimal(10_000), "USD": Decimal(10_000)}


class Fees(NamedTuple):
    """Fractions of the value of a fill; negative ones are rebates."""

    maker: Decimal
    taker: Decimal


# -- data ------------------------------------------------------------------------------------------------------


def bars_of(data: Any, symbol: str | None) -> dict[str, Bars]:
    """Bars by symbol. Raises DataError when it cannot be told what `data` are, and what the readers raise."""
    if isinstance(data, Mapping):
        return {name: _bars_of_symbol(source, name) for name, source in data.items()}
    if isinstance(data, Bars):
        return {data.symbol: data}
    catalog = _catalog(data)
    if catalog is not None:
        return catalog.history(symbol)
    if _are(data, Bars):
        symbols = dict.fromkeys(bars.symbol for bars in data)
        return {name: join_bars([bars for bars in data if bars.symbol == name]) for name in symbols}
    if _are(data, Kline):
        return from_klines(data)
    if symbol is None:
        raise DataError("the data do not say what they are of: pass symbol=, or data={symbol: path or frame}")
    return {symbol: _bars_of_symbol(data, symbol)}


def _bars_of_symbol(source: Any, symbol: str) -> Bars:
    if isinstance(source, Bars):
        return source
    catalog = _catalog(source)
    if catalog is not None:
        return catalog.history(symbol)[symbol]
    if isinstance(source, str | Path) or _are(source, str | Path):
        return read_klines(source, symbol)
    if _are(source, Bars):
        return join_bars(source)
    if _are(source, Kline):
        found = from_klines(source)
        if set(found) != {symbol}:
            raise DataError(f"the klines given for {symbol} are of {', '.join(found)}")
        return found[symbol]
    if hasattr(source, "columns"):
        return from_frame(source, symbol)
    raise DataError(
        f"the data of {symbol} are a {type(source).__name__}; give paths, a polars or pandas frame, or klines"
    )


def finest_of(data: Any) -> Any:
    """What was given, without the bars of a symbol that are longer than others of it."""
    if isinstance(data, Mapping):
        return {symbol: finest_of(source) for symbol, source in data.items()}
    if not _are(data, Bars):
        return data
    steps = {symbol: min(_steps(data, symbol)) for symbol in dict.fromkeys(bars.symbol for bars in data)}
    return [bars for bars in data if bars.step_ms == steps[bars.symbol]]


def longer_of(data: Any, history: Mapping[str, Bars]) -> dict[str, tuple[Bars, ...]]:
    """What was given of longer intervals than those in `history`, by symbol."""
    found = {}
    for symbol, own in history.items():
        source = data.get(symbol) if isinstance(data, Mapping) else data
        catalog = None if source is None else _catalog(source)
        if catalog is not None:
            found[symbol] = tuple(catalog.longer(symbol, own.interval))
        elif source is not None and _are(source, Bars):
            parts = [bars for bars in source if bars.symbol == symbol and bars.step_ms > own.step_ms]
            steps = sorted(_steps(parts, symbol))
            found[symbol] = tuple(join_bars([one for one in parts if one.step_ms == step]) for step in steps)
    return {symbol: longer for symbol, longer in found.items() if longer}


def _steps(parts: Sequence[Bars], symbol: str) -> set[int]:
    return {bars.step_ms for bars in parts if bars.symbol == symbol}


def _catalog(data: Any) -> BarSource | None:
    """The catalogue that is meant: one that is given, or a folder, alone or as the only one of a list of paths."""
    if isinstance(data, BarSource):
        return data
    if isinstance(data, list) and len(data) == 1:
        return _catalog(data[0])
    if isinstance(data, str | Path) and Path(data).is_dir():
        from nexustrader.data.catalog import Catalog

        return Catalog(data)
    return None


def _are(data: Any, kind: Any) -> bool:
    return (
        isinstance(data, Sequence) and not isinstance(data, str) and bool(data) and isinstance(data[0], kind)
    )


def one_interval(bars: Mapping[str, Bars]) -> str:
    """The interval that all bars have. Raises DataError when they differ or there are none."""
    intervals = sorted({one.interval.value for one in bars.values()})
    if len(intervals) != 1:
        raise DataError(
            f"all symbols need bars of one interval, these have {', '.join(intervals) or 'none'}; give the finest, "
            "longer ones are made of it"
        )
    return intervals[0]


def played(history: Mapping[str, Bars], start: Moment, end: Moment) -> dict[str, Bars]:
    """The bars between two times, of symbols that have any there. Raises DataError when none has."""
    start_ms, end_ms = to_ms(start), to_ms(end)
    found = {symbol: bars.between(start_ms, end_ms) for symbol, bars in history.items()}
    found = {symbol: bars for symbol, bars in found.items() if len(bars)}
    if not found:
        span = f"between {start or 'the first'} and {end or 'the last'}"
        raise DataError(f"there is no bar {span} in the data of {', '.join(history)}")
    return found


# -- accounts --------------------------------------------------------------------------------------------------


class AccountWishes(NamedTuple):
    """What the caller of a backtest says about all accounts; None leaves it to the connectors."""

    balances: Mapping[str, Decimal] | None
    fees: Fees | None
    leverage: Decimal | None
    latency_ms: int
    ticks_behind_touch: int
    assumed: Assumptions = USUAL
    seed: int = 0


def fees_of(given: Fees | tuple[Amount, Amount] | Amount | FeeSchedule | None) -> Fees | None:
    """Fees as fractions of the value; None for a schedule. Raises EngineBuildError for what are none."""
    if given is None or isinstance(given, FeeSchedule):
        return None
    fees = [_decimal(fee) for fee in (given if isinstance(given, tuple) else (given, given))]
    if len(fees) == 2 and all(-1 < fee <= 1 for fee in fees):
        return Fees(*fees)
    raise EngineBuildError(
        f"Backtest(fees={given!r}) is no fee; give one fraction of the value, or (maker, taker), such as 0.0005 for "
        "0.05 %: more than -1 and at most 1, a negative one being a rebate"
    )


def balances_of(given: Mapping[str, Amount] | None) -> dict[str, Decimal] | None:
    """Opening balances by asset. Raises EngineBuildError for what are none."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise EngineBuildError(
            f"Backtest(balances={given!r}) is no {{asset: amount}}; write {{'USDT': 10000}}"
        )
    balances = {asset: _decimal(amount) for asset, amount in given.items()}
    for asset, amount in balances.items():
        if not 0 <= amount < INFINITE:
            raise EngineBuildError(
                f"Backtest(balances={{{asset!r}: {given[asset]!r}}}) is no amount to begin with; give 0 or more"
            )
    return balances


def leverage_of(given: Amount | None) -> Decimal | None:
    """The leverage of every account. Raises EngineBuildError for what is none."""
    if given is None:
        return None
    leverage = _decimal(given)
    if 0 < leverage < INFINITE:
        return leverage
    raise EngineBuildError(f"Backtest(leverage={given!r}) is no leverage; give a number above 0, such as 10")


def _decimal(value: Amount) -> Decimal:
    """The number as the user wrote it: 0.1 is a tenth. What is no number comes as infinite, outside every limit."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return INFINITE
    return INFINITE if number.is_nan() else number


class SimAccounts(NamedTuple):
    """Accounts with their settings, and the texts by which the assumptions tell of them."""

    settings: dict[Account, SimSettings]
    fees: dict[str, str]
    default_balances: dict[str, str]


def accounts_of(config: Config, instruments: Mapping[str, Instrument], wishes: AccountWishes) -> SimAccounts:
    """A simulated account for every private connector, real or mock. Raises EngineBuildError."""
    found = SimAccounts({}, {}, {})
    for exchange, connectors in config.private_conn_config.items():
        for connector in connectors:
            key = account_key(exchange, connector.account_type, connector.account)
            account = Account(key, exchange, connector.account_type, connector.account)
            if account in found.settings:
                raise EngineBuildError(
                    f"account {key} is configured twice; name the connectors with account="
                )
            settings = _settings(connector, instruments, wishes, key, found)
            found.settings[account] = settings
            found.fees[key] = _fee_text(settings)
    return found


def _settings(
    connector: PrivateConnectorConfig | MockConnectorConfig,
    instruments: Mapping[str, Instrument],
    wishes: AccountWishes,
    key: str,
    found: SimAccounts,
) -> SimSettings:
    kinds, leverage = kinds_of(connector.account_type), DEFAULT_LEVERAGE
    balances = None if wishes.balances is None else dict(wishes.balances)
    fees: tuple[Decimal | None, Decimal | None] = (None, None)
    if isinstance(connector, MockConnectorConfig):
        mock = mock_settings(connector, first_id=1)
        kinds, leverage, fees = mock.kinds, mock.leverage, (mock.maker_fee, mock.taker_fee)
        balances = dict(mock.balances) if balances is None else balances
    if balances is None:
        balances = _default_balances(instruments, kinds)
        found.default_balances[key] = ", ".join(f"{to_plain(v)} {asset}" for asset, v in balances.items())
    maker, taker = fees if wishes.fees is None else wishes.fees
    return SimSettings(
        balances=balances,
        kinds=kinds,
        leverage=leverage if wishes.leverage is None else wishes.leverage,
        maker_fee=maker,
        taker_fee=taker,
        latency_ms=wishes.latency_ms,
        ticks_behind_touch=wishes.ticks_behind_touch,
        assumed=wishes.assumed,
        seed=wishes.seed,
    )


def kinds_of(account_type: AccountType) -> frozenset[InstrumentType]:
    """What an account of this type trades: what orders are routed to it for; everything where nothing is said."""
    kinds = {
        kind
        for kind, flags in PRIORITY.items()
        if any(getattr(account_type, flag, False) for flag in flags) and kind in KINDS
    }
    return frozenset(kinds or KINDS)


def _default_balances(
    instruments: Mapping[str, Instrument], kinds: frozenset[InstrumentType]
) -> dict[str, Decimal]:
    settles = {to_sim_instrument(i).settle for i in instruments.values() if i.type in kinds}
    return {asset: DEFAULT_MONEY.get(asset, DEFAULT_MONEY[""]) for asset in sorted(settles)}


def _fee_text(settings: SimSettings) -> str:
    if settings.maker_fee is None or settings.taker_fee is None:
        return "those of the instrument"
    return f"maker {to_plain(settings.maker_fee)}, taker {to_plain(settings.taker_fee)} of the value"


def main_currency(
    instruments: Mapping[str, Instrument], config: Config, accounts: Mapping[Account, SimSettings]
) -> str:
    """What results are reckoned in: a mock's quote currency if it is held, else what the first symbol settles in."""
    held = {asset for settings in accounts.values() for asset in settings.balances}
    for connectors in config.private_conn_config.values():
        for connector in connectors:
            if isinstance(connector, MockConnectorConfig) and connector.quote_currency in held:
                return connector.quote_currency
    return to_sim_instrument(next(iter(instruments.values()))).settle
