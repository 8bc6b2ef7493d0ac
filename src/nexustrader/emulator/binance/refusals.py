"""Binance's refusals that faults answer with."""

from __future__ import annotations

from nexustrader.emulator.binance.errors import BANNED, TEXTS, ApiError
from nexustrader.emulator.binance.limits import retry_after
from nexustrader.emulator.canned import INTERNAL, Canned, Replies, page

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
    "gateway": Canned(status=502, code=0, text="Bad Gateway", body=page("502 Bad Gateway")),
    "waf": Canned(status=403, code=0, text="Forbidden", body=page("403 Forbidden")),
    "too_many": Canned(status=429, code=-1003, text="Too many requests.", retry_after_s=5),
    "too_many_bare": Canned(status=429, code=-1003, text="Too many requests."),
    "too_many_orders": Canned(
        status=429, code=-1015, text=TEXTS[-1015].format(300, "10 SECOND"), retry_after_s=10
    ),
    "banned": Canned(status=418, code=-1003, text=BANNED, retry_after_s=120),
    "not_found": Canned(status=400, code=-2013, text=TEXTS[-2013]),
    "unknown_order": Canned(status=400, code=-2011, text=TEXTS[-2011]),
}
REJECTED_STATUS = 400
REPLIES = Replies(CANNED, ApiError, REJECTED_STATUS, retry_after)
