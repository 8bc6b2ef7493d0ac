"""Configuration: the fields and defaults that programs rely on, and clear refusals."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import pickle
import statistics
from collections.abc import Callable
from typing import Any

import pytest

from nexustrader import config as module
from nexustrader.config import (
    BasicConfig,
    Config,
    LogConfig,
    MockConnectorConfig,
    PrivateConnectorConfig,
    PublicConnectorConfig,
    ReconcileConfig,
    RiskConfig,
    SymbolLimits,
    WebConfig,
    ZeroMQSignalConfig,
)
from nexustrader.constants import AccountType, ExchangeType, StorageType
from nexustrader.error import CredentialsWarning, EndpointError, EngineBuildError
from workspace import Workspace, fresh_redaction, workspace

__all__ = ["fresh_redaction", "workspace"]

pytestmark = pytest.mark.usefixtures("workspace")


class Accounts(AccountType):
    SPOT = "SPOT"
    SPOT_MOCK = "SPOT_MOCK"


BYBIT, OKX = ExchangeType.BYBIT, ExchangeType.OKX
PUBLIC = PublicConnectorConfig(Accounts.SPOT)
PRIVATE = PrivateConnectorConfig(Accounts.SPOT)
MOCK = MockConnectorConfig({"USDT": 1_000}, Accounts.SPOT_MOCK)


def make(**changes: Any) -> Config:
    fields: dict[str, Any] = {
        "strategy_id": "s",
        "user_id": "u",
        "strategy": object(),
        "basic_config": {BYBIT: BasicConfig(testnet=True)},
        "public_conn_config": {BYBIT: [PUBLIC]},
    }
    return Config(**{**fields, **changes})


# -- fields and defaults --------------------------------------------------------------------------------------

FIELDS: dict[type, dict[str, Any]] = {
    LogConfig: {
        "level_stdout": "INFO",
        "level_file": "OFF",
        "directory": None,
        "file_name": None,
        "file_format": None,
        "colors": False,
        "print_config": False,
        "component_levels": {},
        "max_file_size": 0,
        "max_backup_count": 5,
        "bypass": False,
        "auto_flush_sec": 0,
        "log_components_only": None,
    },
    BasicConfig: {
        "api_key": None,
        "secret": None,
        "testnet": False,
        "passphrase": None,
        "settings_key": None,
    },
    PublicConnectorConfig: {
        "account_type": ...,
        "enable_rate_limit": True,
        "custom_url": None,
        "tick_poll_interval": None,
        "account": None,
    },
    PrivateConnectorConfig: {
        "account_type": ...,
        "enable_rate_limit": True,
        "max_retries": 0,
        "delay_initial_ms": 100,
        "delay_max_ms": 800,
        "backoff_factor": 2,
        "max_slippage": 0.02,
        "account": None,
        "dead_man_ms": None,
    },
    ZeroMQSignalConfig: {"socket": ...},
    WebConfig: {"enabled": False, "host": "127.0.0.1", "port": 8000, "log_level": "info"},
    MockConnectorConfig: {
        "initial_balance": ...,
        "account_type": ...,
        "fee_rate": 0.0005,
        "quote_currency": "USDT",
        "overwrite_balance": False,
        "overwrite_position": False,
        "update_interval": 60,
        "leverage": 1.0,
        "account": None,
    },
    Config: {
        "strategy_id": ...,
        "user_id": ...,
        "strategy": ...,
        "basic_config": ...,
        "public_conn_config": ...,
        "private_conn_config": {},
        "zero_mq_signal_config": None,
        "db_path": ".keys/cache.db",
        "storage_backend": StorageType.SQLITE,
        "cache_sync_interval": 60,
        "cache_expired_time": 3600,
        "is_mock": False,
        "log_config": LogConfig(),
        "enable_cli": False,
        "web_config": WebConfig(),
        "exit_after_cancel": True,
        "risk": RiskConfig(),
        "reconcile": ReconcileConfig(),
    },
    ReconcileConfig: {"interval_s": 60.0, "foreign_orders": "ignore"},
    RiskConfig: {
        "order_notional_max": None,
        "position_max": None,
        "position_notional_max": None,
        "price_collar": None,
        "symbols": {},
        "orders_max": None,
        "orders_window_ms": 1_000,
        "daily_loss_max": None,
        "drawdown_max": None,
        "currency": "USDT",
        "capital": None,
        "on_loss": "reduce",
        "on_user_error": "continue",
        "unknown_quarantine_ms": 60_000,
    },
    SymbolLimits: {
        "order_notional_max": None,
        "position_max": None,
        "position_notional_max": None,
        "price_collar": None,
    },
}


@pytest.mark.parametrize("kind", FIELDS)
def test_fields_their_order_and_their_defaults(kind: type) -> None:
    found: dict[str, Any] = {}
    for each in dataclasses.fields(kind):
        if each.default_factory is not dataclasses.MISSING:
            found[each.name] = each.default_factory()
        else:
            found[each.name] = ... if each.default is dataclasses.MISSING else each.default
    assert found == FIELDS[kind]
    assert list(found) == list(FIELDS[kind])


def test_the_module_exports_its_classes() -> None:
    assert set(module.__all__) == {kind.__name__ for kind in FIELDS}


def test_the_signature_of_from_env() -> None:
    assert str(inspect.signature(BasicConfig.from_env)).replace("'", "") == (
        "(prefix: str, testnet: bool = False, *, api_key: str | None = None, secret: str | None = None, "
        "passphrase: str | None = None, settings_key: str | None = None, api_key_var: str | None = None, "
        "secret_var: str | None = None, passphrase_var: str | None = None) -> Self"
    )


def test_the_first_argument_of_log_config_is_the_level() -> None:
    assert LogConfig("WARNING").level_stdout == "WARNING"


def test_defaults_are_not_shared() -> None:
    LogConfig().component_levels["X"] = "INFO"
    assert LogConfig().component_levels == {}


# -- LogConfig ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"level_stdout": "LOUD"}, "LogConfig.level_stdout is 'LOUD'"),
        ({"level_file": "info"}, "LogConfig.level_file is 'info'"),
        ({"file_format": "XML"}, "LogConfig.file_format is 'XML'"),
        ({"component_levels": {"X": "LOUD"}}, r"LogConfig.component_levels\['X'\] is 'LOUD'"),
        ({"max_file_size": -1}, "LogConfig.max_file_size is -1"),
        ({"max_backup_count": -1}, "LogConfig.max_backup_count is -1"),
        ({"auto_flush_sec": -1, "level_file": "INFO"}, "LogConfig.auto_flush_sec is -1"),
        ({"auto_flush_sec": 4, "level_file": "INFO"}, "0 or at least 5"),
    ],
)
def test_log_config_refuses_values_by_name(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LogConfig(**changes)


def test_log_config_refuses_wrong_types_and_unknown_fields() -> None:
    with pytest.raises(TypeError, match=r"LogConfig\.max_file_size must be int"):
        LogConfig(max_file_size="1MB")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"LogConfig\.component_levels must be Mapping"):
        LogConfig(component_levels=["X"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="filename"):
        LogConfig(filename="x")  # type: ignore[call-arg]


def test_auto_flush_is_off_without_a_file_level() -> None:
    assert LogConfig(auto_flush_sec=10).auto_flush_sec == 0
    assert LogConfig(auto_flush_sec=10, level_file="INFO").auto_flush_sec == 10
    assert LogConfig(auto_flush_sec=5, level_file="INFO").auto_flush_sec == 5


# -- BasicConfig ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["api_key", "secret", "passphrase"])
def test_credentials_are_text(field: str) -> None:
    for wrong in (12345, b"key", ["key"]):
        with pytest.raises(
            TypeError, match=rf"BasicConfig\.{field} must be text, not {type(wrong).__name__}"
        ):
            BasicConfig(**{field: wrong})


def test_basic_config_refuses_by_name() -> None:
    with pytest.raises(TypeError, match=r"BasicConfig\.testnet must be True or False"):
        BasicConfig(testnet="yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"settings_key must be text"):
        BasicConfig(settings_key=1)  # type: ignore[arg-type]
    for wrong in ("", ".", "A.", "A..B", " "):
        with pytest.raises(ValueError, match=r"settings_key.*names with dots"):
            BasicConfig(settings_key=wrong)
    with pytest.raises(ValueError, match="prefix"):
        BasicConfig.from_env("")


def test_the_mask_is_not_taken_for_a_secret() -> None:
    shown = dataclasses.asdict(BasicConfig("key", "secret"))
    with pytest.raises(ValueError, match=r"mask of a secret.*settings_key"):
        BasicConfig(**shown)


def test_credentials_may_be_changed_afterwards() -> None:
    config = BasicConfig("key", "secret")
    config.secret = "other"
    assert config.secret == "other"
    assert "other" not in repr(config)
    assert dataclasses.replace(config, api_key="k").secret == "other"


TWO_KEYS = """
[B.DEMO]
api_key = "demo key"
secret = "demo secret"
passphrase = "demo phrase"
[B.LIVE]
api_key = "env:LIVE_KEY"
secret = "live secret"
"""


def credentials(config: BasicConfig) -> tuple[str | None, str | None, str | None]:
    return config.api_key, config.secret, config.passphrase


def test_a_copy_with_another_settings_key_has_its_credentials(workspace: Workspace) -> None:
    workspace.secrets(TWO_KEYS)
    demo = BasicConfig(settings_key="B.DEMO", testnet=True)
    live = dataclasses.replace(demo, settings_key="B.LIVE", testnet=False)
    assert credentials(live) == ("env:LIVE_KEY", "live secret", None)
    assert live == BasicConfig(settings_key="B.LIVE")
    assert credentials(dataclasses.replace(live, settings_key="B.DEMO")) == credentials(demo)
    assert live.resolution("secret").origin == ".keys/.secrets.toml"
    assert credentials(dataclasses.replace(demo, testnet=False)) == credentials(demo)


def test_a_copy_with_a_settings_key_that_leads_nowhere_has_no_credentials(workspace: Workspace) -> None:
    workspace.secrets(TWO_KEYS)
    with pytest.warns(CredentialsWarning, match=r"B\.NOPE"):
        config = dataclasses.replace(BasicConfig(settings_key="B.DEMO"), settings_key="B.NOPE")
    assert credentials(config) == (None, None, None)


def test_a_copy_keeps_what_was_passed_directly_field_by_field(workspace: Workspace) -> None:
    workspace.secrets(TWO_KEYS)
    mine = BasicConfig("my key", settings_key="B.DEMO")
    assert credentials(dataclasses.replace(mine, settings_key="B.LIVE")) == ("my key", "live secret", None)
    passed = dataclasses.replace(
        BasicConfig(settings_key="B.DEMO"), settings_key="B.LIVE", secret="my secret"
    )
    assert credentials(passed) == ("env:LIVE_KEY", "my secret", None)


def test_a_copy_keeps_what_was_assigned_wherever_it_was_read(workspace: Workspace) -> None:
    workspace.secrets(TWO_KEYS)
    config, live = BasicConfig(settings_key="B.DEMO"), BasicConfig(settings_key="B.LIVE")
    config.api_key, config.secret = live.api_key, live.secret
    copied = dataclasses.replace(config, testnet=True)
    assert credentials(copied) == ("env:LIVE_KEY", "live secret", "demo phrase")


def test_without_a_settings_key_a_copy_has_the_same_credentials(workspace: Workspace) -> None:
    workspace.secrets(TWO_KEYS)
    demo = BasicConfig(settings_key="B.DEMO")
    assert credentials(dataclasses.replace(demo, settings_key=None)) == credentials(demo)
    assert credentials(BasicConfig(demo.api_key, demo.secret)) == ("demo key", "demo secret", None)


def test_in_a_copy_the_settings_win_over_the_variables_of_from_env(workspace: Workspace) -> None:
    workspace.secrets(TWO_KEYS)
    workspace.set("B_SECRET", "variable")
    workspace.set("B_PASSPHRASE", "literal:env:phrase")
    config = dataclasses.replace(BasicConfig.from_env("B"), settings_key="B.LIVE")
    assert credentials(config) == ("env:LIVE_KEY", "live secret", "env:phrase")
    assert config.resolution("passphrase").origin == "variable B_PASSPHRASE"


def test_a_configuration_with_references_from_the_settings_can_be_copied(workspace: Workspace) -> None:
    workspace.secrets('[A]\napi_key = "env:KEY"\nsecret = "file:/run/secrets/x"\n')
    config = BasicConfig(settings_key="A")
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config


def test_equal_configurations_are_equal() -> None:
    assert BasicConfig("k", "s") == BasicConfig("k", "s") != BasicConfig("k", "t")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_configuration_with_secrets_cannot_be_copied_or_pickled(
    duplicate: Callable[[object], object],
) -> None:
    with pytest.raises(TypeError, match=r"BasicConfig with secrets.*settings_key"):
        duplicate(BasicConfig("key", "secret"))
    with pytest.raises(TypeError, match="BasicConfig with secrets"):
        duplicate(BasicConfig(passphrase="p"))
    for harmless in (BasicConfig(testnet=True), BasicConfig("env:KEY", "file:/run/secrets/x")):
        duplicate(harmless)
    assert pickle.loads(pickle.dumps(BasicConfig("env:KEY"))) == BasicConfig("env:KEY")


# -- connectors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PublicConnectorConfig, PrivateConnectorConfig])
def test_an_account_type_is_a_member_of_an_account_enum(kind: Any) -> None:
    for wrong in ("SPOT", BYBIT, None):
        with pytest.raises(TypeError, match=rf"{kind.__name__}\.account_type .*such as"):
            kind(wrong)


@pytest.mark.parametrize("name", ["", "a:b", "a b", "x" * 33, "ü"])
def test_account_names_are_simple(name: str) -> None:
    for kind in (PublicConnectorConfig, PrivateConnectorConfig):
        with pytest.raises(ValueError, match=rf"{kind.__name__}\.account"):
            kind(Accounts.SPOT, account=name)
    with pytest.raises(ValueError, match="account name"):
        make(basic_config={BYBIT: {name: BasicConfig()}})


@pytest.mark.parametrize(
    "url", ["ws://example.com", "ftp://example.com", "https://u:p@example.com", "example.com"]
)
def test_a_custom_url_must_be_safe(url: str) -> None:
    with pytest.raises(EndpointError, match=r"PublicConnectorConfig\.custom_url"):
        PublicConnectorConfig(Accounts.SPOT, custom_url=url)


@pytest.mark.parametrize("url", ["wss://example.com/ws", "ws://127.0.0.1:9001"])
def test_a_custom_url_may_be_encrypted_or_on_this_machine(url: str) -> None:
    assert PublicConnectorConfig(Accounts.SPOT, custom_url=url).custom_url == url


def test_rate_limit_is_accepted_with_a_deprecation_warning() -> None:
    with pytest.warns(DeprecationWarning, match="rate_limit.*no effect") as told:
        connector = PublicConnectorConfig(Accounts.SPOT, rate_limit=object())
    assert told[0].filename == __file__
    assert connector == PublicConnectorConfig(Accounts.SPOT)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"max_retries": -1}, "max_retries is -1"),
        ({"max_retries": True}, "max_retries is True"),
        ({"delay_initial_ms": -1}, "delay_initial_ms"),
        ({"delay_initial_ms": 900}, "delay_max_ms is 800; it must be a whole number from 900 up"),
        ({"backoff_factor": 0}, "backoff_factor"),
        ({"max_slippage": 0}, "max_slippage"),
        ({"max_slippage": 2}, "max_slippage is 2; it must be more than 0 and at most 1"),
        ({"max_slippage": math.nan}, "max_slippage must be a number"),
        ({"dead_man_ms": 2_999}, "dead_man_ms is 2999; it must be a whole number from 3000 up"),
        ({"enable_rate_limit": 1}, "enable_rate_limit must be bool"),
        ({"account_type": Accounts.SPOT_MOCK}, "MockConnectorConfig"),
    ],
)
def test_private_connectors_refuse_by_name(changes: dict[str, Any], told: str) -> None:
    with pytest.raises((ValueError, TypeError), match=told):
        PrivateConnectorConfig(**{"account_type": Accounts.SPOT, **changes})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"account_type": Accounts.SPOT}, "account_type .* mock account"),
        ({"initial_balance": {"USDT": -1}}, r"initial_balance\['USDT'\] is -1"),
        ({"initial_balance": {"USDT": "1"}}, r"initial_balance\['USDT'\]"),
        ({"initial_balance": {"USDT": math.inf}}, r"initial_balance\['USDT'\]"),
        ({"initial_balance": [("USDT", 1)]}, "initial_balance must be Mapping"),
        ({"fee_rate": 2}, "fee_rate"),
        ({"quote_currency": 1}, "quote_currency must be str"),
        ({"overwrite_balance": "no"}, "overwrite_balance must be bool"),
        ({"update_interval": 0}, "update_interval"),
        ({"leverage": 0}, "leverage"),
        ({"leverage": None}, "leverage must be a number"),
    ],
)
def test_mock_connectors_refuse_by_name(changes: dict[str, Any], told: str) -> None:
    fields = {"initial_balance": {"USDT": 1}, "account_type": Accounts.SPOT_MOCK}
    with pytest.raises((ValueError, TypeError), match=told):
        MockConnectorConfig(**{**fields, **changes})


def test_a_tick_poll_interval_is_positive() -> None:
    with pytest.raises(ValueError, match="tick_poll_interval"):
        PublicConnectorConfig(Accounts.SPOT, tick_poll_interval=0)


# -- web ------------------------------------------------------------------------------------------------------


def test_the_web_server_listens_on_this_machine_by_default() -> None:
    assert WebConfig().host == "127.0.0.1"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"port": 0}, "port is 0; it must be a whole number from 1 to 65535"),
        ({"port": 65_536}, "port"),
        ({"port": "8000"}, "port must be int"),
        ({"log_level": "loud"}, "log_level"),
        ({"enabled": "yes"}, "enabled must be bool"),
        ({"host": None}, "host must be str"),
    ],
)
def test_web_config_refuses_by_name(changes: dict[str, Any], told: str) -> None:
    with pytest.raises((ValueError, TypeError), match=rf"WebConfig\.{told}"):
        WebConfig(**changes)


# -- Config ---------------------------------------------------------------------------------------------------


def test_is_mock_says_which_connectors_there_are() -> None:
    assert make().is_mock is False
    assert make(is_mock=True).is_mock is False
    assert make(private_conn_config={BYBIT: [PRIVATE]}).is_mock is False
    assert make(private_conn_config={BYBIT: [MOCK]}).is_mock is True


def test_real_and_mock_accounts_do_not_mix() -> None:
    basic = {BYBIT: BasicConfig(), OKX: BasicConfig()}
    for mixed in ({BYBIT: [PRIVATE, MOCK]}, {BYBIT: [PRIVATE], OKX: [MOCK]}):
        with pytest.raises(ValueError, match="mixes"):
            make(basic_config=basic, private_conn_config=mixed)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"strategy_id": ""}, r"Config\.strategy_id is ''"),
        ({"user_id": 1}, r"Config\.user_id must be str"),
        ({"strategy": object}, "with the brackets"),
        ({"strategy": None}, "must be an instance"),
        ({"basic_config": BasicConfig()}, r"Config\.basic_config must be Mapping"),
        ({"basic_config": {"bybit": BasicConfig()}}, r"Config\.basic_config has the key 'bybit'"),
        ({"basic_config": {BYBIT: None}}, r"Config\.basic_config\[BYBIT\] must be a BasicConfig"),
        ({"basic_config": {BYBIT: {}}}, r"Config\.basic_config\[BYBIT\] is empty"),
        (
            {"basic_config": {BYBIT: {"a": None}}},
            r"Config\.basic_config\[BYBIT\]\['a'\] must be a BasicConfig",
        ),
        ({"public_conn_config": {BYBIT: PUBLIC}}, r"Config\.public_conn_config\[BYBIT\] must be a list"),
        (
            {"public_conn_config": {BYBIT: [PRIVATE]}},
            "must hold PublicConnectorConfig, not PrivateConnectorConfig",
        ),
        (
            {"private_conn_config": {BYBIT: [PUBLIC]}},
            "must hold PrivateConnectorConfig or MockConnectorConfig",
        ),
        ({"private_conn_config": None}, r"Config\.private_conn_config must be Mapping"),
        ({"storage_backend": "sqlite"}, r"Config\.storage_backend must be StorageType"),
        ({"log_config": "INFO"}, r"Config\.log_config must be LogConfig"),
        ({"web_config": None}, r"Config\.web_config must be WebConfig"),
        ({"risk": None}, r"Config\.risk must be RiskConfig"),
        ({"reconcile": None}, r"Config\.reconcile must be ReconcileConfig"),
        (
            {"zero_mq_signal_config": object()},
            r"Config\.zero_mq_signal_config must be ZeroMQSignalConfig or None",
        ),
        ({"cache_sync_interval": 0}, r"Config\.cache_sync_interval"),
        ({"cache_expired_time": -1}, r"Config\.cache_expired_time"),
    ],
)
def test_config_refuses_by_name(changes: dict[str, Any], told: str) -> None:
    with pytest.raises((ValueError, TypeError), match=told):
        make(**changes)


# -- several accounts of one venue ----------------------------------------------------------------------------


def test_a_venue_may_have_several_named_accounts_in_one_engine() -> None:
    accounts = {"mm1": BasicConfig("key1", "s"), "mm2": BasicConfig("key2", "s")}
    config = make(
        basic_config={BYBIT: accounts},
        private_conn_config={
            BYBIT: [PrivateConnectorConfig(Accounts.SPOT, account=name) for name in accounts]
        },
    )
    assert config.basic(BYBIT, "mm1").api_key == "key1"
    assert config.basic(BYBIT, "mm2").api_key == "key2"
    with pytest.raises(EngineBuildError, match="'mm1', 'mm2'"):
        config.basic(BYBIT)


def test_the_single_form_stays_valid() -> None:
    config = make(private_conn_config={BYBIT: [PRIVATE]})
    assert config.basic(BYBIT) is config.basic_config[BYBIT]
    with pytest.raises(EngineBuildError, match="OKX"):
        config.basic(OKX)


def test_a_single_named_account_needs_no_naming() -> None:
    config = make(
        basic_config={BYBIT: {"main": BasicConfig("k", "s")}}, private_conn_config={BYBIT: [PRIVATE]}
    )
    assert config.basic(BYBIT).api_key == "k"


@pytest.mark.parametrize("connector", [PRIVATE, PrivateConnectorConfig(Accounts.SPOT, account="mm3")])
def test_a_connector_must_choose_one_of_several_accounts(connector: PrivateConnectorConfig) -> None:
    with pytest.raises(ValueError, match=r"private_conn_config\[BYBIT\].*choose one of 'mm1', 'mm2'"):
        make(
            basic_config={BYBIT: {"mm1": BasicConfig(), "mm2": BasicConfig()}},
            private_conn_config={BYBIT: [connector]},
        )


def test_a_connector_cannot_name_an_account_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"account='mm1' is not there.*leave account= out"):
        make(private_conn_config={BYBIT: [PrivateConnectorConfig(Accounts.SPOT, account="mm1")]})


def test_public_data_needs_no_account_name() -> None:
    make(basic_config={BYBIT: {"mm1": BasicConfig(), "mm2": BasicConfig()}})


# -- weight ---------------------------------------------------------------------------------------------------

IMPORT_S_MAX = 0.3


@pytest.mark.slow
def test_importing_config_is_light(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    code = """
import sys, time
begin = time.perf_counter()
import nexustrader.config
print(time.perf_counter() - begin)
heavy = {"dynaconf", "loguru", "pandas", "numpy", "aiohttp", "cryptography", "keyring", "typer", "msgspec"}
print(*sorted(heavy & set(sys.modules)))
"""
    runs = [workspace.python(code, "-W", "ignore").stdout.splitlines() for _ in range(5)]
    median_s = statistics.median(float(run[0]) for run in runs)
    with capsys.disabled():
        print(f"\nimport nexustrader.config: median {median_s * 1e3:.0f} ms of {len(runs)} runs")
    assert median_s < IMPORT_S_MAX
    assert {run[1] for run in runs} == {""}


@pytest.mark.slow
def test_importing_config_reads_and_creates_nothing(workspace: Workspace) -> None:
    code = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
import nexustrader.config
print([path for path in opened if str(path).startswith(".") or ".keys" in str(path) or ".env" in str(path)])
"""
    assert workspace.python(code, "-W", "ignore").stdout == "[]\n"
    assert list(workspace.folder.iterdir()) == []
