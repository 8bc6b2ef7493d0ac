"""HTML out of plain text: whatever comes in as `str` is escaped, only `Markup` is not."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"  # what is not defined


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def esc(text: str) -> Markup:
    """Text as it is to be read."""
    return text if isinstance(text, Markup) else Markup(html.escape(text))


def joined(parts: Iterable[str]) -> Markup:
    """One after the other."""
    return Markup("\n".join(esc(part) for part in parts))


def element(name: str, *parts: str, **attributes: str) -> Markup:
    """An element; `class_` stands for class, `data_x` for data-x."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
        if value
    )
    return Markup(f"<{name}{told}>{''.join(esc(part) for part in parts)}</{name}>")


class Cell(NamedTuple):
    """A cell that is more than its text: `value` is what it is sorted by."""

    text: str
    value: float | str | None = None
    class_: str = ""
    title: str = ""
    style: str = ""


class Column(NamedTuple):
    """A column's head. Numbers stand on the right."""

    name: str
    is_number: bool = False


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]], *, class_: str = "", label: str = ""
) -> Markup:
    """A table with a head. Its class `sortable` lets the page's script sort it."""
    head = (
        element("th", column.name, scope="col", class_="number" if column.is_number else "")
        for column in columns
    )
    body = (
        element(
            "tr",
            *(
                _cell(cell, column, place)
                for place, (cell, column) in enumerate(zip(row, columns, strict=True))
            ),
        )
        for row in rows
    )
    inside = element(
        "table",
        element("thead", element("tr", *head)),
        Markup("<tbody>\n"),
        joined(body),
        Markup("\n</tbody>"),
        class_=class_,
        aria_label=label,
    )
    return element("div", inside, class_="scroll")


def _cell(cell: str | Cell, column: Column, place: int) -> Markup:
    full = cell if isinstance(cell, Cell) else Cell(cell)
    value = full.value
    classes = " ".join(name for name in ("number" if column.is_number else "", full.class_) if name)
    return element(
        "td" if place else "th",
        full.text,
        class_=classes,
        title=full.title,
        style=full.style,
        scope="" if place else "row",
        data_value="" if value is None else str(value),
    )


def section(identity: str, title: str, *parts: str) -> Markup:
    """A titled part of the page."""
    return Markup(
        f'<section id="{identity}">\n{element("h2", title)}\n{joined(part for part in parts if part)}\n</section>'
    )


def chart(identity: str, *, height_px: int, label: str) -> Markup:
    """The place of a chart, filled by the page's script."""
    return element(
        "div", class_="chart", id=identity, style=f"height:{height_px}px", role="img", aria_label=label
    )


def embedded(value: Any) -> Markup:
    """JSON that can stand inside a script element, whatever text it holds."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


# -- numbers and times for people --------------------------------------------------------------------------------


def number(value: float, unit: str, *, signed: bool = False) -> str:
    """A figure of a unit of `metrics_table.Measure`; money stands without its currency."""
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return "\N{INFINITY}" if value > 0 else f"{MINUS}\N{INFINITY}"
    sign = "+" if signed else "-"
    if unit == "percent":
        text = f"{percent(value, signed=signed)} %"
    elif unit in ("count", "days"):
        text = f"{value:{sign},.0f}"
    elif unit == "money":
        text = money(value, signed=signed)
    else:
        text = f"{value:{sign},.2f}"
    return text.replace("-", MINUS)


def percent(value: float, *, signed: bool = False) -> str:
    """Per cent without their sign: more digits of what is small, fewer of what is huge."""
    size = abs(value)
    digits = 4 if 0 < size < 0.001 else 2 if size < 100 else 0
    return f"{100 * value:{'+' if signed else '-'},.{digits}f}".replace("-", MINUS)


def money(value: float, *, signed: bool = False) -> str:
    """With cents; what is less than one has four digits that count."""
    sign = "+" if signed else "-"
    return (f"{value:{sign},.2f}" if abs(value) >= 1 or not value else f"{value:{sign}.4g}").replace(
        "-", MINUS
    )


def moment(ms: int) -> str:
    """UTC, to the minute, with seconds where there are some."""
    when = datetime.fromtimestamp(ms / 1000, tz=UTC)
    return when.strftime("%Y-%m-%d %H:%M:%S" if when.second else "%Y-%m-%d %H:%M")


def span(ms: float) -> str:
    """A length of time, in its largest two units."""
    minutes = round(ms / 60_000)
    if not minutes:
        return f"{ms / 1000:g} s"
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    first = next(place for place, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count:,} {unit}" for count, unit in parts[first : first + 2] if count)
