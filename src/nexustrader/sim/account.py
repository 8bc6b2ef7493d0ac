"""One simulated account: wallets, spot locks, margin positions, and what it may afford.

Cross margin per settlement asset. One-way mode keeps positions under BOTH, hedge mode under LONG and SHORT,
as the orders say; in hedge mode send orders that close as reduce-only. Marks come from `set_mark`; a symbol
without one is valued at its entry price.

Fills, fees and funding come from events, so the account never asks the engine. Every change of a wallet is
an `Entry` with a cause and the id of what caused it.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from nexustrader.error import InstrumentError, OrderError
from nexustrader.sim import margin
from nexustrader.sim.fees import SpotFeeAsset, trade_fee
from nexustrader.sim.money import exact, plain
from nexustrader.sim.position import (
    PNL_QUANTUM,
    Position,
    apply_fill,
    check_position,
    entry_price,
    unrealized,
)
from nexustrader.sim.types import MatchEvent, Side, SimInstrument, SimOrder, Traded

Cause = Literal["deposit", "trade", "fee", "pnl", "funding", "transfer"]
ZERO = Decimal(0)


class Entry(msgspec.Struct, frozen=True):
    """One change of a wallet. `ref` names what caused it: trade:<id>, funding:<symbol>, ..."""

    asset: str
    amount: Decimal
    cause: Cause
    ref: str


class Applied(msgspec.Struct, frozen=True):
    """What one execution did to the account. `fee` is positive when paid."""

    entries: tuple[Entry, ...]
    fee: Decimal
    fee_asset: str
    realized_pnl: Decimal


class _Claim(NamedTuple):
    """What an open order may still cost: `amount` of `asset`, locked on spot, margined at its full value else."""

    symbol: str
    position_side: str
    side: Side
    asset: str
    amount: Decimal
    is_spot: bool


class SimAccount:
    """Money and positions of one account over any number of symbols.

    Raises InstrumentError for an unknown symbol, OrderError for an impossible leverage.
    """

    def __init__(
        self,
        account: str,
        balances: Mapping[str, Decimal],
        instruments: Iterable[SimInstrument] = (),
        *,
        leverage: int | Decimal = 20,
        spot_fee_asset: SpotFeeAsset = "received",
    ) -> None:
        self.account = account
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._default_leverage = Decimal(leverage)
        self._spot_fee_asset: SpotFeeAsset = spot_fee_asset
        self._wallets: dict[str, Decimal] = {}
        self._totals: dict[tuple[str, Cause], Decimal] = {}
        self._positions: dict[tuple[str, str], Position] = {}
        self._claims: dict[tuple[str, int], _Claim] = {}
        self._marks: dict[str, Decimal] = {}
        self._leverages: dict[str, Decimal] = {}
        for asset, amount in balances.items():
            self._post(asset, amount, "deposit", "opening")

    # -- settings -----------------------------------------------------------------------------------------

    def add_instrument(self, instrument: SimInstrument) -> None:
        """Makes a symbol known, or replaces what is known of it."""
        self._instruments[instrument.symbol] = instrument

    def set_mark(self, symbol: str, price: Decimal) -> None:
        """Sets the price at which positions of the symbol are valued."""
        self._marks[symbol] = price

    def set_leverage(self, symbol: str, leverage: int | Decimal) -> None:
        """Sets the leverage of one symbol. Raises OrderError outside 1 to the instrument's maximum."""
        highest = self._instrument(symbol).max_leverage
        if not 1 <= leverage <= highest:
            raise OrderError(f"leverage {leverage} of {symbol} is impossible, choose 1 to {highest}")
        self._leverages[symbol] = Decimal(leverage)

    def leverage(self, symbol: str) -> Decimal:
        """Leverage in force for one symbol."""
        return self._leverages.get(symbol, self._default_leverage)

    # -- what happens -------------------------------------------------------------------------------------

    @exact
    def apply(self, event: MatchEvent) -> Applied | None:
        """Takes one event of an engine, in the engine's order; returns what an execution did.

        Events of other accounts are left alone.
        """
        order = event.order
        if order.account != self.account:
            return None
        instrument = self._instrument(order.symbol)
        if order.is_open and order.price is not None:
            claim = _claim(instrument, order, instrument.price(order.price))
            self._claims[order.symbol, order.order_id] = claim
        else:
            self._claims.pop((order.symbol, order.order_id), None)
        return self._fill(event) if isinstance(event, Traded) else None

    @exact
    def funding(self, symbol: str, rate: Decimal, mark: Decimal) -> tuple[Entry, ...]:
        """Settles funding: longs pay value × rate, shorts receive it; the reverse at a negative rate."""
        instrument = self._instrument(symbol)
        entries = []
        for position in self._of_symbol(symbol):
            payment = (-instrument.value(position.lots, mark) * rate).quantize(PNL_QUANTUM)
            if payment:
                entries.append(self._post(instrument.settle, payment, "funding", f"funding:{symbol}"))
        return tuple(entries)

    @exact
    def transfer(self, asset: str, amount: Decimal, ref: str = "transfer") -> Entry:
        """Moves money in (positive) or out (negative)."""
        return self._post(asset, amount, "transfer", ref)

    def restore_position(self, symbol: str, lots: int, price: Decimal, position_side: str = "BOTH") -> None:
        """Sets a position as it was at a former end, with its average price. Fills come on top."""
        value = self._instrument(symbol).value(lots, price)
        self._positions[symbol, position_side] = Position(symbol, position_side, lots, value, flow=value)

    # -- readings -----------------------------------------------------------------------------------------

    def position(self, symbol: str, position_side: str = "BOTH") -> Position:
        """A copy of one position; flat when there is none."""
        return copy.copy(self._positions.get((symbol, position_side), Position(symbol, position_side)))

    def position_lots(self, symbol: str, position_side: str = "BOTH") -> int:
        """Signed lots of one position: what a matching engine asks for."""
        position = self._positions.get((symbol, position_side))
        return position.lots if position else 0

    def positions(self) -> list[Position]:
        """Copies of the positions that are not flat."""
        return [copy.copy(position) for position in self._positions.values() if position.lots]

    def entry_price(self, symbol: str, position_side: str = "BOTH") -> Decimal:
        """Average price of a position, 0 when flat."""
        return entry_price(self.position(symbol, position_side), self._instrument(symbol))

    def unrealized(self, symbol: str, position_side: str = "BOTH") -> Decimal:
        """Profit of a position at its mark."""
        return self._unrealized(self.position(symbol, position_side))

    def assets(self) -> list[str]:
        """Assets that the account ever held, sorted."""
        return sorted(self._wallets)

    def wallet(self, asset: str) -> Decimal:
        """Balance without unrealised profit."""
        return self._wallets.get(asset, ZERO)

    @exact
    def locked(self, asset: str) -> Decimal:
        """What open spot orders hold: quote for buys, base for sells."""
        return self._locked(asset, self._claims.values())

    @exact
    def free(self, asset: str) -> Decimal:
        """Wallet less what open spot orders hold."""
        return self.wallet(asset) - self.locked(asset)

    @exact
    def equity(self, asset: str) -> Decimal:
        """Wallet and unrealised profit of the positions settled in the asset."""
        return self.wallet(asset) + sum(map(self._unrealized, self._settled_in(asset)), ZERO)

    @exact
    def initial_margin(self, asset: str) -> Decimal:
        """Margin that positions and open orders settled in the asset hold."""
        return self._initial_margin(asset, self._claims.values())

    @exact
    def maintenance_margin(self, asset: str) -> Decimal:
        """Equity at which the positions settled in the asset are liquidated."""
        return sum(map(self._maintenance, self._settled_in(asset)), ZERO)

    @exact
    def available(self, asset: str) -> Decimal:
        """What new orders may use: equity less initial margin and spot locks. Negative after losses."""
        return self._available(asset, self._claims.values())

    @exact
    def liquidation_price(self, symbol: str, position_side: str = "BOTH") -> Decimal | None:
        """Mark price at which this position is liquidated while the other marks stay; None when none does."""
        instrument = self._instrument(symbol)
        position = self.position(symbol, position_side)
        cushion = self.wallet(instrument.settle) + sum(
            self._unrealized(other) - self._maintenance(other)
            for other in self._settled_in(instrument.settle)
            if (other.symbol, other.position_side) != (symbol, position_side)
        )
        return margin.liquidation_price(position, instrument, cushion)

    def must_liquidate(self, asset: str) -> bool:
        """True when equity no longer exceeds the maintenance margin of the positions settled in the asset."""
        required = self.maintenance_margin(asset)
        return required > 0 and self.equity(asset) <= required

    @exact
    def refusal(self, symbol: str, order: SimOrder, price: Decimal | None = None) -> str | None:
        """Why the account cannot afford a new or amended order, or None. Changes nothing.

        A market order is reckoned at `price`, or at the mark. Orders that need no more than is held already
        pass, reduce-only ones always. Fees are not reserved.
        """
        if order.reduce_only:
            return None
        instrument = self._instrument(symbol)
        if order.price is not None:
            price = instrument.price(order.price)
        price = price or self._marks.get(symbol)
        if price is None:
            return f"no price of {symbol} is known to reckon the order with"
        claim = _claim(instrument, order, price)
        then = self._available(claim.asset, {**self._claims, (symbol, order.order_id): claim}.values())
        if then >= 0:
            return None
        now = self.available(claim.asset)
        if then >= now:
            return None
        amount = plain(instrument.amount(order.remaining))
        return (
            f"insufficient {claim.asset}: {order.side.name} {amount} {symbol} needs {plain(now - then)}, "
            f"available is {plain(now)}"
        )

    def snapshot(self) -> SimAccount:
        """The account as it is now, on its own from here on."""
        twin = copy.copy(self)
        vars(twin).update(
            {name: dict(value) for name, value in vars(self).items() if isinstance(value, dict)}
        )
        vars(twin)["_positions"] = {key: copy.copy(position) for key, position in self._positions.items()}
        return twin

    @exact
    def ledger(self) -> dict[str, object]:
        """Everything the account holds, as sorted text, for comparison. Marks have no part in it."""
        return {
            "account": self.account,
            "balances": {
                asset: {
                    "wallet": plain(self.wallet(asset)),
                    "locked": plain(self.locked(asset)),
                    "free": plain(self.free(asset)),
                }
                for asset in self.assets()
            },
            "positions": {
                f"{symbol}/{position_side}": {
                    "amount": plain(self._instrument(symbol).amount(position.lots)),
                    "entry_price": plain(entry_price(position, self._instrument(symbol))),
                    "realized_pnl": plain(position.realized),
                }
                for (symbol, position_side), position in sorted(
                    self._positions.items(), key=lambda item: item[0]
                )
            },
            "totals": {
                f"{asset}/{cause}": plain(total) for (asset, cause), total in sorted(self._totals.items())
            },
            "open_orders": [f"{symbol}/{order_id}" for symbol, order_id in sorted(self._claims)],
        }

    @exact
    def check_invariants(self) -> list[str]:
        """What is wrong, as texts: wallets are the sums of their causes, profits are money that moved."""
        wrong = []
        for asset in self.assets():
            total = sum((amount for (of, _), amount in self._totals.items() if of == asset), ZERO)
            if self.wallet(asset) != total:
                wrong.append(f"wallet of {asset} is {self.wallet(asset)}, its causes sum up to {total}")
            if self.locked(asset) > max(self.wallet(asset), ZERO):
                wrong.append(f"orders lock {self.locked(asset)} of {self.wallet(asset)} {asset}")
            realized = sum((position.realized for position in self._settled_in(asset)), ZERO)
            if realized != self._totals.get((asset, "pnl"), ZERO):
                wrong.append(f"positions realised {realized} {asset}, the wallet got another amount")
        for position in self._positions.values():
            wrong += check_position(position, self._instrument(position.symbol))
        return wrong

    # -- inside -------------------------------------------------------------------------------------------

    def _fill(self, event: Traded) -> Applied:
        order = event.order
        instrument = self._instrument(order.symbol)
        price = instrument.price(event.price_ticks)
        changes: list[tuple[str, Decimal, Cause]]
        realized = ZERO
        if instrument.kind == "spot":
            changes = [
                (instrument.base, order.side * instrument.amount(event.lots), "trade"),
                (instrument.quote, -order.side * instrument.value(event.lots, price), "trade"),
            ]
        else:
            key = (order.symbol, order.position_side)
            position = self._positions.setdefault(key, Position(*key))
            realized = apply_fill(position, instrument, order.side, event.lots, price)
            changes = [(instrument.settle, realized, "pnl")]
        fee = trade_fee(
            instrument,
            order.side,
            event.price_ticks,
            event.lots,
            is_maker=event.is_maker,
            spot_fee_asset=self._spot_fee_asset,
        )
        changes.append((fee.asset, -fee.amount, "fee"))
        ref = f"trade:{order.symbol}:{event.trade_id}"
        entries = tuple(self._post(asset, amount, cause, ref) for asset, amount, cause in changes if amount)
        return Applied(entries, fee.amount, fee.asset, realized)

    @exact
    def _post(self, asset: str, amount: Decimal, cause: Cause, ref: str) -> Entry:
        """The only place that changes a wallet."""
        self._wallets[asset] = self.wallet(asset) + amount
        self._totals[asset, cause] = self._totals.get((asset, cause), ZERO) + amount
        return Entry(asset, amount, cause, ref)

    def _instrument(self, symbol: str) -> SimInstrument:
        instrument = self._instruments.get(symbol)
        if instrument is None:
            raise InstrumentError(f"account {self.account} does not know {symbol}: add its instrument first")
        return instrument

    def _mark(self, position: Position) -> Decimal:
        mark = self._marks.get(position.symbol)
        return mark or entry_price(position, self._instrument(position.symbol))

    def _of_symbol(self, symbol: str) -> list[Position]:
        return [
            position for position in self._positions.values() if position.symbol == symbol and position.lots
        ]

    def _settled_in(self, asset: str) -> list[Position]:
        return [p for p in self._positions.values() if self._instrument(p.symbol).settle == asset]

    def _value(self, position: Position) -> Decimal:
        if position.lots == 0:
            return ZERO
        return self._instrument(position.symbol).value(position.lots, self._mark(position))

    def _unrealized(self, position: Position) -> Decimal:
        if position.lots == 0:
            return ZERO
        return unrealized(position, self._instrument(position.symbol), self._mark(position))

    def _maintenance(self, position: Position) -> Decimal:
        rate = self._instrument(position.symbol).maint_margin
        return margin.maintenance_margin(self._value(position), rate)

    def _locked(self, asset: str, claims: Iterable[_Claim]) -> Decimal:
        return sum((claim.amount for claim in claims if claim.is_spot and claim.asset == asset), ZERO)

    def _initial_margin(self, asset: str, claims: Iterable[_Claim]) -> Decimal:
        open_values: dict[tuple[str, str], dict[Side, Decimal]] = {
            (position.symbol, position.position_side): dict.fromkeys(Side, ZERO)
            for position in self._settled_in(asset)
        }
        for claim in claims:
            if claim.asset == asset and not claim.is_spot:
                key = (claim.symbol, claim.position_side)
                open_values.setdefault(key, dict.fromkeys(Side, ZERO))[claim.side] += claim.amount
        total = ZERO
        for key, values in open_values.items():
            value = self._value(self._positions.get(key, Position(*key)))
            total += margin.initial_margin(value, values[Side.BUY], values[Side.SELL], self.leverage(key[0]))
        return total

    def _available(self, asset: str, claims: Collection[_Claim]) -> Decimal:
        return self.equity(asset) - self._initial_margin(asset, claims) - self._locked(asset, claims)


def _claim(instrument: SimInstrument, order: SimOrder, price: Decimal) -> _Claim:
    """What the rest of an order may cost at a price; a reduce-only order costs nothing."""
    is_spot = instrument.kind == "spot"
    amount, asset = instrument.value(order.remaining, price), instrument.settle
    if is_spot:
        asset = instrument.quote
        if order.side is Side.SELL:
            amount, asset = instrument.amount(order.remaining), instrument.base
    amount = ZERO if order.reduce_only else amount
    return _Claim(instrument.symbol, order.position_side, order.side, asset, amount, is_spot)
