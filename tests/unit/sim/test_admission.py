"""What a simulated venue refuses by its own rules, in its own words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from exchange_setup import BUY, INSTRUMENTS, LIMIT, MARKET, PERP, POST_ONLY, SELL, Bench
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from nexustrader.domain.outcome import Conclusion
from nexustrader.error import OrderError
from nexustrader.sim.admission import BINANCE_USDM_RULES, OrderLimit, OrderMeter, VenueRules
from nexustrader.sim.settings import Assumptions

D = Decimal
LIMITED = {
    **INSTRUMENTS,
    PERP: replace(
        INSTRUMENTS[PERP],
        min_notional=D(5),
        max_notional=D(5_000),
        min_amount=D("0.002"),
        market_max_amount=D(20),
        min_price=D(10),
        market_lot=D("0.01"),
    ),
}


def quoted(rules: VenueRules | None = None, **settings: Any) -> Bench:
    bench = Bench(instruments=LIMITED, assumed=Assumptions(rules=rules or VenueRules()), **settings)
    bench.quote(100.0, 100.1, 1_000.0)
    return bench


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ({"amount": "0.001"}, "MARKET_LOT_SIZE: amount must be at least 0.002, is 0.001"),
        ({"amount": "0.045"}, "MARKET_LOT_SIZE: amount must be a multiple of 0.01"),
        ({"amount": "21"}, "MARKET_LOT_SIZE: amount must be at most 20, is 21"),
        ({"amount": "0.04"}, "NOTIONAL: value must be at least 5 USDT, is 4.004"),
        ({"kind": LIMIT, "price": "90", "amount": "0.055"}, "NOTIONAL: value must be at least 5 USDT"),
        ({"kind": LIMIT, "price": "100", "amount": "60"}, "NOTIONAL: value must be at most 5000 USDT"),
        ({"kind": LIMIT, "price": "9", "amount": "1"}, "PRICE_FILTER: price must be at least 10, is 9"),
        ({"kind": POST_ONLY, "price": "101", "amount": "1"}, "post-only, and it would take at this price"),
        ({"side": SELL, "amount": "1", "reduce_only": True}, "reduce-only, and there is no position"),
    ],
)
def test_filters_refuse_with_their_name_limit_and_value(order: dict[str, Any], says: str) -> None:
    bench = quoted()
    given_order: dict[str, Any] = {"side": BUY, "kind": MARKET, **order}
    oid = bench.order(**given_order)
    assert says in bench.refusal()
    assert bench.facts(oid) == []


def test_without_filters_any_size_goes() -> None:
    bench = quoted(VenueRules(filters=False))
    bench.order(BUY, MARKET, "0.001")
    assert bench.results()[-1].conclusion is Conclusion.ACCEPTED


def test_a_limit_price_must_lie_within_the_band_around_the_mark() -> None:
    bench = quoted(VenueRules(price_band=D("0.05")))
    bench.order(BUY, LIMIT, "1", "95")
    assert bench.refusal() == "PERCENT_PRICE: the price must lie between 95.0475 and 105.0525, is 95"
    assert bench.results()[-1].code == "PERCENT_PRICE"
    oid = bench.order(BUY, LIMIT, "1", "95.1")
    assert bench.kinds(oid) == ["accepted"]
    bench.order(BUY, MARKET, "1")  # has no price
    assert bench.results()[-1].conclusion is Conclusion.ACCEPTED
    bench.amend(oid, price="90")
    assert "PERCENT_PRICE" in bench.refusal()
    assert bench.kinds(oid) == ["accepted"]


def test_so_many_orders_of_a_symbol_may_be_open() -> None:
    bench = quoted(VenueRules(open_orders_max=2))
    first = bench.order(BUY, LIMIT, "1", "90")
    bench.order(BUY, LIMIT, "1", "91")
    bench.order(BUY, LIMIT, "1", "92")
    assert bench.refusal() == "MAX_NUM_ORDERS: 2 orders are open, at most 2 may be; cancel one first"
    bench.cancel(first)
    assert bench.kinds(bench.order(BUY, LIMIT, "1", "92")) == ["accepted"]


def test_more_orders_than_the_limit_in_its_time_are_refused_and_say_how_long_to_wait() -> None:
    bench = quoted(VenueRules(order_limits=(OrderLimit(3, 10_000),)))
    oid = bench.order(BUY, LIMIT, "1", "90")
    bench.pass_ms(4_000)
    bench.order(BUY, LIMIT, "1", "5")  # refused for its price, and counted
    bench.amend(oid, price="91")
    bench.cancel(oid)  # not counted
    bench.order(BUY, MARKET, "1")
    result = bench.results()[-1]
    assert bench.refusal() == "TOO_MANY_ORDERS: the limit is 3 orders in 10 s; wait 6000 ms"
    assert (result.code, result.retry_after_ms) == ("TOO_MANY_ORDERS", 6_000)
    bench.pass_ms(10_000)
    bench.order(BUY, MARKET, "1")
    assert bench.results()[-1].conclusion is Conclusion.ACCEPTED
    text = "\n".join(BINANCE_USDM_RULES.describe())
    assert "More than 300 orders within 10 s are refused" in text


@given(st.lists(st.integers(0, 900), max_size=60), st.integers(1, 5), st.integers(1, 2_000))
def test_the_limit_holds_in_every_span_of_its_time(pauses: list[int], most: int, span_ms: int) -> None:
    meter, now_ms, sent = OrderMeter([OrderLimit(most, span_ms)]), 0, list[int]()
    for pause in pauses:
        now_ms += pause
        refused = meter.refusal(now_ms)
        recent = [time for time in sent if time > now_ms - span_ms]
        assert (refused is not None) == (len(recent) >= most)
        sent.append(now_ms)


@pytest.mark.parametrize(
    "build",
    [
        lambda: VenueRules(price_band=D(0)),
        lambda: VenueRules(open_orders_max=0),
        lambda: VenueRules(order_limits=(OrderLimit(0),)),
    ],
)
def test_rules_that_are_none_are_refused(build: Any) -> None:
    with pytest.raises(OrderError, match=r"give 1 or more|is 5 % either way"):
        build()
