from __future__ import annotations

import itertools

from nexustrader.constants import STATUS_TRANSITIONS, OrderStatus
from nexustrader.domain.events import EventKind, Source
from nexustrader.domain.order_state import (
    CLOSED,
    DOUBTED,
    ENDED,
    FAILED,
    LEGAL,
    PUBLIC,
    TRANSITIONS,
    CancelState,
    Status,
    derive,
    next_word,
)


def test_quantities_and_cancels_are_never_words() -> None:
    derived = {Status.PARTIALLY_FILLED, Status.CANCELING, Status.FILLED}
    assert derived.isdisjoint({word for word, _ in TRANSITIONS} | set(TRANSITIONS.values()))


def test_an_end_that_the_venue_told_is_final_as_a_word() -> None:
    assert {word for word in ENDED if word in {before for before, _ in TRANSITIONS}} == {Status.VANISHED}


def test_what_has_vanished_comes_back_only_when_the_venue_shows_it_now() -> None:
    def word(kind: EventKind, source: Source, *, is_execution: bool = False) -> Status:
        return next_word(
            Status.VANISHED, kind, source, is_acked=True, is_own_refusal=False, is_execution=is_execution
        )

    for kind in (EventKind.ACCEPTED, EventKind.FILLED):
        assert word(kind, Source.QUERY) is Status.ACCEPTED
        assert word(kind, Source.STREAM) is Status.VANISHED, "late, or told again after a reconnect"
    assert word(EventKind.FILLED, Source.QUERY, is_execution=True) is Status.VANISHED
    assert word(EventKind.EXPIRED, Source.STREAM) is Status.CANCELED, "told as CANCELED already"
    silent = next_word(Status.VANISHED, EventKind.FILLED, Source.QUERY, is_acked=True, is_own_refusal=False)
    assert silent is Status.ACCEPTED, "no execution unless it is said to be one"


def test_a_refusal_that_was_refuted_since_holds_nothing_back() -> None:
    shown = next_word(Status.VANISHED, EventKind.ACCEPTED, Source.QUERY, is_acked=True, is_own_refusal=True)
    assert shown is Status.ACCEPTED


def test_every_status_has_a_public_one() -> None:
    assert set(PUBLIC) == set(Status)
    assert set(PUBLIC.values()) == set(OrderStatus) - {OrderStatus.CANCEL_FAILED}


def test_commands_about_an_order_never_move_the_word() -> None:
    about = {
        EventKind.CANCEL_SENT,
        EventKind.CANCEL_ACKED,
        EventKind.CANCEL_REJECTED,
        EventKind.AMEND_REJECTED,
    }
    assert about.isdisjoint({kind for _, kind in TRANSITIONS})


def test_a_completed_order_is_filled_whatever_was_said() -> None:
    for word, cancel in itertools.product(Status, CancelState):
        assert derive(word, cancel, is_filled=True, is_complete=True) is Status.FILLED


def test_canceling_covers_only_what_is_open() -> None:
    for word in {word for word, _ in TRANSITIONS} | ENDED:
        shown = derive(word, CancelState.ACKED, is_filled=False, is_complete=False)
        assert (shown is Status.CANCELING) == (word not in CLOSED | DOUBTED | {Status.INITIALIZED})


def test_a_live_order_never_becomes_unknown_again_once_shown() -> None:
    for before in (Status.ACCEPTED, Status.PARTIALLY_FILLED):
        assert (before, Status.UNKNOWN) not in LEGAL
        assert (before, Status.ABSENT) not in LEGAL


def test_what_ended_comes_back_only_by_a_fill_or_a_resurrection() -> None:
    for before, now in LEGAL:
        if before in ENDED - {Status.VANISHED}:
            assert now in {before, Status.FILLED}
        if before in FAILED:
            assert now is not Status.UNKNOWN


def test_every_legal_step_is_public_knowledge() -> None:
    for before, now in LEGAL:
        if now is Status.UNKNOWN:
            continue  # shows as the public status that the order had
        old, new = PUBLIC[before], PUBLIC[now]
        if old is not new and old is not OrderStatus.FILLED:
            assert new in STATUS_TRANSITIONS[old], f"{before} -> {now}"
