"""Whatever clients and markets do, in any order: books, ledgers, records and user events agree."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nexustrader.emulator.binance.gate import Gate, Identity
from nexustrader.emulator.binance.handlers.operations import REST
from nexustrader.emulator.binance.topics import COINM, SPOT, USDM
from nexustrader.emulator.binance.venue import BinanceSettings, BinanceVenue
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.venue import STILL
from nexustrader.kernel.clock import VirtualClock
from nexustrader.sim.types import Side

pytestmark = pytest.mark.slow

START_NS = 1_700_000_000_000_000_000
SYMBOLS = {SPOT: "BTCUSDT", USDM: "BTCUSDT", COINM: "BTCUSD_PERP"}
PATHS = {
    SPOT: ("/api/v3/order", "/api/v3/openOrders"),
    USDM: ("/fapi/v1/order", "/fapi/v1/allOpenOrders"),
    COINM: ("/dapi/v1/order", "/dapi/v1/allOpenOrders"),
}
STEPS = {SPOT: "0.00001", USDM: "0.001", COINM: "1"}

products = st.sampled_from([SPOT, USDM, COINM])
futures = st.sampled_from([USDM, COINM])
accounts = st.sampled_from(["one", "two"])
offsets = st.integers(-8, 8)
sizes = st.integers(2, 60)


class VenueMachine(RuleBasedStateMachine):
    """Two accounts on all products, and a market moved by hand."""

    @initialize()
    def begin(self) -> None:
        self.clock = VirtualClock(START_NS)
        specs = [AccountSpec(api_key=name[0] * 64, secret="s", name=name) for name in ("one", "two")]
        self.venue = BinanceVenue(specs, BinanceSettings(market=STILL, limit_factor=1_000_000), self.clock)
        self.gates = {
            name: Gate(product, self.venue.accounts, self.venue.faults)
            for name, product in self.venue.products.items()
        }
        self.events: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for name, product in self.venue.products.items():
            keep = self._keeper(name)
            product.subscriptions.publish = product.listen_keys.publish = keep  # type: ignore[method-assign]
            voice = product.trading._voice
            voice._publish = keep  # type: ignore[attr-defined]
        self.venue.start()

    def _keeper(self, product: str) -> Any:
        return lambda account, event: self.events.setdefault((product, account.name), []).append(event)

    def ask(self, method: str, path: str, product: str, account: str, **params: object) -> Any:
        """What the venue says to one request."""
        sent = {name: str(value) for name, value in params.items() if value is not None}
        sent["timestamp"] = str(self.clock.timestamp_ms())
        identity = Identity(api_key=None, logged_on=self.venue.accounts.by_name[account])
        outcome = self.gates[product].serve(
            REST[product][method, path], sent, identity, address="here", route="rest"
        )
        return outcome.result if outcome.error is None else outcome.error

    def price(self, product: str, offset: int) -> str:
        market = self.venue.products[product].markets[SYMBOLS[product]]
        return market.prices.text(max(1, market.touch.bid + offset))

    @rule(
        product=products,
        account=accounts,
        side=st.sampled_from(["BUY", "SELL"]),
        kind=st.sampled_from(["GTC", "IOC", "FOK", "GTX", "MARKET", "LIMIT_MAKER"]),
        offset=offsets,
        size=sizes,
        reduce_only=st.booleans(),
    )
    def place(
        self, product: str, account: str, side: str, kind: str, offset: int, size: int, reduce_only: bool
    ) -> None:
        self.clock.advance_to(self.clock.timestamp_ns() + 1_000_000)
        params: dict[str, object] = {
            "symbol": SYMBOLS[product],
            "side": side,
            "quantity": Decimal(STEPS[product]) * size * 40,
        }
        params["type"] = kind if kind in {"MARKET", "LIMIT_MAKER"} else "LIMIT"
        if kind != "MARKET":
            params["price"] = self.price(product, offset)
        if params["type"] == "LIMIT":
            params["timeInForce"] = kind
        if product != SPOT:
            params["reduceOnly"] = str(reduce_only).lower()
        self.ask("POST", PATHS[product][0], product, account, **params)

    @rule(product=products, account=accounts, which=st.integers(0, 50))
    def cancel(self, product: str, account: str, which: int) -> None:
        owner = self.venue.accounts.by_name[account]
        records = self.venue.products[product].trading.orders(owner)
        if records:
            order_id = records[which % len(records)].order_id
            self.ask("DELETE", PATHS[product][0], product, account, symbol=SYMBOLS[product], orderId=order_id)

    @rule(product=products, account=accounts)
    def cancel_all(self, product: str, account: str) -> None:
        self.ask("DELETE", PATHS[product][1], product, account, symbol=SYMBOLS[product])

    @rule(product=futures, account=accounts, which=st.integers(0, 50), offset=offsets, size=sizes)
    def modify(self, product: str, account: str, which: int, offset: int, size: int) -> None:
        owner = self.venue.accounts.by_name[account]
        records = self.venue.products[product].trading.open_orders(owner)
        if records:
            record = records[which % len(records)]
            change = {"symbol": SYMBOLS[product], "orderId": record.order_id, "side": record.sim.side.name}
            change |= {
                "quantity": str(Decimal(STEPS[product]) * size * 40),
                "price": self.price(product, offset),
            }
            self.ask("PUT", PATHS[product][0], product, account, **change)

    @rule(product=products, offset=offsets, spread=st.integers(1, 5), lots=st.integers(1, 100_000))
    def move(self, product: str, offset: int, spread: int, lots: int) -> None:
        market = self.venue.products[product].markets[SYMBOLS[product]]
        bid = max(1, market.touch.bid + offset)
        market.move([(bid, lots)], [(bid + spread, lots)])

    @rule(product=products, offset=offsets, lots=st.integers(1, 5_000), side=st.sampled_from(list(Side)))
    def trade(self, product: str, offset: int, lots: int, side: Side) -> None:
        market = self.venue.products[product].markets[SYMBOLS[product]]
        market.trade(max(1, market.touch.bid + offset), lots, buyer_is_maker=side is Side.SELL)

    @invariant()
    def books_and_ledgers_are_sound(self) -> None:
        assert self.venue.check_invariants() == []

    @invariant()
    def records_are_the_cores_orders_and_the_sum_of_their_fills(self) -> None:
        for product in self.venue.products.values():
            market = product.markets[SYMBOLS[product.name]]
            for account in self.venue.accounts.by_name.values():
                records = product.trading.orders(account)
                for record in records:
                    assert (
                        sum((e.amount for e in record.executions), Decimal(0))
                        == record.filled
                        <= record.amount
                    )
                    assert sum((e.quote_amount for e in record.executions), Decimal(0)) == record.cost
                open_ids = [record.order_id for record in product.trading.open_orders(account)]
                assert sorted(open_ids) == sorted(o.order_id for o in market.engine.open_orders(account.name))
                trade_ids = [(e.trade_id, r.sim.side) for r in records for e in r.executions]
                assert len(trade_ids) == len(set(trade_ids))

    @invariant()
    def events_tell_each_order_in_order_and_end_in_the_truth(self) -> None:
        for (name, account), events in self.events.items():
            told: dict[int, tuple[str, Decimal]] = {}
            for event in events:
                if event["e"] not in {"executionReport", "ORDER_TRADE_UPDATE"}:
                    continue
                body = event.get("o") if event["e"] == "ORDER_TRADE_UPDATE" else event
                assert isinstance(body, dict)
                assert (body["x"] == "NEW") == (body["i"] not in told)
                filled = Decimal(body["z"])
                assert filled >= told.get(body["i"], ("", Decimal(0)))[1]
                told[body["i"]] = (body["X"], filled)
            records = self.venue.products[name].trading.orders(self.venue.accounts.by_name[account])
            assert told == {record.order_id: (record.status, record.filled) for record in records}

    @invariant()
    def the_last_balances_told_are_the_ledgers(self) -> None:
        for (name, account), events in self.events.items():
            ledger = self.venue.accounts.by_name[account].ledgers[name]
            if name != SPOT:
                updates = [event["a"] for event in events if event["e"] == "ACCOUNT_UPDATE"]
                if updates:
                    assert Decimal(updates[-1]["B"][0]["wb"]) == round(
                        ledger.wallet(updates[-1]["B"][0]["a"]), 8
                    )
                    lots = ledger.position_lots(SYMBOLS[name])
                    assert Decimal(updates[-1]["P"][0]["pa"]) == Decimal(STEPS[name]) * lots
            else:
                last = [event for event in events if event["e"] == "outboundAccountPosition"][-1]
                for row in last["B"]:
                    assert Decimal(row["f"]) == round(ledger.free(row["a"]), 8)
                    assert Decimal(row["l"]) == round(ledger.locked(row["a"]), 8)


TestVenue = VenueMachine.TestCase
TestVenue.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
