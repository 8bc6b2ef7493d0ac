"""The venue's words for states and reasons, and ids that it makes up itself. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from nexustrader.constants import OrderSide, PositionSide, TimeInForce
from nexustrader.domain.events import EventKind

PERPETUAL_DELIVERY_MS = 4_133_404_800_000  # the venue's "never"

KIND_BY_STATUS: Mapping[str, EventKind] = {
    "NEW": EventKind.ACCEPTED,
    "PENDING_NEW": EventKind.ACKED,  # waits for another order of its list
    "PARTIALLY_FILLED": EventKind.FILLED,
    "FILLED": EventKind.FILLED,
    "CANCELED": EventKind.CANCELED,
    "PENDING_CANCEL": EventKind.ACCEPTED,
    "REJECTED": EventKind.REJECTED,
    "EXPIRED": EventKind.EXPIRED,
    "EXPIRED_IN_MATCH": EventKind.EXPIRED,  # self-trade prevention
}

# What an event of the user stream tells. Others (TRADE_PREVENTION) are told by the status they leave behind.
KIND_BY_EXECUTION: Mapping[str, EventKind] = {
    "NEW": EventKind.ACCEPTED,
    "TRADE": EventKind.FILLED,
    "CALCULATED": EventKind.FILLED,  # liquidation or auto-deleveraging
    "CANCELED": EventKind.CANCELED,
    "EXPIRED": EventKind.EXPIRED,
    "REJECTED": EventKind.REJECTED,
    "REPLACED": EventKind.AMENDED,  # spot
    "AMENDMENT": EventKind.AMENDED,  # futures
}

TERMINAL = frozenset({EventKind.CANCELED, EventKind.EXPIRED, EventKind.REJECTED})

SIDES: Mapping[str, OrderSide] = {side.value: side for side in OrderSide}
TIMES_IN_FORCE: Mapping[str, TimeInForce] = {tif.value: tif for tif in TimeInForce} | {"GTX": TimeInForce.GTC}
POSITION_SIDES: Mapping[str, PositionSide] = {"LONG": PositionSide.LONG, "SHORT": PositionSide.SHORT}

# Futures expiry reasons by number; spot sends its reason in words.
EXPIRY_REASONS: Mapping[str, str] = {
    "1": "self-trade prevention",
    "2": "the rest of an IOC order",
    "3": "the rest of an IOC order and self-trade prevention",
    "4": "knocked out by a reduce-only order of higher priority, or it would reverse the position",
    "5": "liquidation",
    "6": "the condition of a GTE order",
    "7": "the symbol was delisted",
}

# Client ids of orders that the venue itself places on our account.
VENUE_ORDERS: Mapping[str, str] = {
    "autoclose-": "liquidation by the venue",
    "adl_autoclose": "auto-deleveraging by the venue",
    "settlement_autoclose-": "settlement by the venue",
    "delivery_autoclose-": "delivery by the venue",
}
