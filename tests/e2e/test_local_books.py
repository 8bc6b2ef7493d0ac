"""Local books of a whole engine on the emulated venue: whatever is told wrongly, no callback sees a bad book."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from emulated_world import EmulatedWorld, binance, bybit, config_of
from nexustrader._session.player import replay
from nexustrader.chaos.book_truth import BookTruth
from nexustrader.constants import BookLevel
from nexustrader.emulator.faults import Fault
from nexustrader.exchange import BinanceAccountType, BybitAccountType
from nexustrader.schema import BookL1, BookL2
from nexustrader.strategy import Strategy

pytestmark = pytest.mark.slow

LOOK_S, STRIKE_S, END_S = 0.005, 5, 60
PRODUCTS = {
    "binance spot": (binance, BinanceAccountType.SPOT, "BTCUSDT.BINANCE"),
    "binance usdm": (binance, BinanceAccountType.USD_M_FUTURE, "BTCUSDT-PERP.BINANCE"),
    "bybit spot": (bybit, BybitAccountType.SPOT, "BTCUSDT.BYBIT"),
    "bybit linear": (bybit, BybitAccountType.LINEAR, "BTCUSDT-PERP.BYBIT"),
}
BINANCE, BYBIT = list(PRODUCTS)[:2], list(PRODUCTS)[2:]


class Looking(Strategy):
    """Looks at the cached book all the time; `strike` comes once, in the middle."""

    def __init__(self, symbol: str, level: BookLevel = BookLevel.L50) -> None:
        super().__init__()
        self.symbol, self.level = symbol, level
        self.strike: Callable[[], None] = lambda: None
        self.look: Callable[[BookL2 | None], None] = lambda _book: None
        self.told: list[BookL2] = []
        self.was_bad = False

    def on_start(self) -> None:
        self.subscribe_bookl1(self.symbol)
        self.subscribe_bookl2(self.symbol, self.level)
        self.schedule(self._look, "interval", seconds=LOOK_S)
        self.schedule(self._strike_once, "interval", seconds=STRIKE_S)
        self.schedule(self.stop, "interval", seconds=END_S)

    def _strike_once(self) -> None:
        strike, self.strike = self.strike, lambda: None
        strike()

    def on_bookl1(self, bookl1: BookL1) -> None:
        self._look()

    def _look(self) -> None:
        book = self.cache.bookl2(self.symbol)
        self.was_bad = self.was_bad or (book is not None and not book.ok)
        self.look(book)

    def on_bookl2(self, bookl2: BookL2) -> None:
        assert bookl2.ok
        assert bookl2 is self.cache.bookl2(self.symbol)
        self.told.append(bookl2)
        self.look(bookl2)


def watched(product: str, faults: tuple[Fault, ...], *, cuts: bool = False) -> tuple[Looking, BookTruth]:
    build, account_type, symbol = PRODUCTS[product]
    world, looking = EmulatedWorld(build=build), Looking(symbol)
    truth = BookTruth(world.venue.products[product.split()[1]].markets["BTCUSDT"])
    wrong: list[str] = []

    def strike() -> None:
        for fault in faults:
            world.venue.inject(copy.copy(fault))  # it counts how often it has struck
        if cuts:
            world.network.cut_all()

    looking.strike = strike
    looking.look = lambda book: wrong.extend(truth.check(book))
    ends: list[str] = []
    stop = looking.stop

    def stopped() -> None:
        ends.extend(truth.check_at_end(looking.cache.bookl2(symbol)))
        stop()

    looking.stop = stopped  # type: ignore[method-assign]  # the last look, before the feeds end
    engine = world.run(config_of(looking, account_type))
    assert not wrong
    assert not ends
    assert engine._core.user_errors == 0
    for fault in faults:
        assert world.venue.faults.fired.get(fault.action)
    return looking, truth


def on_depth(action: str, **details: int) -> Fault:
    return Fault(action=action, on="depth", **details)


FAULTS = {
    "gap": (on_depth("drop_push"),),
    "long gap": (on_depth("drop_push", count=10),),
    "out of order": (on_depth("swap_push"),),
    "stands still": (on_depth("freeze_push", count=4),),
    "crossed": (on_depth("cross_push"),),
    "crossed for a while": (on_depth("cross_push", count=12),),
}
OF_REQUESTS = {
    "old snapshots": (on_depth("drop_push"), on_depth("old_snapshot", n=4, count=2)),
    "no answer": (on_depth("drop_push"), on_depth("http_status_next", count=2, status=503)),
}
OF_STREAMS = {"late snapshot": (on_depth("drop_push"), on_depth("late_snapshot", delay_ms=15_000))}
CASES = [
    pytest.param(product, faults, id=f"{product}, {name}")
    for products, kinds in ((BINANCE, FAULTS | OF_REQUESTS), (BYBIT, FAULTS | OF_STREAMS))
    for product in products
    for name, faults in kinds.items()
]


@pytest.mark.parametrize(("product", "faults"), CASES)
def test_a_book_that_is_told_wrongly_is_bad_before_any_callback_and_good_again_soon(product, faults):
    looking, _ = watched(product, faults)
    assert looking.was_bad
    assert len(looking.told) > 60


@pytest.mark.parametrize("product", BYBIT)
def test_a_service_that_begins_anew_tells_its_books_anew(product):
    looking, _ = watched(product, (Fault(action="restart_books"),))
    assert not looking.was_bad


@pytest.mark.parametrize("product", PRODUCTS)
def test_an_update_told_twice_does_no_harm(product):
    looking, _ = watched(product, (on_depth("multiply_push", n=3, count=3),))
    assert not looking.was_bad


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_lost_connection_costs_the_books_nothing_but_the_time_that_it_takes(product):
    looking, _ = watched(product, (), cuts=True)
    assert looking.was_bad
    assert len(looking.told) > 60


def test_a_recorded_session_has_the_bad_books_in_it(tmp_path: Path) -> None:
    _, account_type, symbol = PRODUCTS["binance usdm"]
    world, looking, path = EmulatedWorld(), Looking(symbol), tmp_path / "session.nxs"
    looking.strike = lambda: world.venue.inject(on_depth("drop_push"))
    world.run(config_of(looking, account_type), record=path)
    assert looking.was_bad
    again = Looking(symbol)
    report = replay(path, config_of(again, account_type))
    assert report.difference is None
    assert again.was_bad
    assert again.told == looking.told
