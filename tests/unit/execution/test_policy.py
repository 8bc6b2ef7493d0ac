from __future__ import annotations

from typing import Any

import pytest

from nexustrader.execution.policy import ReconcileConfig


def test_what_a_program_may_ask_for() -> None:
    assert ReconcileConfig() == ReconcileConfig(interval_s=60.0, foreign_orders="ignore")
    assert ReconcileConfig(interval_s=None, foreign_orders="adopt").interval_s is None
    assert ReconcileConfig(interval_s=5, foreign_orders="none").interval_s == 5


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"interval_s": 0}, ValueError, "ReconcileConfig.interval_s"),
        ({"interval_s": "60"}, TypeError, "ReconcileConfig.interval_s"),
        ({"foreign_orders": "cancel"}, ValueError, "'ignore', 'adopt', 'none'"),
    ],
)
def test_anything_else_is_refused_by_name(
    changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        ReconcileConfig(**changes)
