"""What a session file holds: its start, inputs, what happened within each of them, and its end.

Within an input the order counts: decisions as they were issued, and whatever came from outside in between.
"""

from __future__ import annotations

from typing import Any

import msgspec

from nexustrader.constants import DataType
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.snapshot import Snapshot
from nexustrader.domain.stream import Stream
from nexustrader.schema import (
    BookL1,
    BookL2,
    FundingRate,
    IndexPrice,
    Kline,
    MarkPrice,
    Ticker,
    Trade,
)

_NIL = b"\xc0"  # nothing, in MessagePack


class _Part(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Base of everything a session may hold."""


# -- the frame -----------------------------------------------------------------------------------------------


class Start(_Part, frozen=True, tag="start"):
    """Whose session it is, and what a replay has to share with it. `at_ns` since the epoch."""

    at_ns: int
    strategy: str  # name of the class
    strategy_id: str
    user_id: str
    timezone: str
    chance: int  # seed of what the scheduler draws
    hash_seed: str | None  # PYTHONHASHSEED; None: drawn by Python, so the order of sets cannot be had again
    version: str  # of nexustrader
    python: str


class End(_Part, frozen=True, tag="end"):
    """The recording ended in good order; `reason` says why when the run went on without it."""

    inputs: int
    decisions: int
    trace_hash: str
    reason: str | None = None


# -- inputs --------------------------------------------------------------------------------------------------


class Failure(_Part, frozen=True, tag="failure"):
    """An exception that came from outside: its class by name, its message and its plain attributes."""

    kind: str
    message: str
    attributes: dict[str, str | int | float | None] = {}


class Outcome(_Part, frozen=True, tag="outcome"):
    """How a question ended. `body` is one of BODIES by `kind`, unless there is a failure."""

    kind: str
    body: msgspec.Raw = msgspec.Raw(_NIL)
    failure: Failure | None = None


class Market(_Part, frozen=True, tag="market"):
    """Instruments became known, in parts."""

    instruments: tuple[Instrument, ...]
    has_streams: bool


class AccountAdded(_Part, frozen=True, tag="account"):
    """An account at a venue became part of the engine."""

    key: str
    absence_horizon_ms: int
    query_lag_ms: int


class Params(_Part, frozen=True, tag="params"):
    """The parameters that an earlier run had left, as JSON."""

    values: dict[str, str]


class Called(_Part, frozen=True, tag="called"):
    """The engine itself has called its core: a name of ENTRIES."""

    name: str
    args: tuple[str, ...]


class Data(_Part, frozen=True, tag="data"):
    """One public datum. `datum` is one of BODIES by `kind`."""

    kind: str
    datum: msgspec.Raw


Event = ev.CommandResult | ev.OrderEvent | ev.BalanceEvent | ev.PositionEvent


class Fact(_Part, frozen=True, tag="fact"):
    """What a venue said of an account."""

    event: Event


class Status(_Part, frozen=True, tag="status"):
    """What became of the private connection of an account."""

    account: str
    event: str


class Fired(_Part, frozen=True, tag="fired"):
    """A timer came due, or a call made by `call_soon` its turn; `due_ns` is then when it was made."""

    label: str
    due_ns: int
    is_soon: bool
    is_foreign: bool = False  # set by code that ran outside of every input


class Step(_Part, frozen=True, tag="step"):
    """A task went on to its next await. `thrown`: what woke it was an exception of this class."""

    task: str
    thrown: str | None = None


class Reply(_Part, frozen=True, tag="reply"):
    """The answer to a question that a task awaits."""

    question: str
    outcome: Outcome


class Asking(_Part, frozen=True, tag="asking"):
    """What a strategy asks for. `args` as they were given, so they are decoded by `verb` only where that is needed."""

    verb: str
    args: msgspec.Raw


class Outsider(_Part, frozen=True, tag="outsider"):
    """An order that was asked for outside of every input: by a thread or a raw callback of the program's own."""

    asking: Asking


Decided = ev.Submit | ev.Cancel | ev.Amend | ev.CancelAll | ev.RiskEvent


class Stray(_Part, frozen=True, tag="stray"):
    """A command or a question of the core's own, outside of every input: a replay cannot have it."""

    text: str


What = (
    Market | AccountAdded | Params | Called | Data | Fact | Status | Fired | Step | Reply | Outsider | Stray
)


class Input(_Part, frozen=True, tag="input"):
    """One thing that set the core going, and what its clock and its event loop read from then on."""

    at_ns: int  # since the epoch
    monotonic_ms: int
    loop_s: float
    what: What


# -- within an input -----------------------------------------------------------------------------------------


class Decision(_Part, frozen=True, tag="decision"):
    """A command as it was issued, or a new state of the risk gate."""

    record: Decided


class InVain(_Part, frozen=True, tag="in vain"):
    """Something was asked for and no command came of it: a refusal, a repetition."""

    asking: Asking
    answer: str | None


class Stopped(_Part, frozen=True, tag="stopped"):
    """The strategy has asked for the end of the run."""


class Answer(_Part, frozen=True, tag="answer"):
    """The answer to a question during which the engine's thread waited, and what the clock read from then on."""

    at_ns: int
    monotonic_ms: int
    question: str
    outcome: Outcome


class Refused(_Part, frozen=True, tag="refused"):
    """A stream cannot be subscribed."""

    stream: Stream
    failure: Failure


class Unwritten(_Part, frozen=True, tag="unwritten"):
    """The `number`-th record that this input wanted to journal could not be written."""

    number: int
    message: str


class Replayed(_Part, frozen=True, tag="replayed"):
    """A record of an earlier run, given back by the journal."""

    record: ev.Record


class ReplayedPart(_Part, frozen=True, tag="replayed part"):
    """Part of the snapshot from which the journal begins."""

    part: Snapshot


DECISIONS = (Decision, InVain, Stopped)
Inner = Decision | InVain | Stopped | Answer | Refused | Unwritten | Replayed | ReplayedPart
Part = Start | End | Input | Inner

BODIES: dict[str, Any] = {
    "klines": list[Kline],
    "ticker": Ticker,
    "order": ev.OrderEvent | None,
    "orders": list[ev.OrderEvent],
    "balances": list[ev.BalanceEvent],
    "positions": list[ev.PositionEvent],
    DataType.BOOKL1.value: BookL1,
    DataType.BOOKL2.value: BookL2,
    DataType.TRADE.value: Trade,
    DataType.KLINE.value: Kline,
    DataType.FUNDING_RATE.value: FundingRate,
    DataType.INDEX_PRICE.value: IndexPrice,
    DataType.MARK_PRICE.value: MarkPrice,
}

_encoder = msgspec.msgpack.Encoder(enc_hook=repr)  # what a strategy passes may be of any type
_decoder: msgspec.msgpack.Decoder[Part] = msgspec.msgpack.Decoder(Part)
_bodies = {kind: msgspec.msgpack.Decoder(body) for kind, body in BODIES.items()}


def encode(part: Part) -> bytes:
    """The bytes of a part. Raises what msgspec raises for values that have none."""
    return _encoder.encode(part)


def raw(value: Any) -> Any:
    """Any value in the place of one that is kept encoded."""
    return msgspec.Raw(_encoder.encode(value))


def decode(body: bytes) -> Part:
    """The part that `encode` was given. Raises msgspec.MsgspecError."""
    return _decoder.decode(body)


def decode_body(kind: str, body: bytes | msgspec.Raw) -> Any:
    """A datum or an answer of this kind. Raises msgspec.MsgspecError."""
    return _bodies[kind].decode(body)
