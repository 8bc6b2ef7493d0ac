"""Programs that are not Python, and a Ctrl-C before anybody listens: the command line says what its user can use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from backtest_setup import PERP

from nexustrader.cli import commands
from nexustrader.cli import main as cli
from nexustrader.cli.load import load_program
from nexustrader.error import StrategyBuildError
from workspace import Workspace, fresh_redaction, workspace

__all__ = ["fresh_redaction", "workspace"]

BROKEN = "x = 1\nclass Mine:\n    amount = 1 +\n"
TOLD = "line 3: invalid syntax in `amount = 1 +`; correct the program"
INTERRUPTED = """
import signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from nexustrader.cli.main import main
main(["demo"])
"""


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as left:
        cli.main(list(arguments))
    assert left.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "backtest"])
def test_a_syntax_error_is_one_line_with_file_line_and_text(
    workspace: Workspace,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = workspace.write("mine.py", BROKEN)
    options = ["--data", "none.csv", "--symbol", PERP] if command == "backtest" else []
    assert refused(capsys, command, str(path), *options) == f"nexustrader: {path}, {TOLD}\n"


def test_a_syntax_error_in_a_module_of_the_users_is_told_of_that_module(workspace: Workspace) -> None:
    beside = workspace.write("broken_beside.py", BROKEN)
    with pytest.raises(StrategyBuildError) as caught:
        load_program(workspace.write("mine.py", "import broken_beside\n"))
    assert str(caught.value) == f"{beside}, {TOLD}"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"x = (\n", r"mine\.py, line 1: '\(' was never closed in `x = \(`; correct"),
        (b"if 1:\nx = 1\n", r"mine\.py, line 2: expected an indented block"),
        (b"x = 1\0\n", r"mine\.py: source code .* null bytes; correct"),
        (b'x = "\xff"\n', r"mine\.py.*utf-8.*; correct"),
        (b"x = (1 +" + b"y" * 300 + b"\n", r"in `x = \(1 \+y{72}`; correct"),
    ],
)
def test_what_else_is_not_python(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    with pytest.raises(StrategyBuildError, match=says):
        load_program(path)


def test_text_that_the_program_evaluates_is_its_own_affair(workspace: Workspace) -> None:
    with pytest.raises(SyntaxError):
        load_program(workspace.write("mine.py", "eval('1 +')\n"))


def test_a_program_may_arrange_the_import_path(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(ZeroDivisionError):
        load_program(workspace.write("mine.py", "import sys\nsys.path.pop(0)\n1 / 0\n"))


def test_a_ctrl_c_ends_with_code_130_and_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "app", interrupted)
    with pytest.raises(SystemExit) as left:
        cli.main([])
    assert left.value.code == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_so_does_one_while_the_command_line_is_being_loaded(workspace: Workspace) -> None:
    done = workspace.python(INTERRUPTED)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
