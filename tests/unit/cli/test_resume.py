"""`nexustrader resume` lets a halted program trade again, and touches nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from nexustrader.cli.main import main
from nexustrader.constants import TradingState
from nexustrader.domain import events as ev
from nexustrader.kernel.clock import LiveClock
from nexustrader.persistence.sqlite import SqliteJournal
from nexustrader.risk.gate import state_in

HALT = ev.RiskEvent(state=TradingState.HALTED, reason="the model is wrong", timestamp=1)


def journal(path: Path) -> SqliteJournal:
    return SqliteJournal(path, "maker", "me", {}, LiveClock())


def states(path: Path) -> list[tuple[TradingState, str]]:
    with journal(path) as opened:
        found = [state_in(record) for record in opened.replay()]
    return [(state.state, state.reason) for state in found if state is not None]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["resume", "maker", "me", *arguments])
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_a_halted_program_trades_again_from_its_next_start_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = tmp_path / "cache.db"
    with journal(db) as opened:
        opened.append(HALT)
    assert run("--db", str(db), "--reason", "the model was mended") == 0
    assert states(db) == [
        (TradingState.HALTED, "the model is wrong"),
        (TradingState.ACTIVE, "the model was mended"),
    ]
    assert "was HALTED (the model is wrong); it is ACTIVE" in capsys.readouterr().out
    assert run("--db", str(db)) == 0
    assert len(states(db)) == 2
    assert "nothing was written" in capsys.readouterr().out


def test_a_program_that_runs_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = tmp_path / "cache.db"
    with journal(db) as opened:
        opened.append(HALT)
        assert run("--db", str(db)) == 2
    assert "another" in capsys.readouterr().err
    assert states(db) == [(TradingState.HALTED, "the model is wrong")]


def test_a_journal_that_is_not_there_is_not_created(tmp_path: Path) -> None:
    db = tmp_path / "none.db"
    assert run("--db", str(db)) == 2
    assert list(tmp_path.iterdir()) == []
