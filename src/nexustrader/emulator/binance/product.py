"""One product of the venue, put together: markets, trading, limits, streams and user data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from nexustrader.emulator.binance.accounts import Account, Accounts
from nexustrader.emulator.binance.dead_man import Countdowns
from nexustrader.emulator.binance.instruments import LISTINGS
from nexustrader.emulator.binance.limits import SPOT_RULES, USDM_RULES, Limiter, scaled
from nexustrader.emulator.binance.market import Market
from nexustrader.emulator.binance.mishaps import Mishaps
from nexustrader.emulator.binance.past import History
from nexustrader.emulator.binance.publisher import PUSH_MS, Publisher
from nexustrader.emulator.binance.streams import Hub
from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.emulator.binance.trading import Trading
from nexustrader.emulator.binance.user_feed import UserFeed
from nexustrader.emulator.binance.userdata import (
    LISTEN_KEY_TTL_MS,
    ListenKeys,
    SpotSubscriptions,
    SpotVoice,
    UsdmVoice,
    Voice,
)
from nexustrader.emulator.binance.wire import WIRES
from nexustrader.emulator.faults import FaultPlan
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock

RULES = {SPOT: SPOT_RULES, USDM: USDM_RULES}
CLIENT_ID_BYTES = 11


class Product:
    """Spot or USD-M. `first_prices` are the prices of recorded data, in ticks, where there is some.

    `symbols` are the ones listed, all if there are none; `secrets` draws the listen keys.
    """

    def __init__(
        self,
        name: str,
        accounts: Accounts,
        clock: Clock,
        entropy: Entropy,
        *,
        first_prices: dict[str, int] | None = None,
        limit_factor: int = 1,
        listen_key_ttl_ms: int = LISTEN_KEY_TTL_MS,
        with_averages: bool = False,
        symbols: Sequence[str] = (),
        push_ms: int = PUSH_MS,
        history_ms: int = 0,
        secrets: Entropy | None = None,
        faults: FaultPlan | None = None,
    ) -> None:
        self.name = name
        self.clock = clock
        self.accounts = accounts
        self.faults = faults or FaultPlan()
        self.listings = {
            symbol: listing for symbol, listing in LISTINGS[name].items() if symbol in symbols or not symbols
        }
        self.wire = WIRES[name]
        self.with_averages = with_averages
        self.limiter = Limiter(scaled(RULES[name], limit_factor))
        self.hub = Hub(name, self.faults)
        self._ids = entropy.child(f"{name} ids")
        self.markets = {
            symbol: Market(
                listing,
                clock,
                entropy,
                partial(accounts.position_lots, name, symbol),
                (first_prices or {}).get(symbol),
            )
            for symbol, listing in self.listings.items()
        }
        self.history = History(name, clock)
        self.history.reach(history_ms, accounts.by_name.values(), ())
        self.publisher = Publisher(self.hub, self.markets, self.wire, clock, push_ms)
        self.listen_keys = ListenKeys(self.hub, clock, secrets or Entropy(), listen_key_ttl_ms)
        self.subscriptions = SpotSubscriptions()
        deliver = self.subscriptions.publish if name == SPOT else self.listen_keys.publish
        self.user_feed = UserFeed(name, deliver, clock, self.faults)
        self.subscriptions.on_listener = self.listen_keys.on_listener = self.user_feed.on_listener
        self.usdm_voice = UsdmVoice(clock, self.user_feed.publish)
        self.spot_voice = SpotVoice(clock, self.user_feed.publish, self.new_id)
        voice: Voice = self.spot_voice if name == SPOT else self.usdm_voice
        self.trading = Trading(
            name, self.markets, accounts, voice, clock, self.new_id, self._on_first_fill, self.history
        )
        self.mishaps = Mishaps(self.trading, clock, self.faults)
        self.countdowns = Countdowns(clock, self.trading)

    def new_id(self) -> str:
        """A client order id for whoever sent none."""
        return self._ids.token_hex(CLIENT_ID_BYTES)

    def reach_back(self, span_ms: int) -> None:
        """Lets stale answers reach back so far, from now on."""
        accounts = self.accounts.by_name.values()
        self.history.reach(span_ms, accounts, self.trading.records)

    def start(self) -> None:
        """Begins to push streams."""
        self.publisher.start()

    def stop(self) -> None:
        """Stops all timers."""
        self.publisher.stop()
        self.listen_keys.stop()
        self.countdowns.stop()

    def _on_first_fill(self, account: Account) -> None:
        if self.name == SPOT:
            self.limiter.return_order(account.name, self.clock.timestamp_ms())
