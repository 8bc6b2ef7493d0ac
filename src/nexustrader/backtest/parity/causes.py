"""Finds the cause of every difference by substitution: which assumption, replaced by what was recorded, ends it."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from nexustrader.backtest.parity.assumed import GIVEN, Assumed, Cause, Fees, Queue, Timing, substitutions
from nexustrader.backtest.parity.compare import (
    FEE_QUANTUM,
    PRICE_SHARE,
    Difference,
    differences,
    is_charged_in,
)
from nexustrader.backtest.parity.evidence import missing
from nexustrader.backtest.parity.lives import ZERO, Life
from nexustrader.backtest.parity.recorded import Recorded
from nexustrader.backtest.parity.resimulate import Simulated, simulate
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.kernel.clock import NS_PER_MS
from nexustrader.sim.settings import SimSettings

WAYS_SHOWN_MAX = 4  # of the commands of one order


class Found(NamedTuple):
    """Why an order differs, and what is known besides."""

    causes: tuple[Cause, ...]
    detail: str


class Runs:
    """Re-simulations, each made once and when it is first needed."""

    def __init__(self, recorded: Recorded, settings: SimSettings) -> None:
        self._recorded = recorded
        self._settings = settings
        self.made: dict[Assumed, Simulated] = {}

    def of(self, assumed: Assumed) -> Simulated:
        """What became of the session under these assumptions."""
        if assumed not in self.made:
            self.made[assumed] = simulate(self._recorded, self._settings, assumed)
        return self.made[assumed]


class Search:
    """The orders of one session, compared and explained."""

    def __init__(self, recorded: Recorded, runs: Runs, time_ms_max: int) -> None:
        self._recorded = recorded
        self._runs = runs
        self._time_ms_max = time_ms_max
        self._then = {oid: recorded.lives.life(oid) for oid in recorded.oids}
        self._commands: dict[str, list[int]] = {}  # places in `sent`; the first created the order
        for place, one in enumerate(recorded.sent):
            for oid in one.oids:
                if oid in self._commands or isinstance(one.command, ev.Submit):
                    self._commands.setdefault(oid, []).append(place)
        self.differing = {oid: found for oid in self._then if (found := self._compare(oid, GIVEN))}
        self.found: dict[str, Found] = {}
        self._substitute()
        self._enclose()
        for oid in self._open():
            self.found[oid] = self._by_evidence(oid)

    def _open(self) -> list[str]:
        """The orders that are not explained yet."""
        return [oid for oid in self.differing if oid not in self.found]

    def _compare(self, oid: str, assumed: Assumed) -> tuple[Difference, ...]:
        instrument = self._instrument(oid)
        now = self._runs.of(assumed).lives.life(oid)
        if instrument is None:
            return (Difference("status", self._then[oid].status, now.status),)
        return differences(self._then[oid], now, instrument, self._time_ms_max)

    def is_reproduced(self, account: str) -> bool:
        """True when in one of the runs every order of the account comes out equal."""
        mine = [oid for oid in self._then if self._recorded.lives.submits[oid].account == account]
        return any(not any(self._compare(oid, assumed) for oid in mine) for assumed in self._runs.made)

    def _instrument(self, oid: str) -> Instrument | None:
        return self._recorded.instruments.get(self._recorded.lives.submits[oid].symbol)

    # -- by substitution ---------------------------------------------------------------------------------------

    def _substitute(self) -> None:
        """An order is explained by the first set of substitutions under which it comes out equal."""
        for assumed in substitutions(self._recorded):
            waiting = self._open()
            if not waiting:
                return
            for oid in waiting:
                if not self._compare(oid, assumed):
                    self.found[oid] = Found(assumed.causes, self._detail(oid, assumed))

    def _detail(self, oid: str, assumed: Assumed) -> str:
        texts = []
        if assumed.timing is not Timing.GIVEN:
            texts.append(self._way(oid))
        if assumed.queue is not Queue.GIVEN:
            texts.append(f"before it stood {assumed.queue.value}")
        return "; ".join(texts)

    def _way(self, oid: str) -> str:
        """How long each command of the order was under way."""
        ways = []
        for place in self._commands[oid][:WAYS_SHOWN_MAX]:
            sent, arrived_ms = self._recorded.sent[place], self._recorded.arrivals_ms.get(place)
            if arrived_ms is None:
                ways.append(f"nothing shows that the {sent.kind.value} arrived")
            else:
                ways.append(f"the {sent.kind.value} took {arrived_ms - sent.at_ns / NS_PER_MS:.0f} ms")
        return ", ".join(ways)

    def _enclose(self) -> None:
        """What lies between the outcomes of an empty and a full queue is explained by a queue of some length."""
        if not self._recorded.market.trades:
            return
        for timing, fees in product(dict.fromkeys(one.timing for one in self._runs.made), Fees):
            waiting = [oid for oid in self._open() if self._then[oid].maker]
            if not waiting:
                return
            empty, full = (self._runs.of(Assumed(timing, fees, queue)) for queue in (Queue.EMPTY, Queue.FULL))
            causes = Assumed(timing, fees, Queue.EMPTY).causes
            for oid in waiting:
                instrument = self._instrument(oid)
                ends = (empty.lives.life(oid), full.lives.life(oid))
                if instrument is not None and lies_between(self._then[oid], *ends, instrument):
                    detail = "its fills lie between those behind an empty queue and those behind a full one"
                    self.found[oid] = Found(causes, detail)

    # -- by evidence -------------------------------------------------------------------------------------------

    def _by_evidence(self, oid: str) -> Found:
        recorded, command = self._recorded, self._recorded.lives.submits[oid]
        now = self._runs.of(GIVEN).lives.life(oid)
        arrived_ms = recorded.arrivals_ms.get(self._commands[oid][0], command.timestamp)
        text = missing(recorded.market, command, self._instrument(oid), arrived_ms, self._then[oid], now)
        if text is not None:
            return Found((Cause.DATA,), text)
        refused = now.status == "REJECTED" and now.reason
        return Found((Cause.UNEXPLAINED,), f"the simulated venue refused it: {now.reason}" if refused else "")


def lies_between(then: Life, empty: Life, full: Life, instrument: Instrument) -> bool:
    """True when no fill came before that of an empty queue, and all that a full queue fills had come by then."""
    if not full.filled <= then.filled <= empty.filled or then.average is None or empty.average is None:
        return False
    if abs(then.average - empty.average) > instrument.tick * PRICE_SHARE:
        return False
    if is_charged_in(then, instrument) and not _is_charged_alike(then, empty):
        return False
    reached = ZERO
    for fill in then.fills:
        reached += fill.amount
        soonest, latest = empty.reached_ms(reached), full.reached_ms(reached)
        if soonest is None or fill.timestamp < soonest or (latest is not None and fill.timestamp > latest):
            return False
    return True


def _is_charged_alike(one: Life, other: Life) -> bool:
    """True when the fees of one unit are the same, but for what was cut off at every execution."""
    most = FEE_QUANTUM * max(len(one.fills), len(other.fills)) / min(one.filled, other.filled)
    currencies = one.fees.keys() | other.fees.keys()
    return all(
        abs(one.fees.get(c, ZERO) / one.filled - other.fees.get(c, ZERO) / other.filled) <= most
        for c in currencies
    )
