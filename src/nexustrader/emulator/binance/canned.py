"""Refusals that faults answer with: the documented ones by name, changed by what the fault says itself."""

from __future__ import annotations

import msgspec

from nexustrader.emulator.binance.errors import BANNED, TEXTS, ApiError
from nexustrader.emulator.faults import Fault

SECOND_MS = 1_000

INTERNAL = "internal"


class Canned(msgspec.Struct, frozen=True, kw_only=True):
    """One refusal. `retry_after_s` adds the header and the data; `body` takes the place of the JSON on REST."""

    status: int
    code: int
    text: str
    retry_after_s: int | None = None
    body: str | None = None


def _page(title: str) -> str:
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"


# After acceptance only `unknown`, `unexpected`, `timeout` and `gateway` tell the truth; the others promise that
# nothing was done.
CANNED: dict[str, Canned] = {
    "unknown": Canned(status=503, code=-1000, text=TEXTS[-1000]),
    "unavailable": Canned(status=503, code=0, text="Service Unavailable."),
    INTERNAL: Canned(status=503, code=-1001, text=TEXTS[-1001]),
    "throttled": Canned(status=503, code=-1008, text=TEXTS[-1008]),
    "busy": Canned(
        status=503,
        code=-1008,
        text="Server is currently overloaded with other requests. Please try again in a few minutes.",
    ),
    "unexpected": Canned(status=400, code=-1006, text=TEXTS[-1006]),
    "timeout": Canned(status=408, code=-1007, text=TEXTS[-1007]),
    "gateway": Canned(status=502, code=0, text="Bad Gateway", body=_page("502 Bad Gateway")),
    "waf": Canned(status=403, code=0, text="Forbidden", body=_page("403 Forbidden")),
    "too_many": Canned(status=429, code=-1003, text="Too many requests.", retry_after_s=5),
    "too_many_bare": Canned(status=429, code=-1003, text="Too many requests."),
    "too_many_orders": Canned(
        status=429, code=-1015, text=TEXTS[-1015].format(300, "10 SECOND"), retry_after_s=10
    ),
    "banned": Canned(status=418, code=-1003, text=BANNED, retry_after_s=120),
    "not_found": Canned(status=400, code=-2013, text=TEXTS[-2013]),
    "unknown_order": Canned(status=400, code=-2011, text=TEXTS[-2011]),
}
DEFAULTS = {"maintenance": "unavailable", "refuse_connect": "unavailable"}
REJECTED_STATUS = 400


def check_reply(fault: Fault) -> None:
    """Raises ValueError for a fault that names no known refusal."""
    if fault.reply is not None and fault.reply not in CANNED:
        raise ValueError(f"no refusal is called {fault.reply!r}; known: {', '.join(sorted(CANNED))}")


def as_error(fault: Fault, address: str, now_ms: int) -> ApiError:
    """The error that a fault answers with."""
    canned = CANNED[fault.reply or DEFAULTS.get(fault.action, INTERNAL)]
    status = canned.status if fault.status is None else fault.status
    if fault.action == "reject_next":
        status = REJECTED_STATUS
    text = canned.text.format(address, now_ms + (canned.retry_after_s or 0) * SECOND_MS)
    error = ApiError(
        canned.code if fault.code is None else fault.code,
        text if fault.msg is None else fault.msg,
        status=status,
        page=canned.body if fault.body is None else fault.body,
    )
    if canned.retry_after_s is not None:
        error.headers["Retry-After"] = str(canned.retry_after_s)
        error.data = {"serverTime": now_ms, "retryAfter": now_ms + canned.retry_after_s * SECOND_MS}
    return error
