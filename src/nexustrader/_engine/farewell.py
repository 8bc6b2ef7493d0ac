"""The last thing that a stopping engine does with its venues: ask them what is left, and say it."""

from __future__ import annotations

from collections.abc import Iterable

from nexustrader._engine.core import EngineCore
from nexustrader.execution.flat import ASK_TIMEOUT_S, Left, report_left
from nexustrader.kernel.ports import VenuePort

HURRIED_TIMEOUT_S = 1.0


async def say_what_is_left(core: EngineCore, ports: Iterable[VenuePort], *, is_hurried: bool) -> list[Left]:
    """Log what every account holds, in its venue's own words. Bounded in time, shorter when the stop is hurried."""
    spot = {
        account.key
        for account in core.accounts
        if getattr(account.type, "is_spot", False) or account.type.is_spot_mock
    }
    return await report_left(ports, core.oms, spot, HURRIED_TIMEOUT_S if is_hurried else ASK_TIMEOUT_S)
