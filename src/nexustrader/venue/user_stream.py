"""How private events arrive: on the order socket, on a private socket, or on a stream with a listen key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from nexustrader.constants import AccountType
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
from nexustrader.venue.classify import reason_of
from nexustrader.venue.dialogue import Dialogue
from nexustrader.venue.session import RestSession
from nexustrader.venue.spec import Resolve, Venue
from nexustrader.venue.stream import Stream, pulse_of
from nexustrader.venue.transport import Transport

Deliver = Callable[[Any], None]

_log = get_logger("UserStream")


class UserStream(Protocol):
    """What the gateway needs of each kind."""

    def start(self) -> None: ...
    async def wait_up(self) -> None:
        """Return when private events flow. Raises AuthFailed when they never will."""

    async def stop(self) -> None: ...
    def renew(self, reason: str) -> None:
        """Close the socket that carries private events; its reconnect starts them anew and resyncs."""

    async def on_trade_up(self, dialogue: Dialogue) -> None:
        """The order socket is up and logged on. Raises NotSent when it has to be connected anew."""

    def on_trade_down(self, _reason: str) -> None: ...
    def on_trade_frame(self, raw: bytes) -> None: ...


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


class _OwnSocket(_Reader):
    """Private events come on a socket of their own, and nothing of them on the order socket."""

    def __init__(
        self,
        account: str,
        venue: Venue,
        account_type: AccountType,
        resolve: Resolve,
        deliver: Deliver,
        url: str,
        session: RestSession,
        transport: Transport,
        tasks: TaskManager,
        entropy: Entropy,
    ) -> None:
        super().__init__(account, venue, account_type, resolve, deliver)
        assert session.signer is not None
        self._address = url
        self._session = session
        self._tasks = tasks
        self._stream = Stream(
            f"{account} private",
            self._url,
            transport,
            tasks,
            entropy,
            on_frame=self._on_frame,
            on_up=self._on_up,
            on_down=self._on_down,
            pulse=pulse_of(venue.spec),
        )
        self._dialogue = Dialogue(account, venue, session.signer, session.time, self._stream.send)

    def start(self) -> None:
        self._stream.start()

    async def stop(self) -> None:
        await self._stream.stop()

    def renew(self, reason: str) -> None:
        self._stream.drop(reason)

    async def _url(self) -> str:
        return self._address

    async def _on_up(self, _reconnected: bool) -> None:
        self.mark_up()

    def _on_down(self, _reason: str) -> None:
        self.mark_down()

    def _on_frame(self, raw: bytes) -> None:
        self.read(raw)

    async def on_trade_up(self, _dialogue: Dialogue) -> None:
        """Nothing of ours is said there."""

    def on_trade_down(self, _reason: str) -> None:
        """Nothing of ours ends with it."""

    def on_trade_frame(self, _raw: bytes) -> None:
        """Nothing of ours comes there."""


class TradeSocketStream(_Reader):
    """Private events share the order socket; one signed request per connection starts them."""

    def __init__(
        self,
        account: str,
        venue: Venue,
        account_type: AccountType,
        resolve: Resolve,
        deliver: Deliver,
        drop: Callable[[str], None],
    ) -> None:
        super().__init__(account, venue, account_type, resolve, deliver)
        self._drop = drop

    def start(self) -> None:
        """Nothing to do: the order socket's connect starts it."""

    async def stop(self) -> None:
        """Nothing to do: it ends with the order socket."""

    def renew(self, reason: str) -> None:
        self._drop(reason)

    async def on_trade_up(self, dialogue: Dialogue) -> None:
        """Subscribe. Raises NotSent when private events do not flow, so that the socket is reconnected."""
        try:
            await dialogue.subscribe()
        except AuthFailed as error:
            self.fail(error)
            raise NotSent(str(error)) from None
        self.mark_up()

    def on_trade_down(self, _reason: str) -> None:
        self.mark_down()

    def on_trade_frame(self, raw: bytes) -> None:
        self.read(raw)


class PrivateSocketStream(_OwnSocket):
    """Private events on a socket of their own: a signed logon, then a subscription."""

    async def _agree(self) -> None:
        """Whatever has to be agreed on before events flow. Raises AuthFailed or NotSent."""
        await self._dialogue.log_on()
        await self._dialogue.subscribe()

    async def _on_up(self, _reconnected: bool) -> None:
        try:
            await self._agree()
        except AuthFailed as error:
            self.fail(error)
            raise NotSent(str(error)) from None
        self.mark_up()

    def _on_down(self, reason: str) -> None:
        self._dialogue.end()
        super()._on_down(reason)

    def _on_frame(self, raw: bytes) -> None:
        try:
            answer = self._venue.parse_ws_reply(raw)
        except WireError:
            answer = None  # reading it as a private event says what is wrong
        if answer is None:
            self.read(raw)
        elif not self._dialogue.on_reply(answer):
            _log.warning(f"{self.account}: the venue says: {reason_of(answer.reply)}")


class ListenTokenStream(PrivateSocketStream):
    """Private events begun by tokens that REST gives, one for each part of the account, and prolonged by new ones."""

    def start(self) -> None:
        super().start()
        self._tasks.create_task(self._prolong(), name=f"listen tokens {self.account}")

    async def _agree(self) -> None:
        venue, ask = self._venue, self._session.ask
        try:
            balances = await ask(venue.balances_request(self._type))
            for request in venue.listen_token_requests(self._type, balances.body):
                token = venue.parse_listen_token((await ask(request)).body)
                await self._dialogue.agree("private events", partial(self._frame, token))
        except AuthFailed:
            raise
        except (OutcomeUnknown, RateLimited, VenueRejected, WireError) as error:
            raise NotSent(f"no listen token: {error}") from None

    def _frame(self, token: str, request_id: str) -> bytes:
        return self._venue.listen_token_frame(request_id, token)

    async def _prolong(self) -> None:
        """Parts of the account that are new since are heard from then on. A lapse is told by the venue."""
        while True:
            await asyncio.sleep(self._venue.spec.listen_key_keepalive_ms / 1000)
            try:
                await self._agree()
            except (AuthFailed, NotSent) as error:
                _log.warning(f"{self.account}: private events were not prolonged, trying again: {error}")


class ListenKeyStream(_OwnSocket):
    """The socket's URL holds a key that must be kept alive; each connect asks for it anew."""

    def start(self) -> None:
        super().start()
        self._tasks.create_task(self._keep_alive(), name=f"listen key {self.account}")

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
        return self._address + self._venue.listen_key_route(self._type, key)

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
