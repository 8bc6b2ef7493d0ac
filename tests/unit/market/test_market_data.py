"""Subscriptions: counted, ordered, checked before anything is sent; and readiness."""

from __future__ import annotations

import pytest

from nexustrader.constants import DataType, ExchangeType
from nexustrader.error import InstrumentError
from nexustrader.kernel.bus import MessageBus
from nexustrader.market.cache import Cache
from nexustrader.market.data import MarketData, resolve_symbols
from nexustrader.market.hub import MarketHub
from nexustrader.market.readiness import DataReady
from nexustrader.market.subscriptions import DesiredStreams, Stream
from nexustrader.schema import BookL1

A, B = "AUSDT.BINANCE", "BUSDT.BINANCE"


class Port:
    """Remembers what was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Stream]] = []

    def subscribe(self, stream: Stream) -> None:
        self.calls.append(("+", stream))

    def unsubscribe(self, stream: Stream) -> None:
        self.calls.append(("-", stream))


class Site:
    def __init__(self) -> None:
        self.now = 0.0
        self.port = Port()
        self.bus = MessageBus()
        self.hub = MarketHub(self.bus, Cache())
        self.data = MarketData(self.bus, lambda: self.now, {A: self.port, B: self.port}.get)

    def subscribe(self, *symbols: str, ready: bool = True, timeout: float = 60) -> None:
        self.data.subscribe(DataType.BOOKL1, symbols, "", ready=ready, ready_timeout_s=timeout)

    def quote(self, symbol: str) -> None:
        book = BookL1(ExchangeType.BINANCE, symbol, bid=1.0, ask=2.0, bid_size=1.0, ask_size=1.0, timestamp=1)
        self.hub.deliver[DataType.BOOKL1](book)


def test_two_subscribers_share_one_wire_subscription() -> None:
    site = Site()
    site.subscribe(A)
    site.subscribe(A)
    stream = Stream(DataType.BOOKL1, A)
    assert site.port.calls == [("+", stream)]
    site.data.unsubscribe(DataType.BOOKL1, [A], "")
    assert site.port.calls == [("+", stream)]
    site.data.unsubscribe(DataType.BOOKL1, [A], "")
    assert site.port.calls == [("+", stream), ("-", stream)]


def test_unsubscribing_what_nobody_wants_is_no_error() -> None:
    site = Site()
    site.data.unsubscribe(DataType.BOOKL1, [A], "")
    assert site.port.calls == []


def test_an_unknown_symbol_stops_the_whole_call_before_anything_is_sent() -> None:
    site = Site()
    with pytest.raises(InstrumentError, match="NOPE"):
        site.subscribe(A, "NOPE.BINANCE")
    assert site.port.calls == []


def test_ready_waits_for_every_symbol_that_was_gated() -> None:
    site = Site()
    site.subscribe(A, B, ready=False)
    assert not site.data.ready
    site.quote(A)
    assert not site.data.ready
    site.quote(B)
    assert site.data.ready


def test_ready_gives_up_on_a_silent_symbol_but_not_on_silence() -> None:
    site = Site()
    site.subscribe(A, B, ready=False, timeout=10)
    site.now = 1_000
    assert not site.data.ready
    site.quote(A)
    assert not site.data.ready
    site.now = 1_010
    assert site.data.ready


def test_the_data_of_other_symbols_does_not_make_a_silent_one_ready() -> None:
    site = Site()
    site.subscribe(A)
    site.subscribe(B, ready=False, timeout=10)
    site.quote(A)
    site.now = 1_000
    assert not site.data.ready


def test_a_subscription_that_is_not_gated_does_not_hold_ready_back() -> None:
    site = Site()
    site.subscribe(A)
    assert site.data.ready


def test_a_handler_that_raises_does_not_cost_the_others_their_datum() -> None:
    site = Site()
    seen: list[BookL1] = []
    errors: list[Exception] = []
    site.bus.on_error = lambda _t, _h, _m, error: errors.append(error)

    def clumsy(_book: BookL1) -> None:
        raise ZeroDivisionError

    site.bus.subscribe("bookl1", clumsy)
    site.bus.subscribe("bookl1", seen.append)
    site.quote(A)
    assert len(seen) == 1
    assert isinstance(errors[0], ZeroDivisionError)


def test_desired_streams_count() -> None:
    desired, stream = DesiredStreams(), Stream(DataType.KLINE, A, "1m")
    assert (desired.add(stream), desired.add(stream)) == (True, False)
    assert (desired.drop(stream), desired.drop(stream)) == (False, True)
    assert stream not in desired
    with pytest.raises(KeyError):
        desired.drop(stream)


def test_readiness_without_symbols_is_ready() -> None:
    assert DataReady([], 60, lambda: 0.0).ready


def test_symbols_may_be_one_or_many_without_repeats() -> None:
    assert resolve_symbols(A) == [A]
    assert resolve_symbols([A, B, A]) == [A, B]
