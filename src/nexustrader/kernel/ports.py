"""The ports: what differs between the worlds (backtest, mock, emulated, chaos, live). Everything else is shared.

One screen on purpose. Implementations: Clock in kernel/clock.py; VenuePort in venue/gateway.py and
sim/exchange.py; MarketPort in venue/feed.py and backtest/; Journal in persistence/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from nexustrader.domain import events as ev
    from nexustrader.domain.instrument import Instrument
    from nexustrader.domain.setting import Setting
    from nexustrader.domain.snapshot import Entry
    from nexustrader.domain.stream import Stream
    from nexustrader.schema import Kline, Ticker


class TimerHandle(Protocol):
    """A scheduled call that may be taken back."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Engine time. Monotone: never goes backwards, whatever the wall clock does."""

    def timestamp_ns(self) -> int: ...
    def timestamp_ms(self) -> int: ...
    def timestamp(self) -> float: ...
    def monotonic_ms(self) -> int:
        """Milliseconds that really pass, from any origin: a machine's clock that is set does not touch them."""

    def utc_now(self) -> datetime: ...
    def call_soon(self, func: Callable[[], object]) -> TimerHandle: ...
    def call_at(self, when_ns: int, func: Callable[[], object]) -> TimerHandle: ...


class Journal(Protocol):
    """An append-only record of commands and facts. `append` returns only once the record survives a process kill."""

    def append(self, record: ev.Record) -> int: ...
    def replay(self) -> Iterator[Entry]:
        """A snapshot where there is one, and the records after it."""

    def close(self) -> None: ...


class VenueSink(Protocol):
    """Where a venue port delivers, always on the engine's thread."""

    def on_result(self, result: ev.CommandResult) -> None: ...
    def on_order_event(self, event: ev.OrderEvent) -> None: ...
    def on_balance(self, event: ev.BalanceEvent) -> None: ...
    def on_position(self, event: ev.PositionEvent) -> None: ...
    def on_status(self, account: str, event: str) -> None:
        """What became of the private connection.

        connected, disconnected, reconnected, listen_key_expired and banned (the venue wants silence: nothing is
        sent for a while) are told to the strategy; resync_needed and
        balance_update say that something cannot be known from the stream alone, so the venue has to be asked.
        """


class VenuePort(Protocol):
    """One account at one venue.

    The command methods never raise and never block: exactly one `CommandResult` per command reaches the sink,
    possibly before the method returns, and a second one, marked as late, if the venue replies after UNKNOWN was
    concluded. The query methods raise `error.OutcomeUnknown` when the venue could not be asked; an answer of "not
    found" is None, never an exception. The timestamps of balances and positions are the moment as of which the
    answer is certain to be right.
    """

    account: str
    absence_horizon_ms: int  # an order that no query shows this long after its send is not there
    query_lag_ms: int  # how far the answers to queries may be behind the stream

    def attach(self, sink: VenueSink) -> None: ...
    async def start(self) -> None:
        """Connect and authenticate; returns when commands may be given. Raises error.AuthFailed."""

    async def stop(self) -> None: ...
    def renew(self, reason: str) -> None:
        """Start the private stream anew: it is suspected of silence."""

    def submit(self, command: ev.Submit) -> None: ...
    def submit_batch(self, commands: Sequence[ev.Submit]) -> None:
        """Several at once, together where the venue takes them so; each has a result of its own."""

    def cancel(self, command: ev.Cancel) -> None: ...
    def amend(self, command: ev.Amend) -> None: ...
    def cancel_all(self, command: ev.CancelAll) -> None: ...
    async def query_order(self, symbol: str, oid: str, eid: str | None) -> ev.OrderEvent | None: ...
    async def query_fills(self, symbol: str, oid: str, eid: str | None) -> list[ev.OrderEvent]: ...
    async def query_fills_since(self, symbol: str, since_ms: int) -> list[ev.OrderEvent]:
        """The executions of all orders of a symbol since then, named by `eid` alone: their `oid` is empty."""

    async def query_open_orders(self, symbol: str | None = None) -> list[ev.OrderEvent]: ...
    async def query_balances(self) -> list[ev.BalanceEvent]: ...
    async def query_positions(self) -> list[ev.PositionEvent]: ...
    async def change(self, setting: Setting) -> None:
        """Change something about the account. Raises Denied (not possible here), NotSent, VenueRejected or
        OutcomeUnknown, after which it may be asked for again."""


class MarketPort(Protocol):
    """Public data of one account type at one venue. `subscribe` returns at once; data reaches the market sink."""

    async def load_instruments(self) -> dict[str, Instrument]: ...
    def subscribe(self, stream: Stream) -> None: ...
    def unsubscribe(self, stream: Stream) -> None: ...
    async def stop(self) -> None: ...
    async def request_klines(
        self, symbol: str, interval: str, limit: int | None, start_ms: int | None, end_ms: int | None
    ) -> list[Kline]: ...
    async def request_ticker(self, symbol: str) -> Ticker: ...
