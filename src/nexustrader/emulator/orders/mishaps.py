"""Orders that go otherwise than asked: killed at entry, ended later, filled against a cancel, filled too much."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

import msgspec

from nexustrader.emulator.faults import FILL, HANDLING, Fault, FaultPlan
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.records import OrderRecord
from nexustrader.emulator.orders.request import OrderRequest
from nexustrader.emulator.orders.trading import Trading
from nexustrader.kernel.ports import Clock
from nexustrader.sim.account import Applied
from nexustrader.sim.types import SimOrder, Traded

NS_PER_MS = 1_000_000
FEE_QUANTUM = Decimal("1e-8")
# What an asset is worth in quote when fees are taken in it; the emulator lists no market for it.
WORTH = {"BNB": Decimal(600)}


class Command(Protocol):
    """A request about orders, as faults see it."""

    @property
    def owner(self) -> Account: ...
    @property
    def about(self) -> Mapping[str, str | None]: ...

    def strike(self, action: str, **more: str | None) -> Fault | None:
        """The fault of this name that strikes the request while it is handled; None for none."""


class Mishaps:
    """Meddles with the orders of one product as the fault plan says; a `trading.Meddler`."""

    def __init__(self, trading: Trading, clock: Clock, faults: FaultPlan) -> None:
        self._trading = trading
        self._clock = clock
        self._faults = faults
        trading.meddler = self

    # -- requests -----------------------------------------------------------------------------------------

    def place(self, call: Command, request: OrderRequest) -> tuple[OrderRecord, bool]:
        """Places an order; True when the reply must not say more than that it was taken. Raises VenueError."""
        if not self._faults.pending:
            return self._trading.place(call.owner, request), True
        self._trading.check(call.owner, request)
        killed = call.strike("killed_at_entry")
        record = self._trading.place(call.owner, request, killed=killed is not None)
        self._arm_late_end(call, record)
        if call.strike("ghost_twin"):
            raise self._trading.rules.duplicate()
        return record, killed is None or killed.how == "acked"

    def before_change(self, call: Command, record: OrderRecord) -> None:
        """What happens to an order between a request to change it and the change."""
        if self._faults.pending:
            about = {**call.about, "client_id": record.client_id}
            fault = self._faults.find(HANDLING, ("fill_wins",), **about)
            if fault is not None and self._trading.fill(record, fault.part):
                self._faults.struck(fault)

    def instead_of_cancel(self, call: Command, record: OrderRecord) -> OrderRecord | None:
        """The order as a reply shows it that is not true; None to go on and cancel it. Raises VenueError."""
        if not record.is_open or not self._faults.pending:
            return None
        if call.strike("cancel_refused", client_id=record.client_id):
            raise self._trading.rules.unknown_order()
        fault = call.strike("false_cancel", client_id=record.client_id)
        if fault is None:
            return None
        sim = record.sim.snapshot()
        sim.status = "CANCELED"
        shown = msgspec.structs.replace(record, sim=sim, updated_ms=self._clock.timestamp_ms())
        self._trading.fill(record, fault.part)
        return shown

    def to_cancel(self, call: Command, records: list[OrderRecord]) -> list[OrderRecord]:
        """Those of the orders that a request to cancel all really cancels."""
        fault = call.strike("cancel_all_partial") if records and self._faults.pending else None
        return records if fault is None else records[: -fault.n]

    # -- executions ---------------------------------------------------------------------------------------

    def take_fee(
        self, account: Account, market: Market, record: OrderRecord, event: Traded, applied: Applied
    ) -> Applied:
        """Takes the fee of an execution in another asset, if the account has enough of that."""
        fault = self._find_fill("fee_asset", record)
        if fault is None or applied.fee <= 0 or fault.asset == applied.fee_asset:
            return applied
        ledger = account.ledgers[self._trading.product]
        value = applied.fee
        if applied.fee_asset != market.listing.quote:
            value *= market.instrument.price(event.price_ticks)
        fee = (value / WORTH.get(fault.asset, Decimal(1))).quantize(FEE_QUANTUM)
        if fee <= 0 or ledger.free(fault.asset) < fee:
            return applied
        ref = f"fee:{record.symbol}:{event.trade_id}"
        ledger.transfer(applied.fee_asset, applied.fee, ref)
        ledger.transfer(fault.asset, -fee, ref)
        self._faults.struck(fault)
        return msgspec.structs.replace(applied, fee=fee, fee_asset=fault.asset)

    def on_filled(self, account: Account, market: Market, record: OrderRecord, event: Traded) -> None:
        """Executes more than was asked for, as far as the account can pay for it."""
        fault = self._find_fill("overfill", record)
        if fault is None:
            return
        lots = max(1, int(record.sim.lots * fault.part))
        probe = SimOrder(
            order_id=0,
            account=account.name,
            side=record.sim.side,
            lots=lots,
            price=event.price_ticks,
            position_side=record.sim.position_side,
        )
        if account.ledgers[self._trading.product].refusal(market.key, probe) is None:
            self._faults.struck(fault)
            self._trading.execute(market, record, lots, event.price_ticks)

    # -- inside -------------------------------------------------------------------------------------------

    def _arm_late_end(self, call: Command, record: OrderRecord) -> None:
        fault = self._faults.find(HANDLING, ("late_end",), **call.about)
        if fault is None or not record.is_open:
            return
        self._faults.use(fault)

        def end() -> None:
            if record.is_open:
                self._faults.note(fault.action)
                self._trading.end(record, fault.how)

        self._clock.call_at((self._clock.timestamp_ms() + fault.delay_ms) * NS_PER_MS, end)

    def _find_fill(self, action: str, record: OrderRecord) -> Fault | None:
        if not self._faults.pending:
            return None
        return self._faults.find(
            FILL,
            (action,),
            on="fill",
            product=self._trading.product,
            symbol=record.symbol,
            client_id=record.client_id,
            account=record.account,
        )
