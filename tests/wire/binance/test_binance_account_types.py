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

MOCKS = [member for member in BinanceAccountType if member.is_mock]
TRADED = [member for member in BinanceAccountType if not member.is_mock]
STREAMS = {
    "SPOT": UserStreamKind.TRADE_SOCKET,
    "SPOT_TESTNET": UserStreamKind.TRADE_SOCKET,
    "MARGIN": UserStreamKind.LISTEN_TOKEN,
    "ISOLATED_MARGIN": UserStreamKind.LISTEN_TOKEN,
}

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
    assert VENUE.user_stream(account_type) is STREAMS.get(account_type.name, UserStreamKind.LISTEN_KEY)
    if VENUE.user_stream(account_type) is UserStreamKind.LISTEN_TOKEN:
        assert endpoints.private == ADDRESSES["SPOT"][2]


def test_what_counts_together_at_the_venue_has_one_pool_and_the_same_limits():
    pools: dict[str, list[BinanceAccountType]] = {}
    for account_type in TRADED:
        pools.setdefault(VENUE.endpoints(account_type).pool, []).append(account_type)
    assert {frozenset(member.name for member in members) for members in pools.values()} == {
        frozenset({"SPOT"}),
        frozenset({"SPOT_TESTNET"}),
        frozenset({"MARGIN", "ISOLATED_MARGIN"}),
        frozenset({"USD_M_FUTURE", "COIN_M_FUTURE"}),
        frozenset({"USD_M_FUTURE_TESTNET", "COIN_M_FUTURE_TESTNET"}),
        frozenset({"PORTFOLIO_MARGIN"}),
    }
    for members in pools.values():
        assert len({VENUE.rate_limits(member) for member in members}) == 1


def test_margin_accounts_trade_what_the_spot_market_shows_and_portfolio_margin_all_markets():
    assert VENUE.public_types(BinanceAccountType.MARGIN) == (BinanceAccountType.SPOT,)
    assert VENUE.public_types(BinanceAccountType.ISOLATED_MARGIN) == (BinanceAccountType.SPOT,)
    assert VENUE.public_types(BinanceAccountType.COIN_M_FUTURE) == (BinanceAccountType.COIN_M_FUTURE,)
    assert VENUE.public_types(BinanceAccountType.PORTFOLIO_MARGIN) == (
        BinanceAccountType.SPOT,
        BinanceAccountType.USD_M_FUTURE,
        BinanceAccountType.COIN_M_FUTURE,
    )
    with pytest.raises(EngineBuildError, match="shows no public data; use those of SPOT"):
        VENUE.instruments_requests(BinanceAccountType.PORTFOLIO_MARGIN)


def test_portfolio_margin_asks_the_futures_host_for_the_time():
    endpoints = VENUE.endpoints(BinanceAccountType.PORTFOLIO_MARGIN)
    assert endpoints.clock == ADDRESSES["USD_M_FUTURE"][0]
    assert VENUE.server_time_request(BinanceAccountType.PORTFOLIO_MARGIN).path == "/fapi/v1/time"


@pytest.mark.parametrize("account_type", MOCKS)
def test_mock_account_types_are_refused_by_name(account_type):
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
