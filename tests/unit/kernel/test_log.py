"""Logging: every field of LogConfig does what it says, and no secret gets through."""

from __future__ import annotations

import json
import logging
import re
import stat
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import loguru
import pytest

from nexustrader.config import LogConfig
from nexustrader.constants import LogColor
from nexustrader.error import NexusTraderWarning
from nexustrader.kernel import log
from nexustrader.kernel.log import format_exception, get_logger, setup_logging, shutdown_logging
from nexustrader.kernel.log_sinks import FileSink
from nexustrader.kernel.redaction import MASK
from nexustrader.kernel.secret import Secret
from workspace import Workspace, fresh_redaction, workspace

__all__ = ["fresh_redaction", "workspace"]

CANARY = "canary-4711-secret"
LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[(\w+)\] (\w+): (.*)$")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    shutdown_logging()


@pytest.fixture
def canary(fresh_redaction: None) -> str:
    return str(Secret(CANARY))


def written(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def say_all(name: str) -> None:
    logger = get_logger(name)
    for level in ("trace", "debug", "info", "warning", "error", "critical"):
        getattr(logger, level)(level)


# -- format ---------------------------------------------------------------------------------------------------


def test_a_line_is_time_level_component_message(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(LogConfig())
    get_logger("OMS").info("accepted {not a field} %s")
    (line,) = written(capsys)
    found = LINE.match(line)
    assert found is not None
    assert found.groups() == ("INFO", "OMS", "accepted {not a field} %s")


def test_times_are_the_clocks(capsys: pytest.CaptureFixture[str]) -> None:
    moment = datetime(2025, 1, 2, 3, 4, 5, 6_789, tzinfo=UTC)
    setup_logging(LogConfig(), clock=SimpleNamespace(utc_now=lambda: moment))  # type: ignore[arg-type]
    get_logger("X").info("m")
    assert written(capsys) == ["2025-01-02 03:04:05.006 [INFO] X: m"]


def test_fields_follow_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(LogConfig())
    get_logger("X").info("m", oid=7, message="x", level="y")
    assert written(capsys)[0].endswith("X: m oid=7 message=x level=y")


def test_further_lines_are_indented_so_that_none_can_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(LogConfig())
    get_logger("X").info("one\n2025-01-01 00:00:00.000 [INFO] OMS: filled\r\x1b[2K\x1b[31mred")
    lines = written(capsys)
    assert lines[1] == "  2025-01-01 00:00:00.000 [INFO] OMS: filled\\r\\x1b[2Kred"


def test_messages_need_not_be_text(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(LogConfig())
    get_logger("X").info({"a": 1})
    assert written(capsys)[0].endswith("X: {'a': 1}")


def test_an_exception_is_added_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(LogConfig())
    try:
        raise KeyError("k")
    except KeyError:
        get_logger("X").exception("failed")
    get_logger("X").warning("again", exc=ValueError("v"))
    text = "\n".join(written(capsys))
    assert "  Traceback (most recent call last):" in text
    assert "  KeyError: 'k'" in text
    assert "  ValueError: v" in text


# -- LogConfig, field by field --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "lines"), [("TRACE", 6), ("DEBUG", 5), ("INFO", 4), ("WARNING", 3), ("ERROR", 2), ("OFF", 0)]
)
def test_level_stdout_is_the_lowest_level_on_stdout(
    capsys: pytest.CaptureFixture[str], level: Any, lines: int
) -> None:
    setup_logging(LogConfig(level))
    say_all("X")
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == lines
    assert captured.err == ""


def test_off_is_off_for_components_too(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(LogConfig("OFF", component_levels={"X": "TRACE"}))
    say_all("X")
    assert written(capsys) == []


def test_level_file_is_the_files_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    setup_logging(LogConfig("ERROR", "DEBUG", str(tmp_path), "x.log"))
    say_all("X")
    assert len(written(capsys)) == 2
    assert len((tmp_path / "x.log").read_text().splitlines()) == 5


def test_directory_and_file_name_have_defaults(workspace: Workspace) -> None:
    setup_logging(LogConfig("OFF", "INFO"))
    get_logger("X").info("m")
    assert "X: m" in (workspace.folder / "nexustrader.log").read_text()


def test_a_file_name_without_a_level_warns_that_no_file_is_written(workspace: Workspace) -> None:
    with pytest.warns(NexusTraderWarning, match="level_file"):
        setup_logging(LogConfig(file_name="x.log"))
    get_logger("X").error("m")
    assert list(workspace.folder.iterdir()) == []


def test_files_and_new_folders_are_private(tmp_path: Path) -> None:
    setup_logging(LogConfig("OFF", "INFO", str(tmp_path / "a" / "b"), "x.log"))
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/x.log")]
    assert modes == [0o700, 0o700, 0o600]


def test_an_existing_loose_log_file_is_tightened_and_continued(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("before\n")
    path.chmod(0o644)
    setup_logging(LogConfig("OFF", "INFO", str(tmp_path), "x.log"))
    get_logger("X").info("m")
    assert path.read_text().startswith("before\n2")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_file_format_json_is_one_object_a_line(tmp_path: Path) -> None:
    setup_logging(LogConfig("OFF", "INFO", str(tmp_path), "x.log", "JSON"))
    get_logger("X").info('one\ntwo "three"', oid=7)
    (line,) = (tmp_path / "x.log").read_text().splitlines()
    record = json.loads(line)
    assert datetime.fromisoformat(record.pop("timestamp"))
    assert record == {"level": "INFO", "component": "X", "message": 'one\ntwo "three"', "oid": "7"}


@pytest.mark.parametrize("color", [LogColor.GREEN, LogColor.GREEN.value])
def test_colors_are_ansi_only_when_asked_for(capsys: pytest.CaptureFixture[str], color: object) -> None:
    setup_logging(LogConfig(colors=False))
    get_logger("X").warning("m", color=color)
    assert "\x1b" not in capsys.readouterr().out
    setup_logging(LogConfig(colors=True))
    get_logger("X").info("m", color=color)
    get_logger("X").warning("m")
    get_logger("X").info("m")
    colored, by_level, plain = written(capsys)
    assert colored.startswith(LogColor.GREEN.value)
    assert colored.endswith("\x1b[0m")
    assert by_level.startswith("\x1b[33m")
    assert "\x1b" not in plain


def test_colors_never_reach_the_file(tmp_path: Path) -> None:
    setup_logging(LogConfig("OFF", "INFO", str(tmp_path), "x.log", colors=True))
    get_logger("X").error("m", color=LogColor.GREEN)
    assert "\x1b" not in (tmp_path / "x.log").read_text()


def test_print_config_prints_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(LogConfig("ERROR", print_config=True))
    assert "LogConfig(level_stdout='ERROR'" in capsys.readouterr().out


def test_component_levels_take_the_place_of_the_sinks(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(LogConfig("INFO", component_levels={"Quiet": "ERROR", "Loud": "TRACE", "Mute": "OFF"}))
    for name in ("Quiet", "Loud", "Mute", "Other"):
        say_all(name)
    found = [LINE.match(line) for line in written(capsys)]
    counts = [[each[2] for each in found if each].count(name) for name in ("Quiet", "Loud", "Mute", "Other")]
    assert counts == [2, 6, 0, 4]


@pytest.mark.parametrize("bytes_max", [0, 200])
def test_max_file_size_and_max_backup_count_bound_what_is_kept(tmp_path: Path, bytes_max: int) -> None:
    setup_logging(
        LogConfig("OFF", "INFO", str(tmp_path), "x.log", max_file_size=bytes_max, max_backup_count=2)
    )
    for number in range(20):
        get_logger("X").info(f"line {number:02}")
    files = {path.name: path.read_text() for path in tmp_path.iterdir()}
    if bytes_max == 0:
        assert set(files) == {"x.log"}
        return
    assert set(files) == {"x.log", "x.log.1", "x.log.2"}
    assert all(0 < len(text) <= bytes_max for text in files.values())
    kept = re.findall(r"line (\d\d)", files["x.log.2"] + files["x.log.1"] + files["x.log"])
    assert kept == sorted(kept)
    assert kept[-1] == "19"
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_no_backups_keeps_only_the_newest(tmp_path: Path) -> None:
    setup_logging(LogConfig("OFF", "INFO", str(tmp_path), "x.log", max_file_size=100, max_backup_count=0))
    for number in range(9):
        get_logger("X").info(f"line {number}")
    assert [path.name for path in tmp_path.iterdir()] == ["x.log"]
    assert "line 8" in (tmp_path / "x.log").read_text()


def test_a_line_longer_than_the_file_may_be_is_still_written(tmp_path: Path) -> None:
    setup_logging(LogConfig("OFF", "INFO", str(tmp_path), "x.log", max_file_size=10))
    get_logger("X").info("longer than ten")
    assert "longer than ten" in (tmp_path / "x.log").read_text()


def test_bypass_is_no_logging_at_all(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(LogConfig("TRACE", "TRACE", print_config=True, bypass=True))
    say_all("X")
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""
    assert list(workspace.folder.iterdir()) == []


def test_auto_flush_keeps_lines_in_memory_but_not_warnings(tmp_path: Path) -> None:
    setup_logging(LogConfig("OFF", "INFO", str(tmp_path), "x.log", auto_flush_sec=60))
    path = tmp_path / "x.log"
    get_logger("X").info("waits")
    assert path.read_text() == ""
    get_logger("X").warning("urgent")
    assert len(path.read_text().splitlines()) == 2
    get_logger("X").info("waits again")
    shutdown_logging()
    assert len(path.read_text().splitlines()) == 3


def test_auto_flush_flushes_when_the_time_is_up(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "x.log", lambda _: "line\n", flush_s=60)
    sink.write(SimpleNamespace(record={"level": SimpleNamespace(no=20)}))  # type: ignore[arg-type]
    timer = sink._timer
    assert timer is not None
    assert timer.daemon
    timer.cancel()
    sink._on_timer()
    assert (tmp_path / "x.log").read_text() == "line\n"
    sink.stop()


def test_log_components_only_logs_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(LogConfig("INFO", component_levels={"X": "WARNING"}, log_components_only=True))
    say_all("X")
    say_all("Y")
    assert {LINE.match(line)[2] for line in written(capsys)} == {"X"}  # type: ignore[index]


def test_setting_up_again_takes_the_place_of_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(LogConfig("TRACE"))
    setup_logging(LogConfig("ERROR"))
    say_all("X")
    assert len(written(capsys)) == 2


# -- trouble --------------------------------------------------------------------------------------------------


def test_a_closed_stdout_does_not_stop_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    setup_logging(LogConfig())
    for stream in (SimpleNamespace(write=_fail), None):
        monkeypatch.setattr(sys, "stdout", stream)
        get_logger("X").info("m")


def test_a_stdout_of_few_letters_gets_escapes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setup_logging(LogConfig())
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        get_logger("X").info("größer")
    assert "gr\\xf6\\xdfer" in (tmp_path / "out").read_text()


def test_a_disk_that_fails_costs_lines_which_are_counted(tmp_path: Path) -> None:
    setup_logging(LogConfig("OFF", "INFO", str(tmp_path), "x.log", max_file_size=1, max_backup_count=1))
    (tmp_path / "x.log.1").mkdir()
    (tmp_path / "x.log.1" / "in the way").touch()
    for _ in range(3):
        get_logger("X").info("m")
    (tmp_path / "x.log.1" / "in the way").unlink()
    (tmp_path / "x.log.1").rmdir()
    get_logger("X").info("after")
    text = "".join(path.read_text() for path in sorted(tmp_path.iterdir(), reverse=True))
    assert "lines were lost here" in text
    assert "after" in text


def _fail(_: str) -> None:
    raise BrokenPipeError


# -- secrets --------------------------------------------------------------------------------------------------


def test_secrets_are_masked_in_text_json_fields_and_tracebacks(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    for format_ in (None, "JSON"):
        setup_logging(LogConfig("TRACE", "TRACE", str(tmp_path), f"{format_}.log", format_))
        logger = get_logger("X")
        logger.info(f"key {canary} signature=abc X-MBX-APIKEY: def", key=canary)
        try:
            raise ValueError(canary)
        except ValueError as error:
            logger.exception("failed", note=error)
        logging.getLogger("library").error("key %s", canary, exc_info=ValueError(canary))
        loguru.logger.warning(f"without us: {canary}")
        shutdown_logging()
    text = capsys.readouterr().out + "".join(path.read_text() for path in tmp_path.iterdir())
    assert canary not in text
    assert "abc" not in text
    assert "def " not in text
    assert text.count(MASK) > 20
    assert "library: key" in text
    assert "without us" in text


@pytest.mark.parametrize("format_", [None, "JSON"])
def test_a_field_with_a_secret_name_is_masked_whole(tmp_path: Path, format_: str | None) -> None:
    setup_logging(LogConfig("OFF", "INFO", str(tmp_path), "x.log", format_))
    get_logger("X").info("m", signature="abc def", listen_key="ghi", oid="jkl")
    text = (tmp_path / "x.log").read_text()
    assert not re.search("abc|def|ghi", text)
    assert "jkl" in text


def test_sinks_that_a_user_adds_to_loguru_see_our_lines_masked(canary: str) -> None:
    seen: list[str] = []
    number = loguru.logger.add(
        seen.append, format="{message} {extra} {exception}", diagnose=True, backtrace=True
    )
    try:
        setup_logging(LogConfig("INFO"))
        try:
            raise ValueError(canary)
        except ValueError:
            get_logger("X").exception(f"failed {canary}", key=canary)
    finally:
        loguru.logger.remove(number)
    assert len(seen) == 1
    assert canary not in seen[0]


def test_exceptions_that_a_user_gives_to_loguru_are_masked_at_our_sinks(
    capsys: pytest.CaptureFixture[str], canary: str
) -> None:
    setup_logging(LogConfig())
    local = canary
    try:
        raise ValueError(local)
    except ValueError:
        loguru.logger.exception("failed")
    text = capsys.readouterr().out
    assert canary not in text
    assert f"ValueError: {MASK}" in text


def test_values_of_variables_are_never_in_a_traceback() -> None:
    unregistered = "no-one-registered-this"
    try:
        assert len(unregistered) == 0
    except AssertionError as error:
        text = format_exception(error.with_traceback(error.__traceback__))
    assert "len(unregistered) == 0" in text
    assert unregistered not in text.replace("assert 22", "").partition("AssertionError")[0]


@pytest.mark.slow
def test_uncaught_exceptions_are_masked_wherever_they_end(workspace: Workspace) -> None:
    code = f"""
import asyncio, sys, threading
from nexustrader.config import BasicConfig, LogConfig
from nexustrader.kernel.log import setup_logging
setup_logging(LogConfig("INFO"))
config = BasicConfig("{CANARY}", "{CANARY}-2")

def fail():
    try:
        raise ValueError(config.api_key)
    except ValueError as error:
        raise RuntimeError(f"with {{config.secret}}") from error

class Broken:
    def __del__(self):
        fail()

async def forgotten():
    asyncio.create_task(asyncio.to_thread(fail))
    await asyncio.sleep(0.1)

thread = threading.Thread(target=fail)
thread.start()
thread.join()
Broken()
asyncio.run(forgotten())
fail()
"""
    done = workspace.python(code, "-W", "ignore")
    output = done.stdout + done.stderr
    assert CANARY not in output
    assert output.count(f"RuntimeError: with {MASK}") == 4
    assert output.count(f"ValueError: {MASK}") == 4
    assert done.returncode == 1


@pytest.mark.slow
def test_hooks_and_handlers_of_the_user_stay_and_handlers_are_masked(workspace: Workspace) -> None:
    code = """
import logging, sys, threading
logging.basicConfig(format="mine %(message)s")
from nexustrader.kernel.secret import Secret
sys.excepthook = threading.excepthook = mine = lambda *_: print("mine")
from nexustrader.config import LogConfig
from nexustrader.kernel.log import setup_logging
setup_logging(LogConfig())
try:
    raise ValueError(Secret("CANARY-VALUE"))
except ValueError:
    logging.warning("m %s", "CANARY-VALUE", exc_info=True)
assert sys.excepthook is threading.excepthook is mine
"""
    output = workspace.python(code, "-W", "ignore").stderr
    assert output.startswith(f"mine m {MASK}\nTraceback")
    assert output.endswith(f"ValueError: {MASK}\n")
    assert output.count("Traceback") == 1
    assert "CANARY" not in output


def test_a_wrong_format_in_a_library_does_not_stop_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("library", 35, "", 0, "%d", ("x",), None)
    setup_logging(LogConfig())
    log._StdlibBridge().emit(record)
    assert "[WARNING] library: %d (its arguments do not fit: TypeError)" in capsys.readouterr().out


def test_levels_of_the_standard_library_are_carried_over(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(LogConfig("TRACE"))
    for number in (1, 10, 25, 50, 99):
        log._StdlibBridge().emit(logging.LogRecord("library", number, "", 0, "m", None, None))
    levels = re.findall(r"\[(\w+)\]", capsys.readouterr().out)
    assert levels == ["TRACE", "DEBUG", "INFO", "CRITICAL", "CRITICAL"]


def test_many_threads_may_log_at_once(tmp_path: Path) -> None:
    setup_logging(LogConfig("OFF", "INFO", str(tmp_path), "x.log", max_file_size=2_000, max_backup_count=100))

    def work(name: str) -> None:
        for number in range(50):
            get_logger(name).info(f"{number}")

    threads = [threading.Thread(target=work, args=(f"T{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    assert len(lines) == 200
    assert all(LINE.match(line) for line in lines)


def test_a_line_below_every_level_costs_no_formatting() -> None:
    class Costly:
        def __str__(self) -> str:
            raise AssertionError("was formatted")

    setup_logging(LogConfig("INFO"))
    get_logger("X").debug(Costly())
