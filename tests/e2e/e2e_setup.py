"""Names that the end-to-end tests share."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

from nexustrader.emulator.process import EmulatorProcess
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType

FUTURES = BinanceAccountType.USD_M_FUTURE_TESTNET
SPOT = BinanceAccountType.SPOT_TESTNET

Build = Callable[..., Engine]


def control(emulator: EmulatorProcess, path: str, body: dict[str, Any]) -> None:
    """One command to the emulator's control endpoint."""
    request = urllib.request.Request(
        emulator.url + path,
        data=json.dumps(body).encode(),
        headers={"X-Emulator-Token": emulator.token, "Content-Type": "application/json"},
        method="POST",
    )
    urllib.request.urlopen(request, timeout=10).read()
