"""One category of the venue, put together: what every product has, and Bybit's public topics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nexustrader.emulator.bybit.rules import RULES
from nexustrader.emulator.bybit.sockets.hub import Hub
from nexustrader.emulator.bybit.sockets.publisher import Publisher
from nexustrader.emulator.bybit.voice import BybitVoice
from nexustrader.emulator.faults import FaultPlan
from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.orders.accounts import Account, Accounts
from nexustrader.emulator.orders.past import History
from nexustrader.emulator.orders.user_feed import UserFeed
from nexustrader.emulator.product import Product
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock


class BybitProduct(Product):
    """One category. History, voice and user feed are one for all categories."""

    def __init__(
        self,
        name: str,
        listings: Mapping[str, Listing],
        accounts: Accounts,
        clock: Clock,
        entropy: Entropy,
        history: History,
        *,
        first_prices: Mapping[str, int],
        faults: FaultPlan,
        push_ms: int,
    ) -> None:
        super().__init__(
            name, listings, accounts, clock, entropy, history, first_prices=first_prices, faults=faults
        )
        self.hub = Hub(name, self.markets, clock, faults)
        self.publisher = Publisher(self.hub, self.markets, clock, push_ms)

    def begin(self, voice: BybitVoice, feed: UserFeed) -> None:
        """Takes orders from now on."""
        self.begin_trading(RULES[self.name], voice, feed, _note_nothing)
        self.bybit_voice = voice

    @property
    def stream_count(self) -> int:
        """How many public topics somebody listens to."""
        return self.hub.stream_count

    def restart_books(self, symbol: str | None) -> int:
        """Tells every book of a symbol, or of all, anew; returns how many there are."""
        now_ms = self.clock.timestamp_ms()
        books = [book for book in self.hub.books.values() if symbol in {None, book.about["symbol"]}]
        for book in books:
            book.restart(now_ms)
        return len(books)

    def on_first_listener(self, call: Callable[[str], None]) -> None:
        """Calls with the symbol when a public topic of it is asked for."""
        self.hub.on_first = call

    def start(self) -> None:
        """Begins to push topics."""
        self.publisher.start()

    def stop(self) -> None:
        """Stops all timers."""
        self.publisher.stop()


def _note_nothing(_: Account) -> None:
    """No limit changes by a first fill."""
