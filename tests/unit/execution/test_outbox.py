from __future__ import annotations

from typing import Any

import pytest

from nexustrader.execution.outbox import MARK_DELAY_NS, Outbox
from nexustrader.kernel.clock import VirtualClock


def test_nothing_is_told_before_it_is_opened_and_then_everything_in_order() -> None:
    told: list[Any] = []
    outbox = Outbox(VirtualClock(0), lambda endpoint, message: told.append((endpoint, message)))
    outbox.put("filled", 1, is_notice=True)
    outbox.put("balance", 2)
    assert (told, outbox.untold()) == ([], 1)
    outbox.open()
    outbox.put("filled", 3, is_notice=True)
    assert told == [("filled", 1), ("balance", 2), ("filled", 3)]
    assert outbox.untold() == 0


def test_what_a_callback_brings_about_is_told_when_it_has_returned_and_counts_as_untold_until_then() -> None:
    steps: list[Any] = []

    def send(_endpoint: str, message: int) -> None:
        steps.append(("begin", message, outbox.untold()))
        if message == 1:
            outbox.put("filled", 2, is_notice=True)
            steps.append(("untold", outbox.untold()))
        steps.append(("end", message))

    outbox = Outbox(VirtualClock(0), send)
    outbox.open()
    outbox.put("accepted", 1, is_notice=True)
    assert steps == [
        ("begin", 1, 0),
        ("untold", 1),
        ("end", 1),
        ("begin", 2, 0),
        ("end", 2),
    ]


def test_an_error_while_telling_does_not_close_it() -> None:
    told: list[int] = []

    def send(_endpoint: str, message: int) -> None:
        if message == 1:
            raise LookupError
        told.append(message)

    outbox = Outbox(VirtualClock(0), send)
    outbox.open()
    with pytest.raises(LookupError):
        outbox.put("filled", 1)
    outbox.put("filled", 2)
    assert told == [2]


def test_later_is_a_short_while() -> None:
    clock = VirtualClock(0)
    called: list[int] = []
    Outbox(clock, lambda _endpoint, _message: None).later(lambda: called.append(clock.timestamp_ns()))
    clock.advance_to(10 * MARK_DELAY_NS)
    assert called == [MARK_DELAY_NS]
