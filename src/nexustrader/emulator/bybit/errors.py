"""Bybit's refusals: one exception and the documented texts. The status of almost all is 200."""

from __future__ import annotations

from nexustrader.emulator.bybit.categories import SPOT
from nexustrader.emulator.errors import VenueError

# Texts with a {} take their arguments in order.
TEXTS: dict[int, str] = {
    10000: "Server Timeout",
    10001: "params error: {}",
    10002: "invalid request, please check your server timestamp or recv_window param. "
    "req_timestamp[{}],server_timestamp[{}],recv_window[{}]",
    10003: "API key is invalid.",
    10004: "error sign! origin_string[{}]",
    10005: "Permission denied, please check your API key permissions.",
    10006: "Too many visits. Exceeded the API Rate Limit.",
    10016: "Internal server error.",
    10019: "ws trade service is restarting, do not accept new request, "
    "but the request in the process is not affected.",
    10404: "op type is not found or category is not correct/supported: {}",
    10429: "System level frequency protection.",
    20001: "Repeat auth",
    20003: "Too frequent requests under the same session",
    20006: "reqId is duplicated",
    110001: "order not exists or too late to cancel",
    110003: "Order price exceeds the allowable range.",
    110007: "ab not enough for new order",
    110013: "cannot set leverage {} gt maxLeverage {} by risk limit",
    110017: "current position is zero, cannot fix reduce-only order qty",
    110020: "Not allowed to have more than 500 active orders.",
    110024: "You have an existing position, so the position mode cannot be switched.",
    110025: "Position mode has not been modified.",
    110026: "Cross/isolated margin mode has not been modified",
    110028: "You have existing open orders, so the position mode cannot be switched.",
    110043: "leverage not modified",
    110064: "The number of contracts modified cannot be less than or equal to the filled quantity",
    110072: "OrderLinkedID is duplicate",
    110092: "expect Rising, but trigger_price[{}] <= current[{}]",
    110093: "expect Falling, but trigger_price[{}] >= current[{}]",
    110094: "Order does not meet minimum order value {}{}",
    170124: "Order amount too large.",
    170130: "Data sent for parameter '{}' is not valid.",
    170131: "Balance insufficient.",
    170132: "Order price too high.",
    170133: "Order price lower than the minimum.",
    170134: "Order price decimal too long.",
    170136: "Order quantity exceeded the lower limit.",
    170137: "Order volume decimal too long.",
    170140: "Order value exceeded lower limit.",
    170141: "Duplicate clientOrderId",
    170193: "Buy order price cannot be higher than {}.",
    170194: "Sell order price cannot be lower than {}.",
    170213: "Order does not exist.",
    170313: "The quantity of the order cannot be less than or equal to the filled quantity.",
    170810: "Cannot exceed maximum of 500 conditional, TP/SL and active orders.",
}
UNFINISHED = "{} is not emulated; leave it out"


class BybitError(VenueError):
    """A refusal of Bybit, whose words are in the body: its status is that of a success."""

    plain_status = 200


def refusal(code: int, *arguments: object) -> BybitError:
    """The error of this code in its documented words."""
    return BybitError(code, TEXTS[code].format(*arguments))


def bad(what: str) -> BybitError:
    """The refusal of a parameter."""
    return refusal(10001, what)


def unserved(what: str) -> BybitError:
    """The refusal of what the venue has and this emulator has not."""
    return bad(UNFINISHED.format(what))


def by_category(category: str, futures: int, spot: int) -> BybitError:
    """The refusal whose code spot has its own of."""
    return refusal(spot if category == SPOT else futures)
