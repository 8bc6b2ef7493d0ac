"""Bybit's refusals that faults answer with."""

from __future__ import annotations

from nexustrader.emulator.bybit.errors import TEXTS, BybitError
from nexustrader.emulator.bybit.limits import TOO_FREQUENT, say_wait
from nexustrader.emulator.canned import INTERNAL, Canned, Replies, page

# Code 0 is no refusal: a query that finds nothing.
FOUND_NOTHING = 0

# After acceptance only `unknown`, `unexpected`, `timeout` and `gateway` tell the truth; the others promise that
# nothing was done.
CANNED: dict[str, Canned] = {
    "unknown": Canned(status=200, code=10016, text=TEXTS[10016]),
    "unavailable": Canned(status=503, code=10019, text=TEXTS[10019], body=page("503 Service Unavailable")),
    INTERNAL: Canned(status=200, code=10016, text=TEXTS[10016]),
    "throttled": Canned(status=200, code=10429, text=TEXTS[10429]),
    "busy": Canned(status=429, code=10429, text=TEXTS[10429]),
    "unexpected": Canned(status=200, code=10000, text=TEXTS[10000]),
    "timeout": Canned(status=200, code=170007, text="Timeout waiting for response from backend server."),
    "gateway": Canned(status=502, code=10016, text="Bad Gateway", body=page("502 Bad Gateway")),
    "waf": Canned(status=403, code=10006, text="Forbidden", body=page("403 Forbidden")),
    "too_many": Canned(status=200, code=10006, text=TEXTS[10006], retry_after_s=1),
    "too_many_bare": Canned(status=200, code=10006, text=TEXTS[10006]),
    "too_many_orders": Canned(status=200, code=10006, text=TEXTS[10006], retry_after_s=1),
    "banned": Canned(status=403, code=10006, text=TOO_FREQUENT, body=TOO_FREQUENT),
    "not_found": Canned(status=200, code=FOUND_NOTHING, text="OK"),
    "unknown_order": Canned(status=200, code=110001, text=TEXTS[110001]),
}
REJECTED_STATUS = 200
REPLIES = Replies(CANNED, BybitError, REJECTED_STATUS, say_wait)
