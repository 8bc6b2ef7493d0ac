"""A whole engine on each account type of the emulated venue: what it believes is what the venue knows."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from emulated_world import EmulatedWorld
from nexustrader.config import BasicConfig, Config, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, OrderSide, OrderStatus, OrderType
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType
from nexustrader.schema import Order
from nexustrader.strategy import Strategy

API_KEY, SECRET = "k" * 64, "s" * 64
BUY, SELL = OrderSide.BUY, OrderSide.SELL
LIMIT, MARKET, POST_ONLY = OrderType.LIMIT, OrderType.MARKET, OrderType.POST_ONLY
SYMBOLS = ("BTCUSDT", "BTCUSD_PERP", "BTCUSD_270326")
COIN, LINEAR = "BTCUSDT.BINANCE", "BTCUSDT-PERP.BINANCE"
INVERSE, DATED = "BTCUSD-PERP.BINANCE", "BTCUSD-270326.BINANCE"

Step = Callable[["Script"], object]


class Script(Strategy):
    """Waits for quotes of its symbols, does one step a second, and stops."""

    def __init__(self, symbols: tuple[str, ...], *steps: Step) -> None:
        super().__init__()
        self.symbols = symbols
        self.steps = list(steps)
        self.ids: dict[str, str] = {}
        self.failures: list[str | None] = []

    def on_start(self) -> None:
        self.subscribe_bookl1(list(self.symbols))
        self.schedule(self.step, trigger="interval", seconds=1)

    def step(self) -> None:
        if any(self.cache.bookl1(symbol) is None for symbol in self.symbols):
            return
        if not self.steps:
            self.stop()
            return
        self.steps.pop(0)(self)

    def on_failed_order(self, order: Order) -> None:
        self.failures.append(order.reason)

    def ended(self) -> dict[str, OrderStatus]:
        return {name: self.cache.get_order(oid).status for name, oid in self.ids.items()}  # type: ignore[union-attr]


def create(
    name: str, symbol: str, side: OrderSide, kind: OrderType, amount: str, factor: str = "", **more: Any
) -> Step:
    """Creates an order at the best bid times a factor, or at the market."""

    def step(script: Script) -> None:
        book = script.cache.bookl1(symbol)
        assert book is not None
        price = Decimal(str(book.bid)) * Decimal(factor) if factor else None
        make = script.create_order_ws if more.pop("ws", False) else script.create_order
        script.ids[name] = make(symbol, side, kind, Decimal(amount), price, **more)

    return step


def cancel(name: str, symbol: str) -> Step:
    return lambda script: script.cancel_order(symbol, script.ids[name])


def wait(_script: Script) -> None: ...


def run(
    script: Script, account_type: BinanceAccountType, *public: BinanceAccountType, **spec: Any
) -> tuple[Engine, Any]:
    """The engine after its run, and the venue's ledger of all accounts."""
    world = EmulatedWorld(specs=[AccountSpec(api_key=API_KEY, secret=SECRET, **spec)], symbols=SYMBOLS)
    config = Config(
        strategy_id="test",
        user_id="accounts",
        strategy=script,
        basic_config={ExchangeType.BINANCE: BasicConfig(api_key=API_KEY, secret=SECRET)},
        public_conn_config={
            ExchangeType.BINANCE: [
                PublicConnectorConfig(account_type=one) for one in public or (account_type,)
            ]
        },
        private_conn_config={ExchangeType.BINANCE: [PrivateConnectorConfig(account_type=account_type)]},
    )
    engine = world.run(config)
    assert world.venue.check_invariants() == []
    ledger: Any = world.venue.ledger()
    return engine, ledger["accounts"]


def assert_orders_agree(script: Script, truth: Any) -> None:
    """Every order of the script stands as the venue says, to the last digit of its fees."""
    known = {order["client_id"]: order for order in truth["orders"]}
    for name, oid in script.ids.items():
        ours = script.cache.get_order(oid)
        assert ours is not None
        if oid not in known:
            assert ours.status is OrderStatus.FAILED, name
            continue
        theirs = known[oid]
        assert str(ours.status.value) == theirs["status"], name
        assert ours.filled == Decimal(theirs["filled"]), name
        fees = {asset: Decimal(fee) for asset, fee in theirs["fees"].items()}
        assert (ours.fee or 0) == sum(fees.values()), name


@pytest.mark.parametrize("ws", [True, False], ids=["ws", "rest"])
def test_coin_margined_contracts_are_traded_in_contracts_and_paid_for_in_coin(ws: bool) -> None:
    script = Script(
        (INVERSE, DATED),
        create("market", INVERSE, BUY, MARKET, "40", ws=ws),
        create("rest", INVERSE, BUY, LIMIT, "3", "0.96", ws=ws),
        create("post", INVERSE, BUY, POST_ONLY, "2", "0.97", ws=ws),
        create("crossing", INVERSE, BUY, POST_ONLY, "2", "1.02", ws=ws),
        create("dated", DATED, SELL, MARKET, "7", ws=ws),
        cancel("rest", INVERSE),
        lambda s: s.modify_order(INVERSE, s.ids["post"], price=Decimal("58000"), amount=Decimal(5)),
        create("close", INVERSE, SELL, MARKET, "15", reduce_only=True, ws=ws),
        wait,
        wait,
    )
    _, ledgers = run(script, BinanceAccountType.COIN_M_FUTURE)
    truth = ledgers["main"]["coinm"]
    ended = script.ended()
    assert {name: status.value for name, status in ended.items()} == {
        "market": "FILLED",
        "rest": "CANCELED",
        "post": "CANCELED",
        "crossing": "FAILED",
        "dated": "FILLED",
        "close": "FILLED",
    }
    assert "-5022" in (script.failures[0] or "")
    assert_orders_agree(script, truth)
    positions = {symbol: script.cache.get_position(symbol) for symbol in (INVERSE, DATED)}
    assert {s: p.signed_amount for s, p in positions.items() if p} == {INVERSE: 25, DATED: -7}
    for venue_symbol, symbol in (("BTCUSD_PERP", INVERSE), ("BTCUSD_270326", DATED)):
        held, theirs = positions[symbol], truth["positions"][f"{venue_symbol}/BOTH"]
        assert held is not None
        assert abs(Decimal(str(held.entry_price)) - Decimal(theirs["entry_price"])) < Decimal("0.001")
        assert abs(Decimal(str(held.realized_pnl)) - Decimal(theirs["realized_pnl"])) < Decimal("1e-7")
    balance = script.cache.get_balance(BinanceAccountType.COIN_M_FUTURE).balances["BTC"]
    assert abs(balance.free - Decimal(truth["balances"]["BTC"]["wallet"])) < Decimal("1e-7")


def test_accounts_that_count_together_at_the_venue_share_one_limiter() -> None:
    script = Script((INVERSE,))
    engine, _ = run(
        script,
        BinanceAccountType.COIN_M_FUTURE,
        BinanceAccountType.COIN_M_FUTURE,
        BinanceAccountType.USD_M_FUTURE,
    )
    limiters = engine._connections._limiters  # nothing else shows which sessions share one
    assert {pool for _, pool in limiters} == {"futures"}


def assert_balances_agree(script: Script, account_type: BinanceAccountType, *truths: Any) -> None:
    """Each balance is the sum of the venue's wallets."""
    ours = script.cache.get_balance(account_type).balances
    for asset in {asset for truth in truths for asset in truth["balances"]}:
        held = [truth["balances"][asset] for truth in truths if asset in truth["balances"]]
        free = sum(Decimal(one["free" if one is held[0] else "wallet"]) for one in held)
        known = ours.get(asset)
        assert abs((known.free if known else 0) - free) < Decimal("1e-6"), asset


@pytest.mark.parametrize(
    ("account_type", "name"),
    [
        (BinanceAccountType.MARGIN, "main/margin"),
        (BinanceAccountType.ISOLATED_MARGIN, "main/isolated/BTCUSDT"),
    ],
)
def test_margin_accounts_trade_on_the_spot_market_with_money_of_their_own(
    account_type: BinanceAccountType, name: str
) -> None:
    script = Script(
        (COIN,),
        create("market", COIN, BUY, MARKET, "0.02"),
        create("rest", COIN, BUY, LIMIT, "0.01", "0.96"),
        create("post", COIN, BUY, POST_ONLY, "0.01", "0.97"),
        create("crossing", COIN, BUY, POST_ONLY, "0.01", "1.02"),
        create("sell", COIN, SELL, LIMIT, "0.01", "0.98"),
        cancel("rest", COIN),
        *[wait] * 12,
    )
    _, ledgers = run(script, account_type, BinanceAccountType.SPOT)
    assert {key: status.value for key, status in script.ended().items()} == {
        "market": "FILLED",
        "rest": "CANCELED",
        "post": "CANCELED",
        "crossing": "FAILED",
        "sell": "FILLED",
    }
    assert "-2010" in (script.failures[0] or "")
    truth = ledgers[name]["spot"]
    assert_orders_agree(script, truth)
    assert ledgers["main"]["spot"]["orders"] == []
    ours = script.cache.get_balance(account_type).balances
    for asset in ("BTC", "USDT"):  # what is free follows the cancels of the stop later
        wallet = Decimal(truth["balances"][asset]["wallet"])
        assert abs(ours[asset].total - wallet) < Decimal("1e-6"), asset


def test_an_order_that_the_money_does_not_cover_is_paid_with_a_loan() -> None:
    script = Script(
        (COIN,),
        create("big", COIN, BUY, MARKET, "3", sideEffectType="AUTO_BORROW_REPAY"),
        create("back", COIN, SELL, MARKET, "3", sideEffectType="AUTO_REPAY"),
        wait,
        wait,
    )
    _, ledgers = run(script, BinanceAccountType.MARGIN, BinanceAccountType.SPOT)
    assert {status.value for status in script.ended().values()} == {"FILLED"}
    truth = ledgers["main/margin"]["spot"]
    assert_orders_agree(script, truth)
    assert Decimal(truth["totals"].get("USDT/transfer", "0")) == 0, "the loan came and went"


def test_portfolio_margin_trades_three_markets_with_one_account() -> None:
    script = Script(
        (COIN, LINEAR, INVERSE),
        create("spot", COIN, BUY, MARKET, "0.02"),
        create("linear", LINEAR, SELL, MARKET, "0.03"),
        create("inverse", INVERSE, BUY, MARKET, "30"),
        create("resting spot", COIN, BUY, LIMIT, "0.01", "0.95"),
        create("resting linear", LINEAR, BUY, POST_ONLY, "0.01", "0.96"),
        create("resting inverse", INVERSE, SELL, LIMIT, "4", "1.03"),
        cancel("resting linear", LINEAR),
        create("reducing", LINEAR, BUY, MARKET, "0.01", reduce_only=True),
        create("crossing", LINEAR, BUY, POST_ONLY, "0.01", "1.02"),
        lambda s: s.modify_order(
            INVERSE, s.ids["resting inverse"], price=Decimal("61900"), amount=Decimal(5)
        ),
        *[wait] * 3,
    )
    portfolio = BinanceAccountType.PORTFOLIO_MARGIN
    _, ledgers = run(script, portfolio, *PUBLIC)
    ended = {key: status.value for key, status in script.ended().items()}
    assert ended.pop("crossing") == "FAILED"
    assert {key for key, status in ended.items() if status == "FILLED"} == {
        "spot",
        "linear",
        "inverse",
        "reducing",
    }
    assert {key for key, status in ended.items() if status == "CANCELED"} == {
        key for key in ended if "rest" in key
    }
    truths = [ledgers["main/portfolio"][product] for product in ("spot", "usdm", "coinm")]
    assert_orders_agree(script, {"orders": [order for truth in truths for order in truth["orders"]]})
    positions = {symbol: script.cache.get_position(symbol) for symbol in (LINEAR, INVERSE)}
    assert {s: p.signed_amount for s, p in positions.items() if p} == {LINEAR: Decimal("-0.02"), INVERSE: 30}
    assert_balances_agree(script, portfolio, *truths)


PUBLIC = (
    BinanceAccountType.SPOT,
    BinanceAccountType.USD_M_FUTURE,
    BinanceAccountType.COIN_M_FUTURE,
)
