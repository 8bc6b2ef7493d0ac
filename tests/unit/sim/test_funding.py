"""Funding of perpetuals: when it is paid, by whom, at what rate, and where rates are read from."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from exchange_setup import (
    BUY,
    INVERSE,
    MARKET,
    PERP,
    SELL,
    SPOT,
    START_MS,
    Bench,
    instrument,
)
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.constants import InstrumentType, OrderSide
from nexustrader.domain import events as ev
from nexustrader.error import DataError, OrderError
from nexustrader.sim.funding import (
    HOUR_MS,
    NO_FUNDING,
    Funding,
    FundingMoment,
    FundingRates,
    funding_of,
    is_perpetual,
    read_rates,
)
from nexustrader.sim.settings import Assumptions

D = Decimal
NEXT_MS = (START_MS // (8 * HOUR_MS) + 1) * 8 * HOUR_MS  # 2023-11-15 00:00 UTC
DATED = "BTCUSDT-250926.BINANCE"


def bench(funding: Funding | None = None, **settings: Any) -> Bench:
    assumed = Assumptions() if funding is None else Assumptions(funding=funding)
    made = Bench(assumed=assumed, maker_fee=D(0), taker_fee=D(0), **settings)
    made.quote(100.0, 100.0)
    return made


def to(made: Bench, time_ms: int) -> None:
    made.pass_ms(time_ms - made.now())


def rates(*moments: tuple[int, str]) -> FundingRates:
    return FundingRates(tuple(FundingMoment(time_ms, D(rate)) for time_ms, rate in moments))


# -- payments --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "paid"), [(BUY, "-0.02"), (SELL, "0.02")])
def test_by_default_longs_pay_a_ten_thousandth_every_eight_hours(side: OrderSide, paid: str) -> None:
    made = bench()
    made.order(side, MARKET, "2")
    made.take()
    to(made, NEXT_MS - 1)
    assert made.booked == []
    to(made, NEXT_MS)
    (booked,) = made.booked
    assert (booked.symbol, booked.timestamp) == (PERP, NEXT_MS)
    assert (booked.entry.cause, booked.entry.asset, booked.entry.amount) == ("funding", "USDT", D(paid))
    (told,) = made.take()
    assert isinstance(told, ev.BalanceEvent)
    assert (told.free, told.cause) == (10_000 + D(paid), "funding")
    to(made, NEXT_MS + 24 * HOUR_MS)
    assert len(made.booked) == 4
    assert made.venue.ledger.check_invariants() == []


def test_the_value_is_that_at_the_mark_of_the_moment() -> None:
    made = bench()
    made.order(BUY, MARKET, "1")
    made.quote(199.0, 201.0)
    to(made, NEXT_MS)
    assert made.booked[0].entry.amount == D("-0.02")


def test_only_what_is_held_at_the_moment_pays() -> None:
    made = bench()
    made.order(BUY, MARKET, "1")
    made.order(SELL, MARKET, "1")
    to(made, NEXT_MS)
    made.order(BUY, MARKET, "1")
    to(made, NEXT_MS + 8 * HOUR_MS - 1)
    assert made.booked == []
    assert made.clock.next_ns() is not None
    made.order(SELL, MARKET, "1")
    to(made, NEXT_MS + 8 * HOUR_MS)
    assert made.booked == []
    assert made.clock.next_ns() is None  # nothing held, nothing due


def test_inverse_contracts_pay_in_base() -> None:
    made = bench(balances={"BTC": D(1)})
    made.quote(10_000.0, 10_000.0, 1_000.0, symbol=INVERSE)
    made.order(BUY, MARKET, "10", symbol=INVERSE)  # 1,000 USD are 0.1 BTC
    to(made, NEXT_MS)
    assert [(b.entry.asset, b.entry.amount) for b in made.booked] == [("BTC", D("-0.00001"))]


def test_recorded_rates_go_before_the_assumed_one_and_only_as_far_as_they_reach() -> None:
    series = rates((NEXT_MS + HOUR_MS, "0.001"), (NEXT_MS + 2 * HOUR_MS, "-0.002"))
    made = bench(Funding(series={PERP: series}))
    made.order(BUY, MARKET, "1")
    to(made, NEXT_MS + 9 * HOUR_MS)
    paid = [(b.timestamp - NEXT_MS, b.entry.amount) for b in made.booked]
    assert paid == [
        (0, D("-0.01")),
        (HOUR_MS, D("-0.1")),
        (2 * HOUR_MS, D("0.2")),
        (8 * HOUR_MS, D("-0.01")),
    ]


def test_without_an_assumed_rate_nothing_is_paid_outside_of_the_record() -> None:
    made = bench(Funding(series={PERP: rates((NEXT_MS + HOUR_MS, "0.001"))}, constant=None))
    made.order(BUY, MARKET, "1")
    to(made, NEXT_MS + 30 * HOUR_MS)
    assert [b.timestamp - NEXT_MS for b in made.booked] == [HOUR_MS]
    off = bench(NO_FUNDING)
    off.order(BUY, MARKET, "1")
    assert off.clock.next_ns() is None


async def test_a_position_of_an_earlier_run_pays_on_and_a_stopped_venue_does_not() -> None:
    made = bench()
    made.order(BUY, MARKET, "1")
    saved = made.venue.saved()

    class Kept:
        def load(self) -> Any:
            return saved

        def save(self, account: Any) -> None: ...

    later = Bench()
    later.venue._keeping._keeper = Kept()
    await later.venue.start()
    to(later, NEXT_MS)
    assert later.booked[0].entry.amount == D("-0.01")  # valued at its entry price: there is no quote yet
    await later.venue.stop()
    to(later, NEXT_MS + 24 * HOUR_MS)
    assert len(later.booked) == 1


def test_perpetuals_alone_pay() -> None:
    dated = instrument(DATED, InstrumentType.LINEAR)
    assert not is_perpetual(dated)
    assert not is_perpetual(instrument(PERP, InstrumentType.LINEAR, expiry_ms=NEXT_MS))
    assert not is_perpetual(instrument(SPOT, InstrumentType.SPOT))
    assert is_perpetual(instrument(INVERSE, InstrumentType.INVERSE))
    made = bench(instruments={DATED: dated})
    made.quote(100.0, 100.0, symbol=DATED)
    made.order(BUY, MARKET, "1", symbol=DATED)
    to(made, NEXT_MS)
    assert made.booked == []


@given(
    st.lists(st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 3_000), st.integers(0, 20)), max_size=25)
)
def test_what_is_paid_is_what_the_held_amounts_owe(actions: list[tuple[OrderSide, int, int]]) -> None:
    made = bench(balances={"USDT": D(10**6)})
    held, owed = 0, D(0)
    for side, lots, hours in actions:
        made.order(side, MARKET, str(D(lots) / 1000))
        held += lots if side is BUY else -lots
        before = made.now() // (8 * HOUR_MS)
        made.pass_ms(hours * HOUR_MS)
        owed += (made.now() // (8 * HOUR_MS) - before) * held * D("0.00001")
    assert sum((b.entry.amount for b in made.booked), D(0)) == -owed
    assert made.venue.ledger.check_invariants() == []


# -- where rates come from -------------------------------------------------------------------------------------

TABLE = {"timestamp": [NEXT_MS + 7, NEXT_MS + 8 * HOUR_MS + 2], "funding_rate": [0.0001, -0.00025]}
EXPECTED = rates((NEXT_MS, "0.0001"), (NEXT_MS + 8 * HOUR_MS, "-0.00025"))


def test_rates_are_read_from_files_frames_and_pairs(tmp_path: Path) -> None:
    lines = ["timestamp,symbol,funding_rate"]
    lines += [f"{t},BTCUSDT,{r}" for t, r in zip(*TABLE.values(), strict=True)]
    plain, packed = tmp_path / "funding.csv", tmp_path / "funding.csv.gz"
    plain.write_text("\n".join([*lines, f"{NEXT_MS},ETHUSDT,0.5"]))
    packed.write_bytes(gzip.compress("\n".join(reversed(lines[1:])).join([lines[0] + "\n", ""]).encode()))
    dates = [datetime.fromtimestamp(t / 1000, tz=UTC) for t in TABLE["timestamp"]]
    for source in (
        plain,
        str(packed),
        pl.DataFrame(TABLE),
        pd.DataFrame(TABLE),
        pd.DataFrame({"date": pd.to_datetime(dates), "fundingRate": TABLE["funding_rate"]}),
        pl.DataFrame({"Time": [t // 1000 for t in TABLE["timestamp"]], "rate": TABLE["funding_rate"]}),
        list(zip(*TABLE.values(), strict=True)),
        [(date.isoformat(), rate) for date, rate in zip(dates, TABLE["funding_rate"], strict=True)],
        EXPECTED,
    ):
        assert read_rates(source, PERP) == EXPECTED


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("time,price\n1,2\n", "has no column funding_rate"),
        ("timestamp,funding_rate\n", "has no column timestamp or"),
        ("timestamp,funding_rate\n1768233600000,x\n", "row 1: time '1768233600000' and rate 'x' are no such"),
        ("timestamp,funding_rate\n1768233600000,3\n", "row 1"),
        ("timestamp,symbol,funding_rate\n1,ETHUSDT,0\n", "has no row of BTCUSDT; it is of ETHUSDT"),
    ],
)
def test_files_that_hold_no_rates_are_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "rates.csv").write_text(text)
    with pytest.raises(DataError, match=says) as caught:
        read_rates(tmp_path / "rates.csv", PERP)
    assert "rates.csv" in str(caught.value)
    with pytest.raises(DataError, match=r"none\.csv cannot be read"):
        read_rates(tmp_path / "none.csv", PERP)


def test_recorded_rates_of_a_venue_are_read(testdata: Path) -> None:
    found = read_rates(testdata / "marketdata/funding/BTCUSDT-funding-2026.csv", PERP)
    assert len(found.moments) == 200
    assert found.moments[0] == FundingMoment(1_768_233_600_000, D("0.00004650"))
    assert all(moment.time_ms % (8 * HOUR_MS) == 0 for moment in found.moments)


@pytest.mark.slow
def test_two_months_of_recorded_rates_and_prices_cost_what_they_add_up_to(testdata: Path) -> None:
    folder = testdata / "marketdata"
    series = read_rates(folder / "funding/BTCUSDT-funding-2026.csv", PERP)
    made = bench(Funding(series={PERP: series}, constant=None), balances={"USDT": D(10**6)})
    made.order(BUY, MARKET, "1.5")
    closes = {}
    with gzip.open(folder / "klines/binance_usdm/BTCUSDT-1h.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            end_ms, close = int(row["timestamp"]) + HOUR_MS, round(float(row["close"]), 1)
            to(made, end_ms - 1)
            made.quote(close, close)
            to(made, end_ms)
            closes[end_ms] = D(str(close))
    due = [moment for moment in series.moments if moment.time_ms in closes]
    assert len(due) == len(made.booked) > 150
    owed = sum((D("1.5") * closes[time_ms] * rate for time_ms, rate in due), D(0))
    assert sum(b.entry.amount for b in made.booked) == pytest.approx(-owed, abs=D("1e-6"))
    assert owed > 100


def test_what_a_user_may_say_of_funding() -> None:
    assert funding_of(None) == funding_of(True) == Funding()
    assert funding_of(False) == NO_FUNDING
    assert funding_of("0.0003").constant == D("0.0003")
    assert funding_of({PERP: EXPECTED.moments}).series == {PERP: EXPECTED}
    with pytest.raises(OrderError, match="give False, a rate per 8 hours"):
        funding_of("much")
    with pytest.raises(OrderError, match="is no rate"):
        funding_of(8)


def test_funding_says_what_is_recorded_and_what_is_assumed() -> None:
    both = "\n".join(Funding(series={PERP: EXPECTED}).describe([PERP, INVERSE]))
    assert f"Funding of {PERP} is paid at 2 recorded rates" in both
    assert f"Funding of {INVERSE} is assumed, not recorded" in both
    assert list(NO_FUNDING.describe([PERP])) == [f"Funding of {PERP} is neither paid nor received"]
    assert list(Funding().describe([])) == []
