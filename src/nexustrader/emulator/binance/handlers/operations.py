"""Every request that is answered, as two tables a product: REST by method and path, WebSocket API by method."""

from __future__ import annotations

from collections.abc import Callable

from nexustrader.emulator.binance.handlers import account_operations as account
from nexustrader.emulator.binance.handlers import algo_orders as algo
from nexustrader.emulator.binance.handlers import market_operations as market
from nexustrader.emulator.binance.handlers import order_operations as order
from nexustrader.emulator.binance.handlers.dead_man import countdown_cancel_all
from nexustrader.emulator.binance.handlers.operation import KEY, SIGNED, Call, Operation, Params
from nexustrader.emulator.binance.topics import COINM, SPOT, USDM

Rest = dict[tuple[str, str], Operation]
Methods = dict[str, Operation]


def _trades_weight(params: Params) -> int:
    return 5 if "orderId" in params else 20


_PING = Operation(name="ping", handler=market.ping)
_TIME = Operation(name="time", handler=market.server_time)

_S_INFO = Operation(name="exchangeInfo", handler=market.exchange_info, weight=20)
_S_DEPTH = Operation(name="depth", handler=market.depth, weight=market.spot_depth_weight)
_S_KLINES = Operation(name="klines", handler=market.klines, weight=2)
_S_TRADES = Operation(name="trades.recent", handler=market.trades, weight=25)
_S_AGG = Operation(name="trades.aggregate", handler=market.agg_trades, weight=4)
_S_AVERAGE = Operation(name="avgPrice", handler=market.average_price, weight=2)
_S_DAY = Operation(name="ticker.24hr", handler=market.ticker_day, weight=market.by_symbol(2, 80))
_S_PRICE = Operation(name="ticker.price", handler=market.ticker_price, weight=market.by_symbol(2, 4))
_S_BOOK = Operation(name="ticker.book", handler=market.ticker_book, weight=market.by_symbol(2, 4))
_S_PLACE = Operation(name="order.place", handler=order.place, security=SIGNED, is_order=True, free=True)
_S_TEST = Operation(name="order.test", handler=order.test, security=SIGNED)
_S_CANCEL = Operation(name="order.cancel", handler=order.cancel, security=SIGNED, free=True)
_S_CANCEL_ALL = Operation(name="order.cancelAll", handler=order.cancel_all, security=SIGNED, free=True)
_S_QUERY = Operation(name="order.status", handler=order.query, security=SIGNED, weight=4)
_S_OPEN = Operation(
    name="openOrders.status", handler=order.open_orders, security=SIGNED, weight=market.by_symbol(6, 80)
)
_S_ALL = Operation(name="allOrders", handler=order.all_orders, security=SIGNED, weight=20)
_S_MY_TRADES = Operation(name="myTrades", handler=order.my_trades, security=SIGNED, weight=_trades_weight)
_S_ACCOUNT = Operation(name="account.status", handler=account.spot_account, security=SIGNED, weight=20)
_S_FEES = Operation(name="account.commission", handler=account.spot_commission, security=SIGNED, weight=20)
_S_LIMITS = Operation(
    name="account.rateLimits.orders", handler=account.order_limits, security=SIGNED, weight=40
)

_U_INFO = Operation(name="exchangeInfo", handler=market.exchange_info)
_U_DEPTH = Operation(name="depth", handler=market.depth, weight=market.usdm_depth_weight)
_U_PRICE = Operation(name="ticker.price", handler=market.ticker_price, weight=market.by_symbol(1, 2))
_U_BOOK = Operation(name="ticker.book", handler=market.ticker_book, weight=market.by_symbol(2, 5))
_U_BOOK_WS = Operation(name="ticker.book", handler=market.ticker_book_with_id, weight=market.by_symbol(2, 5))
_U_PLACE = Operation(name="order.place", handler=order.place, security=SIGNED, weight=0, is_order=True)
_U_MODIFY = Operation(name="order.modify", handler=order.modify, security=SIGNED, weight=0, is_order=True)
_U_CANCEL = Operation(name="order.cancel", handler=order.cancel, security=SIGNED)
_U_QUERY = Operation(name="order.status", handler=order.query, security=SIGNED)
_U_BALANCE = Operation(name="account.balance", handler=account.usdm_balance, security=SIGNED, weight=5)
_U_ACCOUNT_2 = Operation(name="account.status", handler=account.usdm_account_v2, security=SIGNED, weight=5)
_U_ACCOUNT_3 = Operation(name="v2/account.status", handler=account.usdm_account_v3, security=SIGNED, weight=5)
_U_RISK_2 = Operation(name="account.position", handler=account.position_risk_v2, security=SIGNED, weight=5)
_U_RISK_3 = Operation(name="v2/account.position", handler=account.position_risk_v3, security=SIGNED, weight=5)
_U_KEY_START = Operation(name="userDataStream.start", handler=account.start_listen_key, security=KEY)
_U_KEY_KEEP = Operation(name="userDataStream.ping", handler=account.keep_listen_key, security=KEY)
_U_KEY_CLOSE = Operation(name="userDataStream.stop", handler=account.close_listen_key, security=KEY)


def _usdm(
    name: str,
    handler: Callable[[Call], object],
    *,
    security: str = SIGNED,
    weight: int | Callable[[Params], int] = 1,
    is_order: bool = False,
) -> Operation:
    """An operation that only REST has."""
    return Operation(name=name, handler=handler, security=security, weight=weight, is_order=is_order)


REST: dict[str, Rest] = {
    SPOT: {
        ("GET", "/api/v3/ping"): _PING,
        ("GET", "/api/v3/time"): _TIME,
        ("GET", "/api/v3/exchangeInfo"): _S_INFO,
        ("GET", "/api/v3/depth"): _S_DEPTH,
        ("GET", "/api/v3/klines"): _S_KLINES,
        ("GET", "/api/v3/uiKlines"): _S_KLINES,
        ("GET", "/api/v3/trades"): _S_TRADES,
        ("GET", "/api/v3/aggTrades"): _S_AGG,
        ("GET", "/api/v3/avgPrice"): _S_AVERAGE,
        ("GET", "/api/v3/ticker/24hr"): _S_DAY,
        ("GET", "/api/v3/ticker/price"): _S_PRICE,
        ("GET", "/api/v3/ticker/bookTicker"): _S_BOOK,
        ("POST", "/api/v3/order"): _S_PLACE,
        ("POST", "/api/v3/order/test"): _S_TEST,
        ("DELETE", "/api/v3/order"): _S_CANCEL,
        ("DELETE", "/api/v3/openOrders"): _S_CANCEL_ALL,
        ("GET", "/api/v3/order"): _S_QUERY,
        ("GET", "/api/v3/openOrders"): _S_OPEN,
        ("GET", "/api/v3/allOrders"): _S_ALL,
        ("GET", "/api/v3/myTrades"): _S_MY_TRADES,
        ("GET", "/api/v3/account"): _S_ACCOUNT,
        ("GET", "/api/v3/account/commission"): _S_FEES,
        ("GET", "/api/v3/rateLimit/order"): _S_LIMITS,
    },
    USDM: {
        ("GET", "/fapi/v1/ping"): _PING,
        ("GET", "/fapi/v1/time"): _TIME,
        ("GET", "/fapi/v1/exchangeInfo"): _U_INFO,
        ("GET", "/fapi/v1/depth"): _U_DEPTH,
        ("GET", "/fapi/v1/klines"): Operation(
            name="klines", handler=market.klines, weight=market.usdm_klines_weight
        ),
        ("GET", "/fapi/v1/trades"): Operation(name="trades.recent", handler=market.trades, weight=5),
        ("GET", "/fapi/v1/aggTrades"): Operation(
            name="trades.aggregate", handler=market.agg_trades, weight=20
        ),
        ("GET", "/fapi/v1/ticker/24hr"): Operation(
            name="ticker.24hr", handler=market.ticker_day, weight=market.by_symbol(1, 40)
        ),
        ("GET", "/fapi/v1/ticker/price"): _U_PRICE,
        ("GET", "/fapi/v2/ticker/price"): _U_PRICE,
        ("GET", "/fapi/v1/ticker/bookTicker"): _U_BOOK,
        ("GET", "/fapi/v1/premiumIndex"): Operation(
            name="premiumIndex", handler=market.premium_index, weight=market.by_symbol(1, 10)
        ),
        ("GET", "/fapi/v1/fundingRate"): Operation(name="fundingRate", handler=market.funding_rate, weight=0),
        ("POST", "/fapi/v1/order"): _U_PLACE,
        ("POST", "/fapi/v1/order/test"): _usdm("order.test", order.test),
        ("POST", "/fapi/v1/batchOrders"): _usdm(
            "order.placeBatch", order.place_batch, weight=5, is_order=True
        ),
        ("PUT", "/fapi/v1/order"): _U_MODIFY,
        ("DELETE", "/fapi/v1/order"): _U_CANCEL,
        ("DELETE", "/fapi/v1/allOpenOrders"): _usdm("order.cancelAll", order.cancel_all),
        ("POST", "/fapi/v1/countdownCancelAll"): _usdm("countdownCancelAll", countdown_cancel_all, weight=10),
        ("POST", "/fapi/v1/algoOrder"): _usdm("order.place", algo.place, weight=0, is_order=True),
        ("DELETE", "/fapi/v1/algoOrder"): _usdm("order.cancel", algo.cancel),
        ("DELETE", "/fapi/v1/algoOpenOrders"): _usdm("order.cancelAll", algo.cancel_all),
        ("GET", "/fapi/v1/algoOrder"): _usdm("order.status", algo.query),
        ("GET", "/fapi/v1/openAlgoOrders"): _usdm(
            "openOrders.status", algo.open_orders, weight=market.by_symbol(1, 40)
        ),
        ("GET", "/fapi/v1/allAlgoOrders"): _usdm("allOrders", algo.all_orders, weight=5),
        ("GET", "/fapi/v1/order"): _U_QUERY,
        ("GET", "/fapi/v1/openOrder"): _usdm("openOrder", order.query_open),
        ("GET", "/fapi/v1/openOrders"): _usdm(
            "openOrders.status", order.open_orders, weight=market.by_symbol(1, 40)
        ),
        ("GET", "/fapi/v1/allOrders"): _usdm("allOrders", order.all_orders, weight=5),
        ("GET", "/fapi/v1/userTrades"): _usdm("myTrades", order.my_trades, weight=5),
        ("GET", "/fapi/v2/balance"): _U_BALANCE,
        ("GET", "/fapi/v3/balance"): _U_BALANCE,
        ("GET", "/fapi/v2/account"): _U_ACCOUNT_2,
        ("GET", "/fapi/v3/account"): _U_ACCOUNT_3,
        ("GET", "/fapi/v2/positionRisk"): _U_RISK_2,
        ("GET", "/fapi/v3/positionRisk"): _U_RISK_3,
        ("POST", "/fapi/v1/leverage"): _usdm("leverage", account.set_leverage),
        ("POST", "/fapi/v1/marginType"): _usdm("marginType", account.set_margin_type),
        ("GET", "/fapi/v1/positionSide/dual"): _usdm("positionMode", account.position_mode, weight=30),
        ("POST", "/fapi/v1/positionSide/dual"): _usdm("setPositionMode", account.set_position_mode),
        ("GET", "/fapi/v1/multiAssetsMargin"): _usdm("assetMode", account.multi_assets_mode, weight=30),
        ("GET", "/fapi/v1/accountConfig"): _usdm("accountConfig", account.account_config, weight=5),
        ("GET", "/fapi/v1/symbolConfig"): _usdm("symbolConfig", account.symbol_config, weight=5),
        ("GET", "/fapi/v1/commissionRate"): _usdm("commissionRate", account.usdm_commission, weight=20),
        ("GET", "/fapi/v1/rateLimit/order"): _usdm("orderLimits", account.order_limits),
        ("POST", "/fapi/v1/listenKey"): _U_KEY_START,
        ("PUT", "/fapi/v1/listenKey"): _U_KEY_KEEP,
        ("DELETE", "/fapi/v1/listenKey"): _U_KEY_CLOSE,
    },
}

# COIN-M has the calls of USD-M under its own path; these are other ones.
_C_BALANCE = Operation(name="account.balance", handler=account.coinm_balance, security=SIGNED)
_C_RISK = Operation(name="account.position", handler=account.coinm_position_risk, security=SIGNED)
_COINM_OWN: Rest = {
    ("GET", "/dapi/v1/balance"): _C_BALANCE,
    ("GET", "/dapi/v1/positionRisk"): _C_RISK,
    ("GET", "/dapi/v1/premiumIndex"): Operation(name="premiumIndex", handler=market.premium_index, weight=10),
}
_COINM_LACKS = frozenset({"multiAssetsMargin", "accountConfig", "symbolConfig", "rateLimit/order"})
REST[COINM] = {
    (method, path.replace("/fapi/", "/dapi/")): operation
    for (method, path), operation in REST[USDM].items()
    if path.startswith("/fapi/v1/") and path.removeprefix("/fapi/v1/") not in _COINM_LACKS
} | _COINM_OWN

WS: dict[str, Methods] = {
    SPOT: {
        "ping": _PING,
        "time": _TIME,
        "exchangeInfo": _S_INFO,
        "depth": _S_DEPTH,
        "klines": _S_KLINES,
        "trades.recent": _S_TRADES,
        "trades.aggregate": _S_AGG,
        "avgPrice": _S_AVERAGE,
        "ticker.24hr": _S_DAY,
        "ticker.price": _S_PRICE,
        "ticker.book": _S_BOOK,
        "order.place": _S_PLACE,
        "order.test": _S_TEST,
        "order.cancel": _S_CANCEL,
        "openOrders.cancelAll": _S_CANCEL_ALL,
        "order.status": _S_QUERY,
        "openOrders.status": _S_OPEN,
        "allOrders": _S_ALL,
        "myTrades": _S_MY_TRADES,
        "account.status": _S_ACCOUNT,
        "account.commission": _S_FEES,
        "account.rateLimits.orders": _S_LIMITS,
    },
    USDM: {
        "depth": _U_DEPTH,
        "ticker.price": _U_PRICE,
        "ticker.book": _U_BOOK_WS,
        "order.place": _U_PLACE,
        "order.modify": _U_MODIFY,
        "order.cancel": _U_CANCEL,
        "order.status": _U_QUERY,
        "account.balance": _U_BALANCE,
        "v2/account.balance": _U_BALANCE,
        "account.status": _U_ACCOUNT_2,
        "v2/account.status": _U_ACCOUNT_3,
        "account.position": _U_RISK_2,
        "v2/account.position": _U_RISK_3,
        "userDataStream.start": _U_KEY_START,
        "userDataStream.ping": _U_KEY_KEEP,
        "userDataStream.stop": _U_KEY_CLOSE,
    },
}
WS[COINM] = {
    method: operation
    for method, operation in WS[USDM].items()
    if method.startswith(("order.", "userDataStream."))
} | {"account.balance": _C_BALANCE, "account.position": _C_RISK}
