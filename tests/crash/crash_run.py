"""One run: a process is struck at a boundary, the venue lives on, another process takes over, and all is compared."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from fork_server import Child, ForkServer, Message
from program import PERP, SPOT, Heard
from stores import remove_database
from verdicts import complaints_of_books, complaints_of_orders, complaints_of_telling

import canaries
from nexustrader._engine.books import Books
from nexustrader.emulator.binance.emulator import BinanceEmulator
from nexustrader.emulator.binance.venue import BinanceSettings
from nexustrader.emulator.orders.records import OrderRecord
from nexustrader.emulator.venue import STILL

LIFE_S_MAX = 45.0
AGREE_S_MAX = 15.0  # how long after the program's end a difference may last
AFTER_DEATH_S = 0.02  # what had reached the kernel reaches the venue
PRODUCTS = {
    "binance:USD_M_FUTURE_TESTNET": ("usdm", "-PERP.BINANCE"),
    "binance:SPOT_TESTNET": ("spot", ".BINANCE"),
}
BID, ASK = "60000.0", "60000.1"
SYMBOL = PERP.partition("-")[0]
assert SPOT.startswith(SYMBOL)


# -- what the venue does while nobody is there ----------------------------------------------------------------------


def _open_orders(emulator: BinanceEmulator) -> Iterator[tuple[Any, OrderRecord]]:
    account = next(iter(emulator.venue.accounts.by_name.values()))
    for product in emulator.venue.products.values():
        for record in product.trading.open_orders(account):
            yield product.trading, record


def nothing(_emulator: BinanceEmulator) -> None:
    """The market stands still."""


def dip(emulator: BinanceEmulator) -> None:
    """Every resting buy fills."""
    emulator.move(SYMBOL, "40000", "40001")
    emulator.move(SYMBOL, BID, ASK)


def part(emulator: BinanceEmulator) -> None:
    """Half of every open order fills."""
    for trading, record in list(_open_orders(emulator)):
        trading.fill(record, Decimal("0.5"))


def cancel(emulator: BinanceEmulator) -> None:
    """The user cancels by hand."""
    for trading, record in list(_open_orders(emulator)):
        trading.cancel(record)


Meanwhile = Callable[[BinanceEmulator], None]
MEANWHILE: Mapping[str, Meanwhile] = {"nothing": nothing, "dip": dip, "part": part, "cancel": cancel}


# -- one life -------------------------------------------------------------------------------------------------------


class Life(msgspec.Struct):
    """What one process has said, and how it ended (a negative number: by that signal)."""

    was_struck: bool = False
    struck_at_s: float = 0.0
    dying_s: float = 0.0  # from the strike to the end
    heard: list[Heard] = msgspec.field(default_factory=list)
    complaints: list[str] = msgspec.field(default_factory=list)
    done: Message | None = None
    step: str = "before its program"
    code: int | None = None


@contextlib.asynccontextmanager
async def venue() -> AsyncIterator[BinanceEmulator]:
    """A venue of its own, with a market that moves only by hand."""
    async with BinanceEmulator(BinanceSettings(market=STILL, symbols=(SYMBOL,))) as emulator:
        canaries.watch(emulator.api_key, emulator.secret)
        emulator.move(SYMBOL, BID, ASK)
        yield emulator


class Run:
    """Lives over one database, on one venue. `mirror`: as in `crash_child.Spec`."""

    def __init__(
        self,
        server: ForkServer,
        emulator: BinanceEmulator,
        folder: Path,
        mirror: Mapping[str, str] | None = None,
    ) -> None:
        self._server = server
        self._emulator = emulator
        self._folder = folder
        self._mirror = dict(mirror or {})
        self.database = folder / "cache.db"
        self.lives: list[Life] = []
        self._is_machine_lost = False
        self._forgotten: set[str] = set()  # orders that the mirror had not got when the machine was lost

    def truth(self, account: str) -> Any:
        """The ledger of one account of ours."""
        ledger: Any = self._emulator.ledger()
        return ledger["accounts"]["main"][PRODUCTS[account][0]]

    async def live(self, at: str | None = None, strike: str = "kill", **spec: Any) -> Life:
        """One process, until it ends. `spec`: further fields of `crash_child.Spec`."""
        fields = {
            "database": str(self.database),
            "url": self._emulator.url,
            "api_key": self._emulator.api_key,
            "secret": self._emulator.secret,
            "mirror": self._mirror,
            "at": at,
            "strike": strike,
        }
        child = self._server.start(**(fields | spec))
        life = Life()
        self.lives.append(life)
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(LIFE_S_MAX):
                await self._listen(child, life)
                life.code = await child.code
            life.dying_s = now() - life.struck_at_s
        except TimeoutError:
            life.complaints.append(f"it did not end within {LIFE_S_MAX} s: {life.step}")
            child.kill()
        return life

    async def meanwhile(self, what: str) -> None:
        """Let the venue live on while no process is there."""
        await asyncio.sleep(AFTER_DEATH_S)
        MEANWHILE[what](self._emulator)

    def lose_machine(self) -> None:
        """The local database is gone with the process; the mirror may be a moment behind it."""
        remove_database(self.database)
        self._is_machine_lost = True

    async def _listen(self, child: Child, life: Life) -> None:
        agree_by = None
        while (message := await child.said.get()) is not None:
            match message["event"]:
                case "strike":
                    life.was_struck = True
                    life.struck_at_s = asyncio.get_running_loop().time()
                case "step":
                    life.step = message["step"]
                case "complaint":
                    life.complaints.append(message["text"])
                case "heard":
                    life.heard.append(msgspec.convert(message["heard"], Heard))
                case "market":
                    MEANWHILE[message["does"]](self._emulator)
                    child.answer("go on")
                case "journal":
                    life.complaints += self._unknown_to(message["oids"])
                    child.answer("go on")
                case "started":
                    life.complaints += [
                        f"at the start: {c}" for c in self._differences(message, at_start=True)
                    ]
                    child.answer("go on")
                case "done":
                    now = asyncio.get_running_loop().time()
                    agree_by = now + AGREE_S_MAX if agree_by is None else agree_by
                    life.done = message
                    agreed = not self._differences(message)
                    child.answer("stop" if agreed or now > agree_by else "again")

    def _unknown_to(self, oids: Sequence[str]) -> list[str]:
        """I2: what the venue has had is in the journal. Nothing of this life has left yet."""
        at_venue = {order["client_id"] for account in PRODUCTS for order in self.truth(account)["orders"]}
        unknown = at_venue.difference(oids)
        if self._is_machine_lost:
            self._forgotten |= unknown
            self._is_machine_lost = False
            return []
        return [
            f"I2: the venue has order {oid}, of which the journal knew nothing"
            for oid in sorted(unknown - self._forgotten)
        ]

    def _differences(self, message: Message, *, at_start: bool = False) -> list[str]:
        found = []
        for account, (_, suffix) in PRODUCTS.items():
            books = msgspec.convert(message["books"][account], Books)
            found += complaints_of_books(books, self.truth(account), suffix, at_start=at_start)
        if not at_start:
            found += [f"I16: order {oid} is still unknown" for oid in message["unknown"]]
        return self._promised(found)

    def _promised(self, complaints: Iterable[str]) -> list[str]:
        """Without what is said of orders that went with the machine, and of the fees that were paid for them."""
        return [
            complaint
            for complaint in complaints
            if not any(oid in complaint for oid in self._forgotten)
            and not (self._forgotten and complaint.startswith("I17: fees"))
        ]

    # -- the verdict ------------------------------------------------------------------------------------------------

    def verdict(self) -> list[str]:
        """Everything that is wrong with this run."""
        found = [f"life {n}: {c}" for n, life in enumerate(self.lives, 1) for c in life.complaints]
        last = self.lives[-1]
        if last.done is None or last.code != 0:
            found.append(f"the last life ended with {last.code} at {last.step}: {self.log()}")
            return found
        found += self._differences(last.done)
        if len(set(last.done["hashes"])) != 1:
            found.append("I22: the journal folds to another state than the one that is held")
        if last.done["errors"]:
            found.append(f"the strategy raised {last.done['errors']} time(s): {self.log()}")
        truths = [self.truth(account) for account in PRODUCTS]
        found += self._promised(complaints_of_orders(truths, last.done["keys"]))
        found += self._promised(complaints_of_telling([life.heard for life in self.lives], truths))
        found += [f"I7: {wrong}" for wrong in self._emulator.venue.check_invariants()]
        return found

    def log(self) -> str:
        """The end of what the last process has logged."""
        logs = sorted(self._folder.glob("life-*.log"), key=lambda path: int(path.stem.split("-")[1]))
        return logs[-1].read_text()[-2_000:] if logs else "no log"
