"""Fees, margin and the account: known cases, and conservation of money over random trading."""

from __future__ import annotations

from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_setup import BUY, INVERSE, LINEAR, SELL, SPOT, order

from nexustrader.error import InstrumentError, OrderError
from nexustrader.sim.account import Applied, Entry, SimAccount
from nexustrader.sim.fees import Fee, trade_fee
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.position import PNL_QUANTUM
from nexustrader.sim.types import Accepted, Canceled, MatchEvent, Side, SimInstrument, SimOrder, Traded

ALL = (SPOT, LINEAR, INVERSE)
_trade_ids = count(1)


def account(leverage: int = 10, **balances: str) -> SimAccount:
    return SimAccount(
        "a", {asset: Decimal(amount) for asset, amount in balances.items()}, ALL, leverage=leverage
    )


def traded(
    instrument: SimInstrument, side: Side, lots: int, price: str, *, is_maker: bool = False, **fields: str
) -> Traded:
    """An order that was filled at once, as its last event tells."""
    ticks = instrument.to_ticks(Decimal(price))
    filled = order(side, lots, ticks, symbol=instrument.symbol, filled=lots, status="FILLED", **fields)
    return Traded(filled, ticks, lots, is_maker, next(_trade_ids))


def trade(
    of: SimAccount, instrument: SimInstrument, side: Side, lots: int, price: str, **more: object
) -> Applied:
    applied = of.apply(traded(instrument, side, lots, price, **more))
    assert applied is not None
    assert of.check_invariants() == []
    return applied


def resting(instrument: SimInstrument, side: Side, lots: int, price: str, **fields: object) -> SimOrder:
    return order(side, lots, instrument.to_ticks(Decimal(price)), symbol=instrument.symbol, **fields)


# -- fees -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "side", "is_maker", "fee"),
    [
        (SPOT, BUY, False, Fee(Decimal("0.00000100"), "BTC")),
        (SPOT, SELL, True, Fee(Decimal("0.06000001"), "USDT")),
        (LINEAR, BUY, False, Fee(Decimal("3.000005"), "USDT")),
        (LINEAR, SELL, True, Fee(Decimal("-0.600001"), "USDT")),
        (INVERSE, BUY, False, Fee(Decimal("0.00008333"), "BTC")),
    ],
)
def test_fees_of_each_kind(instrument: SimInstrument, side: Side, is_maker: bool, fee: Fee) -> None:
    price, lots = {"spot": ("60000.01", 100), "linear": ("60000.1", 100), "inverse": ("60000.1", 100)}[
        instrument.kind
    ]
    assert trade_fee(instrument, side, instrument.to_ticks(Decimal(price)), lots, is_maker=is_maker) == fee


def test_a_venue_may_take_spot_fees_in_quote() -> None:
    fee = trade_fee(SPOT, BUY, 6_000_000, 100, is_maker=False, spot_fee_asset="quote")
    assert fee == Fee(Decimal("0.06"), "USDT")


def test_fees_and_rebates_are_cut_towards_zero() -> None:
    odd = Decimal("0.00012789")
    for rate, cut in ((odd, Decimal("0.00000012")), (-odd, Decimal("-0.00000012"))):
        instrument = SimInstrument(
            symbol="X",
            kind="linear",
            tick=Decimal("0.001"),
            lot=Decimal(1),
            base="X",
            quote="USDT",
            settle="USDT",
            taker_fee=rate,
        )
        assert trade_fee(instrument, BUY, 1, 1, is_maker=False).amount == cut


# -- spot -------------------------------------------------------------------------------------------------


def test_a_spot_buy_pays_quote_and_takes_its_fee_from_what_it_receives() -> None:
    mine = account(USDT="1000")
    applied = trade(mine, SPOT, BUY, 1000, "60000")
    assert applied.entries == (
        Entry("BTC", Decimal("0.01"), "trade", applied.entries[0].ref),
        Entry("USDT", Decimal("-600"), "trade", applied.entries[0].ref),
        Entry("BTC", Decimal("-0.00001"), "fee", applied.entries[0].ref),
    )
    assert (mine.wallet("BTC"), mine.wallet("USDT")) == (Decimal("0.00999"), Decimal(400))
    assert (applied.fee, applied.fee_asset, applied.realized_pnl) == (Decimal("0.00001"), "BTC", 0)


def test_open_spot_orders_lock_what_they_may_spend() -> None:
    mine = account(USDT="1000", BTC="1")
    buy, sell = resting(SPOT, BUY, 1000, "60000"), resting(SPOT, SELL, 40000, "61000")
    mine.apply(Accepted(buy.snapshot()))
    mine.apply(Accepted(sell.snapshot()))
    assert (mine.free("USDT"), mine.locked("USDT")) == (Decimal(400), Decimal(600))
    assert (mine.free("BTC"), mine.locked("BTC")) == (Decimal("0.6"), Decimal("0.4"))
    buy.filled, buy.status = 400, "PARTIALLY_FILLED"
    mine.apply(Traded(buy.snapshot(), buy.price, 400, True, 1))
    assert (mine.free("USDT"), mine.locked("USDT")) == (Decimal(400), Decimal(360))
    buy.status = "CANCELED"
    mine.apply(Canceled(buy.snapshot()))
    assert mine.free("USDT") == Decimal(760)


def test_a_spot_order_beyond_the_free_balance_is_refused() -> None:
    mine = account(USDT="1000", BTC="0.5")
    assert mine.refusal(SPOT.symbol, resting(SPOT, BUY, 1666, "60000")) is None
    refusal = mine.refusal(SPOT.symbol, resting(SPOT, BUY, 1667, "60000"))
    assert refusal == "insufficient USDT: BUY 0.01667 BTCUSDT.BINANCE needs 1000.2, available is 1000"
    assert mine.refusal(SPOT.symbol, resting(SPOT, SELL, 50000, "60000")) is None
    assert "insufficient BTC" in str(mine.refusal(SPOT.symbol, resting(SPOT, SELL, 50001, "60000")))


def test_a_market_order_is_reckoned_at_the_price_given_or_at_the_mark() -> None:
    mine = account(USDT="1000")
    buy = order(BUY, 1000, symbol=SPOT.symbol)
    assert "no price" in str(mine.refusal(SPOT.symbol, buy))
    assert mine.refusal(SPOT.symbol, buy, Decimal(100_000)) is None
    assert mine.refusal(SPOT.symbol, buy, Decimal(100_001)) is not None
    mine.set_mark(SPOT.symbol, Decimal(100_001))
    assert mine.refusal(SPOT.symbol, buy) is not None


def test_an_amended_order_is_reckoned_in_place_of_itself() -> None:
    mine = account(USDT="1000")
    buy = resting(SPOT, BUY, 1000, "60000")
    mine.apply(Accepted(buy.snapshot()))
    buy.lots = 1666
    assert mine.refusal(SPOT.symbol, buy) is None
    buy.lots = 1667
    assert mine.refusal(SPOT.symbol, buy) is not None


# -- linear -----------------------------------------------------------------------------------------------


def test_a_linear_position_averages_reduces_and_flips() -> None:
    mine = account(USDT="10000")
    trade(mine, LINEAR, BUY, 100, "60000")
    trade(mine, LINEAR, BUY, 200, "63000")
    assert (mine.position(LINEAR.symbol).lots, mine.entry_price(LINEAR.symbol)) == (300, Decimal(62000))
    assert trade(mine, LINEAR, SELL, 100, "62500").realized_pnl == Decimal(50)
    assert mine.entry_price(LINEAR.symbol) == Decimal(62000)
    flipped = trade(mine, LINEAR, SELL, 300, "61000")
    assert flipped.realized_pnl == Decimal(-200)
    assert (mine.position(LINEAR.symbol).lots, mine.entry_price(LINEAR.symbol)) == (-100, Decimal(61000))
    mine.set_mark(LINEAR.symbol, Decimal(60000))
    assert mine.unrealized(LINEAR.symbol) == Decimal(100)


def test_rounding_of_realised_profit_stays_in_the_cost_until_the_position_is_flat() -> None:
    thirds = SimInstrument(
        symbol="T",
        kind="linear",
        tick=Decimal("0.00000001"),
        lot=Decimal(1),
        base="T",
        quote="USDT",
        settle="USDT",
        taker_fee=Decimal(0),
    )
    mine = SimAccount("a", {"USDT": Decimal(1)}, [thirds])
    for side, lots, price in ((BUY, 1, "0.00000001"), (BUY, 2, "0.00000003"), (SELL, 1, "0.00000003")):
        trade(mine, thirds, side, lots, price)
    trade(mine, thirds, SELL, 2, "0.00000003")
    assert mine.wallet("USDT") == Decimal(1) + Decimal("0.00000002")
    assert mine.position("T").dust == 0


def test_margin_covers_the_position_and_the_side_of_open_orders_that_extends_it() -> None:
    mine = account(USDT="10000")
    trade(mine, LINEAR, BUY, 100, "60000")
    mine.set_mark(LINEAR.symbol, Decimal(60000))
    assert mine.initial_margin("USDT") == Decimal(600)
    mine.apply(Accepted(resting(LINEAR, SELL, 200, "60000")))
    assert mine.initial_margin("USDT") == Decimal(600)
    mine.apply(Accepted(resting(LINEAR, BUY, 100, "59000")))
    assert mine.initial_margin("USDT") == Decimal(1190)
    assert mine.available("USDT") == Decimal(10000) - Decimal(3) - Decimal(1190)


def test_an_order_beyond_the_margin_is_refused_unless_it_reduces() -> None:
    mine = account(USDT="1000")
    trade(mine, LINEAR, BUY, 160, "60000")
    mine.set_mark(LINEAR.symbol, Decimal(60000))
    assert mine.refusal(LINEAR.symbol, resting(LINEAR, BUY, 5, "60000")) is None
    assert "insufficient USDT" in str(mine.refusal(LINEAR.symbol, resting(LINEAR, BUY, 10, "60000")))
    mine.set_mark(LINEAR.symbol, Decimal(54000))
    assert mine.available("USDT") < 0
    assert mine.refusal(LINEAR.symbol, resting(LINEAR, SELL, 160, "54000")) is None
    assert mine.refusal(LINEAR.symbol, resting(LINEAR, SELL, 500, "54000")) is not None
    assert mine.refusal(LINEAR.symbol, resting(LINEAR, SELL, 500, "54000", reduce_only=True)) is None


def test_resting_reduce_only_orders_cost_no_margin() -> None:
    mine = account(USDT="1000")
    trade(mine, LINEAR, BUY, 10, "60000")
    before = mine.available("USDT")
    mine.apply(Accepted(resting(LINEAR, SELL, 500, "61000", reduce_only=True)))
    assert mine.available("USDT") == before


def test_leverage_decides_the_margin_and_has_bounds() -> None:
    mine = account(USDT="1000")
    trade(mine, LINEAR, BUY, 100, "60000")
    mine.set_leverage(LINEAR.symbol, 125)
    assert mine.initial_margin("USDT") == Decimal(48)
    for impossible in (0, 126):
        with pytest.raises(OrderError):
            mine.set_leverage(LINEAR.symbol, impossible)


def test_funding_moves_money_from_longs_to_shorts() -> None:
    mine = account(USDT="1000", BTC="1")
    assert mine.funding(LINEAR.symbol, Decimal("0.0001"), Decimal(60000)) == ()
    trade(mine, LINEAR, BUY, 100, "60000")
    (entry,) = mine.funding(LINEAR.symbol, Decimal("0.0001"), Decimal(60000))
    assert (entry.asset, entry.amount, entry.cause) == ("USDT", Decimal("-0.6"), "funding")
    trade(mine, INVERSE, SELL, 60, "60000")
    (entry,) = mine.funding(INVERSE.symbol, Decimal("0.0001"), Decimal(60000))
    assert (entry.asset, entry.amount) == ("BTC", Decimal("0.00001"))
    assert mine.check_invariants() == []


@pytest.mark.parametrize("instrument", [LINEAR, INVERSE], ids=lambda i: i.kind)
@pytest.mark.parametrize("side", list(Side), ids=lambda s: s.name)
def test_at_the_liquidation_price_equity_is_the_maintenance_margin(
    instrument: SimInstrument, side: Side
) -> None:
    mine = account(USDT="1000", BTC="0.05")
    trade(mine, instrument, side, 100, "60000")
    price = mine.liquidation_price(instrument.symbol)
    assert price is not None
    mine.set_mark(instrument.symbol, price)
    assert abs(mine.equity(instrument.settle) - mine.maintenance_margin(instrument.settle)) < Decimal("1e-9")
    mine.set_mark(instrument.symbol, price * Decimal("0.999") if side is BUY else price * Decimal("1.001"))
    assert mine.excess(mine.position(instrument.symbol)) <= 0
    mine.set_mark(instrument.symbol, price * Decimal("1.001") if side is BUY else price * Decimal("0.999"))
    assert mine.excess(mine.position(instrument.symbol)) > 0


def test_a_position_covered_at_any_price_has_no_liquidation_price() -> None:
    mine = account(USDT="1000000")
    assert mine.liquidation_price(LINEAR.symbol) is None
    trade(mine, LINEAR, BUY, 100, "60000")
    assert mine.liquidation_price(LINEAR.symbol) is None


def test_other_positions_of_the_asset_count_towards_liquidation() -> None:
    mine = account(USDT="1000")
    trade(mine, LINEAR, BUY, 100, "60000", position_side="LONG")
    alone = mine.liquidation_price(LINEAR.symbol, "LONG")
    trade(mine, LINEAR, SELL, 50, "60000", position_side="SHORT")
    hedged = mine.liquidation_price(LINEAR.symbol, "LONG")
    assert alone is not None
    assert hedged is not None
    assert hedged > alone  # the short's maintenance margin and fee, at its own standing mark


def test_hedge_mode_keeps_both_sides_apart() -> None:
    mine = account(USDT="10000")
    trade(mine, LINEAR, BUY, 100, "60000", position_side="LONG")
    trade(mine, LINEAR, SELL, 40, "60000", position_side="SHORT")
    assert mine.position_lots(LINEAR.symbol, "LONG") == 100
    assert mine.position_lots(LINEAR.symbol, "SHORT") == -40
    assert mine.position_lots(LINEAR.symbol) == 0
    assert mine.initial_margin("USDT") == Decimal(840)
    assert [p.position_side for p in mine.positions()] == ["LONG", "SHORT"]


# -- inverse ----------------------------------------------------------------------------------------------


def test_an_inverse_position_is_reckoned_in_base() -> None:
    mine = account(BTC="1")
    trade(mine, INVERSE, BUY, 60, "60000")
    trade(mine, INVERSE, BUY, 40, "40000")
    assert mine.entry_price(INVERSE.symbol) == Decimal(50000)
    assert trade(mine, INVERSE, SELL, 50, "62500").realized_pnl == Decimal("0.02")
    mine.set_mark(INVERSE.symbol, Decimal(40000))
    assert mine.unrealized(INVERSE.symbol) == Decimal("-0.025")
    assert mine.initial_margin("BTC") == Decimal("0.0125")


# -- the rest -----------------------------------------------------------------------------------------------


def test_events_of_other_accounts_are_left_alone() -> None:
    mine = account(USDT="1000")
    before = mine.ledger()
    assert mine.apply(traded(SPOT, BUY, 10, "60000", account="b")) is None
    assert mine.ledger() == before


def test_an_unknown_symbol_is_an_error() -> None:
    mine = SimAccount("a", {"USDT": Decimal(1)})
    with pytest.raises(InstrumentError):
        mine.apply(traded(SPOT, BUY, 10, "60000"))
    mine.add_instrument(SPOT)
    assert mine.apply(traded(SPOT, BUY, 10, "60000")) is not None


def test_the_ledger_is_plain_text_and_independent_of_marks() -> None:
    mine = account(USDT="1000.50")
    mine.apply(Accepted(resting(SPOT, BUY, 100, "60000", order_id=77)))
    trade(mine, LINEAR, SELL, 10, "60000")
    ledger = mine.ledger()
    mine.set_mark(LINEAR.symbol, Decimal(1))
    assert mine.ledger() == ledger
    assert ledger == {
        "account": "a",
        "balances": {"USDT": {"wallet": "1000.2", "locked": "60", "free": "940.2"}},
        "positions": {
            "BTCUSDT-PERP.BINANCE/BOTH": {"amount": "-0.01", "entry_price": "60000", "realized_pnl": "0"}
        },
        "totals": {"USDT/deposit": "1000.5", "USDT/fee": "-0.3"},
        "open_orders": ["BTCUSDT.BINANCE/77"],
    }


def test_a_restored_position_goes_on_where_it_ended() -> None:
    mine = account(USDT="1000")
    mine.restore_position(LINEAR.symbol, -100, Decimal(60000))
    assert mine.entry_price(LINEAR.symbol) == Decimal(60000)
    assert trade(mine, LINEAR, BUY, 100, "59000").realized_pnl == Decimal(100)


def test_transfers_have_a_cause() -> None:
    mine = account(USDT="1000")
    assert mine.transfer("USDT", Decimal(-400), "withdrawal:1") == Entry(
        "USDT", Decimal(-400), "transfer", "withdrawal:1"
    )
    assert mine.wallet("USDT") == Decimal(600)
    assert mine.check_invariants() == []


def test_an_overdrawn_account_is_seen_by_the_check() -> None:
    mine = account(USDT="1")
    mine.apply(Accepted(resting(SPOT, BUY, 100, "60000")))
    assert "lock" in mine.check_invariants()[0]


# -- conservation -------------------------------------------------------------------------------------------

FILLS = st.lists(
    st.tuples(st.sampled_from(list(Side)), st.integers(1, 500), st.integers(10_000, 900_000), st.booleans()),
    max_size=40,
)


def both_sides(instrument: SimInstrument, side: Side, lots: int, ticks: int) -> tuple[Traded, Traded]:
    trade_id = next(_trade_ids)
    taker = order(side, lots, ticks, symbol=instrument.symbol, filled=lots, status="FILLED", account="a")
    maker = order(
        side.opposite, lots, ticks, symbol=instrument.symbol, filled=lots, status="FILLED", account="b"
    )
    return Traded(taker, ticks, lots, False, trade_id, "b"), Traded(maker, ticks, lots, True, trade_id, "a")


@pytest.mark.parametrize("instrument", ALL, ids=lambda i: i.kind)
@given(fills=FILLS)
def test_no_money_is_made_or_lost_between_two_accounts(instrument: SimInstrument, fills: list) -> None:
    """What one pays the other receives; fees leave; profit, taken and open, adds up to zero."""
    opening = {asset: Decimal("123.456") for asset in ("BTC", "USDT")}
    accounts = [SimAccount(name, opening, [instrument]) for name in "ab"]
    paid = dict.fromkeys(opening, Decimal(0))
    mark = Decimal(1)
    for side, lots, ticks, funds in fills:
        mark = instrument.price(ticks)
        events = both_sides(instrument, side, lots, ticks)
        for owner, event in zip(accounts, events, strict=True):
            applied = owner.apply(event)
            assert applied is not None
            paid[applied.fee_asset] += applied.fee
        if funds and instrument.kind != "spot":
            moved = [owner.funding(instrument.symbol, Decimal("0.0003"), mark) for owner in accounts]
            assert sum(entry.amount for entries in moved for entry in entries) == 0
    for owner in accounts:
        assert owner.check_invariants() == []
        owner.set_mark(instrument.symbol, mark)
    for asset, amount in opening.items():
        held = sum(owner.equity(asset) for owner in accounts)
        dust = sum(abs(owner.position(instrument.symbol).dust) for owner in accounts)
        assert abs(held + paid[asset] - 2 * amount) <= dust <= PNL_QUANTUM * max(1, len(fills))


class Venue:
    """An engine and its accounts, wired as the worlds wire them; every order passes the account's check."""

    def __init__(self, instrument: SimInstrument) -> None:
        self.instrument = instrument
        money = {"USDT": Decimal(3000), "BTC": Decimal("0.05")}
        self.accounts = {name: SimAccount(name, money, [instrument], leverage=5) for name in "ab"}
        self.engine = MatchingEngine(
            instrument,
            position_of=lambda name, position_side: self.accounts[name].position_lots(
                instrument.symbol, position_side
            ),
        )

    def settle(self, events: list[MatchEvent]) -> None:
        for event in events:
            if isinstance(event, Traded):
                self.accounts[event.order.account].set_mark(
                    self.instrument.symbol, self.instrument.price(event.price_ticks)
                )
            self.accounts[event.order.account].apply(event)

    def check(self) -> None:
        assert self.engine.check_invariants() == []
        for name, owner in self.accounts.items():
            assert owner.check_invariants() == []
            open_ids = {f"{self.instrument.symbol}/{o.order_id}" for o in self.engine.open_orders(name)}
            assert set(owner.ledger()["open_orders"]) == open_ids
            if self.instrument.kind == "spot":
                assert all(owner.free(asset) >= 0 for asset in owner.assets())


@pytest.mark.parametrize("instrument", ALL, ids=lambda i: i.kind)
@given(
    actions=st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from(list(Side)),
            st.integers(1, 300),
            st.integers(-5, 5),
            st.sampled_from(["limit", "market", "reduce", "level", "trade", "cancel", "amend"]),
        ),
        max_size=30,
    )
)
@settings(max_examples=40, deadline=None)
def test_accounts_follow_their_engine_through_random_trading(
    instrument: SimInstrument, actions: list
) -> None:
    venue = Venue(instrument)
    middle = instrument.to_ticks(Decimal(60000))
    submitted = 0
    for name, side, lots, offset, kind in actions:
        price = middle + offset
        owner, engine = venue.accounts[name], venue.engine
        if kind == "level":
            venue.settle(engine.set_level(side, middle - side * (1 + abs(offset)), lots))
        elif kind == "trade":
            venue.settle(engine.public_trade(price, lots, side))
        elif kind == "cancel":
            venue.settle(engine.cancel(submitted))
        elif kind == "amend":
            resting = engine.order(submitted)
            if resting is not None:
                resting.price = price
                owner = venue.accounts[resting.account]
                if owner.refusal(instrument.symbol, resting) is None:
                    venue.settle(engine.amend(submitted, price))
        else:
            submitted += 1
            entered = order(
                side,
                lots,
                None if kind == "market" else price,
                order_id=submitted,
                account=name,
                reduce_only=kind == "reduce",
            )
            executable, cost = engine.cost_to_take(side, lots)
            estimate = instrument.tick * cost / executable if executable else Decimal(60000)
            if owner.refusal(instrument.symbol, entered, estimate) is None:
                venue.settle(engine.submit(entered))
        venue.check()
