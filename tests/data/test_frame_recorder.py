"""The recorder: frames are on disk as they come, go into the catalogue in segments, and survive what may happen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from catalog_setup import DAY_MS, PERP, T0, T0_NS
from typer.testing import CliRunner

from nexustrader.cli.data import app
from nexustrader.data.catalog import Catalog
from nexustrader.data.recorder import Recorder
from nexustrader.data.staging import Staging
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.error import DataError


def trade(number: int, symbol: str = "BTCUSDT", ms: int = 0) -> bytes:
    data = {
        "e": "trade",
        "E": T0 + ms,
        "s": symbol,
        "t": number,
        "p": "2.5",
        "q": "1",
        "T": T0 + ms,
        "m": False,
    }
    return json.dumps({"stream": f"{symbol.lower()}@trade", "data": data}, separators=(",", ":")).encode()


class Clock:
    now_ns = T0_NS

    def __call__(self) -> int:
        self.now_ns += 1_000
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder(tmp_path: Path, clock: Clock) -> Iterator[Recorder]:
    found = Recorder(tmp_path, "test", [PERP, "ETHUSDT-PERP.BINANCE"], clock)
    yield found
    found.close()


def ids(root: Path, symbol: str = PERP) -> list[str]:
    return Catalog(root).read(symbol, "trade")["id"].to_list()


def files(root: Path) -> list[str]:
    return sorted(path.suffix for path in (root / ".recording").rglob("*.*"))


def test_frames_go_into_the_catalogue_of_their_symbols(tmp_path: Path, recorder: Recorder) -> None:
    recorder.on_frame(trade(1))
    recorder.on_frame(b'{"result":null,"id":1}')
    recorder.on_frame(trade(7, "ETHUSDT"))
    recorder.flush()
    recorder.on_frame(trade(2))
    done = recorder.close()
    assert (done.frames, done.rows) == (3, 3)
    assert (ids(tmp_path), ids(tmp_path, "ETHUSDT-PERP.BINANCE")) == (["1", "2"], ["7"])
    assert Catalog(tmp_path).read(PERP, "trade")["local_ns"].to_list() == [T0_NS + 1_000, T0_NS + 3_000]
    assert files(tmp_path) == []


def test_the_segments_of_a_day_are_one_source(tmp_path: Path, clock: Clock) -> None:
    for number, day in ((1, 0), (2, 0), (3, 1)):
        clock.now_ns = T0_NS + day * DAY_MS * 1_000_000
        with_one = Recorder(tmp_path, "test", [PERP], clock)
        with_one.on_frame(trade(number, ms=number))
        with_one.close()
    sources = Catalog(tmp_path).manifest(PERP, "trade").sources
    assert [(one.name, one.rows) for one in sources] == [
        ("recorded 2024-01-01", 2),
        ("recorded 2024-01-02", 1),
    ]


def test_what_has_come_is_on_disk_when_it_is_asked_for(tmp_path: Path, recorder: Recorder) -> None:
    recorder.on_frame(trade(1))
    recorder.on_frame(trade(2))
    recorder.sync()
    path = next((tmp_path / ".recording").rglob("*.open"))
    assert path.read_bytes().count(b"\n") == 2


def test_a_busy_catalogue_is_waited_for(tmp_path: Path, recorder: Recorder) -> None:
    recorder.on_frame(trade(1))
    with Staging(tmp_path):
        recorder.flush()
        recorder._work.result()
        assert files(tmp_path) == [".frames"]
    recorder.on_frame(trade(2))
    recorder.close()
    assert ids(tmp_path) == ["1", "2"]


def test_frames_that_cannot_be_read_are_kept_apart(tmp_path: Path, recorder: Recorder) -> None:
    recorder.on_frame(trade(1))
    recorder.on_frame(b'{"stream":"x","data":{"s":"BTCUSDT","e":"trade","p":"dear"}}')
    recorder.flush()
    recorder._work.result()
    recorder.on_frame(trade(2))
    recorder.close()
    assert ids(tmp_path) == ["2"]
    assert files(tmp_path) == [".refused"]


def test_one_recorder_a_market(tmp_path: Path, recorder: Recorder, clock: Clock) -> None:
    with pytest.raises(DataError, match=r"process \d+ already records test into the catalogue"):
        Recorder(tmp_path, "test", [PERP], clock)


DYING = """
import os, sys
from pathlib import Path
from nexustrader.data.recorder import Recorder

recorder = Recorder(Path(sys.argv[1]), "test", [sys.argv[2]], lambda: int(sys.argv[3]))
for line in sys.stdin.buffer:
    recorder.on_frame(line.rstrip())
recorder._file.write(b"17040672000000000")
recorder.sync()
os._exit(9)
"""


@pytest.mark.slow
def test_what_a_recorder_that_died_has_left_is_taken_up(tmp_path: Path, clock: Clock) -> None:
    command = [sys.executable, "-W", "ignore", "-c", DYING, str(tmp_path), PERP, str(T0_NS)]
    frames = b"\n".join([trade(1), trade(2)])
    assert subprocess.run(command, input=frames, check=False, timeout=60).returncode == 9
    assert files(tmp_path) == [".open"]
    assert Recorder(tmp_path, "test", [PERP], clock).close().rows == 2
    assert ids(tmp_path) == ["1", "2"]
    assert files(tmp_path) == []


@pytest.mark.slow
def test_imports_do_not_hold_up_the_caller(tmp_path: Path, recorder: Recorder) -> None:
    before = threading.active_count()
    for number in range(12):
        recorder.on_frame(trade(number))
        recorder.flush()
    assert threading.active_count() <= before + 1
    assert recorder.close().rows == 12


# -- the command -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--symbol", "BTCUSDT.OKX"], "cannot be recorded"),
        (["--symbol", PERP, "--symbol", "BTCUSDT.BINANCE"], "spot and futures are recorded apart"),
        (["--symbol", PERP, "--kind", "funding"], "'funding' cannot be recorded; give quote, trade, book"),
        (["--symbol", PERP, "--kind", "kline_7m"], "no kind of data"),
        (["--symbol", "BTCUSDT"], "must hold exactly one"),
    ],
)
def test_what_cannot_be_recorded_is_refused(tmp_path: Path, arguments: list[str], reason: str) -> None:
    done = CliRunner().invoke(app, ["record", "--catalog", str(tmp_path / "c"), *arguments])
    assert isinstance(done.exception, DataError)
    assert reason in str(done.exception)
    assert not (tmp_path / "c").exists()


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_an_emulated_market_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [
        "--symbol",
        PERP,
        "--kind",
        "quote",
        "--kind",
        "trade",
        "--kind",
        "book",
        "--kind",
        "kline_1m",
    ]
    with EmulatorProcess.start("binance", seed=7) as emulator:
        environ = dict(os.environ) | {"NEXUS_ENDPOINTS__BINANCE": emulator.url}
        command = [sys.executable, "-m", "nexustrader.cli.main", "data", "record", *arguments]
        done = subprocess.run(
            [*command, "--seconds", "4", "--every", "1"],
            env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "rows new in data" in done.stdout
    catalog = Catalog(tmp_path / "data")
    kinds = {series.kind.name for series in catalog.series()}
    assert {"quote", "agg_trade", "book_delta"} <= kinds
    assert list(catalog.check()) == []
    quotes = catalog.read(PERP, "quote")
    assert quotes.select((pl.col("bid") < pl.col("ask")).all()).item()
    assert quotes["id"].null_count() == 0
    assert files(catalog.root) == []
