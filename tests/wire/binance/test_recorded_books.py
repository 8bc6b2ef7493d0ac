"""Recorded depth streams make books whose best bid and ask are those that the venue told at the same update."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from nexustrader.constants import DataType
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.market.subscriptions import Stream
from nexustrader.venue.local_book import BookChange, BookState, LocalBook, Todo

SPOT, USD_M = BinanceAccountType.SPOT, BinanceAccountType.USD_M_FUTURE
TYPES = {"spot": SPOT, "usdm": USD_M}

Best = tuple[float, float, float, float]


class Rebuilt:
    """A book from what was recorded, by the venue's own decoder and rule."""

    def __init__(self, account_type, instrument, **other) -> None:
        stream = Stream(DataType.BOOKL2, instrument.symbol, "50")
        rule = VENUE.book_rule(account_type, stream)
        self.type = account_type
        self.book = LocalBook(msgspec.structs.replace(rule, **other))
        self.told: list[Todo] = []
        self.decode = VENUE.decoder(account_type, stream, instrument, {DataType.BOOKL2: self.take}, lambda: 0)

    def take(self, change: BookChange) -> None:
        self.told.append(self.book.take(change))
        self.book.check()

    def snapshot(self, raw: bytes) -> None:
        self.take(VENUE.parse_depth(self.type, raw, 0))


def lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") as file:
        for line in file:
            yield line.split(b" ", 1)[1].strip()


def compared(path: Path, rebuilt: Rebuilt) -> tuple[dict[int, Best], dict[int, Best]]:
    """Best bid and ask by update: those of the book while it was good, and those that the venue told."""
    ours: dict[int, Best] = {}
    told: dict[int, Best] = {}
    for raw in lines(path):
        if raw.startswith(b'{"lastUpdateId"'):
            rebuilt.snapshot(raw)
        elif b"@depth" in raw[:60]:
            rebuilt.decode(raw)
        elif b"@bookTicker" in raw[:60]:
            tick = json.loads(raw)["data"]
            told[tick["u"]] = (float(tick["b"]), float(tick["B"]), float(tick["a"]), float(tick["A"]))
        if rebuilt.book.state is BookState.OK:
            (bid, *_), (ask, *_) = rebuilt.book.view()
            ours[rebuilt.book.last] = (bid.price, bid.size, ask.price, ask.size)
    return ours, told


@pytest.mark.slow
@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("snapshot_levels", [1_000, None], ids=["certain", "all"])
def test_the_best_bid_and_ask_are_those_of_the_book_ticker_at_the_same_update(
    name, snapshot_levels, spot, perp, testdata
):
    """By the venue's rule the book ends where the market leaves the only snapshot; without that, with the recording."""
    rebuilt = Rebuilt(TYPES[name], spot if name == "spot" else perp, snapshot_levels=snapshot_levels)
    path = testdata / f"marketdata/rawws/binance/{name}_btcusdt_20240808.gz"
    ours, told = compared(path, rebuilt)
    shared = ours.keys() & told.keys()
    equal = sum(ours[update] == told[update] for update in shared)
    print(
        f"{name}: best bid and ask equal in {equal} of {len(shared)}; {len(ours)} books, {len(told)} tickers"
    )
    assert equal == len(shared) > 0
    assert rebuilt.book.state is (BookState.BROKEN if snapshot_levels else BookState.OK)
    assert snapshot_levels is None or "left what the snapshot covers" in rebuilt.book.reason


@pytest.mark.parametrize("name", [*TYPES, "coinm"])
def test_a_recorded_snapshot_is_joined_by_the_recorded_changes(name, spot, perp, testdata):
    recorded = json.loads((testdata / f"wire/binance/samples/depth_sync_{name}.json").read_text())
    account_type = TYPES.get(name, BinanceAccountType.COIN_M_FUTURE)
    rebuilt = Rebuilt(account_type, spot if name == "spot" else perp, snapshot_levels=None)
    frames = [(event["recv_ts"], frame(event["data"])) for event in recorded["events"]]
    snapshot = json.dumps(recorded["snapshot"]).encode()
    at = recorded["snapshot_recv_ts"]
    for raw in (raw for received, raw in frames if received < at):
        rebuilt.decode(raw)
    rebuilt.snapshot(snapshot)
    assert rebuilt.told[-1] is Todo.SHOW
    for raw in (raw for received, raw in frames if received >= at):
        rebuilt.decode(raw)
    assert Todo.FETCH not in rebuilt.told[1:]
    assert rebuilt.book.last == recorded["events"][-1]["data"]["u"]


def frame(data: object) -> bytes:
    return b'{"stream":"s@depth","data":%s}' % json.dumps(data).encode()
