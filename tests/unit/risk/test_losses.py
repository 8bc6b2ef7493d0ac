"""Losses as the portfolio and the prices of now show them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from loguru import logger

from desk import ACCOUNT, BTC, SYMBOL
from nexustrader.constants import ExchangeType, InstrumentType, KlineInterval, OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_effects import FillDelta
from nexustrader.market.cache import Cache
from nexustrader.portfolio.portfolio import Portfolio
from nexustrader.risk.equity import DAY_MS, Marks
from nexustrader.risk.limits import RiskConfig
from nexustrader.risk.losses import LossWatch
from nexustrader.schema import BookL1, Kline, MarkPrice, Trade

BNB = msgspec.structs.replace(
    BTC, symbol="BNBUSDT.BINANCE", type=InstrumentType.SPOT, base="BNB", venue_symbol="BNBUSDT"
)
OPTION = msgspec.structs.replace(BNB, symbol="BNBUSDT-250926-600-C.BINANCE", type=InstrumentType.OPTION)
IN_EUROS = msgspec.structs.replace(BNB, symbol="BNBEUR.BINANCE", quote="EUR")
DAY_1 = DAY_MS


class Book:
    """A portfolio whose fills and prices the test makes."""

    def __init__(self, **config: Any) -> None:
        self.cache = Cache()
        self.instruments = {one.symbol: one for one in (OPTION, IN_EUROS, BTC, BNB)}
        self.portfolio = Portfolio(self.cache, self.instruments, lambda _b: None)
        self.watch = LossWatch(RiskConfig(**config), self.cache, self.portfolio, self.instruments)

    def fill(self, side: OrderSide, amount: str, price: str, symbol: str = SYMBOL, **fees: str) -> None:
        size, at = Decimal(amount), Decimal(price)
        order = OrderState(
            oid="1",
            account=ACCOUNT,
            symbol=symbol,
            side=side,
            type=OrderType.LIMIT,
            amount=size,
            created=0,
            timestamp=0,
        )
        paid = tuple((currency, Decimal(fee)) for currency, fee in fees.items())
        self.portfolio.on_fill(
            order, FillDelta(amount=size, cost=size * at, price=at, fees=paid, timestamp=0)
        )

    def mark(self, price: float, symbol: str = SYMBOL) -> None:
        mark = MarkPrice(exchange=ExchangeType.BINANCE, symbol=symbol, price=price, timestamp=0)
        self.cache._mark[symbol] = mark

    def balance(self, amount: str, asset: str = "USDT") -> None:
        self.portfolio.on_balance(
            ev.BalanceEvent(account=ACCOUNT, asset=asset, free=Decimal(amount), timestamp=0)
        )


def logged(call: Any) -> list[str]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message)), format="{message}")
    try:
        call()
    finally:
        logger.remove(sink)
    return lines


def test_a_loss_counts_realised_unrealised_and_fees_since_the_day_began() -> None:
    book = Book(daily_loss_max=100)
    assert book.watch.check(DAY_1) is None
    book.fill(OrderSide.BUY, "2", "1000", USDT="9")
    book.mark(955)
    assert book.watch.check(DAY_1) is None  # 99
    book.mark(954.5)
    assert book.watch.check(DAY_1) == "DAILY_LOSS: 100 USDT are lost today, the limit is 100"
    assert book.watch.check(2 * DAY_1) is None  # a new day


def test_a_fee_in_another_currency_is_valued_by_its_market() -> None:
    book = Book(daily_loss_max=100)
    book.watch.check(DAY_1)
    book.mark(600, BNB.symbol)
    book.fill(OrderSide.BUY, "1", "1000", BNB="0.2")
    book.mark(1000)
    assert book.watch.check(DAY_1) == "DAILY_LOSS: 120 USDT are lost today, the limit is 100"


@pytest.mark.parametrize("other", [OPTION, IN_EUROS])
def test_what_is_no_sale_for_our_money_is_no_market_of_a_currency(other: Instrument) -> None:
    book = Book(daily_loss_max=100)
    book.watch.check(DAY_1)
    book.mark(3, other.symbol)
    book.mark(600, BNB.symbol)
    book.fill(OrderSide.BUY, "1", "1000", BNB="0.2")
    book.mark(1000)
    assert book.watch.check(DAY_1) == "DAILY_LOSS: 120 USDT are lost today, the limit is 100"


def test_money_without_a_price_is_left_out_and_that_is_said_once() -> None:
    book = Book(daily_loss_max=100)
    book.watch.check(DAY_1)
    book.fill(OrderSide.BUY, "1", "1000", BNB="5", XYZ="9")
    book.mark(1000)
    lines = logged(lambda: [book.watch.check(DAY_1) for _ in range(3)])
    assert len(lines) == 2
    assert "no price of BNB in USDT is known" in lines[0]
    assert "no price of XYZ" in lines[1]


def test_losses_are_not_watched_while_an_open_position_has_no_price() -> None:
    book = Book(daily_loss_max=100)
    book.fill(OrderSide.BUY, "1", "1000")
    lines = logged(lambda: [book.watch.check(DAY_1) for _ in range(3)])
    assert len(lines) == 1
    assert f"losses are not watched while no price of {SYMBOL} is known; subscribe" in lines[0]
    assert book.watch.marks is None
    book.mark(700)  # what it had lost before is in the opening
    assert book.watch.check(DAY_1) is None
    assert book.watch.marks == Marks(1, Decimal(-300), Decimal(-300))
    book.fill(OrderSide.SELL, "1", "700")
    assert book.watch.check(DAY_1) is None


def test_a_position_is_valued_by_whatever_price_there_is() -> None:
    book = Book(daily_loss_max=100)
    book.watch.check(DAY_1)
    book.fill(OrderSide.BUY, "1", "1000")
    candle = {"exchange": ExchangeType.BINANCE, "symbol": SYMBOL, "open": 1, "high": 1, "low": 1, "start": 0}
    for interval, close, at in ((KlineInterval.MINUTE_1, 950, 2), (KlineInterval.HOUR_1, 800, 1)):
        book.cache.put_kline(Kline(**candle, interval=interval, close=close, timestamp=at, confirm=True))
    assert book.cache.last_price(SYMBOL) == 950
    trade = Trade(ExchangeType.BINANCE, OrderSide.BUY, SYMBOL, 940.0, 1.0, 0)
    book.cache._trade[SYMBOL] = trade
    assert book.cache.last_price(SYMBOL) == 940
    book.cache._bookl1[SYMBOL] = BookL1(ExchangeType.BINANCE, SYMBOL, 899.0, 901.0, 1.0, 1.0, 0)
    assert book.cache.last_price(SYMBOL) == 900
    assert book.watch.check(DAY_1) is not None
    book.mark(999)
    assert book.cache.last_price(SYMBOL) == 999
    assert book.watch.check(DAY_1) is None


def test_a_drawdown_is_measured_on_the_money_of_the_account() -> None:
    book = Book(drawdown_max=0.1)
    book.balance("1000")
    assert book.watch.check(DAY_1) is None
    book.fill(OrderSide.BUY, "1", "1000")
    book.mark(1200)
    assert book.watch.check(DAY_1) is None
    book.balance("5000")  # money that came in later is no profit
    book.mark(1081)
    assert book.watch.check(DAY_1) is None
    book.mark(1080)
    assert book.watch.check(DAY_1) == "DRAWDOWN: 10 % of the highest equity is lost, the limit is 10 %"


def test_a_drawdown_of_a_capital_that_is_given_needs_no_balance() -> None:
    book = Book(drawdown_max=0.1, capital=500)
    book.watch.check(DAY_1)
    book.fill(OrderSide.BUY, "1", "1000")
    book.mark(950)
    assert book.watch.check(DAY_1) is not None


def test_without_a_balance_the_drawdown_is_not_measured_and_that_is_said() -> None:
    book = Book(drawdown_max=0.1)
    book.balance("5", "BTC")
    lines = logged(lambda: book.watch.check(DAY_1))
    assert "no balance of USDT is known" in lines[0]
    book.balance("1000")
    assert logged(lambda: book.watch.check(DAY_1)) == []


def test_both_limits_hold_and_the_days_loss_is_named_first() -> None:
    book = Book(drawdown_max=0.01, daily_loss_max=1, capital=100)
    book.watch.check(DAY_1)
    book.fill(OrderSide.BUY, "1", "1000")
    book.mark(990)
    reason = book.watch.check(DAY_1)
    assert reason is not None
    assert reason.startswith("DAILY_LOSS")


def test_beginning_anew_forgets_what_was_lost() -> None:
    book = Book(daily_loss_max=100)
    book.watch.check(DAY_1)
    book.fill(OrderSide.BUY, "1", "1000")
    book.mark(800)
    assert book.watch.check(DAY_1) is not None
    book.watch.begin_anew(DAY_1)
    assert book.watch.check(DAY_1) is None
    assert book.watch.marks == Marks(1, Decimal(-200), Decimal(-200))


def test_a_position_of_a_symbol_that_is_gone_is_left_out_and_that_is_said() -> None:
    book = Book(daily_loss_max=100)
    book.fill(OrderSide.BUY, "1", "1000")
    del book.instruments[SYMBOL]
    lines = logged(lambda: book.watch.check(DAY_1))
    assert f"{SYMBOL} is traded no more" in lines[0]
    assert book.watch.marks == Marks(1, Decimal(0), Decimal(0))
