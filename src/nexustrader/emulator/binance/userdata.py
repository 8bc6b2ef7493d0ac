"""User data: the events an account hears of its own orders and money, and the ways by which it hears them.

Spot pushes through subscriptions on WebSocket API sessions, futures through listen keys.
"""

# Both products share the signatures of `rules.Voice`, though each needs other arguments.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from nexustrader.emulator.binance.accounts import FuturesView, open_notionals, spot_balances
from nexustrader.emulator.binance.encode import encode_algo, encode_spot, encode_usdm
from nexustrader.emulator.binance.encode.order_wire import ORDER_WIRES
from nexustrader.emulator.binance.errors import refusal
from nexustrader.emulator.binance.streams import Hub
from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.records import CLOSE_OUT, Execution, OrderRecord
from nexustrader.emulator.orders.rules import MoneyCause
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock, TimerHandle

NS_PER_MS = 1_000_000
LISTEN_KEY_TTL_MS = 3_600_000
FIRST_EXECUTION_ID = 8_641_984
REASONS = {"liquidation": "INSURANCE_CLEAR", "funding": "FUNDING_FEE"}  # `m` of ACCOUNT_UPDATE

Body = dict[str, object]
Publish = Callable[[Account, Body], None]
OnListener = Callable[[Account], None]


class SpotVoice:
    """executionReport, then outboundAccountPosition with the assets of the symbol."""

    def __init__(self, clock: Clock, publish: Publish, new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._publish = publish
        self._new_id = new_id
        self._execution_id = FIRST_EXECUTION_ID

    def accepted(self, account: Account, market: Market, record: OrderRecord) -> None:
        self._tell(account, record, "NEW")

    def traded(self, account: Account, market: Market, record: OrderRecord, execution: Execution) -> None:
        self._tell(account, record, "TRADE", execution)

    def canceled(self, account: Account, market: Market, record: OrderRecord, cancel_id: str | None) -> None:
        self._tell(account, record, "CANCELED", cancel_id=cancel_id or self._new_id())

    def expired(self, account: Account, market: Market, record: OrderRecord) -> None:
        self._tell(account, record, "TRADE_PREVENTION" if record.expiry_reason == "STP" else "EXPIRED")

    def amended(self, account: Account, market: Market, record: OrderRecord) -> None:
        self._tell(account, record, "REPLACED")

    def released(self, account: Account, market: Market, record: OrderRecord) -> None:
        """What the trigger made of an order tells enough."""

    def money_moved(
        self, account: Account, cause: MoneyCause, asset: str, change: Decimal, market: Market | None = None
    ) -> None:
        """Tells a deposit or, negative, a withdrawal."""
        now_ms = self._clock.timestamp_ms()
        account.updated_ms[SPOT] = now_ms
        self._publish(account, encode_spot.account_position(spot_balances(account, (asset,)), now_ms))
        self._publish(account, encode_spot.balance_update(asset, change, now_ms))

    def _tell(
        self,
        account: Account,
        record: OrderRecord,
        kind: str,
        execution: Execution | None = None,
        cancel_id: str | None = None,
    ) -> None:
        now_ms = self._clock.timestamp_ms()
        self._execution_id += 1
        self._publish(
            account,
            encode_spot.execution_report(
                record,
                kind,
                now_ms=now_ms,
                execution_id=self._execution_id,
                execution=execution,
                cancel_id=cancel_id,
            ),
        )
        account.updated_ms[SPOT] = now_ms
        assets = {record.listing.base: None, record.listing.quote: None}
        if execution is not None:
            assets[execution.fee_asset] = None
        balances = spot_balances(account, assets)
        self._publish(account, encode_spot.account_position(balances, now_ms))


class FuturesVoice:
    """ORDER_TRADE_UPDATE; an execution is preceded by ACCOUNT_UPDATE, and on USD-M by TRADE_LITE."""

    def __init__(self, product: str, clock: Clock, publish: Publish) -> None:
        self._product = product
        self._wire = ORDER_WIRES[product]
        self._clock = clock
        self._publish = publish

    def accepted(self, account: Account, market: Market, record: OrderRecord) -> None:
        self._tell(account, market, record, "NEW")

    def traded(self, account: Account, market: Market, record: OrderRecord, execution: Execution) -> None:
        now_ms = self._clock.timestamp_ms()
        account.updated_ms[self._product] = account.position_updated_ms[market.symbol] = now_ms
        forced = record.type == CLOSE_OUT
        if not forced and self._product == USDM:
            self._publish(account, encode_usdm.trade_lite(record, execution, now_ms))
        position = FuturesView(account, {market.symbol: market}, self._product).position(market.symbol)
        ledger = account.ledgers[self._product]
        wallets = {asset: ledger.wallet(asset) for asset in (record.listing.settle, execution.fee_asset)}
        self._publish(account, self._wire.account_update(wallets, [position], now_ms))
        self._tell(account, market, record, "CALCULATED" if forced else "TRADE", execution)

    def canceled(self, account: Account, market: Market, record: OrderRecord, cancel_id: str | None) -> None:
        self._tell(account, market, record, "CANCELED")

    def expired(self, account: Account, market: Market, record: OrderRecord) -> None:
        self._tell(account, market, record, "EXPIRED")

    def amended(self, account: Account, market: Market, record: OrderRecord) -> None:
        self._tell(account, market, record, "AMENDMENT")

    def released(self, account: Account, market: Market, record: OrderRecord) -> None:
        """Its service tells that it triggers, and what it has become."""
        now_ms = self._clock.timestamp_ms()
        self._publish(account, encode_algo.update(record, "TRIGGERING", now_ms))
        if record.refusal is None:  # else its end is told next
            self._publish(account, encode_algo.update(record, "TRIGGERED", now_ms))

    def money_moved(
        self, account: Account, cause: MoneyCause, asset: str, change: Decimal, market: Market | None = None
    ) -> None:
        """Tells a change of a wallet that no order caused; funding of an isolated position with that position."""
        now_ms = self._clock.timestamp_ms()
        reason = REASONS.get(cause, "DEPOSIT" if change > 0 else "WITHDRAW")
        positions = []
        if market is not None and market.symbol in account.isolated:
            positions.append(
                FuturesView(account, {market.symbol: market}, self._product).position(market.symbol)
            )
        account.updated_ms[self._product] = now_ms
        wallets = {asset: account.ledgers[self._product].wallet(asset)}
        event = self._wire.account_update(wallets, positions, now_ms, reason=reason, change=change)
        self._publish(account, event)

    def leverage_changed(self, account: Account, symbol: str, leverage: int) -> None:
        """Tells a change of leverage."""
        now_ms = self._clock.timestamp_ms()
        self._publish(account, self._wire.account_config_update(symbol, leverage, now_ms))

    def _tell(
        self,
        account: Account,
        market: Market,
        record: OrderRecord,
        kind: str,
        execution: Execution | None = None,
    ) -> None:
        now_ms = self._clock.timestamp_ms()
        if record.is_apart:
            self._publish(account, encode_algo.update(record, encode_algo.status(record), now_ms))
            return
        open_values = open_notionals(market, account.name)
        self._publish(account, self._wire.order_trade_update(record, kind, open_values, now_ms, execution))
        if record.held_id and not record.is_open:
            self._publish(account, encode_algo.update(record, "FINISHED", now_ms))


class ListenKeys:
    """Listen keys of futures: one per account, alive for an hour after the last sign of life."""

    def __init__(self, hub: Hub, clock: Clock, entropy: Entropy, ttl_ms: int = LISTEN_KEY_TTL_MS) -> None:
        self._hub = hub
        self._clock = clock
        self._entropy = entropy
        self._ttl_ms = ttl_ms
        self._keys: dict[str, str] = {}
        self._timers: dict[str, TimerHandle] = {}
        self._owners: dict[str, Account] = {}
        self.on_listener: OnListener = lambda _: None
        hub.on_user = self._on_user

    def start(self, account: Account) -> str:
        """The account's key, a new one if none is alive; its hour begins again."""
        if account.name not in self._keys:
            key = self._entropy.token_hex(32)
            self._keys[account.name] = key
            self._owners[key] = account
        return self.keep_alive(account)

    def keep_alive(self, account: Account) -> str:
        """Begins the key's hour again. Raises ApiError -1125 when none is alive."""
        key = self._keys.get(account.name)
        if key is None:
            raise refusal(-1125)
        self._stop_timer(account)
        due_ms = self._clock.timestamp_ms() + self._ttl_ms
        self._timers[account.name] = self._clock.call_at(due_ms * NS_PER_MS, lambda: self.expire(account))
        return key

    def close(self, account: Account) -> None:
        """Ends the key silently. Raises ApiError -1125 when none is alive."""
        self._stop_timer(account)
        if self._keys.pop(account.name, None) is None:
            raise refusal(-1125)

    def expire(self, account: Account, *, silent: bool = False) -> bool:
        """Ends the key as time does: those who listen are told (unless `silent`), and then hear nothing more."""
        self._stop_timer(account)
        key = self._keys.get(account.name)
        if key is None:
            return False
        if not silent:
            self.publish(account, encode_usdm.listen_key_expired(key, self._clock.timestamp_ms()))
        del self._keys[account.name]
        return True

    def publish(self, account: Account, event: Body) -> None:
        """Pushes one user event to whoever listens on the account's key."""
        key = self._keys.get(account.name)
        if key is not None:
            self._hub.push_user(key, str(event["e"]), msgspec.json.encode(event))

    @property
    def alive(self) -> int:
        """How many keys are alive."""
        return len(self._keys)

    def stop(self) -> None:
        """Stops all timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _on_user(self, key: str) -> None:
        account = self._owners.get(key)
        if account is not None and self._keys.get(account.name) == key:
            self.on_listener(account)

    def _stop_timer(self, account: Account) -> None:
        timer = self._timers.pop(account.name, None)
        if timer is not None:
            timer.cancel()


class SpotSubscriptions:
    """User data of spot: subscriptions that WebSocket API sessions hold."""

    def __init__(self) -> None:
        self._listeners: dict[str, dict[Callable[[bytes], None], int]] = {}
        self.on_listener: OnListener = lambda _: None

    def add(self, account: Account, send: Callable[[bytes], None], subscription_id: int) -> None:
        """Adds a session's subscription. Raises ApiError -2035 when the session has one of this account."""
        listeners = self._listeners.setdefault(account.name, {})
        if send in listeners:
            raise refusal(-2035)
        listeners[send] = subscription_id
        self.on_listener(account)

    def find(self, account: Account, send: Callable[[bytes], None]) -> int | None:
        """The number of a session's subscription to an account's events; None without one."""
        return self._listeners.get(account.name, {}).get(send)

    def remove(self, account: Account, send: Callable[[bytes], None]) -> None:
        """Ends a session's subscription, if the venue has not done so."""
        self._listeners.get(account.name, {}).pop(send, None)

    def end(self, account: Account, now_ms: int, *, silent: bool = False) -> int:
        """Ends every subscription of an account, tells it unless `silent`, and returns how many there were."""
        if not silent:
            self.publish(account, {"e": "eventStreamTerminated", "E": now_ms})
        return len(self._listeners.pop(account.name, {}))

    def publish(self, account: Account, event: Body) -> None:
        """Pushes one user event to every session that subscribed."""
        listeners = self._listeners.get(account.name)
        if not listeners:
            return
        payload = msgspec.json.encode(event)
        for send, subscription_id in list(listeners.items()):
            send(b'{"subscriptionId":%d,"event":%b}' % (subscription_id, payload))

    @property
    def alive(self) -> int:
        """How many subscriptions are alive."""
        return sum(len(listeners) for listeners in self._listeners.values())
