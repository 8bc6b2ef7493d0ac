"""Follows the executions of a run: fills, closed trades, and the steps from which the equity curve is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from nexustrader.backtest.curves import Curves, Held, Steps, draw
from nexustrader.backtest.result import BacktestFill, ClosedTrade, Payment
from nexustrader.constants import OrderSide, PositionSide
from nexustrader.data.bars import Bars
from nexustrader.domain import events as ev
from nexustrader.error import InstrumentError
from nexustrader.sim.account import Applied, SimAccount
from nexustrader.sim.fees import FeeDiscount
from nexustrader.sim.position import Position, apply_fill
from nexustrader.sim.reporter import Booked
from nexustrader.sim.types import Side, SimInstrument

ZERO = Decimal(0)


class _Leg(msgspec.Struct):
    """One way through a trade: the lots of its fills, and the sum of lots x price, for inverse ones of lots / price."""

    is_inverse: bool
    lots: int = 0
    cost: Decimal = ZERO

    def add(self, lots: int, price: Decimal) -> None:
        self.lots += lots
        self.cost += lots / price if self.is_inverse else lots * price

    @property
    def average(self) -> Decimal:
        """The price at which all fills at once would have been worth the same."""
        return self.lots / self.cost if self.is_inverse else self.cost / self.lots


class _Trip(msgspec.Struct):
    """A position from its opening on. `profit` is what fills realised, less fees; `largest` the most lots held."""

    position: Position
    entry: _Leg
    exit: _Leg
    opened_ms: int = 0
    largest: int = 0
    profit: Decimal = ZERO
    fees: Decimal = ZERO
    taken: Decimal = ZERO  # of what was bought, as fees

    @classmethod
    def of(cls, position: Position, instrument: SimInstrument) -> _Trip:
        """One that begins with the next fill."""
        is_inverse = instrument.kind == "inverse"
        return cls(position, _Leg(is_inverse), _Leg(is_inverse))

    def is_flat(self, instrument: SimInstrument) -> bool:
        """True when nothing is left that could be sold: spot buyers pay their fees in what they buy."""
        left = instrument.amount(abs(self.position.lots))
        return left - self.taken < instrument.lot if self.position.lots > 0 else not left

    def closed(self, instrument: SimInstrument, side: PositionSide, closed_ms: int) -> ClosedTrade:
        """The trade that has just ended."""
        return ClosedTrade(
            symbol=instrument.symbol,
            side=side,
            opened_ms=self.opened_ms,
            closed_ms=closed_ms,
            amount=instrument.amount(self.largest),
            entry_price=self.entry.average,
            exit_price=self.exit.average,
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
        self._discounts: dict[str, FeeDiscount | None] = {}
        self._instruments: dict[str, SimInstrument] = {}
        self._wallets: dict[tuple[str, str], Steps] = {}
        self._lots: dict[tuple[str, str], Steps] = {}
        self._costs: dict[tuple[str, str], Steps] = {}
        self._trips: dict[tuple[str, str], _Trip] = {}

    def add_account(self, account: SimAccount, discount: FeeDiscount | None = None) -> None:
        """Follow an account from its present balances on. `discount` prices the fees that it pays in a third asset."""
        self._accounts[account.account] = account
        self._discounts[account.account] = discount
        for asset in account.assets():
            self._wallets[account.account, asset] = Steps(float(account.wallet(asset)))

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
            wallet = _steps(self._wallets, (fact.account, entry.asset))
            wallet.add(fill.timestamp, float(account.wallet(entry.asset)))
        if instrument.kind != "spot":
            held = account.position(fact.symbol)
            _steps(self._lots, key).add(fill.timestamp, held.lots)
            _steps(self._costs, key).add(fill.timestamp, float(held.cost))
        paid = self._paid(account, instrument, fill)
        realized = self._follow(key, instrument, fact.side, fill, paid)
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
                fee_value=paid,
                is_maker=fill.is_maker,
                realized_pnl=realized,
                settle=instrument.settle,
                timestamp=fill.timestamp,
            )
        )

    def _follow(
        self,
        key: tuple[str, str],
        instrument: SimInstrument,
        order_side: OrderSide,
        fill: ev.Fill,
        paid: Decimal,
    ) -> Decimal:
        """Fold the fill into its trade, spot ones too; returns the profit that it realised."""
        trip = self._trips.get(key)
        if trip is None:
            trip = self._trips[key] = _Trip.of(Position(instrument.symbol), instrument)
        before, lots = trip.position.lots, instrument.to_lots(fill.amount)
        side = Side.BUY if order_side.is_buy else Side.SELL
        closing = min(abs(before), lots) if before * side < 0 else 0
        realized = apply_fill(trip.position, instrument, side, lots, fill.price)
        trip.profit += realized - paid
        trip.fees += paid
        trip.exit.add(closing, fill.price)
        if instrument.kind == "spot" and fill.fee_currency == instrument.base:
            trip.taken += fill.fee
        if before and (trip.position.lots * before < 0 or (closing and trip.is_flat(instrument))):
            held = PositionSide.LONG if before > 0 else PositionSide.SHORT
            self.trades.append(trip.closed(instrument, held, fill.timestamp))
            rest = trip.position if trip.position.lots * before < 0 else Position(instrument.symbol)
            trip = self._trips[key] = _Trip.of(rest, instrument)
        if lots > closing:
            trip.opened_ms = trip.opened_ms or fill.timestamp
            trip.entry.add(lots - closing, fill.price)
            trip.largest = max(trip.largest, abs(trip.position.lots))
        return realized

    def _paid(self, account: SimAccount, instrument: SimInstrument, fill: ev.Fill) -> Decimal:
        """The fee in what the symbol is settled in: base at the price of the fill, a third asset at its own price."""
        if fill.fee_currency in (None, instrument.settle):
            return fill.fee
        if fill.fee_currency == instrument.base:
            return fill.fee * fill.price
        discount = self._discounts[account.account]
        assert discount is not None  # nothing else takes fees in a third asset
        value = fill.fee * _price(account, discount)
        return value / fill.price if instrument.kind == "inverse" else value

    def on_entry(self, booked: Booked) -> None:
        """Note what moved a wallet without an execution: funding, or what a liquidation left unpaid."""
        self.moved.append(booked)
        wallet = _steps(self._wallets, (booked.account, booked.entry.asset))
        wallet.add(booked.timestamp, float(self._accounts[booked.account].wallet(booked.entry.asset)))

    def funding(self, asset: str) -> Decimal:
        """Received, less paid, so far."""
        entries = [booked.entry for booked in self.moved]
        return sum((e.amount for e in entries if e.cause == "funding" and e.asset == asset), ZERO)

    def payments(self) -> list[Payment]:
        """All that `on_entry` was told."""
        return [
            Payment(
                account=account,
                symbol=symbol,
                asset=entry.asset,
                amount=entry.amount,
                cause=entry.cause,
                timestamp=timestamp,
            )
            for account, symbol, entry, timestamp in self.moved
        ]

    # -- after it ----------------------------------------------------------------------------------------------

    def curves(self, bars: Mapping[str, Bars], currency: str, end_ms: int) -> Curves:
        """Equity and exposure until `end_ms`."""
        held = Held(self._wallets, self._lots, self._costs, self._instruments)
        return draw(held, bars, currency, end_ms)


def _steps(table: dict[tuple[str, str], Steps], key: tuple[str, str]) -> Steps:
    found = table.get(key)
    if found is None:
        found = table[key] = Steps(0.0)
    return found


def _price(account: SimAccount, discount: FeeDiscount) -> Decimal:
    """What one unit of the fee asset was taken at."""
    try:
        mark = account.mark(discount.symbol) if discount.symbol else ZERO
    except InstrumentError:  # the account has not met the symbol yet
        mark = ZERO
    return mark or discount.price or ZERO
