from __future__ import annotations

import sys
from decimal import Decimal

import msgspec
import pytest

from nexustrader import schema
from nexustrader.constants import (
    AlgoOrderStatus,
    ExchangeType,
    InstrumentType,
    KlineInterval,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionSide,
    TimeInForce,
)
from nexustrader.schema import (
    AccountBalance,
    AlgoOrder,
    Balance,
    BatchOrder,
    BookL1,
    BookL2,
    InstrumentId,
    Kline,
    KlineList,
    Order,
    Position,
    Symbol,
)

EX = ExchangeType.BINANCE
SYMBOL = "BTCUSDT-PERP.BINANCE"


def fields(struct: type[msgspec.Struct]) -> str:
    return " ".join(struct.__struct_fields__)


@pytest.mark.parametrize(
    ("struct", "names", "frozen"),
    [
        (BookL1, "exchange symbol bid ask bid_size ask_size timestamp", True),
        (schema.BookOrderData, "price size", True),
        (BookL2, "exchange symbol bids asks timestamp ok", True),
        (schema.Trade, "exchange side symbol price size timestamp", True),
        (
            Kline,
            (
                "exchange symbol interval open high low close volume buy_volume quote_volume taker_volume "
                "taker_quote_volume turnover start timestamp confirm"
            ),
            True,
        ),
        (schema.MarkPrice, "exchange symbol price timestamp", True),
        (schema.IndexPrice, "exchange symbol price timestamp", True),
        (schema.FundingRate, "exchange symbol rate timestamp next_funding_time", True),
        (schema.Ticker, "exchange symbol last_price timestamp volume volumeCcy", False),
        (
            Order,
            (
                "exchange symbol status oid eid amount filled timestamp type side time_in_force price trigger_price "
                "average last_filled_price last_filled remaining fee fee_currency cost cum_cost reduce_only "
                "position_side reason recovered"
            ),
            False,
        ),
        (
            AlgoOrder,
            "symbol oid side amount duration wait status exchange timestamp orders position_side filled cost average",
            False,
        ),
        (BatchOrder, "symbol side type amount price time_in_force reduce_only kwargs", False),
        (Balance, "asset free locked", False),
        (AccountBalance, "balances", False),
        (Position, "symbol exchange signed_amount entry_price side unrealized_pnl realized_pnl", False),
        (schema.Precision, "amount price cost base quote", False),
        (schema.LimitMinMax, "min max", False),
        (schema.Limit, "leverage amount price cost market", False),
        (schema.MarginMode, "isolated cross", False),
        (
            schema.BaseMarket,
            (
                "id lowercaseId symbol base quote settle baseId quoteId settleId type spot margin swap future option "
                "index active contract linear inverse subType taker maker contractSize expiry expiryDatetime strike "
                "optionType precision limits marginModes created tierBased percentage"
            ),
            False,
        ),
        (InstrumentId, "id symbol exchange type", True),
    ],
)
def test_structs_have_the_public_fields(struct: type[msgspec.Struct], names: str, frozen: bool) -> None:
    assert fields(struct) == names
    assert struct.__struct_config__.frozen is frozen


class TestBook:
    def test_prices_between(self) -> None:
        book = BookL1(EX, SYMBOL, bid=100.0, ask=102.0, bid_size=3.0, ask_size=1.0, timestamp=1)
        assert (book.mid, book.spread, book.weighted_mid) == (101.0, 2.0, (100 * 1 + 102 * 3) / 4)

    def test_a_feed_without_sizes_has_the_plain_mid(self) -> None:
        assert BookL1(EX, SYMBOL, 100.0, 102.0, 0.0, 0.0, 1).weighted_mid == 101.0


def order(status: OrderStatus, **fields: object) -> Order:
    return Order(exchange=EX, symbol=SYMBOL, status=status, **fields)  # type: ignore[arg-type] # a table of fields


class TestOrder:
    def test_statuses_are_classified(self) -> None:
        def having(name: str) -> set[str]:
            return {status.name for status in OrderStatus if getattr(order(status), name)}

        assert having("is_closed") == {"FILLED", "CANCELED", "EXPIRED", "CANCEL_FAILED", "FAILED"}
        assert having("is_opened") == {"PENDING", "CANCELING", "PARTIALLY_FILLED", "ACCEPTED"}
        assert having("on_flight") == {"PENDING", "CANCELING"}
        assert {s.name for s in OrderStatus} - having("success") == {"FAILED", "CANCEL_FAILED"}
        assert having("is_failed") == {"FAILED"}
        assert having("is_filled") == {"FILLED"}
        assert having("is_pending") == {"PENDING"}
        assert having("is_accepted") == {"ACCEPTED"}
        assert having("is_partially_filled") == {"PARTIALLY_FILLED"}
        assert having("is_canceled") == {"CANCELED"}

    def test_partially_canceled_needs_a_fill(self) -> None:
        assert order(OrderStatus.CANCELED, filled=Decimal(1)).is_partially_canceled
        assert not order(OrderStatus.CANCELED, filled=Decimal(0)).is_partially_canceled
        assert not order(OrderStatus.CANCELED).is_partially_canceled

    def test_side_and_type(self) -> None:
        assert order(OrderStatus.PENDING, side=OrderSide.BUY).is_buy
        assert order(OrderStatus.PENDING, side=OrderSide.SELL).is_sell
        assert order(OrderStatus.PENDING, type=OrderType.LIMIT).is_maker
        assert order(OrderStatus.PENDING, type=OrderType.MARKET).is_taker
        assert order(OrderStatus.PENDING, type=OrderType.POST_ONLY).is_post_only

    def test_former_names_still_answer(self) -> None:
        it = order(OrderStatus.FILLED, oid="1", average=5.0)
        assert (it.uuid, it.id, it.avg_price) == ("1", "1", 5.0)


class TestOthers:
    def test_balances_sum_up(self) -> None:
        balances = AccountBalance(
            balances={"USDT": Balance("USDT", Decimal(5), Decimal(2)), "BTC": Balance("BTC")}
        )
        assert balances.balance_total == {"USDT": Decimal(7), "BTC": Decimal(0)}
        assert balances.balance_free == {"USDT": Decimal(5), "BTC": Decimal(0)}
        assert balances.balance_locked == {"USDT": Decimal(2), "BTC": Decimal(0)}

    def test_account_balances_share_nothing(self) -> None:
        AccountBalance().balances["USDT"] = Balance("USDT")
        assert AccountBalance().balances == {}

    def test_positions_are_classified(self) -> None:
        short = Position(SYMBOL, EX, Decimal(-2), side=PositionSide.SHORT)
        assert (short.amount, short.is_opened, short.is_closed) == (Decimal(2), True, False)
        assert (short.is_short, short.is_long) == (True, False)
        assert Position(SYMBOL, EX).is_closed

    def test_algo_orders_are_classified(self) -> None:
        def algo(status: AlgoOrderStatus) -> AlgoOrder:
            return AlgoOrder(
                symbol=SYMBOL,
                oid="ALGO-1",
                side=OrderSide.BUY,
                duration=60,
                wait=5,
                status=status,
                exchange=EX,
                timestamp=1,
            )

        assert {s.name for s in AlgoOrderStatus if algo(s).is_opened} == {"RUNNING", "CANCELING"}
        assert {s.name for s in AlgoOrderStatus if algo(s).is_closed} == {"FINISHED", "CANCELED", "FAILED"}
        assert {s.name for s in AlgoOrderStatus if not algo(s).success} == {"FAILED"}
        assert algo(AlgoOrderStatus.RUNNING).uuid == "ALGO-1"
        assert algo(AlgoOrderStatus.RUNNING).is_running
        assert algo(AlgoOrderStatus.FINISHED).is_finished
        assert algo(AlgoOrderStatus.CANCELED).is_canceled
        assert algo(AlgoOrderStatus.FAILED).is_failed

    def test_a_batch_order_has_defaults(self) -> None:
        one = BatchOrder(symbol=SYMBOL, side=OrderSide.BUY, type=OrderType.MARKET, amount=Decimal(1))
        assert (one.price, one.time_in_force, one.reduce_only, one.kwargs) == (
            None,
            TimeInForce.GTC,
            False,
            {},
        )


class TestSymbols:
    @pytest.mark.parametrize(
        ("symbol", "kind"),
        [
            ("BTCUSDT.BINANCE", InstrumentType.SPOT),
            ("BTCUSD.BINANCE", InstrumentType.SPOT),
            ("XAUUSD_s.BYBIT_TRADFI", InstrumentType.SPOT),
            ("BTCUSDT-PERP.OKX", InstrumentType.LINEAR),
            ("BTCUSDC-PERP.HYPERLIQUID", InstrumentType.LINEAR),
            ("BTCUSDT-250926.BINANCE", InstrumentType.LINEAR),
            ("BTCUSD-PERP.BYBIT", InstrumentType.INVERSE),
            ("BTCUSD-241227.BINANCE", InstrumentType.INVERSE),
            ("BTCUSDT-250213-89000-P.BYBIT", InstrumentType.OPTION),
            # Quoted in a coin that is worth a dollar:
            ("BTCFDUSD-PERP.BINANCE", InstrumentType.LINEAR),
            ("BTCBUSD-PERP.BINANCE", InstrumentType.LINEAR),
            ("DOGEBUSD-PERP.BINANCE", InstrumentType.LINEAR),
            ("ETHTUSD-PERP.BINANCE", InstrumentType.LINEAR),
            # Bases whose last letter only makes it look so:
            ("BNBUSD-PERP.BINANCE", InstrumentType.INVERSE),
            ("DOTUSD-PERP.BINANCE", InstrumentType.INVERSE),
            ("GMTUSD-PERP.BINANCE", InstrumentType.INVERSE),
            ("SHIBUSD-PERP.OKX", InstrumentType.INVERSE),
        ],
    )
    def test_the_kind_is_read_from_the_symbol(self, symbol: str, kind: InstrumentType) -> None:
        parsed = InstrumentId.from_str(symbol)
        assert parsed.type is kind
        assert (parsed.is_spot, parsed.is_linear, parsed.is_inverse) == tuple(
            kind is one for one in (InstrumentType.SPOT, InstrumentType.LINEAR, InstrumentType.INVERSE)
        )
        assert parsed.symbol == symbol
        assert parsed.id == symbol.partition(".")[0]
        assert parsed.exchange.name == symbol.partition(".")[2]

    @pytest.mark.parametrize("symbol", ["BTCUSDT", "BTC.USDT.BINANCE", ".BINANCE", "BTCUSDT.", ""])
    def test_a_symbol_has_one_dot(self, symbol: str) -> None:
        with pytest.raises(ValueError, match=r"exactly one '\.'.*BTCUSDT-PERP\.BINANCE"):
            InstrumentId.from_str(symbol)

    @pytest.mark.parametrize(
        "symbol",
        [
            "BTCUSD-250926-100000.BYBIT",
            "BTCUSD-250926-100000-X.BYBIT",
            "BTCUSD-250926--C.BYBIT",
            "BTCUSDT-.BINANCE",
            "-PERP.BINANCE",
        ],
    )
    def test_a_symbol_has_at_most_one_dash_unless_it_is_an_option_with_something_on_each_side(
        self, symbol: str
    ) -> None:
        with pytest.raises(ValueError, match="one '-'"):
            InstrumentId.from_str(symbol)

    def test_an_unknown_venue_is_refused_with_those_that_exist(self) -> None:
        with pytest.raises(ValueError, match="BINANCE, OKX"):
            InstrumentId.from_str("BTCUSDT.KRAKEN")

    def test_a_symbol_is_text_that_answers_for_its_parts(self) -> None:
        symbol = Symbol(SYMBOL)
        assert symbol == SYMBOL
        assert {SYMBOL: 1}[symbol] == 1
        assert (symbol.id, symbol.exchange, symbol.type) == ("BTCUSDT-PERP", EX, InstrumentType.LINEAR)
        assert (symbol.is_linear, symbol.is_spot, symbol.is_inverse) == (True, False, False)
        assert type(InstrumentId.from_str(symbol).symbol) is str


def kline(start: int, timestamp: int | None = None, close: float = 1.0) -> Kline:
    return Kline(
        exchange=EX,
        symbol=SYMBOL,
        interval=KlineInterval.MINUTE_1,
        open=1.0,
        high=2.0,
        low=0.5,
        close=close,
        volume=3.0,
        start=start,
        timestamp=start if timestamp is None else timestamp,
        confirm=True,
    )


class TestKlineList:
    def test_values_are_in_order_of_their_timestamps(self) -> None:
        bars = KlineList([kline(120_000), kline(60_000)])
        assert [bar.start for bar in bars] == [120_000, 60_000]
        assert [bar.start for bar in bars.values] == [60_000, 120_000]

    @pytest.mark.slow
    def test_the_frame_is_indexed_by_the_start_in_utc(self) -> None:
        pytest.importorskip("pandas")
        frame = KlineList([kline(120_000, 999_999, close=5.0), kline(60_000, 999_999)]).df
        assert list(frame.columns) == [
            "timestamp",
            "symbol",
            "open",
            "high",
            "low",
            "close",
            "volume",
            "confirm",
        ]
        assert list(frame["timestamp"]) == [60_000, 120_000]
        assert list(frame["close"]) == [1.0, 5.0]
        assert frame.index.name == "date"
        assert str(frame.index[0]) == "1970-01-01 00:01:00+00:00"

    def test_the_columns_may_be_chosen(self) -> None:
        pytest.importorskip("pandas")
        assert list(KlineList([kline(60_000)], fields=["close", "turnover"]).df.columns) == [
            "close",
            "turnover",
        ]

    def test_no_bars_make_an_empty_frame(self) -> None:
        pytest.importorskip("pandas")
        assert KlineList([]).df.empty

    def test_without_pandas_the_extra_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(ImportError, match="extra 'backtest'"):
            _ = KlineList([kline(60_000)]).df
