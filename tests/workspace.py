"""A working directory of its own for a test: settings files, variables and `.env` are the test's alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexustrader.constants import settings
from nexustrader.kernel import redaction

SECRET_SUFFIXES = ("API_KEY", "SECRET", "PASSPHRASE")
PAGE = """
[BYBIT.TESTNET]
api_key = "your_api_key"
secret = "your_secret_key"

[OKX.DEMO_1]
api_key = "okx_api_key"
secret = "okx_secret_key"
passphrase = "okx_passphrase"
"""


class Workspace:
    """The folder of one test."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch

    @property
    def secrets_file(self) -> Path:
        return self.folder / ".keys" / ".secrets.toml"

    def secrets(self, text: str, mode: int = 0o600) -> None:
        self.secrets_file.parent.mkdir(mode=0o700, exist_ok=True)
        self.secrets_file.write_text(text)
        self.secrets_file.chmod(mode)

    def set(self, name: str, value: str) -> None:
        self._monkeypatch.setenv(name, value)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def python(self, code: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program of its own in the folder, with these variables."""
        return self.run([sys.executable, *options, "-c", code], **variables)

    def run(
        self, command: list[str], stdin: str | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**environ, **variables},
            input="" if stdin is None else stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def _forget() -> None:
    for name, value in (settings._dotenv or {}).items():
        if os.environ.get(name) == value:
            del os.environ[name]
    settings._folder = settings._dotenv = settings._read = None
    settings._overlays.clear()


@pytest.fixture(autouse=True)
def fresh_redaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test makes secret is secret in that test only."""
    monkeypatch.setattr(redaction, "_values", frozenset())


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """An empty working directory in which no setting is set."""
    for name in list(os.environ):
        if name.startswith("NEXUS_") or name.removesuffix("_FILE").endswith(SECRET_SUFFIXES):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    _forget()
    yield Workspace(tmp_path, monkeypatch)
    _forget()
