"""What a venue can do, found by asking its own pure functions. Nothing here is written down twice.

Each question is put as the engine would put it, for a made-up instrument; what the venue's package refuses, it cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from nexustrader.constants import (
    AccountType,
    BookLevel,
    DataType,
    InstrumentType,
    KlineInterval,
    OrderSide,
    OrderType,
    PositionSide,
    TimeInForce,
    TriggerType,
)
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.outcome import Route
from nexustrader.domain.stream import Stream
from nexustrader.error import Denied, EngineBuildError, NotSent
from nexustrader.venue.spec import RateLimit, UserStreamKind, Venue

OID = "17000000000000000001"
AMOUNT, PRICE = Decimal(1), Decimal(100)
COUNTDOWN_MS = 60_000
KEY = "k" * 64
# What a subscription of each kind may ask for in detail.
DETAILS: dict[DataType, tuple[str, ...]] = {
    DataType.BOOKL1: ("",),
    DataType.BOOKL2: tuple(level.value for level in BookLevel),
    DataType.TRADE: ("",),
    DataType.KLINE: tuple(interval.value for interval in KlineInterval if interval.seconds),
    DataType.MARK_PRICE: ("",),
    DataType.INDEX_PRICE: ("",),
    DataType.FUNDING_RATE: ("",),
}


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """What one account type can do with one kind of instrument."""

    account_type: AccountType
    instrument_type: InstrumentType
    orders: dict[OrderType, tuple[TimeInForce, ...]]
    by_socket: tuple[OrderType, ...]  # of these, what the order socket takes
    reduces_only: bool
    hedges: bool  # orders may name the side of a position
    amends: bool
    batch_max: int  # how many orders one request takes
    cancels_all: bool  # by a call of its own
    has_dead_man: bool
    has_order_socket: bool
    has_position_mode: bool  # can be asked for
    user_stream: UserStreamKind
    streams: dict[DataType, tuple[str, ...]]  # by kind: the details that it may be asked for in
    limits: tuple[RateLimit, ...]  # of requests, and of orders in this kind of instrument


def capabilities(venue: Venue) -> list[Capability]:
    """All that a venue can do: by account type, live ones alone, in the order in which it declares them."""
    return [
        capability(venue, account_type, instrument_type)
        for account_type in venue.account_types()
        if not account_type.is_testnet and not account_type.is_mock and _is_served(venue, account_type)
        for instrument_type in venue.instrument_types(account_type)
    ]


def _is_served(venue: Venue, account_type: AccountType) -> bool:
    try:
        venue.endpoints(account_type)
    except EngineBuildError:
        return False
    return True


def capability(
    venue: Venue,
    account_type: AccountType,
    instrument_type: InstrumentType,
    instrument: Instrument | None = None,
) -> Capability:
    """One entry of `capabilities`; without an instrument for a made-up one."""
    instrument = instrument or sample(venue, instrument_type)
    orders: dict[OrderType, tuple[TimeInForce, ...]] = {}
    for kind in OrderType:
        taken = tuple(
            tif
            for tif in TimeInForce
            if order_refusal(venue, account_type, instrument, kind, time_in_force=tif) is None
        )
        if taken:
            orders[kind] = taken
    endpoints, can = venue.endpoints(account_type), partial(order_refusal, venue, account_type, instrument)
    return Capability(
        account_type=account_type,
        instrument_type=instrument_type,
        orders=orders,
        by_socket=tuple(
            kind
            for kind in orders
            if endpoints.trade is not None
            and can(kind, route=Route.WS, time_in_force=orders[kind][0]) is None
        ),
        reduces_only=can(OrderType.LIMIT, reduce_only=True) is None,
        hedges=can(OrderType.LIMIT, position_side=PositionSide.LONG) is None,
        amends=amend_refusal(venue, account_type, instrument) is None,
        batch_max=venue.batch_max(account_type, instrument, OrderType.LIMIT),
        cancels_all=_cancels_all(venue, account_type, instrument),
        has_dead_man=venue.dead_man_request(account_type, instrument.venue_symbol, COUNTDOWN_MS) is not None,
        has_order_socket=endpoints.trade is not None,
        has_position_mode=venue.position_mode_request(account_type) is not None,
        user_stream=venue.user_stream(account_type),
        streams=_streams(venue, account_type, instrument),
        limits=tuple(
            limit
            for limit in venue.rate_limits(account_type)
            if limit.pool in ("weight", venue.order_pool(instrument))
        ),
    )


def sample(venue: Venue, instrument_type: InstrumentType) -> Instrument:
    """An instrument of this kind that exists nowhere."""
    is_inverse = instrument_type is InstrumentType.INVERSE
    return Instrument(
        symbol=f"BTCUSDT.{venue.spec.exchange.name}",
        venue_symbol="BTCUSDT",
        exchange=venue.spec.exchange,
        type=instrument_type,
        base="BTC",
        quote="USD" if is_inverse else "USDT",
        settle="BTC" if is_inverse else "USDT",
        tick=Decimal("0.1"),
        lot=Decimal("0.001"),
        maker=Decimal(0),
        taker=Decimal(0),
    )


def order_refusal(
    venue: Venue,
    account_type: AccountType,
    instrument: Instrument,
    kind: OrderType,
    *,
    route: Route = Route.REST,
    **more: Any,
) -> str | None:
    """Why the venue's package would not send an order of this kind; None when it would."""
    command = ev.Submit(
        oid=OID,
        account="",
        symbol=instrument.symbol,
        side=OrderSide.BUY,
        type=kind,
        amount=AMOUNT,
        price=None if kind.is_market else PRICE,
        trigger_price=PRICE if kind.is_triggered else None,
        trigger_type=TriggerType.LAST_PRICE,
        route=route,
        timestamp=0,
        **more,
    )
    try:
        if route is Route.REST:
            venue.order_request(account_type, instrument, command)
        else:
            signer = venue.make_signer(KEY, KEY, KEY)
            venue.order_frame(account_type, instrument, command, "1", signer, 0)
    except (Denied, NotSent) as refused:
        return str(refused)
    return None


def amend_refusal(venue: Venue, account_type: AccountType, instrument: Instrument) -> str | None:
    """Why the venue's package would not send an amendment; None when it would."""
    command = ev.Amend(
        oid=OID,
        account="",
        symbol=instrument.symbol,
        side=OrderSide.BUY,
        price=PRICE,
        amount=AMOUNT,
        timestamp=0,
    )
    try:
        venue.amend_request(account_type, instrument, command)
    except Denied as refused:
        return str(refused)
    return None


def _cancels_all(venue: Venue, account_type: AccountType, instrument: Instrument) -> bool:
    command = ev.CancelAll(account="", symbol=instrument.symbol, oids=(), timestamp=0)
    try:
        return venue.cancel_all_request(account_type, instrument, command) is not None
    except Denied:
        return False


def _streams(
    venue: Venue, account_type: AccountType, instrument: Instrument
) -> dict[DataType, tuple[str, ...]]:
    """The market data of the public type that shows this instrument."""
    public = public_type_of(venue, account_type, instrument.type)
    found = {kind: tuple(_taken(venue, public, instrument, kind)) for kind in DETAILS}
    return {kind: details for kind, details in found.items() if details}


def public_type_of(venue: Venue, account_type: AccountType, instrument_type: InstrumentType) -> AccountType:
    """The account type whose market data show the instruments of this kind that an account trades."""
    return next(
        public
        for public in venue.public_types(account_type)
        if instrument_type in venue.instrument_types(public)
    )


def _taken(venue: Venue, public: AccountType, instrument: Instrument, kind: DataType) -> Iterator[str]:
    for detail in DETAILS[kind]:
        try:
            venue.stream_topic(public, Stream(kind, instrument.symbol, detail), instrument)
        except Denied:
            continue
        yield detail
