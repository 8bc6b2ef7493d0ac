"""How private events arrive: on the order socket after a signed subscription, or on a listen-key stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from nexustrader.constants import AccountType
from nexustrader.domain.outcome import Conclusion
from nexustrader.error import (
    AuthFailed,
    NexusTraderError,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    VenueRejected,
    WireError,
)
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.classify import conclude, reason_of, rule_of
from nexustrader.venue.session import RestSession
from nexustrader.venue.spec import Reply, Resolve, Signer, Venue
from nexustrader.venue.stream import Stream
from nexustrader.venue.transport import Transport

LOGON_TIMEOUT_S = 10.0

Deliver = Callable[[Any], None]

_log = get_logger("UserStream")


class UserStream(Protocol):
    """What the gateway needs of either kind."""

    def start(self) -> None: ...
    async def wait_up(self) -> None:
        """Return when private events flow. Raises AuthFailed when they never will."""

    async def stop(self) -> None: ...
    def renew(self, reason: str) -> None:
        """Close the socket that carries private events; its reconnect starts them anew and resyncs."""

    async def on_trade_up(self) -> None: ...
    def on_trade_down(self, _reason: str) -> None: ...
    def on_trade_frame(self, raw: bytes) -> None: ...
    def on_trade_reply(self, reply: Reply) -> None: ...


class _Reader:
    """Decodes private frames and delivers their facts; says so when one cannot be read."""

    def __init__(
        self, account: str, venue: Venue, account_type: AccountType, resolve: Resolve, deliver: Deliver
    ) -> None:
        self.account = account
        self._venue = venue
        self._type = account_type
        self._resolve = resolve
        self.deliver = deliver
        self._failed: NexusTraderError | None = None
        self._settled = asyncio.Event()  # up, or failed
        self._is_up = False
        self._was_up = False

    def read(self, raw: bytes) -> None:
        try:
            facts = self._venue.parse_user_event(self._type, self.account, self._resolve, raw)
        except WireError as error:
            # The frame may have been a fill: nothing is concluded from it, the venue is asked instead.
            _log.error(f"{self.account}: a private message cannot be read, asking the venue instead: {error}")
            self.deliver("resync_needed")
            return
        for fact in facts:
            self.deliver(fact)

    def mark_up(self) -> None:
        self._is_up, self._failed = True, None
        self._settled.set()
        self.deliver("connected")
        if self._was_up:
            self.deliver("reconnected")
        self._was_up = True

    def mark_down(self) -> None:
        if self._is_up:
            self._is_up = False
            self._settled.clear()
            self.deliver("disconnected")

    def fail(self, error: NexusTraderError) -> None:
        """The credentials were refused: a start ends here; a stream that ran before goes on trying, and says so."""
        _log.error(f"{self.account}: no private events: {error}")
        self._failed = error
        self._settled.set()

    async def wait_up(self) -> None:
        await self._settled.wait()
        if self._failed is not None:
            raise self._failed


class TradeSocketStream(_Reader):
    """Private events share the order socket; one signed request per connection starts them."""

    def __init__(
        self,
        account: str,
        venue: Venue,
        account_type: AccountType,
        resolve: Resolve,
        deliver: Deliver,
        send: Callable[[Callable[[str], bytes]], None],
        drop: Callable[[str], None],
        signer: Signer,
        now_ms: Callable[[], int],
    ) -> None:
        super().__init__(account, venue, account_type, resolve, deliver)
        self._send = send
        self._drop = drop
        self._signer = signer
        self._now_ms = now_ms
        self._reply: asyncio.Future[Reply] | None = None

    def start(self) -> None:
        """Nothing to do: the order socket's connect starts it."""

    async def stop(self) -> None:
        """Nothing to do: it ends with the order socket."""

    def renew(self, reason: str) -> None:
        self._drop(reason)

    async def on_trade_up(self) -> None:
        """Subscribe. Raises NotSent when private events do not flow, so that the socket is reconnected."""
        self._reply = asyncio.get_running_loop().create_future()
        self._send(lambda rid: self._venue.user_subscribe_frame(rid, self._signer, self._now_ms()))
        try:
            reply = await asyncio.wait_for(self._reply, LOGON_TIMEOUT_S)
        except TimeoutError:
            raise NotSent(f"{self.account}: no answer to the private subscription") from None
        if conclude(self._venue.spec, reply) is Conclusion.ACCEPTED:
            self.mark_up()
            return
        problem = f"account {self.account}: private events refused: {reason_of(reply)}"
        if rule_of(self._venue.spec, reply).fatal_auth:
            self.fail(AuthFailed(problem, reply.code))
        raise NotSent(problem)

    def on_trade_down(self, _reason: str) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.cancel()
        self.mark_down()

    def on_trade_frame(self, raw: bytes) -> None:
        self.read(raw)

    def on_trade_reply(self, reply: Reply) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(reply)


class ListenKeyStream(_Reader):
    """Private events on a socket of their own, whose URL holds a key that must be kept alive."""

    def __init__(
        self,
        account: str,
        venue: Venue,
        account_type: AccountType,
        resolve: Resolve,
        deliver: Deliver,
        stream_url: str,
        session: RestSession,
        transport: Transport,
        tasks: TaskManager,
        entropy: Entropy,
    ) -> None:
        super().__init__(account, venue, account_type, resolve, deliver)
        self._base = stream_url
        self._session = session
        self._tasks = tasks
        self._stream = Stream(
            f"{account} private",
            self._url,
            transport,
            tasks,
            entropy,
            on_frame=self.read,
            on_up=self._on_up,
            on_down=lambda _reason: self.mark_down(),
        )

    def start(self) -> None:
        self._stream.start()
        self._tasks.create_task(self._keep_alive(), name=f"listen key {self.account}")

    async def stop(self) -> None:
        await self._stream.stop()

    def renew(self, reason: str) -> None:
        self._stream.drop(reason)  # the next connect fetches a new key

    async def _url(self) -> str:
        request = self._venue.listen_key_request(self._type, keepalive=False)
        try:
            reply = await self._session.ask(request)
        except AuthFailed as error:
            self.fail(error)
            raise NotSent(str(error)) from None
        except (OutcomeUnknown, VenueRejected) as error:
            raise NotSent(f"no listen key: {error}") from None
        try:
            key = self._venue.parse_listen_key(reply.body)
        except WireError as error:
            raise NotSent(f"no listen key: {error}") from None
        return self._base + self._venue.listen_key_route(self._type, key)

    async def _on_up(self, _reconnected: bool) -> None:
        self.mark_up()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._venue.spec.listen_key_keepalive_ms / 1000)
            try:
                await self._session.ask(self._venue.listen_key_request(self._type, keepalive=True))
            except (NotSent, OutcomeUnknown, RateLimited) as error:
                _log.warning(f"{self.account}: the listen key was not refreshed, trying again: {error}")
            except VenueRejected as error:
                _log.warning(f"{self.account}: the listen key is gone ({error}), fetching a new one")
                self.renew("the listen key could not be kept alive")

    async def on_trade_up(self) -> None:
        """The order socket carries no private events here."""

    def on_trade_down(self, _reason: str) -> None:
        """The order socket carries no private events here."""

    def on_trade_frame(self, raw: bytes) -> None:
        """The order socket carries no private events here."""

    def on_trade_reply(self, reply: Reply) -> None:
        """No request of ours goes over the order socket."""
