"""`nexustrader venues`: what each installed venue can do, as tables; the documents of the venues hold the same ones."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from nexustrader.constants import DataType, ExchangeType, OrderType, TimeInForce
from nexustrader.error import EngineBuildError
from nexustrader.venue.capabilities import Capability, capabilities
from nexustrader.venue.registry import GROUP, load_venue
from nexustrader.venue.spec import RateLimit, UserStreamKind

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

BEGIN, END = "<!-- capabilities: written by `nexustrader venues --write` -->", "<!-- end of capabilities -->"
NO = "–"
STREAMS = {
    UserStreamKind.TRADE_SOCKET: "on the order socket",
    UserStreamKind.LISTEN_KEY: "a socket of its own, by a listen key",
    UserStreamKind.PRIVATE_SOCKET: "a socket of its own, by a logon",
    UserStreamKind.LISTEN_TOKEN: "a socket of its own, by tokens",
}
UNITS_MS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000))


@app.command("venues")
def venues(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all by default.")] = None,
    write: Annotated[
        Path | None, typer.Option(help="Put each table into this folder's document of the venue.")
    ] = None,
) -> None:
    """Show what each venue's connector can do: asked of the connector itself, not written by hand."""
    for name in names or sorted(entry.name for entry in entry_points(group=GROUP)):
        try:
            exchange = ExchangeType(name)
        except ValueError:
            known = ", ".join(one.value for one in ExchangeType)
            raise EngineBuildError(f"no venue is called {name}; there are {known}") from None
        text = table(exchange)
        if write is None:
            print(f"{name}\n\n{text}\n")
        else:
            path = write / f"{name}.md"
            old = path.read_text() if path.exists() else f"# {name.title()}\n\n{BEGIN}\n{END}\n"
            path.write_text(put_in(old, text))


def put_in(document: str, text: str) -> str:
    """The document with this table between its marks. Raises EngineBuildError for one without them."""
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise EngineBuildError(f"the document has no place for the table; put these lines in: {BEGIN} {END}")
    return f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}"


def table(exchange: ExchangeType) -> str:
    """What a venue can do, in Markdown: a column for each kind of instrument, or account where that differs."""
    columns: dict[tuple[str, ...], tuple[Capability, list[str]]] = {}
    for one in capabilities(load_venue(exchange)):
        key = (one.instrument_type.value, *cells(one).values())
        columns.setdefault(key, (one, []))[1].append(one.account_type.value)
    heads = [f"{one.instrument_type.value} ({', '.join(accounts)})" for one, accounts in columns.values()]
    rows = [cells(one) for one, _ in columns.values()]
    lines = [["", *heads], ["---"] * (len(heads) + 1)]
    lines += [[name, *(row[name] for row in rows)] for name in rows[0]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(one: Capability) -> dict[str, str]:
    """One column."""
    return {
        **{kind.value: _times(one, kind) for kind in OrderType},
        "reduce-only": _yes(one.reduces_only),
        "position side (hedge mode)": _yes(one.hedges),
        "amend": _yes(one.amends),
        "cancel all in one call": _yes(one.cancels_all),
        "dead-man timer": _yes(one.has_dead_man),
        "order socket": _yes(one.has_order_socket),
        "private events": STREAMS.get(one.user_stream, one.user_stream.value.replace("_", " ")),
        **{kind.value.replace("_", " "): _details(one, kind) for kind in _KINDS},
        "limits": "; ".join(_limit(limit) for limit in one.limits),
    }


_KINDS = tuple(kind for kind in DataType if kind is not DataType.VOLUME_KLINE)


def _times(one: Capability, kind: OrderType) -> str:
    times = one.orders.get(kind)
    if times is None:
        return NO
    words = "yes" if kind.is_market and len(times) == len(TimeInForce) else ", ".join(t.value for t in times)
    return words if kind in one.by_socket or not one.has_order_socket else f"{words} (REST)"


def _details(one: Capability, kind: DataType) -> str:
    details = one.streams.get(kind)
    return NO if details is None else ", ".join(details).strip(", ") or "yes"


def _limit(limit: RateLimit) -> str:
    unit, ms = next((unit, ms) for unit, ms in UNITS_MS if limit.interval_ms >= ms)
    count = limit.interval_ms // ms
    return f"{limit.limit:,} {limit.pool} / {'' if count == 1 else f'{count} '}{unit}"


def _yes(value: bool) -> str:
    return "yes" if value else NO
