"""References: values that say where the secret is."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import NoReturn

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import InitError

from nexustrader.config import BasicConfig
from nexustrader.constants import ExchangeType, settings
from nexustrader.credentials import providers
from nexustrader.credentials.required import require_credentials
from nexustrader.error import CredentialsError
from workspace import Workspace


class MemoryKeyring(KeyringBackend):
    """A keyring that forgets everything at the end of the test."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.values.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.values[service, username] = password


class LockedKeyring(MemoryKeyring):
    def get_password(self, service: str, username: str) -> NoReturn:
        raise InitError("locked: canary")


@pytest.fixture
def memory_keyring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    backend = MemoryKeyring()
    monkeypatch.setattr(keyring.core, "_keyring_backend", backend)
    return backend


def started(secret: str) -> str:
    """The secret with which a private connector starts."""
    return str(require_credentials(BasicConfig("key", secret), ExchangeType.BINANCE).secret)


def refusal(secret: str) -> str:
    with pytest.raises(CredentialsError) as caught:
        started(secret)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_references_are_fetched_when_the_private_connector_starts_and_not_before(
    workspace: Workspace,
) -> None:
    config = BasicConfig("env:LATER_KEY", "file:later.txt")
    assert (config.api_key, config.secret) == ("env:LATER_KEY", "file:later.txt")
    workspace.set("LATER_KEY", "key")
    workspace.write("later.txt", "secret\n")
    found = require_credentials(config, ExchangeType.BINANCE)
    assert (found.api_key, found.secret) == ("key", "secret")


def test_references_are_fetched_from_settings_and_variables_too(workspace: Workspace) -> None:
    workspace.secrets('[A.B]\napi_key = "env:REAL_KEY"\n')
    workspace.set("A_SECRET", "env:REAL_SECRET")
    workspace.set("REAL_KEY", "key")
    workspace.set("REAL_SECRET", "secret")
    config = BasicConfig.from_env("A", settings_key="A.B")
    found = require_credentials(config, ExchangeType.BINANCE)
    assert (found.api_key, found.secret) == ("key", "secret")


def test_a_reference_read_from_settings_may_be_passed_on_directly(workspace: Workspace) -> None:
    workspace.secrets('[A.B]\napi_key = "env:REAL"\nsecret = "literal:env:REAL"\n')
    workspace.set("REAL", "key")
    config = BasicConfig(api_key=settings.A.B.api_key, secret=settings.A.B.secret)
    found = require_credentials(config, ExchangeType.BINANCE)
    assert (found.api_key, found.secret) == ("key", "env:REAL")


@pytest.mark.parametrize("value", ["env:x", "file:/x", "keyring:a/b", "cmd:ls", "literal:x", "plain"])
def test_literal_escapes_a_value_that_begins_like_a_reference(workspace: Workspace, value: str) -> None:
    config = BasicConfig("key", f"literal:{value}")
    assert config.secret == value
    assert started(f"literal:{value}") == value


def test_other_values_with_a_colon_are_plain(workspace: Workspace) -> None:
    assert started("vault:x") == "vault:x"


# -- env: and file: -------------------------------------------------------------------------------------------


def test_env_gives_the_variable_or_its_file_twin(workspace: Workspace) -> None:
    workspace.set("ONE", "value")
    workspace.set("TWO_FILE", str(workspace.write("f", "twin\n")))
    assert started("env:ONE") == "value"
    assert started("env:TWO") == "twin"


def test_env_says_what_is_wrong(workspace: Workspace) -> None:
    assert "env:NOPE gives no secret: variable NOPE is not set" in refusal("env:NOPE")
    workspace.set("CHAIN", "env:OTHER")
    assert "another reference" in refusal("env:CHAIN")


@pytest.mark.parametrize("form", ["file:{}", "file://{}"])
def test_file_gives_the_contents_without_the_line_end(workspace: Workspace, form: str) -> None:
    path = workspace.write("secret", "value with space \r\n\n")
    assert started(form.format(path)) == "value with space "


def test_file_says_what_is_wrong(workspace: Workspace) -> None:
    assert "No such file" in refusal("file:/nonexistent/x")
    assert "Is a directory" in refusal(f"file:{workspace.folder}")
    assert "is empty" in refusal(f"file:{workspace.write('empty', chr(10))}")
    assert "larger than" in refusal(f"file:{workspace.write('large', 'canary ' * 10_000)}")
    (workspace.folder / "binary").write_bytes(b"\xff\x00canary")
    text = refusal("file:binary")
    assert "not UTF-8" in text
    assert "canary" not in text


# -- keyring: -------------------------------------------------------------------------------------------------


def test_keyring_gives_the_entry(workspace: Workspace, memory_keyring: MemoryKeyring) -> None:
    memory_keyring.set_password("nexus/trader", "name", "value")
    assert started("keyring:nexus/trader/name") == "value"


def test_keyring_says_what_is_wrong(
    workspace: Workspace, memory_keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no such entry" in refusal("keyring:service/name")
    assert "keyring:service/name" in refusal("keyring:name")
    monkeypatch.setattr(keyring.core, "_keyring_backend", LockedKeyring())
    text = refusal("keyring:service/name")
    assert "InitError" in text
    assert "canary" not in text
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert 'extra "keyring"' in refusal("keyring:service/name")


# -- cmd: -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_cmd_gives_what_the_program_prints(workspace: Workspace) -> None:
    assert started("cmd:printf 'a b\\n'") == "a b"


@pytest.mark.slow
def test_cmd_uses_no_shell(workspace: Workspace) -> None:
    assert started("cmd:echo $HOME; echo `id` | cat > f") == "$HOME; echo `id` | cat > f"
    assert not (workspace.folder / "f").exists()


@pytest.mark.slow
def test_cmd_says_what_is_wrong_and_drops_error_output(
    workspace: Workspace, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "No such file" in refusal("cmd:/nonexistent/program")
    assert "exit code 3" in refusal("cmd:sh -c 'echo canary >&2; echo canary; exit 3'")
    assert "printed nothing" in refusal("cmd:true")
    assert "more than" in refusal("cmd:yes canary")
    assert "not UTF-8" in refusal("cmd:printf '\\377'")
    assert "name a program" in refusal("cmd:")
    assert "No closing quotation" in refusal("cmd:pass 'x")
    assert "canary" not in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("program", ["sleep 60", "sh -c 'sleep 60 & wait'", "sh -c 'exec >&-; sleep 60'"])
def test_cmd_ends_a_program_that_takes_too_long_and_its_children(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(providers, "COMMAND_TIMEOUT_S", 0.3)
    begin = time.monotonic()
    assert "did not end within 0.3 s" in refusal(f"cmd:{program}")
    assert time.monotonic() - begin < 5


@pytest.mark.slow
def test_cmd_ends_children_that_keep_the_output_open(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "COMMAND_TIMEOUT_S", 0.5)
    text = refusal("cmd:sh -c 'sleep 60 & echo $! > pid; echo canary'")
    assert "did not end within" in text
    pid = int((workspace.folder / "pid").read_text())
    for _ in range(50):
        if _gone(pid):
            return
        time.sleep(0.02)
    pytest.fail("the child lives on")


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:  # nobody may have collected it yet
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_only_the_program_of_a_command_is_shown(workspace: Workspace) -> None:
    config = BasicConfig("key", "cmd:vault --token canary")
    assert "canary" not in repr(config)
    assert "cmd:vault" in repr(config)
    assert "canary" not in refusal("cmd:/nonexistent --token canary")
