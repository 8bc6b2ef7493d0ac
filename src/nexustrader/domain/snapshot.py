"""The folded state at one place of the journal: what a restart needs of everything before it.

Orders, positions and the rest are taken from the live state, so that a snapshot also holds what could not be
journalled at its time. A large one is written in parts that are snapshots themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from nexustrader.domain import events as ev
from nexustrader.domain.order import OrderState
from nexustrader.domain.position import PositionState

ITEMS_PER_PART_MAX = 64  # of each kind: encoding and writing a part must not hold up the engine's thread

_encoder = msgspec.json.Encoder(order="deterministic")  # sets in an order that no hash seed changes


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state after the records 1 to `seq`. Times in milliseconds since the epoch."""

    seq: int
    timestamp: int
    orders: tuple[OrderState, ...] = ()  # oldest first
    open_oids: tuple[str, ...] = ()  # oldest first
    closed_oids: tuple[str, ...] = ()  # in the order in which they closed
    foreign_fills: tuple[tuple[str, str], ...] = ()  # symbol; account, side and trade id
    idempotency: tuple[tuple[str, str], ...] = ()  # key, the order's name
    positions: tuple[tuple[str, str, PositionState], ...] = ()  # account, symbol, fold
    fees: tuple[tuple[str, Decimal], ...] = ()  # by currency
    sections: dict[str, str] = {}  # the state of other parts of an engine (such as "risk") as they encoded it


Entry = ev.Record | Snapshot  # what a journal replays

_LISTS = ("orders", "open_oids", "closed_oids", "foreign_fills", "idempotency", "positions", "fees")


def split(snapshot: Snapshot, items_max: int = ITEMS_PER_PART_MAX) -> list[Snapshot]:
    """At least one part; `join` makes the snapshot of them again."""
    lists: dict[str, tuple[object, ...]] = {name: getattr(snapshot, name) for name in _LISTS}
    longest = max(len(items) for items in lists.values())
    return [
        msgspec.structs.replace(
            snapshot,
            sections={} if start else snapshot.sections,
            **{name: items[start : start + items_max] for name, items in lists.items()},
        )
        for start in range(0, max(longest, 1), items_max)
    ]


def join(parts: Sequence[Snapshot]) -> Snapshot:
    """The snapshot that was split into `parts`, given in their order. Raises ValueError for none."""
    if not parts:
        raise ValueError("a snapshot has at least one part")
    lists = {name: tuple(item for part in parts for item in getattr(part, name)) for name in _LISTS}
    return msgspec.structs.replace(parts[0], **lists)


def encode(part: Snapshot) -> bytes:
    """JSON of a part: the same bytes for the same state in every process."""
    return _encoder.encode(part)


def state_hash(snapshot: Snapshot) -> str:
    """Equal for equal orders, positions, fees and keys, whenever and after whichever record they were taken.

    The sequence of orders and keys in memory does not count, nor do the foreign fills remembered.
    """
    digest = hashlib.blake2b(digest_size=16)
    for items in (
        sorted(snapshot.orders, key=lambda order: order.oid),
        sorted(snapshot.idempotency),
        sorted(snapshot.positions, key=lambda position: position[:2]),
        sorted(snapshot.fees),
        sorted(snapshot.sections.items()),
    ):
        digest.update(b"%d;" % len(items))
        for item in items:
            digest.update(_encoder.encode(item))
    return digest.hexdigest()
