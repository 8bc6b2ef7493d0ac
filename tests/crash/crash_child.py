"""The process that is killed: the real engine on real sockets and a real database, with a wire along its boundaries.

It speaks with its parent over a socket, one JSON line at a time; what it has said before it dies has been said.
"""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from boundaries import STRATEGY_ID, USER_ID, CrashWorld, Wire, wire_sqlite
from program import PROGRAMS, Heard, Step, is_settled

from nexustrader._engine import core as engine_core
from nexustrader.config import BasicConfig, Config, LogConfig, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, StorageType, settings
from nexustrader.domain import events as ev
from nexustrader.domain.ids import shard_of
from nexustrader.domain.order import OrderState
from nexustrader.domain.snapshot import Snapshot, state_hash
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType
from nexustrader.exchange.binance.venue import BinanceVenue
from nexustrader.execution.oms import OrderManager
from nexustrader.execution.snapshot import restore, take
from nexustrader.market.cache import Cache
from nexustrader.persistence import sqlite
from nexustrader.portfolio.portfolio import Portfolio
from nexustrader.schema import Order
from nexustrader.strategy import Strategy

TYPES = (BinanceAccountType.USD_M_FUTURE_TESTNET, BinanceAccountType.SPOT_TESTNET)
LOOK_S = 0.02  # how often the program looks whether it may go on
RECORDS_MAX = 20  # from here on the journal asks to be rotated
MIRROR_POLL_S = 0.02
HORIZON_MS = 1_500  # nothing is under way for longer between two processes of one machine
NOTICES = (
    "pending",
    "accepted",
    "partially_filled",
    "filled",
    "canceling",
    "canceled",
    "expired",
    "failed",
    "cancel_failed",
)


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What one process is to do. `at` names the boundary at which it is struck."""

    life: int
    report: str  # the path of the parent's socket
    database: str
    url: str
    api_key: str
    secret: str
    mirror: dict[str, str] = {}  # host, port, user, password and database of PostgreSQL; empty: no mirror
    program: str = "trading"
    at: str | None = None
    strike: str = "kill"

    def __repr__(self) -> str:
        return f"Spec(life={self.life}, at={self.at!r}, strike={self.strike!r})"


class Report:
    """The line to the parent."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._answers = self._socket.makefile("r")

    def say(self, event: str, **what: Any) -> None:
        self._socket.sendall(msgspec.json.encode({"event": event, **what}) + b"\n")

    def ask(self, event: str, **what: Any) -> str:
        """Say it and wait, the whole process with it, for the parent's answer."""
        self.say(event, **what)
        return self._answers.readline().strip()


class Trader(Strategy):
    """Carries out the program and says all that it hears."""

    def __init__(self, report: Report, wire: Wire, program: Sequence[Step]) -> None:
        super().__init__()
        self.engine: Any = None
        self.world: Any = None
        self.oids: dict[str, str] = {}
        self._report = report
        self._wire = wire
        self._steps = iter(program)
        self._step: Any = None

    @property
    def core(self) -> engine_core.EngineCore:
        core: engine_core.EngineCore = self.engine._core
        return core

    def state(self, key: str) -> OrderState:
        state = self.core.oms.get(self.oids[key])
        assert state is not None
        return state

    def complain(self, what: str) -> None:
        self._report.say("complaint", text=what)

    def let_market(self, what: str) -> None:
        self._report.ask("market", does=what)

    def maintain(self, what: str) -> bool:
        """True when it is done."""
        return MAINTENANCE[what](self.engine, self.world)

    def on_start(self) -> None:
        self._report.ask("started", books=self._books(), unknown=self._unknown())
        self.schedule(self._advance, "interval", seconds=LOOK_S)

    def _advance(self) -> None:
        while self._step is None or self._step.is_done(self):
            self._step = next(self._steps, None)
            if self._step is None:
                self._finish()
                return
            self._report.say("step", step=str(self._step))
            self._step.do(self)

    def _finish(self) -> None:
        """Everything is done; the end comes when the parent agrees that all is as it is at the venue."""
        if not is_settled(self.core):
            return
        hashes = state_hash(capture(self.core)), state_hash(refold(self.core, self.world.journal))
        answer = self._report.ask(
            "done",
            books=self._books(),
            unknown=self._unknown(),
            keys=dict(self.cache.idempotency_keys()),
            hashes=hashes,
            errors=self.core.user_errors,
            passed=self._wire.passed,
        )
        if answer == "stop":
            self.stop()

    def _books(self) -> dict[str, Any]:
        return {account: self.engine.books(account) for account in self.engine.accounts}

    def _unknown(self) -> list[str]:
        return [state.oid for state in self.core.oms.open_orders() if state.is_unknown]

    def hear(self, notice: str, order: Order) -> None:
        self._wire(f"before heard {notice}")
        self._report.say("heard", heard=Heard.of(notice, order))
        self._wire(f"after heard {notice}")


def _listener(notice: str) -> Any:
    return lambda trader, order: trader.hear(notice, order)


for _notice in NOTICES:
    setattr(Trader, f"on_{_notice}_order", _listener(_notice))


# -- what becomes of the journal and its disk, at a place of the program ----------------------------------------


def checkpoint(_engine: Any, world: CrashWorld) -> bool:
    world.journal.checkpoint()
    return True


def rotate(engine: Any, world: CrashWorld) -> bool:
    """As the engine does on a timer: in a thread, while the loop goes on."""
    tasks = engine._task_manager
    if "rotation" in tasks.task_names:
        return False
    if world.journal.is_full:
        tasks.create_task(engine._rotate_if_full(), name="rotation")
    return not world.journal.is_full


def fill_disk(_engine: Any, world: CrashWorld) -> bool:
    log = world.journal.path.with_name(f"{world.journal.path.name}-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 100, resource.RLIM_INFINITY))
    return True


def free_disk(_engine: Any, _world: CrashWorld) -> bool:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return True


MAINTENANCE = {"checkpoint": checkpoint, "rotate": rotate, "disk full": fill_disk, "disk free": free_disk}


# -- the state and the fold of the journal (I22) ---------------------------------------------------------------


def capture(core: engine_core.EngineCore) -> Snapshot:
    return take(core.oms, core.portfolio, core.cache, seq=0, timestamp_ms=0)


def refold(core: engine_core.EngineCore, journal: Any) -> Snapshot:
    """What a restart would make of the journal."""
    cache = Cache()
    portfolio = Portfolio(cache, core.instruments, lambda _: None)
    oms = OrderManager(
        journal,
        cache,
        shard_of(STRATEGY_ID, USER_ID),
        tell=lambda _news: None,
        on_fill=portfolio.on_fill,
    )
    restore(journal.replay(), oms, portfolio, cache)
    return take(oms, portfolio, cache, seq=0, timestamp_ms=0)


def oids_in(journal: Any) -> list[str]:
    """Every order that a journal knows of."""
    oids: dict[str, None] = {}
    for entry in journal.replay():
        if isinstance(entry, Snapshot):
            oids |= dict.fromkeys(state.oid for state in entry.orders)
        elif isinstance(entry, ev.Submit):
            oids[entry.oid] = None
    return list(oids)


# -- the process ------------------------------------------------------------------------------------------------


def run(spec: Spec) -> None:
    """One life: returns when the strategy has stopped. Raises what `Engine.start` raises."""
    os.environ["NEXUS_ENDPOINTS__BINANCE"] = spec.url
    for name, value in spec.mirror.items():
        os.environ[f"NEXUS_PG_{name.upper()}"] = value
    settings.reload()
    sqlite.RECORDS_MAX = RECORDS_MAX
    if spec.mirror:
        from nexustrader.persistence import postgres

        postgres.POLL_S = MIRROR_POLL_S
    BinanceVenue.spec = msgspec.structs.replace(BinanceVenue.spec, absence_horizon_ms=HORIZON_MS)
    report = Report(spec.report)
    report.say("hello", life=spec.life)
    wire = Wire(spec.at, spec.strike, before=lambda: report.say("strike"))
    wire_sqlite(wire)
    trader = Trader(report, wire, PROGRAMS[spec.program])
    trader.world = world = CrashWorld(wire)
    trader.engine = engine = Engine(config_of(spec, trader), world=world)
    say_what_the_journal_knows(report, engine, world)
    engine.start()
    report.say("ended")


def say_what_the_journal_knows(report: Report, engine: Any, world: CrashWorld) -> None:
    """Before it is folded, and before anything is sent."""
    core = engine._core
    restore_all = core.restore

    def restoring() -> Any:
        report.ask("journal", oids=oids_in(world.journal))
        return restore_all()

    core.restore = restoring


def config_of(spec: Spec, strategy: Strategy) -> Config:
    return Config(
        strategy_id=STRATEGY_ID,
        user_id=USER_ID,
        strategy=strategy,
        basic_config={
            ExchangeType.BINANCE: BasicConfig(api_key=spec.api_key, secret=spec.secret, testnet=True)
        },
        public_conn_config={ExchangeType.BINANCE: [PublicConnectorConfig(account_type=t) for t in TYPES]},
        private_conn_config={ExchangeType.BINANCE: [PrivateConnectorConfig(account_type=t) for t in TYPES]},
        db_path=spec.database,
        storage_backend=StorageType.POSTGRESQL if spec.mirror else StorageType.SQLITE,
        exit_after_cancel=False,
        log_config=LogConfig(level_stdout="INFO"),
    )


def log_path(spec: Spec) -> Path:
    """Where this life's output goes."""
    return Path(spec.database).with_name(f"life-{spec.life}.log")
