"""Positions are folds of fills; the venue's word replaces one only where it is asked for."""

from __future__ import annotations

from decimal import Decimal

from desk import ACCOUNT, BTC, SYMBOL
from nexustrader.domain import events as ev
from nexustrader.market.cache import Cache
from nexustrader.portfolio.portfolio import Portfolio
from nexustrader.schema import AccountBalance


def a_portfolio() -> tuple[Portfolio, Cache, list[AccountBalance]]:
    cache, told = Cache(), list[AccountBalance]()
    return Portfolio(cache, {SYMBOL: BTC}, told.append), cache, told


def stated(amount: str, price: str = "30000", timestamp: int = 1) -> ev.PositionEvent:
    return ev.PositionEvent(
        account=ACCOUNT,
        symbol=SYMBOL,
        signed_amount=Decimal(amount),
        entry_price=Decimal(price),
        timestamp=timestamp,
    )


def test_the_venues_word_alone_does_not_move_a_position() -> None:
    portfolio, cache, _ = a_portfolio()
    portfolio.on_position(stated("1"))
    assert cache.get_position(SYMBOL) is None
    assert portfolio.disagrees(ACCOUNT, SYMBOL)


def test_a_list_differs_where_our_fills_add_up_to_something_else_and_what_it_lacks_is_flat() -> None:
    portfolio, cache, _ = a_portfolio()
    (event,) = portfolio.differences(ACCOUNT, [stated("2")]).values()
    assert cache.get_position(SYMBOL) is None
    portfolio.adjust(event)
    position = cache.get_position(SYMBOL)
    assert position is not None
    assert (position.signed_amount, position.entry_price) == (Decimal(2), 30_000.0)
    assert portfolio.differences(ACCOUNT, [stated("2")]) == {}
    (flat,) = portfolio.differences(ACCOUNT, []).values()
    portfolio.adjust(flat)
    assert cache.get_position(SYMBOL) is None


def test_an_adopted_position_no_longer_disagrees() -> None:
    portfolio, _, _ = a_portfolio()
    portfolio.on_position(stated("1"))
    portfolio.adjust(stated("2"))
    assert not portfolio.disagrees(ACCOUNT, SYMBOL)


def balance(asset: str, free: str, timestamp: int) -> ev.BalanceEvent:
    return ev.BalanceEvent(account=ACCOUNT, asset=asset, free=Decimal(free), timestamp=timestamp)


def test_a_balance_is_told_when_it_changes_and_only_then() -> None:
    portfolio, _, told = a_portfolio()
    portfolio.on_balance(balance("USDT", "10", 1))
    portfolio.on_balance(balance("USDT", "10", 2))
    portfolio.on_balance(balance("USDT", "9", 3))
    assert [b.balance_total["USDT"] for b in told] == [Decimal(10), Decimal(9)]


def test_an_older_balance_never_overwrites_a_newer_one() -> None:
    portfolio, _, _ = a_portfolio()
    portfolio.on_balance(balance("USDT", "9", 5))
    assert not portfolio.on_balance_snapshot(ACCOUNT, [balance("USDT", "10", 4)]), "one of them is stale"
    assert portfolio.on_balance_snapshot(ACCOUNT, [balance("USDT", "9", 4)]), "they agree"
    assert portfolio.balances()[ACCOUNT].balance_total["USDT"] == Decimal(9)


def test_an_asset_that_a_snapshot_does_not_list_is_zero() -> None:
    portfolio, _, _ = a_portfolio()
    portfolio.on_balance(balance("BTC", "1", 1))
    assert portfolio.on_balance_snapshot(ACCOUNT, [balance("USDT", "10", 2)])
    assert portfolio.on_balance_snapshot(ACCOUNT, [])
    assert portfolio.balances()[ACCOUNT].balance_total == {"BTC": Decimal(0), "USDT": Decimal(10)}
