"""Which runs there are: scenarios, the boundaries that a clean run of each passes, and what happens meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import count, cycle, takewhile
from pathlib import Path

import msgspec
from boundaries import STRATEGY_ID, USER_ID
from crash_run import MEANWHILE, Life, Run, venue
from fork_server import ForkServer
from stores import STORES, Store, mirror_on
from verdicts import complaints_of_retelling

from postgres_server import Server

LANES = 4  # runs at a time: most of a run is waiting
TRIES = 4  # a boundary that exists only if one socket is faster than another may be passed by
PASSED_BY_MAX = 0.05  # what part of the plans may never come to theirs
STOP_S_MAX = 12.0
HURRY_S_MAX = 3.0
FIRST_ORDER = "after append Submit #1"
ONLY_VARIABLE = "NEXUSTRADER_CRASH"  # one plan, as a failure names it, instead of all

Boundaries = Sequence[str]


class Plan(msgspec.Struct, frozen=True):
    """One run: where the process is struck, how, and what the venue does until the next one is up."""

    at: str
    meanwhile: str = "nothing"
    strike: str = "kill"

    def __str__(self) -> str:
        return f"{self.at} | {self.meanwhile} | {self.strike}"

    @classmethod
    def parse(cls, text: str) -> Plan:
        return cls(*(part.strip() for part in text.split("|")))


class Scenario(msgspec.Struct, frozen=True):
    """What there is before the process that is struck, and which of its boundaries are meant."""

    prepare: Callable[[Run], Awaitable[None]]
    select: Callable[[Boundaries], Boundaries]


# -- scenarios ------------------------------------------------------------------------------------------------------


async def _from_nothing(_run: Run) -> None:
    """A first start."""


def _after_a_kill(at: str, meanwhile: str) -> Callable[[Run], Awaitable[None]]:
    async def prepare(run: Run) -> None:
        await run.live(at)
        await run.meanwhile(meanwhile)

    return prepare


async def _with_an_old_journal(run: Run) -> None:
    """A journal of the first format, with orders in it."""
    await run.live("left order.place #5")
    await run.meanwhile("part")
    to_first_format(run.database)


def to_first_format(database: Path) -> None:
    """What the first version of the journal would have written."""
    prefix = f"{STRATEGY_ID}_{USER_ID}"
    with sqlite3.connect(database) as connection:
        connection.execute(f"DROP TABLE {prefix}_snapshot")
        connection.execute(f"ALTER TABLE {prefix}_header DROP COLUMN snapshot_seq")
        connection.execute(f"UPDATE {prefix}_header SET format = 1")
    connection.close()


def _all(names: Boundaries) -> Boundaries:
    return names


def _recovery(names: Boundaries) -> Boundaries:
    """Until the first decision that is made anew."""
    return list(
        takewhile(lambda name: not name.startswith(("before append Submit", "before append Cancel")), names)
    )


def _opening(names: Boundaries) -> Boundaries:
    """Until the journal is open."""
    return names[: names.index("sql COMMIT #1") + 2]


SCENARIOS: Mapping[str, Scenario] = {
    "trading": Scenario(_from_nothing, _all),
    "recovery of what was sent": Scenario(_after_a_kill("left order.place #5", "part"), _recovery),
    "recovery of what was not": Scenario(_after_a_kill("before send order.place #5", "dip"), _recovery),
    "migration": Scenario(_with_an_old_journal, _opening),
}


# -- running them ---------------------------------------------------------------------------------------------------


class Suite:
    """Carries out plans of one scenario, several at a time, and gathers what is wrong. `postgres`: for mirrors."""

    def __init__(
        self,
        scenario: Scenario,
        server: ForkServer,
        folder: Path,
        store: Store = STORES["sqlite"],
        postgres: Server | None = None,
    ) -> None:
        self._scenario = scenario
        self._server = server
        self._folder = folder
        self._store = store
        self._postgres = postgres if store.is_mirrored else None
        self._lanes = asyncio.Semaphore(LANES)
        self._numbers = count(1)
        self.passed_by: list[Plan] = []  # whose boundary no process came to
        self.wrong: list[str] = []

    async def boundaries(self) -> Boundaries:
        """What a run passes that nothing strikes, in its order."""
        async with self._run() as run:
            await self._scenario.prepare(run)
            life = await run.live()
            assert not run.verdict(), run.verdict()
            assert life.done is not None
            return self._scenario.select(life.done["passed"])

    async def carry_out(self, plans: Sequence[Plan]) -> list[str]:
        """What went wrong in any of them."""
        only = os.environ.get(ONLY_VARIABLE)
        chosen = [Plan.parse(only)] if only else plans
        await asyncio.gather(*(self._carry_out(plan) for plan in chosen))
        if len(self.passed_by) > PASSED_BY_MAX * len(chosen):
            self.wrong += [f"{plan}: not reached in {TRIES} runs" for plan in self.passed_by]
        return self.wrong

    async def _carry_out(self, plan: Plan) -> None:
        async with self._lanes:
            for _ in range(TRIES):
                found = await self._try(plan)
                if found is not None:
                    self.wrong += [f"{plan}: {complaint}" for complaint in found]
                    return
        self.passed_by.append(plan)

    async def _try(self, plan: Plan) -> list[str] | None:
        """None when the process did not come by."""
        async with self._run() as run:
            await self._scenario.prepare(run)
            struck = await run.live(plan.at, plan.strike)
            if not struck.was_struck:
                return None
            await run.meanwhile(plan.meanwhile)
            if self._store.is_lost:
                run.lose_machine()
            next_life = await run.live()
            found = [*_manners(plan, struck), *run.verdict()]
            if plan.strike != "kill":
                found += complaints_of_retelling(struck.heard, next_life.heard)
            return found

    @contextlib.asynccontextmanager
    async def _run(self) -> AsyncIterator[Run]:
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        async with venue() as emulator, mirror_on(self._postgres) as mirror:
            yield Run(self._server, emulator, folder, mirror)


def every(names: Boundaries, strike: str = "kill") -> list[Plan]:
    """Each boundary with everything that the venue may do meanwhile; before the first order it can do nothing."""
    first = names.index(FIRST_ORDER) if FIRST_ORDER in names else 0
    return [Plan(name, "nothing", strike) for name in names[:first]] + [
        Plan(name, meanwhile, strike) for name in names[first:] for meanwhile in MEANWHILE
    ]


def once(names: Boundaries, strike: str = "kill") -> list[Plan]:
    """Each boundary, with one thing that the venue does meanwhile."""
    return [Plan(name, meanwhile, strike) for name, meanwhile in zip(names, cycle(MEANWHILE), strict=False)]


def one_of_each(names: Boundaries, kinds: Sequence[str], strike: str = "kill") -> list[Plan]:
    """The boundary in the middle of each kind."""
    of_kind = [[name for name in names if name.rpartition(" #")[0] == kind] for kind in kinds]
    return once([found[len(found) // 2] for found in of_kind], strike)


def _manners(plan: Plan, life: Life) -> Iterator[str]:
    """How a process has to end when it is struck like this."""
    if plan.strike == "kill":
        if life.code != -signal.SIGKILL:
            yield f"it was to be killed and ended with {life.code}"
        return
    if life.code != 0:
        yield f"it was asked to end and did with {life.code}"
    limit_s = STOP_S_MAX if plan.strike == "term" else HURRY_S_MAX
    if life.dying_s > limit_s:
        yield f"it took {life.dying_s:.1f} s to end, at most {limit_s} are allowed"
