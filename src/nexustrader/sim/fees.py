"""What a venue charges for one trade, and how its rates fall with what an account trades."""

from __future__ import annotations

from collections import deque
from decimal import ROUND_DOWN, Decimal
from itertools import pairwise
from typing import Literal, NamedTuple

import msgspec

from nexustrader.domain.instrument import to_plain
from nexustrader.error import OrderError
from nexustrader.sim.money import exact
from nexustrader.sim.types import Side, SimInstrument

FEE_QUANTUM = Decimal("1e-8")
"""Grid of fees. They are cut towards zero, as recorded commissions are; a rebate is cut likewise."""

DAY_MS = 86_400_000
DAYS = 30  # over which the traded value decides the tier
ZERO = Decimal(0)

SpotFeeAsset = Literal["received", "quote"]


class Fee(NamedTuple):
    """`amount` is paid when positive, earned when negative."""

    amount: Decimal
    asset: str


@exact
def trade_fee(
    instrument: SimInstrument,
    side: Side,
    price_ticks: int,
    lots: int,
    *,
    is_maker: bool,
    spot_fee_asset: SpotFeeAsset = "received",
    rate: Decimal | None = None,
) -> Fee:
    """Fee of one trade: value × rate, in the settlement asset. Without a `rate` the instrument's own applies.

    On spot it is taken from what the trade brings, base for a buyer and quote for a seller, unless the
    venue's convention is `spot_fee_asset="quote"`.
    """
    value, asset = instrument.value(lots, instrument.price(price_ticks)), instrument.settle
    if instrument.kind == "spot":
        asset = instrument.quote
        if side is Side.BUY and spot_fee_asset == "received":
            value, asset = instrument.amount(lots), instrument.base
    if rate is None:
        rate = instrument.maker_fee if is_maker else instrument.taker_fee
    return Fee((value * rate).quantize(FEE_QUANTUM, ROUND_DOWN), asset)


# -- schedules -------------------------------------------------------------------------------------------------


class FeeTier(NamedTuple):
    """Rates from a traded value on, as fractions; negative ones are rebates."""

    value: Decimal
    maker: Decimal
    taker: Decimal


class FeeDiscount(msgspec.Struct, frozen=True, kw_only=True):
    """Fees in another asset, at a discount, as long as the account holds enough of it. Rebates stay as they are.

    It applies to what is quoted in `currency`. The asset's price in it is that of `symbol`, or `price` where there is
    none. Raises OrderError for a discount or a price that is none.
    """

    asset: str
    discount: Decimal
    currency: str
    price: Decimal | None = None
    symbol: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.discount <= 1:
            raise OrderError(f"FeeDiscount(discount={self.discount}) is none; 0.25 is a quarter off")
        if (self.price is None or self.price <= 0) and self.symbol is None:
            raise OrderError(
                f"FeeDiscount(asset={self.asset!r}) needs the price of one {self.asset} in {self.currency}, or the "
                "symbol whose price it is"
            )

    @exact
    def fee(self, value: Decimal, rate: Decimal, price: Decimal) -> Fee:
        """The fee of a trade of this value in `currency`, at the asset's price."""
        amount = value * rate * (1 - self.discount) / price
        return Fee(amount.quantize(FEE_QUANTUM), self.asset)


class FeeSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Rates by the value that was traded on the 30 days before today, all symbols together, each in its quote.

    `traded_before` is what was traded in the 30 days before the run: it is taken to be spread evenly over them. Raises
    OrderError for tiers that do not begin at 0 or do not rise, and for rates that are none.
    """

    tiers: tuple[FeeTier, ...]
    discount: FeeDiscount | None = None
    traded_before: Decimal = ZERO

    def __post_init__(self) -> None:
        values = [tier.value for tier in self.tiers]
        if values[:1] != [0] or any(b <= a for a, b in pairwise(values)):
            raise OrderError(
                f"fee tiers begin at {', '.join(map(str, values)) or 'nothing'}; the first must begin at 0, every "
                "further one above the one before"
            )
        for tier in self.tiers:
            if not all(-1 < rate <= 1 for rate in (tier.maker, tier.taker)):
                raise OrderError(f"{tier} has rates that are none; give fractions such as 0.0005")
        if self.traded_before < 0:
            raise OrderError(f"FeeSchedule(traded_before={self.traded_before}) is no value; give 0 or more")

    def tier(self, traded: Decimal) -> FeeTier:
        """The last tier that so much reaches."""
        return next(tier for tier in reversed(self.tiers) if traded >= tier.value)

    def describe(self) -> str:
        """What is assumed, in words that follow the name of an account."""
        steps = "; ".join(
            f"from {to_plain(value)} maker {to_plain(maker)}, taker {to_plain(taker)}"
            for value, maker, taker in self.tiers
        )
        text = f"by the value traded on the {DAYS} days before, {to_plain(self.traded_before)} before the run: {steps}"
        if self.discount is not None:
            text += f"; {self.discount.discount:%} less while they can be paid in {self.discount.asset}"
        return text


def flat_fees(maker: Decimal, taker: Decimal) -> FeeSchedule:
    """The same rates whatever is traded."""
    return FeeSchedule(tiers=(FeeTier(ZERO, maker, taker),))


class FeeMeter:
    """The rates in force for one account, which follow what it trades. A day's trades count from the next day on."""

    def __init__(self, schedule: FeeSchedule, started_ms: int) -> None:
        self.schedule = schedule
        self._first_day = started_ms // DAY_MS
        self._days: deque[tuple[int, Decimal]] = deque()  # value by day, oldest first
        self._today = -1
        self._tier = schedule.tiers[0]

    def tier(self, now_ms: int) -> FeeTier:
        """The tier in force."""
        today = now_ms // DAY_MS
        if today != self._today:
            self._today = today
            self._tier = self.schedule.tier(self.traded(now_ms))
        return self._tier

    @exact
    def traded(self, now_ms: int) -> Decimal:
        """The value that decides: of the 30 days before today."""
        today = now_ms // DAY_MS
        while self._days and self._days[0][0] < today - DAYS:
            self._days.popleft()
        left = max(0, DAYS - (today - self._first_day))
        before = self.schedule.traded_before * left / DAYS
        return sum((value for day, value in self._days if day < today), before)

    @exact
    def note(self, value: Decimal, now_ms: int) -> None:
        """Count a trade of this value."""
        today = now_ms // DAY_MS
        if self._days and self._days[-1][0] == today:
            value += self._days.pop()[1]
        self._days.append((today, value))
