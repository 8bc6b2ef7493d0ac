"""What the page "Setting up Credentials" says, sentence by sentence."""

from __future__ import annotations

import sys
import warnings

import pytest

from nexustrader.config import BasicConfig, Config, MockConnectorConfig, PublicConnectorConfig
from nexustrader.constants import AccountType, ExchangeType, settings
from nexustrader.error import CredentialsWarning
from workspace import PAGE, Workspace

DEMO = {"NEXUS_BINANCE__DEMO__API_KEY": "demo_api_key", "NEXUS_BINANCE__DEMO__SECRET": "demo_secret"}


class Accounts(AccountType):
    LINEAR = "LINEAR"
    LINEAR_MOCK = "LINEAR_MOCK"


def fields(config: BasicConfig) -> tuple[str | None, str | None, str | None]:
    return config.api_key, config.secret, config.passphrase


# -- three ways, in priority order ----------------------------------------------------------------------------


def test_direct_pass_comes_before_settings_and_settings_before_plain_variables(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    for name in ("API_KEY", "SECRET", "PASSPHRASE"):
        workspace.set(f"BYBIT_{name}", f"plain_{name}")
    config = BasicConfig.from_env("BYBIT", api_key="direct", settings_key="BYBIT.TESTNET")
    assert fields(config) == ("direct", "your_secret_key", "plain_PASSPHRASE")


def test_any_combination_can_be_used(workspace: Workspace) -> None:
    workspace.secrets('[A.B]\napi_key = "file"\n')
    workspace.set("NEXUS_A__B__SECRET", "variable")
    assert fields(BasicConfig(passphrase="direct", settings_key="A.B")) == ("file", "variable", "direct")


@pytest.mark.parametrize("field", ["api_key", "secret", "passphrase"])
def test_directly_passed_values_always_take_precedence(workspace: Workspace, field: str) -> None:
    workspace.secrets(PAGE)
    workspace.set(f"NEXUS_OKX__DEMO_1__{field.upper()}", "from settings variable")
    workspace.set(f"X_{field.upper()}", "from plain variable")
    direct = {field: "direct"}
    assert getattr(BasicConfig(settings_key="OKX.DEMO_1", **direct), field) == "direct"
    assert getattr(BasicConfig.from_env("X", settings_key="OKX.DEMO_1", **direct), field) == "direct"


# -- the note -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_secrets_file_is_optional_its_absence_warns_and_the_program_continues(
    workspace: Workspace,
) -> None:
    done = workspace.python("import nexustrader.constants; print('continues')")
    assert done.stdout == "continues\n"
    assert done.stderr.count("SecretsFileWarning") == 1
    assert ".keys/.secrets.toml" in done.stderr


def test_public_only_workflows_need_no_credentials(workspace: Workspace) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        config = Config(
            strategy_id="s",
            user_id="u",
            strategy=object(),
            basic_config={ExchangeType.BYBIT: BasicConfig(testnet=True)},
            public_conn_config={ExchangeType.BYBIT: [PublicConnectorConfig(Accounts.LINEAR)]},
        )
    assert told == []
    assert config.private_conn_config == {}


def test_mock_workflows_need_no_credentials(workspace: Workspace) -> None:
    mock = MockConnectorConfig(initial_balance={"USDT": 1_000}, account_type=Accounts.LINEAR_MOCK)
    config = Config(
        strategy_id="s",
        user_id="u",
        strategy=object(),
        basic_config={ExchangeType.BYBIT: BasicConfig(testnet=True)},
        public_conn_config={ExchangeType.BYBIT: [PublicConnectorConfig(Accounts.LINEAR)]},
        private_conn_config={ExchangeType.BYBIT: [mock]},
    )
    assert config.is_mock


@pytest.mark.slow
def test_backtest_workflows_need_no_credentials(workspace: Workspace) -> None:
    program = workspace.write("program.py", BACKTEST)
    done = workspace.run([sys.executable, str(program)])
    assert "fills: 1" in done.stdout, done.stderr
    assert done.stderr.count("Warning") == 1  # that there is no secrets file


BACKTEST = """
from decimal import Decimal

import polars

from nexustrader.backtest import Backtest
from nexustrader.config import BasicConfig, Config, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, KlineInterval, OrderSide, OrderType
from nexustrader.exchange import BinanceAccountType
from nexustrader.strategy import Strategy

TYPE = BinanceAccountType.USD_M_FUTURE_TESTNET
SYMBOL = "BTCUSDT-PERP.BINANCE"


class BuyOnce(Strategy):
    bought = False

    def on_start(self):
        self.subscribe_kline(SYMBOL, KlineInterval.MINUTE_1)

    def on_kline(self, kline):
        if not self.bought:
            self.bought = True
            self.create_order(SYMBOL, OrderSide.BUY, OrderType.MARKET, Decimal(1))


bars = polars.DataFrame(
    {
        "timestamp": [1_735_689_600_000 + 60_000 * number for number in range(10)],
        **{name: [100.0 + number for number in range(10)] for name in ("open", "high", "low", "close", "volume")},
    }
)
config = Config(
    strategy_id="backtest",
    user_id="test",
    strategy=BuyOnce(),
    basic_config={ExchangeType.BINANCE: BasicConfig(testnet=True)},
    public_conn_config={ExchangeType.BINANCE: [PublicConnectorConfig(account_type=TYPE)]},
    private_conn_config={ExchangeType.BINANCE: [PrivateConnectorConfig(account_type=TYPE)]},
)
result = Backtest(config, {SYMBOL: bars}, balances={"USDT": 1_000}).run()
print("fills:", len(result.fills))
"""


# -- method 1: settings file ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_mkdir_and_touch_make_a_usable_empty_file(workspace: Workspace) -> None:
    (workspace.folder / ".keys").mkdir()
    (workspace.folder / ".keys" / ".secrets.toml").touch(mode=0o600)
    done = workspace.python("from nexustrader.constants import settings; print(settings.get('BYBIT'))")
    assert (done.stdout, done.stderr) == ("None\n", "")


def test_a_section_has_api_key_and_secret_and_for_okx_a_passphrase(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    assert fields(BasicConfig(settings_key="OKX.DEMO_1")) == (
        "okx_api_key",
        "okx_secret_key",
        "okx_passphrase",
    )


def test_settings_key_resolves_api_key_secret_and_passphrase_from_the_section(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    config = BasicConfig(settings_key="BYBIT.TESTNET", testnet=True)
    assert fields(config) == ("your_api_key", "your_secret_key", None)
    assert config.testnet is True


def test_settings_can_be_accessed_manually(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    workspace.secrets(PAGE)
    print(settings.BYBIT.TESTNET.api_key)
    print(settings.BYBIT.TESTNET.secret)
    assert capsys.readouterr().out == "your_api_key\nyour_secret_key\n"


# -- method 2: NEXUS_ variables -------------------------------------------------------------------------------


def test_nexus_variables_are_merged_with_the_file(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    workspace.set("NEXUS_BYBIT__TESTNET__PASSPHRASE", "from variable")
    config = BasicConfig(settings_key="BYBIT.TESTNET")
    assert fields(config) == ("your_api_key", "your_secret_key", "from variable")


def test_double_underscores_nest(workspace: Workspace) -> None:
    workspace.set("NEXUS_BINANCE__LIVE__ACCOUNT1__API_KEY", "nested")
    assert settings.BINANCE.LIVE.ACCOUNT1.api_key == "nested"


def test_nexus_variables_are_resolved_by_the_same_settings_key(workspace: Workspace) -> None:
    for name, value in DEMO.items():
        workspace.set(name, value)
    config = BasicConfig(settings_key="BINANCE.DEMO", testnet=True)
    assert fields(config) == ("demo_api_key", "demo_secret", None)


# -- method 3: plain variables --------------------------------------------------------------------------------


def test_from_env_reads_api_key_secret_and_passphrase_without_the_nexus_prefix(workspace: Workspace) -> None:
    for name in ("API_KEY", "SECRET", "PASSPHRASE"):
        workspace.set(f"BINANCE_{name}", f"plain_{name}")
    config = BasicConfig.from_env("BINANCE", testnet=True)
    assert fields(config) == ("plain_API_KEY", "plain_SECRET", "plain_PASSPHRASE")
    assert config.testnet is True


def test_from_env_takes_custom_variable_names(workspace: Workspace) -> None:
    workspace.set("MY_KEY", "custom key")
    workspace.set("MY_SECRET", "custom secret")
    config = BasicConfig.from_env("X", api_key_var="MY_KEY", secret_var="MY_SECRET")
    assert fields(config) == ("custom key", "custom secret", None)


# -- method 4: direct pass ------------------------------------------------------------------------------------


def test_credentials_can_be_passed_directly(workspace: Workspace) -> None:
    config = BasicConfig(api_key="your_api_key", secret="your_secret_key", testnet=True)
    assert fields(config) == ("your_api_key", "your_secret_key", None)


def test_a_direct_pass_of_everything_looks_nowhere_else(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    workspace.set("NEXUS_BYBIT__TESTNET__SECRET", "other")
    config = BasicConfig("k", "s", False, "p", settings_key="BYBIT.TESTNET")
    assert fields(config) == ("k", "s", "p")


# -- combining ------------------------------------------------------------------------------------------------


def test_direct_values_override_settings_key_resolution(workspace: Workspace) -> None:
    for name, value in DEMO.items():
        workspace.set(name, value)
    config = BasicConfig(api_key="override_key", settings_key="BINANCE.DEMO", testnet=True)
    assert fields(config) == ("override_key", "demo_secret", None)


def test_a_settings_key_that_resolves_says_nothing(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CredentialsWarning)
        BasicConfig(settings_key="BYBIT.TESTNET")
