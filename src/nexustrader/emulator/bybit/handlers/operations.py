"""What the venue does on request, as data: paths of REST, and operations of the trade socket."""

from __future__ import annotations

from nexustrader.emulator.bybit.handlers import account, market, orders
from nexustrader.emulator.bybit.handlers.operation import Operation

_PLACE = Operation(name="order.place", handler=orders.create)
_MODIFY = Operation(name="order.modify", handler=orders.amend)
_CANCEL = Operation(name="order.cancel", handler=orders.cancel)
_PLACE_BATCH = Operation(
    name="order.placeBatch", handler=orders.batch(orders.create, "order.place", with_time=True)
)
_MODIFY_BATCH = Operation(name="order.modifyBatch", handler=orders.batch(orders.amend, "order.modify"))
_CANCEL_BATCH = Operation(name="order.cancelBatch", handler=orders.batch(orders.cancel, "order.cancel"))

# The operation of one order that a batch is many of.
ONE_OF = {
    "order.placeBatch": "order.place",
    "order.modifyBatch": "order.modify",
    "order.cancelBatch": "order.cancel",
}

REST: dict[tuple[str, str], Operation] = {
    ("GET", "/v5/market/time"): Operation(name="time", handler=market.server_time, signed=False),
    ("GET", "/v5/market/instruments-info"): Operation(
        name="instruments", handler=market.instruments_info, signed=False
    ),
    ("GET", "/v5/market/kline"): Operation(name="klines", handler=market.kline, signed=False),
    ("GET", "/v5/market/mark-price-kline"): Operation(
        name="markKlines", handler=market.price_kline, signed=False
    ),
    ("GET", "/v5/market/index-price-kline"): Operation(
        name="indexKlines", handler=market.price_kline, signed=False
    ),
    ("GET", "/v5/market/orderbook"): Operation(name="depth", handler=market.orderbook, signed=False),
    ("GET", "/v5/market/tickers"): Operation(name="tickers", handler=market.tickers, signed=False),
    ("GET", "/v5/market/recent-trade"): Operation(
        name="trades.recent", handler=market.recent_trade, signed=False
    ),
    ("GET", "/v5/market/funding/history"): Operation(
        name="fundingRate", handler=market.funding_history, signed=False
    ),
    ("GET", "/v5/market/price-limit"): Operation(name="priceLimit", handler=market.price_limit, signed=False),
    ("GET", "/v5/system/status"): Operation(name="status", handler=market.system_status, signed=False),
    ("POST", "/v5/order/create"): _PLACE,
    ("POST", "/v5/order/amend"): _MODIFY,
    ("POST", "/v5/order/cancel"): _CANCEL,
    ("POST", "/v5/order/cancel-all"): Operation(name="order.cancelAll", handler=orders.cancel_all),
    ("POST", "/v5/order/create-batch"): _PLACE_BATCH,
    ("POST", "/v5/order/amend-batch"): _MODIFY_BATCH,
    ("POST", "/v5/order/cancel-batch"): _CANCEL_BATCH,
    ("POST", "/v5/order/disconnected-cancel-all"): Operation(
        name="disconnectedCancelAll", handler=account.disconnected_cancel_all
    ),
    ("GET", "/v5/order/realtime"): Operation(name=orders.realtime_name, handler=orders.realtime),
    ("GET", "/v5/order/history"): Operation(name=orders.history_name, handler=orders.history),
    ("GET", "/v5/execution/list"): Operation(name="myTrades", handler=orders.executions),
    ("GET", "/v5/position/list"): Operation(name="account.position", handler=account.positions),
    ("POST", "/v5/position/set-leverage"): Operation(name="setLeverage", handler=account.set_leverage),
    ("POST", "/v5/position/switch-mode"): Operation(name="switchMode", handler=account.switch_mode),
    ("POST", "/v5/account/set-margin-mode"): Operation(name="setMarginMode", handler=account.set_margin_mode),
    ("GET", "/v5/account/wallet-balance"): Operation(name="account.balance", handler=account.wallet_balance),
    ("GET", "/v5/account/info"): Operation(name="account.info", handler=account.account_info),
    ("GET", "/v5/account/fee-rate"): Operation(name="fee-rate", handler=account.fee_rate),
    ("GET", "/v5/user/query-api"): Operation(name="query-api", handler=account.query_api),
}

TRADE: dict[str, Operation] = {
    "order.create": _PLACE,
    "order.amend": _MODIFY,
    "order.cancel": _CANCEL,
    "order.create-batch": _PLACE_BATCH,
    "order.amend-batch": _MODIFY_BATCH,
    "order.cancel-batch": _CANCEL_BATCH,
}
