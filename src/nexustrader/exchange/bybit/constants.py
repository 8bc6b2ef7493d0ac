"""Bybit's account types. Light on purpose: configurations import it."""

from __future__ import annotations

from nexustrader.exchange.addresses import Addresses, PlacedAccountType
from nexustrader.exchange.bybit.addresses import ADDRESSES

EXCHANGE_ID = "bybit"


class BybitAccountType(PlacedAccountType):
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
        return ADDRESSES.get(self.value)
