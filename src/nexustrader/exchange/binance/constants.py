"""Account types of Binance. Light on purpose: configurations import it."""

from __future__ import annotations

from nexustrader.constants import AccountType
from nexustrader.exchange.binance.addresses import ADDRESSES, Addresses

EXCHANGE_ID = "binance"


class BinanceAccountType(AccountType):
    """What an account of Binance trades, and where (live, testnet or simulated here)."""

    SPOT = "SPOT"
    MARGIN = "MARGIN"
    ISOLATED_MARGIN = "ISOLATED_MARGIN"
    USD_M_FUTURE = "USD_M_FUTURE"
    COIN_M_FUTURE = "COIN_M_FUTURE"
    PORTFOLIO_MARGIN = "PORTFOLIO_MARGIN"
    SPOT_TESTNET = "SPOT_TESTNET"
    USD_M_FUTURE_TESTNET = "USD_M_FUTURE_TESTNET"
    COIN_M_FUTURE_TESTNET = "COIN_M_FUTURE_TESTNET"
    LINEAR_MOCK = "LINEAR_MOCK"
    INVERSE_MOCK = "INVERSE_MOCK"
    SPOT_MOCK = "SPOT_MOCK"

    @property
    def exchange_id(self) -> str:
        return EXCHANGE_ID

    @property
    def is_spot(self) -> bool:
        return self in (BinanceAccountType.SPOT, BinanceAccountType.SPOT_TESTNET)

    @property
    def is_margin(self) -> bool:
        """True for cross margin only."""
        return self is BinanceAccountType.MARGIN

    @property
    def is_isolated_margin(self) -> bool:
        return self is BinanceAccountType.ISOLATED_MARGIN

    @property
    def is_isolated_margin_or_margin(self) -> bool:
        return self.is_margin or self.is_isolated_margin

    @property
    def is_spot_or_margin(self) -> bool:
        return self.is_spot or self.is_isolated_margin_or_margin

    @property
    def is_linear(self) -> bool:
        return self in (BinanceAccountType.USD_M_FUTURE, BinanceAccountType.USD_M_FUTURE_TESTNET)

    @property
    def is_inverse(self) -> bool:
        return self in (BinanceAccountType.COIN_M_FUTURE, BinanceAccountType.COIN_M_FUTURE_TESTNET)

    @property
    def is_future(self) -> bool:
        return self.is_linear or self.is_inverse

    @property
    def is_portfolio_margin(self) -> bool:
        return self is BinanceAccountType.PORTFOLIO_MARGIN

    @property
    def addresses(self) -> Addresses | None:
        """None for a mock, which has no venue behind it."""
        return ADDRESSES.get(self.value)

    @property
    def base_url(self) -> str | None:
        """Address of REST."""
        return self.addresses.rest if self.addresses else None

    @property
    def ws_url(self) -> str | None:
        """Address of the market and user streams, to be joined with a route."""
        return self.addresses.stream if self.addresses else None

    @property
    def ws_order_url(self) -> str | None:
        """Address of the order socket; None also where the venue has none."""
        return self.addresses.trade if self.addresses else None
