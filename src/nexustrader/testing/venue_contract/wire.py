"""Bytes that cannot be what they should be: nothing is concluded from them, and nothing stops."""

from __future__ import annotations

import pytest

from nexustrader.constants import OrderStatus, OrderType
from nexustrader.domain.outcome import Conclusion
from nexustrader.emulator.faults import GARBLES
from nexustrader.error import OutcomeUnknown, WireError
from nexustrader.testing.venue_contract.case import Case, on_desk
from nexustrader.testing.venue_contract.desk import BUY, Desk
from nexustrader.venue.classify import conclude
from nexustrader.venue.spec import Reply

HUGE = 2_000_000
DEEP = 10_000
JUNK: dict[str, bytes] = {
    "empty": b"",
    "a space": b" ",
    "no JSON": b"hello",
    "a page": b"<html><body>502 Bad Gateway</body></html>",
    "half an object": b'{"a":',
    "half a text": b'{"a":"',
    "an empty object": b"{}",
    "an empty list": b"[]",
    "null": b"null",
    "a number": b"12",
    "too large a number": b'{"id":1e999999}',
    "not a number": b'{"id":NaN}',
    "no UTF-8": b'{"id":"\xff\xfe"}',
    "a zero byte": b'{"id":"\x00"}',
    "a long text": b'{"x":"' + b"x" * HUGE + b'"}',
    "a long list": b"[" + b"1," * (HUGE // 2) + b"1]",
    "a deep list": b"[" * DEEP + b"]" * DEEP,
    "a deep object": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "unknown words": b'{"e":"neverHeardOf","op":"neverHeardOf","topic":"never.heard.of","data":{"x":1}}',
    "a list for an object": b'{"data":[[[]]],"topic":[],"stream":{},"e":[],"id":[]}',
    "a stranger's reply": b'{"id":"u999","status":200,"reqId":"u999","req_id":"u999","retCode":0,"result":{}}',
    "a reply to nothing": b'{"id":"999999","status":200,"reqId":"999999","retCode":0,"result":{}}',
}


class Wire(Case):
    """The part of the contract that is about what cannot be read."""

    def junk(self) -> dict[str, bytes]:
        """Frames to survive; a venue may add its own."""
        prefix = self.venue.spec.topic_prefix
        topics = (
            {}
            if not prefix
            else {
                "a topic without end": prefix,
                "a topic of nobody": prefix + b'nobody","data":{}}',
                "a topic and half a frame": prefix + b'nobody","data":{"a":[1,2',
            }
        )
        return JUNK | topics

    @pytest.mark.parametrize("private", [False, True], ids=["market", "private"])
    @on_desk()
    async def test_frames_that_cannot_be_read_stop_nothing(self, desk: Desk, private: bool) -> None:
        await desk.start()
        resting = desk.rest()
        await desk.accepted(resting)
        for what, frame in self.junk().items():
            await desk.until(desk.venue.sockets, "a socket is open again")
            assert desk.venue.say(frame, private=private), what
            await desk.pass_s(0.05)
        await desk.quoted_anew()
        taken = await desk.closed(desk.create(BUY, OrderType.MARKET))
        assert taken.public_status is OrderStatus.FILLED, taken.reason
        await desk.agrees()
        assert desk.state(resting).is_open

    @pytest.mark.parametrize("how", GARBLES)
    @pytest.mark.parametrize("on", ["order.place", "order.cancel", "queries"])
    @on_desk()
    async def test_replies_that_cannot_be_read_conclude_nothing(self, desk: Desk, on: str, how: str) -> None:
        await desk.start()
        desk.venue.inject("garble_reply", on=on, how=how, count=2)
        desk.venue.inject("drop_event", count=1)  # so that the reply is the only word
        oid = desk.rest(ws=False)
        await desk.accepted(oid)
        desk.cancel(oid, ws=False)
        state = await desk.closed(oid)
        assert state.public_status is OrderStatus.CANCELED, state.reason
        desk.venue.inject("disconnect")  # lists are asked for after it
        await desk.reconnected()
        desk.venue.lift("garble_reply")
        await desk.agrees()

    def test_what_cannot_be_read_raises_wire_error_and_nothing_else(self) -> None:
        venue = self.venue
        for what, raw in self.junk().items():
            for read in (
                venue.parse_server_time,
                lambda raw: venue.parse_instruments(self.public_type, raw),
                lambda raw: venue.parse_balances("", raw, 0),
                lambda raw: venue.parse_positions("", lambda _: None, raw, 0),
                lambda raw: venue.parse_orders(self.account_type, "", lambda _: None, raw),
                lambda raw: venue.parse_fills(self.account_type, "", "", lambda _: None, raw),
                lambda raw: venue.parse_user_event(self.account_type, "", lambda _: None, raw),
                venue.parse_ws_reply,
                lambda raw: venue.parse_rest_reply(200, {}, raw, 0),
                lambda raw: venue.parse_rest_reply(500, {}, raw, 0),
                venue.topic_of,
                venue.control_problem,
            ):
                try:
                    read(raw)
                except (WireError, OutcomeUnknown):
                    continue
                except Exception as error:  # tidy: ok — that is what is looked for
                    raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error

    def test_a_code_that_nobody_knows_concludes_unknown(self) -> None:
        for status in (200, 400, 403, 500, 503):
            reply = Reply(False, status, "987654321", "never heard of")
            assert conclude(self.venue.spec, reply) is Conclusion.UNKNOWN
