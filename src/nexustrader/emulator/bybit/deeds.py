"""What happens at once at Bybit alone: logins that end."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from nexustrader.emulator.faults import Fault
from nexustrader.emulator.orders.deeds import DEEDS, Deed, accounts_of

if TYPE_CHECKING:
    from nexustrader.emulator.bybit.venue import BybitVenue  # which carries the deeds out
    from nexustrader.emulator.venue import AnyVenue


def _end_logins(venue: AnyVenue, fault: Fault) -> int:
    listeners, silent = cast("BybitVenue", venue).listeners, fault.how == "silent"
    return sum(listeners.drop(account, silent=silent) for account in accounts_of(venue, fault))


BYBIT_DEEDS: dict[str, Deed] = {
    **DEEDS,
    # There are no listen keys here: what ends is the login of the private socket.
    "expire_listen_key": _end_logins,
    "end_user_stream": _end_logins,
}
