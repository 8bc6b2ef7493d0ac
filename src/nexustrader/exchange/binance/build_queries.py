"""What is asked with parameters: klines, ticker, orders, fills; and listen keys and tokens."""

from __future__ import annotations

from msgspec.structs import replace

from nexustrader.constants import AccountType
from nexustrader.domain.instrument import Instrument
from nexustrader.error import Denied
from nexustrader.exchange.binance import algo, wire
from nexustrader.exchange.binance.parse_market import checked_interval
from nexustrader.exchange.binance.quirks import account_of, product_of, public_product
from nexustrader.exchange.binance.spec import FILLS_PAGE, SNAPSHOT_LEVELS, Product
from nexustrader.venue.spec import Request, Security
from nexustrader.venue.wire import reader

_FILLS_LIMIT = ("limit", str(FILLS_PAGE))
_BEGINS = frozenset({"startTime", "fromId"})
_read_account = reader(wire.SpotAccount, "the account")
_read_trades = reader(list[wire.TradeRow], "a list of fills")


def klines_request(
    account_type: AccountType, instrument: Instrument, interval: str, limit: int | None,
    start_ms: int | None, end_ms: int | None,
) -> Request:  # fmt: skip
    """One page: at most as many bars as the venue gives at once, which is also what `limit=None` asks for.

    Raises KlineSupportedError.
    """
    product = product_of(account_type, instrument)
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
    return Request("GET", f"{product.data}/klines", tuple(params), weight=weight)


def ticker_request(account_type: AccountType, instrument: Instrument) -> Request:
    product = product_of(account_type, instrument)
    symbol = (("symbol", instrument.venue_symbol),)
    return Request("GET", f"{product.data}/ticker/24hr", symbol, weight=product.ticker_weight)


def instruments_requests(account_type: AccountType) -> tuple[Request, ...]:
    product = public_product(account_type)
    return (Request("GET", f"{product.data}/exchangeInfo", weight=product.info_weight),)


def depth_request(account_type: AccountType, instrument: Instrument) -> Request:
    product = product_of(account_type, instrument)
    params = (("symbol", instrument.venue_symbol), ("limit", str(SNAPSHOT_LEVELS)))
    return Request("GET", f"{product.data}/depth", params, weight=product.depth_weight)


def query_order_requests(
    account_type: AccountType, instrument: Instrument, oid: str, eid: str | None
) -> tuple[Request, ...]:
    """By the venue's id when it is known, else by ours; and then it may be one that waits for its trigger."""
    product = product_of(account_type, instrument)
    if eid is not None and not algo.is_waiting(eid):
        # What the trigger has made of one ends by itself: that it once waited says nothing of it.
        return (_asked(product, "order", instrument, product.query_weight, ("orderId", eid)),)
    order = _asked(product, "order", instrument, product.query_weight, ("origClientOrderId", oid))
    return (order,) if product.algo is None else (order, algo.query_request(product.algo, oid))


def open_orders_requests(account_type: AccountType, instrument: Instrument | None) -> tuple[Request, ...]:
    """Without an instrument: of all products that are listed as a whole (margin pairs may not be)."""
    if instrument is not None:
        product = product_of(account_type, instrument)
        one = product.open_orders_weights[0]
        orders = _asked(product, "openOrders", instrument, one)
        return (orders, *([algo.open_request(product.algo, instrument, one)] if product.algo else []))
    listed = [
        (product, weight)
        for product in account_of(account_type).products.values()
        if (weight := product.open_orders_weights[1]) is not None
    ]
    return (
        *(
            Request("GET", f"{product.root}/openOrders", product.scope, Security.SIGNED, weight)
            for product, weight in listed
        ),
        *(algo.open_request(product.algo, None, weight) for product, weight in listed if product.algo),
    )


def fills_request(account_type: AccountType, instrument: Instrument, eid: str) -> Request | None:
    """Of one order; where the venue cannot be asked for it, of all orders of late. One that waits has none."""
    if algo.is_waiting(eid):
        return None
    product = product_of(account_type, instrument)
    which = ("orderId", eid) if product.fills_by_order else _FILLS_LIMIT
    return _asked(product, product.fills, instrument, product.fills_weights[0], which)


def fills_since_request(account_type: AccountType, instrument: Instrument, since_ms: int) -> Request:
    """The first page of all orders' executions, oldest first."""
    product = product_of(account_type, instrument)
    since = ("startTime", str(since_ms))
    return _asked(product, product.fills, instrument, product.fills_weights[1], since, _FILLS_LIMIT)


def next_page(request: Request, body: bytes) -> Request | None:
    """Only executions come in pages. A page is begun by a time or by a trade id, never by both."""
    if request.params[-1:] != (_FILLS_LIMIT,):
        return None
    rows = _read_trades(body)
    if len(rows) < FILLS_PAGE:
        return None
    begin = ("fromId", str(rows[-1].tradeId + 1))
    kept = tuple(param for param in request.params[:-1] if param[0] not in _BEGINS)
    return replace(request, params=(*kept, begin, _FILLS_LIMIT))


def _asked(
    product: Product, call: str, instrument: Instrument, weight: int, *which: tuple[str, str]
) -> Request:
    params = (("symbol", instrument.venue_symbol), *product.scope, *which)
    return Request("GET", f"{product.root}/{call}", params, Security.SIGNED, weight)


def listen_key_request(account_type: AccountType, *, keepalive: bool) -> Request:
    """Fetch a key, or keep the account's key alive. Raises Denied for accounts that have none."""
    account = account_of(account_type)
    if account.listen is None or not account.listen_route:
        raise Denied(
            f"Binance {account_type.value} has no listen keys: its private events come on the order socket"
        )
    return replace(account.listen, method="PUT") if keepalive else account.listen


def listen_key_route(account_type: AccountType, listen_key: str) -> str:
    listen_key_request(account_type, keepalive=True)
    return f"{account_of(account_type).listen_route}{listen_key}"


def listen_token_requests(account_type: AccountType, balances: bytes) -> tuple[Request, ...]:
    """One token for the cross account, one for each pair of the isolated account that `balances` lists."""
    request = account_of(account_type).listen
    assert request is not None
    pairs = _read_account(balances).assets
    if pairs is None:
        return (request,)
    return tuple(
        replace(request, params=(("symbol", pair.symbol), ("isIsolated", "true")))
        for pair in pairs
        if pair.enabled
    )
