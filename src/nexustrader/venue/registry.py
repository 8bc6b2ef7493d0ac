"""Which venue package serves which exchange: found by entry point, so that third parties need no core edit."""

from __future__ import annotations

from importlib.metadata import entry_points

from nexustrader.constants import ExchangeType
from nexustrader.error import EngineBuildError
from nexustrader.venue.spec import Venue

GROUP = "nexustrader.venues"


def load_venue(exchange: ExchangeType) -> Venue:
    """The venue package registered for `exchange`. Raises EngineBuildError by name when there is none."""
    found = entry_points(group=GROUP, name=exchange.value)
    if not found:
        have = ", ".join(sorted(e.name for e in entry_points(group=GROUP))) or "none"
        raise EngineBuildError(
            f"there is no connector for {exchange.value} in this release (installed: {have}). "
            "Remove it from the configuration, or install a package that provides it"
        )
    venue: Venue = next(iter(found)).load()
    return venue
