"""Names that the end-to-end tests share."""

from __future__ import annotations

from collections.abc import Callable

from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType

FUTURES = BinanceAccountType.USD_M_FUTURE_TESTNET
SPOT = BinanceAccountType.SPOT_TESTNET

Build = Callable[..., Engine]
