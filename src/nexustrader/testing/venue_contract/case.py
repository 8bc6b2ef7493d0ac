"""What a class of the contract says about its venue, and how one of its tests is run."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from nexustrader.constants import AccountType, settings
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock
from nexustrader.testing.venue_contract.desk import Desk, Place
from nexustrader.testing.venue_contract.emulated import EmulatedVenue
from nexustrader.testing.venue_contract.rigs import TRANSPORTS
from nexustrader.venue.spec import Venue

API_KEY = "contractkey" + "k" * 53
SECRET = "contractsecret" + "s" * 50  # throw-away: for emulated venues alone


class Case:
    """One venue, one account type, one market, one transport.

    A subclass says all of these. `emulate` makes a venue whose one account, named "main", has the key and the secret
    that it is given, much of the quote currency, and on spot some of the base as well. Its markets stand still.
    """

    transport: ClassVar[str] = "memory"  # or "loopback"
    venue: ClassVar[Venue]
    account_type: ClassVar[AccountType]
    public_type: ClassVar[AccountType]
    product: ClassVar[str]  # the emulated venue's name for what is traded
    symbols: ClassVar[tuple[str, ...]]  # the venue's; the first is traded
    suffix: ClassVar[str]  # what makes our symbols of them
    bid: ClassVar[Decimal] = Decimal(60_000)
    step: ClassVar[Decimal] = Decimal(1)  # between bid and ask; a multiple of the tick
    amount: ClassVar[Decimal] = Decimal("0.01")

    refuses_prices: ClassVar[bool] = True  # of orders far beyond the market; others put them at the bound

    def emulate(self, clock: Clock, entropy: Entropy, api_key: str, secret: str) -> EmulatedVenue:
        raise NotImplementedError

    def name_of(self, symbol: str) -> str:
        """Our symbol of one of the venue's."""
        return f"{symbol}{self.suffix}"

    @property
    def place(self) -> Place:
        return Place(
            self.venue, self.account_type, self.public_type, self.product, self.symbols, self.name_of
        )

    @pytest.fixture(autouse=True)
    def credentials(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """The account's throw-away key is configured; what the suite redirects is put back afterwards."""
        venue = self.venue.spec.exchange.name
        settings.overlay(venue, API_KEY, SECRET)
        self.monkeypatch = monkeypatch
        yield
        monkeypatch.undo()
        settings.remove_overlay(venue)
        settings.reload()

    def redirect(self, origin: str) -> None:
        """Send the venue's addresses to the emulated one."""
        self.monkeypatch.setenv(f"NEXUS_ENDPOINTS__{self.venue.spec.exchange.name}", origin)
        settings.reload()


def on_desk(
    *, takes_s: float = 0
) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    """Make `async def test(self, desk)` a test. One that `takes_s` of the venue's time is left out in real time."""

    def decorate(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(self: Case, **params: Any) -> None:
            if takes_s and self.transport != "memory":
                pytest.skip(f"takes {takes_s:g} s of real time; it runs under virtual time")
            _run(self, functools.partial(test, self, **params))

        signature = inspect.signature(test)
        others = [p for name, p in signature.parameters.items() if name != "desk"]
        run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]  # what pytest reads
        del run.__wrapped__  # asyncio plugins would run the coroutine themselves
        return run

    return decorate


def _run(case: Case, test: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
    rig = TRANSPORTS[case.transport](lambda clock, entropy: case.emulate(clock, entropy, API_KEY, SECRET))
    desk = Desk(rig, case.place, case.bid, case.step, case.amount)

    async def work() -> None:
        if rig.origin is not None:
            case.redirect(rig.origin)
        for symbol in case.symbols:
            desk.move(case.bid, symbol)
        try:
            await test(desk)
        finally:
            await desk.stop()

    rig.run(work())
