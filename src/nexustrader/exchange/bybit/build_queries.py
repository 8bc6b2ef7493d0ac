"""What is asked: reference data, klines, orders, executions, positions; and how the rest of an answer is asked for."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from nexustrader.constants import AccountType
from nexustrader.domain.instrument import Instrument
from nexustrader.exchange.bybit import wire
from nexustrader.exchange.bybit.parse_market import checked_interval
from nexustrader.exchange.bybit.spec import (
    FILLS_WINDOW_MS,
    LINEAR,
    OPTION,
    OPTION_BASES,
    SPOT,
    Product,
    product_of,
    products_of,
)
from nexustrader.venue.spec import Request, Security
from nexustrader.venue.wire import reader

Params = tuple[tuple[str, str], ...]

KLINES_MAX = 1_000
ORDERS_PAGE, FILLS_PAGE, POSITIONS_PAGE = "50", "100", "200"
EXECUTIONS = "/v5/execution/list"

_read_page = reader(wire.Answer[wire.Listing[msgspec.Raw]], "a page")

# -- public ---------------------------------------------------------------------------------------------


def server_time_request(_account_type: AccountType) -> Request:
    return Request("GET", "/v5/market/time")


def instruments_requests(account_type: AccountType) -> tuple[Request, ...]:
    return tuple(
        Request("GET", "/v5/market/instruments-info", params)
        for product in products_of(account_type)
        for params in _instruments_params(product)
    )


def _instruments_params(product: Product) -> list[Params]:
    category, limit = ("category", product.category), ("limit", "1000")
    if product is OPTION:
        return [(category, ("baseCoin", base), limit) for base in OPTION_BASES]
    return [(category,) if product is SPOT else (category, limit)]


def klines_request(
    _account_type: AccountType,
    instrument: Instrument,
    interval: str,
    limit: int | None,
    start_ms: int | None,
    end_ms: int | None,
) -> Request:
    """One page: the last `limit` bars of the range, at most as many as the venue gives at once, which is also what
    None asks for. Raises KlineSupportedError.
    """  # fmt: skip
    word = checked_interval(product_of(instrument), interval)
    most = KLINES_MAX if limit is None else max(1, min(limit, KLINES_MAX))
    asked = {"interval": word, "limit": most, "start": start_ms, "end": end_ms}
    params = tuple((name, str(value)) for name, value in asked.items() if value is not None)
    return Request("GET", "/v5/market/kline", _of(instrument) + params)


def ticker_request(_account_type: AccountType, instrument: Instrument) -> Request:
    return Request("GET", "/v5/market/tickers", _of(instrument))


def _of(instrument: Instrument) -> Params:
    return (("category", product_of(instrument).category), ("symbol", instrument.venue_symbol))


# -- orders and account ---------------------------------------------------------------------------------


def query_order_requests(
    _account_type: AccountType, instrument: Instrument, oid: str, eid: str | None
) -> tuple[Request, ...]:
    """Live and lately ended orders, then the history: the former forget what ended when the venue restarts."""
    which = ("orderId", eid) if eid is not None else ("orderLinkId", oid)
    params = (*_of(instrument), which)
    return _asked("/v5/order/realtime", params), _asked("/v5/order/history", params)


def open_orders_requests(account_type: AccountType, instrument: Instrument | None) -> tuple[Request, ...]:
    limit = ("limit", ORDERS_PAGE)
    if instrument is not None:
        return (_asked("/v5/order/realtime", (*_of(instrument), limit)),)
    return tuple(
        _asked("/v5/order/realtime", (*params, limit))
        for product in products_of(account_type)
        for params in _of_all(product)
    )


def _of_all(product: Product) -> list[Params]:
    """All symbols of a category, which may have to be asked for by the coin that they settle in."""
    category = ("category", product.category)
    return [(category, ("settleCoin", coin)) if coin else (category,) for coin in product.settles]


def fills_request(_account_type: AccountType, instrument: Instrument, eid: str) -> Request:
    return _asked(EXECUTIONS, (*_of(instrument), ("orderId", eid), ("limit", FILLS_PAGE)))


def fills_since_request(_account_type: AccountType, instrument: Instrument, since_ms: int) -> Request:
    """The first of as many stretches as it takes to come up to now: see `next_page`."""
    return _asked(EXECUTIONS, (*_of(instrument), ("limit", FILLS_PAGE), *_stretch(since_ms)))


def _stretch(start_ms: int) -> Params:
    return (("startTime", str(start_ms)), ("endTime", str(start_ms + FILLS_WINDOW_MS - 1)))


def balances_request(_account_type: AccountType) -> Request:
    return _asked("/v5/account/wallet-balance", (("accountType", "UNIFIED"),))


def positions_requests(account_type: AccountType) -> tuple[Request, ...]:
    return tuple(
        _asked("/v5/position/list", (*params, ("limit", POSITIONS_PAGE)))
        for product in products_of(account_type)
        if product is not SPOT
        for params in _of_all(product)
    )


def position_mode_request(account_type: AccountType) -> Request | None:
    """The venue has no question for the mode; positions tell it, where there are any."""
    if LINEAR not in products_of(account_type):
        return None
    return positions_requests(account_type)[0]


def _asked(path: str, params: Params) -> Request:
    return Request("GET", path, params, Security.SIGNED)


# -- the rest of an answer ------------------------------------------------------------------------------


def next_page(request: Request, body: bytes) -> Request | None:
    """The next page, or the next stretch of time when the pages of one are through. Raises WireError."""
    answer = _read_page(body)
    params = dict(request.params)
    cursor = answer.result.nextPageCursor
    if cursor and answer.result.rows and cursor != params.get("cursor"):
        params["cursor"] = cursor
        return replace(request, params=tuple(params.items()))
    end = params.pop("endTime", None)
    if end is None or int(end) >= answer.time:
        return None
    params.pop("cursor", None)
    params.update(_stretch(int(end) + 1))
    return replace(request, params=tuple(params.items()))
