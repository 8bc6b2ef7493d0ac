"""A new order as asked for, whatever wire it came over."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from nexustrader.emulator.market.listing import Listing
from nexustrader.sim.types import SelfTradePrevention, Side, TimeInForce


class Trigger(NamedTuple):
    """What an order waits for. `becomes` is the venue's word for what it is then, where that is another."""

    price: Decimal
    rises: bool
    by_mark: bool = False
    becomes: str = ""


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A new order before filters and funds are looked at.

    `type` and `tif` are the venue's words, `core_tif` and `post_only` what they mean. `terms` are fields that only
    the venue's own encoders read.
    """

    listing: Listing
    side: Side
    type: str
    tif: str
    core_tif: TimeInForce = "GTC"
    post_only: bool = False
    amount: Decimal | None
    quote_amount: Decimal | None = None
    price: Decimal | None = None
    client_id: str | None = None
    response: str = ""
    stp: SelfTradePrevention = "EXPIRE_MAKER"
    reduce_only: bool = False
    position_side: str = "BOTH"
    trigger: Trigger | None = None
    terms: Mapping[str, str] = {}
