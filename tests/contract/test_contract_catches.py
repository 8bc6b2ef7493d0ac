"""The contract notices connectors that are wrong: each test has something that it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from binance_emulated import BinanceUsdm

from nexustrader.constants import settings
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion
from nexustrader.error import InstrumentError
from nexustrader.exchange.binance.venue import VENUE, BinanceVenue
from nexustrader.testing.venue_contract.case import API_KEY, SECRET
from nexustrader.venue.spec import ErrorRule, Reply, VenueSpec

REAL = VENUE


class EveryCodeRefuses(dict[str, ErrorRule]):
    """An error table that guesses."""

    def get(self, code: str, default: Any = None) -> Any:
        return super().get(code, ErrorRule(Conclusion.REJECTED, "a guess"))


def guessing_spec() -> VenueSpec:
    return msgspec.structs.replace(REAL.spec, errors=EveryCodeRefuses(REAL.spec.errors))


def without_fees(*args: Any) -> tuple[Any, ...]:
    def bare(fact: Any) -> Any:
        if not isinstance(fact, ev.OrderEvent) or fact.fill is None:
            return fact
        return msgspec.structs.replace(fact, fill=msgspec.structs.replace(fact.fill, fee=Decimal(0)))

    return tuple(bare(fact) for fact in PARSE_USER_EVENT(*args))


def nothing_was_done(*args: Any) -> Reply:
    reply = PARSE_REST_REPLY(*args)
    is_readable = reply.ok or reply.code is not None
    return reply if is_readable else Reply(False, 400, "-2010", "it must have been refused")


def doubled_positions(*args: Any) -> list[ev.PositionEvent]:
    return [
        msgspec.structs.replace(one, signed_amount=one.signed_amount * 2) for one in PARSE_POSITIONS(*args)
    ]


def never_unsubscribes(topics: list[str], request_id: int, *, subscribe: bool) -> bytes:
    return SUBSCRIBE_FRAME(topics, request_id, subscribe=True)


def careless_topic(raw: bytes) -> str | None:
    return raw.decode()[1:] or None


PARSE_USER_EVENT = REAL.parse_user_event
PARSE_REST_REPLY = REAL.parse_rest_reply
PARSE_POSITIONS = REAL.parse_positions
SUBSCRIBE_FRAME = REAL.subscribe_frame

DEFECTS: dict[str, tuple[str, Callable[[], Any], str, dict[str, Any]]] = {
    "codes that nobody knows are taken for refusals": (
        "spec",
        guessing_spec,
        "test_a_refusal_with_a_code_that_nobody_knows_concludes_nothing",
        {},
    ),
    "fees are not read": (
        "parse_user_event",
        lambda: staticmethod(without_fees),
        "test_partial_fills_add_up_to_the_last_digit",
        {},
    ),
    "replies that cannot be read are taken for refusals": (
        "parse_rest_reply",
        lambda: staticmethod(nothing_was_done),
        "test_replies_that_cannot_be_read_conclude_nothing",
        {"on": "order.place", "how": "html"},
    ),
    "positions are read twice": (
        "parse_positions",
        lambda: staticmethod(doubled_positions),
        "test_positions_and_balances_that_were_there_before_are_known",
        {},
    ),
    "nothing is ever unsubscribed": (
        "subscribe_frame",
        lambda: staticmethod(never_unsubscribes),
        "test_subscriptions_in_any_order_leave_what_is_wanted_and_so_does_a_reconnect",
        {"seed": 1},
    ),
    "a frame that is no text is not foreseen": (
        "topic_of",
        lambda: staticmethod(careless_topic),
        "test_what_cannot_be_read_raises_wire_error_and_nothing_else",
        {},
    ),
    "other instruments are listed": (
        "parse_instruments",
        lambda: staticmethod(lambda *_: ([], ())),
        "test_an_engine_connects_and_knows_instruments_and_balances",
        {},
    ),
}


@pytest.fixture(autouse=True)
def redirected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.overlay("BINANCE", API_KEY, SECRET)
    yield
    settings.remove_overlay("BINANCE")


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_connector_that_is_wrong_is_noticed(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, make, test, params = DEFECTS[defect]
    monkeypatch.setattr(BinanceVenue, name, make())
    with pytest.raises((AssertionError, InstrumentError)):
        getattr(BinanceUsdm(), test)(**params)


@pytest.mark.parametrize("test", sorted({test for _, _, test, _ in DEFECTS.values()}))
def test_one_that_is_right_is_not(test: str) -> None:
    params = next(params for _, _, name, params in DEFECTS.values() if name == test)
    getattr(BinanceUsdm(), test)(**params)
