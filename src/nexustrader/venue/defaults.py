"""What most venues answer alike. A venue's class inherits this and says what is different."""

from __future__ import annotations

from collections.abc import Sequence

from nexustrader.constants import AccountType, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.setting import Setting
from nexustrader.error import Denied
from nexustrader.market.subscriptions import Stream
from nexustrader.venue.local_book import BookChange, BookRule
from nexustrader.venue.spec import Reply, Request, Signer


class VenueDefaults:
    """A venue without listen keys and tokens, dead-man timers, position modes and pages, whose symbols are unique."""

    def public_types(self, account_type: AccountType) -> tuple[AccountType, ...]:
        return (account_type,)

    def key_of(self, instrument: Instrument) -> str:
        return instrument.venue_symbol

    def order_pool(self, instrument: Instrument) -> str:
        return "orders"

    def next_page(self, request: Request, body: bytes) -> Request | None:
        return None

    def book_rule(self, account_type: AccountType, stream: Stream) -> BookRule | None:
        return None

    def depth_request(self, account_type: AccountType, instrument: Instrument) -> Request:
        raise _no_snapshot(account_type)

    def parse_depth(self, account_type: AccountType, body: bytes, now_ms: int) -> BookChange:
        raise _no_snapshot(account_type)

    def batch_max(self, account_type: AccountType, instrument: Instrument, kind: OrderType) -> int:
        return 1

    def batch_request(
        self, account_type: AccountType, orders: Sequence[tuple[Instrument, ev.Submit]]
    ) -> Request:
        raise Denied(f"{account_type.value} takes orders one by one")

    def parse_batch_reply(self, body: bytes) -> list[Reply]:
        raise Denied("this venue takes orders one by one")

    def cancel_all_request(
        self, account_type: AccountType, instrument: Instrument, command: ev.CancelAll
    ) -> Request | None:
        return None

    def dead_man_request(
        self, account_type: AccountType, venue_symbol: str, countdown_ms: int
    ) -> Request | None:
        return None

    def setting_request(
        self, account_type: AccountType, instrument: Instrument | None, setting: Setting
    ) -> Request | None:
        return None

    def position_mode_request(self, account_type: AccountType) -> Request | None:
        return None

    def parse_is_hedge_mode(self, body: bytes) -> bool:
        return False

    def is_not_found(self, reply: Reply) -> bool:
        return False

    def logon_frame(self, request_id: str, signer: Signer, timestamp_ms: int) -> bytes | None:
        return None

    def listen_key_request(self, account_type: AccountType, *, keepalive: bool) -> Request:
        raise _no_listen_key(account_type)

    def parse_listen_key(self, body: bytes) -> str:
        raise Denied("this venue has no listen keys")

    def listen_key_route(self, account_type: AccountType, listen_key: str) -> str:
        raise _no_listen_key(account_type)

    def listen_token_requests(self, account_type: AccountType, balances: bytes) -> tuple[Request, ...]:
        raise _no_listen_key(account_type)

    def parse_listen_token(self, body: bytes) -> str:
        raise Denied("this venue has no listen tokens")

    def listen_token_frame(self, request_id: str, token: str) -> bytes:
        raise Denied("this venue has no listen tokens")


def _no_snapshot(account_type: AccountType) -> Denied:
    return Denied(f"{account_type.value} gives no snapshots of books: they come by the streams")


def _no_listen_key(account_type: AccountType) -> Denied:
    return Denied(f"{account_type.value} has no listen keys: its private events come another way")
