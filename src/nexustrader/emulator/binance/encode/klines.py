"""Candles as the wire writes them: rows of REST, payloads of streams, the statistics of a day."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.binance.topics import INTERVALS_MS, SPOT
from nexustrader.emulator.market.candles import Candle
from nexustrader.emulator.market.market import DAY_HOURS, HOUR_MS, Market

Body = dict[str, object]


def kline_row(market: Market, bar: Candle, length_ms: int) -> list[object]:
    """One row of GET klines."""
    return [
        bar.open_ms,
        market.prices.text(bar.open),
        market.prices.text(bar.high),
        market.prices.text(bar.low),
        market.prices.text(bar.close),
        market.amounts.text(bar.lots),
        bar.open_ms + length_ms - 1,
        turnover_text(market, bar.lots, bar.quote),
        bar.count,
        market.amounts.text(bar.taker_lots),
        turnover_text(market, bar.taker_lots, bar.taker_quote),
        "0",
    ]


def kline_payload(market: Market, interval: str, bar: Candle, now_ms: int) -> Body:
    """One push of <symbol>@kline_<interval>."""
    close_ms = bar.open_ms + INTERVALS_MS[interval] - 1
    return {
        "e": "kline",
        "E": now_ms,
        "s": market.symbol,
        "k": {
            "t": bar.open_ms,
            "T": close_ms,
            "s": market.symbol,
            "i": interval,
            "f": bar.first_id,
            "L": bar.last_id,
            "o": market.prices.text(bar.open),
            "c": market.prices.text(bar.close),
            "h": market.prices.text(bar.high),
            "l": market.prices.text(bar.low),
            "v": market.amounts.text(bar.lots),
            "n": bar.count,
            "x": now_ms > close_ms,
            "q": turnover_text(market, bar.lots, bar.quote),
            "V": market.amounts.text(bar.taker_lots),
            "Q": turnover_text(market, bar.taker_lots, bar.taker_quote),
            "B": "0",
        },
    }


def day_statistics(market: Market, now_ms: int) -> Body:
    """What GET ticker/24hr says on both products, of the last 24 hours by the hour."""
    total = market.day(now_ms)
    tick = market.listing.tick
    change = tick * (total.close - total.open)
    average = tick * total.quote / total.lots if total.lots else tick * total.close
    last_lots = market.trades[-1].lots if market.trades else 0
    return {
        "symbol": market.symbol,
        "priceChange": f"{change:.{market.listing.price_digits}f}",
        "priceChangePercent": f"{Decimal(100) * (total.close - total.open) / total.open:.3f}",
        "weightedAvgPrice": f"{average:.{market.listing.price_digits}f}",
        "lastPrice": market.prices.text(total.close),
        "lastQty": market.amounts.text(last_lots),
        "openPrice": market.prices.text(total.open),
        "highPrice": market.prices.text(total.high),
        "lowPrice": market.prices.text(total.low),
        "volume": market.amounts.text(total.lots),
        "quoteVolume": turnover_text(market, total.lots, total.quote),
        "openTime": now_ms - DAY_HOURS * HOUR_MS,
        "closeTime": now_ms,
        "firstId": total.first_id,
        "lastId": total.last_id,
        "count": total.count,
    }


def turnover_text(market: Market, lots: int, quote: int) -> str:
    """A sum of price × lots as an amount of quote; of inverse contracts in base, at the average price."""
    listing = market.listing
    if listing.kind == "inverse":
        average = listing.tick * quote / lots if lots else Decimal(1)
        return f"{listing.contract_size * listing.lot * lots / average:.8f}"
    digits = 8 if listing.product == SPOT else listing.price_digits + listing.amount_digits
    return f"{listing.tick * listing.lot * quote:.{digits}f}"
