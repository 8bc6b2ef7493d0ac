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

from nexustrader.backtest.result import BacktestFill, EquityCurve
from nexustrader.constants import OrderSide
from nexustrader.data.bars import Bars, Floats, Ints
from nexustrader.domain import events as ev
from nexustrader.sim.account import Applied, SimAccount
from nexustrader.sim.position import Position, apply_fill
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


class ClosedTrade(NamedTuple):
    """From flat to flat (or through flat): profit after fees, in what the symbol is settled in."""

    symbol: str
    closed_ms: int
    profit: Decimal


class _Trip(msgspec.Struct):
    """A position from its opening on. `profit` is what fills realised, less fees."""

    position: Position
    profit: Decimal = ZERO


class Recorder:
    """What `SimExchange.observe` tells, kept for the result. One for all accounts of a run."""

    def __init__(self) -> None:
        self.fills: list[BacktestFill] = []
        self.trades: list[ClosedTrade] = []
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
                fee=fill.fee,
                fee_currency=fill.fee_currency or instrument.settle,
                is_maker=fill.is_maker,
                realized_pnl=realized,
                timestamp=fill.timestamp,
            )
        )

    def _follow(
        self, key: tuple[str, str], instrument: SimInstrument, order_side: OrderSide, fill: ev.Fill
    ) -> Decimal:
        """Fold the fill into its trade, spot ones too; returns the profit that it realised."""
        trip = self._trips.setdefault(key, _Trip(Position(instrument.symbol)))
        before = trip.position.lots
        side = Side.BUY if order_side.is_buy else Side.SELL
        realized = apply_fill(trip.position, instrument, side, instrument.to_lots(fill.amount), fill.price)
        paid = fill.fee if fill.fee_currency == instrument.settle else fill.fee * fill.price
        trip.profit += realized - paid
        if before and trip.position.lots * before <= 0:
            self.trades.append(ClosedTrade(instrument.symbol, fill.timestamp, trip.profit))
            trip.profit = ZERO
        return realized

    # -- after it ----------------------------------------------------------------------------------------------

    def equity(self, bars: Mapping[str, Bars], currency: str, end_ms: int) -> tuple[EquityCurve, list[str]]:
        """Equity in `currency` before the first bar and at the close of every one until `end_ms`, and the assets left
        out of it because they have no price in that currency.

        The last point holds everything that was filled, also by commands that were under way at the end.
        """
        closings = np.unique(np.concatenate([one.start + one.step_ms for one in bars.values()]))
        closings = closings[closings <= end_ms]
        opening = min(int(one.start[0]) for one in bars.values())
        times = np.concatenate([np.array([opening - 1], dtype=np.int64), closings])
        closes = {symbol: _closes(one, times) for symbol, one in bars.items()}
        prices = self._prices(closes, currency)
        held_at = np.append(times[:-1], np.iinfo(np.int64).max)
        total = np.zeros(len(times))
        unpriced: dict[str, None] = {}
        for asset, worth in self._holdings(held_at, closes):
            if asset in prices:
                total += worth * prices[asset]
            elif worth.any():
                unpriced[asset] = None
        times[0] = opening
        return EquityCurve(times, total), sorted(unpriced)

    def _prices(self, closes: Mapping[str, Floats], currency: str) -> dict[str, Floats | float]:
        """What one unit of each asset is worth: by the first symbol that trades it against the currency."""
        prices: dict[str, Floats | float] = {currency: 1.0}
        for symbol, close in closes.items():
            instrument = self._instruments[symbol]
            if instrument.quote == currency:
                prices.setdefault(instrument.base, close)
        return prices

    def _holdings(self, times: Ints, closes: Mapping[str, Floats]) -> Iterator[tuple[str, Floats]]:
        """Asset by asset what the accounts hold: wallets, and the unrealised profit of positions."""
        for (_, asset), steps in self._wallets.items():
            yield asset, steps.at(times)
        for key, lots in self._lots.items():
            instrument = self._instruments[key[1]]
            size = lots.at(times) * float(instrument.contract_size * instrument.lot)
            cost, close = self._costs[key].at(times), closes[key[1]]
            gain = cost - size / close if instrument.kind == "inverse" else size * close - cost
            yield instrument.settle, gain


def _closes(bars: Bars, times: Ints) -> Floats:
    """The last known close at each time; before the first bar its open."""
    place = np.searchsorted(bars.start + bars.step_ms, times, side="right") - 1
    return np.where(place >= 0, bars.close[np.maximum(place, 0)], bars.open[0])
