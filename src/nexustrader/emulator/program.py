"""The emulators as a program: which venues there are, and one process that serves some until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from nexustrader.emulator.emulator import Emulator
from nexustrader.emulator.handover import API_KEY_VARIABLE, SECRET_VARIABLE, Handover
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.venues import DEFAULT_VENUES, VENUES, emulator_of
from nexustrader.error import SettingsFileError

Announce = Callable[[str], None]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the program serves. With several venues each gets a port of its own, counting up from `port`.

    `with_parent` ends the program when its standard input does: the parent holds the other end, and dies with it.
    """

    venues: Sequence[str] = DEFAULT_VENUES
    port: int = 0
    data: Sequence[Path] = ()
    speed: float = 1.0
    start: str = "subscription"
    market: str = "synthetic"
    seed: int = 1
    limit_factor: int = 1
    show_keys: bool = False
    with_parent: bool = False


def run(options: Options, announce: Announce) -> None:
    """Serves until SIGINT, SIGTERM, the shutdown endpoint, or the parent's end. `announce` gets each line to print.

    Key, secret and token come from the environment where they are set, else they are made up for this start.
    Raises SettingsFileError for an unknown venue, DataError for data that cannot be used, OSError for a taken port.
    """
    if not options.venues:
        raise SettingsFileError(f"no venue is given; there are emulators for {', '.join(VENUES)}")
    kinds = [emulator_of(name) for name in options.venues]
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(options, kinds, announce))
        return
    uvloop.run(_serve(options, kinds, announce))


async def _serve(options: Options, kinds: Sequence[type[Emulator[Any]]], announce: Announce) -> None:
    handover = Handover.take_from_environment()
    async with contextlib.AsyncExitStack() as stack:
        emulators = []
        for number, kind in enumerate(kinds):
            port = options.port + number if options.port else 0
            settings = kind.settings_type(
                data=options.data,
                speed=options.speed,
                start=options.start,
                market=options.market,
                seed=options.seed,
                limit_factor=options.limit_factor,
            )
            accounts = _accounts(handover, kind)
            emulator = kind(settings, accounts=accounts, port=port, token=handover.token)
            emulators.append(await stack.enter_async_context(emulator))
        ended = _end_signals(with_parent=options.with_parent)
        for name, emulator in zip(options.venues, emulators, strict=True):
            if options.show_keys:
                announce(
                    f"emulator {name} api_key={emulator.api_key} secret={emulator.secret} token={emulator.token}"
                )
            announce(f"emulator {name} listening on {emulator.url}")
        waits = [asyncio.ensure_future(event.wait()) for event in (ended, *(e.stopped for e in emulators))]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


def _accounts(handover: Handover, kind: type[Emulator[Any]]) -> list[AccountSpec]:
    """The account that was handed over, or none. Raises SettingsFileError for a key that no request could use."""
    if not handover.api_key and not handover.secret:
        return []
    if not handover.api_key or not handover.secret:
        raise SettingsFileError(f"{API_KEY_VARIABLE} and {SECRET_VARIABLE} go together: set both or none")
    wrong = kind.wrong_key(handover.api_key)
    if wrong is not None:
        raise SettingsFileError(f"{API_KEY_VARIABLE} {wrong}, as the keys of {kind.venue_name} are")
    return [AccountSpec(api_key=handover.api_key, secret=handover.secret)]


def _end_signals(*, with_parent: bool) -> asyncio.Event:
    """An event that is set by SIGINT, by SIGTERM, and by the end of standard input if that is the parent's pipe."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if with_parent:
        descriptor = sys.stdin.fileno()

        def on_readable() -> None:
            if not os.read(descriptor, 1_024):
                loop.remove_reader(descriptor)
                ended.set()

        loop.add_reader(descriptor, on_readable)
    return ended
