"""Where a replay first decides otherwise, in words."""

from __future__ import annotations

from typing import Any

import msgspec

from nexustrader._session import records
from nexustrader._session.records import (
    AccountAdded,
    Answer,
    Asking,
    Called,
    Data,
    Decided,
    Decision,
    Fact,
    Fired,
    Inner,
    Input,
    InVain,
    Market,
    Outsider,
    Params,
    Refused,
    Replayed,
    ReplayedPart,
    Reply,
    Status,
    Step,
    Stopped,
    Unwritten,
)
from nexustrader.kernel.clock import ns_to_datetime

TEXT_CHARS_MAX = 400


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The input at which it shows, what was decided then and what is decided now, and the inputs before it."""

    number: int
    at_ns: int
    what: str
    then: str
    now: str
    before: tuple[str, ...]


def shown(number: int, one: Input) -> str:
    """An input on one line."""
    moment = ns_to_datetime(one.at_ns).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return _short(f"{number:,} {moment} {_shown_what(one.what)}")


def _shown_what(what: records.What) -> str:
    match what:
        case Data(kind, datum):
            return f"{kind} {_fields(records.decode_body(kind, datum))}"
        case Fact(event):
            return f"{type(event).__name__} {_fields(event)}"
        case Status(account, event):
            return f"{account} {event}"
        case Fired(label, _, is_soon):
            return f"{'call' if is_soon else 'timer'} {label}"
        case Step(task, thrown):
            return f"task {task} goes on{f' with {thrown}' if thrown else ''}"
        case Reply(question, outcome):
            failed = f": {outcome.failure.message}" if outcome.failure is not None else ""
            return f"the answer to {question}{failed}"
        case Called(name, args):
            return f"{name}({', '.join(args)})"
        case Market(instruments):
            return f"{len(instruments)} instruments"
        case AccountAdded(key):
            return f"account {key}"
        case Params(values):
            return f"{len(values)} parameters"
        case Outsider(asking):
            return f"from outside: {_asking(asking)}"
        case _:
            return f"outside of every input: {what.text}"


def shown_inner(part: Inner) -> str:
    """A decision, or what came in between, on one line."""
    match part:
        case Decision(record):
            text = command_text(record)
        case InVain(asking, answer):
            text = f"asked in vain: {_asking(asking)}{f' -> {answer}' if answer else ''}"
        case Stopped():
            text = "stop()"
        case Answer(question=question):
            text = f"asks for {question}"
        case Refused(stream, failure):
            text = f"subscribes {stream.kind.value} {stream.symbol}, which is refused: {failure.message}"
        case Unwritten(_, message):
            text = f"the journal could not be written: {message}"
        case Replayed() | ReplayedPart():
            text = "reads the journal"
    return _short(text)


def command_text(record: Decided) -> str:
    """A command on one line."""
    return f"{type(record).__name__} {_fields(record)}"


def _asking(asking: Asking) -> str:
    args = msgspec.msgpack.decode(asking.args)
    return f"{asking.verb} {', '.join(_value(arg) for arg in args)}"


def _fields(value: Any) -> str:
    """`name=value` for all that is not left at its default."""
    return _value(msgspec.to_builtins(value), outer=True)


def _value(value: Any, *, outer: bool = False) -> str:
    if isinstance(value, dict):
        pairs = " ".join(f"{name}={_value(one)}" for name, one in value.items() if name != "record")
        return pairs if outer else f"({pairs})"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(one) for one in value)}]"
    return str(value)


def _short(text: str) -> str:
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[:TEXT_CHARS_MAX]}…"
