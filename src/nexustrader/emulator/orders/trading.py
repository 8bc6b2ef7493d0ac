"""Orders of one product: from a checked request through the matching core to records, ledgers and user events.

Everything the core reports, whether the user's own order or the market caused it, goes through `apply`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import Protocol, cast

from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import Account, Accounts
from nexustrader.emulator.orders.past import History
from nexustrader.emulator.orders.records import CLOSE_OUT, Execution, OrderRecord
from nexustrader.emulator.orders.request import OrderRequest, Trigger
from nexustrader.emulator.orders.rules import Rules, Voice
from nexustrader.kernel.ports import Clock
from nexustrader.sim.account import Applied
from nexustrader.sim.types import (
    Accepted,
    Amended,
    Canceled,
    Expired,
    ExpireReason,
    MatchEvent,
    Rejected,
    Side,
    SimOrder,
    Traded,
)


class Meddler(Protocol):
    """Who may meddle with executions; see `mishaps`."""

    def take_fee(
        self, account: Account, market: Market, record: OrderRecord, event: Traded, applied: Applied
    ) -> Applied: ...
    def on_filled(self, account: Account, market: Market, record: OrderRecord, event: Traded) -> None: ...


class Trading:
    """All orders of one product, of all accounts."""

    def __init__(
        self,
        product: str,
        markets: Mapping[str, Market],
        accounts: Accounts,
        rules: Rules,
        voice: Voice,
        clock: Clock,
        new_id: Callable[[], str],
        on_first_fill: Callable[[Account], None],
        history: History,
    ) -> None:
        self.product = product
        self.new_id = new_id
        self.meddler: Meddler | None = None
        self._history = history
        self._markets = markets
        self._accounts = accounts
        self.rules = rules
        self._voice = voice
        self._clock = clock
        self._on_first_fill = on_first_fill
        self._next_order_id = rules.first_order_id
        self._next_held_id = rules.first_held_id
        self._records: dict[int, OrderRecord] = {}
        self._open: dict[str, dict[int, OrderRecord]] = {name: {} for name in accounts.by_name}
        self._by_client_id: dict[tuple[str, str, str], OrderRecord] = {}
        self._used_ids: set[tuple[str, str | None]] = set()  # where ids may not come back
        self._cancel_ids: dict[int, str] = {}
        for market in markets.values():
            market.on_events = self._applier(market)

    # -- commands -----------------------------------------------------------------------------------------

    def check(self, account: Account, request: OrderRequest, *, with_funds: bool = True) -> SimOrder:
        """The order as the core takes it, with the next id. Raises VenueError when it may not be placed."""
        market = self._markets[request.listing.symbol]
        self.rules.check(request, market, len(self.open_orders(account, market.symbol)))
        known = self._by_client_id.get((account.name, market.symbol, request.client_id or ""))
        is_used = (account.name, request.client_id) in self._used_ids
        if (known is not None and known.is_open) or is_used:
            raise self.rules.duplicate()
        lots = self._lots(market, request)
        if lots <= 0:
            raise self.rules.no_lots()
        order = SimOrder(
            order_id=self._next_order_id,
            account=account.name,
            side=request.side,
            lots=lots,
            kind="market" if request.price is None else "limit",
            price=None if request.price is None else market.instrument.to_ticks(request.price),
            client_id=request.client_id or self.new_id(),
            tif=request.core_tif,
            post_only=request.post_only,
            reduce_only=request.reduce_only,
            position_side=request.position_side,
            timestamp_ms=self._clock.timestamp_ms(),
            self_trade=request.stp,
        )
        if with_funds:
            self._check_funds(account, market, order)
        return order

    def place(self, account: Account, request: OrderRequest, *, killed: bool = False) -> OrderRecord:
        """Places an order and returns its record as it stands after immediate executions. Raises VenueError.

        A `killed` one expires at entry and never reaches the book.
        """
        order = self.check(account, request)
        market = self._markets[request.listing.symbol]
        record = _record_of(request, order)
        self._next_order_id += 1
        if killed:
            order.symbol, order.status = market.key, "EXPIRED"
            events: list[MatchEvent] = [Expired(order, "FOK" if request.tif == "FOK" else "IOC")]
        else:
            events, refused = self._enter(market, order)
            if refused is not None:
                raise refused
        self._keep(record)
        self.apply(market, events)
        return record

    def hold(self, account: Account, request: OrderRequest) -> OrderRecord:
        """Takes an order that waits for its trigger, out of the book and without a claim. Raises VenueError."""
        order = self.check(account, request, with_funds=self._next_held_id is None)
        market = self._markets[request.listing.symbol]
        order.symbol = market.key
        if self._next_held_id is None:
            self._next_order_id += 1
        else:
            order.order_id = self._next_held_id
            self._next_held_id += 1
        record = _record_of(request, order)
        record.is_held = True
        record.held_id = 0 if self._next_held_id is None else order.order_id
        self._keep(record)
        self._voice.accepted(account, market, record)
        self._history.note(account, record)
        return record

    def release(self, record: OrderRecord) -> None:
        """Its trigger came: enters an order that was held. What cannot be entered now ends at once."""
        market, account = self._markets[record.symbol], self._accounts.by_name[record.account]
        order = record.sim.snapshot()
        if record.is_apart:
            order.order_id = self._next_order_id
        try:
            self._check_funds(account, market, order)
            events, refused = self._enter(market, order)
        except VenueError as error:
            order.status, refused = "EXPIRED", error
            events = [Expired(order, cast("ExpireReason", "NO_FUNDS"))]
        if record.is_apart and refused is not None:
            record.refusal = refused.message
            events[0].order.order_id, events[0].order.status = record.order_id, "REJECTED"
        else:
            self._begin(record, order.order_id)
        self._voice.released(account, market, record)
        self.apply(market, events)

    def _begin(self, record: OrderRecord, order_id: int) -> None:
        """From now on a held order is one like others, where it was not, under an id of its own."""
        assert record.trigger is not None
        record.is_held = False
        record.type = record.trigger.becomes or record.type
        if record.held_id:
            del self._records[record.held_id], self._open[record.account][record.held_id]
            record.sim = record.sim.snapshot()
            record.sim.order_id = order_id
            self._next_order_id += 1
            self._keep(record)

    def _enter(self, market: Market, order: SimOrder) -> tuple[list[MatchEvent], VenueError | None]:
        """Gives an order to the core. One that this rejects has ended, or is refused where the venue says so."""
        events = market.engine.submit(order)
        if not isinstance(events[0], Rejected):
            return events, None
        return [_ended_at_entry(events[0])], self.rules.rejection(events[0].reason)

    def close_out(
        self,
        account: Account,
        market: Market,
        side: Side,
        lots: int,
        client_id: str,
        price: int | None = None,
        position_side: str = "BOTH",
    ) -> OrderRecord:
        """The venue's own order against an account: at the market, or executed at a price without one."""
        order = SimOrder(
            order_id=self._next_order_id,
            account=account.name,
            side=side,
            lots=lots,
            kind="market",
            client_id=client_id,
            reduce_only=True,
            timestamp_ms=self._clock.timestamp_ms(),
            symbol=market.key,
            position_side=position_side,
        )
        self._next_order_id += 1
        record = OrderRecord(
            listing=market.listing,
            account=account.name,
            sim=order.snapshot(),
            type=CLOSE_OUT,
            tif="IOC",
            client_id=client_id,
            stp="NONE",
            created_ms=order.timestamp_ms,
            updated_ms=order.timestamp_ms,
        )
        self._keep(record)
        if price is None:
            self.apply(market, market.engine.submit(order))
        else:
            self.apply(market, [Accepted(order.snapshot())])
            self.execute(market, record, lots, price)
        return record

    def execute(self, market: Market, record: OrderRecord, lots: int, price: int) -> None:
        """An execution that the matching core knows nothing of: on top of the order, or without a market."""
        order = record.sim.snapshot()
        order.filled += lots
        order.cost_ticks += price * lots
        order.status = "PARTIALLY_FILLED" if order.remaining > 0 else "FILLED"
        trade_id = market.engine.next_trade_id
        market.engine.next_trade_id += 1
        self.apply(market, [Traded(order, price, lots, False, trade_id)])
        self.apply(market, market.engine.expire_idle_reduce_only())

    def fill(self, record: OrderRecord, part: Decimal) -> bool:
        """Fills so much of what is left of an open order, out of turn; False when nothing could be filled."""
        market = self._markets[record.symbol]
        events = market.engine.fill(record.order_id, max(1, int(record.sim.remaining * part)))
        self.apply(market, events)
        return bool(events)

    def end(self, record: OrderRecord, how: str) -> None:
        """Ends an open order on the venue's own account: CANCELED, or EXPIRED for some reason."""
        market = self._markets[record.symbol]
        events = self._take_off(market, record)
        if events and how != "CANCELED":
            events[0].order.status = "EXPIRED"
            events[0] = Expired(events[0].order, cast("ExpireReason", how))
        self.apply(market, events)

    def cancel(self, record: OrderRecord, cancel_id: str | None = None) -> None:
        """Cancels an order. Raises VenueError when it is not open."""
        market = self._markets[record.symbol]
        if not record.is_open:
            raise self.rules.unknown_order()
        if cancel_id is not None:
            self._cancel_ids[record.order_id] = cancel_id
        self.apply(market, self._take_off(market, record))
        self._cancel_ids.pop(record.order_id, None)

    def modify(self, account: Account, record: OrderRecord, price: Decimal, amount: Decimal) -> None:
        """Changes price and total of an open limit order. Raises VenueError, and then the order stays as it was.

        The order may end by it: when the new total is filled already, or when it is post-only and would take.
        """
        market = self._markets[record.symbol]
        self.rules.check_amendment(record, market, price, amount)
        changed = record.sim.snapshot()
        changed.price, changed.lots = market.instrument.to_ticks(price), market.instrument.to_lots(amount)
        if changed.remaining > 0:
            self._check_funds(account, market, changed)
        record.modifications += 1
        self.apply(market, market.engine.amend(record.order_id, changed.price, changed.lots))

    def modify_held(self, record: OrderRecord, price: Decimal, amount: Decimal, trigger: Trigger) -> None:
        """Changes an order that waits for its trigger; `price` is 0 for one at the market."""
        market, account = self._markets[record.symbol], self._accounts.by_name[record.account]
        changed = record.sim.snapshot()
        changed.price = market.instrument.to_ticks(price) if price else None
        changed.lots = market.instrument.to_lots(amount)
        record.sim, record.trigger, record.updated_ms = changed, trigger, self._clock.timestamp_ms()
        self._voice.amended(account, market, record)
        self._history.note(account, record)

    # -- readings -----------------------------------------------------------------------------------------

    def find(
        self, account: Account, symbol: str, order_id: int | None, client_id: str | None
    ) -> OrderRecord | None:
        """An order by venue id, or the latest of a client id; None when there is none, or it is another's."""
        if order_id is not None:
            record = self._records.get(order_id)
        else:
            record = self._by_client_id.get((account.name, symbol, client_id or ""))
        if record is None or record.account != account.name or record.symbol != symbol:
            return None
        return record

    def orders(self, account: Account, symbol: str | None = None) -> list[OrderRecord]:
        """Every order of an account, oldest first."""
        return [
            record
            for record in self._records.values()
            if record.account == account.name and symbol in {None, record.symbol}
        ]

    def open_orders(self, account: Account, symbol: str | None = None) -> list[OrderRecord]:
        """The open orders of an account, oldest first."""
        return [record for record in self._open[account.name].values() if symbol in {None, record.symbol}]

    @property
    def records(self) -> Collection[OrderRecord]:
        """Every order of every account, oldest first."""
        return self._records.values()

    @property
    def order_count(self) -> int:
        """Orders ever accepted."""
        return len(self._records)

    # -- what the core reports ----------------------------------------------------------------------------

    def apply(self, market: Market, events: Iterable[MatchEvent]) -> None:
        """Takes what the core reports, in order: record, ledger, user events."""
        for event in events:
            record = self._records[event.order.order_id]
            if isinstance(event, (Canceled, Expired)):
                event.order.status = self.rules.end_status(record, event.order, event.reason)
            account = self._accounts.by_name[record.account]
            record.sim = event.order
            record.updated_ms = self._clock.timestamp_ms()
            if not record.is_open:
                self._open[record.account].pop(record.order_id, None)
            applied = account.ledgers[self.product].apply(event)
            match event:
                case Traded():
                    assert applied is not None
                    if self.meddler is not None:
                        applied = self.meddler.take_fee(account, market, record, event, applied)
                    if not record.executions:
                        self._on_first_fill(account)
                    execution = Execution(
                        trade_id=event.trade_id,
                        price=market.instrument.price(event.price_ticks),
                        amount=market.instrument.amount(event.lots),
                        fee=applied.fee,
                        fee_asset=applied.fee_asset,
                        is_maker=event.is_maker,
                        realized=applied.realized_pnl,
                        timestamp_ms=record.updated_ms,
                    )
                    record.executions.append(execution)
                    self._voice.traded(account, market, record, execution)
                    if self.meddler is not None and record.sim.filled == record.sim.lots:
                        self.meddler.on_filled(account, market, record, event)
                case Accepted():
                    self._voice.accepted(account, market, record)
                case Canceled():
                    record.cancel_reason = event.reason
                    self._voice.canceled(account, market, record, self._cancel_ids.get(record.order_id))
                case Expired():
                    record.expiry_reason = event.reason
                    self._voice.expired(account, market, record)
                case Amended():
                    self._voice.amended(account, market, record)
                case Rejected():
                    raise AssertionError("the core refused an order that it had accepted")
            self._history.note(account, record)

    @staticmethod
    def _take_off(market: Market, record: OrderRecord) -> list[MatchEvent]:
        """Takes an open order out of the book, or from where it waits."""
        if not record.is_held:
            return market.engine.cancel(record.order_id)
        order = record.sim.snapshot()
        order.status = "CANCELED"
        return [Canceled(order)]

    def _keep(self, record: OrderRecord) -> None:
        self._records[record.order_id] = self._open[record.account][record.order_id] = record
        self._by_client_id[record.account, record.symbol, record.client_id] = record
        if self.rules.client_ids_for_ever:
            self._used_ids.add((record.account, record.client_id))

    def _applier(self, market: Market) -> Callable[[list[MatchEvent]], None]:
        return lambda events: self.apply(market, events)

    def _check_funds(self, account: Account, market: Market, order: SimOrder) -> None:
        ledger = account.ledgers[self.product]
        ledger.set_mark(market.key, market.mark)
        price = None
        if order.kind == "market" and market.listing.kind == "spot":
            lots, cost_ticks = market.engine.cost_to_take(order.side, order.lots)
            price = market.listing.tick * cost_ticks / lots if lots else market.mark
        if ledger.refusal(market.key, order, price) is not None:
            raise self.rules.no_funds()

    @staticmethod
    def _lots(market: Market, request: OrderRequest) -> int:
        """Lots of the order; for a market order by quote amount as many as that buys or brings now."""
        if request.amount is not None:
            return market.instrument.to_lots(request.amount)
        assert request.quote_amount is not None
        budget = int(request.quote_amount / (market.listing.tick * market.listing.lot))
        levels = market.engine.depth(1_000)[1 if request.side is Side.BUY else 0]
        total = 0
        for price, lots in levels:
            taken = min(lots, budget // price)
            total += taken
            budget -= taken * price
            if taken < lots:
                break
        return total


def _record_of(request: OrderRequest, order: SimOrder) -> OrderRecord:
    return OrderRecord(
        listing=request.listing,
        account=order.account,
        sim=order.snapshot(),
        type=request.type,
        tif=request.tif,
        client_id=order.client_id,
        stp=request.stp,
        trigger=request.trigger,
        quote_amount=request.quote_amount or Decimal(0),
        terms=request.terms,
        created_ms=order.timestamp_ms,
        updated_ms=order.timestamp_ms,
    )


def _ended_at_entry(event: Rejected) -> Expired:
    """What the core rejects, as a venue tells it that had taken the order already."""
    event.order.status = "EXPIRED"
    return Expired(event.order, cast("ExpireReason", event.reason))
