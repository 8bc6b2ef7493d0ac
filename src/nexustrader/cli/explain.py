"""`nexustrader explain`: the life of one order, from the journal, with the cause of each step."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nexustrader.domain import events as ev
from nexustrader.domain.life import Life, Step
from nexustrader.domain.order import OrderState
from nexustrader.domain.snapshot import Snapshot
from nexustrader.error import OrderError
from nexustrader.persistence.history import Archive, Line, Unreadable, open_archives

DATABASE = Path(".keys/cache.db")
WIDTH_MAX = 140
NEAR_MATCHES_MAX = 5
DAMAGE_SHOWN_MAX = 5

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One order in one strategy's journal."""

    strategy_id: str
    user_id: str
    steps: tuple[Step, ...]

    @property
    def order(self) -> OrderState | None:
        return self.steps[-1].order


@app.command("explain")
def explain(
    oid: Annotated[str, typer.Argument(help="The order's id, ours or the client_oid that you gave it.")],
    db: Annotated[Path, typer.Option("--db", help="The database file with the journal.")] = DATABASE,
) -> None:
    """Tell the life of an order step by step: when, what, who said it, what became of the order, and why.

    Reads the journal and its archived segments only; the engine may be running.
    """
    console = Console(width=min(Console().width, WIDTH_MAX), highlight=False)
    with open_archives(db) as archives:
        found, damage = search(archives, oid)
        if not found:
            raise OrderError(_not_found(archives, oid, db))
    for order in found:
        _print(console, order)
    for line in dict.fromkeys(damage[:DAMAGE_SHOWN_MAX]):
        console.print(Text(f"{line.where}: {line.why}; it is left out here", "yellow"))
    if len(damage) > DAMAGE_SHOWN_MAX:
        console.print(Text(f"... and {len(damage) - DAMAGE_SHOWN_MAX} more", "yellow"))


def search(archives: Iterable[Archive], name: str) -> tuple[list[Found], list[Unreadable]]:
    """Every order that goes by `name`, and what could not be read on the way."""
    found: list[Found] = []
    damage: list[Unreadable] = []
    for archive in archives:
        lives: dict[str, tuple[Life, list[Step]]] = {name: (Life(name), [])}
        for line in archive.lines():
            if isinstance(line.entry, Unreadable):
                damage.append(line.entry)
                continue
            for oid in _called(line.entry, name):
                lives.setdefault(oid, (Life(oid), []))
            for life, steps in lives.values():
                steps.extend(life.take(line.seq, line.entry))
        found.extend(
            Found(strategy_id=archive.strategy_id, user_id=archive.user_id, steps=tuple(steps))
            for _, steps in lives.values()
            if steps
        )
    return found, damage


def _called(entry: ev.Record | Snapshot, name: str) -> list[str]:
    """The ids of the orders that the user called `name`."""
    if isinstance(entry, Snapshot):
        return [order.oid for order in entry.orders if order.client_oid == name]
    return [entry.oid] if isinstance(entry, ev.Submit) and entry.client_oid == name else []


def _not_found(archives: Iterable[Archive], name: str, db: Path) -> str:
    """Say so, with the names that come nearest: those with the same end or beginning, then those alike."""
    known: dict[str, None] = {}
    for archive in archives:
        for line in archive.lines():
            known.update(dict.fromkeys(_names(line)))
    near = [one for one in known if name and (one.endswith(name) or one.startswith(name))]
    near += difflib.get_close_matches(name, known, NEAR_MATCHES_MAX, 0.7)
    choice = list(dict.fromkeys(near))[:NEAR_MATCHES_MAX]
    hint = f"; did you mean {', '.join(choice)}?" if choice else f", which knows {len(known)} order(s)"
    return (
        f"order {name} is not in the journal {db}{hint}. An order that was refused here has never left and is not "
        "journalled: the log has its reason"
    )


def _names(line: Line) -> Iterable[str]:
    entry = line.entry
    if isinstance(entry, Snapshot):
        for order in entry.orders:
            yield from filter(None, (order.oid, order.client_oid))
    elif isinstance(entry, ev.Submit | ev.OrderEvent):
        yield entry.oid
        if isinstance(entry, ev.Submit) and entry.client_oid is not None:
            yield entry.client_oid


# -- printing ----------------------------------------------------------------------------------------------


def _print(console: Console, found: Found) -> None:
    order = found.order
    console.print()
    console.print(plain(_title(found), "bold"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name, shrinks in (
        ("time (UTC)", False),
        ("from", False),
        ("what", True),
        ("then", False),
        ("why", True),
    ):
        table.add_column(name, overflow="fold", no_wrap=not shrinks, ratio=1 if shrinks else None)
    day, before = "", ""
    for step in found.steps:
        when = datetime.fromtimestamp(step.timestamp / 1000, UTC)
        if f"{when:%Y-%m-%d}" != day:
            day = f"{when:%Y-%m-%d}"
            table.add_row(Text(day, "dim"))
        status = _status(step.order)
        table.add_row(
            Text(f"{when:%H:%M:%S}.{when.microsecond // 1000:03d}"),
            Text(step.source),
            plain(step.what),
            Text("" if status == before else status, _colour(step.order)),
            plain(step.because or ""),
        )
        before = status
    console.print(table)
    if order is not None:
        console.print(plain(_end(order), _colour(order)))
    console.print()


def _title(found: Found) -> str:
    order = found.order
    owner = f"strategy {found.strategy_id}, user {found.user_id}"
    if order is None:
        return f"Order of {owner}: its beginning is not in the journal"
    name = f"{order.oid} (client_oid {order.client_oid})" if order.client_oid else order.oid
    price = "" if order.price is None else f" at {order.price}"
    what = f"{order.side.value} {order.amount} {order.symbol} {order.type.value}{price}"
    return f"Order {name}: {what}, {order.account}, {owner}"


def _status(order: OrderState | None) -> str:
    if order is None:
        return "?"
    filled = f" {order.filled}/{order.amount}" if order.filled else ""
    return f"{order.status.value}{filled}"


def _end(order: OrderState) -> str:
    fees = ", ".join(f"{amount} {currency}".rstrip() for currency, amount in order.fees)
    parts = [f"{'Closed' if order.is_closed else 'Open'}: {order.status.value}"]
    if order.filled:
        average = order.average
        parts.append(f"{order.filled} of {order.amount} filled at {average:.10g}" if average else "filled")
        parts.append(f"fees {fees or 'none'}")
    if order.reason:
        parts.append(order.reason)
    return ", ".join(parts)


def _colour(order: OrderState | None) -> str:
    if order is None or order.is_unknown:
        return "yellow"
    if order.is_open:
        return "cyan"
    return "green" if order.filled else "red"


def plain(text: str, style: str = "") -> Text:
    """Text from outside, which must not command the terminal."""
    return Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text), style)
