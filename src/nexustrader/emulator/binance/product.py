"""One product of the venue, put together: markets, trading, limits, streams and user data."""

from __future__ import annotations

from functools import partial

from nexustrader.emulator.binance.accounts import Account, Accounts
from nexustrader.emulator.binance.instruments import LISTINGS
from nexustrader.emulator.binance.limits import SPOT_RULES, USDM_RULES, Limiter, scaled
from nexustrader.emulator.binance.market import Market
from nexustrader.emulator.binance.publisher import Publisher
from nexustrader.emulator.binance.streams import Hub
from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.emulator.binance.trading import Trading
from nexustrader.emulator.binance.userdata import (
    LISTEN_KEY_TTL_MS,
    ListenKeys,
    SpotSubscriptions,
    SpotVoice,
    UsdmVoice,
    Voice,
)
from nexustrader.emulator.binance.wire import WIRES
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock

RULES = {SPOT: SPOT_RULES, USDM: USDM_RULES}
CLIENT_ID_BYTES = 11


class Product:
    """Spot or USD-M. `first_prices` are the prices of recorded data, in ticks, where there is some."""

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
    ) -> None:
        self.name = name
        self.clock = clock
        self.accounts = accounts
        self.listings = LISTINGS[name]
        self.wire = WIRES[name]
        self.with_averages = with_averages
        self.limiter = Limiter(scaled(RULES[name], limit_factor))
        self.hub = Hub(name)
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
        self.publisher = Publisher(self.hub, self.markets, self.wire, clock)
        self.listen_keys = ListenKeys(self.hub, clock, Entropy(), listen_key_ttl_ms)
        self.subscriptions = SpotSubscriptions()
        self.usdm_voice = UsdmVoice(clock, self.listen_keys.publish)
        voice: Voice = self.usdm_voice
        if name == SPOT:
            voice = SpotVoice(clock, self.subscriptions.publish, self.new_id)
        self.trading = Trading(name, self.markets, accounts, voice, clock, self.new_id, self._on_first_fill)

    def new_id(self) -> str:
        """A client order id for whoever sent none."""
        return self._ids.token_hex(CLIENT_ID_BYTES)

    def start(self) -> None:
        """Begins to push streams."""
        self.publisher.start()

    def stop(self) -> None:
        """Stops all timers."""
        self.publisher.stop()
        self.listen_keys.stop()

    def _on_first_fill(self, account: Account) -> None:
        if self.name == SPOT:
            self.limiter.return_order(account.name, self.clock.timestamp_ms())
