"""What cannot be declared: the venue's words for states and its symbol grammar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from nexustrader.constants import OrderSide, OrderType, PositionSide, TimeInForce, TriggerType
from nexustrader.domain.events import EventKind
from nexustrader.exchange.bybit.wire import Order

KIND_BY_STATUS: Mapping[str, EventKind] = {
    "New": EventKind.ACCEPTED,
    "PartiallyFilled": EventKind.FILLED,
    "Filled": EventKind.FILLED,
    "Cancelled": EventKind.CANCELED,
    "PartiallyFilledCanceled": EventKind.CANCELED,  # spot
    "Rejected": EventKind.REJECTED,
    "Untriggered": EventKind.ACKED,  # a conditional order waits
    "Triggered": EventKind.ACCEPTED,
    "Deactivated": EventKind.EXPIRED,  # a conditional order that ended before it was triggered
}

# What the matching engine did to an order that it had taken. Post-only orders that would take are refusals here as
# on venues that look before they answer; the rest of an order that could not rest has expired.
KIND_BY_REASON: Mapping[str, EventKind] = {
    "EC_PostOnlyWillTakeLiquidity": EventKind.REJECTED,
    "EC_CancelForNoFullFill": EventKind.EXPIRED,
    "EC_NoEnoughQtyToFill": EventKind.EXPIRED,
    "EC_NoImmediateQtyToFill": EventKind.EXPIRED,
}

TERMINAL = frozenset({EventKind.CANCELED, EventKind.EXPIRED, EventKind.REJECTED})

# Words that say nothing, or only that somebody wanted it so.
SILENT_REASONS = frozenset({"", "UNKNOWN", "EC_NoError", "EC_PerCancelRequest", "CancelByUser"})

SIDES: Mapping[str, OrderSide] = {"Buy": OrderSide.BUY, "Sell": OrderSide.SELL}
SIDE_WORDS: Mapping[OrderSide, str] = {side: word for word, side in SIDES.items()}
TIMES_IN_FORCE: Mapping[str, TimeInForce] = {tif.value: tif for tif in TimeInForce} | {
    "PostOnly": TimeInForce.GTC,
    "RPI": TimeInForce.GTC,
}
POSITION_SIDES: Mapping[int, PositionSide] = {1: PositionSide.LONG, 2: PositionSide.SHORT}
POSITION_INDEXES: Mapping[PositionSide, int] = {side: index for index, side in POSITION_SIDES.items()}

PLAIN_TYPES: Mapping[str, OrderType] = {"Limit": OrderType.LIMIT, "Market": OrderType.MARKET}
_STOPS: Mapping[str, OrderType] = {
    "Limit": OrderType.STOP_LOSS_LIMIT,
    "Market": OrderType.STOP_LOSS_MARKET,
}
_TAKE_PROFITS: Mapping[str, OrderType] = {
    "Limit": OrderType.TAKE_PROFIT_LIMIT,
    "Market": OrderType.TAKE_PROFIT_MARKET,
}
_BETTER_PRICE: Mapping[str, int] = {"Buy": 2, "Sell": 1}  # the trigger direction: falls, rises
TRIGGERS: Mapping[TriggerType, str] = {
    TriggerType.LAST_PRICE: "LastPrice",
    TriggerType.MARK_PRICE: "MarkPrice",
    TriggerType.INDEX_PRICE: "IndexPrice",
}


def trigger_direction(kind: OrderType, side: OrderSide) -> int:
    """Where the price has to come from: a take-profit waits for a better price, a stop for a worse one."""
    better = _BETTER_PRICE[SIDE_WORDS[side]]
    return better if kind.is_take_profit else 3 - better


def order_type_of(row: Order) -> OrderType | None:
    """Our order type; None for one that we do not have. A conditional order is a plain one once it is triggered."""
    if row.orderStatus == "Untriggered":
        if row.triggerDirection:
            is_take_profit = _BETTER_PRICE.get(row.side) == row.triggerDirection
        else:  # spot
            is_take_profit = (row.stopOrderType or "").endswith("TakeProfit")
        return (_TAKE_PROFITS if is_take_profit else _STOPS).get(row.orderType)
    if row.orderType == "Limit" and row.timeInForce == "PostOnly":
        return OrderType.POST_ONLY
    return PLAIN_TYPES.get(row.orderType)


# -- symbols --------------------------------------------------------------------------------------------

_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_QUARTERS = {"H": 3, "M": 6, "U": 9, "Z": 12}

_DATED = re.compile(r"(\w+)-(\d{1,2})([A-Z]{3})(\d{2})", re.ASCII)
_QUARTERLY = re.compile(r"(\w+USD)([HMUZ])(\d{2})", re.ASCII)
_OPTION = re.compile(r"(\w+)-(\d{1,2})([A-Z]{3})(\d{2})-([\d.]+)-([CP])(?:-(\w+))?", re.ASCII)


def symbol_of(category: str, venue_symbol: str, expiry_ms: int | None = None) -> str:
    """Our symbol: BTCUSDT, BTCUSDT-PERP, BTCUSD-250328, BTCUSDT-250213-89000-P, each with .BYBIT.

    Contracts that do not name their quote (BTCPERP, BTC-24MAR23) are in USDC. A name that follows no rule stays.
    """
    if category == "spot":
        name = venue_symbol
    elif category == "option":
        name = _option_name(venue_symbol)
    else:
        name = _future_name(category, venue_symbol, expiry_ms)
    return f"{name}.BYBIT"


def _option_name(venue_symbol: str) -> str:
    found = _OPTION.fullmatch(venue_symbol)
    if found is None:
        return venue_symbol
    base, day, month, year, strike, right, settle = found.groups()
    strike = strike.replace(".", "_")  # a symbol has one dot, before the venue
    return f"{base}{settle or 'USDC'}-{_yymmdd(day, month, year)}-{strike}-{right}"


def _future_name(category: str, venue_symbol: str, expiry_ms: int | None) -> str:
    if category == "inverse":
        quarterly = _QUARTERLY.fullmatch(venue_symbol)
        if quarterly is None:
            return f"{venue_symbol}-PERP"
        return f"{quarterly[1]}-{_quarterly_expiry(quarterly[2], quarterly[3], expiry_ms)}"
    dated = _DATED.fullmatch(venue_symbol)
    if dated is not None:
        pair, *expiry = dated.groups()
        return f"{_with_quote(pair)}-{_yymmdd(*expiry)}"
    base = venue_symbol.removesuffix("PERP")
    return f"{venue_symbol}-PERP" if base == venue_symbol else f"{base}USDC-PERP"


def _with_quote(pair: str) -> str:
    return pair if pair.endswith(("USDT", "USDC")) else f"{pair}USDC"


def _yymmdd(day: str, month: str, year: str) -> str:
    return f"{year}{_MONTHS.find(month) // 4 + 1:02d}{int(day):02d}"


def _quarterly_expiry(letter: str, year: str, expiry_ms: int | None) -> str:
    """The day that the venue names, else the last Friday of the quarter."""
    if expiry_ms:
        return f"{datetime.fromtimestamp(expiry_ms / 1000, tz=UTC):%y%m%d}"
    month = _QUARTERS[letter]
    first = date(2000 + int(year), month, 1)
    last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return f"{last - timedelta(days=(last.weekday() - 4) % 7):%y%m%d}"
