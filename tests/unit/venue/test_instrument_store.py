"""Instruments on disk: what is kept, what is not believed, and what a newer list changes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from desk import BTC
from nexustrader.venue.instrument_store import AGE_MS_MAX, InstrumentStore, changes, store_name, told

NOW_MS = 1_700_000_000_000
FINER = msgspec.structs.replace(BTC, tick=Decimal("0.05"))


def test_a_list_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    store = InstrumentStore(tmp_path / "made")
    store.write("a", [BTC], NOW_MS)
    kept = store.read("a")
    assert kept is not None
    assert kept.instruments == (BTC,)
    assert (kept.version, kept.fetched_ms, kept.changed_ms) == (1, NOW_MS, NOW_MS)
    assert store.read("b") is None


def test_the_version_grows_with_every_change_and_with_nothing_else(tmp_path: Path) -> None:
    store = InstrumentStore(tmp_path)
    store.write("a", [BTC], NOW_MS)
    same = store.write("a", [BTC], NOW_MS + 5)
    assert (same.version, same.fetched_ms, same.changed_ms) == (1, NOW_MS + 5, NOW_MS)
    finer = store.write("a", [FINER], NOW_MS + 9)
    assert (finer.version, finer.changed_ms) == (2, NOW_MS + 9)


def test_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    store = InstrumentStore(tmp_path)
    store.write("a", [BTC], NOW_MS)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for damaged in (b"", whole[:-1], whole.replace(b"BTC", b"BTD"), b"\xff" * 90):
        path.write_bytes(damaged)
        assert store.read("a") is None


def test_an_old_list_is_not_young_nor_is_one_from_the_future(tmp_path: Path) -> None:
    kept = InstrumentStore(tmp_path).write("a", [BTC], NOW_MS)
    assert kept.is_young(NOW_MS + AGE_MS_MAX)
    assert not kept.is_young(NOW_MS + AGE_MS_MAX + 1)
    assert not kept.is_young(NOW_MS - 1)


def test_without_a_folder_nothing_is_kept() -> None:
    store = InstrumentStore(None)
    store.write("a", [BTC], NOW_MS)
    assert store.read("a") is None


def test_a_disk_that_cannot_be_written_costs_only_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = InstrumentStore(tmp_path / "file")
    assert store.write("a", [BTC], NOW_MS).instruments == (BTC,)


def test_lists_from_two_places_have_two_names() -> None:
    assert store_name("binance", "SPOT", "https://a") != store_name("binance", "SPOT", "https://b")


def test_what_is_new_has_changed_or_is_gone_has_to_be_known_anew() -> None:
    other = msgspec.structs.replace(BTC, symbol="X", venue_symbol="X")
    (changed,) = changes({BTC.symbol: BTC}, {BTC.symbol: FINER})
    assert changed is FINER
    assert told(BTC, changed) == f"{BTC.symbol} has changed: tick from {BTC.tick} to 0.05"
    gone, new = sorted(changes({BTC.symbol: BTC}, {"X": other}), key=lambda one: one.active)
    assert (gone.symbol, gone.active, new) == (BTC.symbol, False, other)
    assert "no new orders" in told(BTC, gone)
    assert changes({BTC.symbol: gone}, {}) == []
