"""What an account hears of its orders, executions, positions and wallet."""

# The voice of every venue has the same signatures, though not each needs every argument.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import cast

from nexustrader.emulator.bybit.accounts import AccountView, BybitAccount
from nexustrader.emulator.bybit.categories import POSITION_INDEXES
from nexustrader.emulator.bybit.encode import account as accounts
from nexustrader.emulator.bybit.encode import orders
from nexustrader.emulator.bybit.sockets.courier import Courier
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.records import CLOSE_OUT, Execution, OrderRecord
from nexustrader.emulator.orders.rules import MoneyCause
from nexustrader.kernel.ports import Clock

Body = dict[str, object]

# The second end of an order that was filled before its cancel arrived.
CANCEL_LOST = {"cancelType": "CancelByUser", "rejectReason": "EC_OrigClOrdIDDoesNotExist"}


class BybitVoice:
    """Tells an account each step; `markets` are all of the venue, `sequence` numbers what is told."""

    def __init__(
        self,
        clock: Clock,
        courier: Courier,
        markets: Callable[[], Iterable[Market]],
        sequence: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._courier = courier
        self._markets = markets
        self._sequence = sequence

    def accepted(self, account: Account, market: Market, record: OrderRecord) -> None:
        """Market orders are told once, when they are done."""
        if _is_told_at_once(record):
            self._tell(account, market, record)

    def traded(self, account: Account, market: Market, record: OrderRecord, execution: Execution) -> None:
        """An execution moves the position and the wallet."""
        owner, now_ms = cast("BybitAccount", account), self._clock.timestamp_ms()
        if market.listing.kind != "spot":
            gained = execution.realized - execution.fee
            owner.note_fill(market, record.sim.position_side, gained, now_ms, self._sequence())
        row = orders.stream_execution(record, execution, market.mark, execution_sequence(execution))
        told = _is_told_at_once(record) or not record.is_open
        self._tell(account, market, record, [self._execution(account, record, row)], with_order=told)

    def canceled(self, account: Account, market: Market, record: OrderRecord, cancel_id: str | None) -> None:
        """The order was taken off."""
        self._tell(account, market, record)

    def expired(self, account: Account, market: Market, record: OrderRecord) -> None:
        """The venue ended the order."""
        self._tell(account, market, record)

    def amended(self, account: Account, market: Market, record: OrderRecord) -> None:
        """The order has new terms."""
        self._tell(account, market, record)

    def released(self, account: Account, market: Market, record: OrderRecord) -> None:
        """What the trigger made of an order tells enough."""

    def cancel_lost(self, account: Account, record: OrderRecord) -> None:
        """A cancel came too late: the order's end is told once more."""
        row = {**orders.stream_order(record), **CANCEL_LOST}
        self._courier.tell(account, [self._order(account, record, row)])

    def money_moved(
        self, account: Account, cause: MoneyCause, asset: str, change: Decimal, market: Market | None = None
    ) -> None:
        """The wallet changed other than by an order."""
        view = self._view(account)
        events = [self._wallet(view, [asset])]
        if market is not None:
            if cause == "funding":
                events.append(self._funding(view, market, change))
            events += [self._position(view, market, index) for index in self._indexes(view, market)]
        self._courier.tell(account, events)

    # -- messages -----------------------------------------------------------------------------------------

    def _tell(
        self,
        account: Account,
        market: Market,
        record: OrderRecord,
        more: Iterable[Body] = (),
        *,
        with_order: bool = True,
    ) -> None:
        view, listing = self._view(account), record.listing
        events = [self._order(account, record, orders.stream_order(record))] if with_order else []
        events += more
        if listing.kind == "spot":
            coins = {listing.base: None, listing.quote: None}
        else:
            coins = {listing.settle: None}
            events.append(self._position(view, market, POSITION_INDEXES[record.sim.position_side]))
        if record.executions:
            coins[record.executions[-1].fee_asset] = None
        events.append(self._wallet(view, coins))
        self._courier.tell(account, events)

    def _order(self, account: Account, record: OrderRecord, row: Body) -> Body:
        return self._message(f"{account.uid}_{record.symbol}_{self._sequence()}", "order", row)

    def _execution(self, account: Account, record: OrderRecord, row: Body) -> Body:
        return self._message(f"{account.uid}_{record.symbol}_{self._sequence()}", "execution", row)

    def _funding(self, view: AccountView, market: Market, change: Decimal) -> Body:
        """Funding comes as an execution without an order."""
        lots = sum(view.position(market, index).lots for index in self._indexes(view, market))
        sequence = self._sequence()
        row = orders.funding_execution(market, lots, change, sequence, self._clock.timestamp_ms())
        return self._message(f"{view.account.uid}_{market.symbol}_{sequence}", "execution", row)

    def _position(self, view: AccountView, market: Market, index: int) -> Body:
        row = accounts.stream_position(view.position(market, index), self._sequence())
        name = f"{view.account.uid}_position_{self._clock.timestamp_ms()}"
        return self._message(name, "position", row)

    def _wallet(self, view: AccountView, coins: Iterable[str]) -> Body:
        row = accounts.wallet(view.coins(coins), view.coins())
        return self._message(f"{view.account.uid}_wallet_{self._sequence()}", "wallet", row)

    def _message(self, name: str, topic: str, row: Body) -> Body:
        return {"id": name, "topic": topic, "creationTime": self._clock.timestamp_ms(), "data": [row]}

    def _view(self, account: Account) -> AccountView:
        return AccountView(cast("BybitAccount", account), self._markets())

    def _indexes(self, view: AccountView, market: Market) -> tuple[int, ...]:
        return view.account.position_sides(market.symbol)


def execution_sequence(execution: Execution) -> int:
    """The cross sequence of an execution, the same on the stream and in queries."""
    return execution.trade_id


def _is_told_at_once(record: OrderRecord) -> bool:
    return record.is_held or record.type not in {"Market", CLOSE_OUT}
