"""Binance, emulated: spot, USD-M and COIN-M, and margin and portfolio margin on their markets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from nexustrader.emulator.binance.accounts import open_account
from nexustrader.emulator.binance.deeds import BINANCE_DEEDS
from nexustrader.emulator.binance.instruments import LISTINGS
from nexustrader.emulator.binance.limits import SPOT_RULES, USDM_RULES, Limiter, scaled
from nexustrader.emulator.binance.portfolio_keys import PortfolioKeys
from nexustrader.emulator.binance.product import BinanceProduct
from nexustrader.emulator.binance.refusals import REPLIES
from nexustrader.emulator.binance.replay import Recording
from nexustrader.emulator.binance.side_accounts import open_side_accounts
from nexustrader.emulator.binance.streams import Hub
from nexustrader.emulator.binance.topics import COINM, PAPI, SPOT, USDM
from nexustrader.emulator.binance.userdata import LISTEN_KEY_TTL_MS
from nexustrader.emulator.canned import Replies
from nexustrader.emulator.market.listing import Listings
from nexustrader.emulator.orders.accounts import Accounts, AccountSpec
from nexustrader.emulator.orders.deeds import Deed
from nexustrader.emulator.venue import EmulatedVenue, Settings
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock


class BinanceSettings(Settings, frozen=True, kw_only=True):
    """How the venue behaves; with `with_averages` futures orders have the two fields that the venue removed."""

    listen_key_ttl_ms: int = LISTEN_KEY_TTL_MS
    with_averages: bool = False


class BinanceVenue(EmulatedVenue[BinanceProduct, BinanceSettings]):
    """Binance, emulated. `secrets` draws the listen keys; unseeded, nobody can guess them.

    Raises DataError for recordings that cannot be used and symbols that are not listed.
    """

    venue_name = "binance"
    main_product = USDM
    replies: ClassVar[Replies] = REPLIES
    deeds: ClassVar[Mapping[str, Deed]] = BINANCE_DEEDS

    def __init__(
        self,
        specs: Sequence[AccountSpec],
        settings: BinanceSettings,
        clock: Clock,
        secrets: Entropy | None = None,
    ) -> None:
        self._secrets = secrets
        accounts = Accounts(specs, open_account)
        open_side_accounts(accounts, specs)
        super().__init__(accounts, settings, clock, LISTINGS, Recording)

    def _make_products(
        self, listings: Listings, entropy: Entropy, first_prices: Mapping[str, Mapping[str, int]]
    ) -> dict[str, BinanceProduct]:
        settings = self.settings
        self.portfolio_hub = Hub(PAPI, self.faults)
        self.portfolio_keys = PortfolioKeys(
            self.portfolio_hub, self.clock, self._secrets or Entropy(), settings.listen_key_ttl_ms
        )
        spot = Limiter(scaled(SPOT_RULES, settings.limit_factor))
        futures = Limiter(scaled(USDM_RULES, settings.limit_factor))  # both count together
        return {
            name: BinanceProduct(
                name,
                listings[name],
                self.accounts,
                self.clock,
                entropy.child(name),
                settings,
                spot if name == SPOT else futures,
                first_prices=first_prices[name],
                listen_key_ttl_ms=settings.listen_key_ttl_ms,
                with_averages=settings.with_averages,
                faults=self.faults,
                secrets=self._secrets or Entropy(),
                portfolio_keys=self.portfolio_keys,
            )
            for name in (SPOT, USDM, COINM)
        }

    def stop(self) -> None:
        """Stops everything and cuts every connection."""
        super().stop()
        self.portfolio_keys.stop()

    def _more_status(self) -> dict[str, object]:
        return {
            "listen_keys": sum(product.listen_keys.alive for product in self.products.values()),
            "user_subscriptions": self.products[SPOT].subscriptions.alive,
        }
