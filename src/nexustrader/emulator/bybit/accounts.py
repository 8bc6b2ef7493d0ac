"""The unified account: one wallet over all categories, position modes, and what was earned with each position."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from nexustrader.emulator.bybit.categories import CATEGORIES, POSITION_SIDES, SPOT
from nexustrader.emulator.bybit.instruments import ASSETS, LISTINGS
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import ZERO, Account, AccountSpec
from nexustrader.emulator.signatures import verifier_of
from nexustrader.sim.account import SimAccount
from nexustrader.sim.margin import initial_margin

WALLET = "unified"
LEVERAGE = 10
BALANCES = {"USDT": Decimal(100_000), "BTC": Decimal(2)}
USD_LIKE = ("USDT", "USD")


class Earned(msgspec.Struct):
    """What a position has brought since it was opened, and ever, fees taken off; and when it was opened and changed."""

    current: Decimal = ZERO
    ever: Decimal = ZERO
    created_ms: int = 0
    updated_ms: int = 0
    sequence: int = 0


class BybitAccount(Account):
    """One account. `hedged` are the symbols in hedge mode, `earned` is by key and side of position."""

    def __init__(self, spec: AccountSpec, uid: int) -> None:
        balances = spec.balances.get(WALLET, BALANCES)
        ledger = SimAccount(
            spec.name,
            {asset: balances.get(asset, ZERO) for asset in (*ASSETS, *balances)},
            [listing.to_sim() for listings in LISTINGS.values() for listing in listings.values()],
            leverage=LEVERAGE,
        )
        verifier = verifier_of(spec.secret, spec.public_key_pem, RSAPublicKey)
        super().__init__(spec, uid, verifier, dict.fromkeys(CATEGORIES, ledger))
        self.signs_with_rsa = spec.secret is None
        self.hedged: set[str] = set()
        self.margin_mode = "REGULAR_MARGIN"
        self.earned: dict[tuple[str, str], Earned] = {}

    @property
    def ledger(self) -> SimAccount:
        """The one wallet."""
        return self.ledgers[SPOT]

    def position_sides(self, symbol: str) -> tuple[int, ...]:
        """The position indexes of a symbol in its mode."""
        return (1, 2) if symbol in self.hedged else (0,)

    def note_fill(
        self, market: Market, position_side: str, gained: Decimal, now_ms: int, sequence: int
    ) -> None:
        """Keeps what one execution brought to its position."""
        earned = self.earned.setdefault((market.key, position_side), Earned(created_ms=now_ms))
        earned.ever += gained
        is_open = self.ledger.position_lots(market.key, position_side) != 0
        earned.current = earned.current + gained if is_open else ZERO
        earned.updated_ms, earned.sequence = now_ms, sequence


def open_account(spec: AccountSpec, uid: int) -> Account:
    """An account. Raises ValueError for a key that the venue does not know."""
    return BybitAccount(spec, uid)


class PositionView(msgspec.Struct, frozen=True):
    """One position as the venue shows it; flat or not. Money in the settlement coin."""

    market: Market
    index: int
    lots: int
    entry: Decimal
    mark: Decimal
    value: Decimal
    unrealized: Decimal
    initial_margin: Decimal
    maintenance: Decimal
    liquidation: Decimal | None
    leverage: Decimal
    earned: Earned


class CoinView(msgspec.Struct, frozen=True):
    """The wallet of one coin; `price` in USD."""

    coin: str
    price: Decimal
    wallet: Decimal
    equity: Decimal
    locked: Decimal
    order_margin: Decimal
    position_margin: Decimal
    maintenance: Decimal
    available: Decimal
    realized: Decimal

    @property
    def unrealized(self) -> Decimal:
        """Profit of the positions that settle in the coin."""
        return self.equity - self.wallet


class AccountView:
    """Positions and coins of one account, at the marks of now. `markets` are all of the venue."""

    def __init__(self, account: BybitAccount, markets: Iterable[Market]) -> None:
        self.account = account
        self._markets = list(markets)
        for market in self._markets:
            account.ledger.set_mark(market.key, market.mark)

    def position(self, market: Market, index: int) -> PositionView:
        """One position, flat or not."""
        ledger, key, side = self.account.ledger, market.key, POSITION_SIDES[index]
        lots = ledger.position_lots(key, side)
        leverage = ledger.leverage(key)
        value = abs(market.instrument.value(lots, market.mark)) if lots else ZERO
        entry = ledger.entry_price(key, side) if lots else ZERO
        return PositionView(
            market=market,
            index=index,
            lots=lots,
            entry=entry,
            mark=market.mark,
            value=abs(market.instrument.value(lots, entry)) if lots else ZERO,
            unrealized=ledger.unrealized(key, side),
            initial_margin=initial_margin(value, ZERO, ZERO, leverage),
            maintenance=value * market.instrument.maint_margin,
            liquidation=ledger.liquidation_price(key, side) if lots else None,
            leverage=leverage,
            earned=self.account.earned.get((key, side), Earned()),
        )

    def positions(self) -> Iterator[PositionView]:
        """Every position of every market that has some, flat ones too."""
        for market in self._markets:
            if market.listing.kind != "spot":
                for index in self.account.position_sides(market.symbol):
                    yield self.position(market, index)

    def coins(self, wanted: Iterable[str] = ()) -> list[CoinView]:
        """The coins asked for, else all that the account ever held."""
        ledger = self.account.ledger
        held = [view for view in self.positions() if view.lots]
        return [self._coin(coin, held) for coin in (list(wanted) or ledger.assets())]

    def price(self, coin: str) -> Decimal:
        """What a coin is worth in USD; nothing where no market tells."""
        if coin in USD_LIKE:
            return Decimal(1)
        marks = (m.mark for m in self._markets if m.listing.kind == "spot" and m.listing.base == coin)
        return next(marks, ZERO)

    def _coin(self, coin: str, held: list[PositionView]) -> CoinView:
        ledger = self.account.ledger
        mine = [view for view in held if view.market.listing.settle == coin]
        margin = sum((view.initial_margin for view in mine), ZERO)
        return CoinView(
            coin=coin,
            price=self.price(coin),
            wallet=ledger.wallet(coin),
            equity=ledger.equity(coin),
            locked=ledger.locked(coin),
            order_margin=max(ZERO, ledger.initial_margin(coin) - margin),
            position_margin=margin,
            maintenance=ledger.maintenance_margin(coin),
            available=max(ZERO, ledger.available(coin)),
            realized=sum(
                (
                    earned.ever
                    for (key, _), earned in self.account.earned.items()
                    if any(m.key == key and m.listing.settle == coin for m in self._markets)
                ),
                ZERO,
            ),
        )
