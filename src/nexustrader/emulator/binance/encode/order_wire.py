"""What the encoders of orders and accounts of a futures product offer; there is a module for each."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from nexustrader.emulator.binance.encode import encode_coinm, encode_usdm
from nexustrader.emulator.binance.encode.encode_usdm import PositionView
from nexustrader.emulator.binance.topics import COINM, USDM
from nexustrader.emulator.orders.records import ZERO, Execution, OrderRecord

Body = dict[str, object]


class OrderWire(Protocol):
    """The encoders of one product."""

    def new_order(self, record: OrderRecord, *, with_averages: bool = False) -> Body: ...
    def acknowledged(self, record: OrderRecord, *, with_averages: bool = False) -> Body: ...
    def modified(
        self, record: OrderRecord, modify_id: int | None, *, with_averages: bool = False
    ) -> Body: ...
    def order(self, record: OrderRecord) -> Body: ...
    def trade(self, record: OrderRecord, execution: Execution) -> Body: ...
    def order_trade_update(
        self,
        record: OrderRecord,
        kind: str,
        bids_asks: tuple[Decimal, Decimal],
        now_ms: int,
        execution: Execution | None = None,
    ) -> Body: ...
    def account_update(
        self,
        wallets: Mapping[str, Decimal],
        positions: list[PositionView],
        now_ms: int,
        *,
        reason: str = "ORDER",
        change: Decimal = ZERO,
    ) -> Body: ...
    def account_config_update(self, symbol: str, leverage: int, now_ms: int) -> Body: ...


ORDER_WIRES: dict[str, OrderWire] = {USDM: encode_usdm, COINM: encode_coinm}
