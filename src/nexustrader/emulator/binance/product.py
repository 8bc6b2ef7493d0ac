"""One product of the venue, put together: what every product has, and Binance's limits, streams and user data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nexustrader.emulator.binance import user_events
from nexustrader.emulator.binance.encode.wire import WIRES
from nexustrader.emulator.binance.handlers.dead_man import Countdowns
from nexustrader.emulator.binance.limits import Limiter
from nexustrader.emulator.binance.listen_tokens import ListenTokens
from nexustrader.emulator.binance.portfolio_keys import PortfolioKeys
from nexustrader.emulator.binance.publisher import Publisher
from nexustrader.emulator.binance.rules import RULES
from nexustrader.emulator.binance.streams import Hub
from nexustrader.emulator.binance.topics import SPOT
from nexustrader.emulator.binance.userdata import (
    LISTEN_KEY_TTL_MS,
    FuturesVoice,
    ListenKeys,
    SpotSubscriptions,
    SpotVoice,
)
from nexustrader.emulator.faults import FaultPlan
from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.orders.accounts import Account, Accounts
from nexustrader.emulator.orders.past import History
from nexustrader.emulator.orders.rules import Voice
from nexustrader.emulator.orders.user_feed import UserFeed
from nexustrader.emulator.product import Product
from nexustrader.emulator.venue import Settings
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock


class BinanceProduct(Product):
    """Spot, USD-M or COIN-M. `secrets` draws the listen keys."""

    def __init__(
        self,
        name: str,
        listings: Mapping[str, Listing],
        accounts: Accounts,
        clock: Clock,
        entropy: Entropy,
        settings: Settings,
        limiter: Limiter,
        *,
        first_prices: Mapping[str, int] | None = None,
        listen_key_ttl_ms: int = LISTEN_KEY_TTL_MS,
        with_averages: bool = False,
        secrets: Entropy | None = None,
        portfolio_keys: PortfolioKeys,
        faults: FaultPlan | None = None,
    ) -> None:
        history = History((name,), clock)
        super().__init__(
            name, listings, accounts, clock, entropy, history, first_prices=first_prices, faults=faults
        )
        self.wire = WIRES[name]
        self.with_averages = with_averages
        self.limiter = limiter
        self.hub = Hub(name, self.faults)
        self.history.reach(settings.history_ms, accounts.by_name.values(), ())
        self.publisher = Publisher(self.hub, self.markets, self.wire, clock, settings.push_ms)
        self.listen_keys = ListenKeys(self.hub, clock, secrets or Entropy(), listen_key_ttl_ms)
        self.subscriptions = SpotSubscriptions()
        self.listen_tokens = ListenTokens(self.subscriptions, clock, secrets or Entropy())
        self.portfolio_keys = portfolio_keys
        feed = UserFeed((name,), self._deliver, clock, self.faults, user_events.about, user_events.alter)
        self.subscriptions.on_listener = self.listen_keys.on_listener = feed.on_listener
        if name == SPOT:
            voice: Voice = SpotVoice(clock, feed.publish, self.new_id)
        else:
            voice = self.futures_voice = FuturesVoice(name, clock, feed.publish)
        self.begin_trading(RULES[name], voice, feed, self._on_first_fill)
        self.countdowns = Countdowns(clock, self.trading)

    def _deliver(self, account: Account, event: dict[str, object]) -> None:
        if self.portfolio_keys.tell(self.name, account, event):
            return
        if self.name == SPOT:
            self.subscriptions.publish(account, event)
        else:
            self.listen_keys.publish(account, event)

    @property
    def stream_count(self) -> int:
        """How many market streams somebody listens to."""
        return self.hub.stream_count

    def on_first_listener(self, call: Callable[[str], None]) -> None:
        """Calls with the symbol when a market stream of it is asked for."""
        self.hub.on_first = call

    def start(self) -> None:
        """Begins to push streams."""
        self.publisher.start()

    def stop(self) -> None:
        """Stops all timers."""
        self.publisher.stop()
        self.listen_keys.stop()
        self.listen_tokens.stop()
        self.countdowns.stop()

    def _on_first_fill(self, account: Account) -> None:
        if self.name == SPOT:
            self.limiter.return_order(account.name, self.clock.timestamp_ms())
