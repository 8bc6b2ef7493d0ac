"""What is said on a socket besides commands: logons and subscriptions, each waiting for its reply."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from nexustrader.domain.outcome import Conclusion
from nexustrader.error import AuthFailed, NotSent
from nexustrader.venue.classify import conclude, reason_of, rule_of
from nexustrader.venue.session import VenueTime
from nexustrader.venue.spec import Reply, Signer, Venue, WsReply

REPLY_TIMEOUT_S = 10.0

Build = Callable[[str], bytes]  # request id -> frame


class Dialogue:
    """Questions of our own on one socket of an account. Their ids begin with a letter, those of commands do not."""

    def __init__(
        self, name: str, venue: Venue, signer: Signer, time: VenueTime, send: Callable[[bytes], None]
    ) -> None:
        self._name = name
        self._venue = venue
        self._signer = signer
        self._time = time
        self._send = send
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Reply]] = {}

    def on_reply(self, answer: WsReply) -> bool:
        """Take a reply to one of these questions; False when it answers something else."""
        request_id = answer.request_id
        if request_id is None or not request_id.startswith("u"):
            return False
        waiting = self._waiting.pop(request_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer.reply)
        return True

    def end(self) -> None:
        """The socket is gone: no reply will come.

        Race: whoever asks may be a task that outlives the socket. A cancelled future would end it without a word.
        """
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(NotSent(f"{self._name}: the socket closed before the reply"))
        self._waiting.clear()

    async def log_on(self) -> None:
        """Say who we are, where the venue wants it. Raises AuthFailed, or NotSent when it does not come about."""
        if self._venue.logon_frame("", self._signer, self._time.now_ms()) is not None:
            await self.agree("logon", self._logon)

    async def subscribe(self) -> None:
        """Ask for private events. Raises as `log_on`."""
        venue, signer, time = self._venue, self._signer, self._time
        await self.agree("private events", lambda rid: venue.user_subscribe_frame(rid, signer, time.now_ms()))

    def _logon(self, request_id: str) -> bytes:
        frame = self._venue.logon_frame(request_id, self._signer, self._time.now_ms())
        assert frame is not None
        return frame

    async def agree(self, what: str, build: Build) -> None:
        """Ask for something that is either agreed to or not. Raises as `log_on`."""
        reply = await self._ask(what, build)
        if conclude(self._venue.spec, reply) is Conclusion.ACCEPTED:
            return
        problem = f"{self._name}: {what} refused: {reason_of(reply)}"
        if rule_of(self._venue.spec, reply).fatal_auth:
            raise AuthFailed(problem, reply.code)
        raise NotSent(problem)

    async def _ask(self, what: str, build: Build) -> Reply:
        request_id = f"u{next(self._ids)}"
        waiting = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            self._send(build(request_id))
            return await asyncio.wait_for(waiting, REPLY_TIMEOUT_S)
        except TimeoutError:
            raise NotSent(f"{self._name}: no answer to the {what}") from None
        finally:
            self._waiting.pop(request_id, None)
