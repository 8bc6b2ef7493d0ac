"""The gate that every order passes: ACTIVE, REDUCING or HALTED, and the limits while it is open.

Its state is journalled, so that an engine that was halted starts halted, until somebody resumes trading. Cancels
never come here: they always go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Literal, TypeVar

import msgspec

from nexustrader.constants import OrderSide, TradingState
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.order import OrderState
from nexustrader.domain.outcome import Conclusion
from nexustrader.domain.snapshot import Snapshot
from nexustrader.error import JournalError
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock, Journal, TimerHandle
from nexustrader.market.cache import Cache
from nexustrader.portfolio.portfolio import Portfolio
from nexustrader.risk import rules
from nexustrader.risk.equity import Marks
from nexustrader.risk.exposure import OpenAmount, totals, worst_case
from nexustrader.risk.limits import Limits, RiskConfig
from nexustrader.risk.losses import LossWatch
from nexustrader.risk.rules import Proposal, View

CHECK_INTERVAL_MS = 1_000
PEAK_WRITE_INTERVAL_MS = 60_000

AMENDMENTS = "amendments"  # where a snapshot keeps what `Gate.amendments` gave
SECTION = "risk"  # where a snapshot of the journal keeps what `Gate.section` gave

Replayed = TypeVar("Replayed", bound=ev.Record | Snapshot)
OpenOrders = Callable[[str | None], Iterable[OrderState]]  # of an account, or of all

_SEVERITY = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}
_STATE_FOR: Mapping[Literal["continue", "reduce", "halt"], TradingState] = {
    "continue": TradingState.ACTIVE,
    "reduce": TradingState.REDUCING,
    "halt": TradingState.HALTED,
}
_ADVICE = "resume_trading() ends this"
_ZERO = Decimal(0)

_log = get_logger("Risk")


class _Asked(msgspec.Struct):
    """Amendments of one order that may still take effect: how many are under way, and to which amount at most."""

    amount: Decimal
    under_way: int = 0
    is_doubtful: bool = False  # one may have been carried out, or be so later


class Gate:
    """One for the engine."""

    def __init__(
        self,
        config: RiskConfig,
        clock: Clock,
        journal: Journal,
        cache: Cache,
        portfolio: Portfolio,
        instruments: Mapping[str, Instrument],
        open_orders: OpenOrders,
    ) -> None:
        self.config = config
        self._clock = clock
        self._journal = journal
        self._cache = cache
        self._portfolio = portfolio
        self._instruments = instruments
        self._open_orders = open_orders
        self._limits: dict[str, Limits] = {}
        self._sent_ms: deque[int] = deque(maxlen=config.orders_max or 0)
        self._asked: dict[str, _Asked] = {}
        self._quarantined: dict[str, str] = {}
        self._losses = LossWatch(config, cache, portfolio, instruments) if config.limits_losses else None
        self._last: ev.RiskEvent | None = None
        self._is_unwritten = False
        self._timer: TimerHandle | None = None
        self._is_running = False
        self.state = TradingState.ACTIVE
        self.reason = ""
        self.is_open = not config.limits_orders
        """True while nothing can be refused: then an order need not be shown to the gate at all."""

    # -- the state -------------------------------------------------------------------------------------------

    def halt(self, reason: str) -> None:
        """Let nothing but cancels through from now on."""
        self._tighten(TradingState.HALTED, reason)

    def reduce_only(self, reason: str) -> None:
        """Let through only what reduces a position. A halt stays a halt."""
        self._tighten(TradingState.REDUCING, reason)

    def resume(self, reason: str = "") -> None:
        """Let orders through again; losses are measured from now on."""
        if self._losses is not None and self._is_running:
            self._losses.begin_anew(self._clock.timestamp_ms())
        self._enter(TradingState.ACTIVE, reason or "resumed by the operator")

    def on_user_error(self, where: str) -> None:
        """A callback of the strategy has raised: go on, or stop new risk, as configured."""
        state = _STATE_FOR[self.config.on_user_error]
        self._tighten(state, f"{where} raised, and RiskConfig.on_user_error is {self.config.on_user_error!r}")

    def _tighten(self, state: TradingState, reason: str) -> None:
        if _SEVERITY[state] > _SEVERITY[self.state]:
            self._enter(state, reason)

    def _enter(self, state: TradingState, reason: str) -> None:
        was, self.state, self.reason = self.state, state, reason
        self._look_whether_open()
        self._record()
        if state is TradingState.ACTIVE:
            _log.info(f"trading is {state.value} (it was {was.value}): {reason}")
        else:
            _log.error(f"trading is {state.value}: {reason}. {_ADVICE}")

    def _look_whether_open(self) -> None:
        self.is_open = (
            self.state is TradingState.ACTIVE and not self._quarantined and not self.config.limits_orders
        )

    # -- symbols under quarantine ----------------------------------------------------------------------------

    def quarantine(self, symbol: str, reason: str) -> None:
        """Let no new risk on a symbol through, until `release`."""
        if symbol not in self._quarantined:
            _log.error(f"{symbol} takes no new risk: {reason}")
        self._quarantined[symbol] = reason
        self._look_whether_open()

    def release(self, symbol: str) -> None:
        """End a quarantine; of a symbol that is under none this is no error."""
        if self._quarantined.pop(symbol, None) is not None:
            _log.info(f"{symbol} takes new risk again")
            self._look_whether_open()

    @property
    def quarantined(self) -> Mapping[str, str]:
        """Symbols under quarantine, and why."""
        return dict(self._quarantined)

    # -- orders ----------------------------------------------------------------------------------------------

    def refuse_order(self, account: str, instrument: Instrument, order: Proposal) -> str | None:
        """Why a new order must not be sent. None: it may, and counts as sent from now on."""
        self._record_again()
        if self.state is TradingState.HALTED:
            return self._halted()
        view = self._view(account, instrument, order)
        reason = self._refuse_risk(order, view) or self._beyond_limits(order, view)
        if reason is None:
            self._count_sent()
        return reason

    def refuse_again(self, order: OrderState) -> str | None:
        """Why an order that was let through must not be sent by another route; its limits were checked before."""
        if self.state is TradingState.HALTED:
            return self._halted()
        instrument = self._instruments.get(order.symbol)
        if instrument is None:
            return None  # only an order of an earlier run could be so, and those are never sent again
        proposal = _proposal_of(order, order.amount, order.price)
        return self._refuse_risk(proposal, self._view(order.account, instrument, proposal, order))

    def refuse_amendment(
        self, order: OrderState, instrument: Instrument, amount: Decimal, price: Decimal | None
    ) -> str | None:
        """Why an order must not be amended so. None: it may, and until `on_amended` both amounts count.

        An amendment that only takes away from the amount needs no more than that trading is not halted.
        """
        self._record_again()
        if self.state is TradingState.HALTED:
            return self._halted()
        reason = None
        if amount > self._amount_of(order) or price != order.price:
            proposal = _proposal_of(order, amount, price)
            view = self._view(order.account, instrument, proposal, order)
            reason = self._refuse_risk(proposal, view) or self._beyond_limits(proposal, view)
        if reason is None:
            self._count_sent()
            self._note_amendment(order, amount)
        return reason

    def on_amended(self, oid: str, conclusion: Conclusion) -> None:
        """One amendment of an order has ended. In doubt, its amount counts as long as the order lives."""
        asked = self._asked.get(oid)
        if asked is not None:
            asked.under_way = max(asked.under_way - 1, 0)
            asked.is_doubtful |= conclusion in (Conclusion.UNKNOWN, Conclusion.ABSENT)

    def _note_amendment(self, order: OrderState, amount: Decimal) -> None:
        self._forget_ended()
        asked = self._asked.setdefault(order.oid, _Asked(order.amount))
        asked.amount = max(asked.amount, amount)
        asked.under_way += 1

    def _forget_ended(self) -> None:
        alive = {order.oid for order in self._open_orders(None)}
        self._asked = {oid: asked for oid, asked in self._asked.items() if oid in alive}

    def _amount_of(self, order: OrderState) -> Decimal:
        """The greatest amount that the order may have, now or once its amendments have taken effect."""
        asked = self._asked.get(order.oid)
        if asked is None:
            return order.amount
        # Race: the reply to an amendment may come before the event that says what is in force.
        if not asked.under_way and not asked.is_doubtful and not order.is_amending:
            del self._asked[order.oid]
            return order.amount
        return max(order.amount, asked.amount)

    def _left_of(self, order: OrderState) -> Decimal:
        amount = self._amount_of(order) if order.oid in self._asked else order.amount
        return amount - order.filled if amount > order.filled else _ZERO

    # -- judging ---------------------------------------------------------------------------------------------

    def _halted(self) -> str:
        return f"TRADING_HALTED: {self.reason}; {_ADVICE}"

    def _refuse_risk(self, order: Proposal, view: View) -> str | None:
        """Why there may be no new risk at all; an order that reduces is none."""
        held = self._quarantined.get(view.instrument.symbol)
        if (self.state is TradingState.ACTIVE and held is None) or rules.reduces(order, view):
            return None
        hint = "only reducing orders are sent (reduce_only=True says so of a contract)"
        if self.state is TradingState.REDUCING:
            return f"TRADING_REDUCING: {self.reason}; {hint}; {_ADVICE}"
        return f"QUARANTINE: {held}; {hint} until it is resolved"

    def _beyond_limits(self, order: Proposal, view: View) -> str | None:
        if not self.config.limits_orders:
            return None
        limits = self._limits_of(view.instrument.symbol)
        now_ms, orders_max = self._clock.timestamp_ms(), self.config.orders_max
        reason = None
        if orders_max is not None:
            reason = rules.order_rate(self._sent_ms, now_ms, orders_max, self.config.orders_window_ms)
        for rule, limit in (
            (rules.price_collar, limits.price_collar),
            (rules.order_notional, limits.order_notional_max),
            (rules.position_amount, limits.position_max),
            (rules.position_notional, limits.position_notional_max),
        ):
            if reason is None and limit is not None:
                reason = rule(order, view, limit)
        return reason

    def _limits_of(self, symbol: str) -> Limits:
        limits = self._limits.get(symbol)
        if limits is None:
            limits = self._limits[symbol] = self.config.limits(symbol)
        return limits

    def _count_sent(self) -> None:
        self._sent_ms.append(self._clock.timestamp_ms())

    def _view(
        self, account: str, instrument: Instrument, order: Proposal, amended: OrderState | None = None
    ) -> View:
        """The worst case with and without `order`, which takes the place of `amended` if there is one."""
        symbol = instrument.symbol
        position = self._portfolio.position(account, symbol, order.position_side).signed_amount
        is_buy, amount, reduce_only = order.side.is_buy, order.amount, order.reduce_only
        others = totals(
            OpenAmount(one.side is OrderSide.BUY, self._left_of(one), one.is_reducing)
            for one in self._open_orders(account)
            if one.symbol == symbol
            and one.position_side is order.position_side
            and (amended is None or one.oid != amended.oid)
        )
        before = others
        if amended is not None:
            left = self._left_of(amended)
            before = others.plus(OpenAmount(is_buy, left, reduce_only))
            amount = max(amount - amended.filled, left)  # the amendment may come to nothing
        book = self._cache.bookl1(symbol)
        return View(
            instrument=instrument,
            before=worst_case(position, before),
            after=worst_case(position, others.plus(OpenAmount(is_buy, amount, reduce_only))),
            bid=_price(book.bid) if book is not None else None,
            ask=_price(book.ask) if book is not None else None,
            mark=_price(self._cache.last_price(symbol)),
        )

    # -- losses ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to watch for losses, once the accounts are in line with their venues; say what state holds."""
        self._is_running = True
        self._forget_ended()
        for symbol in self.config.symbols:
            if symbol not in self._instruments:
                _log.warning(
                    f"RiskConfig.symbols limits {symbol}, which no connector knows: nothing is limited by it"
                )
        if self.state is not TradingState.ACTIVE:
            _log.error(f"trading is {self.state.value} since an earlier run: {self.reason}. {_ADVICE}")
        if self._losses is not None:
            self._check_regularly()

    def stop(self) -> None:
        """End the timer."""
        self._is_running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def on_fill(self) -> None:
        """Fills have moved a position."""
        if self._losses is not None and self._is_running:
            self._check_losses(self._losses)

    def _check_regularly(self) -> None:
        if self._losses is None or not self._is_running:
            return
        due_ns = self._clock.timestamp_ns() + CHECK_INTERVAL_MS * 1_000_000
        self._timer = self._clock.call_at(due_ns, self._check_regularly)
        self._check_losses(self._losses)

    def _check_losses(self, losses: LossWatch) -> None:
        reason = losses.check(self._clock.timestamp_ms())
        if reason is not None:
            self._tighten(_STATE_FOR[self.config.on_loss], reason)
        if self._is_worth_writing(losses.marks):
            self._record()

    def _is_worth_writing(self, marks: Marks | None) -> bool:
        """True when a restart would measure losses from other marks. Not at every new peak: those are many."""
        last = self._last
        if marks is None or last is None or last.day != marks.day or last.day_opening != marks.opening:
            return marks is not None
        is_due = self._clock.timestamp_ms() - last.timestamp >= PEAK_WRITE_INTERVAL_MS
        return last.peak != marks.peak and is_due

    # -- journal ---------------------------------------------------------------------------------------------

    def observed(self, records: Iterable[Replayed]) -> Iterator[Replayed]:
        """What a journal replays as it comes; state and amendments are taken from it on the way. JournalError."""
        for record in records:
            event = state_in(record)
            if event is not None:
                self._restore(event)
            if isinstance(record, Snapshot):
                self._asked = {oid: _Asked(amount) for oid, amount in _amendments_in(record).items()}
            elif isinstance(record, ev.Amend) and record.amount is not None:
                known = self._asked.get(record.oid)
                amount = record.amount if known is None else max(known.amount, record.amount)
                self._asked[record.oid] = _Asked(amount)
            yield record

    def amendments(self) -> str:
        """What a snapshot of the journal keeps of amendments that may still take effect."""
        self._forget_ended()
        return msgspec.json.encode({oid: asked.amount for oid, asked in self._asked.items()}).decode()

    def section(self) -> str:
        """What a snapshot of the journal keeps of the gate."""
        return "" if self._last is None else msgspec.json.encode(self._last).decode()

    def _restore(self, event: ev.RiskEvent) -> None:
        self._last = event
        self.state, self.reason = event.state, event.reason
        self._look_whether_open()
        if self._losses is not None:
            self._losses.marks = _marks_of(event)

    def _record(self) -> None:
        """Journal what holds now. A state that cannot be journalled holds all the same."""
        marks = self._losses.marks if self._losses is not None else None
        self._last = ev.RiskEvent(
            state=self.state,
            reason=self.reason,
            timestamp=self._clock.timestamp_ms(),
            day=None if marks is None else marks.day,
            day_opening=None if marks is None else marks.opening,
            peak=None if marks is None else marks.peak,
        )
        try:
            self._journal.append(self._last)
        except JournalError as error:
            self._is_unwritten = True
            _log.error(f"trading is {self.state.value}, but a restart would not know it: {error}")
        else:
            self._is_unwritten = False

    def _record_again(self) -> None:
        """Try once more what could not be journalled."""
        if self._is_unwritten:
            self._record()


def state_in(record: ev.Record | Snapshot) -> ev.RiskEvent | None:
    """What a record or a snapshot of the journal says of the gate's state. Raises JournalError when unreadable."""
    if isinstance(record, ev.RiskEvent):
        return record
    text = record.sections.get(SECTION) if isinstance(record, Snapshot) else None
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=ev.RiskEvent)
    except msgspec.MsgspecError as error:
        raise JournalError(f"the state of the risk gate in a snapshot cannot be read: {error}") from error


def _amendments_in(snapshot: Snapshot) -> dict[str, Decimal]:
    try:
        return msgspec.json.decode(snapshot.sections.get(AMENDMENTS) or "{}", type=dict[str, Decimal])
    except msgspec.MsgspecError as error:
        raise JournalError(f"the amendments in a snapshot cannot be read: {error}") from error


def _proposal_of(order: OrderState, amount: Decimal, price: Decimal | None) -> Proposal:
    return Proposal(
        order.side, order.type, amount, price, order.is_reducing, order.trigger_price, order.position_side
    )


def _marks_of(event: ev.RiskEvent) -> Marks | None:
    if event.day is None or event.day_opening is None or event.peak is None:
        return None
    return Marks(event.day, event.day_opening, event.peak)


def _price(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))
