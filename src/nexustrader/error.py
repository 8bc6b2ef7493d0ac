"""Errors, arranged by what the caller may conclude.

    NexusTraderError
    ├── BuildError family   the program cannot start: fix the configuration and start again
    │     EngineBuildError · StrategyBuildError · CredentialsError · SettingsFileError ·
    │     PositionModeError · DeadManError
    ├── Denied              refused here, before anything left: the order never existed at the venue
    │     OrderError · SubscriptionError · KlineSupportedError · RiskDenied
    ├── NotSent             no byte left: safe to try again (WsRequestNotSentError)
    ├── OutcomeUnknown      it may have happened: ask before doing anything else (WsAckTimeoutError)
    ├── VenueRejected       the venue said no, definitely (WsAckRejectedError, RateLimited, AuthFailed)
    ├── WireError           a message that cannot be read; nothing was concluded from it
    └── JournalError        the record of orders cannot be written or read

Every message says what happened, to what, and what to do.
"""

from __future__ import annotations


class NexusTraderError(Exception):
    """Base of all errors raised by this package."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


# -- the program cannot start --------------------------------------------------------------------------------


class EngineBuildError(NexusTraderError):
    """The engine cannot be built from this configuration."""


class StrategyBuildError(NexusTraderError):
    """The strategy cannot be used as it is, or was used before an engine owned it."""


class CredentialsError(EngineBuildError):
    """A private connector has no usable credentials. Lists every source tried by name, never a value."""


class SettingsFileError(EngineBuildError):
    """A settings file cannot be read. Names file and line."""


class PositionModeError(EngineBuildError):
    """The account's position mode does not fit."""


class DeadManError(EngineBuildError):
    """A dead-man timer is configured for an account whose venue has none."""


class EndpointError(EngineBuildError):
    """A configured URL is not allowed or cannot be used."""


# -- refused here --------------------------------------------------------------------------------------------


class Denied(NexusTraderError):
    """Refused on this side: nothing left for the venue."""


class OrderError(Denied):
    """The order cannot be sent as it is."""


class SubscriptionError(Denied):
    """The subscription is not possible."""


class KlineSupportedError(SubscriptionError):
    """The venue has no klines of this interval."""


class InstrumentError(Denied):
    """Unknown or unusable symbol."""


# -- what became of a request --------------------------------------------------------------------------------


class NotSent(NexusTraderError):
    """No byte of the request left this process: it is safe to send it again."""


class WsRequestNotSentError(NotSent):
    """The WebSocket was not connected."""

    def __init__(self, message: str = "the WebSocket is not connected, nothing was sent") -> None:
        super().__init__(message)


class OutcomeUnknown(NexusTraderError):
    """The request may have been carried out. Never repeat it blindly: query first."""


class WsAckTimeoutError(OutcomeUnknown):
    """No ACK within the time allowed."""

    def __init__(self, oid: str, timeout: float) -> None:
        super().__init__(
            f"no ACK for order {oid} within {timeout} s; its outcome is unknown until it is queried"
        )
        self.oid = oid
        self.timeout = timeout


class VenueRejected(NexusTraderError):
    """The venue refused, definitely."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class WsAckRejectedError(VenueRejected):
    """The venue answered an order request with a refusal."""

    def __init__(self, oid: str, reason: str) -> None:
        super().__init__(f"order {oid} was refused by the venue: {reason}")
        self.oid = oid
        self.reason = reason


class RateLimited(VenueRejected):
    """Over a limit. Nothing was done; wait `retry_after_ms`."""

    def __init__(self, message: str, retry_after_ms: int, code: str | None = None) -> None:
        super().__init__(message, code)
        self.retry_after_ms = retry_after_ms


class AuthFailed(VenueRejected):
    """Key, signature or permission refused."""


# -- data and state ------------------------------------------------------------------------------------------


class WireError(NexusTraderError):
    """A message from outside cannot be read. Nothing may be concluded from it."""


class DataError(NexusTraderError):
    """A data file cannot be used. Names file and row."""


class JournalError(NexusTraderError):
    """The journal cannot be opened, written or read."""


class JournalLockedError(JournalError):
    """Another engine holds the journal of this strategy and account."""


# -- warnings ------------------------------------------------------------------------------------------------


class NexusTraderWarning(UserWarning):
    """Base of our warnings, so that they can be filtered together."""


class SecretsFileWarning(NexusTraderWarning):
    """`.keys/.secrets.toml` is absent, or readable by others."""


class CredentialsWarning(NexusTraderWarning):
    """Credentials named in the configuration did not resolve."""


# -- names of the original's venue errors, for programs that catch them --------------------------------------


class BinanceClientError(VenueRejected):
    """A 4xx answer of Binance with its code."""


class BinanceServerError(OutcomeUnknown):
    """A 5xx answer of Binance."""


class BybitError(VenueRejected):
    """An error answer of Bybit."""


class OkxHttpError(OutcomeUnknown):
    """An HTTP error of OKX."""


class OkxRequestError(VenueRejected):
    """An error answer of OKX."""


class BitgetError(VenueRejected):
    """An error answer of Bitget."""


class HyperLiquidHttpError(OutcomeUnknown):
    """An HTTP error of Hyperliquid."""
