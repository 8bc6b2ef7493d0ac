"""Which account an order goes to."""

from __future__ import annotations

import pytest

from desk import BTC, SYMBOL
from nexustrader._engine.routing import Account, Accounts, account_key
from nexustrader.constants import AccountType, ExchangeType
from nexustrader.error import EngineBuildError
from nexustrader.exchange import BinanceAccountType as B

BINANCE = ExchangeType.BINANCE


def accounts(*types: tuple[AccountType, str | None]) -> Accounts:
    found = Accounts({SYMBOL: BTC})
    for account_type, name in types:
        found.add(Account(account_key(BINANCE, account_type, name), BINANCE, account_type, name))
    return found


def test_a_linear_symbol_goes_to_the_futures_account() -> None:
    assert accounts((B.SPOT, None), (B.USD_M_FUTURE, None)).route(SYMBOL) == "binance:USD_M_FUTURE"


def test_an_account_type_that_is_named_wins() -> None:
    assert accounts((B.SPOT, None), (B.USD_M_FUTURE, None)).route(SYMBOL, B.SPOT) == "binance:SPOT"


def test_a_named_account_is_chosen_by_its_name() -> None:
    found = accounts((B.USD_M_FUTURE, "mm1"), (B.USD_M_FUTURE, "mm2"))
    assert found.route(SYMBOL, None, "mm2") == "binance:USD_M_FUTURE:mm2"


def test_a_mock_account_serves_where_it_is_the_only_one() -> None:
    assert accounts((B.LINEAR_MOCK, None)).route(SYMBOL) == "binance:LINEAR_MOCK"


def test_nothing_that_fits_is_said_with_what_there_is() -> None:
    with pytest.raises(EngineBuildError, match="binance:SPOT"):
        accounts((B.SPOT, None)).route(SYMBOL)


def test_the_same_account_twice_is_refused() -> None:
    with pytest.raises(EngineBuildError, match="twice"):
        accounts((B.SPOT, None), (B.SPOT, None))
