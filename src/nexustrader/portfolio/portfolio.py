"""Positions as folds of fills, balances as the venue states them, and where the two must be made to agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from nexustrader.constants import InstrumentType, PositionSide
from nexustrader.domain import events as ev
from nexustrader.domain import position as fold
from nexustrader.domain.account import BalanceBook
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_effects import FillDelta
from nexustrader.domain.position import PositionState
from nexustrader.domain.snapshot import Snapshot
from nexustrader.kernel.log import get_logger
from nexustrader.market.cache import Cache
from nexustrader.schema import AccountBalance

_ZERO = Decimal(0)

Held = tuple[str, PositionSide | None]
"""A symbol, and in hedge mode the side: what one account has one position of."""


class Key(NamedTuple):
    """Whose position in what."""

    account: str
    symbol: str
    side: PositionSide | None = None  # in hedge mode each side is a position of its own

    @property
    def held(self) -> Held:
        return self.symbol, self.side


_log = get_logger("Portfolio")


class Portfolio:
    """One for the engine. Spot holdings are balances; a spot fold is kept for profit and loss alone."""

    def __init__(
        self,
        cache: Cache,
        instruments: Mapping[str, Instrument],
        tell_balance: Callable[[AccountBalance], None],
    ) -> None:
        self._cache = cache
        self._instruments = instruments
        self._tell_balance = tell_balance
        self._positions: dict[Key, PositionState] = {}
        self._stated: dict[Key, ev.PositionEvent] = {}
        self._balances: dict[str, BalanceBook] = {}
        self._fees: dict[str, Decimal] = {}
        self._fill_counts: dict[tuple[str, str], int] = {}

    # -- fills -----------------------------------------------------------------------------------------------

    def on_fill(self, order: OrderState, delta: FillDelta) -> None:
        """Fold one execution into the account's position."""
        key = Key(order.account, order.symbol, order.position_side)
        counted = (order.account, order.symbol)
        self._fill_counts[counted] = self._fill_counts.get(counted, 0) + 1
        for currency, amount in delta.fees:
            self._fees[currency] = self._fees.get(currency, _ZERO) + amount
        self._positions[key] = fold.fold(self.position(*key), order.side, delta)
        self._project(key)

    def position(self, account: str, symbol: str, side: PositionSide | None = None) -> PositionState:
        """The fold of an account's fills in a symbol, in hedge mode of one side; flat before the first."""
        known = self._positions.get(Key(account, symbol, side))
        if known is not None:
            return known
        instrument = self._instruments.get(symbol)
        empty = fold.flat(instrument) if instrument is not None else PositionState()
        return empty if side is None else msgspec.structs.replace(empty, position_side=side)

    def positions(self) -> dict[Key, PositionState]:
        """Every fold, flat ones with realised profit included."""
        return dict(self._positions)

    def fees(self) -> dict[str, Decimal]:
        """What was paid (negative: earned) by currency, own and adopted orders."""
        return dict(self._fees)

    def capture(self, snapshot: Snapshot) -> Snapshot:
        """`snapshot` with every fold and the fees."""
        return msgspec.structs.replace(
            snapshot,
            positions=tuple((key.account, key.symbol, state) for key, state in self._positions.items()),
            fees=tuple(self._fees.items()),
        )

    def load(self, snapshot: Snapshot) -> None:
        """Know what was captured; call it before anything else is known."""
        self._fees.update(snapshot.fees)
        for account, symbol, state in snapshot.positions:
            key = Key(account, symbol, state.position_side)
            self._positions[key] = state
            self._project(key)

    def fill_count(self, account: str, symbol: str) -> int:
        """Grows with every fill: equal before and after a query means that no fill came in between."""
        return self._fill_counts.get((account, symbol), 0)

    def _project(self, key: Key) -> None:
        account, symbol, side = key
        instrument = self._instruments.get(symbol)
        if instrument is None or instrument.type is InstrumentType.SPOT:
            return
        state = self._positions[key]
        public = fold.snapshot(state, symbol, instrument.exchange, self._mark(symbol))
        self._cache.put_position(public, _account_name(account), side)

    def _mark(self, symbol: str) -> Decimal | None:
        mark = self._cache.mark_price(symbol)
        if mark is not None:
            return Decimal(str(mark.price))
        book = self._cache.bookl1(symbol)
        return None if book is None else Decimal(str(book.mid))

    # -- the venue's word ------------------------------------------------------------------------------------

    def on_position(self, event: ev.PositionEvent) -> None:
        """Remember what the venue says. It does not move the fold: its fills do, in whichever order they come.

        A word that agrees with the fold is the occasion to value the position anew.
        """
        key = key_of(event)
        self._stated[key] = event
        if key in self._positions and not self.disagrees(*key):
            self._project(key)

    def disagrees(self, account: str, symbol: str, side: PositionSide | None = None) -> bool:
        """True while the venue's last word on a position differs from the fold of the fills."""
        stated = self._stated.get(Key(account, symbol, side))
        return (
            stated is not None and stated.signed_amount != self.position(account, symbol, side).signed_amount
        )

    def differences(self, account: str, events: Iterable[ev.PositionEvent]) -> dict[Held, ev.PositionEvent]:
        """Where the venue's list of positions is not what our fills add up to.

        What the list does not hold is flat. Nothing is adopted: that is `adjust`.
        """
        listed = {key_of(event).held: event for event in events}
        as_of_ms = max((event.timestamp for event in listed.values()), default=0)
        flat = [
            ev.PositionEvent(
                account=account,
                symbol=key.symbol,
                signed_amount=_ZERO,
                entry_price=_ZERO,
                position_side=key.side,
                timestamp=as_of_ms,
                snapshot=True,
            )
            for key, state in self._positions.items()
            if key.account == account
            and key.held not in listed
            and state.is_open
            and self.is_contract(key.symbol)
        ]
        return {
            key_of(event).held: event
            for event in (*listed.values(), *flat)
            if event.signed_amount != self.position(*key_of(event)).signed_amount
        }

    def adjust(self, event: ev.PositionEvent) -> None:
        """Take the venue's word in place of the fold: a manual trade, a liquidation, an earlier run's position."""
        key = key_of(event)
        before = self.position(*key)
        if before.signed_amount or key in self._positions:
            _log.warning(
                f"{event.account} {fold.title(*key.held)}: position {before.signed_amount} by our fills, "
                f"{event.signed_amount} at the venue; the venue's is taken"
            )
        self._stated[key] = event
        self._positions[key] = fold.restated(before, event.signed_amount, event.entry_price)
        self._project(key)

    def is_contract(self, symbol: str) -> bool:
        """True for futures and perpetuals: what is held there is a position, not a balance."""
        instrument = self._instruments.get(symbol)
        return instrument is not None and instrument.type is not InstrumentType.SPOT

    # -- balances --------------------------------------------------------------------------------------------

    def on_balance(self, event: ev.BalanceEvent) -> None:
        """Take the venue's word on one asset and tell when it changed something."""
        book = self._balances.setdefault(event.account, BalanceBook())
        if book.apply(event):
            public = book.snapshot()
            self._cache.put_balance(event.account, public)
            self._tell_balance(public)

    def on_balance_snapshot(self, account: str, events: Iterable[ev.BalanceEvent]) -> bool:
        """Take the venue's list of balances; what it does not list is zero.

        False when a newer word of the stream says something else: one of them is stale, ask again later.
        """
        listed = {(event.asset, event.wallet): event for event in events}
        book = self._balances.setdefault(account, BalanceBook())
        as_of_ms = max((event.timestamp for event in listed.values()), default=0)
        words = [
            *listed.values(),
            *(
                msgspec.structs.replace(known, free=_ZERO, locked=_ZERO, timestamp=as_of_ms, cause=None)
                for known in book
                if (known.asset, known.wallet) not in listed and as_of_ms
            ),
        ]
        for event in words:
            self.on_balance(event)
        return all(book.agrees(event) for event in words)

    def balances(self) -> dict[str, AccountBalance]:
        """Balances by account key."""
        return {account: book.snapshot() for account, book in self._balances.items()}


def key_of(event: ev.PositionEvent) -> Key:
    """Which position a word of the venue is about."""
    return Key(event.account, event.symbol, event.position_side)


def _account_name(account: str) -> str | None:
    """The name of a named account ("binance:SPOT:mm1" -> "mm1"); None for the single form."""
    return account.split(":", 2)[2] if account.count(":") > 1 else None
