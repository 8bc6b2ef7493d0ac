"""How a simulated account outlives its process: what is kept, how it comes back, and when it is written."""

from __future__ import annotations

from nexustrader.domain.instrument import to_plain
from nexustrader.error import OrderError
from nexustrader.kernel.ports import Clock
from nexustrader.sim.account import SimAccount
from nexustrader.sim.markets import Markets
from nexustrader.sim.settings import Keeper, SavedAccount


class Keeping:
    """Keeps one account with a `Keeper`, or nowhere when there is none."""

    def __init__(self, keeper: Keeper | None, ledger: SimAccount, markets: Markets, clock: Clock) -> None:
        self._keeper = keeper
        self._ledger = ledger
        self._markets = markets
        self._clock = clock
        self._is_due = False

    def restore(self) -> None:
        """Takes over what an earlier run left. Raises OrderError for a position whose symbol is not known now."""
        saved = None if self._keeper is None else self._keeper.load()
        if saved is None:
            return
        for asset, amount in saved.balances.items():
            self._ledger.restore_wallet(asset, amount)
        for symbol, (amount, price) in saved.positions.items():
            market = self._markets.get(symbol)
            if market is None:
                raise OrderError(
                    f"{self._ledger.account} has a position of {to_plain(amount)} {symbol} from an earlier run, and "
                    "that symbol is not known now; add its connector, or start once with overwrite_position=True"
                )
            self._ledger.restore_position(symbol, market.sim.to_lots(amount), price)

    def saved(self) -> SavedAccount:
        """What is to outlive a restart."""
        ledger = self._ledger
        return SavedAccount(
            balances={asset: ledger.wallet(asset) for asset in ledger.assets()},
            positions={
                position.symbol: (
                    self._markets.known(position.symbol).sim.amount(position.lots),
                    ledger.entry_price(position.symbol),
                )
                for position in ledger.positions()
            },
        )

    def save_soon(self) -> None:
        """Writes what has changed, once for all changes of this moment."""
        if self._keeper is not None and not self._is_due:
            self._is_due = True
            self._clock.call_soon(self.save)

    def save(self) -> None:
        self._is_due = False
        if self._keeper is not None:
            self._keeper.save(self.saved())
