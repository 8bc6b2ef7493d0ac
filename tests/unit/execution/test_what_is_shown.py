"""What a user is shown of an order: in callbacks, in the cache, and in the results of requests by the order socket."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from desk import SYMBOL, Desk, desk_test, live
from nexustrader.constants import ExchangeType, WsOrderResultType
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion
from virtual_time import START_MS


@desk_test
async def test_the_result_of_a_request_by_socket_says_all_that_is_known_of_it(desk: Desk) -> None:
    desk.create(client_oid="entry")
    desk.venue.result(desk.venue.commands[-1], Conclusion.REJECTED, reason="-2019: Margin is insufficient.")
    assert desk.ws_results == [
        {
            "oid": "entry",
            "symbol": SYMBOL,
            "exchange": ExchangeType.BINANCE,
            "result_type": WsOrderResultType.ACK_REJECTED,
            "reason": "-2019: Margin is insufficient.",
            "timestamp": START_MS,
        }
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "one"},
        {"amount": Decimal("Infinity")},
        {"amount": Decimal("1e100")},
        {"price": "one"},
        {"price": Decimal("NaN")},
        {"price": Decimal("1e-100")},
        *({name: Decimal(bound)} for name in ("amount", "price") for bound in ("1e-30", "1e30")),
    ],
)
def test_numbers_that_cannot_be_reckoned_with_are_not_shown(changes: dict[str, Any]) -> None:
    @desk_test
    async def run(desk: Desk) -> None:
        desk.create(**changes)
        await desk.settle()
        (order,) = (order for _, order in desk.told)
        assert (order.amount, order.price) == (Decimal(0), None)

    run()


@desk_test
async def test_an_order_is_shown_as_in_flight_until_the_venue_has_spoken(desk: Desk) -> None:
    oid = desk.create()
    assert desk.cache.get_inflight_orders(SYMBOL) == {oid}
    desk.on_order_event(desk.venue.event(oid, ev.EventKind.ACCEPTED, eid="7"))
    assert desk.cache.get_inflight_orders(SYMBOL) == set()


@desk_test
async def test_what_is_read_out_of_a_reply_is_journalled_as_the_word_of_a_reply(desk: Desk) -> None:
    def answer(conclusion: Conclusion) -> None:
        desk.venue.result(desk.venue.commands[-1], conclusion, reason="so it is")

    oid = await live(desk)
    desk.ems.amend(oid, price=Decimal(29_000), amount=None, params={})
    answer(Conclusion.ACCEPTED)
    desk.cancel(oid)
    answer(Conclusion.NOT_SENT)  # goes by REST
    answer(Conclusion.NOT_SENT)
    desk.cancel(oid)
    answer(Conclusion.ACCEPTED)
    desk.create()
    answer(Conclusion.REJECTED)
    replies = [
        record.kind.value
        for record in desk.journal.replay()
        if isinstance(record, ev.OrderEvent) and record.source is ev.Source.ACK
    ]
    assert replies == ["acked", "amended", "cancel_rejected", "cancel_acked", "rejected"]
