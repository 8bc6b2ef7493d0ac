"""What a strategy asks for, and whether it can be journalled, given back and sent at all."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from nexustrader.constants import OrderSide, OrderType, TimeInForce
from nexustrader.domain.events import ParamValue
from nexustrader.domain.instrument import to_plain
from nexustrader.domain.outcome import Route
from nexustrader.error import OrderError

EXPONENT_MAX = 30
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
    ("client_oid", (str, _NONE)),
    ("idempotency_key", (str, _NONE)),
    ("ws_fallback", (bool,)),
)


def check_kinds(request: OrderRequest) -> None:
    """Raise OrderError for a value of a wrong type: after a restart the journal could not give it back."""
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
    """Amount and price as finite decimals, and what is wrong with them."""
    try:
        exact = _decimal(amount)
        limit = _decimal(price) if price is not None else None
    except (InvalidOperation, ValueError, TypeError):
        return Decimal(0), None, f"amount {amount!r} or price {price!r} is not a number"
    if not exact.is_finite() or (limit is not None and not limit.is_finite()):
        return Decimal(0), None, f"amount {exact} and price {limit} must be finite"
    if _is_absurd(exact) or (limit is not None and _is_absurd(limit)):
        return Decimal(0), None, f"amount {exact} or price {limit} is not plausible"
    return exact, limit, None


def _is_absurd(value: Decimal) -> bool:
    """True for magnitudes at which exact arithmetic on the venue's grid is no longer possible."""
    return abs(value.adjusted()) > EXPONENT_MAX and bool(value)


def _decimal(value: Any) -> Decimal:
    return value if type(value) is Decimal else Decimal(str(value))
