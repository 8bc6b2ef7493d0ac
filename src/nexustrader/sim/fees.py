"""What a venue charges for one trade."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Literal, NamedTuple

from nexustrader.sim.money import exact
from nexustrader.sim.types import Side, SimInstrument

FEE_QUANTUM = Decimal("1e-8")
"""Grid of fees. They are cut towards zero, as recorded commissions are; a rebate is cut likewise."""

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
) -> Fee:
    """Fee of one trade: value × rate, in the settlement asset.

    On spot it is taken from what the trade brings, base for a buyer and quote for a seller, unless the
    venue's convention is `spot_fee_asset="quote"`.
    """
    value, asset = instrument.value(lots, instrument.price(price_ticks)), instrument.settle
    if instrument.kind == "spot":
        asset = instrument.quote
        if side is Side.BUY and spot_fee_asset == "received":
            value, asset = instrument.amount(lots), instrument.base
    rate = instrument.maker_fee if is_maker else instrument.taker_fee
    return Fee((value * rate).quantize(FEE_QUANTUM, ROUND_DOWN), asset)
