"""One product of an emulated venue, put together: markets, trading, history, and what may go wrong with orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from nexustrader.emulator.faults import FaultPlan
from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import Account, Accounts
from nexustrader.emulator.orders.held import HeldOrders
from nexustrader.emulator.orders.mishaps import Mishaps
from nexustrader.emulator.orders.past import History
from nexustrader.emulator.orders.rules import Rules, Voice
from nexustrader.emulator.orders.trading import Trading
from nexustrader.emulator.orders.user_feed import UserFeed
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock

CLIENT_ID_BYTES = 11


class Product:
    """What is traded under one set of rules. `first_prices` are those of recorded data, in ticks, where there is some.

    Venues add what their wires need, and call `begin_trading` when they can tell users of it.
    """

    trading: Trading
    held: HeldOrders
    mishaps: Mishaps
    voice: Voice
    user_feed: UserFeed

    def __init__(
        self,
        name: str,
        listings: Mapping[str, Listing],
        accounts: Accounts,
        clock: Clock,
        entropy: Entropy,
        history: History,
        *,
        first_prices: Mapping[str, int] | None = None,
        faults: FaultPlan | None = None,
    ) -> None:
        self.name = name
        self.listings = dict(listings)
        self.accounts = accounts
        self.clock = clock
        self.history = history
        self.faults = faults or FaultPlan()
        self._ids = entropy.child(f"{name} ids")
        self.markets = {
            symbol: Market(
                listing,
                clock,
                entropy,
                partial(accounts.position_lots, name, listing.key),
                (first_prices or {}).get(symbol),
            )
            for symbol, listing in self.listings.items()
        }

    def begin_trading(
        self, rules: Rules, voice: Voice, user_feed: UserFeed, on_first_fill: Callable[[Account], None]
    ) -> None:
        """Takes orders from now on, and tells users of them by `voice` through `user_feed`."""
        self.voice, self.user_feed = voice, user_feed
        self.trading = Trading(
            self.name,
            self.markets,
            self.accounts,
            rules,
            voice,
            self.clock,
            self.new_id,
            on_first_fill,
            self.history,
        )
        self.held = HeldOrders(self.trading, self.markets)
        self.mishaps = Mishaps(self.trading, self.clock, self.faults)

    def new_id(self) -> str:
        """A client order id for whoever sent none."""
        return self._ids.token_hex(CLIENT_ID_BYTES)

    def reach_back(self, span_ms: int) -> None:
        """Lets stale answers reach back so far, from now on."""
        self.history.reach(span_ms, self.accounts.by_name.values(), self.trading.records)

    def restart_books(self, symbol: str | None) -> int:  # noqa: ARG002 — venues whose streams have snapshots look
        """Begins the book streams of a symbol, or of all, anew; returns how many there are."""
        return 0

    @property
    def stream_count(self) -> int:
        """How many market streams somebody listens to."""
        raise NotImplementedError

    def on_first_listener(self, call: Callable[[str], None]) -> None:
        """Calls with the symbol when a market stream of it is asked for."""
        raise NotImplementedError

    def start(self) -> None:
        """Begins to push streams."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stops all timers."""
        raise NotImplementedError
