"""How faults strike in the network, the process, its clock and its disk: one function a form.

Each draws its details from the entropy it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nexustrader.chaos import checkers

if TYPE_CHECKING:
    from nexustrader.chaos.network import FrameChange, Pipe
    from nexustrader.chaos.run import Run
    from nexustrader.kernel.entropy import Entropy


def _window(run: Run, seconds: float, begin: Callable[[], None], end: Callable[[], None]) -> None:
    """For a while."""
    begin()
    run.later(seconds, end)


# -- requests ------------------------------------------------------------------------------------------------


def lose_all_requests(run: Run, entropy: Entropy) -> None:
    weather = run.network.weather

    def begin() -> None:
        weather.loses_requests = True
        weather.unmet.add("lose_all_requests")

    _window(run, entropy.random() * 4, begin, lambda: setattr(weather, "loses_requests", False))


def lose_replies(run: Run, entropy: Entropy) -> None:
    """All that is sent is carried out, and nothing comes back but market data: no reply, no event, no answer."""
    weather = run.network.weather
    seconds = 9 + entropy.random() * 11

    def begin() -> None:
        weather.loses_replies = True
        weather.unmet.add("lose_replies")

    def change(_pipe: Pipe, _frame: bytes) -> list[tuple[float, bytes]]:
        run.network.meet("lose_replies")
        return []

    _window(run, seconds, begin, lambda: setattr(weather, "loses_replies", False))
    _on_frames(run, seconds, change)


# -- frames on the way to the engine --------------------------------------------------------------------------


def _on_frames(run: Run, seconds: float, change: FrameChange) -> None:
    """Change frames of the private stream for a while."""

    def on_user_frames(pipe: Pipe, frame: bytes) -> list[tuple[float, bytes]]:
        if pipe.kind == "market":
            return [(0.0, frame)]
        return change(pipe, frame)

    changes = run.network.frame_changes
    _window(run, seconds, lambda: changes.append(on_user_frames), lambda: changes.remove(on_user_frames))


def repeat_frames(run: Run, entropy: Entropy) -> None:
    def change(_pipe: Pipe, frame: bytes) -> list[tuple[float, bytes]]:
        if entropy.random() < 0.5:
            return [(0.0, frame)]
        run.fire("repeat_frames")
        return [(0.0, frame), (entropy.random() * 3, frame)]

    _on_frames(run, 6.0, change)


def reorder_frames(run: Run, entropy: Entropy) -> None:
    def change(_pipe: Pipe, frame: bytes) -> list[tuple[float, bytes]]:
        if entropy.random() < 0.5:
            return [(0.0, frame)]
        run.fire("reorder_frames")
        return [(entropy.random() * 2, frame)]

    _on_frames(run, 6.0, change)


def drop_frames(run: Run, entropy: Entropy) -> None:
    share = entropy.choice((0.2, 0.6, 1.0))

    def change(_pipe: Pipe, frame: bytes) -> list[tuple[float, bytes]]:
        if entropy.random() >= share:
            return [(0.0, frame)]
        run.fire("drop_frames")
        return []

    _on_frames(run, 4.0, change)


def drop_tail(run: Run, entropy: Entropy) -> None:
    """Everything before a disconnect is lost."""
    drop_frames(run, entropy)
    run.later(4.0, lambda: run.network.cut_all("user"))


def spoil_frames(run: Run, entropy: Entropy) -> None:
    def change(_pipe: Pipe, frame: bytes) -> list[tuple[float, bytes]]:
        if entropy.random() < 0.6:
            return [(0.0, frame)]
        run.fire("spoil_frames")
        spoilt = entropy.choice(
            (frame[: len(frame) // 2], frame + frame, b"\xff\xfe" + frame, b"", b"[]", b"null")
        )
        return [(0.0, spoilt)]

    _on_frames(run, 4.0, change)


# -- connections ---------------------------------------------------------------------------------------------


def _half_open(run: Run, seconds: float, *, answers_pings: bool) -> None:
    weather = run.network.weather

    def begin() -> None:
        weather.is_half_open, weather.answers_pings = True, answers_pings
        weather.unmet.add("half_open")

    def end() -> None:
        weather.is_half_open = weather.answers_pings = False

    _window(run, seconds, begin, end)


def half_open(run: Run, entropy: Entropy) -> None:
    _half_open(run, 5 + entropy.random() * 25, answers_pings=False)


def half_open_with_pings(run: Run, entropy: Entropy) -> None:
    _half_open(run, 2 + entropy.random() * 10, answers_pings=True)


def cut_after_send(run: Run, entropy: Entropy) -> None:
    """Between the order's last byte and its acknowledgement."""
    keeps_order = entropy.random() < 0.5

    def before_send(what: bytes) -> None:
        if checkers.CREATES[0] in what:
            run.network.before_send.remove(before_send)
            run.fire("cut_after_send")
            delay_s = 0.5 if keeps_order else 0.0
            run.later(delay_s * entropy.random(), lambda: run.network.cut_all("api"))

    run.network.before_send.append(before_send)


def cut_some(run: Run, entropy: Entropy) -> None:
    if run.network.cut_all(entropy.choice(("user", "api", "market", None))):
        run.fire("cut_some")


def storm(run: Run, entropy: Entropy) -> None:
    for number in range(entropy.randint(3, 10)):
        run.later(number * 0.7 * entropy.random(), lambda: cut_some(run, entropy))


def refuse_connections(run: Run, entropy: Entropy) -> None:
    weather = run.network.weather

    def begin() -> None:
        weather.refuses = True
        run.network.cut_all()
        weather.unmet.add("refuse_connections")

    _window(run, 1 + entropy.random() * 9, begin, lambda: setattr(weather, "refuses", False))


def slow_network(run: Run, entropy: Entropy) -> None:
    weather = run.network.weather

    def begin() -> None:
        weather.latency_factor = entropy.choice((10.0, 100.0, 400.0))
        weather.unmet.add("slow_network")

    _window(run, 8.0, begin, lambda: setattr(weather, "latency_factor", 1.0))


def slow_upwards(run: Run, entropy: Entropy) -> None:
    weather = run.network.weather

    def begin() -> None:
        weather.up_factor = entropy.choice((50.0, 500.0, 2000.0))
        weather.unmet.add("slow_upwards")

    _window(run, 6.0, begin, lambda: setattr(weather, "up_factor", 1.0))


# -- the process, its clock and its disk ----------------------------------------------------------------------


def step_clock(run: Run, entropy: Entropy) -> None:
    if run.world is not None:
        run.world.clock.step(entropy.choice((1.0, 5.0, 300.0)))
        run.fire("step_clock")


def kill_at_append(run: Run, entropy: Entropy) -> None:
    """At a record of the journal: just before or just after it is durable."""
    left = entropy.randint(1, 12)
    hooks = entropy.choice((run.disk.before_append, run.disk.after_append))

    def on_append(_record: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            hooks.remove(on_append)
            run.fire("kill_at_append")
            run.kill_and_restart(entropy.random() * 8)

    hooks.append(on_append)


def kill_at_send(run: Run, entropy: Entropy) -> None:
    """At a request: just before it leaves or just after, before its answer."""
    is_before = entropy.random() < 0.5

    def before_send(_what: bytes) -> None:
        run.network.before_send.remove(before_send)
        run.fire("kill_at_send")
        if is_before:
            run.kill_and_restart(entropy.random() * 8)
        else:
            run.soon(lambda: run.kill_and_restart(entropy.random() * 8))

    run.network.before_send.append(before_send)


def stop_and_start(run: Run, entropy: Entropy) -> None:
    run.stop_and_restart(entropy.random() * 5)
    run.fire("stop_and_start")


def fill_disk(run: Run, entropy: Entropy) -> None:
    def begin() -> None:
        run.disk.is_full = True

    def end() -> None:
        run.disk.is_full = False
        if run.disk.failed_writes:
            run.fire("fill_disk")

    _window(run, 1 + entropy.random() * 6, begin, end)


def block_loop(run: Run, entropy: Entropy) -> None:
    run.loop.block(1 + entropy.random() * 7)
    run.fire("block_loop")


def raise_in_callback(run: Run, entropy: Entropy) -> None:
    """The next few callbacks of the strategy raise."""
    left = entropy.randint(1, 5)
    core = run.core_or_none
    if core is None:
        return

    before = core.on_told

    def on_told(endpoint: str, message: object) -> None:
        nonlocal left
        if before is not None:
            before(endpoint, message)
        if left and endpoint != "balance":
            left -= 1
            run.fire("raise_in_callback")
            handler = core.bus.endpoint(endpoint)

            def raising(_message: object) -> None:
                core.bus.deregister(endpoint)
                core.bus.register(endpoint, handler)
                raise ValueError("the strategy's own mistake")

            core.bus.deregister(endpoint)
            core.bus.register(endpoint, raising)

    core.on_told = on_told
