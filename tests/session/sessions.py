"""Sessions recorded in virtual time, on the chaos suite's network and venue."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nexustrader._session.file import Session
from nexustrader._session.player import Report, replay
from nexustrader._session.recorder import Recorder
from nexustrader.chaos import programs
from nexustrader.chaos import run as runs
from nexustrader.chaos.loop import START_MS
from nexustrader.chaos.plan import Plan
from nexustrader.chaos.workload import RandomTrader
from nexustrader.cli.load import load_program
from nexustrader.config import Config
from nexustrader.engine import Engine
from nexustrader.kernel.entropy import Entropy

EVERYTHING = Path(__file__).with_name("everything.py")
TRADING_S = 15.0


class TimedTrader(RandomTrader):
    """Ends its trading by itself: what a test does to a strategy from outside is in no session."""

    def on_start(self) -> None:
        super().on_start()
        end = datetime.fromtimestamp(START_MS / 1000 + runs.BOOT_S + TRADING_S, UTC)
        if self.clock.utc_now() < end:
            self.schedule(super().wind_down, "date", run_date=end)
        else:
            super().wind_down()

    def wind_down(self) -> None: ...
    def act(self, what: str) -> None: ...


def recorder_of(engine: Engine | None) -> Recorder | None:
    return None if engine is None else engine._recorder


class RecordedRun(runs.Run):
    """A process that is killed writes nothing any more; `with_rotation` begins every later one from a snapshot."""

    with_rotation = False

    def kill(self) -> None:
        recorder = recorder_of(self.engine)
        if recorder is not None and recorder._writer is not None:
            recorder._writer.flush()
            recorder._writer = None
        super().kill()

    def boot(self) -> None:
        if self.with_rotation and self.engine is None and self.disk.journal.last_seq:
            snapshot = self.last_core.snapshot(self.disk.journal.last_seq)
            if snapshot is not None:
                self.disk.journal.rotate(snapshot)
        super().boot()
        self.last_core: Any = self.core


def record(
    monkeypatch: pytest.MonkeyPatch, folder: Path, plan: Plan, *, with_rotation: bool = False
) -> list[Path]:
    """Run a plan and return the session of each of its processes."""
    path = folder / "session.nxs"

    def build(config: Config, *, world: Any) -> Engine:
        return Engine(config, world=world, record=path)

    monkeypatch.setattr(runs, "Engine", build)
    monkeypatch.setattr(programs, "RandomTrader", TimedTrader)
    run = RecordedRun(plan)
    run.with_rotation = with_rotation
    violations = run.go().violations
    assert violations == () or with_rotation, violations  # its checkers want the whole journal
    return sorted(folder.glob("session*.nxs"), key=lambda found: (len(found.name), found.name))


def config_for(plan: Plan, number: int = 0) -> Config:
    """The config of the `number`-th process, anew."""
    if plan.program is not None:
        return load_program(Path(plan.program))
    return programs.config_of(plan, Entropy(plan.seed).child(f"strategy {number}"))


def require_same(path: Path, config: Config) -> Report:
    """Replay a session and require that it decides the same, all of it."""
    report = replay(path, config)
    session = Session(path)
    list(session.inputs())
    assert report.difference is None, report.difference
    assert (report.outsiders, report.strays) == (0, 0)
    if session.end is not None and session.end.reason is None:
        assert report.trace_hash == session.end.trace_hash
        assert (report.inputs, report.decisions) == (session.end.inputs, session.end.decisions)
    return report
