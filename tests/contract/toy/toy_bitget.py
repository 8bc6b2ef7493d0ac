"""A tiny venue as a third party would write it: one market, limit and market orders, no hurry about anything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from nexustrader.constants import AccountType, DataType, ExchangeType, InstrumentType, OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.domain.outcome import Conclusion
from nexustrader.error import OrderError, SubscriptionError, WireError
from nexustrader.schema import BookL1
from nexustrader.venue.defaults import VenueDefaults
from nexustrader.venue.spec import (
    Endpoints,
    ErrorRule,
    RateLimit,
    Reply,
    Request,
    Security,
    UserStreamKind,
    VenueSpec,
    WsReply,
)

LOT = Decimal("0.001")


class ToyAccountType(AccountType):
    SPOT = "SPOT"


class ToySigner:
    def __init__(self, api_key: str, secret: str) -> None:
        self.api_key = api_key
        self._secret = secret

    def sign(self, payload: bytes) -> str:
        return f"{len(payload)}:{self._secret}"


def read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise WireError(f"not JSON: {error}") from None


class ToyVenue(VenueDefaults):
    """Bitget in name alone."""

    spec = VenueSpec(
        exchange=ExchangeType.BITGET,
        errors={
            "bad": ErrorRule(Conclusion.REJECTED, "refused"),
            "auth": ErrorRule(Conclusion.REJECTED, "who are you", fatal_auth=True),
        },
        recv_window_ms=5_000,
        ack_timeout_ms=2_000,
        absence_horizon_ms=5_000,
        subscribe_batch=10,
        subscribe_gap_ms=50,
        streams_per_socket=50,
    )

    def account_types(self) -> type[AccountType]:
        return ToyAccountType

    def instrument_types(self, account_type: AccountType) -> tuple[InstrumentType, ...]:
        return (InstrumentType.SPOT,)

    def endpoints(self, account_type: AccountType) -> Endpoints:
        return Endpoints("https://toy", "wss://toy/market", None, "wss://toy/private")

    def rate_limits(self, account_type: AccountType) -> tuple[RateLimit, ...]:
        return (RateLimit("weight", 1_000, 1_000), RateLimit("orders", 1_000, 100))

    def user_stream(self, account_type: AccountType) -> UserStreamKind:
        return UserStreamKind.PRIVATE_SOCKET

    def make_signer(self, api_key: str, secret: str, passphrase: str | None) -> ToySigner:
        return ToySigner(api_key, secret)

    def sign_request(
        self, request: Request, signer: ToySigner | None, timestamp_ms: int
    ) -> tuple[str, dict[str, str], bytes]:
        headers = {} if signer is None else {"x-key": signer.api_key, "x-sign": signer.sign(request.body)}
        query = "&".join(f"{name}={value}" for name, value in request.params)
        return request.path + (f"?{query}" if query else ""), headers, request.body

    # -- asking ----------------------------------------------------------------------------------------------

    def server_time_request(self, account_type: AccountType) -> Request:
        return Request("GET", "/time")

    def used_limits(self, headers: Mapping[str, str]) -> Iterable[tuple[str, int, int]]:
        return ()

    def parse_server_time(self, body: bytes) -> int:
        return int(read(body)["time"])

    def instruments_requests(self, account_type: AccountType) -> tuple[Request, ...]:
        return (Request("GET", "/instruments"),)

    def parse_instruments(
        self, account_type: AccountType, body: bytes
    ) -> tuple[list[Instrument], tuple[str, ...]]:
        return [
            Instrument(
                symbol=f"{name}.BITGET",
                venue_symbol=name,
                exchange=ExchangeType.BITGET,
                type=InstrumentType.SPOT,
                base=name.removesuffix("USDT"),
                quote="USDT",
                settle="USDT",
                tick=Decimal("0.1"),
                lot=LOT,
                maker=Decimal(0),
                taker=Decimal(0),
            )
            for name in read(body)["symbols"]
        ], ()

    # -- market ----------------------------------------------------------------------------------------------

    def stream_topic(self, account_type: AccountType, stream: Any, instrument: Instrument) -> tuple[str, str]:
        if stream.kind is not DataType.BOOKL1:
            raise SubscriptionError("the toy streams quotes alone")
        return "", f"quote.{instrument.venue_symbol}"

    def subscribe_frame(self, topics: list[str], request_id: int, *, subscribe: bool) -> bytes:
        return json.dumps({"op": "sub" if subscribe else "unsub", "topics": topics}).encode()

    def topic_of(self, raw: bytes) -> str | None:
        topic = read(raw).get("topic")
        return None if topic is None else str(topic)

    def control_problem(self, raw: bytes) -> str | None:
        return None

    def decoder(
        self, account_type: AccountType, stream: Any, instrument: Instrument, deliver: Any, now_ms: Any
    ) -> Any:
        def on_frame(raw: bytes) -> None:
            row = read(raw)
            book = BookL1(ExchangeType.BITGET, instrument.symbol, row["bid"], row["ask"], 1.0, 1.0, now_ms())
            deliver[DataType.BOOKL1](book)

        return on_frame

    # -- commands --------------------------------------------------------------------------------------------

    def order_request(self, account_type: AccountType, instrument: Instrument, command: ev.Submit) -> Request:
        if command.type not in (OrderType.LIMIT, OrderType.MARKET):
            raise OrderError(f"the toy takes LIMIT and MARKET, not {command.type.value}")
        body = {
            "id": command.oid,
            "side": command.side.value,
            "amount": to_plain(command.amount),
            "price": None if command.price is None else to_plain(command.price),
        }
        return Request("POST", "/order", (), Security.SIGNED, orders=1, body=json.dumps(body).encode())

    def cancel_request(
        self, account_type: AccountType, instrument: Instrument, command: ev.Cancel
    ) -> Request:
        body = json.dumps({"id": command.oid}).encode()
        return Request("POST", "/cancel", (), Security.SIGNED, body=body)

    def amend_request(self, account_type: AccountType, instrument: Instrument, command: ev.Amend) -> Request:
        raise OrderError("the toy changes no order")

    def order_frame(self, *args: Any) -> bytes:
        raise OrderError("the toy has no order socket")

    def parse_ws_reply(self, raw: bytes) -> WsReply | None:
        answer = read(raw)
        if "reply" not in answer:
            return None
        return WsReply(answer["reply"], Reply(answer["ok"], 200, answer.get("code")))

    def parse_rest_reply(self, status: int, headers: Mapping[str, str], body: bytes, now_ms: int) -> Reply:
        answer = read(body)
        return Reply(status == 200, status, answer.get("code"), answer.get("text", ""), body)

    def parse_order_reply(
        self, account_type: AccountType, instrument: Instrument, command: Any, body: bytes, now_ms: int
    ) -> tuple[ev.OrderEvent, ...]:
        return (self._event(read(body), "", instrument),)

    # -- private ---------------------------------------------------------------------------------------------

    def logon_frame(self, request_id: str, signer: ToySigner, timestamp_ms: int) -> bytes | None:
        return json.dumps({"op": "logon", "id": request_id, "sign": signer.sign(b"")}).encode()

    def user_subscribe_frame(self, request_id: str, signer: ToySigner, timestamp_ms: int) -> bytes:
        return json.dumps({"op": "private", "id": request_id}).encode()

    def parse_user_event(
        self, account_type: AccountType, account: str, resolve: Any, raw: bytes
    ) -> tuple[Any, ...]:
        row = read(raw).get("order")
        return () if row is None else (self._event(row, account, resolve("BTCUSDT")),)

    def query_order_requests(
        self, account_type: AccountType, instrument: Instrument, oid: str, eid: str | None
    ) -> tuple[Request, ...]:
        return (Request("GET", "/orders", (("id", oid),), Security.SIGNED),)

    def open_orders_requests(
        self, account_type: AccountType, instrument: Instrument | None
    ) -> tuple[Request, ...]:
        return (Request("GET", "/orders", (("open", "1"),), Security.SIGNED),)

    def fills_request(self, account_type: AccountType, instrument: Instrument, eid: str) -> Request:
        return Request("GET", "/fills", (), Security.SIGNED)

    def fills_since_request(
        self, account_type: AccountType, instrument: Instrument, since_ms: int
    ) -> Request:
        return Request("GET", "/fills", (), Security.SIGNED)

    def parse_orders(
        self, account_type: AccountType, account: str, resolve: Any, body: bytes
    ) -> list[ev.OrderEvent]:
        return [self._event(row, account, resolve("BTCUSDT")) for row in read(body)["orders"]]

    def parse_fills(self, *args: Any) -> list[ev.OrderEvent]:
        return []

    def balances_request(self, account_type: AccountType) -> Request:
        return Request("GET", "/balances", (), Security.SIGNED)

    def parse_balances(self, account: str, body: bytes, now_ms: int) -> list[ev.BalanceEvent]:
        return []

    def positions_requests(self, account_type: AccountType) -> tuple[Request, ...]:
        return ()

    def parse_positions(self, *args: Any) -> list[ev.PositionEvent]:
        return []

    def _event(self, row: Any, account: str, instrument: Instrument) -> ev.OrderEvent:
        filled = Decimal(row["filled"])
        price = None if row["price"] is None else Decimal(row["price"])
        return ev.OrderEvent(
            oid=row["id"],
            eid=f"toy{row['id']}",
            account=account,
            symbol=instrument.symbol,
            kind=ev.EventKind[row["kind"]],
            source=ev.Source.STREAM,
            timestamp=row["time"],
            side=OrderSide(row["side"]),
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            amount=Decimal(row["amount"]),
            price=price,
            filled=filled,
            average=Decimal(100) if filled else None,
        )


VENUE = ToyVenue()
