"""Where an account type is reached, and what it says of it. Light: configurations import account types."""

from __future__ import annotations

from typing import NamedTuple

from nexustrader.constants import AccountType


class Addresses(NamedTuple):
    """As `venue.spec.Endpoints`, field by field."""

    rest: str
    stream: str
    trade: str | None = None
    private: str | None = None
    pool: str = ""
    clock: str | None = None


class PlacedAccountType(AccountType):
    """Base of account types whose addresses are known, without members. A venue's enum says its `addresses`."""

    @property
    def addresses(self) -> Addresses | None:
        """None for a mock, which has no venue behind it."""
        raise NotImplementedError

    @property
    def base_url(self) -> str | None:
        """Address of REST."""
        return self.addresses.rest if self.addresses else None

    @property
    def ws_url(self) -> str | None:
        """Address of the streams, which may have to be joined with a route."""
        return self.addresses.stream if self.addresses else None

    @property
    def ws_private_url(self) -> str | None:
        """Address of the private socket; None also where private events come another way."""
        return self.addresses.private if self.addresses else None

    @property
    def ws_order_url(self) -> str | None:
        """Address of the order socket; None also where the venue has none."""
        return self.addresses.trade if self.addresses else None
