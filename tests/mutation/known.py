"""M1 to M10 of the reliability model: failures that order managers are known for, put into our own code.

Each is the smallest change that has the effect again. Where our code has two lines of defence, the change takes the
one whose loss the user would feel; where one failure can come in by several doors, each door is a mutant (M2b, ...).
"""

from __future__ import annotations

from patches import Mutant

KNOWN = (
    Mutant(
        "M1",
        "domain/order_state.py",
        "    (S.PENDING, K.EXPIRED): S.EXPIRED,",
        "    (S.PENDING, K.EXPIRED): S.PENDING,",
        "an order killed at entry stays pending and in the open set",
        ("F13",),
    ),
    Mutant(
        "M2",
        "domain/order.py",
        "    def is_closed(self) -> bool:\n        return self.status in CLOSED",
        "    def is_closed(self) -> bool:\n"
        "        return self.status in CLOSED or self.cancel is CancelState.REFUSED",
        "a refused cancel counts as the end of the order, which lives on",
        ("F11",),
    ),
    Mutant(
        "M2b",
        "execution/oms.py",
        "        if not state.is_closed:\n            self._open[state.oid] = None",
        '        if not state.is_closed and state.cancel.value != "REFUSED":\n'
        "            self._open[state.oid] = None",
        "an order whose cancel was refused leaves the open set: nobody looks after it any more",
        ("F11+F38",),
    ),
    Mutant(
        "M3",
        "domain/order.py",
        "    filled = max(cum, fills_amount)",
        "    filled = fills_amount if event.filled is None else event.filled",
        "what is filled follows the latest word instead of the greatest: it goes backwards",
        ("F16",),
    ),
    Mutant(
        "M4",
        "venue/gateway.py",
        "            self._finish_all(commands, Conclusion.UNKNOWN, str(error))",
        "            self._finish_all(commands, Conclusion.REJECTED, str(error))",
        "a request whose reply was lost counts as refused",
        ("F2+F19",),
    ),
    Mutant(
        "M4b",
        "execution/outcome.py",
        "    Conclusion.UNKNOWN: Step.ASK,\n",
        "    Conclusion.UNKNOWN: Step.CLOSE_REJECTED,\n",
        "an order of unknown outcome is closed as failed",
        ("F2+F19",),
    ),
    Mutant(
        "M5",
        "execution/oms.py",
        "        for record in records:\n",
        "        for record in [r for r in records if False]:\n",
        "a restart begins with no orders: fills of earlier ones are nobody's",
        ("F38",),
    ),
    Mutant(
        "M6",
        "execution/oms.py",
        "        self._append(command)\n\n    def know",
        "        self._cache.__dict__.setdefault('unwritten', []).append(command)\n\n    def know",
        "an intent stays in memory for a later write, and the order leaves at once",
        ("F38",),
    ),
    Mutant(
        "M7",
        "venue/session.py",
        "        if reply.ok or not rule_of(self._venue.spec, reply).retry_after_sync:\n",
        '        if reply.ok or rule_of(self._venue.spec, reply).conclusion.value != "UNKNOWN":\n',
        "a request that may have arrived is sent again",
        ("F6",),
    ),
    Mutant(
        "M7b",
        "execution/outcome.py",
        "    if result.conclusion is Conclusion.NOT_SENT and result.route is Route.WS and ws_fallback:\n",
        "    if result.conclusion in (Conclusion.NOT_SENT, Conclusion.UNKNOWN) and result.route is Route.WS:\n",
        "an order that may have arrived by one route is sent again by the other",
        ("F19",),
    ),
    Mutant(
        "M7c",
        "exchange/binance/errors.py",
        "    **_SPECIAL,\n}\n",
        "    **_SPECIAL,\n"
        '    **{code: ErrorRule(_NO, text) for code, text in _UNKNOWN.items() if "client id" in text},\n'
        "}\n",
        "the refusal of a second copy counts as the refusal of the order",
        ("F8",),
    ),
    Mutant(
        "M8",
        "execution/doubts.py",
        "                return None, asked_ms\n",
        "                return False, asked_ms\n",
        "a venue that could not be asked has denied the order",
        ("F46",),
    ),
    Mutant(
        "M9",
        "execution/oms.py",
        "        self._orders[state.oid] = state\n        if not state.is_closed:\n",
        "        self._orders[state.oid] = state\n"
        "        for old in self.open_orders():\n"
        "            if old.oid != state.oid and state.timestamp - old.created > 10_000:\n"
        "                del self._orders[old.oid], self._open[old.oid]\n"
        "        if not state.is_closed:\n",
        "an open order is forgotten because it is old (ten seconds instead of an hour: a run does not last for hours)",
        ("F37",),
    ),
    Mutant(
        "M10",
        "venue/gateway.py",
        "            self._finish(command, Conclusion.UNKNOWN, "
        'f"the order socket closed before the reply: {reason}")\n',
        "            self._finish(command, Conclusion.NOT_SENT, "
        'f"the order socket closed before the reply: {reason}")\n',
        "a command whose socket closed before the reply counts as not sent",
        ("F20",),
    ),
)
