"""Runs leave their throw-away credentials in the settings of their process; other tests have keys of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nexustrader.constants import ExchangeType, settings


@pytest.fixture(autouse=True)
def credentials_of_a_run() -> Iterator[None]:
    yield
    settings.remove_overlay(ExchangeType.BINANCE.name)
