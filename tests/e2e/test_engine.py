"""A whole engine against a whole emulator, over real sockets: what a user's program does and sees."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from e2e_setup import FUTURES, SPOT, Build

import canaries
from nexustrader.cli.ledger import ask
from nexustrader.config import BasicConfig, MockConnectorConfig, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import (
    BookLevel,
    ExchangeType,
    KlineInterval,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
    settings,
)
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.engine import Engine
from nexustrader.error import CredentialsError, EngineBuildError, InstrumentError, StrategyBuildError
from nexustrader.exchange import BinanceAccountType, OkxAccountType
from nexustrader.schema import BookL1, BookL2, Order
from nexustrader.strategy import Strategy
from nexustrader.testing.comparison import compare

PERP = "BTCUSDT-PERP.BINANCE"
COIN = "BTCUSDT.BINANCE"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


class Script(Strategy):
    """Waits for the first quote, does one thing after the other, and notes every callback about orders."""

    symbol = PERP

    def __init__(self, *steps: Callable[[Script], object], seconds: float = 0.4) -> None:
        super().__init__()
        self.steps = list(steps)
        self.seconds = seconds
        self.heard: list[tuple[str, Order]] = []
        self.notes: dict[str, Any] = {}

    def on_start(self) -> None:
        self.subscribe_bookl1(self.symbol)
        self.schedule(self.step, trigger="interval", seconds=self.seconds)

    def step(self) -> None:
        if self.cache.bookl1(self.symbol) is None:
            return
        if not self.steps:
            self.stop()
            return
        self.steps.pop(0)(self)

    def names(self, oid: str) -> list[str]:
        return [name for name, order in self.heard if order.oid == oid]

    def _note(self, name: str, order: Order) -> None:
        self.heard.append((name, order))

    def on_pending_order(self, order: Order) -> None:
        self._note("pending", order)

    def on_accepted_order(self, order: Order) -> None:
        self._note("accepted", order)

    def on_partially_filled_order(self, order: Order) -> None:
        self._note("partially_filled", order)

    def on_filled_order(self, order: Order) -> None:
        self._note("filled", order)

    def on_canceling_order(self, order: Order) -> None:
        self._note("canceling", order)

    def on_canceled_order(self, order: Order) -> None:
        self._note("canceled", order)

    def on_expired_order(self, order: Order) -> None:
        self._note("expired", order)

    def on_failed_order(self, order: Order) -> None:
        self._note("failed", order)

    def on_cancel_failed_order(self, order: Order) -> None:
        self._note("cancel_failed", order)

    def bid(self, factor: str) -> Decimal:
        book = self.cache.bookl1(self.symbol)
        assert book is not None
        return Decimal(str(book.bid)) * Decimal(factor)


class SpotScript(Script):
    symbol = COIN


def order(
    name: str,
    side: OrderSide,
    kind: OrderType,
    amount: str,
    factor: str | None,
    *,
    ws: bool = True,
    **more: Any,
) -> Callable[[Script], None]:
    """A step that creates an order and notes its id under `name`."""

    def step(script: Script) -> None:
        create = script.create_order_ws if ws else script.create_order
        price = script.bid(factor) if factor else None
        script.notes[name] = create(script.symbol, side, kind, Decimal(amount), price, **more)

    return step


def cancel(name: str, *, ws: bool = True) -> Callable[[Script], None]:
    def step(script: Script) -> None:
        (script.cancel_order_ws if ws else script.cancel_order)(script.symbol, script.notes[name])

    return step


def wait(_script: Script) -> None: ...


@pytest.mark.parametrize("ws", [True, False], ids=["ws", "rest"])
@pytest.mark.parametrize(
    ("script_type", "account"), [(Script, FUTURES), (SpotScript, SPOT)], ids=["usdm", "spot"]
)
def test_every_kind_of_order_ends_as_it_should(
    build: Build, redirected: EmulatorProcess, script_type: type[Script], account: Any, ws: bool
) -> None:
    buy, sell = OrderSide.BUY, OrderSide.SELL
    script = script_type(
        order("market", buy, OrderType.MARKET, "0.02", None, ws=ws),
        order("rest", buy, OrderType.LIMIT, "0.01", "0.95", ws=ws),
        order("post", buy, OrderType.POST_ONLY, "0.01", "0.94", ws=ws),
        order("crossing", buy, OrderType.POST_ONLY, "0.01", "1.02", ws=ws),
        order("ioc", buy, OrderType.LIMIT, "0.01", "0.9", ws=ws, time_in_force=TimeInForce.IOC),
        order("fok", buy, OrderType.LIMIT, "0.01", "0.9", ws=ws, time_in_force=TimeInForce.FOK),
        order("sell", sell, OrderType.LIMIT, "0.01", "0.98", ws=ws),
        cancel("rest", ws=ws),
        wait,
        wait,
    )
    engine = build(script, account)
    engine.start()
    ended = {name: script.cache.get_order(oid).status for name, oid in script.notes.items()}  # type: ignore[union-attr]
    assert ended["market"] is OrderStatus.FILLED
    assert ended["sell"] is OrderStatus.FILLED
    assert ended["rest"] is OrderStatus.CANCELED
    assert ended["post"] is OrderStatus.CANCELED  # the engine cancels what is open when it stops
    assert ended["crossing"] is OrderStatus.FAILED
    assert ended["ioc"] is OrderStatus.EXPIRED
    assert ended["fok"] in (OrderStatus.EXPIRED, OrderStatus.FAILED)
    life = script.names(script.notes["rest"])
    assert (life.count("accepted"), life.count("canceled"), life[-1]) == (1, 1, "canceled")
    product, suffix = ("usdm", "-PERP.BINANCE") if account is FUTURES else ("spot", ".BINANCE")
    truth = ask(redirected, "/emulator/ledger")["accounts"]["main"][product]
    ours = engine.books(f"binance:{account.value}")
    mine = [o for o in truth["orders"] if o["client_id"] in ours.orders]
    assert compare(ours, truth | {"orders": mine, "fills": fills_of(mine, truth)}, suffix).differences == ()


def fills_of(orders: list[dict[str, Any]], truth: dict[str, Any]) -> list[dict[str, Any]]:
    ids = {order["client_id"] for order in orders}
    return [fill for fill in truth["fills"] if fill["client_id"] in ids]


def test_an_order_can_be_modified_and_keeps_its_id(build: Build) -> None:
    def modify(script: Script) -> None:
        script.modify_order(PERP, script.notes["rest"], price=script.bid("0.9"), amount=Decimal("0.02"))

    script = Script(order("rest", OrderSide.BUY, OrderType.LIMIT, "0.01", "0.95"), modify, wait)
    build(script).start()
    known = script.cache.get_order(script.notes["rest"])
    assert known is not None
    assert known.amount == Decimal("0.020")
    assert script.names(script.notes["rest"]).count("accepted") == 2


def test_reduce_only_without_a_position_is_refused_by_the_venue_with_its_reason(build: Build) -> None:
    class Sol(Script):
        symbol = "SOLUSDT-PERP.BINANCE"

    script = Sol(order("close", OrderSide.SELL, OrderType.MARKET, "1", None, reduce_only=True), wait)
    build(script).start()
    assert script.names(script.notes["close"]) == ["failed"]
    assert "-2022" in (script.heard[-1][1].reason or "")


def test_cancel_all_ends_every_open_order(build: Build) -> None:
    script = Script(
        order("a", OrderSide.BUY, OrderType.LIMIT, "0.01", "0.95"),
        order("b", OrderSide.BUY, OrderType.LIMIT, "0.01", "0.94"),
        lambda s: s.cancel_all_orders(PERP),
        wait,
        lambda s: s.notes.update(left=s.cache.get_open_orders(PERP, include_canceling=True)),
    )
    build(script).start()
    assert script.notes["left"] == set()
    assert script.names(script.notes["a"])[-1] == "canceled"


def test_all_market_data_arrives(build: Build) -> None:
    kinds: dict[str, int] = {}

    class Listener(Strategy):
        def on_start(self) -> None:
            self.subscribe_bookl1(PERP)
            self.subscribe_trade([PERP, COIN])
            self.subscribe_bookl2(PERP, BookLevel.L5)
            self.subscribe_kline(PERP, KlineInterval.MINUTE_1)
            self.subscribe_mark_price(PERP)
            self.subscribe_index_price(PERP)
            self.subscribe_funding_rate(PERP)
            self.schedule(self.stop, trigger="interval", seconds=5)

        def count(self, datum: Any) -> None:
            kinds[type(datum).__name__] = kinds.get(type(datum).__name__, 0) + 1

        on_bookl1 = on_trade = on_bookl2 = on_kline = on_mark_price = on_index_price = on_funding_rate = count

    build(Listener(), FUTURES, SPOT, private_conn_config={}).start()
    assert set(kinds) == {"BookL1", "Trade", "BookL2", "Kline", "MarkPrice", "IndexPrice", "FundingRate"}


@pytest.mark.parametrize(("symbol", "account_type"), [(PERP, FUTURES), (COIN, SPOT)])
def test_a_book_that_is_kept_here_follows_the_venues_changes(
    build: Build, symbol: str, account_type: Any
) -> None:
    books: list[BookL2] = []

    class Looker(Strategy):
        def on_start(self) -> None:
            self.subscribe_bookl2(symbol, BookLevel.L50)

        def on_bookl2(self, bookl2: BookL2) -> None:
            books.append(bookl2)
            if len(books) == 10:
                self.stop()

    build(Looker(), account_type, private_conn_config={}).start()
    assert len({str(book.bids) for book in books[:10]}) > 1
    for book in books[:10]:
        assert book.ok
        bids, asks = [level.price for level in book.bids], [level.price for level in book.asks]
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert bids[0] < asks[0]


def test_requests_and_queries_are_answered_inside_a_callback(build: Build) -> None:
    def ask_all(script: Script) -> None:
        oid = script.notes["rest"]
        script.notes["klines"] = script.request_klines(PERP, KlineInterval.MINUTE_1, limit=10)
        script.notes["ticker"] = script.request_ticker(PERP)
        script.notes["order"] = script.fetch_order(PERP, oid, force_refresh=True)
        script.notes["open"] = script.fetch_open_orders(PERP)
        script.notes["nothing"] = script.fetch_order(PERP, "12345678901234567890", force_refresh=True)

    script = Script(order("rest", OrderSide.BUY, OrderType.LIMIT, "0.01", "0.95"), ask_all)
    build(script).start()
    assert len(script.notes["klines"]) == 10
    assert script.notes["ticker"].last_price > 0
    assert script.notes["order"].status is OrderStatus.ACCEPTED
    assert [o.oid for o in script.notes["open"]] == [script.notes["rest"]]
    assert script.notes["nothing"] is None


def test_an_error_in_a_callback_does_not_stop_the_house(build: Build) -> None:
    class Clumsy(Script):
        def on_bookl1(self, bookl1: BookL1) -> None:
            raise RuntimeError("a bug of the user's")

    script = Clumsy(order("market", OrderSide.BUY, OrderType.MARKET, "0.01", None), wait)
    engine = build(script)
    engine.start()
    assert script.names(script.notes["market"])[-1] == "filled"
    assert engine._core.user_errors > 0


# -- bad input ----------------------------------------------------------------------------------------------------


def test_an_unknown_symbol_is_named_when_it_is_subscribed(build: Build) -> None:
    problems: list[Exception] = []

    class Typo(Strategy):
        def on_start(self) -> None:
            try:
                self.subscribe_bookl1([PERP, "BTCUSTD-PERP.BINANCE"])
            except InstrumentError as error:
                problems.append(error)
            self.stop()

    build(Typo()).start()
    assert "BTCUSTD-PERP.BINANCE" in str(problems[0])


def test_a_private_connector_without_credentials_names_every_source_it_tried(build: Build) -> None:
    engine = build(Script(), basic_config={ExchangeType.BINANCE: BasicConfig(testnet=True)})
    with pytest.raises(CredentialsError, match="api_key"):
        engine.start()


def test_missing_credentials_are_told_before_the_network_is_asked(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXUS_ENDPOINTS__BINANCE", "http://127.0.0.1:9")  # nobody listens there
    settings.reload()
    engine = build(Script(), basic_config={ExchangeType.BINANCE: BasicConfig(testnet=True)})
    with pytest.raises(CredentialsError, match="api_key"):
        engine.start()


def test_a_mock_account_without_public_data_is_refused(build: Build) -> None:
    mock = MockConnectorConfig({"USDT": 1_000}, BinanceAccountType.LINEAR_MOCK)
    engine = build(Script(), public_conn_config={}, private_conn_config={ExchangeType.BINANCE: [mock]})
    with pytest.raises(EngineBuildError, match="public_conn_config has no connector of BINANCE"):
        engine.start()


def test_a_testnet_flag_that_contradicts_the_account_type_is_refused(build: Build) -> None:
    engine = build(Script(), basic_config={ExchangeType.BINANCE: BasicConfig(settings_key="BINANCE.DEMO")})
    with pytest.raises(EngineBuildError, match="testnet"):
        engine.start()


def test_a_venue_without_a_connector_is_refused_by_name(build: Build) -> None:
    engine = build(
        Script(),
        basic_config={ExchangeType.OKX: BasicConfig(testnet=True)},
        public_conn_config={ExchangeType.OKX: [PublicConnectorConfig(account_type=OkxAccountType.DEMO)]},
        private_conn_config={},
    )
    with pytest.raises(EngineBuildError, match="okx"):
        engine.start()


def test_a_wrong_key_refuses_to_start_and_says_what_to_check(build: Build) -> None:
    wrong = BasicConfig(api_key=canaries.API_KEY, secret=canaries.SECRET, testnet=True)
    engine = build(Script(), basic_config={ExchangeType.BINANCE: wrong})
    with pytest.raises(Exception, match=r"-2014|-2015|-1022"):
        engine.start()


def test_something_that_is_no_strategy_is_refused() -> None:
    from nexustrader.config import Config

    with pytest.raises((StrategyBuildError, TypeError)):
        Engine(
            Config(strategy_id="x", user_id="y", strategy=object(), basic_config={}, public_conn_config={})  # type: ignore[arg-type]
        )


def test_dispose_may_be_called_again_and_before_a_start(build: Build) -> None:
    engine = build(Script())
    engine.dispose()
    engine.dispose()


def test_named_accounts_of_one_venue_trade_apart_in_one_engine(
    build: Build, redirected: EmulatorProcess
) -> None:
    def place(name: str) -> Callable[[Script], None]:
        def step(script: Script) -> None:
            script.notes[name] = script.create_order_ws(
                PERP, OrderSide.BUY, OrderType.LIMIT, Decimal("0.01"), script.bid("0.9"), account=name
            )

        return step

    script = Script(place("mm1"), place("mm2"), wait)
    one = BasicConfig(settings_key="BINANCE.DEMO", testnet=True)
    engine = build(
        script,
        basic_config={ExchangeType.BINANCE: {"mm1": one, "mm2": one}},
        private_conn_config={
            ExchangeType.BINANCE: [
                PrivateConnectorConfig(account_type=FUTURES, account="mm1"),
                PrivateConnectorConfig(account_type=FUTURES, account="mm2"),
            ]
        },
    )
    engine.start()
    assert engine.accounts == ("binance:USD_M_FUTURE_TESTNET:mm1", "binance:USD_M_FUTURE_TESTNET:mm2")
    for name in ("mm1", "mm2"):
        books = engine.books(f"binance:USD_M_FUTURE_TESTNET:{name}")
        assert list(books.orders) == [script.notes[name]]
        assert books.orders[script.notes[name]].status == "CANCELED"
    assert script.cache.get_balance(FUTURES, "mm1").balance_total["USDT"] > 0


def test_a_named_account_that_is_not_configured_is_refused_with_the_names_there_are(build: Build) -> None:
    one = BasicConfig(settings_key="BINANCE.DEMO", testnet=True)
    with pytest.raises((EngineBuildError, ValueError), match="mm1"):
        build(
            Script(),
            basic_config={ExchangeType.BINANCE: {"mm1": one}},
            private_conn_config={
                ExchangeType.BINANCE: [PrivateConnectorConfig(account_type=FUTURES, account="mm9")]
            },
        ).start()
