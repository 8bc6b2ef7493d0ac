"""A start with instruments from disk, and what happens when the venue has changed them meanwhile."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from e2e_setup import FUTURES, Build

from nexustrader.constants import ExchangeType
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.strategy import Strategy
from nexustrader.venue.instrument_store import InstrumentStore, store_name

pytestmark = pytest.mark.slow

SYMBOL = "BTCUSDT-PERP.BINANCE"


class Looks(Strategy):
    """Notes the tick size at the start, and ends."""

    def on_start(self) -> None:
        self.tick = self.market(SYMBOL).precision.price
        self.subscribe_bookl1(SYMBOL)

    def on_bookl1(self, _book: object) -> None:
        self.stop()


def _store(tmp_path: Path, emulator: EmulatorProcess) -> tuple[InstrumentStore, str]:
    name = store_name(ExchangeType.BINANCE.value, FUTURES.value, emulator.url)
    return InstrumentStore(tmp_path / ".keys" / "instruments"), name


def test_a_list_from_disk_is_replaced_by_the_venues_before_the_strategy_starts(
    build: Build, redirected: EmulatorProcess, tmp_path: Path
) -> None:
    build(Looks()).start()
    store, name = _store(tmp_path, redirected)
    kept = store.read(name)
    assert kept is not None
    true_tick = next(one.tick for one in kept.instruments if one.symbol == SYMBOL)
    coarse = [
        msgspec.structs.replace(one, tick=Decimal(50)) if one.symbol == SYMBOL else one
        for one in kept.instruments
    ]
    store.write(name, coarse, int(time.time() * 1000))
    again = Looks()
    build(again).start()
    assert Decimal(str(again.tick)) == true_tick
    renewed = store.read(name)
    assert renewed is not None
    assert (renewed.version, renewed.instruments) == (kept.version + 2, kept.instruments)
