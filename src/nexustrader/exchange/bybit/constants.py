"""Account types of Bybit and the addresses behind each. Light on purpose: configurations import it."""

from __future__ import annotations

from typing import NamedTuple

from nexustrader.constants import AccountType

EXCHANGE_ID = "bybit"


class BybitAccountType(AccountType):
    """What an account of Bybit trades, and where (live, testnet, demo or simulated here).

    One unified account trades all; SPOT, LINEAR, INVERSE and OPTION name its parts and the market data of each.
    The demo account trades by REST alone, on the market data of the live venue.
    """

    SPOT = "SPOT"
    LINEAR = "LINEAR"
    INVERSE = "INVERSE"
    OPTION = "OPTION"
    UNIFIED = "UNIFIED"
    SPOT_TESTNET = "SPOT_TESTNET"
    LINEAR_TESTNET = "LINEAR_TESTNET"
    INVERSE_TESTNET = "INVERSE_TESTNET"
    OPTION_TESTNET = "OPTION_TESTNET"
    UNIFIED_TESTNET = "UNIFIED_TESTNET"
    UNIFIED_DEMO = "UNIFIED_DEMO"
    LINEAR_MOCK = "LINEAR_MOCK"
    INVERSE_MOCK = "INVERSE_MOCK"
    SPOT_MOCK = "SPOT_MOCK"

    @property
    def is_spot(self) -> bool:
        return self in (BybitAccountType.SPOT, BybitAccountType.SPOT_TESTNET)

    @property
    def is_linear(self) -> bool:
        return self in (BybitAccountType.LINEAR, BybitAccountType.LINEAR_TESTNET)

    @property
    def is_inverse(self) -> bool:
        return self in (BybitAccountType.INVERSE, BybitAccountType.INVERSE_TESTNET)

    @property
    def is_option(self) -> bool:
        return self in (BybitAccountType.OPTION, BybitAccountType.OPTION_TESTNET)

    @property
    def is_unified(self) -> bool:
        return self.value.startswith("UNIFIED")

    @property
    def exchange_id(self) -> str:
        return EXCHANGE_ID

    @property
    def addresses(self) -> Addresses | None:
        """None for a mock, which has no venue behind it."""
        return ADDRESSES.get(self)

    @property
    def base_url(self) -> str | None:
        """Address of REST."""
        return self.addresses.rest if self.addresses else None

    @property
    def ws_url(self) -> str | None:
        """Address of the market streams of this type."""
        return self.addresses.stream if self.addresses else None

    @property
    def ws_private_url(self) -> str | None:
        """Address of the private events."""
        return self.addresses.private if self.addresses else None

    @property
    def ws_order_url(self) -> str | None:
        """Address of the order socket; None also where the venue has none."""
        return self.addresses.trade if self.addresses else None


class Addresses(NamedTuple):
    rest: str
    stream: str  # of the market data of one category; of all where an account has all
    trade: str | None
    private: str


_LIVE = Addresses(
    "https://api.bybit.com",
    "wss://stream.bybit.com/v5/public",
    "wss://stream.bybit.com/v5/trade",
    "wss://stream.bybit.com/v5/private",
)
_TESTNET = Addresses(
    "https://api-testnet.bybit.com",
    "wss://stream-testnet.bybit.com/v5/public",
    "wss://stream-testnet.bybit.com/v5/trade",
    "wss://stream-testnet.bybit.com/v5/private",
)
_DEMO = Addresses("https://api-demo.bybit.com", _LIVE.stream, None, "wss://stream-demo.bybit.com/v5/private")

ADDRESSES: dict[AccountType, Addresses] = {
    BybitAccountType.UNIFIED: _LIVE,
    BybitAccountType.UNIFIED_TESTNET: _TESTNET,
    BybitAccountType.UNIFIED_DEMO: _DEMO,
    **{
        BybitAccountType[f"{category}{suffix}"]: host._replace(stream=f"{host.stream}/{category.lower()}")
        for category in ("SPOT", "LINEAR", "INVERSE", "OPTION")
        for suffix, host in (("", _LIVE), ("_TESTNET", _TESTNET))
    },
}
