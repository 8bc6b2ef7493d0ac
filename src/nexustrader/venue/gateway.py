"""One account at one venue, over the real wire: the `VenuePort` of the live, emulated and chaos worlds.

The gateway turns commands into requests and replies into results. It never decides what becomes of an order: it only
says what was concluded (`execution/` does the rest), and it never sends a command twice by itself, except after a
refusal for clock skew, which proves that nothing was done.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from nexustrader.constants import AccountType
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.outcome import CommandKind, Conclusion, Route
from nexustrader.error import (
    AuthFailed,
    Denied,
    EngineBuildError,
    NotSent,
    OutcomeUnknown,
    WireError,
)
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock, VenueSink
from nexustrader.kernel.redaction import redact
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.classify import conclude, reason_of, rule_of
from nexustrader.venue.dialogue import Dialogue
from nexustrader.venue.inquiries import Inquiries
from nexustrader.venue.requests import PendingRequests
from nexustrader.venue.session import CLOCK_SYNC_MAX_AGE_MS, RestSession
from nexustrader.venue.spec import Endpoints, Reply, Request, UserStreamKind, Venue
from nexustrader.venue.stream import Stream, pulse_of
from nexustrader.venue.transport import Transport
from nexustrader.venue.user_stream import (
    ListenKeyStream,
    ListenTokenStream,
    PrivateSocketStream,
    TradeSocketStream,
    UserStream,
)

START_TIMEOUT_S = 20.0
ORDER_KINDS: Mapping[type, CommandKind] = {
    ev.Submit: CommandKind.CREATE,
    ev.Cancel: CommandKind.CANCEL,
    ev.Amend: CommandKind.AMEND,
    ev.CancelAll: CommandKind.CANCEL_ALL,
}
# What a venue says when private events stop: their socket is closed at once, and its reconnect resyncs.
RENEW_SILENTLY = frozenset({"stream_terminated", "server_shutdown"})
RENEW_AT = RENEW_SILENTLY | {"listen_key_expired"}

T = TypeVar("T")

_log = get_logger("Gateway")


class Gateway(Inquiries):
    """Commands out, facts in, for one account."""

    def __init__(
        self,
        account: str,
        venue: Venue,
        account_type: AccountType,
        endpoints: Endpoints,
        instruments: Mapping[str, Instrument],
        session: RestSession,
        transport: Transport,
        clock: Clock,
        tasks: TaskManager,
        entropy: Any,
    ) -> None:
        if session.signer is None:
            raise EngineBuildError(f"account {account} needs a signer")
        super().__init__(account, venue, account_type, session)
        self.know_instruments(instruments.values())
        self._signer = session.signer
        self._clock = clock
        self._tasks = tasks
        self._sink: VenueSink | None = None
        self._ids = itertools.count(1)
        self._pending: PendingRequests[ev.Command] = PendingRequests(
            clock, venue.spec.ack_timeout_ms, self._on_ack_timeout
        )
        self._trade: Stream | None = None
        self._is_logged_on = False  # on the order socket
        if endpoints.trade is not None:
            trade_url = endpoints.trade
            self._trade = Stream(
                f"{account} orders",
                lambda: _ready(trade_url),
                transport,
                tasks,
                entropy,
                on_frame=self._on_trade_frame,
                on_up=self._on_trade_up,
                on_down=self._on_trade_down,
                pulse=pulse_of(venue.spec),
            )
        self._dialogue = Dialogue(account, venue, self._signer, session.time, self._send_trade)
        self._user = self._make_user_stream(endpoints, transport, entropy)

    def _make_user_stream(self, endpoints: Endpoints, transport: Transport, entropy: Any) -> UserStream:
        common = (self.account, self._venue, self._type, self._resolve, self._deliver)
        kind = self._venue.user_stream(self._type)
        if kind is UserStreamKind.TRADE_SOCKET:
            return TradeSocketStream(*common, self._drop_trade)
        if kind is UserStreamKind.LISTEN_KEY:
            return ListenKeyStream(*common, endpoints.stream, self._session, transport, self._tasks, entropy)
        if endpoints.private is None:
            raise EngineBuildError(
                f"account {self.account}: the venue names no address of its private socket"
            )
        made = ListenTokenStream if kind is UserStreamKind.LISTEN_TOKEN else PrivateSocketStream
        return made(*common, endpoints.private, self._session, transport, self._tasks, entropy)

    def attach(self, sink: VenueSink) -> None:
        self._sink = sink
        self._session.on_ban = partial(self._deliver, "banned")

    async def start(self) -> None:
        """Connect and authenticate. Raises AuthFailed, OutcomeUnknown or NotSent."""
        if self._sink is None:
            raise EngineBuildError(f"account {self.account} was started before a sink was attached")
        await self._session.sync_time()
        await self._tell_position_mode()
        if self._trade is not None:
            self._trade.start()
        self._user.start()
        try:
            await asyncio.wait_for(self._wait_ready(), START_TIMEOUT_S)
        except TimeoutError:
            raise OutcomeUnknown(
                f"account {self.account}: no private connection within {START_TIMEOUT_S} s. "
                f"Is {self._session.base_url} reachable?"
            ) from None
        self._tasks.create_task(self._keep_time(), name=f"clock {self.account}")

    async def _wait_ready(self) -> None:
        await self._user.wait_up()  # first: only this one says that the credentials are refused
        if self._trade is not None:
            await self._trade.wait_up()

    async def _tell_position_mode(self) -> None:
        request = self._venue.position_mode_request(self._type)
        if request is None:
            return
        reply = await self._session.ask(request)
        if self._venue.parse_is_hedge_mode(reply.body):
            _log.warning(
                f"{self.account} is in hedge mode: every order in its contracts needs position_side=, LONG or SHORT"
            )

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_SYNC_MAX_AGE_MS / 1000)
            await self._correct_clock()

    async def _correct_clock(self) -> None:
        try:
            await self._session.sync_time()
        except (NotSent, OutcomeUnknown) as error:
            _log.warning(f"{self.account}: the clock offset stays as it was: {error}")

    async def stop(self) -> None:
        await self._user.stop()
        if self._trade is not None:
            await self._trade.stop()

    def renew(self, reason: str) -> None:
        self._user.renew(reason)

    # -- commands --------------------------------------------------------------------------------------------

    def submit(self, command: ev.Submit) -> None:
        weight = 0 if command.route is Route.WS else 1
        if wait_ms := self._session.order_wait_ms(self._pool_of(command.symbol), 1, weight):
            reason = f"order rate limit reached, free again in {wait_ms} ms"
            self._finish(command, Conclusion.NOT_SENT, reason)
        elif command.route is Route.WS:
            self._by_socket(command)
        else:
            self._by_rest(command, partial(self._order_request, command))

    def submit_batch(self, commands: Sequence[ev.Submit]) -> None:
        """In as few requests as the venue allows; an order that makes no request fails alone."""
        usable = [c for c in commands if self._built(c, partial(self._order_request, c)) is not None]
        for batch in batched(usable, self._batch_of):
            if len(batch) == 1:
                self.submit(batch[0])
                continue
            pool = self._pool_of(batch[0].symbol)
            if wait_ms := self._session.order_wait_ms(pool, len(batch), len(batch)):
                reason = f"order rate limit reached, free again in {wait_ms} ms"
                self._finish_all(batch, Conclusion.NOT_SENT, reason)
                continue
            orders = [(self._instrument(command.symbol), command) for command in batch]
            try:
                request = self._venue.batch_request(self._type, orders)
            except Exception as error:  # tidy: ok — a command always ends in a result; these have not left
                for command in batch:
                    self._unbuilt(command, error)
                continue
            self._begin(batch, request)

    def _batch_of(self, command: ev.Submit) -> tuple[str, int]:
        instrument = self._instrument(command.symbol)
        return self._venue.order_pool(instrument), self._venue.batch_max(self._type, instrument, command.type)

    def _order_request(self, command: ev.Submit, instrument: Instrument) -> Request:
        return self._venue.order_request(self._type, instrument, command)

    def cancel(self, command: ev.Cancel) -> None:
        if command.route is Route.WS:
            self._by_socket(command)
        else:
            self._by_rest(command, lambda i: self._venue.cancel_request(self._type, i, command))

    def amend(self, command: ev.Amend) -> None:
        self._by_rest(command, lambda i: self._venue.amend_request(self._type, i, command))

    def cancel_all(self, command: ev.CancelAll) -> None:
        self._by_rest(command, lambda i: self._venue.cancel_all_request(self._type, i, command))

    def _by_socket(self, command: ev.Submit | ev.Cancel) -> None:
        trade = self._trade
        if trade is None:
            self._finish(command, Conclusion.NOT_SENT, f"{self._type.value} has no order socket")
            return
        if not self._is_logged_on:
            # Race: on a socket that is open but not logged on the venue refuses what it would else have taken.
            self._finish(command, Conclusion.NOT_SENT, "the order socket is not connected and logged on")
            return
        request_id = f"{next(self._ids)}"
        try:
            frame = self._venue.order_frame(
                self._type,
                self._instrument(command.symbol),
                command,
                request_id,
                self._signer,
                self._session.time.now_ms(),
            )
        except Exception as error:  # tidy: ok — a command always ends in a result; this one has not left
            self._unbuilt(command, error)
            return
        try:
            trade.send(frame)
        except NotSent as error:
            self._finish(command, Conclusion.NOT_SENT, str(error))
            return
        except Exception as error:  # tidy: ok — a command always ends in a result; this one may have left
            _log.exception(f"{self.account}: the order socket failed")
            self._finish(command, Conclusion.UNKNOWN, _words(error))
            return
        self._pending.add(request_id, command)
        if type(command) is ev.Submit:
            self._session.limiter.spend(self._pool_of(command.symbol), 1, self._clock.timestamp_ms())

    def _by_rest(self, command: ev.Command, build: Callable[[Instrument], Request | None]) -> None:
        request = self._built(command, build)
        if request is not None:
            self._begin((command,), request)

    def _begin(self, commands: Sequence[ev.Command], request: Request) -> None:
        self._tasks.create_task(self._send(commands, request), name=f"{self.account} {request.path}")

    def _built(self, command: ev.Command, build: Callable[[Instrument], T | None]) -> T | None:
        """What `build` makes of the command. None when nothing can be made: then it has ended, unsent."""
        try:
            built = build(self._instrument(command.symbol))
            if built is None:
                raise Denied(f"{self._type.value} has no such call")
        except Exception as error:  # tidy: ok — a command always ends in a result; this one has not left
            self._unbuilt(command, error)
            return None
        return built

    def _unbuilt(self, command: ev.Command, error: Exception) -> None:
        """End a command of which no request could be made: nothing has left."""
        reason = str(error)
        if isinstance(error, NotSent):  # it does not go this way, but it may go by another
            self._finish(command, Conclusion.NOT_SENT, reason)
            return
        if not isinstance(error, Denied):
            _log.exception(f"{self.account}: a request could not be built")
            reason = f"the request could not be built: {_words(error)}"
        # A change that was not sent leaves its order as it is; an order that was not sent does not exist.
        is_create = isinstance(command, ev.Submit)
        self._finish(command, Conclusion.REJECTED if is_create else Conclusion.NOT_SENT, reason)

    async def _send(self, commands: Sequence[ev.Command], request: Request) -> None:
        """One request, and the end of what it asked for."""
        try:
            if banned := self._session.banned_ms():
                raise NotSent(f"the venue wants silence for another {banned} ms")
            reply = await self._session.send_in_sync(request)
            replies = [reply] * len(commands)  # a refusal of the whole is one of each
            if reply.ok and len(commands) > 1:
                replies = self._venue.parse_batch_reply(reply.body)
            if len(replies) != len(commands):
                raise OutcomeUnknown(f"{len(replies)} answers to {len(commands)} orders")
        except NotSent as error:
            self._finish_all(commands, Conclusion.NOT_SENT, str(error))
        except (OutcomeUnknown, WireError) as error:
            self._finish_all(commands, Conclusion.UNKNOWN, str(error))
        except Exception as error:  # tidy: ok — a command always ends in a result; this one may have left
            _log.exception(f"{self.account}: {request.path} failed")
            self._finish_all(commands, Conclusion.UNKNOWN, _words(error))
        else:
            for command, its_reply in zip(commands, replies, strict=True):
                self._on_reply(command, its_reply)

    def _finish_all(self, commands: Sequence[ev.Command], conclusion: Conclusion, reason: str) -> None:
        for command in commands:
            self._finish(command, conclusion, reason)

    def _send_trade(self, frame: bytes) -> None:
        if self._trade is None:
            raise NotSent(f"{self.account} has no order socket")
        self._trade.send(frame)

    def _drop_trade(self, reason: str) -> None:
        if self._trade is not None:
            self._trade.drop(reason)

    def _pool_of(self, symbol: str) -> str:
        instrument = self._instruments.get(symbol)
        return self._venue.order_pool(instrument) if instrument is not None else ""

    # -- conclusions -----------------------------------------------------------------------------------------

    def _on_reply(self, command: ev.Command, reply: Reply, *, is_late: bool = False) -> None:
        conclusion = conclude(self._venue.spec, reply)
        events: tuple[ev.OrderEvent, ...] = ()
        reason = None if conclusion is Conclusion.ACCEPTED else reason_of(reply)
        if conclusion is Conclusion.ACCEPTED:
            now_ms = self._session.time.now_ms()
            try:
                events = self._venue.parse_order_reply(
                    self._type, self._instruments[command.symbol], command, reply.body, now_ms
                )
            except Exception as error:  # tidy: ok — an answer that cannot be read is no answer
                conclusion, reason = Conclusion.UNKNOWN, _words(error)
        if not (is_late and conclusion is Conclusion.UNKNOWN):  # that was concluded when its time was up
            self._finish(command, conclusion, reason, reply, events, is_late=is_late)

    def _finish(
        self,
        command: ev.Command,
        conclusion: Conclusion,
        reason: str | None,
        reply: Reply | None = None,
        events: tuple[ev.OrderEvent, ...] = (),
        *,
        is_late: bool = False,
    ) -> None:
        assert self._sink is not None
        self._sink.on_result(
            ev.CommandResult(
                kind=ORDER_KINDS[type(command)],
                conclusion=conclusion,
                oid="" if isinstance(command, ev.CancelAll) else command.oid,
                symbol=command.symbol,
                account=self.account,
                timestamp=self._clock.timestamp_ms(),
                route=command.route if isinstance(command, ev.Submit | ev.Cancel) else Route.REST,
                attempt=command.attempt if isinstance(command, ev.Submit | ev.Cancel) else 1,
                is_late=is_late,
                reason=reason,
                code=reply.code if reply is not None else None,
                events=events,
                retry_after_ms=reply.retry_after_ms if reply is not None else None,
            )
        )

    # -- order socket ----------------------------------------------------------------------------------------

    async def _on_trade_up(self, _reconnected: bool) -> None:
        try:
            await self._dialogue.log_on()
        except AuthFailed as error:
            raise NotSent(str(error)) from None  # the private stream says the same, and ends the start
        self._is_logged_on = True
        await self._user.on_trade_up(self._dialogue)

    def _on_trade_down(self, reason: str) -> None:
        self._is_logged_on = False
        # Race: a reply may have been on its way when the socket closed. What was sent is UNKNOWN, never failed.
        for command in self._pending.take_all():
            self._finish(command, Conclusion.UNKNOWN, f"the order socket closed before the reply: {reason}")
        self._dialogue.end()
        self._user.on_trade_down(reason)

    def _on_ack_timeout(self, command: ev.Command) -> None:
        self._finish(command, Conclusion.UNKNOWN, f"no ACK within {self._venue.spec.ack_timeout_ms} ms")

    def _on_trade_frame(self, raw: bytes) -> None:
        try:
            answer = self._venue.parse_ws_reply(raw)
        except WireError as error:
            # It may have been the reply to an order, which now times out and is asked for; or a private event.
            _log.error(f"{self.account}: a frame on the order socket cannot be read: {error}")
            self._deliver("resync_needed")
            return
        if answer is None:
            self._user.on_trade_frame(raw)
            return
        if self._dialogue.on_reply(answer):
            return
        if answer.request_id is None:
            _log.warning(
                f"{self.account}: the venue answered no request in particular: {reason_of(answer.reply)}"
            )
            return
        if not answer.reply.ok:
            self._heed(answer.reply)
        command = self._pending.take(answer.request_id)
        if command is not None:
            self._on_reply(command, answer.reply)
            return
        late = self._pending.take_late(answer.request_id)
        if late is not None:
            self._on_reply(late, answer.reply, is_late=True)

    def _heed(self, reply: Reply) -> None:
        """Take from a refusal on the order socket what concerns the orders after it: the limits and the clock."""
        self._session.heed(reply, f"{self.account} order socket")
        if rule_of(self._venue.spec, reply).retry_after_sync:
            self._tasks.create_task(self._correct_clock(), name=f"clock {self.account}")

    # -- facts -----------------------------------------------------------------------------------------------

    def _deliver(self, fact: ev.OrderEvent | ev.BalanceEvent | ev.PositionEvent | str) -> None:
        assert self._sink is not None
        if isinstance(fact, ev.OrderEvent):
            self._sink.on_order_event(fact)
        elif isinstance(fact, ev.BalanceEvent):
            self._sink.on_balance(fact)
        elif isinstance(fact, ev.PositionEvent):
            self._sink.on_position(fact)
        else:
            if fact not in RENEW_SILENTLY:
                self._sink.on_status(self.account, fact)
            if fact in RENEW_AT:
                self._user.renew(fact)


async def _ready(url: str) -> str:
    return url


def _words(error: Exception) -> str:
    """An error that nobody foresaw, as text that may be journalled and shown: without any secret."""
    return redact(f"{type(error).__name__}: {error}")


def batched(
    commands: Iterable[ev.Submit], batch_of: Callable[[ev.Submit], tuple[str, int]]
) -> Iterator[list[ev.Submit]]:
    """Commands in their order, in batches of one pool. `batch_of`: the pool of each, and how many of it go together."""
    batch: list[ev.Submit] = []
    kind_of_batch = ("", 0)
    for command in commands:
        kind = batch_of(command)
        if batch and (kind != kind_of_batch or len(batch) >= kind[1]):
            yield batch
            batch = []
        kind_of_batch = kind
        batch.append(command)
    if batch:
        yield batch
