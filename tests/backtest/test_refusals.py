"""What a backtest refuses before it begins, and what it says then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from backtest_setup import PERP, T0, Recording, config, flat_bars

from nexustrader.backtest import Backtest
from nexustrader.error import DataError, EngineBuildError

HEADER = "open_time,open,high,low,close,volume"
PRICES = "100,101,99,100,10"


def refusal(error: type[Exception], data: Any, **options: Any) -> str:
    with pytest.raises(error) as caught:
        Backtest(config(Recording()), data, **options)
    return str(caught.value)


# -- amounts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["x", "", "nan", float("nan"), float("inf"), -1, "-5", 2, True, [0.1], {}])
def test_fees_that_are_none(value: Any) -> None:
    bars = flat_bars([100.0, 101.0])
    for fees in (value, (value, 0), (0, value)):
        text = refusal(EngineBuildError, bars, fees=fees)
        assert f"Backtest(fees={fees!r})" in text
        assert "(maker, taker), such as 0.0005 for 0.05 %" in text


@pytest.mark.parametrize("fees", [(), (0,), (0, 0, 0)])
def test_fees_that_are_no_pair(fees: Any) -> None:
    assert f"fees={fees!r}" in refusal(EngineBuildError, flat_bars([100.0, 101.0]), fees=fees)


@pytest.mark.parametrize("fees", [0, "0.01", 1, -0.0001, (-0.0002, "0.0005")])
def test_fees_and_rebates_that_can_be(fees: Any) -> None:
    assert Backtest(config(Recording()), flat_bars([100.0, 101.0]), fees=fees).bars == 2


@pytest.mark.parametrize("amount", ["x", float("nan"), float("inf"), -1, None])
def test_balances_that_are_none(amount: Any) -> None:
    text = refusal(EngineBuildError, flat_bars([100.0, 101.0]), balances={"BTC": 1, "USDT": amount})
    assert f"balances={{'USDT': {amount!r}}}" in text
    assert "0 or more" in text


def test_balances_without_assets() -> None:
    assert "write {'USDT': 10000}" in refusal(EngineBuildError, flat_bars([100.0, 101.0]), balances=10_000)


@pytest.mark.parametrize("leverage", ["x", float("nan"), float("inf"), -1, 0])
def test_a_leverage_that_is_none(leverage: Any) -> None:
    text = refusal(EngineBuildError, flat_bars([100.0, 101.0]), leverage=leverage)
    assert f"leverage={leverage!r}" in text
    assert "above 0" in text


# -- files without a header that is understood -------------------------------------------------------------------


def csv(folder: Path, *lines: str) -> Path:
    path = folder / "some.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([f"2024-01-01,{PRICES}", f"2024-01-02,{PRICES}"], "has no header"),
        ([f"{T0},{PRICES}", f"{T0 + 60_000},{PRICES}"], "has 6 columns and no header"),
        ([f"{T0},{PRICES}".replace(",", ";")], "has no commas in its first line"),
        ([f"{T0},{PRICES}".replace(",", ";")] * 2, "has no commas in its first line"),
        (["a,b,c", "1,2,3"], "has no column start, open, high, low, close"),
    ],
)
def test_a_file_without_a_usable_header(tmp_path: Path, lines: list[str], says: str) -> None:
    text = refusal(DataError, csv(tmp_path, *lines), symbol=PERP)
    assert f"some.csv {says}" in text
    assert repr(lines[0]) in text
    assert HEADER in text or "Name the columns open_time, open, high, low, close and volume" in text


def test_what_is_shown_of_a_file_is_bounded(tmp_path: Path) -> None:
    for line in ("z" * 100_000, ",".join("z" * 50_000)):
        assert len(refusal(DataError, csv(tmp_path, line, "1"), symbol=PERP)) < 500


def test_the_columns_of_a_frame_are_named() -> None:
    text = refusal(DataError, pl.DataFrame({"Date": [1], "value": [2]}), symbol=PERP)
    assert "has no column open, high, low, close; it has date, value" in text


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_quotes_and_a_byte_order_mark_do_not_make_a_header(tmp_path: Path, mark: str, quote: str) -> None:
    rows = [f"{T0 + n * 60_000},{PRICES},{T0 + (n + 1) * 60_000 - 1},1,1,1,1,0" for n in range(3)]
    lines = [",".join(f"{quote}{cell}{quote}" for cell in row.split(",")) for row in rows]
    path = csv(tmp_path, mark + lines[0], *lines[1:])
    assert Backtest(config(Recording()), path, symbol=PERP).bars == 3
