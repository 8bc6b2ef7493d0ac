"""The fault catalogue F1-F46, as data: what each is, and how it strikes one run.

A strike happens at one moment of a run and either arms the emulator (what the venue does wrong), changes the weather
(what the network does wrong), or hits the process, its clock and its disk. It counts as fired only when it met
something: an acknowledgement that was dropped, a socket that was cut. Faults of features that do not exist yet are
listed as deferred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from nexustrader.chaos import strikes as local
from nexustrader.chaos import venue_strikes as venue
from nexustrader.chaos.plan import TRADING_S

if TYPE_CHECKING:
    from nexustrader.chaos.run import Run
    from nexustrader.kernel.entropy import Entropy

Strike = Callable[["Run", "Entropy"], None]


class FaultKind(NamedTuple):
    """One entry of the catalogue.

    `forms`: the names under which it fires; `strikes`: how it strikes, one is drawn each time; `of_futures`: spot does
    not know it; `trading_s`: how long a run has to trade for all of it to happen.
    """

    title: str
    forms: tuple[str, ...]
    strikes: tuple[Strike, ...]
    of_futures: bool = False
    trading_s: float = TRADING_S


FAULTS: Mapping[str, FaultKind] = {
    "F1": FaultKind(
        "a request is lost before the venue",
        ("drop_request", "lose_all_requests"),
        (venue.drop_request, local.lose_all_requests),
    ),
    "F2": FaultKind(
        "accepted, and the acknowledgement is lost",
        ("drop_ack", "lose_replies"),
        (venue.drop_ack, local.lose_replies),
    ),
    "F3": FaultKind("an acknowledgement later than the client waits", ("delay_ack_ms",), (venue.late_ack,)),
    "F4": FaultKind(
        "an acknowledgement behind the stream, the fill or the end", ("delay_ack_ms",), (venue.slow_ack,)
    ),
    "F5": FaultKind("the stream's update before the REST reply", ("delay_ack_ms",), (venue.slow_rest_reply,)),
    "F6": FaultKind(
        "a server error although the order was accepted",
        ("http_status_after", "reset_before", "reset_after"),
        (venue.error_after, venue.reset_request),
    ),
    "F7": FaultKind(
        "an answer that is no answer", ("garble_reply",), (venue.garble_reply, venue.oversized_reply)
    ),
    "F8": FaultKind("refused as a duplicate of itself", ("ghost_twin",), (venue.ghost_twin,)),
    "F9": FaultKind(
        "a batch done by halves, or whose answer is late or lost",
        ("drop_request", "drop_ack", "http_status_after", "garble_reply", "delay_ack_ms"),
        (venue.lose_batch, venue.batch_by_halves),
        of_futures=True,  # Binance takes none on spot
    ),
    "F10": FaultKind(
        "an amendment applied and its reply lost, or racing a fill",
        ("drop_ack", "fill_wins"),
        (venue.drop_amend_ack, venue.fill_during_amend),
        of_futures=True,
    ),
    "F11": FaultKind(
        "a cancel refused, overtaken by a fill, or done by halves",
        ("cancel_refused", "fill_wins", "cancel_all_partial"),
        (venue.cancel_refused, venue.fill_during_cancel, venue.cancel_all_partial),
    ),
    "F12": FaultKind("the venue ends an order that it had acknowledged", ("late_end",), (venue.late_end,)),
    "F13": FaultKind("an order is killed at entry", ("killed_at_entry",), (venue.killed_at_entry,)),
    "F14": FaultKind(
        "more is filled than asked; fees in another currency",
        ("overfill", "fee_asset"),
        (venue.overfill, venue.fee_in_third_currency),
    ),
    "F15": FaultKind(
        "an event twice", ("duplicate_event", "repeat_frames"), (venue.duplicate_events, local.repeat_frames)
    ),
    "F16": FaultKind(
        "events out of order",
        ("swap_event", "delay_event", "reorder_frames"),
        (venue.swap_events, local.reorder_frames),
    ),
    "F17": FaultKind(
        "events are lost",
        ("drop_event", "drop_frames"),
        (venue.drop_events, local.drop_frames, local.drop_tail),
    ),
    "F18": FaultKind("a frame that is cut, doubled or no text", ("spoil_frames",), (local.spoil_frames,)),
    "F19": FaultKind(
        "a socket that is open and dead", ("half_open",), (local.half_open, local.half_open_with_pings)
    ),
    "F20": FaultKind(
        "the connection ends at a bad moment",
        ("cut_after_send", "cut_some"),
        (local.cut_after_send, local.cut_some),
    ),
    "F21": FaultKind(
        "one disconnect after the other",
        ("cut_some", "refuse_connections"),
        (local.storm, local.refuse_connections),
    ),
    "F22": FaultKind(
        "the private stream ends or never begins, a topic stays silent",
        ("expire_listen_key", "end_user_stream", "drop_subscribe_ack", "mute_topic"),
        (venue.end_private_stream, venue.lose_subscribe_ack, venue.mute_topic),
    ),
    "F23": FaultKind(
        "the last events again after a reconnect",
        ("replay_on_connect", "replay_events"),
        (venue.replay_events,),
    ),
    "F24": FaultKind("unknown events and fields", ("alter_event",), (venue.alter_events,)),
    "F25": FaultKind(
        "updates of a book that are lost, out of order, or twice",
        ("drop_push", "swap_push", "multiply_push"),
        (venue.lose_book_updates, venue.swap_book_updates, venue.repeat_book_updates),
    ),
    "F26": FaultKind(
        "a snapshot older than the stream, late, or out of turn",
        ("old_snapshot", "late_snapshot", "restart_books"),
        (venue.old_snapshots,),
    ),
    "F28": FaultKind("a crossed book", ("cross_push",), (venue.cross_book,)),
    "F29": FaultKind(
        "a feed that lives and stands still",
        ("drop_push", "freeze_push"),
        (venue.stale_feed, venue.stale_book),
    ),
    "F30": FaultKind("a burst of market data", ("multiply_push",), (venue.burst,)),
    "F31": FaultKind(
        "answers older than the stream", ("stale_reads", "reject_next"), (venue.stale_reads, venue.not_found)
    ),
    "F32": FaultKind(
        "lists of open orders cut or doubled",
        ("cut_open_orders", "repeat_open_orders"),
        (venue.cut_open_orders, venue.repeat_open_orders),
    ),
    "F33": FaultKind(
        "a list of fills without the newest", ("hide_newest_fills",), (venue.hide_newest_fills,)
    ),
    "F34": FaultKind(
        "balances and positions cannot be asked for", ("http_status_next",), (venue.fail_account_queries,)
    ),
    "F35": FaultKind("the venue wants fewer requests", ("http_status_next",), (venue.too_many_requests,)),
    "F36": FaultKind("the clock is wrong, or is set", ("step_clock",), (local.step_clock,)),
    "F37": FaultKind(
        "a slow network", ("slow_network", "slow_upwards"), (local.slow_network, local.slow_upwards)
    ),
    "F38": FaultKind(
        "kill -9 between any two steps",
        ("kill_at_append", "kill_at_send"),
        (local.kill_at_append, local.kill_at_send),
    ),
    "F39": FaultKind("SIGTERM while orders are under way", ("stop_and_start",), (local.stop_and_start,)),
    "F40": FaultKind("the disk is full", ("fill_disk",), (local.fill_disk,)),
    "F42": FaultKind(
        "user code blocks, or raises",
        ("block_loop", "raise_in_callback"),
        (local.block_loop, local.raise_in_callback),
    ),
    "F44": FaultKind(
        "the user trades and cancels by hand",
        ("manual_order", "manual_cancel", "fill_order", "end_order"),
        (venue.manual_order, venue.manual_cancel, venue.fill_out_of_turn, venue.venue_ends_orders),
    ),
    "F45": FaultKind(
        "liquidation, deleveraging, funding, transfers",
        ("liquidate", "adl", "funding", "transfer"),
        (venue.liquidate, venue.deleverage, venue.funding, venue.transfer),
        of_futures=True,
    ),
    "F46": FaultKind(
        "maintenance: nothing is answered for a while",
        ("maintenance",),
        (venue.maintenance, venue.long_maintenance),
        trading_s=75.0,
    ),
}

BOOK_FAULTS = frozenset({"F25", "F26", "F28", "F29"})  # they need somebody who looks at a local book

DEFERRED: Mapping[str, str] = {
    "F27": "none of the venues sends a checksum of its books",
    "F41": "the mirror database is no part of a run in memory; tests/crash and its own tests strike it",
    "F43": "a restart with another configuration is no part of a run in memory; tests/crash strikes it",
}
