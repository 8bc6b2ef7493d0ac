"""What happens at once at Binance alone: user streams that end."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.emulator.faults import Fault
from nexustrader.emulator.orders.deeds import DEEDS, Deed, accounts_of

if TYPE_CHECKING:
    from nexustrader.emulator.binance.venue import BinanceVenue  # which carries the deeds out
    from nexustrader.emulator.venue import AnyVenue


def _expire_listen_key(venue: AnyVenue, fault: Fault) -> int:
    keys = cast("BinanceVenue", venue).products[fault.product or USDM].listen_keys
    return sum(keys.expire(account, silent=fault.how == "silent") for account in accounts_of(venue, fault))


def _end_user_stream(venue: AnyVenue, fault: Fault) -> int:
    subscriptions = cast("BinanceVenue", venue).products[SPOT].subscriptions
    now_ms, silent = venue.clock.timestamp_ms(), fault.how == "silent"
    return sum(subscriptions.end(account, now_ms, silent=silent) for account in accounts_of(venue, fault))


BINANCE_DEEDS: dict[str, Deed] = {
    **DEEDS,
    "expire_listen_key": _expire_listen_key,
    "end_user_stream": _end_user_stream,
}
