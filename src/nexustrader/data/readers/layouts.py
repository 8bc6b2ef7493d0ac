"""The csv layouts that are known, as data: those of Binance Vision, Bybit, OKX and Tardis, and klines of anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from nexustrader.data.kinds import (
    AGG_TRADE,
    BOOK_DELTA,
    BUY,
    FUNDING,
    ID,
    LOCAL,
    QUOTE,
    SELL,
    SNAPSHOT,
    TIME,
    TRADE,
)
from nexustrader.data.readers.names import ALIASES, BINANCE_KLINE_NAMES
from nexustrader.data.readers.tables import (
    CLOSE,
    Layout,
    book_side,
    flag,
    number,
    taker,
    taker_of_maker,
    time,
    whole,
)
from nexustrader.data.rows import ROW

# -- Binance Vision ----------------------------------------------------------------------------------------------

BINANCE_TRADES = Layout(
    "Binance trades",
    TRADE,
    frozenset({"id", "price", "qty", "time", "is_buyer_maker"}),
    {
        TIME: time("time"),
        ID: pl.col("id"),
        "price": number("price"),
        "size": number("qty"),
        "side": taker_of_maker("is_buyer_maker"),
    },
    sizes=("size",),
)
BINANCE_AGG_TRADES = Layout(
    "Binance aggTrades",
    AGG_TRADE,
    frozenset(
        {
            "agg_trade_id",
            "price",
            "quantity",
            "first_trade_id",
            "last_trade_id",
            "transact_time",
            "is_buyer_maker",
        }
    ),
    {
        TIME: time("transact_time"),
        ID: pl.col("agg_trade_id"),
        "price": number("price"),
        "size": number("quantity"),
        "side": taker_of_maker("is_buyer_maker"),
        "first_trade_id": whole("first_trade_id"),
        "last_trade_id": whole("last_trade_id"),
    },
    sizes=("size",),
)
BINANCE_BOOK_TICKER = Layout(
    "Binance bookTicker",
    QUOTE,
    frozenset(
        {"update_id", "best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty", "transaction_time"}
    ),
    {
        TIME: time("transaction_time"),
        ID: whole("update_id"),
        "bid": number("best_bid_price"),
        "bid_size": number("best_bid_qty"),
        "ask": number("best_ask_price"),
        "ask_size": number("best_ask_qty"),
    },
    sizes=("bid_size", "ask_size"),
)
BINANCE_FUNDING = Layout(
    "Binance fundingRate",
    FUNDING,
    frozenset({"calc_time", "last_funding_rate"}),
    {TIME: time("calc_time"), "rate": number("last_funding_rate")},
    optional={"interval_hours": ("funding_interval_hours", whole("funding_interval_hours"))},
)
FUNDING_TABLE = Layout(
    "funding rates",
    FUNDING,
    frozenset({"timestamp", "funding_rate"}),
    {TIME: time("timestamp"), "rate": number("funding_rate")},
    symbol="symbol",
)

# -- Bybit -------------------------------------------------------------------------------------------------------

BYBIT_TRADES = Layout(
    "Bybit trades",
    TRADE,
    frozenset({"timestamp", "symbol", "side", "size", "price", "trdmatchid"}),
    {
        TIME: time("timestamp"),
        ID: pl.col("trdmatchid"),
        "price": number("price"),
        "size": number("size"),
        "side": taker("side"),
    },
    sizes=("size",),
    symbol="symbol",
)
BYBIT_SPOT_TRADES = Layout(
    "Bybit spot trades",
    TRADE,
    frozenset({"id", "timestamp", "price", "volume", "side"}),
    # The id of these files is the number of the row in its file, which identifies nothing outside of it.
    {TIME: time("timestamp"), "price": number("price"), "size": number("volume"), "side": taker("side")},
)

# -- OKX ---------------------------------------------------------------------------------------------------------

OKX_TRADES = Layout(
    "OKX trades",
    TRADE,
    frozenset({"trade_id", "side", "size", "price", "created_time"}),
    {
        TIME: time("created_time"),
        ID: pl.col("trade_id"),
        "price": number("price"),
        "size": number("size"),
        "side": taker("side"),
    },
    sizes=("size",),
    symbol="instrument_name",
)
_IS_OKX_SPOT = pl.col("instrument_name").str.count_matches("-", literal=True) == 1
OKX_CANDLES = Layout(
    "OKX candles",
    None,
    frozenset(
        {"instrument_name", "open", "high", "low", "close", "vol", "vol_ccy", "vol_quote", "open_time"}
    ),
    {
        TIME: time("open_time"),
        **{name: number(name) for name in ("open", "high", "low", "close")},
        # `vol` counts contracts where there are any; `vol_ccy` is the base there and the quote on spot.
        "volume": pl.when(_IS_OKX_SPOT).then(number("vol")).otherwise(number("vol_ccy")),
        "quote_volume": number("vol_quote"),
    },
    symbol="instrument_name",
    keep=pl.col("confirm").fill_null("1") != "0",
)

# -- Tardis ------------------------------------------------------------------------------------------------------

_TARDIS = {TIME: time("timestamp"), LOCAL: time("local_timestamp")}
_TARDIS_NEEDS = frozenset({"exchange", "symbol", "timestamp", "local_timestamp"})
TARDIS_TRADES = Layout(
    "Tardis trades",
    TRADE,
    _TARDIS_NEEDS | {"id", "side", "price", "amount"},
    {**_TARDIS, ID: pl.col("id"), "price": number("price"), "size": number("amount"), "side": taker("side")},
    sizes=("size",),
    symbol="symbol",
)
TARDIS_QUOTES = Layout(
    "Tardis quotes",
    QUOTE,
    _TARDIS_NEEDS | {"ask_amount", "ask_price", "bid_price", "bid_amount"},
    {
        **_TARDIS,
        "bid": number("bid_price"),
        "bid_size": number("bid_amount"),
        "ask": number("ask_price"),
        "ask_size": number("ask_amount"),
    },
    sizes=("bid_size", "ask_size"),
    symbol="symbol",
    # A side without orders is left empty, and such a row is no quote.
    keep=pl.col("bid_price").is_not_null() & pl.col("ask_price").is_not_null(),
)
TARDIS_BOOK = Layout(
    "Tardis incremental_book_L2",
    BOOK_DELTA,
    _TARDIS_NEEDS | {"is_snapshot", "side", "price", "amount"},
    {
        **_TARDIS,
        SNAPSHOT: flag("is_snapshot"),
        "side": book_side("side"),
        "price": number("price"),
        "size": number("amount"),
    },
    sizes=("size",),
    symbol="symbol",
)


def _levels(frame: pl.DataFrame) -> pl.DataFrame:
    """A row a level of what has all levels in one row."""
    kept = [ROW, "timestamp", "local_timestamp"]
    parts = [
        frame.select(
            *kept,
            pl.lit(BUY if name.startswith("bids") else SELL, pl.Int8).alias("side"),
            pl.col(name).alias("price"),
            pl.col(name.replace(".price", ".amount")).alias("amount"),
        )
        for name in frame.columns
        if name.endswith("].price")
    ]
    # A book with fewer levels leaves the rest empty.
    return pl.concat(parts).filter(pl.col("price").is_not_null()).sort(ROW, maintain_order=True)


TARDIS_SNAPSHOTS = Layout(
    "Tardis book_snapshot",
    BOOK_DELTA,
    _TARDIS_NEEDS | {"asks[0].price", "asks[0].amount", "bids[0].price", "bids[0].amount"},
    {
        **_TARDIS,
        SNAPSHOT: pl.lit(value=True),
        "side": pl.col("side"),
        "price": number("price"),
        "size": number("amount"),
    },
    sizes=("size",),
    symbol="symbol",
    spread=_levels,
)

LAYOUTS = (
    BINANCE_TRADES,
    BINANCE_AGG_TRADES,
    BINANCE_BOOK_TICKER,
    BINANCE_FUNDING,
    BYBIT_TRADES,
    TARDIS_TRADES,
    TARDIS_QUOTES,
    TARDIS_BOOK,
    TARDIS_SNAPSHOTS,
    OKX_TRADES,
    OKX_CANDLES,
    BYBIT_SPOT_TRADES,
    FUNDING_TABLE,
)

# -- what has no header ------------------------------------------------------------------------------------------

_TRADE_NAMES = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker")
_AGG_NAMES = (
    "agg_trade_id",
    "price",
    "quantity",
    "first_trade_id",
    "last_trade_id",
    "transact_time",
    "is_buyer_maker",
)
_TICKER_NAMES = (
    "update_id",
    "best_bid_price",
    "best_bid_qty",
    "best_ask_price",
    "best_ask_qty",
    "transaction_time",
    "event_time",
)
# Binance Vision files without header, told by the number of columns and of true/false columns at the end.
HEADERLESS: Mapping[tuple[int, int], Sequence[str]] = {
    (12, 0): BINANCE_KLINE_NAMES,
    (6, 1): _TRADE_NAMES,
    (7, 2): (*_TRADE_NAMES, "is_best_match"),
    (7, 1): _AGG_NAMES,
    (8, 2): (*_AGG_NAMES, "is_best_match"),
    (7, 0): _TICKER_NAMES,
}

# -- klines of anywhere ------------------------------------------------------------------------------------------

_KLINE_COLUMNS = {**ALIASES, "trades": ("count", "trades", "number_of_trades")}
_KLINE_NEEDED = ("start", "open", "high", "low", "close", "volume")


def kline_layout(names: Sequence[str]) -> Layout | None:
    """How klines are read that have these columns; None if they are none."""
    held = {
        name: next((alias for alias in aliases if alias in names), None)
        for name, aliases in _KLINE_COLUMNS.items()
    }
    if any(held[name] is None for name in _KLINE_NEEDED):
        return None
    columns: dict[str, pl.Expr] = {}
    for name, text in held.items():
        if text is None:
            continue
        if name in ("start", "close_time"):
            columns[TIME if name == "start" else CLOSE] = time(text)
        else:
            columns[name] = whole(text) if name == "trades" else number(text)
    return Layout(
        "klines",
        None,
        frozenset(text for text in held.values() if text is not None),
        columns,
        sizes=("volume", "taker_volume"),
        symbol="symbol",
    )
