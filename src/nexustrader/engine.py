"""`Engine`: runs one strategy against real or emulated venues, with mock accounts where they are configured.

A clean start and a start after a crash take the same path: replay the journal, ask the venue, go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexustrader._engine.books import Books, books_of
from nexustrader._engine.connect import Connections
from nexustrader._engine.core import EngineCore
from nexustrader._engine.farewell import say_what_is_left
from nexustrader._engine.loading import hand_over, recorded_to
from nexustrader._engine.requests import ThreadedRequests
from nexustrader._engine.storage import DeferredJournal
from nexustrader._engine.world import LiveWorld, World
from nexustrader.config import Config
from nexustrader.constants import ParamBackend
from nexustrader.error import JournalError, NexusTraderError
from nexustrader.execution.health import Health
from nexustrader.kernel.log import get_logger, setup_logging
from nexustrader.kernel.tasks import TaskManager

if TYPE_CHECKING:
    from nexustrader._session.recorder import Recorder
    from nexustrader.persistence.postgres import PostgresMirror

ORDERS_AT_STOP_TIMEOUT_S = 5.0
CANCEL_AGAIN_AT_STOP_S = 1.0
TASKS_CANCEL_TIMEOUT_S = 5.0
IO_CLOSE_TIMEOUT_S = 5.0

_log = get_logger("Engine")


class Engine:
    """Build it from a `Config`, then `start()` (which returns when the run ends) and `dispose()`.

    `world` is where it runs: real time and real sockets unless a simulation brings its own. `record` names a file
    for the session, which `nexustrader replay` runs again.

    Raises EngineBuildError (and its subclasses) for a configuration that cannot run, each saying what to change.
    """

    @staticmethod
    def set_loop_policy() -> None:
        """Kept for programs that call it: the engine chooses its own loop."""

    def __init__(
        self, config: Config, *, world: World | None = None, record: str | Path | None = None
    ) -> None:
        hand_over(config)
        self._config = config
        self._world = world = LiveWorld() if world is None else world
        if world.has_process:
            setup_logging(config.log_config)
        self._loop = world.loop
        self._clock = world.clock
        self._task_manager = TaskManager(self._loop, on_dead=self._on_dead_task)
        self._journal = DeferredJournal()
        self._recorder = recorder = self._make_recorder(record)
        if recorder is None:
            self._core = EngineCore(config, self._clock, self._journal, spawn=self._spawn)
        else:
            self._core = EngineCore(config, recorder.clock, recorder.journal, spawn=self._spawn)
            recorder.bind(self._core)
        self._connections = Connections(self._core, world, self._task_manager, self._journal.params)
        self._params = self._journal.params
        self._bind_strategy()
        self._mirror: PostgresMirror | None = None
        self._started = False
        self._disposed = False

    def _make_recorder(self, record: str | Path | None) -> Recorder | None:
        path = recorded_to() if record is None else Path(record)
        if path is None:
            return None
        from nexustrader._session.recorder import Recorder

        return Recorder(path, self._clock, self._loop, self._world.entropy, self._journal)

    def _bind_strategy(self) -> None:
        io, recorder = self._world.io, self._recorder
        market, venues = self._connections.io_market, self._connections.io_venues
        params = {ParamBackend.MEMORY: self._params}
        stop = self._task_manager.request_shutdown
        if recorder is None:
            self._core.bind_strategy(ThreadedRequests(io, self._core.oms, market, venues), params, stop)
        else:
            requests = ThreadedRequests(recorder.blocking(io), self._core.oms, market, venues)
            self._core.bind_strategy(recorder.requests(requests), params, recorder.stop(stop))

    def _spawn(self, work: Coroutine[Any, Any, Any], name: str) -> object:
        return self._task_manager.create_task(work, name=name)

    def _on_dead_task(self, name: str, error: BaseException) -> None:
        _log.exception(f"task {name!r} ended by an error; the engine goes on", exc=error)

    # -- run -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run until the strategy stops, a signal arrives, or start-up fails (then the reason is raised)."""
        if self._started or self._disposed:
            word = "run" if self._started else "been disposed"
            raise NexusTraderError(f"this engine has {word} already; build a new Engine to run again")
        self._started = True
        if self._world.has_process:
            self._task_manager.install_signal_handlers()
        run = self._loop.create_task(self.run(), name="run")
        try:
            self._loop.run_until_complete(run)
        except SystemExit:
            # A callback has called sys.exit(): the loop let go of everything, and open orders must not be left so.
            self._task_manager.request_shutdown()
            self._loop.run_until_complete(run)
            raise
        finally:
            self.dispose()

    async def run(self) -> None:
        """Run inside a loop that runs already: the world's. `start` is this, with a loop of its own."""
        is_started = False
        try:
            is_started = await self._start_unless_stopped()
        finally:
            if not is_started:
                await self._close_connections()
        if not is_started:
            _log.info("stopped before it had started: on_start was not called")
            return
        try:
            await self._task_manager.wait()
        finally:
            await self._shut_down()

    async def _start_unless_stopped(self) -> bool:
        """Start up. False when the end was asked for first: then start-up was given up and nothing was begun."""
        starting = asyncio.ensure_future(self._start_up())
        stop = asyncio.ensure_future(self._task_manager.wait())
        try:
            await asyncio.wait((starting, stop), return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return False
            starting.result()
            return True
        finally:
            starting.cancel()
            stop.cancel()
            await asyncio.gather(starting, stop, return_exceptions=True)

    async def _start_up(self) -> None:
        self._clock.attach(self._loop)
        config = self._config
        if self._recorder is not None:
            self._recorder.open(config)
        await self._connections.build()
        if config.private_conn_config:
            self._world.open_storage(config, self._journal, self._connections.fingerprints)
            await self._start_mirror()
            still_open = self._core.restore()
            if still_open:
                _log.warning(
                    f"the journal knows {still_open} order(s) that may still be open; asking the venue"
                )
        if self._recorder is not None:
            self._recorder.params(self._params.all())
        await self._connections.start()
        self._task_manager.create_task(self._checkpoint_forever(), name="journal checkpoint")
        _log.info(f"{config.strategy_id}-{config.user_id} is connected")
        self._core.run_start()
        self._core.start_jobs()

    async def _start_mirror(self) -> None:
        self._mirror = await self._journal.mirrored_by(self._config)
        if self._mirror is not None:
            self._task_manager.create_task(self._mirror.run(), name="journal mirror")

    async def _checkpoint_forever(self) -> None:
        while True:
            await asyncio.sleep(self._world.checkpoint_interval_s)
            try:
                await self._rotate_if_full()
                await self._world.offload(self._journal.checkpoint)  # fsyncs
                self._journal.flush_params()
            except JournalError as error:
                _log.error(f"the journal's log could not be shortened, trying again: {error}")

    async def _rotate_if_full(self) -> None:
        """Bound the journal: a snapshot of the state takes the place of what led to it."""
        snapshot = self._core.snapshot(self._journal.last_seq) if self._journal.is_full else None
        if snapshot is not None:
            await self._world.offload(lambda: self._journal.rotate(snapshot))

    # -- stop ------------------------------------------------------------------------------------------------

    async def _shut_down(self) -> None:
        try:
            self._core.run_stop()
            self._core.close_orders("the engine is stopping: no new order is sent")
            await self._end_orders()
            await say_what_is_left(
                self._core, self._connections.ports, is_hurried=self._task_manager.is_hurried
            )
        finally:
            self._core.stop_jobs()
            await self._close_connections()

    async def _end_orders(self) -> None:
        """Wait for the answers to commands under way and, if so configured, for the end of every open order."""
        now = self._loop.time
        deadline, cancel_at = now() + ORDERS_AT_STOP_TIMEOUT_S, now()
        while now() < deadline and not self._task_manager.is_hurried:
            if self._config.exit_after_cancel and now() >= cancel_at:
                # Race: an order that was under way when all were cancelled arrives after that; so again and again.
                self._core.cancel_open_orders()
                cancel_at = now() + CANCEL_AGAIN_AT_STOP_S
            is_open = self._config.exit_after_cancel and bool(self._core.oms.open_orders())
            if not is_open and not self._core.ems.is_waiting:
                return
            await asyncio.sleep(0.02)

    async def _close_connections(self) -> None:
        if self._recorder is not None:
            self._recorder.close()
        await self._connections.stop()
        self._core.oms.mark_delivered()  # the next run must not tell again what was told just now
        if self._mirror is not None:
            await self._mirror.close()
        left = await self._task_manager.cancel_all(TASKS_CANCEL_TIMEOUT_S)
        if left:
            _log.warning(f"tasks that did not end in time: {', '.join(left)}")
        await self._world.transport.close()  # after the tasks: one that still asks would open it anew
        if self._world.io_transport.in_use:
            try:
                self._world.io.run(self._world.io_transport.close(), IO_CLOSE_TIMEOUT_S)
            except NexusTraderError as error:
                _log.warning(f"the connections for requests did not close in time: {error}")
        self._journal.close()

    def books(self, account: str) -> Books:
        """Orders, positions, balances and fees of one account ("binance:USD_M_FUTURE") as exact text."""
        return books_of(self._core, account)

    @property
    def health(self) -> Health:
        """What this run has found to be wrong with itself; empty in a sound one."""
        return self._core.health

    @property
    def accounts(self) -> tuple[str, ...]:
        """The keys of the private accounts."""
        return tuple(account.key for account in self._core.accounts)

    def dispose(self) -> None:
        """Release everything. Idempotent; while the loop runs it only asks for the end of the run."""
        if self._loop.is_running():
            self._task_manager.request_shutdown()
            return
        if self._disposed:
            return
        self._disposed = True
        self._task_manager.restore_signal_handlers()
        self._journal.close()
        self._world.close()
