"""Signed REST requests of one account at one venue: clock offset, limits, sending, reading the answer."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Mapping

from nexustrader.error import AuthFailed, NotSent, OutcomeUnknown, RateLimited, VenueRejected, WireError
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock
from nexustrader.venue.classify import reason_of, rule_of
from nexustrader.venue.ratelimit import WEIGHT, RateLimiter
from nexustrader.venue.spec import Reply, Request, Security, Signer, Venue
from nexustrader.venue.transport import Transport

HTTP_TIMEOUT_MS = 10_000
CLOCK_SYNC_MAX_AGE_MS = 60_000
LIMIT_WAIT_MS_MAX = 120_000
PAGES_MAX = 20
HTTP_TOO_MANY = 429
HTTP_SILENCING = frozenset({403, 418, HTTP_TOO_MANY})  # stopped at the firewall, banned, too many

_log = get_logger("Rest")


class VenueTime:
    """The venue's clock, reckoned from time that really passes.

    A machine's clock that is set, by hand or by a time server, moves neither the time that requests are signed with
    nor the moment as of which an answer counts.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._base_ms = clock.timestamp_ms() - clock.monotonic_ms()  # until the venue was asked: our own time
        self.synced_at_ms: int | None = None  # monotonic

    def now_ms(self) -> int:
        return self._clock.monotonic_ms() + self._base_ms

    @property
    def offset_ms(self) -> int:
        """How far the venue's clock is ahead of ours now."""
        return self.now_ms() - self._clock.timestamp_ms()

    def learn(self, before_ms: int, server_ms: int, after_ms: int) -> None:
        """Take the middle of the round trip (monotonic) for the moment at which the server read its clock."""
        self._base_ms = server_ms - (before_ms + after_ms) // 2
        self.synced_at_ms = after_ms


class RestSession:
    """Sends requests and gives back `Reply`; what an error means for an order is the caller's to conclude."""

    def __init__(
        self,
        venue: Venue,
        base_url: str,
        time_request: Request,
        transport: Transport,
        clock: Clock,
        limiter: RateLimiter,
        *,
        signer: Signer | None = None,
        enable_rate_limit: bool = True,
        clock_url: str | None = None,
    ) -> None:
        self._venue = venue
        self.base_url = base_url.rstrip("/")
        self._clock_url = self.base_url if clock_url is None else clock_url.rstrip("/")
        self._time_request = time_request
        self._transport = transport
        self._clock = clock
        self._limited = enable_rate_limit
        self.limiter = limiter
        self.signer = signer
        self.time = VenueTime(clock)
        self.on_ban: Callable[[], None] | None = None

    def over(self, transport: Transport) -> RestSession:
        """The same session over another transport: limits and clock offset are shared."""
        twin = copy.copy(self)
        twin._transport = transport  # noqa: SLF001  # a copy of itself
        return twin

    async def sync_time(self) -> None:
        """Measure the offset to the venue's clock. Raises NotSent or OutcomeUnknown."""
        before = self._clock.monotonic_ms()
        reply = await self.send(self._time_request, self._clock_url)
        after = self._clock.monotonic_ms()
        if not reply.ok:
            raise OutcomeUnknown(f"the venue's clock could not be read: {reason_of(reply)}")
        try:
            server_ms = self._venue.parse_server_time(reply.body)
        except WireError as error:
            raise OutcomeUnknown(f"the venue's clock could not be read: {error}") from None
        self.time.learn(before, server_ms, after)

    async def send(self, request: Request, base_url: str | None = None) -> Reply:
        """Send once. Raises NotSent, or OutcomeUnknown when no readable answer came."""
        signer = self.signer if request.security is not Security.NONE else None
        target, headers, body = self._venue.sign_request(request, signer, self.time.now_ms())
        now = self._clock.timestamp_ms()
        self.limiter.spend("weight", request.weight, now)
        if request.orders:
            self.limiter.spend(request.pool, request.orders, now)
        answer = await self._transport.request(
            request.method, (base_url or self.base_url) + target, headers, body, HTTP_TIMEOUT_MS
        )
        self._observe(answer.headers)
        try:
            reply = self._venue.parse_rest_reply(
                answer.status, answer.headers, answer.body, self._clock.timestamp_ms()
            )
        except WireError as error:
            raise OutcomeUnknown(f"{request.method} {request.path}: {error}") from None
        self.heed(reply, request.path)
        return reply

    def heed(self, reply: Reply, what: str) -> None:
        """Be silent for as long as a refusal asks, whichever way it came."""
        if reply.retry_after_ms and reply.status in HTTP_SILENCING:
            now_ms = self._clock.timestamp_ms()
            self.limiter.ban(reply.retry_after_ms, self._clock.monotonic_ms(), now_ms)
            _log.error(
                f"{what}: status {reply.status}, the venue wants silence for {reply.retry_after_ms} ms"
            )
            if self.on_ban is not None and reply.status != HTTP_TOO_MANY:
                self.on_ban()

    async def send_in_sync(self, request: Request) -> Reply:
        """As `send`, and once more when refused for clock skew: that refusal proves that nothing was done."""
        reply = await self.send(request)
        if reply.ok or not rule_of(self._venue.spec, reply).retry_after_sync:
            return reply
        try:
            await self.sync_time()
        except (NotSent, OutcomeUnknown) as error:
            _log.warning(f"{request.path} was refused for clock skew, which could not be corrected: {error}")
            return reply
        return await self.send(request)

    async def ask(self, request: Request) -> Reply:
        """A query: waits for room in the limits and repeats once after a clock correction.

        Returns replies that are ok or that say "not found"; raises AuthFailed, RateLimited, VenueRejected,
        OutcomeUnknown or NotSent for all others, because none of them is an answer.
        """
        await self._wait_for_room(request)
        reply = await self.send_in_sync(request)
        if reply.ok or self._venue.is_not_found(reply):
            return reply
        rule = rule_of(self._venue.spec, reply)
        text = f"{request.method} {request.path}: {reason_of(reply)}"
        if rule.fatal_auth:
            raise AuthFailed(f"{text.rstrip('.')}. Check key, secret, permissions and IP binding", reply.code)
        if rule.limit:
            raise RateLimited(text, reply.retry_after_ms or 1000, reply.code)
        if reply.status >= 500:
            raise OutcomeUnknown(text)
        raise VenueRejected(text, reply.code)

    async def ask_whole(self, requests: Iterable[Request]) -> list[bytes]:
        """The answers to several queries, each with all of its pages: half an answer is none.

        Raises what `ask` raises, OutcomeUnknown for too many pages or for a page that cannot be read.
        """
        bodies: list[bytes] = []
        for request in requests:
            page: Request | None = request
            for _ in range(PAGES_MAX):
                if page is None:
                    break
                reply = await self.ask(page)
                bodies.append(reply.body)
                try:
                    page = self._venue.next_page(page, reply.body)
                except WireError as error:
                    raise OutcomeUnknown(f"{request.method} {request.path}: {error}") from None
            if page is not None:
                raise OutcomeUnknown(f"{request.path} has more than {PAGES_MAX} pages: ask for less at once")
        return bodies

    def order_wait_ms(self, pool: str, orders: int, weight: int = 0) -> int:
        """How long an order would have to wait for its limits; 0 when it may leave now.

        New orders and questions leave a part of the weight alone, so that cancels still have room.
        """
        if not self._limited:
            return 0
        wait_ms = self._wait_ms(pool, orders)
        return max(wait_ms, self._wait_ms(WEIGHT, weight)) if weight else wait_ms

    def banned_ms(self) -> int:
        """How much longer the venue wants silence; 0 when it does not."""
        return self.limiter.banned_ms(self._clock.monotonic_ms(), self._clock.timestamp_ms())

    def _wait_ms(self, pool: str, cost: int) -> int:
        return max(self.banned_ms(), self.limiter.wait_ms(pool, cost, self._clock.timestamp_ms()))

    async def _wait_for_room(self, request: Request) -> None:
        if not self._limited:
            return
        while wait := self._wait_ms("weight", request.weight):
            if wait > LIMIT_WAIT_MS_MAX:
                raise RateLimited(
                    f"{request.method} {request.path} is not sent: the venue allows nothing for {wait} ms",
                    wait,
                )
            await asyncio.sleep(wait / 1000)

    def _observe(self, headers: Mapping[str, str]) -> None:
        now = self._clock.timestamp_ms()
        for pool, interval_ms, used in self._venue.used_limits(headers):
            self.limiter.observe(pool, interval_ms, used, now)
