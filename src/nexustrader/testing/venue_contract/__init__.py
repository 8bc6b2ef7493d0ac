"""One suite that every venue connector has to pass, on an emulated venue.

    class TestMyVenue(VenueContract):
        transport = "memory"  # and another class with "loopback"
        venue = MY_VENUE
        account_type = MyAccountType.SPOT
        ...

        def emulate(self, clock, entropy, api_key, secret):
            return ...

`Case` says what a subclass has to say, `EmulatedVenue` what the suite asks of the emulated venue, and `OnCore` makes
one of a venue on the emulator's own core. The venue's package is found as in every program: by its entry point.
"""

from nexustrader.testing.venue_contract.emulated import EmulatedVenue, OnCore
from nexustrader.testing.venue_contract.suite import VenueContract

__all__ = ["EmulatedVenue", "OnCore", "VenueContract"]
