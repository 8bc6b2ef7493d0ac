"""The account types, their addresses, and what is refused by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

import nexustrader.exchange
import nexustrader.exchange.binance
from nexustrader.constants import AccountType
from nexustrader.error import EngineBuildError
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.venue.spec import UserStreamKind

TRADED = [
    BinanceAccountType.SPOT,
    BinanceAccountType.SPOT_TESTNET,
    BinanceAccountType.USD_M_FUTURE,
    BinanceAccountType.USD_M_FUTURE_TESTNET,
]
LATER = [member for member in BinanceAccountType if member not in TRADED]

ADDRESSES = {
    "SPOT": (
        "https://api.binance.com",
        "wss://stream.binance.com:9443",
        "wss://ws-api.binance.com:443/ws-api/v3",
    ),
    "MARGIN": ("https://api.binance.com", "wss://stream.binance.com:9443", None),
    "ISOLATED_MARGIN": ("https://api.binance.com", "wss://stream.binance.com:9443", None),
    "USD_M_FUTURE": (
        "https://fapi.binance.com",
        "wss://fstream.binance.com",
        "wss://ws-fapi.binance.com/ws-fapi/v1",
    ),
    "COIN_M_FUTURE": (
        "https://dapi.binance.com",
        "wss://dstream.binance.com",
        "wss://ws-dapi.binance.com/ws-dapi/v1",
    ),
    "PORTFOLIO_MARGIN": ("https://papi.binance.com", "wss://fstream.binance.com/pm", None),
    "SPOT_TESTNET": (
        "https://demo-api.binance.com",
        "wss://demo-stream.binance.com",
        "wss://demo-ws-api.binance.com/ws-api/v3",
    ),
    "USD_M_FUTURE_TESTNET": (
        "https://demo-fapi.binance.com",
        "wss://fstream.binancefuture.com",
        "wss://testnet.binancefuture.com/ws-fapi/v1",
    ),
    "COIN_M_FUTURE_TESTNET": (
        "https://demo-dapi.binance.com",
        "wss://dstream.binancefuture.com",
        "wss://testnet.binancefuture.com/ws-dapi/v1",
    ),
    "LINEAR_MOCK": (None, None, None),
    "INVERSE_MOCK": (None, None, None),
    "SPOT_MOCK": (None, None, None),
}


def test_every_member_has_its_name_as_value_and_its_addresses():
    assert {m.name: (m.base_url, m.ws_url, m.ws_order_url) for m in BinanceAccountType} == ADDRESSES
    assert all(m.value == m.name and m.exchange_id == "binance" for m in BinanceAccountType)
    assert issubclass(BinanceAccountType, AccountType)
    assert VENUE.account_types() is BinanceAccountType


def test_the_kinds_of_members_are_told_apart():
    kinds = {
        "is_spot": {"SPOT", "SPOT_TESTNET"},
        "is_margin": {"MARGIN"},
        "is_isolated_margin": {"ISOLATED_MARGIN"},
        "is_isolated_margin_or_margin": {"MARGIN", "ISOLATED_MARGIN"},
        "is_spot_or_margin": {"SPOT", "SPOT_TESTNET", "MARGIN", "ISOLATED_MARGIN"},
        "is_linear": {"USD_M_FUTURE", "USD_M_FUTURE_TESTNET"},
        "is_inverse": {"COIN_M_FUTURE", "COIN_M_FUTURE_TESTNET"},
        "is_future": {"USD_M_FUTURE", "USD_M_FUTURE_TESTNET", "COIN_M_FUTURE", "COIN_M_FUTURE_TESTNET"},
        "is_portfolio_margin": {"PORTFOLIO_MARGIN"},
        "is_testnet": {"SPOT_TESTNET", "USD_M_FUTURE_TESTNET", "COIN_M_FUTURE_TESTNET"},
        "is_mock": {"LINEAR_MOCK", "INVERSE_MOCK", "SPOT_MOCK"},
        "is_linear_mock": {"LINEAR_MOCK"},
        "is_inverse_mock": {"INVERSE_MOCK"},
        "is_spot_mock": {"SPOT_MOCK"},
    }
    for name, members in kinds.items():
        assert {m.name for m in BinanceAccountType if getattr(m, name)} == members, name


@pytest.mark.parametrize("account_type", TRADED)
def test_a_traded_account_type_has_endpoints_limits_and_a_private_stream(account_type):
    endpoints = VENUE.endpoints(account_type)
    assert (endpoints.rest, endpoints.stream, endpoints.trade) == ADDRESSES[account_type.name]
    assert {limit.pool for limit in VENUE.rate_limits(account_type)} == {"weight", "orders"}
    expected = UserStreamKind.TRADE_SOCKET if account_type.is_spot else UserStreamKind.LISTEN_KEY
    assert VENUE.user_stream(account_type) is expected


@pytest.mark.parametrize("account_type", LATER)
def test_other_account_types_are_refused_by_name(account_type):
    for call in (VENUE.endpoints, VENUE.user_stream, VENUE.instruments_requests, VENUE.balances_request):
        with pytest.raises(EngineBuildError, match=account_type.value):
            call(account_type)


def test_exports_are_lazy_and_unknown_names_are_attribute_errors():
    assert nexustrader.exchange.BinanceAccountType is BinanceAccountType
    for module in (nexustrader.exchange, nexustrader.exchange.binance):
        with pytest.raises(AttributeError, match="Nonsense"):
            _ = module.Nonsense


@pytest.mark.slow
def test_the_account_type_comes_without_the_venue():
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from nexustrader.exchange.binance import BinanceAccountType\n"
        "assert 'nexustrader.exchange.binance.venue' not in sys.modules\n"
        "assert 'cryptography' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
