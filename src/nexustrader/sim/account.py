"""One simulated account: wallets, spot locks, margin positions, and what it may afford.

Cross margin per settlement asset, or isolated margin per position. One-way mode keeps positions under BOTH, hedge mode
under LONG and SHORT, as the orders say; in hedge mode send orders that close as reduce-only. Marks come from
`set_mark`; a symbol without one is valued at its entry price.

Fills, fees and funding come from events, so the account never asks the engine. Every change of a wallet is
an `Entry` with a cause and the id of what caused it.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from nexustrader.error import InstrumentError, OrderError
from nexustrader.sim import margin
from nexustrader.sim.claims import Claim, claim_of
from nexustrader.sim.fees import Fee, FeeMeter, SpotFeeAsset, trade_fee
from nexustrader.sim.margin import Margin
from nexustrader.sim.money import exact, plain
from nexustrader.sim.position import (
    PNL_QUANTUM,
    Position,
    apply_fill,
    check_position,
    entry_price,
    secure,
    unrealized,
)
from nexustrader.sim.types import MatchEvent, Side, SimInstrument, SimOrder, Traded

Cause = Literal["deposit", "trade", "fee", "pnl", "funding", "transfer", "insurance"]
ZERO = Decimal(0)
CROSS = Margin()


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


class SimAccount:
    """Money and positions of one account over any number of symbols.

    `fees` charges by what is traded instead of the instruments' rates. Raises InstrumentError for an unknown symbol,
    OrderError for an impossible leverage.
    """

    def __init__(
        self,
        account: str,
        balances: Mapping[str, Decimal],
        instruments: Iterable[SimInstrument] = (),
        *,
        leverage: int | Decimal = 20,
        spot_fee_asset: SpotFeeAsset = "received",
        margins: Margin = CROSS,
        fees: FeeMeter | None = None,
    ) -> None:
        self.account = account
        self.margins = margins
        self._fees = fees
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._default_leverage = Decimal(leverage)
        self._spot_fee_asset: SpotFeeAsset = spot_fee_asset
        self._wallets: dict[str, Decimal] = {}
        self._totals: dict[tuple[str, Cause], Decimal] = {}
        self._positions: dict[tuple[str, str], Position] = {}
        self._claims: dict[tuple[str, int], Claim] = {}
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
    def apply(self, event: MatchEvent, now_ms: int = 0, fee_rate: Decimal | None = None) -> Applied | None:
        """Takes one event of an engine, in the engine's order; returns what an execution did.

        `fee_rate` is charged instead of the account's own. Events of other accounts are left alone.
        """
        order = event.order
        if order.account != self.account:
            return None
        instrument = self._instrument(order.symbol)
        if order.is_open and order.price is not None:
            claim = claim_of(instrument, order, instrument.price(order.price))
            self._claims[order.symbol, order.order_id] = claim
        else:
            self._claims.pop((order.symbol, order.order_id), None)
        return self._fill(event, now_ms, fee_rate) if isinstance(event, Traded) else None

    @exact
    def funding(self, symbol: str, rate: Decimal, mark: Decimal) -> tuple[Entry, ...]:
        """Settles funding: longs pay value × rate, shorts receive it; the reverse at a negative rate."""
        instrument = self._instrument(symbol)
        entries = []
        for position in self._of_symbol(symbol):
            payment = (-instrument.value(position.lots, mark) * rate).quantize(PNL_QUANTUM)
            if payment:
                entries.append(self._post(instrument.settle, payment, "funding", f"funding:{symbol}"))
                position.margin += payment if self._is_isolated else ZERO
        return tuple(entries)

    @exact
    def insure(self, asset: str, amount: Decimal, symbol: str) -> Entry:
        """Takes over so much of what a liquidation cost beyond what secured the position."""
        return self._post(asset, amount, "insurance", f"liquidation:{symbol}")

    def restore_wallet(self, asset: str, amount: Decimal) -> None:
        """Sets a wallet as it was at a former end: the difference counts as deposited."""
        self._post(asset, amount - self.wallet(asset), "deposit", "restored")

    @exact
    def transfer(self, asset: str, amount: Decimal, ref: str = "transfer") -> Entry:
        """Moves money in (positive) or out (negative)."""
        return self._post(asset, amount, "transfer", ref)

    def restore_position(self, symbol: str, lots: int, price: Decimal, position_side: str = "BOTH") -> None:
        """Sets a position as it was at a former end, with its average price. Fills come on top."""
        instrument = self._instrument(symbol)
        value = instrument.value(lots, price)
        restored = Position(symbol, position_side, lots, value, flow=value)
        if self._is_isolated:
            secure(restored, instrument, 0, price, self.leverage(symbol))
        self._positions[symbol, position_side] = restored

    # -- readings -----------------------------------------------------------------------------------------

    def position(self, symbol: str, position_side: str = "BOTH") -> Position:
        """A copy of one position; flat when there is none."""
        return copy.copy(self._held(symbol, position_side))

    def position_lots(self, symbol: str, position_side: str = "BOTH") -> int:
        """Signed lots of one position: what a matching engine asks for."""
        position = self._positions.get((symbol, position_side))
        return position.lots if position else 0

    def positions(self) -> list[Position]:
        """Copies of the positions that are not flat."""
        return [copy.copy(position) for position in self._positions.values() if position.lots]

    def entry_price(self, symbol: str, position_side: str = "BOTH") -> Decimal:
        """Average price of a position, 0 when flat."""
        return entry_price(self._held(symbol, position_side), self._instrument(symbol))

    def mark(self, symbol: str) -> Decimal:
        """The price at which a position of the symbol is valued."""
        return self._mark(self._held(symbol))

    def unrealized(self, symbol: str, position_side: str = "BOTH") -> Decimal:
        """Profit of a position at its mark."""
        return self._unrealized(self._held(symbol, position_side))

    def assets(self) -> list[str]:
        """Assets that the account ever held, sorted."""
        return sorted(self._wallets)

    def has(self, asset: str) -> bool:
        """True for an asset that the account ever held."""
        return asset in self._wallets

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
        instrument, position = self._instrument(symbol), self.position(symbol, position_side)
        cushion = self.cushion(position) - self._maintenance_of_others(position)
        return margin.liquidation_price(position, instrument, cushion, self.margins.of(instrument))

    @exact
    def cushion(self, position: Position) -> Decimal:
        """What covers a position besides its own profit: its margin if isolated, else the wallet and other profits."""
        if self._is_isolated:
            return position.margin
        settle = self._instrument(position.symbol).settle
        return self.wallet(settle) + sum(map(self._unrealized, self._others(position)), ZERO)

    @exact
    def excess(self, position: Position) -> Decimal:
        """How much of what covers a position can be lost before it is liquidated; negative when it is due.

        Under cross margin this is one figure for all positions of the settlement asset.
        """
        required = self._maintenance(position) + self._maintenance_of_others(position)
        return self.cushion(position) + self._unrealized(position) - required

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
        claim = claim_of(instrument, order, price)
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

    def _fill(self, event: Traded, now_ms: int, fee_rate: Decimal | None) -> Applied:
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
            before = position.lots
            realized = apply_fill(position, instrument, order.side, event.lots, price)
            if self._is_isolated:
                secure(position, instrument, before, price, self.leverage(order.symbol))
            changes = [(instrument.settle, realized, "pnl")]
        fee = self._fee(event, instrument, now_ms, fee_rate)
        changes.append((fee.asset, -fee.amount, "fee"))
        ref = f"trade:{order.symbol}:{event.trade_id}"
        entries = tuple(self._post(asset, amount, cause, ref) for asset, amount, cause in changes if amount)
        return Applied(entries, fee.amount, fee.asset, realized)

    def _fee(self, event: Traded, instrument: SimInstrument, now_ms: int, rate: Decimal | None) -> Fee:
        value = instrument.value(event.lots, instrument.price(event.price_ticks))
        side, meter = event.order.side, self._fees
        if meter is not None and rate is None:
            tier = meter.tier(now_ms)
            rate = tier.maker if event.is_maker else tier.taker
            meter.note(_in_quote(instrument, event.lots, value), now_ms)
            discount = meter.schedule.discount
            if discount is not None and rate > 0 and instrument.quote == discount.currency:
                price = self._marks.get(discount.symbol or "") or discount.price
                fee = discount.fee(_in_quote(instrument, event.lots, value), rate, price) if price else None
                if fee is not None and self.free(fee.asset) >= fee.amount:
                    return fee
        return trade_fee(
            instrument,
            side,
            event.price_ticks,
            event.lots,
            is_maker=event.is_maker,
            spot_fee_asset=self._spot_fee_asset,
            rate=rate,
        )

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

    def _held(self, symbol: str, position_side: str = "BOTH") -> Position:
        """The position itself, to be read; flat when there is none."""
        held = self._positions.get((symbol, position_side))
        return Position(symbol, position_side) if held is None else held

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
        tiers = self.margins.of(self._instrument(position.symbol))
        return margin.maintenance_margin(self._value(position), tiers)

    @property
    def _is_isolated(self) -> bool:
        return self.margins.mode == "isolated"

    def _others(self, position: Position) -> list[Position]:
        """The other positions that the same wallet secures."""
        settle = self._instrument(position.symbol).settle
        key = (position.symbol, position.position_side)
        return [p for p in self._settled_in(settle) if (p.symbol, p.position_side) != key]

    def _maintenance_of_others(self, position: Position) -> Decimal:
        if self._is_isolated:
            return ZERO
        return sum(map(self._maintenance, self._others(position)), ZERO)

    def _locked(self, asset: str, claims: Iterable[Claim]) -> Decimal:
        return sum((claim.amount for claim in claims if claim.is_spot and claim.asset == asset), ZERO)

    def _initial_margin(self, asset: str, claims: Iterable[Claim]) -> Decimal:
        open_values = {
            (position.symbol, position.position_side): (ZERO, ZERO) for position in self._settled_in(asset)
        }
        for claim in claims:
            if claim.asset == asset and not claim.is_spot:
                key = (claim.symbol, claim.position_side)
                buys, sells = open_values.get(key, (ZERO, ZERO))
                is_buy, amount = claim.side is Side.BUY, claim.amount
                open_values[key] = (buys + amount, sells) if is_buy else (buys, sells + amount)
        total = ZERO
        for key, (buys, sells) in open_values.items():
            position = self._held(*key)
            value, leverage = self._value(position), self.leverage(key[0])
            total += margin.initial_margin(value, buys, sells, leverage)
            if self._is_isolated:
                total += position.margin - margin.initial_margin(value, ZERO, ZERO, leverage)
        return total

    def _available(self, asset: str, claims: Collection[Claim]) -> Decimal:
        held = self.wallet(asset) if self._is_isolated else self.equity(asset)
        return held - self._initial_margin(asset, claims) - self._locked(asset, claims)


def _in_quote(instrument: SimInstrument, lots: int, value: Decimal) -> Decimal:
    """The value of a trade in quote, which an inverse contract's amount is already."""
    if instrument.kind == "inverse":
        return instrument.contract_size * instrument.amount(lots)
    return value
