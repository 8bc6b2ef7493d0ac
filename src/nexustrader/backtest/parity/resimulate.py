"""A session's commands given to a simulated venue that its own public data move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

import msgspec
import numpy as np

from nexustrader.backtest.feeds import BarFeed, Feed, Stage, play_all, quote_feed, trade_feed
from nexustrader.backtest.parity.assumed import Assumed, Fees, Payments, Queue, Timing, recorded_rates
from nexustrader.backtest.parity.lives import FUNDING, ZERO, Key, Lives
from nexustrader.backtest.parity.recorded import Recorded
from nexustrader.backtest.parity.sent import median_lag_ms
from nexustrader.backtest.parity.tape import Market, shifted
from nexustrader.backtest.past import Past
from nexustrader.backtest.replay import ReplayMarket, at_once
from nexustrader.data.ticks import Trades
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.kernel.bus import MessageBus
from nexustrader.kernel.clock import NS_PER_MS, VirtualClock
from nexustrader.market.cache import Cache
from nexustrader.market.hub import MarketHub
from nexustrader.sim.convert import to_sim_instrument
from nexustrader.sim.exchange import SimExchange
from nexustrader.sim.funding import NO_FUNDING
from nexustrader.sim.reporter import Booked
from nexustrader.sim.settings import SavedAccount, SimSettings

ENOUGH = Decimal(10**9)  # of every asset, where the recording does not say what there was

Schedule = list[tuple[int, ev.Command]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What became of the orders under one set of assumptions, and what the accounts held in the end."""

    lives: Lives
    wallets: dict[Key, Decimal]
    positions: dict[Key, Decimal]
    funding: dict[Key, Decimal]


def simulate(recorded: Recorded, settings: SimSettings, assumed: Assumed) -> Simulated:
    """Run the session's commands again. `settings` are the user's; `assumed` says what of them is replaced."""
    return _Run(recorded, settings, assumed).run()


class _Keeper:
    """Gives an account what it held when the session began."""

    def __init__(self, opening: SavedAccount) -> None:
        self._opening = opening

    def load(self) -> SavedAccount:
        return self._opening

    def save(self, account: SavedAccount) -> None: ...


class _Run:
    """One re-simulation."""

    def __init__(self, recorded: Recorded, settings: SimSettings, assumed: Assumed) -> None:
        self._recorded = recorded
        self._instruments = _charged(recorded, assumed.fees)
        self._market = _moved(recorded, assumed)
        self._schedule = _schedule(recorded, assumed.timing)
        begin_ns = min([when_ns for when_ns, _ in self._schedule] + list(_firsts(self._market)))
        self._clock = VirtualClock(begin_ns)
        self._lives = Lives()
        self._funding: dict[Key, Decimal] = {}
        in_force = _settings(recorded, settings, assumed)
        self._venues = {
            account: self._venue(account, opening, in_force) for account, opening in recorded.opening.items()
        }
        replayed = ReplayMarket(
            self._clock,
            MarketHub(MessageBus(), Cache()),
            Past(self._clock, self._market.bars),
            self._instruments,
        )
        self._stage = Stage(self._clock, replayed, self._venues, begin_ns // NS_PER_MS)

    def _venue(self, account: str, opening: SavedAccount | None, settings: SimSettings) -> SimExchange:
        assets = {asset for one in self._instruments.values() for asset in (one.base, one.quote, one.settle)}
        saved = opening or SavedAccount(dict.fromkeys(sorted(assets), ENOUGH))
        venue = SimExchange(
            account,
            self._instruments,
            self._clock,
            msgspec.structs.replace(settings, balances=saved.balances),
            keeper=_Keeper(saved),
            observe_entry=self._note,
        )
        venue.attach(self._lives)
        return venue

    def _note(self, booked: Booked) -> None:
        if booked.entry.cause == FUNDING:
            key = (booked.account, booked.entry.asset)
            self._funding[key] = self._funding.get(key, ZERO) + booked.entry.amount

    def run(self) -> Simulated:
        for venue in self._venues.values():
            at_once(venue.start())
        for command in (one.command for one in self._recorded.sent):
            if isinstance(command, ev.Submit):
                self._lives.follow(command)
        for when_ns, command in self._schedule:
            self._clock.call_at(when_ns, self._giving(command))
        play_all(self._feeds(), self._stage, lambda _count: None)
        end_ns = self._recorded.end_ms * NS_PER_MS + NS_PER_MS - 1
        self._clock.advance_to(max(end_ns, self._clock.timestamp_ns()))
        ledgers = {account: venue.ledger for account, venue in self._venues.items()}
        return Simulated(
            lives=self._lives,
            wallets={(a, asset): one.wallet(asset) for a, one in ledgers.items() for asset in one.assets()},
            positions={
                (a, p.symbol): to_sim_instrument(self._instruments[p.symbol]).amount(p.lots)
                for a, one in ledgers.items()
                for p in one.positions()
            },
            funding=self._funding,
        )

    def _giving(self, command: ev.Command) -> Callable[[], None]:
        venue = self._venues[command.account]
        if isinstance(command, ev.Submit):
            return partial(venue.submit, command)
        if isinstance(command, ev.Cancel):
            return partial(venue.cancel, command)
        if isinstance(command, ev.Amend):
            return partial(venue.amend, command)
        return partial(venue.cancel_all, command)

    def _feeds(self) -> list[Feed]:
        """As in a backtest: among events of one moment trades come first, then quotes, and bars last."""
        stage, market = self._stage, self._market
        known = self._instruments
        scales = {symbol: (float(one.tick), float(one.lot)) for symbol, one in known.items()}
        driven = {
            symbol: bars
            for symbol, bars in market.bars.items()
            if symbol in known and market.ticks(symbol) is None
        }
        feeds: list[Feed] = [
            trade_feed(stage, one, scales[symbol], has_quotes=symbol in market.quotes)
            for symbol, one in market.trades.items()
            if symbol in known
        ]
        feeds += [
            quote_feed(stage, one, scales[symbol]) for symbol, one in market.quotes.items() if symbol in known
        ]
        if driven:
            feeds.append(BarFeed(stage, driven, driven, scales))
        return feeds


def _firsts(market: Market) -> Iterator[int]:
    """When the data begin."""
    yield from (int(ticks.time_ns[0]) for ticks in (*market.quotes.values(), *market.trades.values()))
    yield from (int(bars.start[0]) * NS_PER_MS for bars in market.bars.values())


def _schedule(recorded: Recorded, timing: Timing) -> Schedule:
    """When every command is given to the venue. One that nothing shows to have arrived is not given, if measured."""
    if timing is Timing.GIVEN:
        return [(one.at_ns, one.command) for one in recorded.sent]
    within_ns = 0 if timing is Timing.MEASURED_FIRST else NS_PER_MS - 1
    return [
        (recorded.arrivals_ms[place] * NS_PER_MS + within_ns, one.command)
        for place, one in enumerate(recorded.sent)
        if place in recorded.arrivals_ms
    ]


def _settings(recorded: Recorded, settings: SimSettings, assumed: Assumed) -> SimSettings:
    models = settings.assumed
    changes: dict[str, object] = {}
    if assumed.timing is not Timing.GIVEN:  # then commands are given when they arrived
        changes["latency_ms"] = 0
        models = replace(models, latency=None)
    if assumed.fees is Fees.RECORDED:
        changes["maker_fee"] = changes["taker_fee"] = None
        models = replace(models, fees=None)
    if assumed.payments is not Payments.GIVEN:
        of_record = assumed.payments is Payments.RECORDED
        models = replace(models, funding=recorded.market.recorded_funding() if of_record else NO_FUNDING)
    return msgspec.structs.replace(settings, assumed=models, **changes)


def _charged(recorded: Recorded, fees: Fees) -> dict[str, Instrument]:
    """The instruments, with the recorded rates where these are wanted."""
    instruments = dict(recorded.instruments)
    if fees is Fees.RECORDED:
        for symbol, rates in recorded_rates(recorded.lives, instruments).items():
            known = instruments[symbol]
            instruments[symbol] = msgspec.structs.replace(
                known,
                maker=known.maker if rates.maker is None else rates.maker,
                taker=known.taker if rates.taker is None else rates.taker,
            )
    return instruments


def _moved(recorded: Recorded, assumed: Assumed) -> Market:
    """The public data as the assumptions see them."""
    market = recorded.market
    if assumed.timing is Timing.MEASURED_BOTH:
        back_ms = -(median_lag_ms(recorded.sent) or 0)
        quotes = {
            symbol: shifted(one, back_ms) if symbol in market.stamped_here else one
            for symbol, one in market.quotes.items()
        }
        market = replace(market, quotes=quotes)
    if assumed.queue is Queue.FULL:
        # Where trades alone make the touch they stay.
        kept = {symbol: one for symbol, one in market.trades.items() if symbol not in market.quotes}
        market = replace(market, trades=kept)
    elif assumed.queue is Queue.EMPTY:
        known = recorded.instruments
        trades = {
            symbol: _through(one, float(known[symbol].tick))
            if symbol in known and symbol in market.quotes
            else one
            for symbol, one in market.trades.items()
        }
        market = replace(market, trades=trades)
    return market


def _through(trades: Trades, tick: float) -> Trades:
    """Every trade one tick further than it went: whatever rests at its price is filled, whoever stands before it."""
    further = np.where(trades.is_buy, trades.price + tick, trades.price - tick)
    return replace(trades, price=np.maximum(further, tick))
