"""An emulated venue as tests and programs use it: one object in this process, one port on loopback."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar, Generic, Self, TypeVar

import msgspec

from nexustrader.emulator.faults import Fault
from nexustrader.emulator.handover import Handover
from nexustrader.emulator.market.moves import MarketMove, move_market
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.server import HOST, Server
from nexustrader.emulator.service import Service
from nexustrader.emulator.venue import AnyVenue, Settings
from nexustrader.kernel.clock import LiveClock
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock

T = TypeVar("T")
V_co = TypeVar("V_co", bound=AnyVenue, covariant=True)


class Emulator(ABC, Generic[V_co]):
    """A venue on loopback, in this process.

    Without `accounts` there is one, "main", with a throw-away HMAC key. `settings` says what moves the markets.
    Raises DataError for recordings that cannot be used and OSError for a port that is taken.
    """

    venue_name: ClassVar[str]
    settings_type: ClassVar[type[Settings]]

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        accounts: Sequence[AccountSpec] = (),
        port: int = 0,
        token: str | None = None,
    ) -> None:
        made_up = Handover.throw_away(Entropy())
        if not accounts:
            assert made_up.api_key is not None
            accounts = [AccountSpec(api_key=made_up.api_key, secret=made_up.secret)]
        self.settings = settings or self.settings_type()
        self.accounts = list(accounts)
        self.token = token or made_up.token or ""
        self.stopped = asyncio.Event()  # set when somebody asks for the end through the control endpoint
        self._port = port
        self._venue: V_co | None = None
        self._server: Server | None = None
        self._clock: LiveClock | None = None

    @classmethod
    @abstractmethod
    def wrong_key(cls, api_key: str) -> str | None:
        """Why no request could use this API key; None for one that can be."""

    @abstractmethod
    def _make_venue(self, clock: Clock) -> V_co:
        """The venue of these accounts and settings."""

    @abstractmethod
    def _make_service(self) -> Service:
        """The service of the venue, which is made."""

    async def start(self) -> None:
        """Begins to serve."""
        self._clock = LiveClock(asyncio.get_running_loop())
        self._venue = self._make_venue(self._clock)
        self._server = Server(self._venue, self._make_service(), self.token, self.stopped.set)
        try:
            self._port = await self._server.start(self._port)
        except OSError:
            await self.stop()
            raise
        self._venue.start()

    async def stop(self) -> None:
        """Ends it and cuts every connection."""
        if self._server is not None:
            await self._server.stop()
            self._server = None
        if self._clock is not None:
            self._clock.detach()
            self._clock = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def venue(self) -> V_co:
        """The venue itself. Raises RuntimeError before the start."""
        if self._venue is None:
            name = type(self).__name__
            raise RuntimeError(f"the emulator is not running; use `async with {name}(...) as emulator:`")
        return self._venue

    @property
    def url(self) -> str:
        """The origin, e.g. http://127.0.0.1:34567, which serves everything."""
        return f"http://{HOST}:{self._port}"

    @property
    def api_key(self) -> str:
        """API key of the first account."""
        return self.accounts[0].api_key

    @property
    def secret(self) -> str:
        """HMAC secret of the first account. Raises ValueError when it has a public key."""
        secret = self.accounts[0].secret
        if secret is None:
            raise ValueError(f"account {self.accounts[0].name!r} signs with a private key and has no secret")
        return secret

    def ledger(self) -> dict[str, object]:
        """The truth: orders, fills, positions and balances of every account, as exact text."""
        return self.venue.ledger()

    def status(self) -> dict[str, object]:
        """Counts of what happened and who is here."""
        return self.venue.status()

    def inject(self, action: str, **details: object) -> int:
        """Arms a fault, or carries it out; see `faults.Fault`. Raises ValueError for one that cannot be."""
        return self.venue.inject(_typed({"action": action, **details}, Fault))

    def move(
        self, symbol: str, bid: str, ask: str, *, product: str | None = None, quantity: str = "10"
    ) -> None:
        """Moves a market's touch by hand; it then stands still. Raises ValueError for a market that is not."""
        touch = {"bid": bid, "ask": ask, "bid_qty": quantity, "ask_qty": quantity}
        move_market(self.venue, _typed({"symbol": symbol, "product": product, **touch}, MarketMove))

    def trade(self, symbol: str, price: str, quantity: str, side: str, *, product: str | None = None) -> None:
        """Lets the market trade by hand; `side` is the aggressor's. Raises ValueError for a market that is not."""
        trade = {"price": price, "qty": quantity, "side": side}
        move_market(self.venue, _typed({"symbol": symbol, "product": product, "trade": trade}, MarketMove))


def _typed(values: dict[str, object], kind: type[T]) -> T:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{kind.__name__} cannot be made of {values}: {error}") from error
