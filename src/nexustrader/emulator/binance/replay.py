"""Recorded frames as a market: `<local ns> <json frame>` lines, gzip-compressed, of one symbol of one product.

The book is the recorded one: the REST snapshot, then the depth updates after it. Updates, best bid and ask, and
trades are told to the audience with their recorded ids and with times of now. Every line is processed, whether
or not anybody listens; at the end the market stands still.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec

from nexustrader.emulator.binance.instruments import LISTINGS
from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.emulator.market.grid import Grid
from nexustrader.emulator.market.market import DepthUpdate, Market, TextLevel, Touch
from nexustrader.emulator.market.playback import Playback
from nexustrader.error import DataError
from nexustrader.kernel.ports import Clock
from nexustrader.sim.types import Level

HEADER_LINES_MAX = 10_000  # the snapshot must come within so many lines


class _Data(msgspec.Struct):
    """The payload of a frame; each kind uses some of the fields."""

    s: str
    e: str | None = None
    U: int = 0
    u: int = 0
    pu: int | None = None
    b: str | list[tuple[str, str]] = ""
    a: str | list[tuple[str, str]] = ""
    B: str = ""
    A: str = ""
    p: str = ""
    q: str = ""
    t: int = 0
    m: bool = False


class _Line(msgspec.Struct):
    """A frame of a combined stream, or a REST depth snapshot."""

    stream: str | None = None
    data: _Data | None = None
    lastUpdateId: int | None = None  # noqa: N815 — the wire's name
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []


_decode = msgspec.json.Decoder(_Line).decode


class Recording:
    """A file of recorded frames. Raises DataError, naming file and line, when it cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.product = ""
        self.symbol = ""
        snapshot: _Line | None = None
        for number, (_, line) in enumerate(self.lines(), 1):
            if line.data is not None and not self.symbol:
                self.symbol, self.product = line.data.s, _product_of(line.data)
            if line.lastUpdateId is not None:
                snapshot = line
                break
            if number == HEADER_LINES_MAX:
                break
        if snapshot is None or self.symbol not in LISTINGS.get(self.product, {}):
            raise DataError(
                f"{path}: no depth snapshot of a listed symbol in the first {HEADER_LINES_MAX:,} lines; "
                "record the REST snapshot beside the streams"
            )
        self.snapshot = snapshot
        listing = LISTINGS[self.product][self.symbol]
        self.prices = Grid(listing.tick, listing.price_digits)
        self.amounts = Grid(listing.lot, listing.amount_digits)
        self.first_price = self.prices.units(snapshot.bids[0][0])

    def source(self, market: Market, clock: Clock, speed: float) -> ReplaySource:
        """What plays it into a market."""
        return ReplaySource(self, market, clock, speed)

    def lines(self) -> Iterator[tuple[int, _Line]]:
        """Every line in order, with its recorded time in ns."""
        try:
            with gzip.open(self.path, "rb") as file:
                for number, raw in enumerate(file, 1):
                    time_ns, _, frame = raw.partition(b" ")
                    try:
                        yield int(time_ns), _decode(frame)
                    except (ValueError, msgspec.MsgspecError) as error:
                        raise DataError(
                            f"{self.path}, line {number}: not a recorded frame: {error}"
                        ) from error
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{self.path}: cannot be read as gzip: {error}") from error

    def levels(self, levels: Sequence[TextLevel]) -> list[Level]:
        """Text levels in ticks and lots."""
        price, amount = self.prices.units, self.amounts.units
        return [(price(text), amount(quantity)) for text, quantity in levels]


class ReplaySource(Playback[_Line]):
    """Plays a recording into a market, `speed` times as fast as it was recorded; 0 is as fast as possible."""

    slice_items_max: ClassVar[int] = 200

    def __init__(self, recording: Recording, market: Market, clock: Clock, speed: float) -> None:
        super().__init__(recording.path, clock, speed)
        self.frames = 0
        self.snapshots = 0
        self._recording = recording
        self._market = market
        self._load(recording.snapshot)

    @property
    def lines(self) -> int:
        """Lines processed so far."""
        return self.frames + self.snapshots

    def _items(self) -> Iterator[tuple[int, _Line]]:
        return self._recording.lines()

    def _process(self, item: _Line) -> None:
        data = item.data
        if data is None:
            self.snapshots += 1
            if item.lastUpdateId is not None and item.lastUpdateId > self._market.update_id:
                self._load(item)
            return
        self.frames += 1
        if isinstance(data.b, list) and isinstance(data.a, list):
            self._depth(data, data.b, data.a)
        elif isinstance(data.b, str) and isinstance(data.a, str) and data.B:
            self._market.set_touch(
                Touch(
                    self._recording.prices.units(data.b),
                    self._recording.amounts.units(data.B),
                    self._recording.prices.units(data.a),
                    self._recording.amounts.units(data.A),
                ),
                data.u,
            )
        elif data.p:
            self._market.trade(
                self._recording.prices.units(data.p),
                self._recording.amounts.units(data.q),
                buyer_is_maker=data.m,
                trade_id=data.t,
            )

    def _depth(self, data: _Data, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
        if data.u <= self._market.update_id:
            return  # older than the snapshot, which holds it
        previous_id = data.U - 1 if data.pu is None else data.pu
        update = DepthUpdate(data.U, data.u, previous_id, bids, asks)
        self._market.apply(update, self._recording.levels(bids), self._recording.levels(asks))

    def _load(self, snapshot: _Line) -> None:
        assert snapshot.lastUpdateId is not None
        bids, asks = self._recording.levels(snapshot.bids), self._recording.levels(snapshot.asks)
        self._market.load_book(snapshot.lastUpdateId, bids, asks)


def _product_of(data: _Data) -> str:
    """USD-M frames chain depth updates by `pu` and name the event of their bookTicker; spot frames do neither."""
    if data.pu is not None or data.e == "bookTicker":
        return USDM
    return SPOT
