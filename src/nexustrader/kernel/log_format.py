"""One log record as a line of text or of JSON, with secrets masked."""

from __future__ import annotations

import json
import re
import traceback
from datetime import UTC
from typing import TYPE_CHECKING

from nexustrader.kernel.redaction import redact, redact_field

if TYPE_CHECKING:
    import loguru

    from nexustrader.kernel.ports import Clock

_RESET = "\x1b[0m"
_LEVEL_COLORS = {
    "TRACE": "\x1b[2m",
    "DEBUG": "\x1b[36m",
    "WARNING": "\x1b[33m",
    "ERROR": "\x1b[31m",
    "CRITICAL": "\x1b[1;31m",
}
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
# Texts of venues are not trusted: what could move the cursor or forge a line does not reach a terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_COLOR = re.compile(rf"({_COLOR.pattern})|{_CONTROL.pattern}")


def render_text(record: loguru.Record, clock: Clock | None = None, *, colors: bool = False) -> str:
    """Return `YYYY-MM-DD HH:mm:ss.SSS [LEVEL] Component: message` in UTC; further lines are indented."""
    level = record["level"].name
    head = f"{_time(record, clock)} [{level}] "
    fields = "".join(
        f" {name}={redact_field(name, value)}" for name, value in record["extra"].get("fields", {}).items()
    )
    text = redact(f"{_component(record)}: {_message(record)}{fields}")
    if colors:
        text = _CONTROL_BUT_COLOR.sub(lambda found: found[1] or _visible(found), text)
        color = record["extra"].get("color")
        color = str(getattr(color, "value", color) or _LEVEL_COLORS.get(level, ""))
        head, text = (color + head, text + _RESET) if _COLOR.fullmatch(color) else (head, text)
    else:
        text = _CONTROL.sub(_visible, _COLOR.sub("", text))
    return head + text.replace("\n", "\n  ") + "\n"


def render_json(record: loguru.Record, clock: Clock | None = None) -> str:
    """Return one JSON object on one line: timestamp, level, component, message, and the given fields."""
    line = {
        **record["extra"].get("fields", {}),
        "timestamp": _time(record, clock),
        "level": record["level"].name,
        "component": _component(record),
        "message": _COLOR.sub("", _message(record)),
    }
    return (
        json.dumps({name: redact_field(name, value) for name, value in line.items()}, ensure_ascii=False)
        + "\n"
    )


def _time(record: loguru.Record, clock: Clock | None) -> str:
    moment = record["time"].astimezone(UTC) if clock is None else clock.utc_now()
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}"


def _component(record: loguru.Record) -> str:
    return str(record["extra"].get("component") or record["name"] or "nexustrader")


def _message(record: loguru.Record) -> str:
    """The text of the record, with the traceback if somebody gave loguru an exception."""
    error = record["exception"]
    if error is None or error.value is None:
        return record["message"]
    return record["message"] + "\n" + "".join(traceback.format_exception(error.value)).rstrip("\n")


def _visible(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
