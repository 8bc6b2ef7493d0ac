"""What may be changed about an account: leverage, margin mode, position mode. Asked for again it changes nothing."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec


class Margin(str, Enum):
    """What covers a position: the whole account, or what was set aside for it."""

    CROSS = "cross"
    ISOLATED = "isolated"


class SetLeverage(msgspec.Struct, frozen=True, tag="leverage"):
    """Positions in `symbol` are opened at this leverage."""

    symbol: str
    leverage: Decimal


class SetMarginMode(msgspec.Struct, frozen=True, tag="margin_mode"):
    """Positions in `symbol` are covered so; some venues set it for the whole account."""

    symbol: str
    mode: Margin


class SetPositionMode(msgspec.Struct, frozen=True, tag="position_mode"):
    """Hedge mode: a long and a short position of one symbol at once. Else: one-way mode."""

    is_hedge: bool


Setting = SetLeverage | SetMarginMode | SetPositionMode
