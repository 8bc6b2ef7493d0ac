"""`domain.order.apply`, one rule a test. Confluence is tested in tests/property."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from nexustrader.constants import OrderSide, OrderStatus, OrderType, PositionSide, TimeInForce
from nexustrader.domain.events import Amend, Cancel, EventKind, Fill, OrderEvent, Source, Submit
from nexustrader.domain.order import FillDelta, Notice, OrderState, Told, apply, snapshot
from nexustrader.domain.order_state import Status
from nexustrader.error import Denied, OrderError

OID = "17000000000000010007"
ACCOUNT = "binance:USD_M_FUTURE"
SYMBOL = "BTCUSDT-PERP.BINANCE"
K = EventKind


def submit(**fields: object) -> OrderState:
    base: dict[str, object] = {
        "amount": Decimal(10),
        "price": Decimal(100),
        "type": OrderType.LIMIT,
        "side": OrderSide.BUY,
    }
    record = Submit(oid=OID, account=ACCOUNT, symbol=SYMBOL, timestamp=1, **{**base, **fields})
    return apply(None, record).order


def event(kind: K, timestamp: int = 10, source: Source = Source.STREAM, **fields: object) -> OrderEvent:
    return OrderEvent(oid=OID, kind=kind, source=source, timestamp=timestamp, **fields)


def fill(
    trade_id: str, amount: int | str, price: int | str = 100, fee: str = "0", timestamp: int = 10
) -> Fill:
    return Fill(
        trade_id=trade_id,
        price=Decimal(price),
        amount=Decimal(amount),
        fee=Decimal(fee),
        fee_currency="USDT",
        timestamp=timestamp,
    )


def filled(trade_id: str, amount: int | str, price: int | str = 100, **fields: object) -> OrderEvent:
    return event(K.FILLED, fill=fill(trade_id, amount, price), **fields)


def after(order: OrderState, *records: OrderEvent | Cancel | Amend) -> OrderState:
    for record in records:
        order = apply(order, record).order
    return order


def notices(order: OrderState, *records: OrderEvent | Cancel | Amend) -> list[Notice]:
    told = []
    for record in records:
        order, effects = apply(order, record)
        told += [effect.notice for effect in effects if isinstance(effect, Told)]
    return told


def deltas(order: OrderState, *records: OrderEvent) -> list[FillDelta]:
    found = []
    for record in records:
        order, effects = apply(order, record)
        found += [effect for effect in effects if isinstance(effect, FillDelta)]
    return found


CANCEL = Cancel(oid=OID, account=ACCOUNT, symbol=SYMBOL, timestamp=5)
AMEND = Amend(oid=OID, account=ACCOUNT, symbol=SYMBOL, side=OrderSide.BUY, price=Decimal(99), timestamp=5)


class TestCreating:
    def test_a_submit_creates_an_open_order_that_tells_nothing(self) -> None:
        order, effects = apply(
            None,
            Submit(
                oid=OID,
                account=ACCOUNT,
                symbol=SYMBOL,
                side=OrderSide.SELL,
                type=OrderType.POST_ONLY,
                amount=Decimal("0.5"),
                price=Decimal(100),
                time_in_force=TimeInForce.GTC,
                reduce_only=True,
                position_side=PositionSide.SHORT,
                client_oid="mine",
                idempotency_key="key",
                timestamp=7,
            ),
        )
        assert effects == ()
        assert order.status is Status.INITIALIZED
        assert order.is_open
        assert (order.side, order.type, order.amount, order.price) == (
            OrderSide.SELL,
            OrderType.POST_ONLY,
            Decimal("0.5"),
            Decimal(100),
        )
        assert (order.reduce_only, order.position_side) == (True, PositionSide.SHORT)
        assert (order.client_oid, order.idempotency_key, order.created) == ("mine", "key", 7)

    def test_an_order_of_nothing_is_not_filled(self) -> None:
        refused = after(submit(amount=Decimal(0)), event(K.REJECTED, source=Source.LOCAL, reason="LOT_SIZE"))
        assert refused.status is Status.REJECTED

    def test_a_second_submit_of_the_same_oid_is_the_same_order(self) -> None:
        order = after(submit(), event(K.ACCEPTED))
        again = Submit(
            oid=OID,
            account=ACCOUNT,
            symbol=SYMBOL,
            side=OrderSide.BUY,
            type=OrderType.LIMIT,
            amount=Decimal(10),
            attempt=2,
            timestamp=3,
        )
        assert apply(order, again) == (order, ())

    def test_an_order_of_the_venue_is_adopted_from_an_event_that_describes_it(self) -> None:
        seen = event(
            K.FILLED,
            source=Source.QUERY,
            account=ACCOUNT,
            symbol=SYMBOL,
            side=OrderSide.SELL,
            type=OrderType.LIMIT,
            amount=Decimal(10),
            price=Decimal(100),
            filled=Decimal(4),
            average=Decimal(101),
            eid="77",
            reduce_only=True,
        )
        order, effects = apply(None, seen)
        assert order.is_adopted
        assert order.status is Status.PARTIALLY_FILLED
        assert (order.side, order.amount, order.price, order.eid) == (
            OrderSide.SELL,
            Decimal(10),
            Decimal(100),
            "77",
        )
        assert (order.filled, order.cost, order.reduce_only) == (Decimal(4), Decimal(404), True)
        assert [type(effect) for effect in effects] == [FillDelta, Told]

    @pytest.mark.parametrize("missing", ["side", "type", "amount", "account", "symbol"])
    def test_an_event_that_lacks_what_an_order_needs_adopts_nothing(self, missing: str) -> None:
        whole: dict[str, object] = {
            "account": ACCOUNT,
            "symbol": SYMBOL,
            "side": OrderSide.SELL,
            "type": OrderType.LIMIT,
            "amount": Decimal(10),
        }
        del whole[missing]
        with pytest.raises(OrderError, match="query the venue") as info:
            apply(None, event(K.ACCEPTED, **whole))
        assert isinstance(info.value, Denied)

    def test_a_cancel_or_amend_of_nothing_is_refused(self) -> None:
        for record in (CANCEL, AMEND):
            with pytest.raises(OrderError, match=OID):
                apply(None, record)


class TestLife:
    def test_the_usual_life_is_told_step_by_step(self) -> None:
        told = notices(
            submit(), event(K.ACKED), event(K.ACCEPTED), filled("a", 4), filled("b", 6), event(K.ACCEPTED)
        )
        assert told == [Notice.PENDING, Notice.ACCEPTED, Notice.PARTIALLY_FILLED, Notice.FILLED]

    def test_the_stream_may_overtake_the_ack(self) -> None:
        assert notices(submit(), event(K.ACCEPTED), event(K.ACKED)) == [Notice.ACCEPTED]

    def test_an_order_killed_at_entry_expires_from_pending(self) -> None:
        order = after(submit(), event(K.ACKED), event(K.EXPIRED, reason="IOC"))
        assert order.status is Status.EXPIRED
        assert order.reason == "IOC"
        assert notices(submit(), event(K.ACKED), event(K.EXPIRED)) == [Notice.PENDING, Notice.EXPIRED]

    def test_a_stale_accepted_never_takes_a_fill_back(self) -> None:
        order = after(submit(), filled("a", 4))
        assert apply(order, event(K.ACCEPTED, filled=Decimal(0))).effects == ()
        assert after(order, event(K.ACCEPTED, filled=Decimal(0))).status is Status.PARTIALLY_FILLED

    @pytest.mark.parametrize("end", [K.CANCELED, K.EXPIRED])
    def test_accepted_after_the_end_is_stale(self, end: K) -> None:
        order = after(submit(), event(end))
        assert apply(order, event(K.ACCEPTED)) == (order, ())
        assert apply(order, event(K.ACKED, timestamp=10)).effects == ()

    def test_an_end_told_with_a_fill_tells_the_fill_first(self) -> None:
        order, effects = apply(
            after(submit(), event(K.ACCEPTED)), event(K.CANCELED, filled=Decimal(4), average=Decimal(100))
        )
        told = [effect for effect in effects if isinstance(effect, Told)]
        assert [(one.notice, one.status) for one in told] == [
            (Notice.PARTIALLY_FILLED, OrderStatus.PARTIALLY_FILLED),
            (Notice.CANCELED, OrderStatus.CANCELED),
        ]
        assert isinstance(effects[0], FillDelta)
        assert order.remaining == Decimal(6)

    def test_a_fill_after_the_cancel_counts_and_shows_the_order_as_canceled(self) -> None:
        canceled = after(submit(), event(K.ACCEPTED), event(K.CANCELED))
        order, effects = apply(canceled, filled("a", 4))
        assert (order.status, order.filled) == (Status.CANCELED, Decimal(4))
        assert effects[1:] == (Told(Notice.PARTIALLY_FILLED, OrderStatus.CANCELED),)

    @pytest.mark.parametrize("end", [K.CANCELED, K.EXPIRED])
    def test_a_complete_fill_is_stronger_than_another_end(self, end: K) -> None:
        assert after(submit(), event(end), filled("a", 10)).status is Status.FILLED
        assert after(submit(), filled("a", 10), event(end)).status is Status.FILLED
        assert notices(submit(), filled("a", 10), event(end)) == [Notice.FILLED]

    def test_a_fill_without_a_quantity_only_proves_that_the_order_lives(self) -> None:
        order, effects = apply(submit(), event(K.FILLED))
        assert order.status is Status.ACCEPTED
        assert [effect.notice for effect in effects if isinstance(effect, Told)] == [Notice.ACCEPTED]

    def test_the_venue_id_is_kept_and_only_an_amendment_replaces_it(self) -> None:
        order = after(submit(), event(K.ACKED, eid="1"), event(K.ACCEPTED, eid="2"))
        assert order.eid == "1"
        assert after(order, event(K.AMENDED, timestamp=20, price=Decimal(99), eid="3")).eid == "3"

    def test_a_trigger_replaces_it_and_what_was_said_before_the_trigger_does_not_bring_it_back(self) -> None:
        waiting = event(K.ACCEPTED, 10, eid="algo-5")
        order = after(
            submit(type=OrderType.STOP_LOSS_LIMIT, trigger_price=Decimal(99)),
            waiting,
            event(K.ACCEPTED, 20, eid="7"),
            waiting,
        )
        assert order.eid == "7"
        assert after(order, event(K.CANCELED, 10, eid="algo-5")).eid == "7"

    def test_of_two_ids_in_one_millisecond_the_same_stays_whichever_arrives_first(self) -> None:
        facts = (event(K.ACKED, 10, Source.ACK, eid="algo-5"), event(K.ACCEPTED, 10, eid="7"))
        for arrival in (facts, facts[::-1]):
            assert after(submit(type=OrderType.TAKE_PROFIT_MARKET), *arrival).eid == "7"

    def test_the_timestamp_is_that_of_the_latest_fact(self) -> None:
        assert after(submit(), event(K.ACCEPTED, 20), event(K.ACKED, 15)).timestamp == 20


class TestDoubt:
    def test_unknown_keeps_the_order_open_and_says_why(self) -> None:
        order, effects = apply(submit(), event(K.UNKNOWN, source=Source.LOCAL, reason="no ACK in 5 s"))
        assert order.is_open
        assert order.is_unknown
        assert order.reason == "no ACK in 5 s"
        assert order.public_status is OrderStatus.INITIALIZED
        assert effects == (Told(Notice.UNKNOWN, OrderStatus.INITIALIZED, "no ACK in 5 s"),)

    def test_an_acknowledged_order_that_is_doubted_stays_pending_in_public(self) -> None:
        order = after(submit(), event(K.ACKED), event(K.UNKNOWN))
        assert order.is_unknown
        assert order.public_status is OrderStatus.PENDING
        assert apply(order, event(K.ACKED)).effects == (), "a repeated ACK is no news"

    @pytest.mark.parametrize("known", [event(K.ACCEPTED), filled("a", 4), event(K.CANCELED)])
    def test_doubt_about_an_order_that_the_venue_showed_is_ignored(self, known: OrderEvent) -> None:
        order = after(submit(), known)
        assert apply(order, event(K.UNKNOWN)) == (order, ())

    @pytest.mark.parametrize(
        ("evidence", "status"),
        [
            (event(K.ACKED), Status.PENDING),
            (event(K.ACCEPTED), Status.ACCEPTED),
            (filled("a", 4), Status.PARTIALLY_FILLED),
            (filled("a", 10), Status.FILLED),
            (event(K.AMENDED, price=Decimal(99)), Status.ACCEPTED),
            (event(K.CANCELED), Status.CANCELED),
            (event(K.EXPIRED), Status.EXPIRED),
        ],
    )
    @pytest.mark.parametrize("doubt", [K.UNKNOWN, K.ABSENT, K.NOT_SENT])
    def test_every_sign_of_the_venue_lifts_a_doubt(
        self, doubt: K, evidence: OrderEvent, status: Status
    ) -> None:
        doubted = after(submit(), event(doubt, source=Source.LOCAL, reason="silence"))
        order, effects = apply(doubted, evidence)
        assert order.status is status
        assert order.reason is None
        told = [effect for effect in effects if isinstance(effect, Told)]
        assert told[0].notice is Notice.RESURRECTED
        assert (
            told[0].reason
            == f"{doubted.status.value} (silence) is refuted by {evidence.kind.value} from stream"
        )

    @pytest.mark.parametrize("kind", [K.REJECTED, K.NOT_SENT, K.ABSENT])
    def test_a_definite_no_fails_the_order_once_with_its_reason(self, kind: K) -> None:
        order, effects = apply(submit(), event(kind, source=Source.LOCAL, reason="-2010"))
        assert order.is_closed
        assert order.public_status is OrderStatus.FAILED
        assert order.reason == "-2010"
        assert effects == (Told(Notice.FAILED, OrderStatus.FAILED, "-2010"),)
        assert notices(order, event(K.REJECTED, reason="again")) == []

    @pytest.mark.parametrize("kind", [K.REJECTED, K.NOT_SENT, K.ABSENT])
    def test_a_failure_always_has_a_reason(self, kind: K) -> None:
        assert after(submit(), event(kind)).reason

    def test_an_ack_does_not_refute_a_refusal_but_a_sign_of_life_does(self) -> None:
        refused = after(submit(), event(K.REJECTED, source=Source.ACK, reason="duplicate"))
        assert after(refused, event(K.ACKED)).status is Status.REJECTED
        assert after(refused, event(K.ACCEPTED)).status is Status.ACCEPTED
        assert after(refused, filled("a", 4)).status is Status.PARTIALLY_FILLED

    @pytest.mark.parametrize("source", [Source.STREAM, Source.QUERY])
    def test_the_venues_own_refusal_ends_even_an_accepted_order(self, source: Source) -> None:
        refusal = event(K.REJECTED, source=source, reason="margin")
        assert after(submit(), event(K.ACCEPTED), refusal).status is Status.REJECTED
        assert after(submit(), refusal, event(K.ACCEPTED)).status is Status.REJECTED
        assert notices(submit(), event(K.ACCEPTED), refusal) == [Notice.ACCEPTED, Notice.FAILED]

    def test_a_refusing_reply_is_weaker_than_a_sign_of_life(self) -> None:
        reply = event(K.REJECTED, source=Source.ACK)
        assert after(submit(), event(K.ACCEPTED), reply).status is Status.ACCEPTED

    def test_a_fill_is_stronger_than_any_refusal(self) -> None:
        refusal = event(K.REJECTED, source=Source.QUERY)
        assert after(submit(), filled("a", 4), refusal).status is Status.PARTIALLY_FILLED
        assert after(submit(), refusal, filled("a", 4)).status is Status.PARTIALLY_FILLED

    def test_absence_is_only_believed_of_what_was_never_shown(self) -> None:
        assert after(submit(), event(K.ACKED), event(K.ABSENT)).status is Status.ABSENT
        assert after(submit(), event(K.ACCEPTED), event(K.ABSENT)).status is Status.ACCEPTED


class TestCounting:
    def test_a_trade_id_counts_once(self) -> None:
        assert after(submit(), filled("a", 4), filled("a", 4)).filled == Decimal(4)

    def test_a_repeated_fact_changes_and_tells_nothing(self) -> None:
        seen = event(K.FILLED, filled=Decimal(4), average=Decimal(100), fill=fill("a", 4, fee="0.1"))
        order = after(submit(), seen)
        assert apply(order, seen) == (order, ())

    def test_filled_is_the_greater_of_the_venues_sum_and_ours(self) -> None:
        order = after(submit(), event(K.FILLED, filled=Decimal(6), average=Decimal(100)), filled("a", 4))
        assert order.filled == Decimal(6)
        assert after(order, filled("b", 2), filled("c", 1)).filled == Decimal(7)

    def test_a_smaller_sum_is_old_news(self) -> None:
        order = after(submit(), event(K.FILLED, filled=Decimal(6), average=Decimal(100)))
        assert apply(order, event(K.FILLED, filled=Decimal(4), average=Decimal(90))) == (order, ())

    def test_cost_follows_the_venues_average_until_all_fills_are_known(self) -> None:
        order = after(submit(), event(K.FILLED, filled=Decimal(6), average=Decimal(102)))
        assert order.cost == Decimal(612)
        order = after(order, filled("a", 4, 101))
        assert order.cost == Decimal(612)
        order = after(order, filled("b", 2, 105))
        assert order.cost == Decimal(614)
        assert order.average == Decimal(614) / 6

    def test_cost_is_estimated_without_an_average_and_corrected_later(self) -> None:
        events = (filled("a", 2, 110), event(K.FILLED, filled=Decimal(6)), filled("b", 4, 101))
        assert after(submit(), *events[:2]).cost == Decimal(660)
        assert after(submit(), event(K.FILLED, filled=Decimal(6))).cost == Decimal(600), "by the limit price"
        assert after(submit(), *events).cost == Decimal(624)
        assert [(d.amount, d.cost, d.trade_id) for d in deltas(submit(), *events)] == [
            (Decimal(2), Decimal(220), "a"),
            (Decimal(4), Decimal(440), None),
            (Decimal(0), Decimal(0), "b"),
            (Decimal(0), Decimal(-36), None),
        ]

    def test_a_late_average_for_the_same_sum_is_taken(self) -> None:
        order = after(
            submit(),
            event(K.FILLED, filled=Decimal(6)),
            event(K.FILLED, filled=Decimal(6), average=Decimal(103)),
        )
        assert order.cost == Decimal(618)

    def test_a_fill_that_a_sum_had_counted_adds_its_fee_alone(self) -> None:
        order = after(submit(), event(K.FILLED, filled=Decimal(4), average=Decimal(100)))
        order, effects = apply(order, event(K.FILLED, fill=fill("a", 4, fee="0.1")))
        assert order.filled == Decimal(4)
        assert order.fees == (("USDT", Decimal("0.1")),)
        assert effects == (
            FillDelta(
                amount=Decimal(0),
                cost=Decimal(0),
                price=Decimal(100),
                fees=(("USDT", Decimal("0.1")),),
                trade_id="a",
                timestamp=10,
            ),
        )

    def test_a_fill_with_a_sum_that_jumps_tells_both(self) -> None:
        found = deltas(
            submit(), event(K.FILLED, filled=Decimal(6), average=Decimal(101), fill=fill("b", 2, 103))
        )
        assert [(one.amount, one.cost, one.price, one.trade_id) for one in found] == [
            (Decimal(2), Decimal(206), Decimal(103), "b"),
            (Decimal(4), Decimal(400), Decimal(100), None),
        ]

    def test_an_average_belongs_to_its_own_sum(self) -> None:
        order = after(
            submit(),
            event(K.FILLED, filled=Decimal(2), average=Decimal(103)),
            event(K.FILLED, filled=Decimal(6)),
        )
        assert order.cost == Decimal(600), "103 was the average of the first two"

    def test_a_fill_that_was_counted_is_not_the_latest(self) -> None:
        order = after(submit(), event(K.FILLED, filled=Decimal(6), average=Decimal(101)), filled("a", 4, 99))
        assert (order.last_filled, order.last_price) == (Decimal(6), Decimal(101))

    def test_fees_sum_up_per_currency(self) -> None:
        order = after(
            submit(),
            event(K.FILLED, fill=fill("a", 1, fee="0.1")),
            event(K.FILLED, fill=msgspec.structs.replace(fill("b", 1, fee="0.02"), fee_currency="BNB")),
            event(K.FILLED, fill=fill("c", 1, fee="-0.04")),
            event(K.FILLED, fill=msgspec.structs.replace(fill("d", 1, fee="3"), fee_currency=None)),
        )
        assert order.fees == (("", Decimal(3)), ("BNB", Decimal("0.02")), ("USDT", Decimal("0.06")))

    def test_an_overfill_is_told_once_and_never_cut(self) -> None:
        order = after(submit(), filled("a", 8))
        order, effects = apply(order, filled("b", 4))
        assert order.filled == Decimal(12)
        assert order.is_overfilled
        assert [effect.notice for effect in effects if isinstance(effect, Told)] == [
            Notice.FILLED,
            Notice.OVERFILL,
        ]
        assert notices(order, filled("c", 1)) == []
        assert after(order, filled("c", 1)).filled == Decimal(13)


class TestCanceling:
    def test_a_cancel_is_an_intent_until_the_venue_acknowledges_it(self) -> None:
        order = after(submit(), event(K.ACCEPTED), CANCEL)
        assert order.has_cancel_intent
        assert order.status is Status.ACCEPTED
        order, effects = apply(order, event(K.CANCEL_ACKED))
        assert order.public_status is OrderStatus.CANCELING
        assert effects == (Told(Notice.CANCELING, OrderStatus.CANCELING),)

    def test_cancel_sent_counts_as_intent_where_there_was_no_command(self) -> None:
        order = after(submit(), event(K.ACCEPTED), event(K.CANCEL_SENT))
        assert order.has_cancel_intent
        assert apply(order, event(K.CANCEL_SENT)) == (order, ())

    @pytest.mark.parametrize(
        ("facts", "status"),
        [
            ([event(K.ACKED)], Status.PENDING),
            ([event(K.ACCEPTED)], Status.ACCEPTED),
            ([event(K.ACCEPTED), filled("a", 4)], Status.PARTIALLY_FILLED),
        ],
    )
    def test_a_refused_cancel_falls_back_to_what_the_order_was(
        self, facts: list[OrderEvent], status: Status
    ) -> None:
        order = after(submit(), *facts, CANCEL, event(K.CANCEL_ACKED))
        assert order.status is Status.CANCELING
        order, effects = apply(order, event(K.CANCEL_REJECTED, reason="too late"))
        assert order.status is status
        assert order.is_open
        assert not order.has_cancel_intent
        assert effects == (Told(Notice.CANCEL_FAILED, OrderStatus.CANCEL_FAILED, "too late"),)
        assert notices(order, event(K.CANCEL_REJECTED), event(K.CANCEL_ACKED)) == [], "repetitions"

    def test_after_a_refused_cancel_another_may_follow(self) -> None:
        order = after(submit(), event(K.ACCEPTED), CANCEL, event(K.CANCEL_REJECTED))
        assert notices(order, CANCEL, event(K.CANCEL_REJECTED)) == [Notice.CANCEL_FAILED]
        assert notices(order, event(K.CANCEL_SENT), event(K.CANCEL_ACKED)) == [Notice.CANCELING]

    def test_a_fill_while_canceling_is_told_and_the_order_stays_canceling(self) -> None:
        order = after(submit(), event(K.ACCEPTED), CANCEL, event(K.CANCEL_ACKED))
        order, effects = apply(order, filled("a", 4))
        assert order.status is Status.CANCELING
        assert effects[1:] == (Told(Notice.PARTIALLY_FILLED, OrderStatus.PARTIALLY_FILLED),)
        assert after(order, filled("b", 6)).status is Status.FILLED

    def test_a_cancel_that_lost_against_the_end_is_not_told_as_failed(self) -> None:
        order = after(submit(), CANCEL, filled("a", 10))
        assert notices(order, event(K.CANCEL_REJECTED)) == []
        assert apply(order, CANCEL) == (order, ())

    def test_accepted_is_told_before_canceling_when_the_ack_of_the_cancel_came_first(self) -> None:
        order = after(submit(), CANCEL, event(K.CANCEL_ACKED))
        assert order.status is Status.INITIALIZED
        assert notices(order, event(K.ACCEPTED)) == [Notice.ACCEPTED, Notice.CANCELING]

    def test_a_second_cancel_of_an_order_that_is_canceling_changes_and_tells_nothing(self) -> None:
        order = after(submit(), event(K.ACCEPTED), CANCEL, event(K.CANCEL_ACKED))
        assert after(order, CANCEL) == order
        assert notices(order, CANCEL, event(K.CANCEL_ACKED)) == []


class TestVanishing:
    GONE = event(K.VANISHED, 50, Source.LOCAL, reason="the venue no longer knows it")

    def test_an_accepted_order_that_vanished_is_told_as_canceled_with_the_reason(self) -> None:
        order, effects = apply(after(submit(), event(K.ACCEPTED), filled("a", 4)), self.GONE)
        assert (order.status, order.public_status) == (Status.VANISHED, OrderStatus.CANCELED)
        assert effects == (Told(Notice.CANCELED, OrderStatus.CANCELED, "the venue no longer knows it"),)

    @pytest.mark.parametrize("word", [K.ACKED, K.UNKNOWN, K.CANCELED])
    def test_only_what_was_accepted_can_vanish(self, word: K) -> None:
        order = after(submit(), event(word))
        assert apply(order, self.GONE).order.status is order.status

    def test_the_end_that_is_heard_later_is_told_as_none(self) -> None:
        for end in (K.CANCELED, K.EXPIRED):
            order, effects = apply(after(submit(), event(K.ACCEPTED), self.GONE), event(end, 60))
            assert (order.status, effects) == (Status.CANCELED, ())
            assert after(order, event(K.ACCEPTED, 70, Source.QUERY)).status is Status.CANCELED

    def test_what_the_stream_repeats_does_not_bring_it_back(self) -> None:
        order = after(submit(), event(K.ACCEPTED), filled("a", 4), self.GONE)
        assert notices(order, event(K.ACCEPTED, 60), filled("a", 4)) == []

    def test_a_late_fill_counts_and_does_not_bring_it_back(self) -> None:
        order = after(submit(), event(K.ACCEPTED), filled("a", 4), self.GONE)
        order, effects = apply(order, filled("b", 2))
        assert (order.status, order.filled) == (Status.VANISHED, Decimal(6))
        assert [(e.notice, e.status) for e in effects if isinstance(e, Told)] == [
            (Notice.PARTIALLY_FILLED, OrderStatus.CANCELED)
        ]
        assert notices(order, filled("c", 4)) == [Notice.FILLED]

    def test_a_query_that_shows_it_alive_brings_it_back_with_both_reasons(self) -> None:
        order = after(submit(), event(K.ACCEPTED), self.GONE)
        order, effects = apply(order, event(K.ACCEPTED, 60, Source.QUERY))
        told = [effect for effect in effects if isinstance(effect, Told)]
        assert [one.notice for one in told] == [Notice.RESURRECTED, Notice.ACCEPTED]
        assert told[0].reason == "VANISHED (the venue no longer knows it) is refuted by accepted from query"
        assert order.status is Status.ACCEPTED

    def test_it_comes_back_with_what_was_filled_and_filled_meanwhile(self) -> None:
        order = after(submit(), event(K.ACCEPTED), filled("a", 4), self.GONE)
        assert notices(order, event(K.FILLED, 60, Source.QUERY, filled=Decimal(4))) == [
            Notice.RESURRECTED,
            Notice.ACCEPTED,
        ]
        assert notices(order, event(K.FILLED, 60, Source.QUERY, filled=Decimal(6))) == [
            Notice.RESURRECTED,
            Notice.ACCEPTED,
            Notice.PARTIALLY_FILLED,
        ]
        assert notices(order, event(K.FILLED, 60, Source.QUERY, filled=Decimal(10))) == [Notice.FILLED]


class TestAmending:
    def live(self) -> OrderState:
        return after(
            submit(), event(K.ACCEPTED, amount=Decimal(10), price=Decimal(100)), filled("a", 4), AMEND
        )

    def test_an_amendment_changes_the_terms_and_keeps_what_is_filled(self) -> None:
        order, effects = apply(self.live(), event(K.AMENDED, 20, price=Decimal(99), amount=Decimal(8)))
        assert (order.price, order.amount, order.filled, order.remaining) == (
            Decimal(99),
            Decimal(8),
            Decimal(4),
            Decimal(4),
        )
        assert order.status is Status.PARTIALLY_FILLED
        assert effects == (Told(Notice.AMENDED, OrderStatus.PARTIALLY_FILLED),)

    def test_reply_and_stream_tell_one_amendment_once(self) -> None:
        told = notices(
            self.live(),
            event(K.AMENDED, 20, Source.ACK, price=Decimal(99)),
            event(K.AMENDED, 21, price=Decimal(99)),
        )
        assert told == [Notice.AMENDED]

    def test_an_amendment_to_the_same_terms_is_told_when_it_was_asked_for(self) -> None:
        assert notices(self.live(), event(K.AMENDED, 20, price=Decimal(100))) == [Notice.AMENDED]

    def test_older_terms_do_not_come_back(self) -> None:
        order = after(self.live(), event(K.AMENDED, 20, price=Decimal(99)))
        assert after(order, event(K.AMENDED, 15, price=Decimal(98))).price == Decimal(99)
        assert after(order, event(K.ACCEPTED, 20, Source.QUERY, price=Decimal(100))).price == Decimal(99)

    def test_an_amendment_that_we_missed_is_read_from_a_newer_fact(self) -> None:
        order, effects = apply(
            self.live(), event(K.ACCEPTED, 30, Source.QUERY, price=Decimal(97), amount=Decimal(12))
        )
        assert (order.price, order.amount) == (Decimal(97), Decimal(12))
        assert [effect.notice for effect in effects if isinstance(effect, Told)] == [Notice.AMENDED]

    def test_a_refused_amendment_leaves_the_order_and_is_told_once(self) -> None:
        order, effects = apply(self.live(), event(K.AMEND_REJECTED, reason="-5027"))
        assert (order.price, order.amount) == (Decimal(100), Decimal(10))
        assert effects == (Told(Notice.AMEND_FAILED, OrderStatus.PARTIALLY_FILLED, "-5027"),)
        assert apply(order, event(K.AMEND_REJECTED)) == (order, ())

    def test_a_refusal_says_nothing_about_the_terms_of_an_amendment_that_is_heard_after_it(self) -> None:
        refused = after(self.live(), event(K.AMEND_REJECTED, 50, Source.ACK, reason="the second one"))
        order, effects = apply(refused, event(K.AMENDED, 20, price=Decimal(99)))
        assert order.price == Decimal(99)
        assert effects == (Told(Notice.AMENDED, OrderStatus.PARTIALLY_FILLED),)

    def test_new_terms_that_a_query_shows_before_the_stream_tells_of_them_are_told_once(self) -> None:
        told = notices(
            self.live(),
            event(K.ACCEPTED, 20, Source.QUERY, price=Decimal(99), amount=Decimal(10)),
            event(K.AMENDED, 20, price=Decimal(99), amount=Decimal(10)),
        )
        assert told == [Notice.AMENDED]

    def test_an_amendment_without_terms_ends_what_was_asked_for_and_leaves_the_order(self) -> None:
        order, effects = apply(self.live(), event(K.AMENDED, 20))
        assert (order.price, order.amount, order.is_amending) == (Decimal(100), Decimal(10), False)
        assert [effect.notice for effect in effects if isinstance(effect, Told)] == [Notice.AMENDED]
        assert after(order, event(K.ACCEPTED, 15, Source.QUERY, price=Decimal(98))).price == Decimal(98)

    def test_amending_down_to_what_is_filled_completes_the_order(self) -> None:
        assert notices(self.live(), event(K.AMENDED, 20, amount=Decimal(4))) == [Notice.FILLED]

    def test_an_enlargement_heard_after_the_fill_reopens_the_order(self) -> None:
        order = after(submit(), event(K.ACCEPTED), filled("a", 10))
        order, effects = apply(order, event(K.AMENDED, 20, amount=Decimal(12)))
        assert order.status is Status.PARTIALLY_FILLED
        told = [effect for effect in effects if isinstance(effect, Told)]
        assert [one.notice for one in told] == [Notice.RESURRECTED, Notice.AMENDED]
        assert told[0].reason is not None
        assert "from 10 to 12" in told[0].reason
        assert notices(order, filled("b", 2)) == [Notice.FILLED]

    def test_market_orders_take_no_price(self) -> None:
        order = submit(type=OrderType.MARKET, price=None)
        assert after(order, event(K.ACCEPTED, price=Decimal(5))).price is None

    def test_zero_price_and_amount_are_no_terms(self) -> None:
        order = after(submit(), event(K.ACCEPTED, price=Decimal(0), amount=Decimal(0)))
        assert (order.price, order.amount) == (Decimal(100), Decimal(10))


class TestSnapshot:
    def test_it_shows_all_that_is_public(self) -> None:
        order = after(
            submit(side=OrderSide.SELL, reduce_only=True),
            event(K.ACCEPTED, eid="77"),
            event(K.FILLED, 20, fill=fill("a", 2, 100, fee="0.1")),
            event(K.FILLED, 30, fill=fill("b", 2, 104, fee="0.2")),
        )
        public = snapshot(order)
        assert public.exchange.value == "binance"
        assert (public.oid, public.eid, public.symbol) == (OID, "77", SYMBOL)
        assert public.status is OrderStatus.PARTIALLY_FILLED
        assert (public.amount, public.filled, public.remaining) == (Decimal(10), Decimal(4), Decimal(6))
        assert (public.price, public.average) == (100.0, 102.0)
        assert (public.last_filled, public.last_filled_price) == (Decimal(2), 104.0)
        assert (public.cost, public.cum_cost) == (Decimal(208), Decimal(408))
        assert (public.fee, public.fee_currency) == (Decimal("0.3"), "USDT")
        assert (public.reduce_only, public.timestamp, public.side) == (True, 30, OrderSide.SELL)

    def test_an_unfilled_order_has_no_average(self) -> None:
        public = snapshot(submit(type=OrderType.MARKET, price=None))
        assert (public.average, public.price, public.last_filled, public.cost) == (None, None, None, None)
        assert (public.filled, public.remaining, public.fee, public.cum_cost) == (
            Decimal(0),
            Decimal(10),
            Decimal(0),
            Decimal(0),
        )

    def test_of_several_fee_currencies_it_shows_the_latest(self) -> None:
        order = after(
            submit(),
            event(K.FILLED, fill=fill("a", 1, fee="0.1")),
            event(K.FILLED, fill=msgspec.structs.replace(fill("b", 1, fee="0.02"), fee_currency="BNB")),
        )
        public = snapshot(order)
        assert (public.fee, public.fee_currency) == (Decimal("0.02"), "BNB")

    def test_a_notice_is_shown_with_its_status_and_reason(self) -> None:
        order = after(submit(), event(K.ACCEPTED), CANCEL)
        order, (told,) = apply(order, event(K.CANCEL_REJECTED, reason="too late"))
        assert isinstance(told, Told)
        public = snapshot(order, told)
        assert (public.status, public.reason) == (OrderStatus.CANCEL_FAILED, "too late")
        assert snapshot(order).status is OrderStatus.ACCEPTED

    def test_the_state_survives_encoding(self) -> None:
        order = after(submit(), event(K.FILLED, fill=fill("a", 2, 100, fee="0.1")))
        assert msgspec.json.decode(msgspec.json.encode(order), type=OrderState) == order
