"""The limits as a program configures them. Nothing is limited unless it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Literal, NamedTuple, get_args

from nexustrader._config_checks import number, of_type, one_of, refuse, whole

Number = Decimal | int | float
OnLoss = Literal["reduce", "halt"]
OnUserError = Literal["continue", "reduce", "halt"]

UNKNOWN_QUARANTINE_MS = 60_000


class Limits(NamedTuple):
    """What holds for the orders of one symbol; None does not limit."""

    order_notional_max: Decimal | None = None
    position_max: Decimal | None = None
    position_notional_max: Decimal | None = None
    price_collar: Decimal | None = None


@dataclass(frozen=True)
class SymbolLimits:
    """Limits of one symbol. A field left at None takes the general one of `RiskConfig`.

    order_notional_max: value of one order in quote currency.
    position_max: long or short, in base units (contracts where the instrument is inverse), of each account. What
        counts is the worst case: every open order may fill, those in doubt included.
    position_notional_max: the same in quote currency, at the price of now.
    price_collar: fraction by which a buy may be above, and a sell below, the touch and the mark price.
    Raises ValueError or TypeError naming the field.
    """

    order_notional_max: Number | None = None
    position_max: Number | None = None
    position_notional_max: Number | None = None
    price_collar: Number | None = None

    def __post_init__(self) -> None:
        _check_limits(self)


@dataclass(frozen=True)
class RiskConfig:
    """What orders may do. Every limit is off unless it is set.

    order_notional_max, position_max, position_notional_max, price_collar: as in `SymbolLimits`, for every symbol.
    symbols: limits of single symbols, in the place of the general ones.
    orders_max: orders and amendments that may be sent within `orders_window_ms`, of all symbols together.
    daily_loss_max: loss since the UTC day began, in `currency`: realised, unrealised, and fees.
    drawdown_max: fraction of the highest equity that may be lost; equity is `capital` and the profit since.
    capital: in `currency`; None takes the balances of `currency` at the start.
    on_loss: what a loss beyond its limit leads to: "reduce" (only reducing orders) or "halt" (only cancels).
    on_user_error: what an exception in a callback leads to: "continue", "reduce" or "halt".
    unknown_quarantine_ms: an order in doubt for longer stops new risk on its symbol; None never does.
    Raises ValueError or TypeError naming the field.
    """

    order_notional_max: Number | None = None
    position_max: Number | None = None
    position_notional_max: Number | None = None
    price_collar: Number | None = None
    symbols: Mapping[str, SymbolLimits] = field(default_factory=dict)
    orders_max: int | None = None
    orders_window_ms: int = 1_000
    daily_loss_max: Number | None = None
    drawdown_max: Number | None = None
    currency: str = "USDT"
    capital: Number | None = None
    on_loss: OnLoss = "reduce"
    on_user_error: OnUserError = "continue"
    unknown_quarantine_ms: int | None = UNKNOWN_QUARANTINE_MS

    def __post_init__(self) -> None:
        _check_limits(self)
        for symbol, limits in of_type(self, "symbols", Mapping).items():
            _check_symbol(self, symbol, limits)
        if self.orders_max is not None:
            whole(self, "orders_max", at_least=1)
        whole(self, "orders_window_ms", at_least=1)
        for name in ("daily_loss_max", "capital"):
            _check_positive(self, name)
        if self.drawdown_max is not None:
            number(self, "drawdown_max", above=0, at_most=1)
        if not of_type(self, "currency", str).strip():
            refuse(self, "currency", self.currency, "the name of a currency, such as USDT")
        one_of(self, "on_loss", get_args(OnLoss))
        one_of(self, "on_user_error", get_args(OnUserError))
        if self.unknown_quarantine_ms is not None:
            whole(self, "unknown_quarantine_ms", at_least=0)

    def limits(self, symbol: str) -> Limits:
        """What holds for the orders of a symbol."""
        own = self.symbols.get(symbol, _NO_LIMITS)
        return Limits(*(_pick(getattr(own, name), getattr(self, name)) for name in Limits._fields))

    @property
    def limits_orders(self) -> bool:
        """True when there is any rule that every single order has to pass."""
        return self.orders_max is not None or any(
            getattr(limits, name) is not None
            for limits in (self, *self.symbols.values())
            for name in Limits._fields
        )

    @property
    def limits_losses(self) -> bool:
        return self.daily_loss_max is not None or self.drawdown_max is not None


def exact(value: Number | None) -> Decimal | None:
    """A number as its user wrote it: 0.1 is a tenth."""
    return value if value is None or isinstance(value, Decimal) else Decimal(str(value))


def _pick(own: Number | None, general: Number | None) -> Decimal | None:
    return exact(general if own is None else own)


def _check_limits(config: SymbolLimits | RiskConfig) -> None:
    for name in ("order_notional_max", "position_max", "position_notional_max"):
        _check_positive(config, name)
    if config.price_collar is not None:
        number(config, "price_collar", above=0, at_most=1)


def _check_positive(config: SymbolLimits | RiskConfig, name: str) -> None:
    if getattr(config, name) is not None:
        number(config, name, above=0)


def _check_symbol(config: RiskConfig, symbol: object, limits: object) -> None:
    if not isinstance(limits, SymbolLimits):
        raise TypeError(f"RiskConfig.symbols[{symbol!r}] must be SymbolLimits, not {type(limits).__name__}")
    from nexustrader.schema import InstrumentId  # only here: importing the configuration stays light

    try:
        InstrumentId.from_str(symbol)  # type: ignore[arg-type]  # what is no str raises too
    except (ValueError, TypeError, AttributeError):
        refuse(config, f"symbols[{symbol!r}]", limits, "under a symbol such as BTCUSDT-PERP.BINANCE")


_NO_LIMITS = SymbolLimits()
assert {one.name for one in fields(SymbolLimits)} == set(Limits._fields)
