"""Fee schedules: tiers by what was traded, rebates, and fees in another asset."""

from __future__ import annotations

from decimal import Decimal

import pytest
from exchange_setup import BUY, LIMIT, MARKET, PERP, SPOT, Bench
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.error import OrderError
from nexustrader.sim.fees import DAY_MS, FeeDiscount, FeeMeter, FeeSchedule, FeeTier, flat_fees
from nexustrader.sim.settings import Assumptions

D = Decimal
TIERS = (
    FeeTier(D(0), D("0.0002"), D("0.0005")),
    FeeTier(D(1_000), D("0.0001"), D("0.0004")),
    FeeTier(D(10_000), D("-0.0001"), D("0.0003")),
)
SCHEDULE = FeeSchedule(tiers=TIERS)


def quoted(schedule: FeeSchedule, **settings: object) -> Bench:
    bench = Bench(assumed=Assumptions(fees=schedule), **settings)
    bench.quote(100.0, 100.1, 100.0)
    return bench


def fee_of(bench: Bench, oid: str) -> tuple[Decimal, str | None]:
    fill = bench.facts(oid)[-1].fill
    assert fill is not None
    return fill.fee, fill.fee_currency


def test_a_tier_begins_at_its_value() -> None:
    assert [SCHEDULE.tier(D(value)) for value in (0, 999, 1_000, 9_999, 10_000, 10**9)] == [
        TIERS[0], TIERS[0], TIERS[1], TIERS[1], TIERS[2], TIERS[2]
    ]  # fmt: skip


def test_what_is_traded_today_lowers_the_rates_from_tomorrow_on() -> None:
    bench = quoted(SCHEDULE)
    first, second = bench.order(BUY, MARKET, "10"), bench.order(BUY, MARKET, "1")
    assert fee_of(bench, first)[0] == D("1001") * D("0.0005")
    assert fee_of(bench, second)[0] == D("100.1") * D("0.0005")
    bench.pass_ms(DAY_MS)
    third = bench.order(BUY, MARKET, "1")
    assert fee_of(bench, third)[0] == D("100.1") * D("0.0004")
    bench.pass_ms(31 * DAY_MS)
    fourth = bench.order(BUY, MARKET, "1")
    assert fee_of(bench, fourth)[0] == D("100.1") * D("0.0005")


def test_a_rebate_is_earned_by_makers() -> None:
    bench = quoted(FeeSchedule(tiers=TIERS, traded_before=D(10_000)))
    oid = bench.order(BUY, LIMIT, "1", "99")
    bench.quote(97.9, 98.0)
    assert fee_of(bench, oid)[0] == D(99) * D("-0.0001")
    assert bench.free("USDT") == D(10_000) + D("0.0099")


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 1_000)), max_size=30))
def test_the_traded_value_is_that_of_the_thirty_days_before_today(trades: list[tuple[int, int]]) -> None:
    start_ms = 19_000 * DAY_MS
    meter = FeeMeter(SCHEDULE, start_ms)
    days, today = [], 0
    for later, value in trades:
        today += later
        now_ms = start_ms + today * DAY_MS + 5
        assert meter.traded(now_ms) == sum(v for day, v in days if today - 30 <= day < today)
        meter.note(D(value), now_ms)
        days.append((today, value))


def test_what_was_traded_before_the_run_fades_day_by_day() -> None:
    meter = FeeMeter(FeeSchedule(tiers=TIERS, traded_before=D(30_000)), 0)
    assert [meter.traded(day * DAY_MS) for day in (0, 1, 15, 30, 31)] == [30_000, 29_000, 15_000, 0, 0]


def test_fees_can_be_paid_in_another_asset_while_there_is_enough_of_it() -> None:
    discount = FeeDiscount(asset="BNB", discount=D("0.25"), currency="USDT", price=D(300))
    schedule = FeeSchedule(tiers=TIERS[:1], discount=discount)
    bench = quoted(schedule, balances={"USDT": D(10_000), "BNB": D("0.0002")})
    first, second = bench.order(BUY, MARKET, "1"), bench.order(BUY, MARKET, "1")
    assert fee_of(bench, first) == (
        (D("100.1") * D("0.0005") * D("0.75") / 300).quantize(D("1e-8")),
        "BNB",
    )
    assert fee_of(bench, second) == (D("100.1") * D("0.0005"), "USDT")
    told = [one for one in bench.take() if getattr(one, "asset", "") == "BNB"]
    assert [one.free for one in told] == [D("0.0002") - D("0.00012512")]
    assert bench.venue.ledger.check_invariants() == []


def test_a_fee_asset_may_have_the_price_of_a_market() -> None:
    discount = FeeDiscount(asset="BTC", discount=D("0.5"), currency="USDT", symbol=PERP, price=D(1))
    bench = quoted(FeeSchedule(tiers=TIERS[:1], discount=discount), balances={"USDT": D(10_000), "BTC": D(1)})
    bench.quote(100.0, 100.1, symbol=SPOT)
    oid = bench.order(BUY, MARKET, "1", symbol=SPOT)
    assert fee_of(bench, oid)[0] == (D("100.1") * D("0.00025")).quantize(D("1e-8"))  # no price of it yet
    bench.order(BUY, MARKET, "1")
    oid = bench.order(BUY, MARKET, "1")
    assert fee_of(bench, oid) == ((D("100.1") * D("0.00025") / D("100.05")).quantize(D("1e-8")), "BTC")


@pytest.mark.parametrize(
    ("tiers", "says"),
    [
        ((), "begin at nothing"),
        ((FeeTier(D(5), D(0), D(0)),), "must begin at 0"),
        ((*TIERS, FeeTier(D(500), D(0), D(0))), "above the one before"),
        ((FeeTier(D(0), D(0), D(2)),), "rates that are none"),
    ],
)
def test_schedules_that_are_none_are_refused(tiers: tuple[FeeTier, ...], says: str) -> None:
    with pytest.raises(OrderError, match=says):
        FeeSchedule(tiers=tiers)


def test_a_discount_needs_a_price_and_a_fraction() -> None:
    with pytest.raises(OrderError, match="needs the price of one BNB in USDT"):
        FeeDiscount(asset="BNB", discount=D("0.25"), currency="USDT")
    with pytest.raises(OrderError, match=r"0\.25 is a quarter off"):
        FeeDiscount(asset="BNB", discount=D(25), currency="USDT", price=D(1))


def test_a_schedule_says_what_it_is() -> None:
    assert "from 1000 maker 0.0001, taker 0.0004" in SCHEDULE.describe()
    assert flat_fees(D(0), D("0.001")).tier(D(10**12)).taker == D("0.001")
