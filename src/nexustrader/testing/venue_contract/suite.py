"""The whole contract: what a venue's test class inherits."""

from __future__ import annotations

from nexustrader.testing.venue_contract.changes import Changes
from nexustrader.testing.venue_contract.connecting import Connecting
from nexustrader.testing.venue_contract.facts import Facts
from nexustrader.testing.venue_contract.limits import Limits
from nexustrader.testing.venue_contract.orders import Orders
from nexustrader.testing.venue_contract.refusals import Refusals
from nexustrader.testing.venue_contract.restarts import Restarts
from nexustrader.testing.venue_contract.streams import Streams
from nexustrader.testing.venue_contract.wire import Wire


class VenueContract(Connecting, Streams, Orders, Refusals, Facts, Changes, Restarts, Limits, Wire):
    """Every test of the contract. See `Case` for what a subclass has to say."""
