"""Binance's rules of the two products, as trading asks for them."""

# Both products share the signatures of `rules.Rules`, though spot knows no amendments.
# ruff: noqa: ARG002

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.binance.errors import ApiError, refusal, rejected
from nexustrader.emulator.binance.handlers import filters
from nexustrader.emulator.binance.topics import COINM, SPOT, USDM
from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.records import Execution, OrderRecord
from nexustrader.emulator.orders.request import OrderRequest, Trigger
from nexustrader.emulator.orders.rules import Rules
from nexustrader.sim.types import RejectReason, Side, SimOrder, Status

MODIFICATIONS_MAX = 10_000


class _Common:
    """What both products have in common."""

    client_ids_for_ever = False
    first_held_id: int | None = None

    def check(self, request: OrderRequest, market: Market, open_orders: int) -> None:
        filters.check(request, market.mark, open_orders)

    def no_lots(self) -> ApiError:
        return refusal(-1013, "LOT_SIZE")

    def unknown_order(self) -> ApiError:
        return refusal(-2011)

    def end_status(self, record: OrderRecord, order: SimOrder, reason: str) -> Status:
        return order.status

    def order_name(self, number: int) -> str:
        return str(number)

    def fill_name(self, symbol: str, fill: Execution) -> str:
        return str(fill.trade_id)

    def plain_order(
        self, listing: Listing, side: Side, amount: Decimal, price: Decimal | None, client_id: str
    ) -> OrderRequest:
        return OrderRequest(
            listing=listing,
            side=side,
            type="MARKET" if price is None else "LIMIT",
            tif="GTC",
            amount=amount,
            price=price,
            client_id=client_id,
            response="ACK",
        )


class SpotRules(_Common):
    """Spot: refusals of the matching engine have one code."""

    first_order_id = 12_569_099_453

    def check_amendment(self, record: OrderRecord, market: Market, price: Decimal, amount: Decimal) -> None:
        raise refusal(-1020)

    def rejection(self, reason: RejectReason) -> ApiError:
        assert reason == "POST_ONLY"
        return rejected("Order would immediately match and take.")

    def no_funds(self) -> ApiError:
        return rejected("Account has insufficient balance for requested action.")

    def would_trigger(self, trigger: Trigger, now: Decimal) -> ApiError:
        return rejected("Order would trigger immediately.")

    def duplicate(self) -> ApiError:
        return rejected("Duplicate order sent.")


class UsdmRules(_Common):
    """USD-M: a code for everything."""

    # Larger than 2**53: a client that reads ids as floating point will mix orders up.
    first_order_id = 8_389_765_739_703_625_592
    first_held_id: int | None = 1_000_000_033_225_453

    def check_amendment(self, record: OrderRecord, market: Market, price: Decimal, amount: Decimal) -> None:
        if not record.is_open:
            raise refusal(-2013)
        if record.type != "LIMIT":
            raise refusal(-5025)
        if record.modifications >= MODIFICATIONS_MAX:
            raise refusal(-5026)
        filters.check_usdm_amount(record.listing, amount, market=False)
        filters.check_usdm_price(record.listing, record.sim.side, price, market.mark)
        if not record.sim.reduce_only:
            filters.check_usdm_notional(record.listing, amount, price, market.mark, code=-5029)
        if (price, amount) == (record.price, record.amount):
            raise refusal(-5027)

    def rejection(self, reason: RejectReason) -> ApiError:
        return refusal({"POST_ONLY": -5022, "FOK": -5021, "REDUCE_ONLY": -2022}[reason])

    def no_funds(self) -> ApiError:
        return refusal(-2019)

    def would_trigger(self, trigger: Trigger, now: Decimal) -> ApiError:
        return refusal(-2021)

    def duplicate(self) -> ApiError:
        return refusal(-4116)


class CoinmRules(UsdmRules):
    """COIN-M: the rules of USD-M, and ids of a usual size."""

    first_order_id = 333_245_211


RULES: dict[str, Rules] = {SPOT: SpotRules(), USDM: UsdmRules(), COINM: CoinmRules()}
