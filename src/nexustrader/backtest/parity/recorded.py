"""Reads a session: what moved the market, what was commanded, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from nexustrader._session import records
from nexustrader._session.file import Session
from nexustrader._session.records import (
    AccountAdded,
    Answer,
    Called,
    Data,
    Decision,
    Fact,
    Outcome,
    Reply,
    Start,
    Stray,
)
from nexustrader._session.records import Market as Instruments
from nexustrader.backtest.parity.lives import Lives
from nexustrader.backtest.parity.sent import Outbox, Sent, arrivals_ms
from nexustrader.backtest.parity.tape import TAKEN, Market, Tape
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.error import DataError
from nexustrader.kernel.clock import NS_PER_MS
from nexustrader.sim.settings import SavedAccount

ORDERS = frozenset({"order", "orders"})
MOCK = "add_mock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A session as it was. `opening`: what each account held at first; None where nobody said so.

    `arrivals_ms` is by the place of a command in `sent`; see `sent.arrivals_ms`.
    """

    start: Start
    instruments: dict[str, Instrument]
    opening: dict[str, SavedAccount | None]
    market: Market
    sent: list[Sent]
    arrivals_ms: dict[int, int]
    lives: Lives
    end_ms: int
    notes: tuple[str, ...]

    @property
    def oids(self) -> list[str]:
        """Orders that left for a venue that can be simulated, in the order in which they were decided."""
        return list(dict.fromkeys(o.command.oid for o in self.sent if isinstance(o.command, ev.Submit)))


def read(path: Path) -> Recorded:
    """The session in a file. Raises DataError for what is no session, is damaged, or holds no order to compare."""
    session = Session(path)
    reader = _Reader()
    for one, inner in session.inputs():
        reader.begin(one.at_ns)
        reader.take(one.what)
        for kept in inner:
            reader.take(kept.part)
    reader.notes.extend(_ending(session))
    return reader.finish(path, session.start)


def _ending(session: Session) -> Iterable[str]:
    if not session.is_complete:
        yield "the session has no end: its last input may be torn and was left out"
    elif session.end is not None and session.end.reason is not None:
        yield f"the recording ended before the run did: {session.end.reason}"


class _Reader:
    """Takes a session part by part."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._now_ns = 0
        self._last_ms = 0
        self._instruments: dict[str, Instrument] = {}
        self._accounts: set[str] = set()
        self._mocks: set[str] = set()
        self._balances: dict[str, dict[str, Decimal]] = {}
        self._positions: dict[str, dict[str, tuple[Decimal, Decimal]]] = {}
        self._tape = Tape()
        self._outbox = Outbox()
        self._lives = Lives()
        self._strays = 0

    def begin(self, at_ns: int) -> None:
        """From here on this is the time."""
        self._now_ns = max(self._now_ns, at_ns)

    def take(self, part: Any) -> None:
        match part:
            case Data(kind, datum):
                if kind in TAKEN:
                    self._tape.add(records.decode_body(kind, datum), self._now_ns)
            case Fact(event):
                self._take_fact(event)
            case Decision(record):
                self._take_decision(record)
            case Reply(_, outcome):
                self._take_outcome(outcome)
            case Answer(at_ns, _, _, outcome):
                self.begin(at_ns)
                self._take_outcome(outcome)
            case Instruments(instruments, _):
                self._instruments.update({one.symbol: one for one in instruments})
            case AccountAdded(key):
                self._accounts.add(key)
            case Called(name, args) if name == MOCK:
                self._mocks.add(args[0])
            case Stray():
                self._strays += 1
            case _:
                pass

    def _take_decision(self, record: records.Decided) -> None:
        if isinstance(record, ev.RiskEvent) or record.account in self._mocks:
            return
        self._outbox.add(record, self._now_ns)
        if isinstance(record, ev.Submit):
            self._lives.follow(record)

    def _take_fact(self, event: records.Event) -> None:
        self._last_ms = max(self._last_ms, event.timestamp)
        if isinstance(event, ev.CommandResult):
            self._outbox.on_result(event, self._now_ns)
            self._lives.on_result(event)
        elif isinstance(event, ev.OrderEvent):
            self._outbox.on_fact(event)
            self._lives.on_order_event(event)
        elif isinstance(event, ev.BalanceEvent):
            self._lives.on_balance(event)
        else:
            self._lives.on_position(event)

    def _take_outcome(self, outcome: Outcome) -> None:
        if outcome.failure is not None:
            return
        if outcome.kind in ORDERS:
            found = records.decode_body(outcome.kind, outcome.body)
            for event in found if isinstance(found, list) else [found]:
                if event is not None:
                    self._take_fact(event)
        elif outcome.kind == "balances":
            for event in records.decode_body(outcome.kind, outcome.body):
                self._balances.setdefault(event.account, {}).setdefault(
                    event.place, event.free + event.locked
                )
                self._lives.on_balance(event)
        elif outcome.kind == "positions":
            for event in records.decode_body(outcome.kind, outcome.body):
                # Before the first order is decided they are what there was at the beginning.
                if not self._outbox.all:
                    held = (event.signed_amount, event.entry_price)
                    self._positions.setdefault(event.account, {}).setdefault(event.symbol, held)
                self._lives.on_position(event)

    def finish(self, path: Path, start: Start) -> Recorded:
        sent = [one for one in self._outbox.all if one.has_left]
        if not any(isinstance(one.command, ev.Submit) for one in sent):
            why = (
                f"what became of the orders of {', '.join(sorted(self._mocks))} was decided by the program itself, so "
                "`nexustrader replay` compares it"
                if self._mocks
                else "no order was sent to a venue in it"
            )
            raise DataError(f"{path} has nothing to compare with a backtest: {why}")
        unsent = len(self._outbox.all) - len(sent)
        if unsent:
            self.notes.append(f"{unsent:,} command(s) never left and were not given to the simulated venue")
        if self._mocks:
            self.notes.append(f"left out: the mock account(s) {', '.join(sorted(self._mocks))}")
        if self._strays:
            self.notes.append(f"{self._strays:,} event(s) outside of every input were left out")
        end_ms = max(self._now_ns // NS_PER_MS, self._last_ms, self._tape.last_ms)
        return Recorded(
            start=start,
            instruments=self._instruments,
            opening={account: self._opening(account) for account in sorted(self._accounts)},
            market=self._tape.market(),
            sent=sent,
            arrivals_ms=arrivals_ms(sent, self._filled_ms()),
            lives=self._lives,
            end_ms=end_ms,
            notes=tuple(self.notes),
        )

    def _filled_ms(self) -> dict[str, int]:
        """When each order that was filled whole had its last execution."""
        lives = [self._lives.life(oid) for oid in self._lives.submits]
        return {
            life.oid: life.fills[-1].timestamp for life in lives if life.status == "FILLED" and life.fills
        }

    def _opening(self, account: str) -> SavedAccount | None:
        balances = self._balances.get(account)
        return None if balances is None else SavedAccount(balances, self._positions.get(account, {}))
