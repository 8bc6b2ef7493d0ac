"""`nexustrader data`: from files to a catalogue, what it prints, and its exit codes."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from catalog_setup import PERP, kline_lines, write
from typer.testing import CliRunner, Result

from nexustrader.cli.commands import COMMANDS, WITHOUT_CREDENTIALS
from nexustrader.cli.data import app
from nexustrader.cli.main import main
from nexustrader.data.catalog import Catalog
from nexustrader.error import DataError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    lines = kline_lines(0, 2_000)
    return [
        write(tmp_path / "a.csv", [*lines[:100], lines[0]]),
        write(tmp_path / "b.zip", lines[150:]),
    ]


def test_files_go_into_a_catalogue_that_can_be_listed_and_checked(files: list[Path], tmp_path: Path) -> None:
    catalog = ("--catalog", tmp_path / "c")
    done = run("import", *files, "--symbol", "BTCUSDT-PERP", "--venue", "binance", *catalog)
    assert done.exit_code == 0, done.output
    assert [line.split() for line in done.stdout.splitlines()[1:3]] == [
        ["a.csv", "kline_1m", "101", "100", "1", "1", "1"],
        ["b.zip", "kline_1m", "1,850", "1,850", "2", "0", "0"],
    ]
    assert f"{PERP} kline_1m has 1 gaps; see: nexustrader data check --gaps" in done.stdout
    listed = run("ls", *catalog).stdout.splitlines()[1].split()
    assert listed == [PERP, "kline_1m", "2024-01-01", "2024-01-02", "2", "1,950", "1", "1", "1"]
    checked = run("check", "--gaps", *catalog)
    assert checked.exit_code == 0
    assert checked.stdout.splitlines() == [
        f"{PERP} kline_1m: gap from 2024-01-01 01:39:00 to 2024-01-01 02:30:00, 50 missing",
        "1 series, no fault",
    ]


def test_files_before_a_bad_one_are_imported_and_told(files: list[Path], tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.csv", ["1,2,3"])
    done = run("import", files[0], bad, files[1], "--symbol", PERP, "--catalog", tmp_path / "c")
    assert isinstance(done.exception, DataError)
    assert "bad.csv begins with '1,2,3'" in str(done.exception)
    assert "a.csv" in done.stdout
    assert "b.zip" not in done.stdout


def test_faults_have_an_exit_code_and_their_place(files: list[Path], tmp_path: Path) -> None:
    run("import", *files, "--symbol", PERP, "--catalog", tmp_path / "c")
    path = next((tmp_path / "c").rglob("*.parquet"))
    path.unlink()
    done = run("check", "--catalog", tmp_path / "c")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{path} is missing; import the data of that day again",
        "1 fault(s)",
    ]


def test_errors_are_one_line_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["data", "ls", "--catalog", str(tmp_path / "none")])
    assert capsys.readouterr().err.startswith("nexustrader: there is no catalogue at ")
    with pytest.raises(SystemExit, match="2"):
        main(["data", "download", "--symbol", PERP, "--start", "noon"])
    assert "'noon' is no day; write it as 2024-01-31" in capsys.readouterr().err


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """A plain file server, which knows no ranges, with two days of an archive."""
    folder = tmp_path / "mirror" / "futures" / "um" / "daily" / "klines" / "BTCUSDT" / "1m"
    folder.mkdir(parents=True)
    for day in (0, 1):
        file = write(folder / f"BTCUSDT-1m-2024-01-0{day + 1}.zip", kline_lines(day * 1_440, 1_440))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        file.with_name(f"{file.name}.CHECKSUM").write_text(f"{digest}  {file.name}\n")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "mirror")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_a_download_goes_into_a_catalogue_and_absent_days_are_told(mirror: str, tmp_path: Path) -> None:
    part = tmp_path / "files" / "BTCUSDT-1m-2024-01-02.zip.part"
    part.parent.mkdir()
    part.write_bytes(b"PK")
    arguments = ("--symbol", PERP, "--start", "2024-01-01", "--end", "2024-01-03", "--base-url", mirror)
    done = run("download", *arguments, "--to", part.parent, "--catalog", tmp_path / "c")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == f"2 file(s) in {part.parent}"
    assert lines[1].startswith("1 file(s) are not in the archive, from BTCUSDT-1m-2024-01-03.zip")
    assert len(Catalog(tmp_path / "c").bars(PERP, "1m")) == 2_880
    assert not part.exists()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "nexustrader.data.catalog")
    monkeypatch.setitem(sys.modules, "polars", None)
    done = run("ls")
    assert isinstance(done.exception, DataError)
    assert "market data need polars, which is not installed: install nexustrader with" in str(done.exception)


def test_the_command_is_registered_and_needs_no_credentials() -> None:
    assert COMMANDS["data"] == "nexustrader.cli.data:app"
    assert "data" in WITHOUT_CREDENTIALS
