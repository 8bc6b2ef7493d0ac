"""Fetches what a reference points at: `env:VAR`, `file:PATH`, `keyring:SERVICE/NAME`, `cmd:PROGRAM ...`."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable

from nexustrader._settings import settings
from nexustrader._settings_sources import SECRET_FILE_BYTES_MAX, read_secret_file, reason
from nexustrader.error import CredentialsError
from nexustrader.kernel.secret import Reference, Secret

COMMAND_TIMEOUT_S = 10.0
COMMAND_EXIT_TIMEOUT_S = 1.0
"""How long a command may go on after it has closed its output."""


def fetch(reference: Reference) -> Secret:
    """Return the secret that `reference` points at.

    Blocks while it reads, with a command for COMMAND_TIMEOUT_S or little more. Raises CredentialsError, which tells
    the reference and the reason and never what was read.
    """
    try:
        return Secret(_PROVIDERS[reference.scheme](reference.target))
    except (OSError, ValueError) as error:
        raise CredentialsError(f"{reference.shown} gives no secret: {reason(error)}") from None


def _from_variable(name: str) -> str:
    found = settings.variable(name)
    if isinstance(found.value, Reference):
        raise ValueError(f"variable {name} holds another reference; use that one directly")  # noqa: TRY004 - its text is wrong, not its type
    if found.value is None:
        raise ValueError(found.origin or f"variable {name} is not set")
    return found.value


def _from_file(path: str) -> str:
    return read_secret_file(
        path.removeprefix("//")
    )  # file:///run/secrets/x means the same as file:/run/secrets/x


def _from_keyring(target: str) -> str:
    service, slash, name = target.rpartition("/")
    if not slash:
        raise ValueError("write it as keyring:service/name")
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ValueError('the package keyring is not installed; install the extra "keyring"') from None
    try:
        value = keyring.get_password(service, name)
    except KeyringError as error:
        raise ValueError(f"the keyring of this machine failed ({type(error).__name__})") from None
    if not value:
        raise ValueError(
            "the keyring has no such entry; store it with `nexustrader credentials set --keyring`"
        )
    return value


def _from_command(command: str) -> str:
    """Run a program without a shell and return what it prints. Its error output, maybe secret, is dropped."""
    arguments = shlex.split(command)
    if not arguments:
        raise ValueError("name a program, as in cmd:pass show exchange/key")
    with subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # so that its children can be ended with it
    ) as process:
        assert process.stdout is not None
        # Race: the program may end, and its number be given away, just as the timer fires. While we read we
        # have not waited for it, so its number is still its own; the timer is gone before we wait.
        timer = threading.Timer(COMMAND_TIMEOUT_S, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        output = process.stdout.read(SECRET_FILE_BYTES_MAX + 1)
        late = timer.finished.is_set()
        timer.cancel()
        timer.join()
        try:
            if len(output) <= SECRET_FILE_BYTES_MAX:
                process.wait(timeout=COMMAND_EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            late = True
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
    if len(output) > SECRET_FILE_BYTES_MAX:
        raise ValueError(f"{arguments[0]} printed more than {SECRET_FILE_BYTES_MAX} bytes")
    if late:
        raise ValueError(f"{arguments[0]} did not end within {COMMAND_TIMEOUT_S:g} s")
    if process.returncode != 0:
        raise ValueError(
            f"{arguments[0]} failed with exit code {process.returncode}; run it by hand to see why"
        )
    try:
        text = output.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{arguments[0]} printed something that is not UTF-8 text") from None
    if not text:
        raise ValueError(f"{arguments[0]} printed nothing")
    return text


_PROVIDERS: dict[str, Callable[[str], str]] = {
    "env": _from_variable,
    "file": _from_file,
    "keyring": _from_keyring,
    "cmd": _from_command,
}
