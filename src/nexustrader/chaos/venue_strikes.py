"""How faults strike that the venue itself commits: each arms the emulator, or lets it act at once.

They count when they meet something: the emulator keeps that count.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nexustrader.emulator.faults import FOREVER, Fault

if TYPE_CHECKING:
    from nexustrader.chaos.run import Run
    from nexustrader.kernel.entropy import Entropy

COMMANDS = ("order.place", "order.place", "order.place", "order.cancel", "order.modify")
NATIVE = "BTCUSDT"
BATCH = "order.placeBatch"
EXPIRIES = ("EXPIRED", "CANCELED", "STP", "POST_ONLY", "REDUCE_ONLY")
GARBLES = (
    "html",
    "empty",
    "truncated",
    "nan",
    "huge_number",
    "duplicate_key",
    "unknown_enum",
    "content_type",
)
LAG_MS_MAX = 10_000


def arm(run: Run, action: str, **details: Any) -> None:
    """Let the emulator do something wrong on the market that is traded."""
    run.venue.inject(Fault(action=action, product=run.plan.market, **details))


def arm_for(run: Run, seconds: float, action: str, **details: Any) -> None:
    """The same for a while, as often as it applies."""
    arm(run, action, count=FOREVER, **details)
    run.later(seconds, lambda: run.venue.faults.lift(action))


# -- requests and replies -------------------------------------------------------------------------------------


def drop_request(run: Run, entropy: Entropy) -> None:
    arm(run, "drop_request", on=entropy.choice(COMMANDS), count=entropy.randint(1, 2))


def drop_ack(run: Run, entropy: Entropy) -> None:
    arm(run, "drop_ack", on=entropy.choice(COMMANDS), count=entropy.randint(1, 3))


def lose_batch(run: Run, entropy: Entropy) -> None:
    """Several orders at once, of which some may be refused, and their one answer gets lost."""
    how = entropy.choice(("drop_request", "drop_ack", "http_status_after", "garble_reply"))
    details: dict[str, Any] = {
        "http_status_after": {"reply": "gateway"},
        "garble_reply": {"how": entropy.choice(GARBLES)},
    }.get(how, {})
    arm(run, how, on=BATCH, **details)
    run.act("batch")


def batch_by_halves(run: Run, _entropy: Entropy) -> None:
    """Several orders at once, of which some may be refused; a slow answer comes behind the stream."""
    arm(run, "delay_ack_ms", on=BATCH, delay_ms=900)
    run.act("batch")


def late_ack(run: Run, entropy: Entropy) -> None:
    arm(run, "delay_ack_ms", on=entropy.choice(COMMANDS), delay_ms=entropy.randint(5_100, 12_000))


def slow_ack(run: Run, entropy: Entropy) -> None:
    arm(run, "delay_ack_ms", on=entropy.choice(COMMANDS), delay_ms=entropy.randint(50, 4_500), count=2)


def slow_rest_reply(run: Run, entropy: Entropy) -> None:
    delay_ms = entropy.randint(50, 3_000)
    arm(run, "delay_ack_ms", on=entropy.choice(COMMANDS), route="rest", delay_ms=delay_ms, count=2)


def error_after(run: Run, entropy: Entropy) -> None:
    reply = entropy.choice(("unknown", "unexpected", "timeout", "gateway"))
    arm(run, "http_status_after", on=entropy.choice(COMMANDS), reply=reply, count=entropy.randint(1, 2))


def garble_reply(run: Run, entropy: Entropy) -> None:
    on = entropy.choice(("orders", "orders", "queries"))
    arm(run, "garble_reply", on=on, how=entropy.choice(GARBLES), count=entropy.randint(1, 3))


def oversized_reply(run: Run, _entropy: Entropy) -> None:
    arm(run, "garble_reply", on="order.place", how="oversized")


def reset_request(run: Run, entropy: Entropy) -> None:
    arm(run, entropy.choice(("reset_before", "reset_after")), on=entropy.choice(COMMANDS))


def drop_amend_ack(run: Run, entropy: Entropy) -> None:
    arm(run, "drop_ack", on="order.modify", count=entropy.randint(1, 3))


def fill_during_amend(run: Run, entropy: Entropy) -> None:
    part = entropy.choice((Decimal(1), Decimal("0.5")))
    arm(run, "fill_wins", on="order.modify", part=part, count=entropy.randint(1, 2))


def too_many_requests(run: Run, entropy: Entropy) -> None:
    reply = entropy.choice(("too_many", "too_many_bare", "too_many_orders", "banned", "waf"))
    arm(run, "http_status_next", on=entropy.choice(("*", "orders")), reply=reply, count=entropy.randint(1, 2))


def maintenance(run: Run, entropy: Entropy) -> None:
    arm_for(run, 2 + entropy.random() * 15, "maintenance")


def long_maintenance(run: Run, entropy: Entropy) -> None:
    """Longer than an order in doubt would have to be denied to be given up: no answer is not a denial."""
    _doubt_something(run, entropy)
    run.later(entropy.random() * 2, run.network.cut_all)
    arm_for(run, 30 + entropy.random() * 30, "maintenance")


# -- orders that go otherwise than asked ----------------------------------------------------------------------


def ghost_twin(run: Run, entropy: Entropy) -> None:
    arm(run, "ghost_twin", count=entropy.randint(1, 2))


def cancel_refused(run: Run, entropy: Entropy) -> None:
    arm(run, "cancel_refused", count=entropy.randint(1, 3))


def fill_during_cancel(run: Run, entropy: Entropy) -> None:
    part = entropy.choice((Decimal(1), Decimal("0.5")))
    arm(run, "fill_wins", on="order.cancel", part=part, count=entropy.randint(1, 2))


def cancel_all_partial(run: Run, entropy: Entropy) -> None:
    arm(run, "cancel_all_partial", n=entropy.randint(1, 3), count=3)
    run.later(1.0 + entropy.random() * 3, lambda: run.act("cancel_all"))


def late_end(run: Run, entropy: Entropy) -> None:
    how = entropy.choice(EXPIRIES)
    arm(run, "late_end", how=how, delay_ms=entropy.randint(0, 2_000), count=entropy.randint(1, 2))


def killed_at_entry(run: Run, entropy: Entropy) -> None:
    arm(run, "killed_at_entry", how=entropy.choice(("told", "acked")), count=entropy.randint(1, 2))


def overfill(run: Run, entropy: Entropy) -> None:
    """More than was asked. Not beside other faults: an execution too many of an order that had ended, whose event is
    lost as well, can be seen in the position or the balance alone, and is shown there."""
    if len(run.plan.faults) > 1:
        fee_in_third_currency(run, entropy)
        return
    arm(run, "overfill", part=entropy.choice((Decimal("0.1"), Decimal(1))))


def fee_in_third_currency(run: Run, entropy: Entropy) -> None:
    arm(run, "fee_asset", asset="BNB", count=entropy.randint(1, 4))


# -- queries --------------------------------------------------------------------------------------------------


def stale_reads(run: Run, entropy: Entropy) -> None:
    _doubt_something(run, entropy)
    arm_for(run, 3 + entropy.random() * 10, "stale_reads", lag_ms=entropy.randint(200, LAG_MS_MAX))


def not_found(run: Run, entropy: Entropy) -> None:
    """A live order that the venue denies, for a while."""
    _doubt_something(run, entropy)
    arm_for(run, 1 + entropy.random() * 9, "reject_next", on="order.status", reply="not_found")


def cut_open_orders(run: Run, entropy: Entropy) -> None:
    _doubt_something(run, entropy)
    arm_for(run, 6.0, "cut_open_orders", n=entropy.randint(1, 4))


def repeat_open_orders(run: Run, entropy: Entropy) -> None:
    _doubt_something(run, entropy)
    arm_for(run, 6.0, "repeat_open_orders", n=entropy.randint(1, 4))


def hide_newest_fills(run: Run, entropy: Entropy) -> None:
    arm_for(run, 8.0, "hide_newest_fills", n=entropy.randint(1, 3))
    for _ in range(2):
        arm(run, "drop_event", step="TRADE", count=entropy.randint(1, 3))


def fail_account_queries(run: Run, entropy: Entropy) -> None:
    _doubt_something(run, entropy)
    arm_for(run, 4 + entropy.random() * 6, "http_status_next", on="accounts", reply="unknown")


def _doubt_something(run: Run, entropy: Entropy) -> None:
    """Queries are asked only where there is a doubt."""
    if entropy.random() < 0.5:
        drop_ack(run, entropy)
    else:
        run.later(entropy.random() * 2, run.network.cut_all)


# -- private events -------------------------------------------------------------------------------------------


def duplicate_events(run: Run, entropy: Entropy) -> None:
    arm(run, "duplicate_event", delay_ms=entropy.randint(0, 3_000), count=entropy.randint(2, 8))


def swap_events(run: Run, entropy: Entropy) -> None:
    arm(run, entropy.choice(("swap_event", "delay_event")), delay_ms=entropy.randint(50, 3_000), count=5)


def drop_events(run: Run, entropy: Entropy) -> None:
    arm(run, "drop_event", skip=entropy.randint(0, 3), count=entropy.randint(1, 8))


def replay_events(run: Run, entropy: Entropy) -> None:
    arm(run, "replay_on_connect", n=entropy.randint(1, 20))
    run.later(entropy.random() * 2, lambda: run.network.cut_all("user"))
    arm(run, "replay_events", n=entropy.randint(1, 20))


def alter_events(run: Run, entropy: Entropy) -> None:
    how = entropy.choice(("new_fields", "unknown_type", "unknown_enum"))
    arm(run, "alter_event", how=how, count=entropy.randint(1, 4))


def end_private_stream(run: Run, entropy: Entropy) -> None:
    action = "expire_listen_key" if run.plan.market == run.venue.main_product else "end_user_stream"
    arm(run, action, how=entropy.choice(("told", "silent")))


def lose_subscribe_ack(run: Run, entropy: Entropy) -> None:
    arm(run, "drop_subscribe_ack")
    run.later(entropy.random(), run.network.cut_all)


# -- market data ----------------------------------------------------------------------------------------------


def mute_topic(run: Run, entropy: Entropy) -> None:
    arm(run, "mute_topic", on=entropy.choice(("bookTicker", "depth")) if run.plan.with_book else "bookTicker")
    run.later(entropy.random(), lambda: run.network.cut_all("market"))


def stale_feed(run: Run, entropy: Entropy) -> None:
    action = entropy.choice(("drop_push", "freeze_push"))
    arm_for(run, 2 + entropy.random() * 10, action, on="bookTicker")


def lose_book_updates(run: Run, entropy: Entropy) -> None:
    arm(run, "drop_push", on="depth", skip=entropy.randint(0, 3), count=entropy.randint(1, 3))


def swap_book_updates(run: Run, entropy: Entropy) -> None:
    arm(run, "swap_push", on="depth", skip=entropy.randint(0, 3), count=entropy.randint(1, 3))


def repeat_book_updates(run: Run, entropy: Entropy) -> None:
    arm(run, "multiply_push", on="depth", n=entropy.randint(2, 4), count=entropy.randint(1, 5))


def old_snapshots(run: Run, entropy: Entropy) -> None:
    """After an update that is lost: nobody else asks for a snapshot. Where streams bring them: late, or out of turn."""
    if run.side.streams_snapshots:
        if entropy.random() < 0.5:
            arm(run, "restart_books", symbol=NATIVE)
            return
        arm(run, "late_snapshot", delay_ms=entropy.randint(50, 2_000), count=entropy.randint(1, 3))
        lose_book_updates(run, entropy)
        return
    arm(run, "old_snapshot", n=entropy.randint(1, 60), count=entropy.randint(1, 3))
    lose_book_updates(run, entropy)


def cross_book(run: Run, entropy: Entropy) -> None:
    arm(run, "cross_push", skip=entropy.randint(0, 3), count=entropy.randint(1, 3))


def stale_book(run: Run, entropy: Entropy) -> None:
    arm_for(run, 2 + entropy.random() * 10, entropy.choice(("drop_push", "freeze_push")), on="depth")


def burst(run: Run, entropy: Entropy) -> None:
    arm_for(run, 1.0 + entropy.random(), "multiply_push", n=100)


# -- the user himself, and the venue's own deeds ---------------------------------------------------------------


def manual_order(run: Run, entropy: Entropy) -> None:
    """A trade by hand; sometimes an order by hand that rests."""
    details: dict[str, Any] = {"side": entropy.choice(("BUY", "SELL")), "amount": Decimal("0.01")}
    if entropy.random() < 0.5:
        details["price"] = Decimal(40_000) if details["side"] == "BUY" else Decimal(90_000)
    arm(run, "manual_order", symbol=NATIVE, **details)


def manual_cancel(run: Run, _entropy: Entropy) -> None:
    run.note_foreign_cancel()
    arm(run, "manual_cancel", symbol=NATIVE)


def fill_out_of_turn(run: Run, entropy: Entropy) -> None:
    arm(run, "fill_order", symbol=NATIVE, part=entropy.choice((Decimal(1), Decimal("0.5"))))


def venue_ends_orders(run: Run, entropy: Entropy) -> None:
    run.note_foreign_cancel()
    arm(run, "end_order", symbol=NATIVE, how=entropy.choice(EXPIRIES))


def liquidate(run: Run, _entropy: Entropy) -> None:
    run.note_foreign_cancel()
    arm(run, "liquidate", symbol=NATIVE)


def deleverage(run: Run, _entropy: Entropy) -> None:
    arm(run, "adl", symbol=NATIVE, part=Decimal("0.5"))


def funding(run: Run, entropy: Entropy) -> None:
    arm(run, "funding", symbol=NATIVE, rate=entropy.choice((Decimal("0.0001"), Decimal("-0.0003"))))


def transfer(run: Run, entropy: Entropy) -> None:
    arm(run, "transfer", asset="USDT", amount=entropy.choice((Decimal(1_000), Decimal(-1_000))))
