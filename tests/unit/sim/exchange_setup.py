"""A simulated venue with somebody who listens, for the tests of exchange and mock."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

from nexustrader.constants import ExchangeType, InstrumentType, OrderSide, OrderType, TimeInForce
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.kernel.clock import NS_PER_MS, VirtualClock
from nexustrader.schema import BookL1, Kline, Trade
from nexustrader.sim.exchange import SimExchange
from nexustrader.sim.reporter import Booked
from nexustrader.sim.settings import SimSettings
from nexustrader.sim.ticks import bar_ticks

PERP, SPOT, INVERSE = "BTCUSDT-PERP.BINANCE", "BTCUSDT.BINANCE", "BTCUSD-PERP.BINANCE"
START_MS = 1_700_000_000_000
BUY, SELL = OrderSide.BUY, OrderSide.SELL
MARKET, LIMIT, POST_ONLY = OrderType.MARKET, OrderType.LIMIT, OrderType.POST_ONLY


def instrument(symbol: str, kind: InstrumentType, **changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "symbol": symbol,
        "venue_symbol": symbol.partition(".")[0],
        "exchange": ExchangeType.BINANCE,
        "type": kind,
        "base": "BTC",
        "quote": "USD" if kind is InstrumentType.INVERSE else "USDT",
        "settle": "BTC" if kind is InstrumentType.INVERSE else "USDT",
        "tick": Decimal("0.1"),
        "lot": Decimal(1) if kind is InstrumentType.INVERSE else Decimal("0.001"),
        "contract_size": Decimal(100) if kind is InstrumentType.INVERSE else Decimal(1),
        "maker": Decimal("0.0002"),
        "taker": Decimal("0.0005"),
    }
    return Instrument(**{**values, **changes})


INSTRUMENTS = {
    PERP: instrument(PERP, InstrumentType.LINEAR),
    SPOT: instrument(SPOT, InstrumentType.SPOT),
    INVERSE: instrument(INVERSE, InstrumentType.INVERSE),
}


class Listener:
    """A `VenueSink` that remembers what it was told, in order."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def on_result(self, result: ev.CommandResult) -> None:
        """Facts that a reply carries are heard like those of the stream, behind it."""
        self.heard.append(result)
        self.heard += [event for event in result.events if event.kind is not ev.EventKind.ACKED]

    def on_order_event(self, event: ev.OrderEvent) -> None:
        self.heard.append(event)

    def on_balance(self, event: ev.BalanceEvent) -> None:
        self.heard.append(event)

    def on_position(self, event: ev.PositionEvent) -> None:
        self.heard.append(event)

    def on_status(self, account: str, event: str) -> None:
        self.heard.append((account, event))


class Bench:
    """A venue, its clock, its listener, and short ways to talk to them."""

    def __init__(self, account: str = "binance:TEST", instruments: Any = None, **settings: Any) -> None:
        self.clock = VirtualClock(START_MS * NS_PER_MS)
        given = {"balances": {"USDT": Decimal(10_000)}, "leverage": Decimal(10), **settings}
        self.listener = Listener()
        self.booked: list[Booked] = []
        self.venue = SimExchange(
            account,
            instruments or INSTRUMENTS,
            self.clock,
            SimSettings(**given),
            observe_entry=self.booked.append,
        )
        self.venue.attach(self.listener)
        self._ids = count(1)

    # -- the market

    def quote(
        self, bid: float, ask: float, size: float = 1.0, symbol: str = PERP, ask_size: float | None = None
    ) -> None:
        book = BookL1(
            ExchangeType.BINANCE, symbol, bid, ask, size, size if ask_size is None else ask_size, self.now()
        )
        self.venue.on_bookl1(book)

    def trade(self, price: float, size: float, side: OrderSide, symbol: str = PERP) -> None:
        self.venue.on_trade(Trade(ExchangeType.BINANCE, side, symbol, price, size, self.now()))

    def now(self) -> int:
        return self.clock.timestamp_ms()

    def pass_ms(self, ms: int) -> None:
        self.clock.advance_to(self.clock.timestamp_ns() + ms * NS_PER_MS)

    # -- commands, carried out at once

    def order(
        self,
        side: OrderSide,
        kind: OrderType,
        amount: str,
        price: str | None = None,
        *,
        symbol: str = PERP,
        tif: TimeInForce = TimeInForce.GTC,
        reduce_only: bool = False,
        oid: str | None = None,
    ) -> str:
        oid = oid or f"order-{next(self._ids)}"
        self.venue.submit(
            ev.Submit(
                oid=oid, account=self.venue.account, symbol=symbol, side=side, type=kind, amount=Decimal(amount),
                price=None if price is None else Decimal(price), time_in_force=tif, reduce_only=reduce_only,
                timestamp=self.now(),
            )
        )  # fmt: skip
        self.clock.run_soon()
        return oid

    def cancel(self, oid: str, symbol: str = PERP) -> None:
        self.venue.cancel(ev.Cancel(oid=oid, account=self.venue.account, symbol=symbol, timestamp=self.now()))
        self.clock.run_soon()

    def amend(
        self, oid: str, price: str | None = None, amount: str | None = None, symbol: str = PERP
    ) -> None:
        self.venue.amend(
            ev.Amend(
                oid=oid, account=self.venue.account, symbol=symbol, side=BUY, timestamp=self.now(),
                price=None if price is None else Decimal(price),
                amount=None if amount is None else Decimal(amount),
            )
        )  # fmt: skip
        self.clock.run_soon()

    def cancel_all(self, symbol: str = PERP) -> None:
        self.venue.cancel_all(ev.CancelAll(account=self.venue.account, symbol=symbol, timestamp=self.now()))
        self.clock.run_soon()

    def play_bar(self, bar: Kline) -> None:
        """As a backtest plays it: point by point where the venue minds."""
        if not self.venue.minds(bar):
            self.venue.on_bar(bar)
            return
        known = INSTRUMENTS[bar.symbol]
        for tick in bar_ticks(bar, float(known.tick), float(known.lot)):
            self.venue.on_tick(bar.symbol, tick)

    # -- what was heard

    def take(self) -> list[Any]:
        heard, self.listener.heard = self.listener.heard, []
        return heard

    def results(self) -> list[ev.CommandResult]:
        return [one for one in self.listener.heard if isinstance(one, ev.CommandResult)]

    def facts(self, oid: str | None = None) -> list[ev.OrderEvent]:
        return [
            one for one in self.listener.heard if isinstance(one, ev.OrderEvent) and oid in (None, one.oid)
        ]

    def kinds(self, oid: str | None = None) -> list[str]:
        return [one.kind.value for one in self.facts(oid)]

    def fills(self, oid: str | None = None) -> list[tuple[str, str]]:
        return [(str(e.fill.price), str(e.fill.amount)) for e in self.facts(oid) if e.fill is not None]

    def refusal(self) -> str:
        """Reason of the last command's refusal."""
        result = self.results()[-1]
        assert result.conclusion.value == "REJECTED", result
        assert result.reason
        return result.reason

    def free(self, asset: str) -> Decimal:
        return self.venue.ledger.free(asset)


def bar(
    open_: float, high: float, low: float, close: float, volume: float = 40.0, symbol: str = PERP
) -> Kline:
    from nexustrader.constants import KlineInterval

    return Kline(
        exchange=ExchangeType.BINANCE, symbol=symbol, interval=KlineInterval.MINUTE_1, open=open_, high=high,
        low=low, close=close, volume=volume, start=START_MS, timestamp=START_MS + 60_000, confirm=True,
    )  # fmt: skip
