from __future__ import annotations

import math
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.constants import OrderSide, OrderType, PositionSide, TimeInForce
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import CommandKind, Conclusion, Route
from nexustrader.error import JournalError
from nexustrader.kernel.secret import Secret
from nexustrader.persistence.records import (
    RECORD_BYTES_MAX,
    RECORD_VERSION,
    checksum,
    decode,
    decode_part,
    encode,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
decimals = st.decimals(allow_nan=False, allow_infinity=False)
times = st.integers(0, 2**53)
params = st.dictionaries(
    text,
    st.one_of(
        text, st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False)
    ),
)


def maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


ids = {"oid": text, "account": text, "symbol": text, "timestamp": times}
sides, types, routes = st.sampled_from(OrderSide), st.sampled_from(OrderType), st.sampled_from(Route)

submits = st.builds(
    ev.Submit,
    **ids,
    side=sides,
    type=types,
    amount=decimals,
    price=maybe(decimals),
    time_in_force=st.sampled_from(TimeInForce),
    reduce_only=st.booleans(),
    position_side=maybe(st.sampled_from(PositionSide)),
    route=routes,
    attempt=st.integers(1, 9),
    client_oid=maybe(text),
    idempotency_key=maybe(text),
    params=params,
)
cancels = st.builds(ev.Cancel, **ids, eid=maybe(text), route=routes, params=params)
amends = st.builds(ev.Amend, **ids, side=sides, price=maybe(decimals), amount=maybe(decimals), params=params)
cancel_alls = st.builds(
    ev.CancelAll, account=text, symbol=text, oids=st.lists(text).map(tuple), timestamp=times
)
fills = st.builds(
    ev.Fill,
    trade_id=text,
    price=decimals,
    amount=decimals,
    fee=decimals,
    fee_currency=maybe(text),
    timestamp=times,
)
order_events = st.builds(
    ev.OrderEvent,
    **ids,
    kind=st.sampled_from(ev.EventKind),
    source=st.sampled_from(ev.Source),
    eid=maybe(text),
    filled=maybe(decimals),
    average=maybe(decimals),
    fill=maybe(fills),
    reason=maybe(text),
    side=maybe(sides),
    type=maybe(types),
    reduce_only=maybe(st.booleans()),
)
results = st.builds(
    ev.CommandResult,
    **ids,
    kind=st.sampled_from(CommandKind),
    conclusion=st.sampled_from(Conclusion),
    reason=maybe(text),
    events=st.lists(order_events, max_size=3).map(tuple),
    retry_after_ms=maybe(times),
)
balances = st.builds(
    ev.BalanceEvent,
    account=text,
    asset=text,
    free=decimals,
    locked=decimals,
    timestamp=times,
    cause=maybe(text),
)
positions = st.builds(
    ev.PositionEvent,
    account=text,
    symbol=text,
    signed_amount=decimals,
    entry_price=decimals,
    unrealized_pnl=decimals,
    position_side=maybe(st.sampled_from(PositionSide)),
    timestamp=times,
    snapshot=st.booleans(),
)
records = st.one_of(submits, cancels, amends, cancel_alls, order_events, results, balances, positions)


@given(record=records)
def test_every_record_comes_back_as_it_was(record: ev.Record) -> None:
    back = decode(RECORD_VERSION, encode(record))
    assert back == record
    assert repr(back) == repr(record)  # equal Decimals may still differ in their digits: 1.0 and 1.00


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_number_that_json_cannot_hold_is_refused(value: float) -> None:
    cancel = ev.Cancel(oid="1", account="a", symbol="s", timestamp=0, params={"x": 1.5, "y": value})
    with pytest.raises(JournalError, match=r"a Cancel cannot be journalled: params\['y'\] .* not a number"):
        encode(cancel)


def test_secret_is_refused() -> None:
    cancel = ev.Cancel(oid="1", account="a", symbol="s", timestamp=0, params={"key": Secret("CANARY-VALUE")})
    with pytest.raises(JournalError, match="type Secret is unsupported") as caught:
        encode(cancel)
    assert "CANARY" not in str(caught.value)


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(JournalError, match="a Cancel cannot be journalled"):
        encode(ev.Cancel(oid="\ud800", account="a", symbol="s", timestamp=0))


def test_number_larger_than_json_allows_is_refused_or_comes_back() -> None:
    cancel = ev.Cancel(oid="1", account="a", symbol="s", timestamp=0, params={"x": 2**70})
    try:
        body = encode(cancel)
    except JournalError:
        return
    assert decode(RECORD_VERSION, body) == cancel


@given(body=st.binary(max_size=200) | text.map(str.encode))
def test_foreign_bytes_are_an_error_and_nothing_else(body: bytes) -> None:
    with pytest.raises(JournalError, match="cannot be read"):
        decode(RECORD_VERSION, body)


@given(record=records, data=st.data())
def test_damaged_record_is_read_as_a_record_or_is_an_error(record: ev.Record, data: st.DataObject) -> None:
    body = bytearray(encode(record))
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert checksum(1, RECORD_VERSION, bytes(body)) != checksum(1, RECORD_VERSION, encode(record))
    with suppress(JournalError):
        decode(RECORD_VERSION, bytes(body))


def test_record_of_a_newer_version_is_refused_by_name() -> None:
    body = encode(ev.BalanceEvent(account="a", asset="USDT", free=Decimal(1), timestamp=0))
    with pytest.raises(
        JournalError, match=rf"has version {RECORD_VERSION + 1}.*reads up to {RECORD_VERSION}"
    ):
        decode(RECORD_VERSION + 1, body)


def test_checksum_covers_place_and_version() -> None:
    assert len({checksum(1, 1, b"x"), checksum(2, 1, b"x"), checksum(1, 2, b"x"), checksum(1, 1, b"y")}) == 4
    assert checksum(1, 11, b"x") != checksum(11, 1, b"x")


@pytest.mark.parametrize(
    "fields",
    [
        {"oid": 5},
        {"oid": None},
        {"timestamp": 1.5},
        {"params": {"x": [1]}},
        {"params": {"x": "\udfff"}},
        {"params": 7},
        {"route": "by post"},
    ],
)
def test_record_that_could_not_be_read_again_is_refused(fields: dict[str, object]) -> None:
    values: dict[str, object] = {"oid": "1", "account": "a", "symbol": "s", "timestamp": 0}
    with pytest.raises(JournalError, match=r"a Cancel cannot be journalled: .*; nothing was written"):
        encode(ev.Cancel(**(values | fields)))  # type: ignore[arg-type]  # what an untyped caller may give


def test_record_of_a_megabyte_is_refused() -> None:
    fits = ev.Cancel(oid="1", account="a", symbol="s", timestamp=0)
    room = RECORD_BYTES_MAX - len(encode(fits))
    assert (
        len(encode(ev.Cancel(oid="1" * (room + 1), account="a", symbol="s", timestamp=0))) == RECORD_BYTES_MAX
    )
    with pytest.raises(JournalError, match=r"takes 1,048,577 bytes of 1,048,576 allowed"):
        encode(ev.Cancel(oid="1" * (room + 2), account="a", symbol="s", timestamp=0))


def test_part_of_a_snapshot_of_a_newer_version_or_damaged_is_refused() -> None:
    with pytest.raises(JournalError, match="a journal snapshot has version 99"):
        decode_part(99, b"{}")
    with pytest.raises(JournalError, match="a journal snapshot cannot be read"):
        decode_part(1, b"{}")
