"""How the reply to a WebSocket request reaches the client, when a fault has a say in it."""

from __future__ import annotations

from collections.abc import Callable

from nexustrader.emulator.faults import Fault
from nexustrader.emulator.garble import GARBLE
from nexustrader.emulator.peer import Peer
from nexustrader.kernel.ports import Clock

NS_PER_MS = 1_000_000


def deliver(peer: Peer, clock: Clock, fault: Fault | None, write: Callable[[], bytes]) -> None:
    """Sends the frame that `write` makes: at once, late, garbled or never; or cuts the connection."""
    action = fault.action if fault is not None else ""
    if action in {"drop_request", "drop_ack"}:
        return
    if action in {"reset_before", "reset_after"}:
        peer.abort()
        return
    frame = write()
    if fault is not None and action == "garble_reply":
        frame = GARBLE[fault.how](frame)
    if fault is not None and action == "delay_ack_ms":
        due_ms = clock.timestamp_ms() + fault.delay_ms
        clock.call_at(due_ms * NS_PER_MS, lambda: peer.send(frame))
        return
    peer.send(frame)
