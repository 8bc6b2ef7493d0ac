"""The cache's indexes stay true to the orders, and nothing open is ever dropped."""

from __future__ import annotations

import pytest

from nexustrader.constants import ExchangeType, OrderStatus
from nexustrader.exchange import BinanceAccountType
from nexustrader.market.cache import Cache
from nexustrader.schema import AccountBalance, Balance, Order, Position

SYMBOL = "BTCUSDT-PERP.BINANCE"


def put(cache: Cache, order: Order) -> None:
    """The cache is told of an order."""
    assert order.oid is not None
    cache.note_order(
        order.oid, order.symbol, is_closed=order.is_closed, is_acked=order.eid is not None, make=lambda: order
    )


def an_order(oid: str, status: OrderStatus, symbol: str = SYMBOL, eid: str | None = "1") -> Order:
    return Order(exchange=ExchangeType.BINANCE, symbol=symbol, status=status, oid=oid, eid=eid)


def test_open_orders_are_listed_by_symbol_and_by_venue_until_they_close() -> None:
    cache = Cache()
    put(cache, an_order("1", OrderStatus.ACCEPTED))
    put(cache, an_order("2", OrderStatus.ACCEPTED, "ETHUSDT.BINANCE"))
    put(cache, an_order("3", OrderStatus.ACCEPTED, "ETHUSDT.BYBIT"))
    assert cache.get_open_orders(SYMBOL) == {"1"}
    assert cache.get_open_orders(exchange=ExchangeType.BINANCE) == {"1", "2"}
    put(cache, an_order("1", OrderStatus.FILLED))
    assert cache.get_open_orders(SYMBOL) == set()
    assert cache.get_symbol_orders(SYMBOL) == {"1"}


def test_asking_for_open_orders_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="symbol or an exchange"):
        Cache().get_open_orders()


def test_an_order_that_comes_back_to_life_is_open_again_and_never_dropped() -> None:
    cache = Cache(closed_orders_max=2)
    put(cache, an_order("1", OrderStatus.FAILED))
    put(cache, an_order("1", OrderStatus.ACCEPTED))
    for n in range(2, 10):
        put(cache, an_order(str(n), OrderStatus.FILLED))
    assert cache.get_open_orders(SYMBOL) == {"1"}
    assert cache.get_order("1") is not None


def test_only_closed_orders_leave_when_there_are_too_many() -> None:
    cache = Cache(closed_orders_max=3)
    put(cache, an_order("open", OrderStatus.ACCEPTED))
    for n in range(10):
        put(cache, an_order(str(n), OrderStatus.CANCELED))
    assert cache.get_order("open") is not None
    assert [n for n in range(10) if cache.get_order(str(n)) is not None] == [7, 8, 9]


def test_a_cancel_intent_hides_an_order_until_it_is_cleared() -> None:
    cache = Cache()
    put(cache, an_order("1", OrderStatus.ACCEPTED))
    cache.mark_cancel_intent("1")
    assert cache.get_open_orders(SYMBOL) == set()
    assert cache.get_open_orders(SYMBOL, include_canceling=True) == {"1"}
    cache.clear_cancel_intent("1")
    assert cache.get_open_orders(SYMBOL) == {"1"}


def test_an_order_is_in_flight_until_the_venue_speaks_of_it() -> None:
    cache = Cache()
    cache.add_inflight_order(SYMBOL, "1")
    put(cache, an_order("1", OrderStatus.INITIALIZED, eid=None))
    assert cache.get_inflight_orders(SYMBOL) == {"1"}
    put(cache, an_order("1", OrderStatus.ACCEPTED))
    assert cache.get_inflight_orders(SYMBOL) == set()


def test_an_order_that_was_never_sent_is_not_in_flight() -> None:
    cache = Cache()
    cache.add_inflight_order(SYMBOL, "1")
    put(cache, an_order("1", OrderStatus.FAILED, eid=None))
    assert cache.get_inflight_orders(SYMBOL) == set()


def test_a_flat_position_leaves_the_cache() -> None:
    from decimal import Decimal

    cache = Cache()
    cache.put_position(Position(symbol=SYMBOL, exchange=ExchangeType.BINANCE, signed_amount=Decimal(1)))
    assert set(cache.get_all_positions(ExchangeType.BINANCE)) == {SYMBOL}
    assert cache.get_all_positions(ExchangeType.OKX) == {}
    cache.put_position(Position(symbol=SYMBOL, exchange=ExchangeType.BINANCE, signed_amount=Decimal(0)))
    assert cache.get_position(SYMBOL) is None


def test_balances_are_found_by_account_type_and_name() -> None:
    from decimal import Decimal

    cache = Cache()
    mine = AccountBalance(balances={"USDT": Balance(asset="USDT", free=Decimal(5))})
    cache.put_balance("binance:SPOT:mm1", mine)
    assert cache.get_balance(BinanceAccountType.SPOT, "mm1") == mine
    assert cache.get_balance(BinanceAccountType.SPOT).balances == {}


def test_only_so_many_keys_are_kept_and_never_is_one_of_an_open_order_dropped() -> None:
    cache = Cache(keys_max=3)
    for n in range(10):
        status = OrderStatus.ACCEPTED if n in (0, 2) else OrderStatus.CANCELED
        cache.reserve_idempotent_create_order(f"key{n}", str(n))
        put(cache, an_order(str(n), status))
    assert {key for key, _ in cache.idempotency_keys()} == {"key0", "key2", "key9"}
    assert cache.reserve_idempotent_create_order("key0", "other") == "0"


def test_the_newest_key_is_kept_even_when_all_others_belong_to_open_orders() -> None:
    cache = Cache(keys_max=2)
    for n in range(30):
        assert cache.reserve_idempotent_create_order(f"key{n}", str(n)) == str(n)
        put(cache, an_order(str(n), OrderStatus.ACCEPTED))
    assert len(cache.idempotency_keys()) == 30
    for n in range(30):
        put(cache, an_order(str(n), OrderStatus.CANCELED))
    cache.reserve_idempotent_create_order("new", "new")
    cache.reserve_idempotent_create_order("newer", "newer")
    assert {key for key, _ in cache.idempotency_keys()} == {"new", "newer"}
