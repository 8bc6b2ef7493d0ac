"""Follows the executions of a run: fills, closed trades, and the steps from which the equity curve is drawn.

The curve is computed after the run, in columns: wallets and positions change only at fills, so between them equity
is a function of the price alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec
import numpy as np

from nexustrader.backtest.result import BacktestFill, ClosedTrade, EquityCurve, Exposure
from nexustrader.constants import OrderSide, PositionSide
from nexustrader.data.bars import Bars, Floats, Ints
from nexustrader.domain import events as ev
from nexustrader.sim.account import Applied, SimAccount
from nexustrader.sim.position import Position, apply_fill
from nexustrader.sim.reporter import Booked
from nexustrader.sim.types import Side, SimInstrument

ZERO = Decimal(0)


class _Steps:
    """A value that changes at times: constant in between."""

    def __init__(self, first: float) -> None:
        self._times: list[int] = []
        self._values = [first]

    def add(self, time_ms: int, value: float) -> None:
        self._times.append(time_ms)
        self._values.append(value)

    def at(self, times: Ints) -> Floats:
        """The value at each of the times, changes at the very time included."""
        place = np.searchsorted(np.array(self._times, dtype=np.int64), times, side="right")
        return np.array(self._values, dtype=np.float64)[place]


class Curves(NamedTuple):
    """Equity, what it was exposed to, and the assets left out of both for want of a price."""

    equity: EquityCurve
    exposure: Exposure
    unpriced: list[str]


class _Leg(msgspec.Struct):
    """One way through a trade: the lots of its fills, and the sum of price x lots."""

    lots: int = 0
    cost: Decimal = ZERO

    def add(self, lots: int, price: Decimal) -> None:
        self.lots += lots
        self.cost += lots * price


class _Trip(msgspec.Struct):
    """A position from its opening on. `profit` is what fills realised, less fees; `largest` the most lots held."""

    position: Position
    opened_ms: int = 0
    largest: int = 0
    profit: Decimal = ZERO
    fees: Decimal = ZERO
    entry: _Leg = msgspec.field(default_factory=_Leg)
    exit: _Leg = msgspec.field(default_factory=_Leg)

    def closed(self, instrument: SimInstrument, side: PositionSide, closed_ms: int) -> ClosedTrade:
        """The trade that has just ended."""
        return ClosedTrade(
            symbol=instrument.symbol,
            side=side,
            opened_ms=self.opened_ms,
            closed_ms=closed_ms,
            amount=instrument.amount(self.largest),
            entry_price=self.entry.cost / self.entry.lots,
            exit_price=self.exit.cost / self.exit.lots,
            fees=self.fees,
            profit=self.profit,
            settle=instrument.settle,
        )


class Recorder:
    """What `SimExchange.observe` tells, kept for the result. One for all accounts of a run."""

    def __init__(self) -> None:
        self.fills: list[BacktestFill] = []
        self.trades: list[ClosedTrade] = []
        self.moved: list[Booked] = []  # what no execution caused
        self._accounts: dict[str, SimAccount] = {}
        self._instruments: dict[str, SimInstrument] = {}
        self._wallets: dict[tuple[str, str], _Steps] = {}
        self._lots: dict[tuple[str, str], _Steps] = {}
        self._costs: dict[tuple[str, str], _Steps] = {}
        self._trips: dict[tuple[str, str], _Trip] = {}

    def add_account(self, account: SimAccount) -> None:
        """Follow an account from its present balances on."""
        self._accounts[account.account] = account
        for asset in account.assets():
            self._wallets[account.account, asset] = _Steps(float(account.wallet(asset)))

    def add_instrument(self, instrument: SimInstrument) -> None:
        self._instruments[instrument.symbol] = instrument

    # -- during the run ----------------------------------------------------------------------------------------

    def on_fill(self, fact: ev.OrderEvent, applied: Applied) -> None:
        """Note one execution, which the account has booked already."""
        fill = fact.fill
        assert fill is not None
        assert fact.side is not None
        key = (fact.account, fact.symbol)
        account, instrument = self._accounts[fact.account], self._instruments[fact.symbol]
        for entry in applied.entries:
            wallet = self._wallets.setdefault((fact.account, entry.asset), _Steps(0.0))
            wallet.add(fill.timestamp, float(account.wallet(entry.asset)))
        if instrument.kind != "spot":
            held = account.position(fact.symbol)
            self._lots.setdefault(key, _Steps(0.0)).add(fill.timestamp, held.lots)
            self._costs.setdefault(key, _Steps(0.0)).add(fill.timestamp, float(held.cost))
        realized = self._follow(key, instrument, fact.side, fill)
        self.fills.append(
            BacktestFill(
                oid=fact.oid,
                symbol=fact.symbol,
                side=fact.side,
                price=fill.price,
                amount=fill.amount,
                value=abs(instrument.value(instrument.to_lots(fill.amount), fill.price)),
                fee=fill.fee,
                fee_currency=fill.fee_currency or instrument.settle,
                is_maker=fill.is_maker,
                realized_pnl=realized,
                settle=instrument.settle,
                timestamp=fill.timestamp,
            )
        )

    def _follow(
        self, key: tuple[str, str], instrument: SimInstrument, order_side: OrderSide, fill: ev.Fill
    ) -> Decimal:
        """Fold the fill into its trade, spot ones too; returns the profit that it realised."""
        trip = self._trips.setdefault(key, _Trip(Position(instrument.symbol)))
        before, lots = trip.position.lots, instrument.to_lots(fill.amount)
        side = Side.BUY if order_side.is_buy else Side.SELL
        closing = min(abs(before), lots) if before * side < 0 else 0
        realized = apply_fill(trip.position, instrument, side, lots, fill.price)
        paid = fill.fee if fill.fee_currency == instrument.settle else fill.fee * fill.price
        trip.profit += realized - paid
        trip.fees += paid
        trip.exit.add(closing, fill.price)
        if before and trip.position.lots * before <= 0:
            held = PositionSide.LONG if before > 0 else PositionSide.SHORT
            self.trades.append(trip.closed(instrument, held, fill.timestamp))
            trip = self._trips[key] = _Trip(trip.position)
        if lots > closing:
            trip.opened_ms = trip.opened_ms or fill.timestamp
            trip.entry.add(lots - closing, fill.price)
            trip.largest = max(trip.largest, abs(trip.position.lots))
        return realized

    def on_entry(self, booked: Booked) -> None:
        """Note what moved a wallet without an execution: funding, or what a liquidation left unpaid."""
        self.moved.append(booked)
        wallet = self._wallets.setdefault((booked.account, booked.entry.asset), _Steps(0.0))
        wallet.add(booked.timestamp, float(self._accounts[booked.account].wallet(booked.entry.asset)))

    def funding(self, asset: str) -> Decimal:
        """Received, less paid, so far."""
        entries = [booked.entry for booked in self.moved]
        return sum((e.amount for e in entries if e.cause == "funding" and e.asset == asset), ZERO)

    # -- after it ----------------------------------------------------------------------------------------------

    def curves(self, bars: Mapping[str, Bars], currency: str, end_ms: int) -> Curves:
        """Equity and exposure in `currency`, before the first bar and at the close of every one until `end_ms`.

        The last point holds everything that was filled, also by commands that were under way at the end.
        """
        closings = np.unique(np.concatenate([one.start + one.step_ms for one in bars.values()]))
        closings = closings[closings <= end_ms]
        opening = min(int(one.start[0]) for one in bars.values())
        times = np.concatenate([np.array([opening - 1], dtype=np.int64), closings])
        closes = {symbol: _closes(one, times) for symbol, one in bars.items()}
        prices = self._prices(closes, currency)
        held_at = np.append(times[:-1], np.iinfo(np.int64).max)
        total, net, gross = np.zeros(len(times)), np.zeros(len(times)), np.zeros(len(times))
        unpriced: dict[str, None] = {}
        for asset, worth, size in self._holdings(held_at, closes, currency):
            if asset in prices:
                total += worth * prices[asset]
                net += size * prices[asset]
                gross += np.abs(size) * prices[asset]
            elif worth.any():
                unpriced[asset] = None
        times[0] = opening
        return Curves(EquityCurve(times, total), Exposure(net, gross), sorted(unpriced))

    def _prices(self, closes: Mapping[str, Floats], currency: str) -> dict[str, Floats | float]:
        """What one unit of each asset is worth: by the first symbol that trades it against the currency."""
        prices: dict[str, Floats | float] = {currency: 1.0}
        for symbol, close in closes.items():
            instrument = self._instruments[symbol]
            if instrument.quote == currency:
                prices.setdefault(instrument.base, close)
        return prices

    def _holdings(
        self, times: Ints, closes: Mapping[str, Floats], currency: str
    ) -> Iterator[tuple[str, Floats, Floats]]:
        """Asset by asset what the accounts hold and what of it a price moves, both in the asset: wallets in anything
        but the currency itself, and positions, which are worth their unrealised profit.
        """
        for (_, asset), steps in self._wallets.items():
            held = steps.at(times)
            yield asset, held, np.zeros(len(times)) if asset == currency else held
        for key, lots in self._lots.items():
            instrument = self._instruments[key[1]]
            size = lots.at(times) * float(instrument.contract_size * instrument.lot)
            cost, close = self._costs[key].at(times), closes[key[1]]
            if instrument.kind == "inverse":
                yield instrument.settle, cost - size / close, size / close
            else:
                yield instrument.settle, size * close - cost, size * close


def _closes(bars: Bars, times: Ints) -> Floats:
    """The last known close at each time; before the first bar its open."""
    place = np.searchsorted(bars.start + bars.step_ms, times, side="right") - 1
    return np.where(place >= 0, bars.close[np.maximum(place, 0)], bars.open[0])
