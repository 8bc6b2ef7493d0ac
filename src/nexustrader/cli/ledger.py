"""Reading an emulator's control endpoints from a command."""

from __future__ import annotations

import urllib.request
from typing import Any

import msgspec

from nexustrader.emulator.process import EmulatorProcess

TIMEOUT_S = 10.0


def ask(emulator: EmulatorProcess, path: str) -> dict[str, Any]:
    """One reading of an emulator's control endpoint. Raises OSError."""
    request = urllib.request.Request(  # noqa: S310  # the emulator's own loopback URL
        emulator.url + path, headers={"X-Emulator-Token": emulator.token}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:  # noqa: S310  # as above
        answer: dict[str, Any] = msgspec.json.decode(reply.read())
    return answer
