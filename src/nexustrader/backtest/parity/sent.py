"""The commands of a session, and when each of them reached its venue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind
from nexustrader.domain.outcome import CommandKind, Conclusion
from nexustrader.kernel.clock import NS_PER_MS

KINDS: dict[type[ev.Command], CommandKind] = {
    ev.Submit: CommandKind.CREATE,
    ev.Cancel: CommandKind.CANCEL,
    ev.Amend: CommandKind.AMEND,
    ev.CancelAll: CommandKind.CANCEL_ALL,
}
SIGNS = {  # facts whose time says when a command of this kind was carried out
    CommandKind.CREATE: frozenset(
        {EventKind.ACKED, EventKind.ACCEPTED, EventKind.FILLED, EventKind.CANCELED, EventKind.EXPIRED}
    ),
    CommandKind.CANCEL: frozenset({EventKind.CANCELED}),
    CommandKind.AMEND: frozenset({EventKind.AMENDED}),
    CommandKind.CANCEL_ALL: frozenset({EventKind.CANCELED}),
}
ANSWERS = frozenset({Conclusion.ACCEPTED, Conclusion.REJECTED})  # the venue itself has spoken


class Sent:
    """One command. `at_ns` is the time here at which it was decided.

    `there_ms` is the venue's time at which it was carried out, where a fact tells it.
    """

    def __init__(self, command: ev.Command, at_ns: int) -> None:
        self.command = command
        self.kind = KINDS[type(command)]
        self.at_ns = at_ns
        self.there_ms: int | None = None
        self.answered_ns: int | None = None
        self.conclusion: Conclusion | None = None

    @property
    def oids(self) -> tuple[str, ...]:
        """The orders that it is meant for."""
        return self.command.oids if isinstance(self.command, ev.CancelAll) else (self.command.oid,)

    @property
    def has_left(self) -> bool:
        """False for one that is known to have never left this process."""
        return self.conclusion is not Conclusion.NOT_SENT

    @property
    def lag_ms(self) -> float | None:
        """How long it took to the venue by both clocks; negative when the venue's is behind."""
        return None if self.there_ms is None else (self.there_ms * NS_PER_MS - self.at_ns) / NS_PER_MS

    def note(self, event: ev.OrderEvent) -> None:
        """A fact that shows it carried out. A create is shown by many: it was there at the first of them."""
        if self.there_ms is None or (self.kind is CommandKind.CREATE and event.timestamp < self.there_ms):
            self.there_ms = event.timestamp

    def is_shown_by(self, event: ev.OrderEvent) -> bool:
        """True when a fact about one of its orders may show that it was carried out."""
        if event.kind not in SIGNS[self.kind]:
            return False
        return self.kind is CommandKind.CREATE or self.conclusion is not Conclusion.REJECTED

    def concludes(self, result: ev.CommandResult) -> bool:
        """True when this is the command that the result speaks of."""
        command = self.command
        if self.kind is not result.kind or command.account != result.account or self.conclusion is not None:
            return False
        if isinstance(command, ev.CancelAll):
            return command.symbol == result.symbol
        attempt = command.attempt if isinstance(command, ev.Submit | ev.Cancel) else result.attempt
        return command.oid == result.oid and attempt == result.attempt


class Outbox:
    """The commands in the order in which they were decided."""

    def __init__(self) -> None:
        self.all: list[Sent] = []
        self._by_oid: dict[str, list[Sent]] = {}
        self._waiting: list[Sent] = []

    def add(self, command: ev.Command, at_ns: int) -> None:
        """Keep a command that was decided now."""
        sent = Sent(command, at_ns)
        self.all.append(sent)
        self._waiting.append(sent)
        for oid in sent.oids:
            self._by_oid.setdefault(oid, []).append(sent)

    def on_result(self, result: ev.CommandResult, at_ns: int) -> None:
        """A command was answered here at this time."""
        for place, sent in enumerate(self._waiting):
            if sent.concludes(result):
                sent.conclusion, sent.answered_ns = result.conclusion, at_ns
                del self._waiting[place]
                for event in filter(sent.is_shown_by, result.events):
                    sent.note(event)
                break
        for event in result.events:
            self.on_fact(event)

    def on_fact(self, event: ev.OrderEvent) -> None:
        """A fact has come: it may tell when commands were carried out."""
        shown = [sent for sent in self._by_oid.get(event.oid, ()) if sent.is_shown_by(event)]
        if event.kind is EventKind.AMENDED:
            # Of several amendments each has a fact of its own, which may be told twice.
            is_known = any(sent.there_ms == event.timestamp for sent in shown)
            shown = [] if is_known else [sent for sent in shown if sent.there_ms is None][:1]
        for sent in shown:
            sent.note(event)


def arrivals_ms(sent: Sequence[Sent], filled_ms: Mapping[str, int]) -> dict[int, int]:
    """When each command reached the venue, by its place. `filled_ms`: when orders were filled whole.

    Where no fact tells it, one that was answered took as long as the others, or half of the way to its answer; and one
    that was refused came after the fill that left it nothing to change, if that was before the answer. One that was not
    answered and left no trace is not in it: nothing shows that it arrived.
    """
    lag_ms = median_lag_ms(sent)
    found: dict[int, int] = {}
    for place, one in enumerate(sent):
        if one.there_ms is not None:
            found[place] = one.there_ms
        elif one.answered_ns is not None and one.conclusion in ANSWERS:
            half_ms = (one.answered_ns - one.at_ns) / 2 / NS_PER_MS
            usual_ms = int(one.at_ns / NS_PER_MS + (half_ms if lag_ms is None else lag_ms))
            ends_ms = [filled_ms[oid] for oid in one.oids if oid in filled_ms]
            answered_ms = one.answered_ns // NS_PER_MS
            found[place] = max([usual_ms, *(end_ms for end_ms in ends_ms if end_ms <= answered_ms)])
    return found


def lags_ms(sent: Iterable[Sent]) -> Iterator[float]:
    """The measured ways to the venue: of commands that were accepted, so that the facts are theirs."""
    taken = (one for one in sent if one.conclusion is Conclusion.ACCEPTED)
    return (one.lag_ms for one in taken if one.lag_ms is not None)


def median_lag_ms(sent: Iterable[Sent]) -> float | None:
    """The usual way to the venue; None when nothing was measured."""
    lags = list(lags_ms(sent))
    return median(lags) if lags else None
