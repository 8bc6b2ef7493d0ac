"""Every sample of the venue's messages is read as it is meant, or refused: no file is left out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sample_cases import CASES

SAMPLES = Path(os.environ.get("NEXUSTRADER_TESTDATA", "")) / "wire/binance/samples"
HERE = "NEXUSTRADER_TESTDATA" in os.environ and SAMPLES.is_dir()
FILES = (
    sorted(str(path.relative_to(SAMPLES)) for path in SAMPLES.rglob("*") if path.is_file())
    if HERE
    else sorted(CASES)
)


@pytest.mark.skipif(not HERE, reason="NEXUSTRADER_TESTDATA names no folder with samples")
@pytest.mark.parametrize("name", sorted({*FILES, *CASES}))
def test_a_sample_is_read_as_it_is_meant_or_refused(name: str) -> None:
    assert name in CASES, f"{name} has no case: say in sample_cases what it means"
    CASES[name](SAMPLES / name)
