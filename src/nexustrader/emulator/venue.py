"""The whole of an emulated venue: its products, their markets' sources, everybody connected."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

import msgspec

from nexustrader.emulator.canned import Replies
from nexustrader.emulator.faults import Fault, FaultPlan, check
from nexustrader.emulator.market.bar_replay import BarReplaySource, bar_recordings, is_klines
from nexustrader.emulator.market.listing import Listings
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.market.synthetic import STEP_MS, SyntheticSource
from nexustrader.emulator.orders.accounts import Accounts
from nexustrader.emulator.orders.deeds import DEEDS, Deed
from nexustrader.emulator.orders.ledger import account_ledger
from nexustrader.emulator.peer import Peer
from nexustrader.emulator.product import Product
from nexustrader.error import DataError
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock

ON_SUBSCRIPTION = "subscription"
AT_ONCE = "now"
SYNTHETIC = "synthetic"
STILL = "still"
PUSH_MS = 50  # how often streams with a cadence are looked at


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a venue behaves.

    `data` are recordings, frames or candles; `start` says when they play, at `speed`. `market` moves all others, a
    step every `step_ms`. `symbols` are the ones listed, all if there are none. Streams with a cadence are looked at
    every `push_ms`. `history_ms` is how far back stale answers can reach at once; without it they reach back to
    the moment when they were asked for.
    """

    data: Sequence[Path] = ()
    speed: float = 1.0
    start: str = ON_SUBSCRIPTION
    market: str = SYNTHETIC
    seed: int = 1
    limit_factor: int = 1
    symbols: Sequence[str] = ()
    step_ms: int = STEP_MS
    push_ms: int = PUSH_MS
    history_ms: int = 0


class Source(Protocol):
    """What moves one market."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def hold(self) -> None: ...


class Replay(Source, Protocol):
    """A source that plays a recording. `lines` counts what it has played of it."""

    frames: int
    snapshots: int
    finished: bool
    damage: str | None

    @property
    def lines(self) -> int: ...
    @property
    def started(self) -> bool: ...


class FrameRecording(Protocol):
    """A file of recorded frames of one symbol; `first_price` in ticks."""

    path: Path
    product: str
    symbol: str
    first_price: int

    def source(self, market: Market, clock: Clock, speed: float) -> Replay:
        """What plays it into a market."""


P_co = TypeVar("P_co", bound=Product, covariant=True)
S_co = TypeVar("S_co", bound=Settings, covariant=True)


class EmulatedVenue(ABC, Generic[P_co, S_co]):
    """A venue, emulated: products of `listings`, moved by recordings or by made-up markets.

    A venue says what it is by the class attributes and makes its own products. Raises DataError for recordings that
    cannot be used and symbols that are not listed.
    """

    venue_name: ClassVar[str]
    main_product: ClassVar[str]  # what is meant where no product is named, and what has positions
    replies: ClassVar[Replies]
    deeds: ClassVar[Mapping[str, Deed]] = DEEDS

    def __init__(
        self,
        accounts: Accounts,
        settings: S_co,
        clock: Clock,
        listings: Listings,
        read_frames: Callable[[Path], FrameRecording],
    ) -> None:
        _check(settings, listings)
        self.clock = clock
        self.settings = settings
        self.accounts = accounts
        self.faults = FaultPlan()
        self.connections: dict[Peer, str] = {}  # who is connected, and to what kind of service
        self.stopping = False
        entropy = Entropy(settings.seed)
        frames = [read_frames(path) for path in settings.data if not is_klines(path)]
        candles = bar_recordings([path for path in settings.data if is_klines(path)], listings)
        prices: dict[str, dict[str, int]] = {name: {} for name in listings}
        for recording in frames:
            prices[recording.product][recording.symbol] = recording.first_price
        for bars in candles:
            for name, price in bars.first_prices.items():
                prices[name][bars.symbol] = price
        listed = {
            name: {symbol: one for symbol, one in symbols.items() if symbol in settings.symbols}
            if settings.symbols
            else symbols
            for name, symbols in listings.items()
        }
        self.products = self._make_products(listed, entropy, prices)
        self.replays: dict[tuple[str, str], Replay] = {}
        self.sources: dict[tuple[str, str], Source] = {}
        for recording in frames:
            self._check_listed(recording.product, recording.symbol)
            market = self.products[recording.product].markets[recording.symbol]
            replay = recording.source(market, clock, settings.speed)
            self._add_replay(replay, {recording.product: market}, str(recording.path))
        for bars in candles:
            for name in bars.first_prices:
                self._check_listed(name, bars.symbol)
            markets = {name: self.products[name].markets[bars.symbol] for name in bars.first_prices}
            played = BarReplaySource(bars, list(markets.values()), clock, settings.speed)
            self._add_replay(played, markets, bars.name)
        for product in self.products.values():
            for market in product.markets.values():
                self._add_synthetic(product, market, entropy)

    @abstractmethod
    def _make_products(
        self, listings: Listings, entropy: Entropy, first_prices: Mapping[str, Mapping[str, int]]
    ) -> dict[str, P_co]:
        """The products by name, with what is listed of each."""

    @abstractmethod
    def _more_status(self) -> dict[str, object]:
        """What `status` says of this venue alone."""

    def start(self) -> None:
        """Begins to move the markets and to push streams."""
        for product in self.products.values():
            product.start()
            product.on_first_listener(_Starter(self.replays, product.name))
        for key, source in self.sources.items():
            moves = self.settings.market == SYNTHETIC if key not in self.replays else False
            if moves or (key in self.replays and self.settings.start == AT_ONCE):
                source.start()

    def stop(self) -> None:
        """Stops everything and cuts every connection."""
        self.stopping = True
        for source in self.sources.values():
            source.stop()
        for product in self.products.values():
            product.stop()
        self.disconnect("all")

    # -- what tests ask of it -----------------------------------------------------------------------------

    def inject(self, fault: Fault) -> int:
        """Arms a fault, or carries it out if it is one of now; returns how many things it struck at once.

        Raises ValueError for a fault that cannot be.
        """
        check(fault)
        self.replies.check(fault)
        self._reach_back(fault.lag_ms)
        deed = self.deeds.get(fault.action)
        if deed is None:
            self.faults.add(fault)
            return 0
        struck = deed(self, fault)
        for _ in range(struck):
            self.faults.note(fault.action)
        return struck

    def _reach_back(self, span_ms: int) -> None:
        """Lets stale answers reach back so far, from now on."""
        for product in self.products.values():
            product.reach_back(span_ms)

    def disconnect(self, kind: str) -> int:
        """Cuts the connections of one kind, or all; returns how many."""
        cut = [peer for peer, its_kind in self.connections.items() if kind in {"all", its_kind}]
        for peer in cut:
            peer.abort()
        return len(cut)

    def ledger(self) -> dict[str, object]:
        """The truth: orders, fills, positions and balances of every account, as exact text."""
        return {
            "accounts": {
                account.name: {
                    name: account_ledger(account, product)
                    for name, product in self.products.items()
                    if name in account.ledgers
                }
                for account in self.accounts.by_name.values()
            }
        }

    def status(self) -> dict[str, object]:
        """Counts of what happened and who is here."""
        replays = [
            {
                "product": product,
                "symbol": symbol,
                "lines": replay.lines,
                "frames": replay.frames,
                "snapshots": replay.snapshots,
                "started": replay.started,
                "finished": replay.finished,
                "damage": replay.damage,
            }
            for (product, symbol), replay in self.replays.items()
        ]
        played = set(self.replays.values())  # candles play in several markets at once
        return {
            "venue": self.venue_name,
            "time_ms": self.clock.timestamp_ms(),
            "lines": sum(replay.lines for replay in played),
            "frames": sum(replay.frames for replay in played),
            "finished": bool(replays) and all(replay.finished for replay in self.replays.values()),
            "replays": replays,
            "connections": dict(Counter(self.connections.values())),
            "streams": {name: product.stream_count for name, product in self.products.items()},
            **self._more_status(),
            "orders": {name: product.trading.order_count for name, product in self.products.items()},
            "faults": {"pending": self.faults.pending, "fired": self.faults.fired},
        }

    def check_invariants(self) -> list[str]:
        """What is wrong with books and ledgers, as texts."""
        wrong = []
        for product in self.products.values():
            for market in product.markets.values():
                wrong += market.check_invariants()
        for account in self.accounts.by_name.values():
            for ledger in dict.fromkeys(account.ledgers.values()):
                wrong += ledger.check_invariants()
        return wrong

    # -- sources ------------------------------------------------------------------------------------------

    def _check_listed(self, product: str, symbol: str) -> None:
        if symbol not in self.products[product].markets:
            raise DataError(
                f"a recording of {product} {symbol} is given, but `symbols` leaves it out; add it"
            )

    def _add_replay(self, replay: Replay, markets: Mapping[str, Market], name: str) -> None:
        for product, market in markets.items():
            key = (product, market.symbol)
            if key in self.replays:
                raise DataError(
                    f"{name}: another recording plays {key} already; give one a symbol and product"
                )
            self.replays[key] = self.sources[key] = replay

    def _add_synthetic(self, product: Product, market: Market, entropy: Entropy) -> None:
        key = (product.name, market.symbol)
        if key not in self.sources:
            stream = entropy.child(f"market {product.name} {market.symbol}")
            self.sources[key] = SyntheticSource(market, self.clock, stream, self.settings.step_ms)


AnyVenue = EmulatedVenue[Product, Settings]


def _check(settings: Settings, listings: Listings) -> None:
    unknown = sorted(set(settings.symbols) - {symbol for listed in listings.values() for symbol in listed})
    if unknown:
        raise DataError(
            f"the emulator does not know {', '.join(unknown)}; see exchangeInfo for what it lists"
        )
    if settings.step_ms <= 0 or settings.push_ms <= 0:
        raise DataError("step_ms and push_ms must be 1 ms or more")


class _Starter:
    """Starts a recording when its symbol is first listened to."""

    def __init__(self, replays: Mapping[tuple[str, str], Replay], product: str) -> None:
        self._replays = replays
        self._product = product

    def __call__(self, symbol: str) -> None:
        replay = self._replays.get((self._product, symbol))
        if replay is not None:
            replay.start()
