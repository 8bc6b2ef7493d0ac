"""The command line on a catalogue: all that is in it, one symbol of it, and the ticks that are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from backtest_setup import MINUTE_MS, PERP, T0
from test_cli import STRATEGY
from typer.testing import CliRunner

from nexustrader.cli.backtest import app
from nexustrader.data.catalog import Catalog
from nexustrader.error import DataError

NS_PER_MS = 1_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    catalog, minutes = Catalog(tmp_path / "data"), range(5)
    times = [(T0 + n * MINUTE_MS) * NS_PER_MS for n in minutes]
    prices = {name: [100.0 + n for n in minutes] for name in ("open", "high", "low", "close")}
    catalog.write(PERP, "kline_1m", pl.DataFrame({"time_ns": times, **prices, "volume": [10.0] * 5}))
    touch = {"bid": [90.0 + n for n in minutes], "ask": [95.0 + n for n in minutes]}
    sizes = {"bid_size": [7.0] * 5, "ask_size": [7.0] * 5}
    quotes = pl.DataFrame({"time_ns": [one + 1_000 * NS_PER_MS for one in times], **touch, **sizes})
    catalog.write(PERP, "quote", quotes)
    catalog.write("ETHUSDT-PERP.BINANCE", "quote", quotes)  # without klines
    (tmp_path / "lone.py").write_text(STRATEGY)
    (tmp_path / "data.csv").write_text("open_time,open,high,low,close,volume\n")
    return tmp_path


def ran(folder: Path, *more: str) -> dict[str, object]:
    arguments = [str(folder / "lone.py"), "--balance", "USDT=1000", "--fee", "0", "--json", *more]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("named", [[], ["--symbol", PERP]])
def test_a_catalogue_needs_no_symbol_and_takes_one(folder: Path, named: list[str]) -> None:
    found = ran(folder, "--data", str(folder / "data"), *named)
    assert (found["symbols"], found["bars"]) == ([PERP], 5)
    assert [fill["price"] for fill in found["fills"]] == ["100"]  # type: ignore[index, attr-defined]  # JSON


def test_ticks_of_the_catalogue_fill_the_orders(folder: Path) -> None:
    found = ran(folder, "--data", str(folder / "data"), "--ticks", "quotes")
    assert found["bars"] == 5
    assert [fill["price"] for fill in found["fills"]] == ["95"]  # type: ignore[index, attr-defined]  # JSON


@pytest.mark.parametrize(
    ("data", "ticks", "says"),
    [
        ("data", "depth", "holds no depth of BTCUSDT-PERP.BINANCE; it has kline_1m, quote"),
        ("data.csv", "quotes", "--ticks are read from a catalogue"),
        ("gone", "quotes", "--ticks are read from a catalogue"),
    ],
)
def test_ticks_that_are_not_held_are_refused(folder: Path, data: str, ticks: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        ran(folder, "--data", f"{PERP}={folder / data}", "--ticks", ticks)


def test_other_ticks_and_an_empty_catalogue_are_refused(folder: Path) -> None:
    options = [str(folder / "lone.py"), "--data", str(folder / "data"), "--ticks", "candles"]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 2
    assert "write quotes, trades, depth" in result.output
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="is empty"):
        ran(folder, "--data", str(folder / "empty"))
