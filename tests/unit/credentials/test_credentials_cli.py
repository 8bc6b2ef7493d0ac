"""`nexustrader credentials`: names and origins, never values."""

from __future__ import annotations

import getpass
import io
import os
import pty
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import keyring
import pytest

from nexustrader.cli import commands
from nexustrader.cli import main as cli
from nexustrader.config import BasicConfig
from nexustrader.constants import settings
from nexustrader.error import NexusTraderError
from workspace import PAGE, Workspace

VALUES = ("your_api_key", "your_secret_key", "okx_api_key", "okx_secret_key", "okx_passphrase", "CANARY")
PROGRAM = str(Path(sys.executable).with_name("nexustrader"))

Run = Callable[..., tuple[int, str]]


class Terminal(io.StringIO):
    """A standard input at which somebody sits."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `nexustrader credentials ...` and return the exit code and all output, which never has a value in it."""

    def run(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", Terminal() if stdin is None else io.StringIO(stdin))
        with pytest.raises(SystemExit) as left:
            cli.main(["credentials", *arguments])
        captured = capsys.readouterr()
        output = captured.out + captured.err
        assert not any(value in output for value in VALUES)
        assert isinstance(left.value.code, int)
        return left.value.code, output

    return run


# -- list -----------------------------------------------------------------------------------------------------


def test_list_names_each_field_and_its_origin_and_no_value(workspace: Workspace, run: Run) -> None:
    workspace.secrets(PAGE)
    workspace.set("NEXUS_BYBIT__TESTNET__SECRET", "CANARY")
    workspace.set("NEXUS_OKX__LIVE__SECRET", "cmd:pass show CANARY")
    workspace.set("BINANCE_API_KEY", "CANARY")
    workspace.set("BYBIT_SECRET_FILE", "/nonexistent")
    code, output = run("list")
    rows = {tuple(line.split(maxsplit=2)) for line in output.splitlines()}
    assert code == 0
    assert ("BYBIT.TESTNET", "api_key", ".keys/.secrets.toml") in rows
    assert ("BYBIT.TESTNET", "secret", "variable NEXUS_BYBIT__TESTNET__SECRET") in rows
    assert ("OKX.LIVE", "secret", "variable NEXUS_OKX__LIVE__SECRET, refers to cmd:pass") in rows
    assert ('from_env("BINANCE")', "api_key", "variable BINANCE_API_KEY") in rows
    assert any("/nonexistent: No such file" in line for line in output.splitlines())


def test_list_of_nothing_says_what_to_do(workspace: Workspace, run: Run) -> None:
    code, output = run("list")
    assert code == 0
    assert "nexustrader credentials set" in output


def test_a_broken_file_is_one_line_and_exit_code_2(workspace: Workspace, run: Run) -> None:
    workspace.secrets("[BROKEN")
    for command in (["list"], ["check"], ["set", "A.B", "secret"]):
        code, output = run(*command, stdin="CANARY")
        assert code == 2
        assert output.count("\n") == 1
        assert "line 1" in output


# -- check ----------------------------------------------------------------------------------------------------


def test_check_accepts_complete_credentials(workspace: Workspace, run: Run) -> None:
    workspace.secrets(PAGE)
    code, output = run("check")
    assert code == 0
    assert output.count("ok, hmac key") == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[A.B]\napi_key = "CANARY"\n', "no secret"),
        ('[OKX.B]\napi_key = "CANARY"\nsecret = "CANARY"\n', "no passphrase"),
        ('[A.B]\napi_key = "CANARY"\nsecret = "env:NOPE"\n', "NOPE is not set"),
        ('[A.B]\napi_key = "CANARY"\nsecret = "-----BEGIN PRIVATE KEY-----CANARY"\n', "cannot be read"),
    ],
)
def test_check_tells_problems_and_exits_with_2(
    workspace: Workspace, run: Run, text: str, problem: str
) -> None:
    workspace.secrets(text)
    code, output = run("check")
    assert code == 2
    assert problem in output


def test_check_of_an_unknown_key_is_a_problem(workspace: Workspace, run: Run) -> None:
    code, output = run("check", "NOPE.X")
    assert code == 2
    assert "NEXUS_NOPE__X__API_KEY" in output


@pytest.mark.filterwarnings("ignore::nexustrader.error.SecretsFileWarning")
def test_check_tells_loose_rights(workspace: Workspace, run: Run) -> None:
    workspace.secrets(PAGE, 0o640)
    workspace.secrets_file.parent.chmod(0o755)
    code, output = run("check")
    assert code == 2
    assert "chmod 600" in output
    assert "chmod 700" in output


def test_check_of_nothing_is_fine(workspace: Workspace, run: Run) -> None:
    assert run("check")[0] == 0


# -- set ------------------------------------------------------------------------------------------------------


def test_set_reads_the_value_from_stdin(workspace: Workspace, run: Run) -> None:
    code, output = run("set", "bybit.testnet", "api_key", stdin="CANARY\n")
    assert code == 0
    assert 'settings_key="BYBIT.TESTNET"' in output
    settings.reload()
    assert BasicConfig(settings_key="BYBIT.TESTNET").api_key == "CANARY"
    assert stat.S_IMODE(workspace.secrets_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(workspace.secrets_file.parent.stat().st_mode) == 0o700


def test_set_takes_a_pem_from_stdin_as_it_is(workspace: Workspace, run: Run) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----"
    assert run("set", "A.B", "secret", stdin=pem + "\n")[0] == 0
    settings.reload()
    assert settings.A.B.secret == pem


def test_set_preserves_the_rest(workspace: Workspace, run: Run) -> None:
    workspace.secrets("# comment\n" + PAGE)
    assert run("set", "OKX.DEMO_1", "secret", stdin="CANARY")[0] == 0
    assert workspace.secrets_file.read_text() == "# comment\n" + PAGE.replace("okx_secret_key", "CANARY")


def test_set_asks_for_each_field_unseen(
    workspace: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "" if "passphrase" in prompt else f"CANARY {len(asked)}"

    monkeypatch.setattr(getpass, "getpass", answer)
    assert run("set", "A.B")[0] == 0
    settings.reload()
    assert (settings.A.B.api_key, settings.A.B.secret) == ("CANARY 1", "CANARY 2")
    assert not hasattr(settings.A.B, "passphrase")
    assert all("not shown" in prompt for prompt in asked)


@pytest.mark.slow
def test_the_prompt_does_not_echo(workspace: Workspace) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(workspace.folder)
        os.execv(PROGRAM, [PROGRAM, "credentials", "set", "A.B", "api_key"])
    output = b""
    while b"api_key" not in output:
        output += os.read(terminal, 1024)
    os.write(terminal, b"CANARY\n")
    try:
        while chunk := os.read(terminal, 1024):
            output += chunk
    except OSError:  # the other end is closed
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"CANARY" not in output
    assert 'api_key = "CANARY"' in workspace.secrets_file.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", "A.B", "api_key", "CANARY"),
        ("set", "A.B", "CANARY"),
        ("set", "A.B", "api_key", "--value", "CANARY"),
        ("set", "A.B", "api_key", "--CANARY"),
        ("set", "A.B", "api_key", "secret", "CANARY", "CANARY"),
    ],
)
def test_set_takes_no_value_from_arguments_and_does_not_repeat_one(
    workspace: Workspace, run: Run, arguments: tuple[str, ...]
) -> None:
    code, _ = run(*arguments, stdin="x")
    assert code == 2
    assert not workspace.secrets_file.exists()


@pytest.mark.parametrize(
    ("arguments", "stdin", "remedy"),
    [
        (("set", "A.B"), "CANARY", "name the field"),
        (("set", "A.B", "secret"), "", "no value was given"),
        (("set", "A.B", "secret"), "\n", "no value was given"),
        (("set", "A.B", "secret"), "CANARY" * 20_000, "longer than"),
        (("set", "A B", "secret"), "CANARY", "names with dots"),
        (("set", "A..B", "secret"), "CANARY", "names with dots"),
    ],
)
def test_set_refuses_with_one_line(
    workspace: Workspace, run: Run, arguments: tuple[str, ...], stdin: str, remedy: str
) -> None:
    code, output = run(*arguments, stdin=stdin)
    assert code == 2
    assert remedy in output
    assert output.count("\n") == 1
    assert not workspace.secrets_file.exists()


def test_set_tells_when_a_variable_wins_over_the_file(workspace: Workspace, run: Run) -> None:
    workspace.set("NEXUS_A__B__SECRET", "CANARY")
    assert "NEXUS_A__B__SECRET is set and wins" in run("set", "A.B", "secret", stdin="CANARY2")[1]


def test_set_tells_when_another_file_wins_over_the_file(workspace: Workspace, run: Run) -> None:
    workspace.secrets(PAGE)
    workspace.write(".keys/.secrets.local.toml", PAGE).chmod(0o600)
    _, output = run("set", "BYBIT.TESTNET", "api_key", stdin="CANARY")
    assert "note: api_key in .keys/.secrets.local.toml wins over the file" in output


def test_set_can_put_the_value_into_the_keyring(
    workspace: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(
        keyring, "set_password", lambda service, name, value: stored.update({(service, name): value})
    )
    monkeypatch.setattr(keyring, "get_password", lambda service, name: stored[service, name])
    for field in ("api_key", "secret"):
        assert run("set", "a.b", field, "--keyring", stdin=f"CANARY {field}")[0] == 0
    assert "CANARY" not in workspace.secrets_file.read_text()
    assert stored["nexustrader", "A.B.secret"] == "CANARY secret"
    assert run("check", "A.B") == (0, f"{'A.B':<32} ok, hmac key\n")


def test_a_keyring_that_fails_is_told(
    workspace: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: str) -> None:
        raise keyring.errors.PasswordSetError("CANARY")

    monkeypatch.setattr(keyring, "set_password", fail)
    code, output = run("set", "A.B", "secret", "--keyring", stdin="CANARY")
    assert code == 2
    assert "PasswordSetError" in output
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert 'extra "keyring"' in run("set", "A.B", "secret", "--keyring", stdin="CANARY")[1]


# -- template and the program ---------------------------------------------------------------------------------


def test_template_is_a_valid_settings_file(workspace: Workspace, run: Run) -> None:
    code, output = run("template")
    assert code == 0
    workspace.secrets(output)
    assert settings.BYBIT.TESTNET.api_key == ""
    assert settings.OKX.DEMO_1.passphrase == ""
    assert BasicConfig(settings_key="BYBIT.TESTNET", api_key="k", secret="s", passphrase="p").api_key == "k"
    with pytest.warns(UserWarning, match="Could not resolve"):
        BasicConfig(settings_key="BYBIT.TESTNET")


def test_template_env_is_a_valid_dotenv(workspace: Workspace, run: Run) -> None:
    output = run("template", "--env")[1]
    workspace.write(
        ".env", output.replace("NEXUS_BYBIT__TESTNET__API_KEY=", "NEXUS_BYBIT__TESTNET__API_KEY=k")
    )
    assert settings.BYBIT.TESTNET.api_key == "k"


def test_our_errors_are_one_redacted_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> None:
        raise NexusTraderError("broken\n  at signature=CANARY; do this")

    monkeypatch.setattr(commands, "app", fail)
    with pytest.raises(SystemExit) as left:
        cli.main([])
    assert left.value.code == 2
    assert capsys.readouterr().err == "nexustrader: broken at signature=********; do this\n"


def test_an_unknown_command_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["nope"])
    assert left.value.code == 2


@pytest.mark.slow
def test_the_program_says_its_commands_and_imports_them_on_use(workspace: Workspace) -> None:
    done = workspace.run([PROGRAM, "--help"])
    assert done.returncode == 0
    assert "credentials" in done.stdout
    code = "import nexustrader.cli.main, sys; print([n for n in sys.modules if n.startswith('nexustrader.')])"
    assert "credentials" not in workspace.python(code).stdout


@pytest.mark.slow
def test_the_program_creates_nothing_and_warns_of_nothing_when_it_lists(workspace: Workspace) -> None:
    done = workspace.run([PROGRAM, "credentials", "list"])
    assert (done.returncode, done.stderr) == (0, "")
    assert list(workspace.folder.iterdir()) == []
