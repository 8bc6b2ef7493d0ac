"""Money is conserved to the last digit: what accounts hold in the end is the opening and all that is told of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from backtest_setup import BUY, INVERSE, LIMIT, M1, MARKET, PERP, SELL, SPOT, T0, AtBars, bars_of, real, run
from hypothesis import given, settings
from hypothesis import strategies as st

from nexustrader.backtest import BacktestResult
from nexustrader.data.ticks import build_quotes, build_trades
from nexustrader.exchange import BinanceAccountType
from nexustrader.sim.fees import FeeDiscount, FeeSchedule, FeeTier

D = Decimal
ACCOUNTS = (BinanceAccountType.SPOT, BinanceAccountType.USD_M_FUTURE, BinanceAccountType.COIN_M_FUTURE)
OPENING = {"USDT": D(2_000), "BTC": D(3), "BNB": D("0.05")}
TIERS = (FeeTier(D(0), D("-0.0001"), D("0.0007")), FeeTier(D(50_000), D("-0.0002"), D("0.0003")))
IN_BNB = FeeDiscount(asset="BNB", discount=D("0.25"), currency="USDT", price=D(300))
FEES: tuple[Any, ...] = (
    None,
    ("-0.0003", "0.0007"),
    FeeSchedule(tiers=TIERS),
    FeeSchedule(tiers=TIERS, discount=IN_BNB),
)
FUNDING = {PERP: [(T0 + 60_000 * n, "0.003") for n in range(2, 60, 5)]} | {
    INVERSE: [(T0 + 60_000 * n, "-0.0021") for n in range(3, 60, 7)]
}


def expected(result: BacktestResult, opening: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Balances of all accounts by asset, reckoned from what the result tells alone."""
    found = Counter[str]()
    found.update({asset: amount * len(result.balances) for asset, amount in opening.items()})
    for fill in result.fills:
        found[fill.fee_currency] -= fill.fee  # type: ignore[assignment]
        if fill.symbol == SPOT:
            sign = 1 if fill.side.is_buy else -1
            found["BTC"] += sign * fill.amount  # type: ignore[assignment]
            found["USDT"] -= sign * fill.value  # type: ignore[assignment]
        else:
            found[fill.settle] += fill.realized_pnl  # type: ignore[assignment]
    for payment in result.payments:
        found[payment.asset] += payment.amount  # type: ignore[assignment]
    return dict(found)  # type: ignore[arg-type]


def held(result: BacktestResult) -> dict[str, Decimal]:
    found = dict.fromkeys(OPENING, D(0))
    for wallets in result.balances.values():
        for asset, amount in wallets.items():
            found[asset] += amount
    return found


def data_of(prices: list[float], kind: str) -> dict[str, Any]:
    rows = [(a, max(a, b) + 1, min(a, b) - 1, b) for a, b in pairwise(prices)]
    found: dict[str, Any] = {symbol: [bars_of(rows, symbol)] for symbol in (PERP, SPOT, INVERSE)}
    times = (T0 + 15_000 * np.arange(1, 4 * len(rows))) * 1_000_000
    middle = np.round(np.interp(times, (T0 + 60_000 * np.arange(len(prices))) * 1_000_000, prices), 1)
    sizes = np.full(len(times), 3.0)
    if kind == "quotes":
        sides = {"bid": middle - 0.1, "ask": middle + 0.1, "bid_size": sizes, "ask_size": sizes}
        found[PERP].append(build_quotes({"time_ns": times, **sides}, PERP, "the test"))
    elif kind == "trades":
        table = {"time_ns": times, "price": middle, "size": sizes, "is_buy": np.arange(len(times)) % 2 == 0}
        found[PERP].append(build_trades(table, PERP, "the test"))
    return found


class Busy(AtBars):
    """Does what it is told at every close, at the market or at a limit."""

    def __init__(self, steps: list[tuple[str, bool, int, bool]]) -> None:
        super().__init__({})
        self.steps = steps

    def on_start(self) -> None:
        self.subscribe_kline([PERP, SPOT, INVERSE], M1)

    def on_kline(self, kline: Any) -> None:
        place = (kline.start - T0) // 60_000
        if place >= len(self.steps) or self.steps[place][0] != kline.symbol:
            return
        symbol, buys, size, at_limit = self.steps[place]
        amount = D(size * 10) if symbol == INVERSE else D(size) / 1000
        side = BUY if buys else SELL
        if at_limit:
            self.create_order(symbol, side, LIMIT, amount, D(round(kline.close)))
        else:
            self.create_order(symbol, side, MARKET, amount)


STEPS = st.lists(
    st.tuples(st.sampled_from([PERP, SPOT, INVERSE]), st.booleans(), st.integers(1, 999), st.booleans()),
    min_size=5,
    max_size=40,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    STEPS,
    st.lists(st.integers(-900, 900), min_size=10, max_size=40),
    st.sampled_from(["bars", "quotes", "trades"]),
    st.sampled_from(range(len(FEES))),
    st.sampled_from(["cross", "isolated"]),
)
def test_every_balance_is_the_opening_and_all_that_moved(
    steps: list[tuple[str, bool, int, bool]], moves: list[int], kind: str, fees: int, margin: str
) -> None:
    prices = np.maximum(10_000 + np.cumsum([0, *moves]), 2_000).astype(float).tolist()
    connectors = [real(account) for account in ACCOUNTS]
    more: dict[str, Any] = {"fees": FEES[fees], "funding": FUNDING, "margin": margin, "leverage": 20}
    result = run(Busy(steps), data_of(prices, kind), *connectors, balances=OPENING, **more)
    assert held(result) == expected(result, OPENING)
    assert result.user_errors == 0
    wallets = held(result)
    price = prices[-1]
    worth = float(wallets["USDT"]) + float(wallets["BTC"]) * price
    for symbol, position in result.positions.items():
        size, entry = float(position.signed_amount), position.entry_price
        if symbol == INVERSE:
            worth += 100 * size * (1 / entry - 1 / price) * price
        else:
            worth += size * (price - entry)
    assert result.final_equity == pytest.approx(worth, rel=1e-10, abs=1e-6)


def test_funding_and_what_a_liquidation_left_unpaid_are_payments() -> None:
    rows = [(100.0, 100.0, 100.0, 100.0)] * 4 + [(100.0, 100.0, 70.0, 71.0)] * 2
    result = run(AtBars({1: lambda s: s.buy("900")}), bars_of(rows), fees=0, funding={PERP: FUNDING[PERP]})
    assert {payment.cause for payment in result.payments} == {"funding", "insurance"}
    assert held(result)["USDT"] == expected(result, {"USDT": D(10_000)})["USDT"] == 0


def test_a_fee_in_a_third_asset_is_reckoned_at_its_own_price() -> None:
    schedule = FeeSchedule(tiers=(FeeTier(D(0), D(0), D("0.001")),), discount=IN_BNB)
    plan = {1: lambda s: s.buy("1"), 2: lambda s: s.sell("1")}
    rows = [(100.0, 100.0, 100.0, 100.0)] * 3
    more: dict[str, Any] = {"fees": schedule, "balances": {"USDT": 1_000, "BNB": 1}}
    result = run(AtBars(plan), bars_of(rows), **more)
    (trade,) = result.closed_trades
    assert [fill.fee_currency for fill in result.fills] == ["BNB", "BNB"]
    assert float(trade.fees) == pytest.approx((100 + 99) * 0.001 * 0.75, rel=1e-4)
    assert trade.fees == sum(fill.fee * 300 for fill in result.fills)
    assert trade.profit == result.realized_pnl - trade.fees
