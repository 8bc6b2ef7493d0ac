"""What a strategy asks for, and whether it can be journalled, given back and sent at all."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from nexustrader.constants import OrderSide, OrderType, PositionSide, TimeInForce, TriggerType
from nexustrader.domain.events import ParamValue
from nexustrader.domain.instrument import to_plain
from nexustrader.domain.outcome import Route
from nexustrader.error import OrderError

# Magnitudes beyond these cannot be put on a venue's grid exactly.
_LEAST, _MOST = Decimal("1e-30"), Decimal("1e30")
NO_PARAMS: dict[str, ParamValue] = {}


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order as a strategy asked for it, before any check."""

    symbol: str
    side: OrderSide
    type: OrderType
    amount: Decimal
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    trigger_price: Decimal | None = None
    trigger_type: TriggerType = TriggerType.LAST_PRICE
    position_side: PositionSide | None = None
    client_oid: str | None = None
    idempotency_key: str | None = None
    route: Route = Route.REST
    ws_fallback: bool = True
    params: dict[str, ParamValue] = NO_PARAMS


_NONE = type(None)
_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("symbol", (str,)),
    ("side", (OrderSide,)),
    ("type", (OrderType,)),
    ("time_in_force", (TimeInForce,)),
    ("reduce_only", (bool,)),
    ("trigger_type", (TriggerType,)),
    ("position_side", (PositionSide, _NONE)),
    ("client_oid", (str, _NONE)),
    ("idempotency_key", (str, _NONE)),
    ("ws_fallback", (bool,)),
)


def check_kinds(request: OrderRequest) -> None:
    """Raise OrderError for a value of a wrong type: after a restart the journal could not give it back."""
    given: Any = request  # whatever the annotations promise
    if (  # the order path: one expression that is almost always true, and the explanation apart
        type(given.side) is OrderSide
        and type(given.type) is OrderType
        and type(given.time_in_force) is TimeInForce
        and type(given.symbol) is str
        and type(given.reduce_only) is bool
        and type(given.ws_fallback) is bool
        and given.trigger_price is None
        and given.position_side is None
        and given.client_oid is None
        and given.idempotency_key is None
    ):
        return
    for name, kinds in _KINDS:
        value = getattr(request, name)
        if not isinstance(value, kinds):
            raise OrderError(f"{name}={value!r} is no {kinds[0].__name__}; nothing was sent")


def plain_params(params: dict[str, Any]) -> dict[str, ParamValue]:
    """The parameters for the venue as they are journalled and sent. Raises OrderError for what cannot be either."""
    if not params:
        return params
    for name, value in params.items():
        if not isinstance(value, str | int | float | Decimal):
            raise OrderError(
                f"{name}={value!r} cannot be passed on to the venue: give text, a number or a bool, or leave it out; "
                "nothing was sent"
            )
    if any(type(value) is Decimal for value in params.values()):
        return {name: to_plain(v) if isinstance(v, Decimal) else v for name, v in params.items()}
    return params


def numbers(amount: Any, price: Any) -> tuple[Decimal, Decimal | None, str | None]:
    """Amount and price as plausible decimals, and what is wrong with them."""
    try:
        exact = amount if type(amount) is Decimal else _decimal(amount)
        limit = price if price is None or type(price) is Decimal else _decimal(price)
    except (InvalidOperation, ValueError, TypeError):
        return Decimal(0), None, f"amount {amount!r} or price {price!r} is not a number"
    try:
        if _LEAST < exact < _MOST and (limit is None or _LEAST < limit < _MOST):
            return exact, limit, None
    except InvalidOperation:  # a NaN cannot be compared
        return _implausible(exact, limit)
    return _implausible(exact, limit)


def _implausible(amount: Decimal, price: Decimal | None) -> tuple[Decimal, Decimal | None, str | None]:
    """Zeros and negative numbers pass, the venue's filters name them; what cannot be reckoned with does not."""
    for value in (amount, price):
        if value is None:
            continue
        if not value.is_finite():
            return Decimal(0), None, f"amount {amount} and price {price} must be finite"
        if value and not _LEAST < abs(value) < _MOST:
            return Decimal(0), None, f"amount {amount} or price {price} is not plausible"
    return amount, price, None


def _decimal(value: Any) -> Decimal:
    return value if type(value) is Decimal else Decimal(str(value))
