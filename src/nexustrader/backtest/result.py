"""What a backtest found out, with the assumptions that it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property, partial
from typing import Any

import msgspec
import numpy as np

from nexustrader.backtest.journal import Decision
from nexustrader.constants import OrderSide, OrderStatus, PositionSide
from nexustrader.data.bars import Bars, DataNotes, Floats, Ints
from nexustrader.domain.instrument import to_plain
from nexustrader.schema import Order, Position

REASONS_SHOWN_MAX = 3
NOT_IN_DICT = (
    "equity",
    "exposure",
    "played",
    "decisions",
    "orders",
    "elapsed_s",
)  # columns, or told elsewhere


class BacktestFill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution. `fee` is positive when paid; `value`, `fee_value` and `realized_pnl` (before fees) in `settle`."""

    oid: str
    symbol: str
    side: OrderSide
    price: Decimal
    amount: Decimal
    value: Decimal
    fee: Decimal
    fee_currency: str
    fee_value: Decimal
    is_maker: bool
    realized_pnl: Decimal
    settle: str
    timestamp: int


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """Money that moved without an execution: positive when received. cause: funding, or insurance for what a
    liquidation left unpaid."""

    account: str
    symbol: str
    asset: str
    amount: Decimal
    cause: str
    timestamp: int


class ClosedTrade(msgspec.Struct, frozen=True, kw_only=True):
    """From flat to flat, or through flat: `profit` is after fees, in `settle`, what the symbol is settled in.

    `amount` is the largest that was held, prices are averages by amount. The fee of a fill through flat belongs to the
    trade that it closes.
    """

    symbol: str
    side: PositionSide
    opened_ms: int
    closed_ms: int
    amount: Decimal
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    profit: Decimal
    settle: str


@dataclass(frozen=True, slots=True, eq=False)
class EquityCurve:
    """Equity at the close of every bar. `times` in ms, `values` in the result's currency, starting with the opening."""

    times: Ints
    values: Floats

    @property
    def max_drawdown(self) -> float:
        """The deepest fall from a height, as a fraction of that height; 0 without any."""
        heights = np.maximum.accumulate(self.values)
        with np.errstate(divide="ignore", invalid="ignore"):
            falls = np.where(heights > 0, (heights - self.values) / heights, 0.0)
        return float(falls.max(initial=0.0))


class Exposure:
    """Value of all that is not the result's currency, at the times of its equity and in that currency.

    Short positions count as negative in `net` and as positive in `gross`. They are drawn when they are first asked for:
    two columns as long as the data, which many never look at.
    """

    def __init__(self, drawn: Callable[[], tuple[Floats, Floats]]) -> None:
        self._draw = drawn

    @cached_property
    def _drawn(self) -> tuple[Floats, Floats]:
        return self._draw()

    @property
    def net(self) -> Floats:
        return self._drawn[0]

    @property
    def gross(self) -> Floats:
        return self._drawn[1]

    def __reduce__(self) -> tuple[type[Exposure], tuple[partial[tuple[Floats, Floats]]]]:
        """A copy has the columns, not what they are drawn from."""
        return Exposure, (partial(_given, *self._drawn),)


def _given(net: Floats, gross: Floats) -> tuple[Floats, Floats]:
    return net, gross


NO_EXPOSURE = Exposure(partial(_given, np.zeros(0), np.zeros(0)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BacktestResult:
    """Orders, fills and money of one run. Amounts of money are in `currency` unless a name says otherwise.

    realized_pnl: before fees, of everything settled in `currency`. fees: paid, by currency. funding: received, less
    paid, in `currency`. trades: positions closed; wins: those of them with a profit after fees. user_errors:
    exceptions that the strategy raised. trace_hash: equal for equal code, data, configuration and seed. elapsed_s:
    real time of the run, which no other figure depends on. closed_trades: those that `trades` counts, in the order of
    their closing.
    played: the bars of the run. decisions: every command of the strategy, in order. payments: all money that moved
    without an execution, in any asset: with them, the fills and the opening, every balance adds up to the last digit.
    """

    symbols: tuple[str, ...]
    interval: str
    start_ms: int
    end_ms: int
    bars: int
    currency: str
    orders: list[Order]
    fills: list[BacktestFill]
    equity: EquityCurve
    positions: dict[str, Position]
    balances: dict[str, dict[str, Decimal]]
    realized_pnl: Decimal
    fees: dict[str, Decimal]
    funding: Decimal
    trades: int
    wins: int
    user_errors: int
    data: dict[str, DataNotes]
    assumptions: tuple[str, ...]
    seed: int
    trace_hash: str
    elapsed_s: float
    strategy: str = ""
    closed_trades: list[ClosedTrade] = field(default_factory=list)
    exposure: Exposure = NO_EXPOSURE
    played: Mapping[str, Bars] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)

    @property
    def duration(self) -> timedelta:
        """How much market time was covered."""
        return timedelta(milliseconds=self.end_ms - self.start_ms)

    @property
    def initial_equity(self) -> float:
        return float(self.equity.values[0])

    @property
    def final_equity(self) -> float:
        return float(self.equity.values[-1])

    @property
    def total_return(self) -> float:
        """Change of equity as a fraction of the opening; 0 when there was none."""
        return self.final_equity / self.initial_equity - 1 if self.initial_equity else 0.0

    @property
    def max_drawdown(self) -> float:
        return self.equity.max_drawdown

    @property
    def win_rate(self) -> float | None:
        """Part of the closed trades that won; None when there was none."""
        return self.wins / self.trades if self.trades else None

    @property
    def bars_per_s(self) -> float:
        return self.bars / self.elapsed_s if self.elapsed_s else 0.0

    def position(self, symbol: str) -> Position | None:
        """The position at the end; None when flat."""
        return self.positions.get(symbol)

    def refusals(self) -> Mapping[str, int]:
        """Reasons for which orders were refused, the most frequent first."""
        reasons = Counter(o.reason or "no reason" for o in self.orders if o.status is OrderStatus.FAILED)
        return dict(reasons.most_common())

    def figures(self) -> list[tuple[str, str]]:
        """The result as (name, text), for people."""
        fees = ", ".join(f"{to_plain(amount)} {asset}" for asset, amount in sorted(self.fees.items()))
        open_positions = ", ".join(
            f"{to_plain(p.signed_amount)} {symbol} at {p.entry_price:g}"
            for symbol, p in self.positions.items()
        )
        statuses = Counter(order.status.value.lower() for order in self.orders)
        orders = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
        found = [
            ("Period", f"{_date(self.start_ms)} to {_date(self.end_ms)} ({self.duration.days} days)"),
            ("Data", f"{self.bars:,} bars of {self.interval}: {', '.join(self.symbols)}"),
            ("Orders", f"{len(self.orders):,}" + (f" ({orders})" if orders else "")),
            ("Fills", f"{len(self.fills):,}"),
            ("Closed trades", f"{self.trades:,}"),
            ("Win rate", "-" if self.win_rate is None else f"{self.win_rate:.1%}"),
            ("Equity", f"{self.initial_equity:,.2f} -> {self.final_equity:,.2f} {self.currency}"),
            ("Return", f"{self.total_return:+.2%}"),
            ("Max drawdown", f"{self.max_drawdown:.2%}"),
            ("Realised profit", f"{to_plain(self.realized_pnl)} {self.currency}, before fees"),
            ("Fees", fees or "none"),
            *self._paid_besides(),
            ("Open position", open_positions or "none"),
        ]
        if self.user_errors:
            found.append(("Strategy errors", f"{self.user_errors:,} exceptions were raised in callbacks"))
        for reason, count in list(self.refusals().items())[:REASONS_SHOWN_MAX]:
            found.append(("Refused", f"{count:,} x {reason}"))
        found += [
            ("Speed", f"{self.bars_per_s:,.0f} bars/s ({self.elapsed_s:.2f} s)"),
            ("Trace", f"{self.trace_hash} (seed {self.seed})"),
        ]
        return found

    def _paid_besides(self) -> Iterator[tuple[str, str]]:
        """What moved money without an execution, a cause a line; received is positive."""
        sums: dict[str, dict[str, Decimal]] = {}
        for paid in self.payments:
            by_asset = sums.setdefault(paid.cause, {})
            by_asset[paid.asset] = by_asset.get(paid.asset, Decimal(0)) + paid.amount
        for cause, by_asset in sorted(sums.items()):
            amounts = (f"{to_plain(amount)} {asset}" for asset, amount in sorted(by_asset.items()))
            yield cause.capitalize(), f"{', '.join(amounts)} (received, less paid)"

    def render(self) -> str:
        """Figures and assumptions as plain text."""
        figures = self.figures()
        width = max(len(name) for name, _ in figures)
        lines = [f"{name:<{width}}  {text}" for name, text in figures]
        return "\n".join([*lines, "", "Assumptions:", *(f"- {text}" for text in self.assumptions)])

    def as_dict(self) -> dict[str, Any]:
        """Everything but curves, bars and decisions, in JSON's own types; money and amounts as text."""
        found: dict[str, Any] = msgspec.to_builtins(
            {name: getattr(self, name) for name in self.__slots__ if name not in NOT_IN_DICT}
        )
        found["orders"] = msgspec.to_builtins(self.orders)
        found["figures"] = {
            "initial_equity": self.initial_equity,
            "final_equity": self.final_equity,
            "total_return": self.total_return,
            "max_drawdown": self.max_drawdown,
            "win_rate": self.win_rate,
            "elapsed_s": self.elapsed_s,
            "bars_per_s": self.bars_per_s,
        }
        return found


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M")
