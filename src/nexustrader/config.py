"""What a program tells the engine. Every class checks itself when it is made and says what to change.

Light on purpose: no setting, file or variable is read before a `BasicConfig` asks for one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import Any, Literal, get_args

from nexustrader._config_checks import is_number, number, of_type, one_of, quoted, refuse, whole
from nexustrader._warn import warn_user
from nexustrader.constants import AccountType, ExchangeType, StorageType
from nexustrader.credentials.basic import BasicConfig
from nexustrader.error import EngineBuildError
from nexustrader.execution.policy import ReconcileConfig
from nexustrader.risk.limits import RiskConfig, SymbolLimits
from nexustrader.venue.endpoints import check_url

__all__ = [
    "BasicConfig",
    "Config",
    "LogConfig",
    "MockConnectorConfig",
    "PrivateConnectorConfig",
    "PublicConnectorConfig",
    "ReconcileConfig",
    "RiskConfig",
    "SymbolLimits",
    "WebConfig",
    "ZeroMQSignalConfig",
]

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "OFF", "TRACE"]
WebLogLevel = Literal["critical", "error", "warning", "info", "debug"]

AUTO_FLUSH_S_MIN = 5
DEAD_MAN_MS_MIN = 3_000  # it is set anew at a third of this, over a network
ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass
class LogConfig:
    """Where log lines go and which.

    level_stdout, level_file: lowest level written there; OFF writes nothing.
    directory, file_name: the log file, `nexustrader.log` in the working directory unless told otherwise.
    file_format: None for text, "JSON" for one object a line.
    colors: ANSI colours on stdout.
    print_config: print this configuration when logging starts.
    component_levels: level of single components, in the place of the two above (never beyond OFF).
    max_file_size: bytes after which the file is set aside, 0 for never; max_backup_count of these are kept.
    bypass: no logging at all.
    auto_flush_sec: 0 writes each line through, else lines may wait so long in memory (from 5 seconds up).
    log_components_only: log nothing but the components in component_levels.
    Raises ValueError or TypeError naming the field.
    """

    level_stdout: LogLevel = "INFO"
    level_file: LogLevel = "OFF"
    directory: str | None = None
    file_name: str | None = None
    file_format: str | None = None
    colors: bool = False
    print_config: bool = False
    component_levels: dict[str, str] = field(default_factory=dict)
    max_file_size: int = 0
    max_backup_count: int = 5
    bypass: bool = False
    auto_flush_sec: int = 0
    log_components_only: bool | None = None

    def __post_init__(self) -> None:
        one_of(self, "level_stdout", get_args(LogLevel))
        one_of(self, "level_file", get_args(LogLevel))
        one_of(self, "file_format", (None, "JSON"))
        for component, level in of_type(self, "component_levels", Mapping).items():
            if level not in get_args(LogLevel):
                refuse(
                    self, f"component_levels[{component!r}]", level, f"one of {quoted(get_args(LogLevel))}"
                )
        for name in ("max_file_size", "max_backup_count", "auto_flush_sec"):
            whole(self, name, at_least=0)
        if self.level_file == "OFF":
            self.auto_flush_sec = 0
        if 0 < self.auto_flush_sec < AUTO_FLUSH_S_MIN:
            refuse(self, "auto_flush_sec", self.auto_flush_sec, f"0 or at least {AUTO_FLUSH_S_MIN}")


@dataclass
class PublicConnectorConfig:
    """One source of market data.

    custom_url: takes the place of the public WebSocket URL (wss, or ws on this machine).
    tick_poll_interval: seconds, for Bybit TradFi only.
    account: which of several named accounts of the venue; its testnet flag counts.
    rate_limit: had no effect ever; limits are the venue's own.
    """

    account_type: AccountType
    enable_rate_limit: bool = True
    custom_url: str | None = None
    tick_poll_interval: float | None = None
    account: str | None = None
    _: KW_ONLY
    rate_limit: InitVar[object] = None

    def __post_init__(self, rate_limit: object) -> None:
        _check_connector(self)
        if self.custom_url is not None:
            check_url(of_type(self, "custom_url", str), "PublicConnectorConfig.custom_url")
        if self.tick_poll_interval is not None:
            number(self, "tick_poll_interval", above=0)
        if rate_limit is not None:
            warn_user(
                "PublicConnectorConfig(rate_limit=...) has no effect: the limits are the venue's own; leave "
                "it out, enable_rate_limit=False turns them off",
                DeprecationWarning,
            )


@dataclass
class PrivateConnectorConfig:
    """One trading account.

    max_retries, delay_initial_ms, delay_max_ms, backoff_factor: repetition of requests that may be repeated.
    max_slippage: fraction of the price, where a market order is sent as a limit order.
    account: which of several named accounts of the venue.
    dead_man_ms: the venue cancels every open order when it has not heard of the program for so long, orders that
        protect a position among them; None does not ask it to.
    """

    account_type: AccountType
    enable_rate_limit: bool = True
    max_retries: int = 0
    delay_initial_ms: int = 100
    delay_max_ms: int = 800
    backoff_factor: int = 2
    max_slippage: float = 0.02
    account: str | None = None
    dead_man_ms: int | None = None

    def __post_init__(self) -> None:
        _check_connector(self)
        if self.account_type.is_mock:
            refuse(
                self, "account_type", self.account_type, "a real account; use MockConnectorConfig for a mock"
            )
        whole(self, "max_retries", at_least=0)
        whole(self, "delay_initial_ms", at_least=0)
        whole(self, "delay_max_ms", at_least=self.delay_initial_ms)
        number(self, "backoff_factor", above=0)
        number(self, "max_slippage", above=0, at_most=1)
        if self.dead_man_ms is not None:
            whole(self, "dead_man_ms", at_least=DEAD_MAN_MS_MIN)


@dataclass
class MockConnectorConfig:
    """One simulated account fed by live public data; needs no credentials.

    initial_balance: amount by asset. fee_rate: fraction of the value. update_interval: seconds.
    """

    initial_balance: dict[str, float | int]
    account_type: AccountType
    fee_rate: float = 0.0005
    quote_currency: str = "USDT"
    overwrite_balance: bool = False
    overwrite_position: bool = False
    update_interval: int = 60
    leverage: float = 1.0
    account: str | None = None

    def __post_init__(self) -> None:
        _check_account_type(self)
        _check_account(self)
        if not self.account_type.is_mock:
            refuse(
                self, "account_type", self.account_type, "a mock account, such as LINEAR_MOCK or SPOT_MOCK"
            )
        for asset, amount in of_type(self, "initial_balance", Mapping).items():
            if not isinstance(asset, str) or not is_number(amount) or amount < 0:
                refuse(self, f"initial_balance[{asset!r}]", amount, "an amount from 0 up, by name of asset")
        of_type(self, "quote_currency", str)
        of_type(self, "overwrite_balance", bool)
        of_type(self, "overwrite_position", bool)
        number(self, "fee_rate", above=-1, at_most=1)
        number(self, "update_interval", above=0)
        number(self, "leverage", above=0)


Connector = PublicConnectorConfig | PrivateConnectorConfig | MockConnectorConfig


@dataclass
class ZeroMQSignalConfig:
    """A SUB socket of zmq.asyncio, connected and subscribed by the user; its messages are the signals."""

    socket: Any


@dataclass
class WebConfig:
    """The web server for a strategy's own routes. It listens on this machine only unless `host` differs."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 8000
    log_level: WebLogLevel = "info"

    def __post_init__(self) -> None:
        of_type(self, "enabled", bool)
        of_type(self, "host", str)
        whole(self, "port", at_least=1, at_most=65_535)
        one_of(self, "log_level", get_args(WebLogLevel))


@dataclass
class Config:
    """Everything an Engine needs.

    basic_config: the account of each venue, or a dictionary of named ones that connectors choose by account=.
    private_conn_config: either PrivateConnectorConfig or MockConnectorConfig throughout; is_mock says which.
    cache_sync_interval, cache_expired_time: seconds.
    exit_after_cancel: cancel open orders when the engine is disposed of.
    risk: limits of orders and losses; without any nothing is limited.
    reconcile: how accounts are kept in line with their venues, and what orders of others mean.
    """

    strategy_id: str
    user_id: str
    strategy: Any
    basic_config: Mapping[ExchangeType, BasicConfig | Mapping[str, BasicConfig]]
    public_conn_config: Mapping[ExchangeType, Sequence[PublicConnectorConfig]]
    private_conn_config: Mapping[ExchangeType, Sequence[PrivateConnectorConfig | MockConnectorConfig]] = (
        field(default_factory=dict)
    )
    zero_mq_signal_config: ZeroMQSignalConfig | None = None
    db_path: str = ".keys/cache.db"
    storage_backend: StorageType = StorageType.SQLITE
    cache_sync_interval: int = 60
    cache_expired_time: int = 3600
    is_mock: bool = False
    log_config: LogConfig = field(default_factory=LogConfig)
    enable_cli: bool = False
    web_config: WebConfig = field(default_factory=WebConfig)
    exit_after_cancel: bool = True
    risk: RiskConfig = field(default_factory=RiskConfig)
    reconcile: ReconcileConfig = field(default_factory=ReconcileConfig)

    def __post_init__(self) -> None:
        for name in ("strategy_id", "user_id"):
            if not of_type(self, name, str).strip():
                refuse(self, name, getattr(self, name), "a name that tells this program from others")
        if self.strategy is None or isinstance(self.strategy, type):
            raise TypeError(
                "Config.strategy must be an instance: write strategy=MyStrategy(), with the brackets"
            )
        for exchange, basic in _by_exchange(self, "basic_config").items():
            _check_basic(exchange, basic)
        _check_connectors(self, "public_conn_config", PublicConnectorConfig)
        kinds = _check_connectors(self, "private_conn_config", PrivateConnectorConfig, MockConnectorConfig)
        if len(kinds) > 1:
            raise ValueError(
                "Config.private_conn_config mixes PrivateConnectorConfig and MockConnectorConfig; use one of "
                "them, real and simulated money do not share an engine"
            )
        self.is_mock = kinds == {MockConnectorConfig}
        of_type(self, "storage_backend", StorageType)
        of_type(self, "log_config", LogConfig)
        of_type(self, "web_config", WebConfig)
        of_type(self, "risk", RiskConfig)
        of_type(self, "reconcile", ReconcileConfig)
        of_type(self, "zero_mq_signal_config", ZeroMQSignalConfig, type(None))
        number(self, "cache_sync_interval", above=0)
        number(self, "cache_expired_time", above=0)

    def basic(self, exchange: ExchangeType, account: str | None = None) -> BasicConfig:
        """Return the BasicConfig of a venue, of several the one named `account`. Raises EngineBuildError."""
        basic = self.basic_config.get(exchange)
        if basic is None:
            raise EngineBuildError(
                f"Config.basic_config has no {exchange.name}; add "
                f"ExchangeType.{exchange.name}: BasicConfig(...)"
            )
        if complaint := _account_complaint(exchange, basic, account):
            raise EngineBuildError(complaint)
        return basic if isinstance(basic, BasicConfig) else basic[account or next(iter(basic))]


# -- checks --------------------------------------------------------------------------------------------------


def _check_basic(exchange: ExchangeType, basic: object) -> None:
    name = f"Config.basic_config[{exchange.name}]"
    if isinstance(basic, BasicConfig):
        return
    if not isinstance(basic, Mapping):
        raise TypeError(
            f"{name} must be a BasicConfig or a dictionary of named ones, not {type(basic).__name__}"
        )
    if not basic:
        raise ValueError(f"{name} is empty; give a BasicConfig, or a dictionary of named ones")
    for account, one in basic.items():
        if not isinstance(account, str) or not ACCOUNT_NAME.fullmatch(account):
            raise ValueError(
                f"{name} has the account name {account!r}; use up to 32 letters, digits, _ and -"
            )
        if not isinstance(one, BasicConfig):
            raise TypeError(f"{name}[{account!r}] must be a BasicConfig, not {type(one).__name__}")


def _check_connectors(config: Config, name: str, *kinds: type[Connector]) -> set[type[Connector]]:
    """Check the connector lists under `name` and return the classes found in them."""
    found: set[type[Connector]] = set()
    public = kinds == (PublicConnectorConfig,)
    for exchange, connectors in _by_exchange(config, name).items():
        where = f"Config.{name}[{exchange.name}]"
        if not isinstance(connectors, (list, tuple)):
            raise TypeError(
                f"{where} must be a list, not {type(connectors).__name__}; put it between [ and ]"
            )
        basic = config.basic_config.get(exchange)
        for connector in connectors:
            if not isinstance(connector, kinds):
                wanted = " or ".join(kind.__name__ for kind in kinds)
                raise TypeError(f"{where} must hold {wanted}, not {type(connector).__name__}")
            complaint = basic and _account_complaint(exchange, basic, connector.account, public=public)
            if complaint:
                raise ValueError(f"{where}: {complaint}")
            found.add(type(connector))
    return found


def _account_complaint(
    exchange: ExchangeType,
    basic: BasicConfig | Mapping[str, BasicConfig],
    account: str | None,
    *,
    public: bool = False,
) -> str | None:
    if isinstance(basic, BasicConfig):
        if account is None:
            return None
        return (
            f"account={account!r} is not there: basic_config[{exchange.name}] is a single account; leave "
            f"account= out, or write {{{account!r}: BasicConfig(...)}}"
        )
    if account in basic or (account is None and (public or len(basic) == 1)):
        return None
    return f"account={account!r} is not among the accounts of {exchange.name}: choose one of {quoted(basic)}"


def _check_connector(config: PublicConnectorConfig | PrivateConnectorConfig) -> None:
    _check_account_type(config)
    _check_account(config)
    of_type(config, "enable_rate_limit", bool)


def _check_account_type(config: Any) -> None:
    if not isinstance(config.account_type, AccountType):
        raise TypeError(
            f"{type(config).__name__}.account_type is {config.account_type!r}; it must be a member of the "
            "venue's account enum, such as BinanceAccountType.USD_M_FUTURE_TESTNET"
        )


def _check_account(config: Any) -> None:
    account = of_type(config, "account", str, type(None))
    if account is not None and not ACCOUNT_NAME.fullmatch(account):
        refuse(config, "account", account, "up to 32 letters, digits, _ and -")


def _by_exchange(config: Config, name: str) -> Mapping[ExchangeType, Any]:
    value: Mapping[ExchangeType, Any] = of_type(config, name, Mapping)
    for key in value:
        if not isinstance(key, ExchangeType):
            raise TypeError(f"Config.{name} has the key {key!r}; use members such as ExchangeType.BINANCE")
    return value
