"""Taking the Config out of a user's program without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nexustrader.cli.load import load_program
from nexustrader.error import EngineBuildError

HEAD = """
from nexustrader.config import BasicConfig, Config
from nexustrader.engine import Engine
from nexustrader.strategy import Strategy
config = Config(strategy_id="s", user_id="u", strategy=Strategy(), basic_config={}, public_conn_config={})
"""


def program(folder: Path, body: str, head: str = HEAD) -> Path:
    path = folder / "program.py"
    path.write_text(head + body)
    return path


def test_the_config_of_a_plain_program_is_taken_and_nothing_runs(tmp_path: Path) -> None:
    path = program(tmp_path, "engine = Engine(config)\nengine.start()\nraise SystemExit('it ran')\n")
    assert load_program(path).strategy_id == "s"


def test_a_program_that_builds_its_engine_within_try_and_finally_is_loaded(tmp_path: Path) -> None:
    body = "try:\n    engine = Engine(config)\n    engine.start()\nfinally:\n    engine.dispose()\n"
    assert load_program(program(tmp_path, body)).user_id == "u"


def test_a_program_that_swallows_exceptions_is_loaded(tmp_path: Path) -> None:
    body = "try:\n    engine = Engine(config)\nexcept Exception:\n    pass\n"
    assert load_program(program(tmp_path, body)).strategy_id == "s"


def test_a_config_without_an_engine_will_do(tmp_path: Path) -> None:
    assert load_program(program(tmp_path, "")).strategy_id == "s"


def test_a_module_beside_the_program_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "beside_the_program.py").write_text("VALUE = 1\n")
    path = program(tmp_path, "from beside_the_program import VALUE\nengine = Engine(config)\n")
    assert load_program(path).strategy_id == "s"


def test_a_program_without_engine_and_config_is_refused_with_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(EngineBuildError, match=r"engine = Engine\(config\)"):
        load_program(program(tmp_path, "x = 1\n", head=""))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineBuildError, match=r"nothing\.py"):
        load_program(tmp_path / "nothing.py")


def test_an_error_of_the_users_own_passes_through(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        load_program(program(tmp_path, "1 / 0\n"))
