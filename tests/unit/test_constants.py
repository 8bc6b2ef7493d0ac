from __future__ import annotations

import enum
import subprocess
import sys
from pathlib import Path

import pytest

from nexustrader import constants
from nexustrader.constants import (
    STATUS_TRANSITIONS,
    AccountType,
    AlgoOrderStatus,
    BookLevel,
    DataType,
    EventType,
    ExchangeType,
    InstrumentType,
    KlineInterval,
    LogColor,
    OptionType,
    OrderSide,
    OrderStatus,
    OrderType,
    ParamBackend,
    PositionSide,
    StorageType,
    SubmitType,
    TimeInForce,
    TriggerType,
    WsOrderResultType,
)
from nexustrader.exchange.bitget import BitgetAccountType
from nexustrader.exchange.bybit import BybitAccountType
from nexustrader.exchange.bybit_tradfi import BybitTradeFiAccountType
from nexustrader.exchange.hyperliquid import HyperLiquidAccountType
from nexustrader.exchange.okx import OkxAccountType

NAMED_LIKE_THEIR_VALUES = [
    AlgoOrderStatus,
    OrderStatus,
    OrderType,
    TriggerType,
    OrderSide,
    TimeInForce,
    PositionSide,
]
LOWER_CASE_VALUES = [ExchangeType, InstrumentType, OptionType, DataType, StorageType, ParamBackend]


BYBIT = (
    "SPOT LINEAR INVERSE OPTION UNIFIED SPOT_TESTNET LINEAR_TESTNET INVERSE_TESTNET OPTION_TESTNET "
    "UNIFIED_TESTNET UNIFIED_DEMO LINEAR_MOCK INVERSE_MOCK SPOT_MOCK"
)


@pytest.mark.parametrize("kind", [*NAMED_LIKE_THEIR_VALUES, WsOrderResultType])
def test_values_are_the_names(kind: type[enum.Enum]) -> None:
    assert [member.value for member in kind] == list(kind.__members__)


@pytest.mark.parametrize("kind", LOWER_CASE_VALUES)
def test_values_are_the_names_in_lower_case(kind: type[enum.Enum]) -> None:
    assert [member.value for member in kind] == [name.lower() for name in kind.__members__]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            OrderStatus,
            "INITIALIZED FAILED CANCEL_FAILED PENDING CANCELING ACCEPTED PARTIALLY_FILLED FILLED CANCELED EXPIRED",
        ),
        (
            OrderType,
            "MARKET LIMIT TAKE_PROFIT_MARKET TAKE_PROFIT_LIMIT STOP_LOSS_MARKET STOP_LOSS_LIMIT POST_ONLY",
        ),
        (ExchangeType, "BINANCE OKX BYBIT HYPERLIQUID BITGET BYBIT_TRADFI"),
        (AlgoOrderStatus, "RUNNING CANCELING FINISHED CANCELED FAILED"),
        (DataType, "BOOKL1 BOOKL2 TRADE KLINE VOLUME_KLINE MARK_PRICE FUNDING_RATE INDEX_PRICE"),
        (InstrumentType, "SPOT MARGIN FUTURE OPTION SWAP LINEAR INVERSE"),
        (StorageType, "SQLITE POSTGRESQL"),
        (ParamBackend, "MEMORY REDIS"),
        (OptionType, "CALL PUT"),
        (TimeInForce, "GTC IOC FOK"),
        (TriggerType, "LAST_PRICE MARK_PRICE INDEX_PRICE"),
        (WsOrderResultType, "REQUEST_NOT_SENT ACK_REJECTED ACK_TIMEOUT ACK_TIMEOUT_CONFIRMED"),
        (LogColor, "NORMAL GREEN BLUE MAGENTA CYAN YELLOW RED"),
        (
            BybitAccountType,
            BYBIT,
        ),
        (OkxAccountType, "LIVE DEMO LINEAR_MOCK INVERSE_MOCK SPOT_MOCK"),
        (
            BitgetAccountType,
            "UTA SPOT FUTURE UTA_DEMO SPOT_DEMO FUTURE_DEMO LINEAR_MOCK INVERSE_MOCK SPOT_MOCK",
        ),
        (HyperLiquidAccountType, "MAINNET TESTNET LINEAR_MOCK INVERSE_MOCK SPOT_MOCK"),
        (BybitTradeFiAccountType, "LIVE DEMO"),
    ],
)
def test_members_are_those_of_the_public_surface(kind: type[enum.Enum], names: str) -> None:
    assert list(kind.__members__) == names.split()


def test_numbered_enums_keep_their_numbers() -> None:
    assert [member.value for member in SubmitType] == list(range(12))
    assert SubmitType.CREATE_WS.value == 10
    assert [member.value for member in EventType] == list(range(6))


def test_book_levels_are_depths() -> None:
    assert [level.value for level in BookLevel] == ["5", "10", "20", "50"]


def test_colours_are_ansi() -> None:
    assert LogColor.NORMAL.value == ""
    assert all(color.value.startswith("\033[") for color in LogColor if color is not LogColor.NORMAL)


def test_only_the_websocket_outcome_is_text() -> None:
    assert isinstance(WsOrderResultType.ACK_TIMEOUT, str)
    assert not isinstance(OrderStatus.FILLED, str)


def test_intervals_know_their_length() -> None:
    lengths = {interval.value: interval.seconds for interval in KlineInterval}
    assert lengths == {
        "1s": 1,
        "1m": 60,
        "3m": 180,
        "5m": 300,
        "15m": 900,
        "30m": 1800,
        "1h": 3600,
        "2h": 7200,
        "4h": 14400,
        "6h": 21600,
        "8h": 28800,
        "12h": 43200,
        "1d": 86400,
        "3d": 259200,
        "1w": 604800,
        "1M": 2592000,
        "volume": 0,
    }
    minute = KlineInterval.MINUTE_1
    assert (minute.milliseconds, minute.microseconds, minute.nanoseconds) == (
        60_000,
        60_000_000,
        60_000_000_000,
    )


def test_order_types_are_classified() -> None:
    def having(name: str) -> set[str]:
        return {kind.name for kind in OrderType if getattr(kind, name)}

    assert having("is_take_profit") == {"TAKE_PROFIT_MARKET", "TAKE_PROFIT_LIMIT"}
    assert having("is_stop_loss") == {"STOP_LOSS_MARKET", "STOP_LOSS_LIMIT"}
    assert having("is_market") == {"MARKET", "TAKE_PROFIT_MARKET", "STOP_LOSS_MARKET"}
    assert having("is_limit") == {"LIMIT", "TAKE_PROFIT_LIMIT", "STOP_LOSS_LIMIT"}
    assert having("is_post_only") == {"POST_ONLY"}


def test_sides_are_classified() -> None:
    assert (OrderSide.BUY.is_buy, OrderSide.BUY.is_sell, OrderSide.SELL.is_sell) == (True, False, True)
    assert [(side.is_long, side.is_short, side.is_flat) for side in PositionSide] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_account_types_tell_money_from_play() -> None:
    assert list(AccountType) == []
    assert {member.name for member in BybitAccountType if member.is_testnet} == {
        name for name in BybitAccountType.__members__ if name.endswith(("_TESTNET", "_DEMO"))
    }
    assert OkxAccountType.DEMO.is_testnet
    assert not OkxAccountType.LIVE.is_testnet
    assert OkxAccountType("linear_mock").is_mock
    assert OkxAccountType.LINEAR_MOCK.is_linear_mock
    assert BitgetAccountType.INVERSE_MOCK.is_inverse_mock
    assert HyperLiquidAccountType.SPOT_MOCK.is_spot_mock
    assert not HyperLiquidAccountType.MAINNET.is_mock
    assert HyperLiquidAccountType("mainnet").exchange_id == "hyperliquid"
    assert BybitAccountType.UNIFIED_TESTNET.is_unified
    assert BybitAccountType.UNIFIED_DEMO.is_unified
    assert not BybitAccountType.SPOT.is_unified
    assert BitgetAccountType.UTA_DEMO.is_uta
    assert BitgetAccountType.FUTURE.is_future
    assert BybitTradeFiAccountType.DEMO.is_demo
    for kind in (
        BybitAccountType,
        OkxAccountType,
        BitgetAccountType,
        HyperLiquidAccountType,
        BybitTradeFiAccountType,
    ):
        for member in kind:
            assert isinstance(member, AccountType)
            assert ExchangeType(member.exchange_id)


class TestStatusTransitions:
    def test_every_status_has_a_row(self) -> None:
        assert set(STATUS_TRANSITIONS) == set(OrderStatus)

    def test_what_the_original_allowed_is_allowed(self) -> None:
        original = {
            "PENDING": "PENDING CANCELED CANCELING ACCEPTED PARTIALLY_FILLED FILLED CANCEL_FAILED FAILED",
            "ACCEPTED": "ACCEPTED PARTIALLY_FILLED FILLED CANCELING CANCELED EXPIRED CANCEL_FAILED",
            "PARTIALLY_FILLED": "ACCEPTED PARTIALLY_FILLED FILLED CANCELING CANCELED EXPIRED CANCEL_FAILED",
            "CANCELING": "CANCELED PARTIALLY_FILLED FILLED",
            "CANCEL_FAILED": "FILLED",
        }
        for before, allowed in original.items():
            assert {OrderStatus(name) for name in allowed.split()} <= set(
                STATUS_TRANSITIONS[OrderStatus(before)]
            )

    @pytest.mark.parametrize(
        ("before", "now"),
        [
            ("CANCELING", "CANCEL_FAILED"),
            ("CANCELING", "ACCEPTED"),
            ("CANCELING", "EXPIRED"),
            ("PENDING", "EXPIRED"),
            ("INITIALIZED", "PENDING"),
            ("CANCEL_FAILED", "CANCELED"),
            ("FAILED", "ACCEPTED"),
            ("CANCELED", "FILLED"),
        ],
    )
    def test_what_it_forgot_is_allowed(self, before: str, now: str) -> None:
        assert OrderStatus(now) in STATUS_TRANSITIONS[OrderStatus(before)]

    def test_what_was_filled_or_has_expired_is_not_accepted_again(self) -> None:
        for ended in (OrderStatus.FILLED, OrderStatus.EXPIRED):
            assert OrderStatus.ACCEPTED not in STATUS_TRANSITIONS[ended]


class Some:
    """A stand-in for the settings with these names set and no others."""

    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)


class TestSettings:
    def test_postgresql_has_defaults(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(constants, "settings", Some())
        assert constants.get_postgresql_config() == {
            "host": "localhost",
            "port": 5432,
            "user": "postgres",
            "password": "",
            "database": "postgres",
        }

    def test_postgresql_is_read_from_the_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(constants, "settings", Some(PG_HOST="db", PG_PORT="6000", PG_PASSWORD=1234))
        config = constants.get_postgresql_config()
        assert (config["host"], config["port"], config["password"]) == ("db", 6000, "1234")

    def test_redis_is_read_from_the_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        given = Some(REDIS_HOST="localhost", REDIS_PORT=6379, REDIS_DB=0, REDIS_PASSWORD="x")
        monkeypatch.setattr(constants, "settings", given)
        assert constants.get_redis_config() == {"host": "localhost", "port": 6379, "db": 0, "password": "x"}

    def test_unset_redis_is_refused_by_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(constants, "settings", Some(REDIS_HOST="localhost", REDIS_DB=0))
        with pytest.raises(ValueError, match="REDIS_PORT, REDIS_PASSWORD not set; set NEXUS_REDIS_PORT"):
            constants.get_redis_config()

    def test_a_masked_password_stays_masked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Masked(str):
            __slots__ = ()

            def __repr__(self) -> str:
                return "***"

        monkeypatch.setattr(constants, "settings", Some(PG_PASSWORD=Masked("hidden")))
        assert "hidden" not in repr(constants.get_postgresql_config())


@pytest.mark.slow
def test_importing_creates_nothing_and_stays_light(tmp_path: Path) -> None:
    heavy = "pandas numpy dynaconf aiohttp picows loguru apscheduler"
    code = (
        "import sys, nexustrader.constants, nexustrader.schema, nexustrader.domain.order;"
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_a_sphinx_build_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not constants.is_sphinx_build()
    monkeypatch.setitem(sys.modules, "sphinx", sys)
    assert constants.is_sphinx_build()
