"""Fixtures for the whole suite."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import canaries
from nexustrader.constants import ExchangeType
from nexustrader.constants import settings as keys
from nexustrader.kernel.log import shutdown_logging

# How long one example takes says more about the machine than about the code; pytest's timeout bounds a test.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail any test that leaves a secret of the suite in its output or its files."""
    report = yield
    if call.when == "teardown" and report.passed:
        arguments: dict[str, Any] = getattr(item, "funcargs", {})
        found = canaries.leaks(report.sections, arguments.get("tmp_path"))
        if found:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} leaks a secret into: {', '.join(found)}"
    return report


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The folder of recorded venue data (samples, frames, klines); without it the tests that need it skip."""
    value = os.environ.get("NEXUSTRADER_TESTDATA")
    if not value or not Path(value).is_dir():
        pytest.skip("NEXUSTRADER_TESTDATA does not name a folder with recorded venue data")
    return Path(value)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """An engine sets up logging, and a chaos run puts in credentials, for the whole process: not for the next test."""
    yield
    shutdown_logging()
    for exchange in ExchangeType:
        keys.remove_overlay(exchange.name)


@pytest.fixture(autouse=True)
def runtime_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The locks of accounts: tests that run at the same time use the same keys."""
    monkeypatch.setenv("NEXUSTRADER_RUNTIME_DIR", str(tmp_path_factory.getbasetemp() / "locks"))
