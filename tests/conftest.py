"""Fixtures for the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long one example takes says more about the machine than about the code; pytest's timeout bounds a test.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The folder of recorded venue data (samples, frames, klines); without it the tests that need it skip."""
    value = os.environ.get("NEXUSTRADER_TESTDATA")
    if not value or not Path(value).is_dir():
        pytest.skip("NEXUSTRADER_TESTDATA does not name a folder with recorded venue data")
    return Path(value)
