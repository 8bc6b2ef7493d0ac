"""What a venue declares about itself, and the pure functions it offers. No I/O.

A venue package is a `Venue`: data (`VenueSpec`) and functions from intent to request and from bytes to events.
Connecting, sending, acking, timing out, retrying and reconciling live in `venue/` and `execution/`, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, Protocol

import msgspec

from nexustrader.constants import AccountType, DataType, ExchangeType, InstrumentType, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.outcome import Conclusion
from nexustrader.domain.setting import Setting
from nexustrader.market.subscriptions import Stream
from nexustrader.schema import Kline, Ticker
from nexustrader.venue.local_book import BookChange, BookRule


class Security(Enum):
    """What a REST request needs beside its parameters."""

    NONE = "none"
    KEY = "key"  # the key header, no signature
    SIGNED = "signed"


class Request(msgspec.Struct, frozen=True):
    """One REST request before signing. Parameters in the order in which they are sent."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    security: Security = Security.NONE
    weight: int = 1
    orders: int = 0  # how many places in the order-count limit it takes ...
    pool: str = "orders"  # ... and in which pool of that limit
    body: bytes = b""  # JSON, for venues that take their parameters so


class ErrorRule(msgspec.Struct, frozen=True):
    """What may be concluded from one venue error code, and how to tell the user."""

    conclusion: Conclusion
    meaning: str
    retry_after_sync: bool = False  # clock skew: fix the offset, then the same request may be sent again
    fatal_auth: bool = False
    limit: bool = False


class RateLimit(msgspec.Struct, frozen=True):
    """One pool of a venue: at most `limit` per `interval_ms`, windows aligned to the clock."""

    pool: str  # "weight", or a pool of orders
    interval_ms: int
    limit: int


class UserStreamKind(Enum):
    """How private events arrive."""

    TRADE_SOCKET = "trade_socket"  # subscribed with a signed request on the order socket
    LISTEN_KEY = "listen_key"  # a key fetched by REST, kept alive, put into the stream's URL
    PRIVATE_SOCKET = "private_socket"  # a socket of its own: a signed logon, then a subscription
    LISTEN_TOKEN = "listen_token"  # noqa: S105  # a socket of its own: subscriptions by tokens that REST gives for a while


class Endpoints(msgspec.Struct, frozen=True):
    """URLs of one account type. `stream` is joined with a route; `trade` and `private` are complete."""

    rest: str
    stream: str
    trade: str | None = None
    private: str | None = None
    pool: str = ""  # account types of one pool count against the same limits; empty: those of one `rest`
    clock: str | None = None  # tells the time where `rest` does not


class VenueSpec(msgspec.Struct, frozen=True):
    """A venue's declarations: data only."""

    exchange: ExchangeType
    errors: Mapping[str, ErrorRule]
    recv_window_ms: int
    ack_timeout_ms: int
    absence_horizon_ms: int  # an order that no query shows this long after its send is not there
    subscribe_batch: int
    subscribe_gap_ms: int
    streams_per_socket: int
    listen_key_keepalive_ms: int = 0
    query_lag_ms_max: int = 0  # how far answers to queries may be behind the stream
    client_id_unique_forever: bool = False
    topic_prefix: bytes = b""  # how a data frame begins, up to its topic; empty where frames begin otherwise
    ping_frame: bytes = b""  # a sign of life that the venue wants on every socket ...
    ping_interval_ms: int = 0  # ... this often; 0: none


class Reply(msgspec.Struct, frozen=True):
    """One answer of a venue, REST or WS, as far as it is the same for all: status, venue code, text, body."""

    ok: bool
    status: int
    code: str | None = None
    message: str = ""
    body: bytes = b""
    retry_after_ms: int | None = None


class WsReply(msgspec.Struct, frozen=True):
    """A reply on the order socket, matched by `request_id`; None when the venue could not name the request."""

    request_id: str | None
    reply: Reply


class Signer(Protocol):
    """Signs bytes with one account's key. Knows the key's kind; never shows it."""

    api_key: str

    def sign(self, payload: bytes) -> str: ...


Resolve = Callable[[str], Instrument | None]  # what `Venue.key_of` gives -> instrument, for one account
Deliver = Callable[[Any], None]


class Venue(Protocol):
    """The pure functions of one venue. `account_type` is a member of the venue's own enum.

    `defaults.VenueDefaults` has what most venues answer alike.
    """

    spec: VenueSpec

    def account_types(self) -> type[AccountType]: ...
    def public_types(self, account_type: AccountType) -> tuple[AccountType, ...]:
        """The account types whose public data show the instruments that this account trades."""

    def instrument_types(self, account_type: AccountType) -> tuple[InstrumentType, ...]:
        """What this account trades, or what these public data are of."""

    def key_of(self, instrument: Instrument) -> str:
        """What tells an instrument from all others of one account: its venue symbol, or more where that repeats."""

    def endpoints(self, account_type: AccountType) -> Endpoints: ...
    def rate_limits(self, account_type: AccountType) -> tuple[RateLimit, ...]: ...
    def user_stream(self, account_type: AccountType) -> UserStreamKind: ...

    # signing
    def make_signer(self, api_key: str, secret: str, passphrase: str | None) -> Signer: ...
    def sign_request(
        self, request: Request, signer: Signer | None, timestamp_ms: int
    ) -> tuple[str, dict[str, str], bytes]:
        """-> path with query, headers, body."""

    # reference data
    def server_time_request(self, account_type: AccountType) -> Request: ...
    def order_pool(self, instrument: Instrument) -> str:
        """The pool of the order-count limit that an order in this instrument takes a place of."""

    def next_page(self, request: Request, body: bytes) -> Request | None:
        """What to ask for the rest, after `body` answered `request`; None when it was the whole. Raises WireError."""

    def used_limits(self, headers: Mapping[str, str]) -> Iterable[tuple[str, int, int]]:
        """(pool, interval_ms, used) for each limit that the reply's headers (lower-case names) report."""

    def parse_server_time(self, body: bytes) -> int: ...
    def instruments_requests(self, account_type: AccountType) -> tuple[Request, ...]: ...
    def parse_instruments(
        self, account_type: AccountType, body: bytes
    ) -> tuple[list[Instrument], tuple[str, ...]]:
        """-> instruments that trade now, and what was wrong with rows that were left out. Raises WireError."""

    def klines_request(
        self,
        account_type: AccountType,
        instrument: Instrument,
        interval: str,
        limit: int | None,
        start_ms: int | None,
        end_ms: int | None,
    ) -> Request: ...
    def parse_klines(
        self, instrument: Instrument, interval: str, body: bytes, now_ms: int
    ) -> list[Kline]: ...
    def ticker_request(self, account_type: AccountType, instrument: Instrument) -> Request: ...
    def parse_ticker(self, instrument: Instrument, body: bytes) -> Ticker: ...

    # market streams
    def stream_topic(
        self, account_type: AccountType, stream: Stream, instrument: Instrument
    ) -> tuple[str, str]:
        """-> (route path to append to the stream URL, topic). Raises SubscriptionError."""

    def subscribe_frame(self, topics: list[str], request_id: int, *, subscribe: bool) -> bytes: ...
    def topic_of(self, raw: bytes) -> str | None:
        """The topic of a data frame by a peek at its bytes; None for control frames."""

    def control_problem(self, raw: bytes) -> str | None:
        """What a control frame complains about; None for a plain confirmation."""

    def decoder(
        self,
        account_type: AccountType,
        stream: Stream,
        instrument: Instrument,
        deliver: Mapping[DataType, Deliver],
        now_ms: Callable[[], int],
    ) -> Callable[[bytes], None]:
        """A function that decodes one data frame of this stream and delivers public structs.

        A stream that has a `book_rule` delivers `BookChange` in place of `BookL2`.
        """

    def book_rule(self, account_type: AccountType, stream: Stream) -> BookRule | None:
        """How the changes that this stream brings make a book; None: each of its frames is all there is."""

    def depth_request(self, account_type: AccountType, instrument: Instrument) -> Request:
        """The snapshot that changes can follow. Only for books whose rule says that it is asked for."""

    def parse_depth(self, account_type: AccountType, body: bytes, now_ms: int) -> BookChange: ...

    # commands
    def order_request(
        self, account_type: AccountType, instrument: Instrument, command: ev.Submit
    ) -> Request: ...
    def batch_max(self, account_type: AccountType, instrument: Instrument, kind: OrderType) -> int:
        """How many creates of this kind, in this instrument's pool, go in one request; 1: each in its own."""

    def batch_request(
        self, account_type: AccountType, orders: Sequence[tuple[Instrument, ev.Submit]]
    ) -> Request:
        """Several creates of one pool at once. Raises OrderError."""

    def parse_batch_reply(self, body: bytes) -> list[Reply]:
        """The reply to each create, in their order. Raises WireError."""

    def cancel_request(
        self, account_type: AccountType, instrument: Instrument, command: ev.Cancel
    ) -> Request: ...
    def amend_request(
        self, account_type: AccountType, instrument: Instrument, command: ev.Amend
    ) -> Request: ...
    def cancel_all_request(
        self, account_type: AccountType, instrument: Instrument, command: ev.CancelAll
    ) -> Request | None:
        """None: the venue has no such call; the command then ends as not sent."""

    def dead_man_request(
        self, account_type: AccountType, venue_symbol: str, countdown_ms: int
    ) -> Request | None:
        """Cancel every open order of a symbol unless this is asked again in time; 0 ends it. None: no such call."""

    def order_frame(
        self,
        account_type: AccountType,
        instrument: Instrument,
        command: ev.Submit | ev.Cancel | ev.Amend,
        request_id: str,
        signer: Signer,
        timestamp_ms: int,
    ) -> bytes:
        """The complete signed frame for the order socket.

        Raises Denied for what cannot be sent at all, and NotSent for what has to go by REST.
        """

    def parse_ws_reply(self, raw: bytes) -> WsReply | None:
        """None when the frame is not a reply (a user event, a control frame)."""

    def parse_rest_reply(
        self, status: int, headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> Reply: ...
    def parse_order_reply(
        self, account_type: AccountType, instrument: Instrument, command: ev.Command, body: bytes, now_ms: int
    ) -> tuple[ev.OrderEvent, ...]:
        """Facts in a successful reply to a create, cancel or amend (body: the venue's result object)."""

    # user stream
    def logon_frame(self, request_id: str, signer: Signer, timestamp_ms: int) -> bytes | None:
        """What has to be said first on the order socket and on a private socket; None: nothing."""

    def user_subscribe_frame(self, request_id: str, signer: Signer, timestamp_ms: int) -> bytes: ...
    def listen_key_request(self, account_type: AccountType, *, keepalive: bool) -> Request: ...
    def parse_listen_key(self, body: bytes) -> str: ...
    def listen_key_route(self, account_type: AccountType, listen_key: str) -> str: ...
    def listen_token_requests(self, account_type: AccountType, balances: bytes) -> tuple[Request, ...]:
        """What to ask for tokens, one for each part of the account that `balances` (the venue's answer) lists."""

    def parse_listen_token(self, body: bytes) -> str: ...
    def listen_token_frame(self, request_id: str, token: str) -> bytes:
        """Starts the private events of a token, or prolongs them."""

    def parse_user_event(
        self, account_type: AccountType, account: str, resolve: Resolve, raw: bytes
    ) -> tuple[ev.OrderEvent | ev.BalanceEvent | ev.PositionEvent | str, ...]:
        """Facts in one private frame, in order. A str is a status word ("listen_key_expired").

        Raises WireError for a frame that cannot be read. Unknown event types give ().
        """

    # queries: where several requests are needed their answers are joined
    def query_order_requests(
        self, account_type: AccountType, instrument: Instrument, oid: str, eid: str | None
    ) -> tuple[Request, ...]:
        """Asked one after the other, until one shows the order."""

    def open_orders_requests(
        self, account_type: AccountType, instrument: Instrument | None
    ) -> tuple[Request, ...]: ...
    def fills_request(self, account_type: AccountType, instrument: Instrument, eid: str) -> Request | None:
        """None: an order of this id cannot have any."""

    def fills_since_request(
        self, account_type: AccountType, instrument: Instrument, since_ms: int
    ) -> Request:
        """Executions of all orders."""

    def parse_orders(
        self, account_type: AccountType, account: str, resolve: Resolve, body: bytes
    ) -> list[ev.OrderEvent]:
        """Orders in a query's answer: one object or a list."""

    def parse_fills(
        self, account_type: AccountType, account: str, oid: str, resolve: Resolve, body: bytes
    ) -> list[ev.OrderEvent]: ...
    def is_not_found(self, reply: Reply) -> bool: ...
    def balances_request(self, account_type: AccountType) -> Request: ...
    def parse_balances(self, account: str, body: bytes, now_ms: int) -> list[ev.BalanceEvent]: ...
    def positions_requests(self, account_type: AccountType) -> tuple[Request, ...]: ...
    def parse_positions(
        self, account: str, resolve: Resolve, body: bytes, now_ms: int
    ) -> list[ev.PositionEvent]: ...
    def setting_request(
        self, account_type: AccountType, instrument: Instrument | None, setting: Setting
    ) -> Request | None:
        """A change of the account; `instrument` is the one that it names. None: no such call."""

    def position_mode_request(self, account_type: AccountType) -> Request | None: ...
    def parse_is_hedge_mode(self, body: bytes) -> bool: ...
