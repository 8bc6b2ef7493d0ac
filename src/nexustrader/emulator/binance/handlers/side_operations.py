"""Every request about the accounts beside the main one, by method and path, and which product it means."""

from __future__ import annotations

from collections.abc import Callable

from nexustrader.emulator.binance.handlers import account_operations as account
from nexustrader.emulator.binance.handlers import algo_orders as algo
from nexustrader.emulator.binance.handlers import margin_operations as margin
from nexustrader.emulator.binance.handlers import order_operations as order
from nexustrader.emulator.binance.handlers import portfolio_operations as portfolio
from nexustrader.emulator.binance.handlers.market_operations import by_symbol
from nexustrader.emulator.binance.handlers.operation import KEY, SIGNED, Operation, Params
from nexustrader.emulator.binance.handlers.operations import Rest
from nexustrader.emulator.binance.handlers.rows import Handler, without
from nexustrader.emulator.binance.topics import COINM, PAPI, SAPI, SPOT, USDM


def _of(
    name: str,
    handler: Handler,
    weight: int | Callable[[Params], int] = 1,
    *,
    product: str = SPOT,
    security: str = SIGNED,
    is_order: bool = False,
) -> Operation:
    return Operation(
        name=name, handler=handler, weight=weight, product=product, security=security, is_order=is_order
    )


def _futures(
    product: str, trades_weight: int, positions: Handler, weight: int, lacks: frozenset[str]
) -> Rest:
    """The calls of one futures product under portfolio margin, by method and the end of the path."""

    def shown(handler: Handler) -> Handler:
        return without(handler, portfolio.LACKING, lacks)

    def replied(handler: Handler) -> Handler:
        return without(handler, portfolio.LACKING, portfolio.REPLIES_LACKING, lacks)

    trades = without(portfolio.my_trades, portfolio.TRADES_LACKING if product == USDM else ())
    held = without(positions, portfolio.POSITIONS_LACKING)
    return {
        ("POST", "order"): _of("order.place", replied(portfolio.place), product=product, is_order=True),
        ("PUT", "order"): _of("order.modify", shown(order.modify), product=product, is_order=True),
        ("DELETE", "order"): _of("order.cancel", replied(order.cancel), product=product),
        ("DELETE", "allOpenOrders"): _of("order.cancelAll", order.cancel_all, product=product),
        ("GET", "order"): _of("order.status", shown(order.query), product=product),
        ("GET", "openOrder"): _of("openOrder", shown(order.query_open), product=product),
        ("GET", "openOrders"): _of(
            "openOrders.status", shown(order.open_orders), by_symbol(1, 40), product=product
        ),
        ("GET", "allOrders"): _of("allOrders", shown(order.all_orders), 5, product=product),
        ("GET", "userTrades"): _of("myTrades", trades, trades_weight, product=product),
        ("GET", "positionRisk"): _of("account.position", held, weight, product=product),
        ("GET", "positionSide/dual"): _of("positionMode", account.position_mode, 30, product=product),
        ("POST", "positionSide/dual"): _of("setPositionMode", account.set_position_mode, product=product),
        ("POST", "leverage"): _of("leverage", account.set_leverage, product=product),
    }


def _spot(handler: Handler, *lacks: frozenset[str]) -> Handler:
    return without(handler, margin.LACKING, *lacks)


_MARGIN = "/sapi/v1/margin"
_PM = "/papi/v1"
_CANCEL = without(margin.marked(margin.cancel), margin.CANCEL_LACKING)
_UM = _futures(USDM, 5, portfolio.um_positions, 5, frozenset())
_CM = _futures(COINM, 20, portfolio.cm_positions, 1, portfolio.COINM_LACKING)

SIDE_REST: dict[str, Rest] = {
    SAPI: {
        ("POST", f"{_MARGIN}/order"): _of("order.place", margin.marked(margin.place), is_order=True),
        ("DELETE", f"{_MARGIN}/order"): _of(
            "order.cancel", without(margin.marked(margin.cancel), margin.CANCEL_LACKING), 10
        ),
        ("DELETE", f"{_MARGIN}/openOrders"): _of("order.cancelAll", margin.marked(order.cancel_all)),
        ("GET", f"{_MARGIN}/order"): _of("order.status", margin.marked(order.query), 10),
        ("GET", f"{_MARGIN}/openOrders"): _of("openOrders.status", margin.marked(margin.open_orders), 10),
        ("GET", f"{_MARGIN}/allOrders"): _of("allOrders", margin.marked(order.all_orders), 200),
        ("GET", f"{_MARGIN}/myTrades"): _of("myTrades", margin.marked(order.my_trades), 10),
        ("GET", f"{_MARGIN}/account"): _of("account.status", margin.cross_account, 10),
        ("GET", f"{_MARGIN}/isolated/account"): _of("account.status", margin.isolated_account, 10),
        ("POST", "/sapi/v1/userListenToken"): _of("listenToken", margin.listen_token, security=KEY),
    },
    PAPI: {
        ("POST", f"{_PM}/margin/order"): _of(
            "order.place", _spot(portfolio.place_margin, portfolio.COINM_LACKING), is_order=True
        ),
        ("DELETE", f"{_PM}/margin/order"): _of("order.cancel", _spot(order.cancel, margin.CANCEL_LACKING), 2),
        ("DELETE", f"{_PM}/margin/allOpenOrders"): _of("order.cancelAll", _spot(order.cancel_all), 5),
        ("GET", f"{_PM}/margin/order"): _of("order.status", _spot(order.query), 10),
        ("GET", f"{_PM}/margin/openOrders"): _of("openOrders.status", _spot(portfolio.open_orders), 5),
        ("GET", f"{_PM}/margin/myTrades"): _of("myTrades", _spot(order.my_trades), 5),
        ("GET", f"{_PM}/balance"): _of("account.balance", portfolio.balance, 20),
        ("POST", f"{_PM}/listenKey"): _of("userDataStream.start", portfolio.start_listen_key, security=KEY),
        ("PUT", f"{_PM}/listenKey"): _of("userDataStream.ping", portfolio.keep_listen_key, security=KEY),
        ("DELETE", f"{_PM}/listenKey"): _of("userDataStream.stop", portfolio.close_listen_key, security=KEY),
        **{(method, f"{_PM}/um/{end}"): operation for (method, end), operation in _UM.items()},
        **{(method, f"{_PM}/cm/{end}"): operation for (method, end), operation in _CM.items()},
        ("POST", f"{_PM}/um/algo/order"): _of("order.place", algo.place, is_order=True, product=USDM),
        ("DELETE", f"{_PM}/um/algo/order"): _of("order.cancel", algo.cancel_told_briefly, product=USDM),
        ("DELETE", f"{_PM}/um/algo/allOpenOrders"): _of("order.cancelAll", algo.cancel_all, product=USDM),
        ("GET", f"{_PM}/um/algo/algoOrder"): _of("order.status", algo.query, product=USDM),
        ("GET", f"{_PM}/um/algo/openAlgoOrders"): _of("openOrders.status", algo.open_orders, product=USDM),
        ("GET", f"{_PM}/um/algo/allAlgoOrders"): _of("allOrders", algo.all_orders, 5, product=USDM),
    },
}
