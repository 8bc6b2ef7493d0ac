"""The emulator in a process of its own: found by its line, given secrets silently, gone with its parent."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from nexustrader.emulator.handover import API_KEY_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE, Handover
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.error import EngineBuildError
from nexustrader.kernel.entropy import Entropy

pytestmark = pytest.mark.slow

END_S_MAX = 10.0


def get(url: str, headers: dict[str, str] | None = None) -> object:
    request = urllib.request.Request(url, headers=headers or {})
    with urllib.request.urlopen(request, timeout=5) as reply:
        return json.loads(reply.read())


def test_it_serves_with_the_secrets_that_it_was_given_and_shows_none() -> None:
    with EmulatorProcess.start(market="still") as process:
        assert process.running
        assert get(f"{process.url}/fapi/v1/ping") == {}
        ledger = get(f"{process.url}/emulator/ledger", {"X-Emulator-Token": process.token})
        assert ledger["accounts"]["main"]["usdm"]["balances"]["USDT"]["wallet"] == "100000"  # type: ignore[index]
        arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
        for secret in (process.api_key, process.secret, process.token):
            assert secret
            assert secret not in arguments
            assert secret not in repr(process)
    assert not process.running


def test_it_dies_with_its_parent() -> None:
    program = (
        "import os; from nexustrader.emulator.process import EmulatorProcess;"
        "p = EmulatorProcess.start(market='still'); print(p.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    parent = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True)
    child = int(parent.stdout)
    deadline = time.monotonic() + END_S_MAX
    while time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            state = Path(f"/proc/{child}/stat")
            if state.exists() and state.read_text().split()[2] != "Z":
                time.sleep(0.05)
                continue
        return
    os.kill(child, 9)
    pytest.fail("the emulator outlived its parent")


def test_an_emulator_that_does_not_come_up_is_reported(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EngineBuildError, match="ended while it started"):
        EmulatorProcess.start("nowhere")
    assert "there are emulators for binance" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({API_KEY_VARIABLE: "short", SECRET_VARIABLE: "x" * 64}, "must be 64 letters and digits"),
        ({API_KEY_VARIABLE: "k" * 64}, "go together"),
    ],
)
def test_a_key_that_no_request_could_use_is_refused(variables: dict[str, str], says: str) -> None:
    command = [sys.executable, "-m", "nexustrader.cli.main", "emulate", "binance"]
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 2
    assert says in done.stderr


def test_secrets_pass_through_the_environment_once(monkeypatch: pytest.MonkeyPatch) -> None:
    handover = Handover.throw_away(Entropy())
    assert handover.api_key is not None
    assert len(handover.api_key) == 64
    assert handover.api_key not in repr(handover)
    for name, value in handover.environment().items():
        monkeypatch.setenv(name, value)
    assert Handover.take_from_environment() == handover
    assert not {API_KEY_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE} & os.environ.keys()
    assert Handover.take_from_environment() == Handover()


@pytest.mark.slow
def test_ctrl_c_in_the_parents_terminal_does_not_end_the_emulator() -> None:
    with EmulatorProcess.start("binance", market="still") as emulator:
        assert os.getpgid(emulator.pid) != os.getpgid(0)
