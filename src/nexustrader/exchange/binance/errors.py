"""Every documented error code and what may be concluded from it. Data only.

A code that is not listed concludes UNKNOWN, and so do the listed ones whose text leaves doubt. Some codes
cover two situations that only their text tells apart; `parse_replies` gives the clear one a key of its own
("-1001.failed"), so the bare code keeps the careful meaning. "HTTP n" is a reply without a venue code.
"""

from __future__ import annotations

from collections.abc import Mapping

from nexustrader.domain.outcome import Conclusion
from nexustrader.venue.spec import ErrorRule

_NO = Conclusion.REJECTED
_MAYBE = Conclusion.UNKNOWN
_DONE = Conclusion.ACCEPTED  # refused because it is already so

INTERNAL_ERROR_FAILED = "-1001.failed"
DUPLICATE_SPOT = "-2010.duplicate"
DUPLICATE_FUTURES = "-4015.duplicate"
SERVICE_UNAVAILABLE = "503.unavailable"

# Keys that need more than a conclusion and a meaning.
_SPECIAL: dict[str, ErrorRule] = {
    "-1002": ErrorRule(_NO, "the key may not do this", fatal_auth=True),
    "-1003": ErrorRule(_NO, "too many requests, or the IP is banned", limit=True),
    "-1008": ErrorRule(_NO, "the venue is overloaded; reduce-only orders still pass", limit=True),
    "-1015": ErrorRule(_NO, "too many orders in this window", limit=True),
    "-1021": ErrorRule(_NO, "the timestamp is outside the receive window", retry_after_sync=True),
    "-1022": ErrorRule(_NO, "the signature is not valid", fatal_auth=True),
    "-1034": ErrorRule(_MAYBE, "too many connections or connection attempts", limit=True),
    "-2014": ErrorRule(_NO, "the API key has a wrong format", fatal_auth=True),
    "-2015": ErrorRule(_NO, "API key, IP or permission refused", fatal_auth=True),
    "HTTP 403": ErrorRule(_NO, "stopped at the firewall before the venue", limit=True),
    "HTTP 418": ErrorRule(_NO, "the IP is banned", limit=True),
    "HTTP 429": ErrorRule(_NO, "a limit is exceeded", limit=True),
    "HTTP 451": ErrorRule(_NO, "the venue does not serve this region", fatal_auth=True),
}

_UNKNOWN: dict[str, str] = {
    "-1000": "unknown error while processing",
    "-1001": "internal error of unclear effect",
    "-1006": "unexpected answer inside the venue",
    "-1007": "the venue's backend did not answer in time",
    "-1112": "no orders in the book",
    DUPLICATE_SPOT: "an order of this client id is open: an earlier copy arrived",
    "-4083": "the batch failed",
    "-4116": "an order of this client id exists: an earlier copy arrived",
    DUPLICATE_FUTURES: "an order of this client id exists: an earlier copy arrived",
    "-4117": "the conditional order is triggering",
}

_ALREADY_SO: dict[str, str] = {
    "-2035": "the private subscription is already active",
    "-4046": "the margin type is already so",
    "-4059": "the position mode is already so",
    "-4171": "the multi-assets mode is already so",
    "-5027": "the order already has this price and amount",
}

_REFUSED: dict[str, str] = {
    INTERNAL_ERROR_FAILED: "internal error before processing, may be sent again",
    SERVICE_UNAVAILABLE: "service unavailable, may be sent again later",
    "-1010": "refused with a message",
    "-1013": "a filter of the symbol refused price or quantity",
    "-1014": "this combination of order parameters is not supported",
    "-1016": "the service is shutting down",
    "-1020": "this operation is not supported",
    "-1100": "illegal characters in a parameter",
    "-1101": "too many parameters",
    "-1102": "a mandatory parameter is missing or malformed",
    "-1103": "an unknown parameter was sent",
    "-1104": "not all parameters were read",
    "-1105": "a parameter is empty",
    "-1106": "a parameter was sent that is not required",
    "-1107": "a parameter is not valid here",
    "-1108": "a parameter overflows",
    "-1111": "too many decimals for this symbol",
    "-1114": "time in force is not required here",
    "-1115": "this time in force is not valid",
    "-1116": "this order type is not valid",
    "-1117": "this side is not valid",
    "-1121": "the symbol does not exist",
    "-1125": "the listen key does not exist",
    "-1128": "this combination of parameters is not valid",
    "-1130": "a parameter holds invalid data",
    "-1136": "this response type is not valid",
    "-1145": "these cancel restrictions are not valid",
    "-1209": "the listen token is not valid",
    "-2010": "the matching engine refused the order",
    "-2011": "the order is not open now: filled, cancelled or never arrived",
    "-2012": "the batch cancel failed",
    "-2013": "the order does not exist",
    "-2018": "the balance is not sufficient",
    "-2019": "the margin is not sufficient",
    "-2020": "the order could not be filled",
    "-2021": "the order would trigger at once (spot: cancel-replace failed in part)",
    "-2022": "the reduce-only order is refused (spot: cancel-replace failed)",
    "-2023": "the account is being liquidated",
    "-2024": "the position is not sufficient",
    "-2025": "too many open orders",
    "-2026": "this order type cannot be reduce-only (spot: the order is archived)",
    "-2027": "the position would exceed what this leverage allows",
    "-2028": "this leverage is too small for the margin",
    "-2036": "there is no such private subscription",
    "-2038": "the amendment is refused",
    "-2039": "client id and order id belong to different orders",
    "-2042": "too many private subscriptions on this connection",
    "-4001": "the price is below 0",
    "-4002": "the price is above the maximum",
    "-4003": "the quantity is not above 0",
    "-4004": "the quantity is below the minimum",
    "-4005": "the quantity is above the maximum",
    "-4013": "the price is below the minimum",
    "-4014": "the price is not on a tick",
    "-4015": "the client id is not valid",
    "-4016": "the price is above the band around the mark price",
    "-4021": "this depth limit is not valid",
    "-4023": "the quantity is not on a step",
    "-4024": "the price is below the band around the mark price",
    "-4028": "this leverage is not valid",
    "-4045": "too many conditional orders",
    "-4047": "open orders block the change of margin type",
    "-4048": "a position blocks the change of margin type",
    "-4049": "margin can be added to isolated positions only",
    "-4050": "the cross balance is not sufficient",
    "-4051": "the isolated balance is not sufficient",
    "-4052": "margin is added automatically already",
    "-4053": "automatic margin is for isolated positions only",
    "-4054": "there is no position to add margin to",
    "-4055": "the amount must be positive",
    "-4060": "this position side is not valid",
    "-4061": "the position side does not fit the account's position mode",
    "-4062": "reduce-only is not possible here",
    "-4067": "open orders block the change of position mode",
    "-4068": "a position blocks the change of position mode",
    "-4082": "the batch has a wrong size",
    "-4087": "only reduce-only orders are allowed",
    "-4088": "the account may not place orders (klines: the range is too wide)",
    "-4118": "the reduce-only margin check failed",
    "-4120": "conditional orders belong to the algo endpoints",
    "-4131": "the best price is outside the price band",
    "-4135": "the activation price is not valid",
    "-4136": "this order type cannot be close-position",
    "-4137": "close-position takes no quantity",
    "-4138": "close-position and reduce-only do not fit",
    "-4139": "this order type cannot be a market order",
    "-4140": "the symbol takes no opening orders",
    "-4141": "the symbol is closed",
    "-4142": "the order would trigger at once",
    "-4161": "leverage cannot be lowered with an isolated position",
    "-4164": "the notional value is below the minimum",
    "-4168": "isolated margin is not possible in multi-assets mode",
    "-4183": "the price is above the stop multiplier",
    "-4184": "the price is below the stop multiplier",
    "-4192": "trading is in its cooling-off period",
    "-4210": "the stop price is above the band",
    "-4211": "the stop price is below the band",
    "-4400": "quantitative rules: only reduce-only orders are allowed",
    "-4401": "the position is too large: only reduce-only orders are allowed",
    "-4402": "compliance: this is not available in your region",
    "-4403": "compliance: the leverage is limited",
    "-4531": "the position modes of UM and CM conflict",
    "-5021": "the fill-or-kill order could not be filled",
    "-5022": "the post-only order would have taken",
    "-5024": "the symbol is not trading",
    "-5025": "only limit orders can be amended",
    "-5026": "the order was amended too often",
    "-5028": "too late for the matching engine's receive window",
    "-5029": "the notional value is below the minimum",
    "-5037": "this price match is not valid",
    "-5038": "price match is for limit orders only",
    "-5039": "this self-trade prevention mode is not valid",
    "-5040": "the good-till date is not valid",
    "-5041": "no depth for a price match",
}

ERRORS: Mapping[str, ErrorRule] = {
    **{code: ErrorRule(_NO, meaning) for code, meaning in _REFUSED.items()},
    **{code: ErrorRule(_MAYBE, meaning) for code, meaning in _UNKNOWN.items()},
    **{code: ErrorRule(_DONE, meaning) for code, meaning in _ALREADY_SO.items()},
    **_SPECIAL,
}

# How long to wait where the venue says "later" without saying when, in milliseconds.
RETRY_HINTS_MS: Mapping[str, int] = {
    INTERNAL_ERROR_FAILED: 1_000,
    SERVICE_UNAVAILABLE: 1_000,
    "-1003": 60_000,
    "-1008": 5_000,
    "-1015": 10_000,
    "-1034": 60_000,
    "HTTP 403": 120_000,
    "HTTP 418": 120_000,
    "HTTP 429": 60_000,
}
