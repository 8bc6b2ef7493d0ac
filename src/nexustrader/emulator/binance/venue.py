"""The whole venue: both products, their markets' sources, everybody connected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from nexustrader.emulator.binance.accounts import Accounts, AccountSpec
from nexustrader.emulator.binance.bar_replay import BarReplaySource, bar_recordings, is_klines
from nexustrader.emulator.binance.canned import check_reply
from nexustrader.emulator.binance.deeds import DEEDS
from nexustrader.emulator.binance.instruments import LISTINGS
from nexustrader.emulator.binance.ledger import account_ledger
from nexustrader.emulator.binance.market import Market
from nexustrader.emulator.binance.product import Product
from nexustrader.emulator.binance.publisher import PUSH_MS
from nexustrader.emulator.binance.replay import Recording, ReplaySource
from nexustrader.emulator.binance.synthetic import STEP_MS, SyntheticSource
from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.emulator.binance.userdata import LISTEN_KEY_TTL_MS
from nexustrader.emulator.faults import Fault, FaultPlan, check
from nexustrader.emulator.peer import Peer
from nexustrader.error import DataError
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock

ON_SUBSCRIPTION = "subscription"
AT_ONCE = "now"
SYNTHETIC = "synthetic"
STILL = "still"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How the venue behaves.

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
    listen_key_ttl_ms: int = LISTEN_KEY_TTL_MS
    with_averages: bool = False
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


class Venue:
    """Binance, emulated. `secrets` draws the listen keys; unseeded, nobody can guess them.

    Raises DataError for recordings that cannot be used and symbols that are not listed.
    """

    def __init__(
        self,
        specs: Sequence[AccountSpec],
        settings: Settings,
        clock: Clock,
        secrets: Entropy | None = None,
    ) -> None:
        _check(settings)
        self.clock = clock
        self.settings = settings
        self.accounts = Accounts(specs)
        self.faults = FaultPlan()
        self.connections: dict[Peer, str] = {}  # who is connected, and to what kind of service
        self.stopping = False
        entropy = Entropy(settings.seed)
        frames = [Recording(path) for path in settings.data if not is_klines(path)]
        candles = bar_recordings([path for path in settings.data if is_klines(path)])
        first_prices = {(r.product, r.symbol): r.first_price for r in frames}
        for bars in candles:
            first_prices |= {(name, bars.symbol): price for name, price in bars.first_prices.items()}
        self.products = {
            name: Product(
                name,
                self.accounts,
                clock,
                entropy.child(name),
                first_prices={key[1]: price for key, price in first_prices.items() if key[0] == name},
                limit_factor=settings.limit_factor,
                listen_key_ttl_ms=settings.listen_key_ttl_ms,
                with_averages=settings.with_averages,
                symbols=settings.symbols,
                push_ms=settings.push_ms,
                history_ms=settings.history_ms,
                faults=self.faults,
                secrets=secrets or Entropy(),
            )
            for name in (SPOT, USDM)
        }
        self.replays: dict[tuple[str, str], Replay] = {}
        self.sources: dict[tuple[str, str], Source] = {}
        for recording in frames:
            self._check_listed(recording.product, recording.symbol)
            market = self.products[recording.product].markets[recording.symbol]
            replay = ReplaySource(recording, market, clock, settings.speed)
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

    def start(self) -> None:
        """Begins to move the markets and to push streams."""
        for product in self.products.values():
            product.start()
            product.hub.on_first = self._starter(product.name)
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
        check_reply(fault)
        for product in self.products.values():
            product.reach_back(fault.lag_ms)
        deed = DEEDS.get(fault.action)
        if deed is None:
            self.faults.add(fault)
            return 0
        struck = deed(self, fault)
        for _ in range(struck):
            self.faults.note(fault.action)
        return struck

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
                    name: account_ledger(account, product) for name, product in self.products.items()
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
            "venue": "binance",
            "time_ms": self.clock.timestamp_ms(),
            "lines": sum(replay.lines for replay in played),
            "frames": sum(replay.frames for replay in played),
            "finished": bool(replays) and all(replay.finished for replay in self.replays.values()),
            "replays": replays,
            "connections": dict(Counter(self.connections.values())),
            "streams": {name: product.hub.stream_count for name, product in self.products.items()},
            "listen_keys": self.products[USDM].listen_keys.alive,
            "user_subscriptions": self.products[SPOT].subscriptions.alive,
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
                wrong += account.ledgers[product.name].check_invariants()
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

    def _starter(self, product: str) -> _Starter:
        return _Starter(self, product)


def _check(settings: Settings) -> None:
    unknown = sorted(set(settings.symbols) - {symbol for listed in LISTINGS.values() for symbol in listed})
    if unknown:
        raise DataError(
            f"the emulator does not know {', '.join(unknown)}; see exchangeInfo for what it lists"
        )
    if settings.step_ms <= 0 or settings.push_ms <= 0:
        raise DataError("step_ms and push_ms must be 1 ms or more")


class _Starter:
    """Starts a recording when its symbol is first listened to."""

    def __init__(self, venue: Venue, product: str) -> None:
        self._venue = venue
        self._product = product

    def __call__(self, symbol: str) -> None:
        replay = self._venue.replays.get((self._product, symbol))
        if replay is not None:
            replay.start()
