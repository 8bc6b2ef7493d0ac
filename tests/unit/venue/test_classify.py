"""What may be concluded from a venue's answer."""

from __future__ import annotations

import pytest

from nexustrader.domain.outcome import Conclusion
from nexustrader.exchange.binance import VENUE
from nexustrader.venue.classify import conclude, reason_of
from nexustrader.venue.spec import Reply


@pytest.mark.parametrize("code", ["-1000", "-1006", "-1007"])
def test_codes_with_unknown_execution_status_conclude_unknown(code: str) -> None:
    assert conclude(VENUE.spec, Reply(ok=False, status=400, code=code)) is Conclusion.UNKNOWN


@pytest.mark.parametrize("code", ["-2010", "-1013", "-2019", "-1022", "-4164", "-5022"])
def test_definite_refusals_conclude_rejected(code: str) -> None:
    assert conclude(VENUE.spec, Reply(ok=False, status=400, code=code)) is Conclusion.REJECTED


def test_a_code_that_is_not_listed_concludes_unknown() -> None:
    assert conclude(VENUE.spec, Reply(ok=False, status=400, code="-987654")) is Conclusion.UNKNOWN


def test_an_error_without_a_code_concludes_unknown() -> None:
    assert conclude(VENUE.spec, Reply(ok=False, status=502)) is Conclusion.UNKNOWN


def test_the_reason_shown_is_bounded() -> None:
    assert len(reason_of(Reply(ok=False, status=400, code="-1", message="x" * 10_000))) < 400
