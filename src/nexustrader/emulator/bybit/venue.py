"""Bybit v5, emulated: four categories over one unified account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import ClassVar

from nexustrader.emulator.bybit import user_events
from nexustrader.emulator.bybit.accounts import open_account
from nexustrader.emulator.bybit.categories import CATEGORIES, INVERSE, LINEAR, OPTION, SPOT
from nexustrader.emulator.bybit.dead_man import DeadMan
from nexustrader.emulator.bybit.deeds import BYBIT_DEEDS
from nexustrader.emulator.bybit.instruments import LISTINGS
from nexustrader.emulator.bybit.limits import Limiter
from nexustrader.emulator.bybit.product import BybitProduct
from nexustrader.emulator.bybit.refusals import REPLIES
from nexustrader.emulator.bybit.sockets.courier import SHUFFLED, Courier
from nexustrader.emulator.bybit.sockets.private import PrivateListeners
from nexustrader.emulator.bybit.voice import BybitVoice
from nexustrader.emulator.canned import Replies
from nexustrader.emulator.market.listing import Listings
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import Account, Accounts, AccountSpec
from nexustrader.emulator.orders.deeds import Deed
from nexustrader.emulator.orders.past import History
from nexustrader.emulator.orders.user_feed import UserFeed
from nexustrader.emulator.venue import EmulatedVenue, FrameRecording, Settings
from nexustrader.error import DataError
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock

FIRST_SEQUENCE = 9_383_179_043
PUSH_MS = 20


class BybitSettings(Settings, frozen=True, kw_only=True):
    """How the venue behaves; `message_order` is how user messages leave, see `courier.Courier`."""

    push_ms: int = PUSH_MS
    message_order: str = SHUFFLED


class BybitVenue(EmulatedVenue[BybitProduct, BybitSettings]):
    """Bybit, emulated. Raises DataError for recordings that cannot be used and symbols that are not listed."""

    venue_name = "bybit"
    main_product = LINEAR
    replies: ClassVar[Replies] = REPLIES
    deeds: ClassVar[Mapping[str, Deed]] = BYBIT_DEEDS

    def __init__(self, specs: Sequence[AccountSpec], settings: BybitSettings, clock: Clock) -> None:
        self.limiter = Limiter(settings.limit_factor)
        self.history = History(CATEGORIES, clock)
        self.listeners = PrivateListeners()
        self._sequence = count(FIRST_SEQUENCE)
        self._connections = count(1)
        super().__init__(Accounts(specs, open_account), settings, clock, LISTINGS, _no_frames)
        self.history.reach(settings.history_ms, self.accounts.by_name.values(), ())
        feed = UserFeed(
            (LINEAR, SPOT, INVERSE, OPTION),
            self.listeners.deliver,
            clock,
            self.faults,
            user_events.about,
            user_events.alter,
        )
        entropy = Entropy(settings.seed).child("user messages")
        courier = Courier(feed.publish, clock, entropy, settings.message_order)
        voice = BybitVoice(clock, courier, self.markets, self.next_sequence)
        for product in self.products.values():
            product.begin(voice, feed)
        self.dead_man = DeadMan(clock, self.products, self.listeners.is_heard)
        self.listeners.on_gone = self.dead_man.on_gone

        def on_listener(account: Account) -> None:
            self.dead_man.on_listener(account)
            feed.on_listener(account)

        self.listeners.on_listener = on_listener

    def stop(self) -> None:
        """Stops everything and cuts every connection."""
        super().stop()
        self.dead_man.stop()

    def markets(self) -> list[Market]:
        """Every market of every category."""
        return [market for product in self.products.values() for market in product.markets.values()]

    def next_sequence(self) -> int:
        """The next number of what is told."""
        return next(self._sequence)

    def connection_name(self) -> str:
        """A name for a new connection."""
        return f"emulated{next(self._connections):012d}-{self.settings.seed}"

    def _make_products(
        self, listings: Listings, entropy: Entropy, first_prices: Mapping[str, Mapping[str, int]]
    ) -> dict[str, BybitProduct]:
        return {
            name: BybitProduct(
                name,
                listings[name],
                self.accounts,
                self.clock,
                entropy.child(name),
                self.history,
                first_prices=first_prices[name],
                faults=self.faults,
                push_ms=self.settings.push_ms,
            )
            for name in CATEGORIES
        }

    def _reach_back(self, span_ms: int) -> None:
        records = [record for product in self.products.values() for record in product.trading.records]
        self.history.reach(span_ms, self.accounts.by_name.values(), records)

    def _more_status(self) -> dict[str, object]:
        return {"private_sockets": self.listeners.alive}


def _no_frames(path: Path) -> FrameRecording:
    raise DataError(f"{path}: recorded frames of Bybit cannot be played; give candles (.csv, .csv.gz, .zip)")
