"""The examples in docs/credentials.md run."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from nexustrader.cli import main as cli
from nexustrader.constants import settings
from workspace import Workspace

PAGE = Path(__file__).parents[3] / "docs" / "credentials.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_examples_run(workspace: Workspace, number: int) -> None:
    workspace.secrets(blocks("toml")[0])
    exec(compile(blocks("python")[number], str(PAGE), "exec"), {})


def test_the_file_in_the_example_resolves(workspace: Workspace) -> None:
    (text,) = blocks("toml")
    assert set(tomllib.loads(text)) == {"BYBIT", "OKX", "BINANCE"}
    workspace.secrets(text)
    assert settings.OKX.DEMO_1.passphrase == "your_passphrase"


def test_commands_on_the_page_exist(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    commands = set(re.findall(r"nexustrader credentials (\w+)", PAGE.read_text()))
    assert commands == {"list", "check", "set", "template"}
    for command in commands:
        with pytest.raises(SystemExit) as left:
            cli.main(["credentials", command, "--help"])
        assert left.value.code == 0
    assert "--keyring" in capsys.readouterr().out


def test_variables_on_the_page_are_settings(workspace: Workspace) -> None:
    for line in "\n".join(blocks("console")).splitlines():
        if line.startswith("$ export "):
            name, _, value = shlex.split(line)[2].partition("=")
            workspace.set(name, value)
    assert settings.BYBIT.TESTNET.secret == "your_secret_key"
