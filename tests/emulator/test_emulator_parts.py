"""The emulator's small parts: stream names, paths, numbers, candles, faults."""

from __future__ import annotations

import itertools
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.emulator.binance import errors
from nexustrader.emulator.binance.paths import API, REST, STREAMS, resolve
from nexustrader.emulator.binance.topics import SPOT, USDM, Topic, parse_topic, route_of
from nexustrader.emulator.faults import AFTER, BEFORE, Fault, FaultPlan
from nexustrader.emulator.market.candles import Candles, PricePath
from nexustrader.emulator.market.grid import Grid
from nexustrader.kernel.entropy import Entropy

MINUTE_MS = 60_000
START_MS = 1_700_000_000_000


# -- stream names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "name", "topic"),
    [
        (SPOT, "btcusdt@bookTicker", Topic("BTCUSDT", "bookTicker")),
        (SPOT, "btcusdt@trade", Topic("BTCUSDT", "trade")),
        (USDM, "btcusdt_260925@aggTrade", Topic("BTCUSDT_260925", "aggTrade")),
        (SPOT, "btcusdt@depth", Topic("BTCUSDT", "depth")),
        (SPOT, "btcusdt@depth@100ms", Topic("BTCUSDT", "depth")),
        (SPOT, "btcusdt@depth5", Topic("BTCUSDT", "partialDepth", "5", 1_000)),
        (USDM, "btcusdt@depth20@500ms", Topic("BTCUSDT", "partialDepth", "20", 500)),
        (USDM, "btcusdt@depth10", Topic("BTCUSDT", "partialDepth", "10", 250)),
        (SPOT, "btcusdt@kline_1s", Topic("BTCUSDT", "kline", "1s", 1_000)),
        (USDM, "btcusdt@kline_1M", Topic("BTCUSDT", "kline", "1M", 250)),
        (USDM, "btcusdt@markPrice", Topic("BTCUSDT", "markPrice", "", 3_000)),
        (USDM, "btcusdt@markPrice@1s", Topic("BTCUSDT", "markPrice", "", 1_000)),
        (USDM, "btcusdt@kline_1s", None),
        (SPOT, "btcusdt@markPrice", None),
        (SPOT, "btcusdt@depth7", None),
        (SPOT, "btcusdt@depth@500ms", None),
        (SPOT, "BTCUSDT@trade", None),
        (SPOT, "btcusdt@nonsense", None),
        (SPOT, "3HBntNTepshgEdjIwSUIBgB9keLyOCg5", None),
    ],
)
def test_stream_names_are_read_as_the_venue_reads_them(product: str, name: str, topic: Topic | None) -> None:
    assert parse_topic(product, name) == topic


def test_futures_streams_have_routes() -> None:
    def route(name: str) -> str:
        topic = parse_topic(USDM, name)
        assert topic is not None
        return route_of(USDM, topic)

    assert {name: route(f"btcusdt@{name}") for name in ("bookTicker", "depth", "depth5")} == dict.fromkeys(
        ("bookTicker", "depth", "depth5"), "public"
    )
    assert {route(f"btcusdt@{name}") for name in ("aggTrade", "kline_1m", "markPrice")} == {"market"}


# -- paths ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "product", "service", "route"),
    [
        ("/api/v3/order", SPOT, REST, "public"),
        ("/spot/api/v3/order", SPOT, REST, "public"),
        ("/fapi/v1/order", USDM, REST, "public"),
        ("/usdm/fapi/v3/balance", USDM, REST, "public"),
        ("/ws-api/v3", SPOT, API, "public"),
        ("/usdm/ws-fapi/v1", USDM, API, "public"),
        ("/ws", SPOT, STREAMS, "public"),
        ("/usdm/ws", USDM, STREAMS, "public"),
        ("/market/stream", USDM, STREAMS, "market"),
        ("/usdm/private/ws/KEY", USDM, STREAMS, "private"),
    ],
)
def test_one_origin_serves_both_products(path: str, product: str, service: str, route: str) -> None:
    target = resolve(path, "")
    assert target is not None
    assert (target.product, target.service, target.route) == (product, service, route)
    assert target.path.startswith("/") or not target.path.startswith("/usdm")


@pytest.mark.parametrize("path", ["/", "/nowhere", "/usdm/api/v3/ping", "/spot/fapi/v1/ping", "/ws-api/v4"])
def test_other_paths_lead_nowhere(path: str) -> None:
    assert resolve(path, "") is None


def test_streams_are_named_in_the_path_or_in_the_query() -> None:
    raw, combined = resolve("/ws/a@trade/b@trade", ""), resolve("/stream", "streams=a@trade/b@trade")
    assert raw is not None
    assert combined is not None
    assert raw.names == combined.names == ("a@trade", "b@trade")
    assert (raw.combined, combined.combined) == (False, True)


def test_a_private_url_names_listen_keys_and_the_events_wanted_of_each() -> None:
    target = resolve("/private/stream", "listenKey=K1&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE&listenKey=K2")
    assert target is not None
    assert target.names == ("K1", "K2")
    assert target.user_events == {"K1": {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "listenKeyExpired"}}


# -- numbers --------------------------------------------------------------------------------------------------


@given(
    step=st.sampled_from([("0.10", 2), ("0.025", 3), ("2.5", 1), ("0.00001", 8), ("1", 0), ("25", 0)]),
    units=st.integers(0, 10**9),
)
def test_grid_text_is_exact_and_reads_back(step: tuple[str, int], units: int) -> None:
    size, digits = Decimal(step[0]), step[1]
    grid = Grid(size, digits)
    text = grid.text(units)
    assert Decimal(text) == size * units
    assert text == f"{size * units:.{digits}f}"
    assert grid.units(text) == units


def test_a_step_finer_than_the_decimals_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        Grid(Decimal("0.025"), 2)


# -- errors ---------------------------------------------------------------------------------------------------


def test_every_refusal_in_the_source_has_its_documented_text() -> None:
    used = set()
    for path in Path(errors.__file__).parent.glob("*.py"):
        used |= {
            int(code) for code in re.findall(r"(?:refusal\(|code=|missing=|: )(-\d{4})\b", path.read_text())
        }
    stated = set(errors.TEXTS) | {-1000, -1131, -2010, -4082}
    assert used
    assert used <= stated


# -- candles --------------------------------------------------------------------------------------------------


def candles() -> Candles:
    return Candles(PricePath(Entropy(1), START_MS, 600_000, 100), START_MS, 600_000)


def test_candles_before_the_start_join_and_end_at_the_start_price() -> None:
    bars = candles().window(MINUTE_MS, 100, None, START_MS - 1, START_MS)
    assert len(bars) == 100
    assert all(later.open_ms == bar.open_ms + MINUTE_MS for bar, later in itertools.pairwise(bars))
    assert all(later.open == bar.close for bar, later in itertools.pairwise(bars))
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
    assert bars[-1].close == 600_000


def test_intervals_agree_with_each_other() -> None:
    series = candles()
    minutes = series.window(MINUTE_MS, 15, START_MS // 900_000 * 900_000 - 900_000, None, START_MS)
    quarter = series.at(minutes[0].open_ms, 15 * MINUTE_MS)
    assert (quarter.open, quarter.close) == (minutes[0].open, minutes[-1].close)


def test_trades_make_candles_and_silence_repeats_the_close() -> None:
    series = candles()
    base = START_MS // MINUTE_MS * MINUTE_MS + 2 * MINUTE_MS
    for second, price in ((1, 600_010), (2, 600_030), (30, 599_990), (59, 600_000)):
        series.add(base + second * 1_000, price, 5, second, taker_buys=second == 2)
    bar = series.at(base, MINUTE_MS)
    assert (bar.open, bar.high, bar.low, bar.close) == (600_010, 600_030, 599_990, 600_000)
    assert (bar.lots, bar.count, bar.taker_lots, bar.first_id, bar.last_id) == (20, 4, 5, 1, 59)
    assert bar.quote == 5 * (600_010 + 600_030 + 599_990 + 600_000)
    silent = series.at(base + 3 * MINUTE_MS, MINUTE_MS)
    assert (silent.open, silent.close, silent.lots, silent.first_id) == (600_000, 600_000, 0, -1)


def test_a_window_from_a_start_begins_there_and_ends_now() -> None:
    bars = candles().window(MINUTE_MS, 1_000, START_MS - 5 * MINUTE_MS, None, START_MS)
    assert bars[0].open_ms == -(-(START_MS - 5 * MINUTE_MS) // MINUTE_MS) * MINUTE_MS
    assert bars[-1].open_ms <= START_MS < bars[-1].open_ms + MINUTE_MS


def test_equal_seeds_give_equal_histories() -> None:
    assert candles().window(MINUTE_MS, 50, None, None, START_MS) == candles().window(
        MINUTE_MS, 50, None, None, START_MS
    )


# -- faults ---------------------------------------------------------------------------------------------------


def test_a_fault_strikes_as_often_as_it_says_and_is_counted() -> None:
    plan = FaultPlan()
    plan.add(Fault(action="drop_ack", skip=1, count=2))
    struck = [plan.take(AFTER, on="order.place", route="ws") is not None for _ in range(5)]
    assert struck == [False, True, True, False, False]
    assert plan.fired == {"drop_ack": 2}
    assert plan.pending == []


def test_a_fault_without_a_name_means_orders_alone() -> None:
    plan = FaultPlan()
    plan.add(Fault(action="reject_next", count=-1))
    assert plan.take(BEFORE, on="exchangeInfo") is None
    assert plan.take(AFTER, on="order.place") is None
    assert plan.take(BEFORE, on="order.cancel") is not None
    plan.clear()
    plan.add(Fault(action="reject_next", on="*", count=-1))
    assert plan.take(BEFORE, on="exchangeInfo") is not None


def test_a_fault_may_be_narrowed_to_route_product_and_symbol() -> None:
    plan = FaultPlan()
    plan.add(Fault(action="drop_ack", route="ws", product=USDM, symbol="BTCUSDT"))
    about = {"on": "order.place", "route": "ws", "product": USDM, "symbol": "BTCUSDT"}
    for key, other in (("route", "rest"), ("product", SPOT), ("symbol", "ETHUSDT")):
        assert plan.take(AFTER, **{**about, key: other}) is None
    assert plan.take(AFTER, **about) is not None


@pytest.mark.parametrize(
    "fault",
    [Fault(action="nonsense"), Fault(action="drop_ack", count=0), Fault(action="drop_ack", skip=-1)],
)
def test_a_fault_that_cannot_be_is_refused(fault: Fault) -> None:
    with pytest.raises(ValueError, match="fault"):
        FaultPlan().add(fault)
