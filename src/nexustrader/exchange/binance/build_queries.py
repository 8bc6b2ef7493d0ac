"""What is asked with parameters: klines, ticker, orders, fills; and the listen key."""

from __future__ import annotations

from msgspec.structs import replace

from nexustrader.constants import AccountType
from nexustrader.domain.instrument import Instrument
from nexustrader.error import Denied
from nexustrader.exchange.binance import wire
from nexustrader.exchange.binance.parse_market import checked_interval
from nexustrader.exchange.binance.spec import FILLS_PAGE, SNAPSHOT_LEVELS, product_of
from nexustrader.venue.spec import Request, Security
from nexustrader.venue.wire import reader

_FILLS_LIMIT = ("limit", str(FILLS_PAGE))
_read_trades = reader(list[wire.TradeRow], "a list of fills")


def klines_request(
    account_type: AccountType, instrument: Instrument, interval: str, limit: int | None,
    start_ms: int | None, end_ms: int | None,
) -> Request:  # fmt: skip
    """One page: at most as many bars as the venue gives at once, which is also what `limit=None` asks for.

    Raises KlineSupportedError.
    """
    product = product_of(account_type)
    limit_max = product.klines_weights[-1][0]
    limit = limit_max if limit is None else max(1, min(limit, limit_max))
    params = [
        ("symbol", instrument.venue_symbol),
        ("interval", checked_interval(product, interval)),
        ("limit", str(limit)),
    ]
    params += [("startTime", str(start_ms))] if start_ms is not None else []
    params += [("endTime", str(end_ms))] if end_ms is not None else []
    weight = next(weight for most, weight in product.klines_weights if limit <= most)
    return Request("GET", f"{product.root}/klines", tuple(params), weight=weight)


def ticker_request(account_type: AccountType, instrument: Instrument) -> Request:
    product = product_of(account_type)
    symbol = (("symbol", instrument.venue_symbol),)
    return Request("GET", f"{product.root}/ticker/24hr", symbol, weight=product.ticker_weight)


def depth_request(account_type: AccountType, instrument: Instrument) -> Request:
    product = product_of(account_type)
    params = (("symbol", instrument.venue_symbol), ("limit", str(SNAPSHOT_LEVELS)))
    return Request("GET", f"{product.root}/depth", params, weight=product.depth_weight)


def query_order_requests(
    account_type: AccountType, instrument: Instrument, oid: str, eid: str | None
) -> tuple[Request, ...]:
    """By the venue's id when it is known, else by ours."""
    product = product_of(account_type)
    which = ("orderId", eid) if eid is not None else ("origClientOrderId", oid)
    symbol = ("symbol", instrument.venue_symbol)
    return (_asked(f"{product.root}/order", (symbol, which), product.query_weight),)


def open_orders_requests(account_type: AccountType, instrument: Instrument | None) -> tuple[Request, ...]:
    product = product_of(account_type)
    one, every = product.open_orders_weights
    symbol = (("symbol", instrument.venue_symbol),) if instrument is not None else ()
    return (_asked(f"{product.root}/openOrders", symbol, one if symbol else every),)


def fills_request(account_type: AccountType, instrument: Instrument, eid: str) -> Request:
    product = product_of(account_type)
    which = (("symbol", instrument.venue_symbol), ("orderId", eid))
    return _asked(f"{product.root}/{product.fills}", which, product.fills_weights[0])


def fills_since_request(account_type: AccountType, instrument: Instrument, since_ms: int) -> Request:
    """The first page of all orders' executions, oldest first."""
    product = product_of(account_type)
    which = (("symbol", instrument.venue_symbol), ("startTime", str(since_ms)), _FILLS_LIMIT)
    return _asked(f"{product.root}/{product.fills}", which, product.fills_weights[1])


def next_page(request: Request, body: bytes) -> Request | None:
    """Only executions come in pages. A page is begun by a time or by a trade id, never by both."""
    if request.params[-1:] != (_FILLS_LIMIT,):
        return None
    rows = _read_trades(body)
    if len(rows) < FILLS_PAGE:
        return None
    begin = ("fromId", str(rows[-1].tradeId + 1))
    return replace(request, params=(request.params[0], begin, _FILLS_LIMIT))


def _asked(path: str, params: tuple[tuple[str, str], ...], weight: int) -> Request:
    return Request("GET", path, params, Security.SIGNED, weight)


def listen_key_request(account_type: AccountType, *, keepalive: bool) -> Request:
    """Fetch a key, or keep the account's key alive. Raises Denied on spot, which has none."""
    request = product_of(account_type).listen_key
    if request is None:
        raise Denied(
            f"Binance {account_type.value} has no listen keys: its private events come on the order socket"
        )
    return replace(request, method="PUT") if keepalive else request


def listen_key_route(account_type: AccountType, listen_key: str) -> str:
    listen_key_request(account_type, keepalive=True)
    return f"/private/ws/{listen_key}"
