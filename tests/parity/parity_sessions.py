"""Sessions written by hand: public data, commands, and what a venue is made to say of them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from nexustrader._session import records
from nexustrader._session.file import SessionWriter
from nexustrader._session.records import (
    AccountAdded,
    Data,
    Decision,
    End,
    Fact,
    Fired,
    Input,
    Market,
    Outcome,
    Reply,
    Start,
)
from nexustrader.constants import (
    DataType,
    ExchangeType,
    InstrumentType,
    KlineInterval,
    OrderSide,
    OrderType,
    TimeInForce,
)
from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind, Source
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.outcome import CommandKind, Conclusion
from nexustrader.schema import BookL1, BookL2, BookOrderData, FundingRate, Kline, Trade

NS_PER_MS = 1_000_000
T0 = 1_700_000_000_000
ACCOUNT = "binance:USD_M_FUTURE"
SYMBOL = "BTCUSDT-PERP.BINANCE"
BINANCE = ExchangeType.BINANCE
BUY, SELL = OrderSide.BUY, OrderSide.SELL
TAKER, MAKER = Decimal("0.0005"), Decimal("0.0002")
PERP = Instrument(
    symbol=SYMBOL,
    venue_symbol="BTCUSDT",
    exchange=BINANCE,
    type=InstrumentType.LINEAR,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    maker=MAKER,
    taker=TAKER,
)


class Script:
    """Writes a session. Times are milliseconds after T0; `at` is the time here of all that follows."""

    def __init__(self, path: Path, *, balance: str | None = "100000", position: str = "0") -> None:
        self.path = path
        self.at = 0
        self._writer = SessionWriter(path)
        self._inputs = 0
        self._decisions = 0
        self._trades = 0
        self._amended: set[str] = set()
        start = Start(T0 * NS_PER_MS, "Tester", "s", "u", "UTC", 0, None, "1", "3.11")
        self._writer.write(records.encode(start))
        self.put(Market((PERP,), True))
        self.put(AccountAdded(ACCOUNT, 0, 0))
        if balance is not None:
            self.reply("balances", [self.balance_event(balance)])
            held = [] if position == "0" else [self.position_event(position)]
            self.reply("positions", held)

    # -- parts -------------------------------------------------------------------------------------------------

    def put(self, what: Any, *decisions: Any) -> None:
        """One input, and what was decided in it."""
        at_ns = (T0 + self.at) * NS_PER_MS
        self._writer.write(records.encode(Input(at_ns, self.at, self.at / 1000, what)))
        self._inputs += 1
        for record in decisions:
            self._writer.write(records.encode(Decision(record)))
            self._decisions += 1

    def end(self, reason: str | None = None) -> Path:
        self._writer.close(records.encode(End(self._inputs, self._decisions, "", reason)))
        return self.path

    def reply(self, kind: str, value: Any) -> None:
        self.put(Reply(f"{kind} {ACCOUNT}#1", Outcome(kind, records.raw(value))))

    def data(self, kind: DataType, datum: Any) -> None:
        self.put(Data(kind.value, records.raw(datum)))

    # -- public data -------------------------------------------------------------------------------------------

    def quote(self, at: int, bid: float, ask: float, size: float = 5.0, *, late: int = 3) -> None:
        """A quote of this time of the venue, which came `late` ms later."""
        self.at = max(self.at, at + late)
        self.data(DataType.BOOKL1, BookL1(BINANCE, SYMBOL, bid, ask, size, size, T0 + at))

    def quotes(self, begin: int, end: int, bid: float = 60_000.0, *, step: int = 250) -> None:
        """The same quote again and again; one tick wide."""
        for at in range(begin, end, step):
            self.quote(at, bid, bid + 0.1)

    def book(self, at: int, bid: float, ask: float) -> None:
        self.at = max(self.at, at + 3)
        bids = [BookOrderData(bid - n, 2.0) for n in range(3)]
        asks = [BookOrderData(ask + n, 2.0) for n in range(3)]
        self.data(DataType.BOOKL2, BookL2(BINANCE, SYMBOL, bids, asks, T0 + at))

    def trade(self, at: int, price: float, size: float, side: OrderSide) -> None:
        """A public trade; `side` is its taker's."""
        self.at = max(self.at, at + 3)
        self.data(DataType.TRADE, Trade(BINANCE, side, SYMBOL, price, size, T0 + at))

    def kline(
        self,
        start: int,
        prices: tuple[float, float, float, float],
        interval: KlineInterval = KlineInterval.MINUTE_1,
        *,
        closed: bool = True,
    ) -> None:
        """A bar. The first minute (start 0) is the one in which T0 lies, and ends at 40 000."""
        opened, high, low, close = prices
        begin = T0 // 60_000 * 60_000 + start
        self.at = max(self.at, begin + interval.milliseconds - T0 + 3)
        kline = Kline(
            exchange=BINANCE,
            symbol=SYMBOL,
            interval=interval,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=10.0,
            start=begin,
            timestamp=begin + interval.milliseconds,
            confirm=closed,
        )
        self.data(DataType.KLINE, kline)

    def funding_rate(self, at: int, rate: float, due_ms: int) -> None:
        self.at = max(self.at, at)
        self.data(DataType.FUNDING_RATE, FundingRate(BINANCE, SYMBOL, rate, T0 + at, due_ms))

    # -- commands ----------------------------------------------------------------------------------------------

    def decide(self, at: int, command: ev.Command) -> None:
        self.at = max(self.at, at)
        self.put(Fired("Tester.act", (T0 + at) * NS_PER_MS, False), command)

    def submit(
        self,
        at: int,
        side: OrderSide,
        amount: str,
        price: str | None = None,
        type: OrderType | None = None,  # noqa: A002 - as it is called everywhere
        **more: Any,
    ) -> str:
        """A create; returns its id."""
        oid = f"{T0 + at}0001234"
        kind = type or (OrderType.MARKET if price is None else OrderType.LIMIT)
        self.decide(
            at,
            ev.Submit(
                oid=oid,
                account=ACCOUNT,
                symbol=SYMBOL,
                side=side,
                type=kind,
                amount=Decimal(amount),
                price=None if price is None else Decimal(price),
                time_in_force=more.pop("time_in_force", TimeInForce.GTC),
                timestamp=T0 + at,
                **more,
            ),
        )
        return oid

    def cancel(self, at: int, oid: str, attempt: int = 1) -> None:
        self.decide(
            at, ev.Cancel(oid=oid, account=ACCOUNT, symbol=SYMBOL, attempt=attempt, timestamp=T0 + at)
        )

    def amend(self, at: int, oid: str, price: str, side: OrderSide = BUY) -> None:
        self.decide(
            at,
            ev.Amend(
                oid=oid,
                account=ACCOUNT,
                symbol=SYMBOL,
                side=side,
                price=Decimal(price),
                timestamp=T0 + at,
            ),
        )

    def cancel_all(self, at: int, oids: tuple[str, ...]) -> None:
        self.decide(at, ev.CancelAll(account=ACCOUNT, symbol=SYMBOL, oids=oids, timestamp=T0 + at))

    # -- what the venue says -----------------------------------------------------------------------------------

    def event(self, oid: str, kind: EventKind, there: int, **more: Any) -> ev.OrderEvent:
        return ev.OrderEvent(
            oid=oid,
            kind=kind,
            source=more.pop("source", Source.STREAM),
            timestamp=T0 + there,
            account=ACCOUNT,
            symbol=SYMBOL,
            eid=f"e{oid}",
            **more,
        )

    def tell(self, event: records.Event, late: int = 5) -> None:
        """A fact that came `late` ms after it happened."""
        self.at = max(self.at, event.timestamp - T0 + late)
        self.put(Fact(event))

    def result(
        self,
        oid: str,
        there: int,
        conclusion: Conclusion = Conclusion.ACCEPTED,
        kind: CommandKind = CommandKind.CREATE,
        events: tuple[ev.OrderEvent, ...] = (),
        **more: Any,
    ) -> None:
        self.at = max(self.at, there + 5)
        self.put(
            Fact(
                ev.CommandResult(
                    kind=kind,
                    conclusion=conclusion,
                    oid=oid,
                    symbol=SYMBOL,
                    account=ACCOUNT,
                    timestamp=T0 + self.at,
                    events=events,
                    **more,
                )
            )
        )

    def accepted(self, oid: str, there: int) -> None:
        """The create arrived at this time of the venue."""
        acked = self.event(oid, EventKind.ACKED, there, source=Source.ACK)
        self.result(oid, there, events=(acked,))
        self.tell(self.event(oid, EventKind.ACCEPTED, there))

    def filled(
        self,
        oid: str,
        there: int,
        price: str,
        amount: str,
        *,
        maker: bool = False,
        rate: Decimal | None = None,
        currency: str = "USDT",
    ) -> None:
        """One execution, charged at this rate or the instrument's."""
        self._trades += 1
        value = Decimal(price) * Decimal(amount)
        charged = (MAKER if maker else TAKER) if rate is None else rate
        fill = ev.Fill(
            trade_id=str(self._trades),
            price=Decimal(price),
            amount=Decimal(amount),
            fee=(value * charged).quantize(Decimal("1e-8")),
            fee_currency=currency,
            is_maker=maker,
            timestamp=T0 + there,
        )
        self.tell(self.event(oid, EventKind.FILLED, there, fill=fill))

    def canceled(self, oid: str, there: int) -> None:
        ended = self.event(oid, EventKind.CANCELED, there, source=Source.ACK)
        self.result(oid, there, kind=CommandKind.CANCEL, events=(ended,))

    def balance(self, there: int, total: str, cause: str | None = None) -> None:
        self.tell(self.balance_event(total, there, cause))

    def position(self, there: int, amount: str) -> None:
        self.tell(self.position_event(amount, there))

    def balance_event(self, total: str, there: int = 0, cause: str | None = None) -> ev.BalanceEvent:
        return ev.BalanceEvent(
            account=ACCOUNT, asset="USDT", free=Decimal(total), timestamp=T0 + there, cause=cause
        )

    def position_event(self, amount: str, there: int = 0) -> ev.PositionEvent:
        return ev.PositionEvent(
            account=ACCOUNT,
            symbol=SYMBOL,
            signed_amount=Decimal(amount),
            entry_price=Decimal(60_000),
            timestamp=T0 + there,
        )
