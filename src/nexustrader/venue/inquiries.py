"""What may be asked and changed about one account over REST: orders, executions, balances, positions, settings."""

from __future__ import annotations

from collections.abc import Iterable

from nexustrader.constants import AccountType
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.outcome import Conclusion
from nexustrader.domain.setting import SetPositionMode, Setting
from nexustrader.error import Denied, InstrumentError, OutcomeUnknown, VenueRejected
from nexustrader.venue.classify import conclude, reason_of
from nexustrader.venue.session import RestSession
from nexustrader.venue.spec import Request, Venue


class Inquiries:
    """The part of a `VenuePort` that asks. Symbols are those of the instruments that the account trades."""

    def __init__(self, account: str, venue: Venue, account_type: AccountType, session: RestSession) -> None:
        self.account = account
        self.absence_horizon_ms = venue.spec.absence_horizon_ms
        self.query_lag_ms = venue.spec.query_lag_ms_max
        self._venue = venue
        self._type = account_type
        self._session = session
        self._instruments: dict[str, Instrument] = {}
        self._by_key: dict[str, Instrument] = {}
        self._resolve = self._by_key.get

    def know_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Take these in the place of what was known of them."""
        for one in instruments:
            self._instruments[one.symbol] = one
            self._by_key[self._venue.key_of(one)] = one

    def _instrument(self, symbol: str) -> Instrument:
        try:
            return self._instruments[symbol]
        except KeyError:
            raise InstrumentError(
                f"{symbol} is not traded on {self._type.value} now: it is another account's symbol, or was delisted"
            ) from None

    # -- queries ---------------------------------------------------------------------------------------------

    async def query_order(self, symbol: str, oid: str, eid: str | None) -> ev.OrderEvent | None:
        for request in self._venue.query_order_requests(self._type, self._instrument(symbol), oid, eid):
            reply = await self._session.ask(request)
            orders = self._orders_in(reply.body) if reply.ok else []
            if orders:
                return orders[0]
        return None

    async def query_fills(self, symbol: str, oid: str, eid: str | None) -> list[ev.OrderEvent]:
        if eid is None:
            return []
        request = self._venue.fills_request(self._type, self._instrument(symbol), eid)
        fills = [] if request is None else await self._fills(request, oid)
        return [fill for fill in fills if fill.eid == eid]  # some venues can be asked for all orders' only

    async def query_fills_since(self, symbol: str, since_ms: int) -> list[ev.OrderEvent]:
        return await self._fills(
            self._venue.fills_since_request(self._type, self._instrument(symbol), since_ms), ""
        )

    async def _fills(self, request: Request, oid: str) -> list[ev.OrderEvent]:
        """Page by page. Raises what a page raises, and OutcomeUnknown for too many: half an answer is none."""
        parse, resolve = self._venue.parse_fills, self._resolve
        fills = [
            fill
            for body in await self._session.ask_whole((request,))
            for fill in parse(self._type, self.account, oid, resolve, body)
        ]
        return sorted(fills, key=lambda fill: fill.timestamp)  # some venues begin with the newest page

    async def query_open_orders(self, symbol: str | None = None) -> list[ev.OrderEvent]:
        instrument = self._instrument(symbol) if symbol is not None else None
        requests = self._venue.open_orders_requests(self._type, instrument)
        return [o for body in await self._session.ask_whole(requests) for o in self._orders_in(body)]

    def _orders_in(self, body: bytes) -> list[ev.OrderEvent]:
        return self._venue.parse_orders(self._type, self.account, self._resolve, body)

    async def query_balances(self) -> list[ev.BalanceEvent]:
        as_of_ms = self._as_of_ms()
        reply = await self._session.ask(self._venue.balances_request(self._type))
        return self._venue.parse_balances(self.account, reply.body, as_of_ms)

    async def query_positions(self) -> list[ev.PositionEvent]:
        as_of_ms = self._as_of_ms()
        parse, resolve = self._venue.parse_positions, self._resolve
        return [
            position
            for body in await self._session.ask_whole(self._venue.positions_requests(self._type))
            for position in parse(self.account, resolve, body, as_of_ms)
        ]

    async def change(self, setting: Setting) -> None:
        instrument = None if isinstance(setting, SetPositionMode) else self._instrument(setting.symbol)
        request = self._venue.setting_request(self._type, instrument, setting)
        if request is None:
            raise Denied(f"{self.account}: {self._type.value} has no call for {setting}; set it at the venue")
        reply = await self._session.send_in_sync(request)
        conclusion = conclude(self._venue.spec, reply)
        problem = f"{self.account}: {setting}: {reason_of(reply)}"
        if conclusion is Conclusion.REJECTED:
            raise VenueRejected(problem, reply.code)
        if conclusion is not Conclusion.ACCEPTED:
            raise OutcomeUnknown(problem)

    def _as_of_ms(self) -> int:
        """The moment as of which a list that is asked for now is certain to be right.

        Race: a change that the stream tells after this moment may be newer than the list, whichever arrives first.
        So it is counted by the clock by which the stream counts, and the venue's lag is taken off.
        """
        return self._session.time.now_ms() - self.query_lag_ms
