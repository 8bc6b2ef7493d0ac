"""`Backtest`: runs an unchanged strategy with its unchanged config over recorded bars, quotes and trades."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from nexustrader.backtest.assumptions import Setup, assumptions
from nexustrader.backtest.inputs import (
    AccountWishes,
    Amount,
    Fees,
    accounts_of,
    balances_of,
    fees_of,
    leverage_of,
    main_currency,
)
from nexustrader.backtest.instruments import default_instrument, off_grid, shown_by
from nexustrader.backtest.replay import at_once
from nexustrader.backtest.result import BacktestResult
from nexustrader.backtest.sources import Sources, sources_of
from nexustrader.backtest.world import Progress, World
from nexustrader.config import Config, LogConfig
from nexustrader.constants import ExchangeType, InstrumentType, PositionSide
from nexustrader.data.moments import Moment
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.error import NexusTraderError, StrategyBuildError
from nexustrader.kernel.clock import NS_PER_S, LiveClock
from nexustrader.kernel.log import setup_logging
from nexustrader.schema import Position
from nexustrader.sim.fees import FeeSchedule
from nexustrader.sim.funding import is_perpetual
from nexustrader.sim.settings import Assumptions, SimSettings

ZERO = Decimal(0)
QUIET = "ERROR"  # what a run logs unless it is told otherwise: a line a bar would be most of its time


class Backtest:
    """One run of one strategy. Build it, `run()` it once, read the result.

    config: as for an Engine; every private connector, real or mock, becomes a simulated account.
    data: {symbol: path(s), polars or pandas frame, or klines}; or klines, or Bars; or one of the former with `symbol`.
    Quotes, Trades and Depth, alone or in a list with bars: they fill the orders of their symbol, bars are only told of.
    Ticks from before the first bar that is played, and from after the last one of their symbol, are left out.
    start, end: datetime, ISO text or ms; bars before `start` can still be requested by the strategy.
    balances: amounts by asset for every account, else those of mock connectors.
    fees: (maker, taker) or one fraction for both, or a FeeSchedule, else a mock's fee_rate or the instrument's own.
    leverage: for every account, else a mock's own or 20. latency_ms: from command to venue.
    latency, funding, slippage, margin, rules, queue: what is assumed of the venues; see `sim.settings.Assumptions.of`.
    instruments: by symbol; what is not given is read off the data, and stated in the result.
    log_config: what to log; errors alone if None.

    Raises DataError for data that cannot be used, EngineBuildError and StrategyBuildError for the rest.
    """

    def __init__(
        self,
        config: Config,
        data: Any,
        start: Moment = None,
        end: Moment = None,
        *,
        symbol: str | None = None,
        seed: int = 0,
        balances: Mapping[str, Amount] | None = None,
        fees: Fees | tuple[Amount, Amount] | Amount | FeeSchedule | None = None,
        leverage: Amount | None = None,
        latency_ms: int = 0,
        ticks_behind_touch: int = 1,
        latency: Any = None,
        funding: Any = None,
        slippage: Any = None,
        margin: Any = None,
        rules: Any = None,
        queue: Any = None,
        instruments: Mapping[str, Instrument] | None = None,
        log_config: LogConfig | None = None,
    ) -> None:
        self._config = config
        self._seed = seed
        self._log_config = log_config or LogConfig(level_stdout=QUIET)  # type: ignore[arg-type]  # one of its literals
        schedule = fees if isinstance(fees, FeeSchedule) else None
        self._wishes = AccountWishes(
            balances_of(balances),
            fees_of(fees),
            leverage_of(leverage),
            latency_ms,
            ticks_behind_touch,
            Assumptions.of(
                fees=schedule,
                latency=latency,
                funding=funding,
                slippage=slippage,
                margin=margin,
                rules=rules,
                queue=queue,
            ),
            seed,
        )
        self._sources = sources = sources_of(data, symbol, start, end)
        self._history, self._bars = sources.history, sources.bars
        given = dict(instruments or {})
        shown = {name: shown_by(sources.finest(name)) for name in sources.history}
        self._defaulted = {
            name: default_instrument(name, prices) for name, prices in shown.items() if name not in given
        }
        self._instruments = {name: given.get(name) or self._defaulted[name] for name in self._history}
        self._off_grid = {name: off_grid(one, self._instruments[name].tick) for name, one in shown.items()}
        self._accounts = accounts_of(config, self._instruments, self._wishes)
        self._has_run = False

    @property
    def bars(self) -> int:
        """How many bars the run will play."""
        return sum(len(bars) for bars in self._bars.values())

    @property
    def events(self) -> int:
        """How many bars and ticks the run will play, which is what `progress` counts."""
        return self._sources.events

    @property
    def sources(self) -> Sources:
        """All that is played, and the bars before and after it."""
        return self._sources

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """By symbol, given or read off the data."""
        return self._instruments

    @property
    def accounts(self) -> Mapping[str, SimSettings]:
        """What each simulated account is told, by its key."""
        return {account.key: settings for account, settings in self._accounts.settings.items()}

    def run(self, progress: Progress | None = None) -> BacktestResult:
        """Play the bars and return what came of it. `progress(bars played)` is called now and then.

        Raises NexusTraderError when it has run before, StrategyBuildError when its strategy has.
        """
        if self._has_run:
            raise NexusTraderError("this backtest has run already; build another one, with a new strategy")
        if getattr(self._config.strategy, "_runtime", None) is not None:
            raise StrategyBuildError(
                f"this {type(self._config.strategy).__name__} has run already and carries the state of that run; "
                "make a new instance for each run"
            )
        self._has_run = True
        world = World(self._config, self._sources, self._instruments, self._accounts.settings, self._seed)
        wall = LiveClock()
        started_ns = wall.timestamp_ns()
        setup_logging(self._log_config, world.clock)
        try:
            world.run(progress)
        finally:
            setup_logging(self._log_config)  # what is logged from here on happens in real time again
        return self._result(world, (wall.timestamp_ns() - started_ns) / NS_PER_S)

    # -- the result --------------------------------------------------------------------------------------------

    def _result(self, world: World, elapsed_s: float) -> BacktestResult:
        currency = main_currency(self._instruments, self._config, self._accounts.settings)
        curves = world.recorder.curves(self._bars, currency, world.end_ms)
        fills, trades = world.recorder.fills, world.recorder.trades
        fees: dict[str, Decimal] = {}
        for fill in fills:
            fees[fill.fee_currency] = fees.get(fill.fee_currency, ZERO) + fill.fee
        settled = {name for name, i in self._instruments.items() if i.settle == currency}
        return BacktestResult(
            symbols=tuple(self._bars),
            interval=self._sources.interval,
            start_ms=world.start_ms,
            end_ms=world.end_ms,
            bars=world.stage.bars_played,
            currency=currency,
            orders=[world.core.oms.snapshot(state) for state in world.core.oms.orders()],
            fills=fills,
            equity=curves.equity,
            positions=_positions(world, self._instruments),
            balances={key: _wallets(venue) for key, venue in world.venues.items()},
            realized_pnl=sum((fill.realized_pnl for fill in fills if fill.symbol in settled), ZERO),
            fees=fees,
            funding=world.recorder.funding(currency),
            trades=len(trades),
            wins=sum(1 for trade in trades if trade.profit > 0),
            user_errors=world.core.user_errors,
            data={symbol: bars.notes for symbol, bars in self._history.items()},
            assumptions=assumptions(self._setup(world, curves.unpriced, currency)),
            seed=self._seed,
            trace_hash=_trace_hash(world),
            elapsed_s=elapsed_s,
            strategy=type(self._config.strategy).__name__,
            closed_trades=trades,
            exposure=curves.exposure,
            played=self._bars,
            decisions=world.journal.decisions,
            payments=world.recorder.payments(),
        )

    def _setup(self, world: World, unpriced: list[str], currency: str) -> Setup:
        kinds = {instrument.type for instrument in self._instruments.values()}
        return Setup(
            interval=self._sources.interval,
            latency_ms=self._wishes.latency_ms,
            ticks_behind_touch=self._wishes.ticks_behind_touch,
            fees=self._accounts.fees,
            leverage={a.key: to_plain(s.leverage) for a, s in self._accounts.settings.items()},
            has_spot=InstrumentType.SPOT in kinds,
            has_derivatives=bool(kinds - {InstrumentType.SPOT}),
            default_balances=self._accounts.default_balances,
            default_instruments=tuple(self._defaulted.values()),
            off_grid=self._off_grid,
            settings=self.accounts,
            perpetuals=tuple(name for name, one in self._instruments.items() if is_perpetual(one)),
            notes={symbol: bars.notes for symbol, bars in self._history.items()},
            undelivered=tuple(world.market.undelivered),
            unpriced=unpriced,
            currency=currency,
            booked=tuple(self._sources.depths),
        )


BacktestEngine = Backtest


def _wallets(venue: Any) -> dict[str, Decimal]:
    return {asset: venue.ledger.wallet(asset) for asset in venue.ledger.assets()}


def _positions(world: World, instruments: Mapping[str, Instrument]) -> dict[str, Position]:
    found = {}
    for venue in world.venues.values():
        for event in at_once(venue.query_positions()):
            realized = venue.ledger.position(event.symbol).realized
            found[event.symbol] = _position(event, instruments[event.symbol].exchange, realized)
    return found


def _position(event: ev.PositionEvent, exchange: ExchangeType, realized: Decimal) -> Position:
    return Position(
        symbol=event.symbol,
        exchange=exchange,
        signed_amount=event.signed_amount,
        entry_price=float(event.entry_price),
        side=PositionSide.LONG if event.signed_amount > 0 else PositionSide.SHORT,
        unrealized_pnl=float(event.unrealized_pnl),
        realized_pnl=float(realized),
    )


def _trace_hash(world: World) -> str:
    """One hash over all commands and facts and over what the accounts hold in the end."""
    ledgers = {key: venue.ledger.ledger() for key, venue in world.venues.items()}
    trace = hashlib.blake2b(world.journal.trace_hash().encode(), digest_size=16)
    trace.update(msgspec.json.encode(ledgers, order="deterministic"))
    return trace.hexdigest()
