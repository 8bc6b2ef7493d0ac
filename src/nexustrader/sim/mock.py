"""Paper trading: a simulated account on live public data, whose balances and positions outlive a restart."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol

from nexustrader.constants import AccountType, DataType, InstrumentType
from nexustrader.domain.instrument import Instrument
from nexustrader.kernel.bus import MessageBus
from nexustrader.kernel.ports import Clock
from nexustrader.market.data import MarketData
from nexustrader.sim.exchange import SimExchange
from nexustrader.sim.settings import SavedAccount, SimSettings

IDS_PER_MS = 1_000  # ids of one run begin where those of an earlier run cannot have come
FEEDS = (DataType.BOOKL1, DataType.TRADE)


class MockConnector(Protocol):
    """What is read of a `config.MockConnectorConfig`."""

    @property
    def account_type(self) -> AccountType: ...
    @property
    def initial_balance(self) -> Mapping[str, float | int]: ...
    @property
    def fee_rate(self) -> float: ...
    @property
    def leverage(self) -> float: ...
    @property
    def update_interval(self) -> int: ...
    @property
    def overwrite_balance(self) -> bool: ...
    @property
    def overwrite_position(self) -> bool: ...


class Store(Protocol):
    """Named values that outlive the process."""

    def get(self, name: str, default: Any = None) -> Any: ...
    def set(self, name: str, value: Any) -> None: ...


class StoredAccount:
    """A `Keeper` under one name of a store. What is to be overwritten is kept, but not read."""

    def __init__(self, store: Store, name: str, *, read_balances: bool, read_positions: bool) -> None:
        self._store = store
        self._name = name
        self._read_balances = read_balances
        self._read_positions = read_positions

    def load(self) -> SavedAccount | None:
        found = self._store.get(self._name)
        if found is None:
            return None
        return SavedAccount(
            balances=found["balances"] if self._read_balances else {},
            positions=found["positions"] if self._read_positions else {},
        )

    def save(self, account: SavedAccount) -> None:
        self._store.set(self._name, {"balances": account.balances, "positions": account.positions})


def mock_settings(connector: MockConnector, first_id: int) -> SimSettings:
    """The connector's wishes in the simulator's words."""
    fee = Decimal(str(connector.fee_rate))
    return SimSettings(
        balances=decimals(connector.initial_balance),
        kinds=mock_kinds(connector.account_type),
        leverage=Decimal(str(connector.leverage)),
        maker_fee=fee,
        taker_fee=fee,
        update_interval_s=float(connector.update_interval),
        first_id=first_id,
    )


def mock_kinds(account_type: AccountType) -> frozenset[InstrumentType]:
    """What an account type that ends in _MOCK trades."""
    kinds = {
        InstrumentType.SPOT: account_type.is_spot_mock,
        InstrumentType.LINEAR: account_type.is_linear_mock,
        InstrumentType.INVERSE: account_type.is_inverse_mock,
    }
    return frozenset(kind for kind, is_traded in kinds.items() if is_traded)


def decimals(amounts: Mapping[str, float | int | str | Decimal]) -> dict[str, Decimal]:
    """Amounts by asset as the user wrote them: 0.1 is a tenth."""
    return {asset: Decimal(str(amount)) for asset, amount in amounts.items()}


def build_mock(
    key: str,
    connector: MockConnector,
    instruments: Mapping[str, Instrument],
    clock: Clock,
    *,
    bus: MessageBus,
    market: MarketData,
    store: Store,
) -> SimExchange:
    """A simulated account that listens to the book and the trades on `bus`, and keeps itself in `store` under `key`.

    At the first order of a symbol it makes sure through `market` that both are subscribed.
    """

    def want_data(symbol: str) -> None:
        for kind in FEEDS:
            market.subscribe(kind, [symbol], "", ready=True, ready_timeout_s=0.0)

    exchange = SimExchange(
        key,
        instruments,
        clock,
        mock_settings(connector, first_id=clock.timestamp_ms() * IDS_PER_MS + 1),
        keeper=StoredAccount(
            store,
            f"mock account {key}",
            read_balances=not connector.overwrite_balance,
            read_positions=not connector.overwrite_position,
        ),
        want_data=want_data,
    )
    bus.subscribe(DataType.BOOKL1.value, exchange.on_bookl1)
    bus.subscribe(DataType.TRADE.value, exchange.on_trade)
    return exchange
