"""Market data, as the streams and as the queries write it."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.bybit import ids
from nexustrader.emulator.bybit.categories import FUTURES, OPTION, SPOT
from nexustrader.emulator.bybit.encode.numbers import money, text
from nexustrader.emulator.bybit.instruments import FUNDING_MINUTES
from nexustrader.emulator.market.candles import Candle
from nexustrader.emulator.market.market import FUNDING_RATE, HOUR_MS, Market, PublicTrade

Body = dict[str, object]

OPEN_INTEREST = Decimal(50_000)
IMPLIED_VOLATILITY = "0.55"


def trade(market: Market, one: PublicTrade, sequence: int) -> Body:
    """A row of publicTrade."""
    row: Body = {
        "T": one.time_ms,
        "s": market.symbol,
        "S": "Sell" if one.buyer_is_maker else "Buy",
        "v": market.amounts.text(one.lots),
        "p": market.prices.text(one.price),
        "i": ids.trade_id(market.listing.product, market.symbol, one.trade_id),
        "BT": False,
        "RPI": False,
        "seq": sequence,
    }
    if market.listing.product in FUTURES:
        row["L"] = "PlusTick"
    if market.listing.product == OPTION:
        row |= {"mP": text(market.mark), "iP": "", "mIv": IMPLIED_VOLATILITY, "iv": IMPLIED_VOLATILITY}
    return row


def recent_trade(market: Market, one: PublicTrade, sequence: int) -> Body:
    """A row of GET recent-trade."""
    row = trade(market, one, sequence)
    return {
        "execId": row["i"],
        "symbol": market.symbol,
        "price": row["p"],
        "size": row["v"],
        "side": row["S"],
        "time": str(one.time_ms),
        "isBlockTrade": False,
        "isRPITrade": False,
        "seq": str(sequence),
    }


def kline_row(market: Market, bar: Candle) -> list[str]:
    """A row of GET kline."""
    return [str(bar.open_ms), *_prices(market, bar), market.amounts.text(bar.lots), turnover(market, bar)]


def kline(market: Market, interval: str, length_ms: int, bar: Candle, now_ms: int) -> Body:
    """One row of the stream kline."""
    opened, high, low, close = _prices(market, bar)
    end_ms = bar.open_ms + length_ms - 1
    return {
        "start": bar.open_ms,
        "end": end_ms,
        "interval": interval,
        "open": opened,
        "close": close,
        "high": high,
        "low": low,
        "volume": market.amounts.text(bar.lots),
        "turnover": turnover(market, bar),
        "confirm": now_ms > end_ms,
        "timestamp": now_ms,
    }


def turnover(market: Market, bar: Candle) -> str:
    """The other side of the volume: quote, and of inverse contracts base."""
    listing = market.listing
    if listing.kind != "inverse":
        return money(listing.tick * listing.lot * bar.quote)
    middle = listing.tick * (bar.high + bar.low) / 2
    return money(listing.lot * bar.lots / middle)


def ticker(market: Market, now_ms: int) -> Body:
    """What the stream tickers says of a symbol."""
    listing, day = market.listing, market.day(now_ms)
    last, opened = market.prices.text(day.close), market.prices.text(day.open)
    change = Decimal(day.close - day.open) / day.open
    common: Body = {
        "symbol": market.symbol,
        "lastPrice": last,
        "highPrice24h": market.prices.text(day.high),
        "lowPrice24h": market.prices.text(day.low),
        "volume24h": market.amounts.text(day.lots),
        "turnover24h": turnover(market, day),
    }
    if listing.product == SPOT:
        return {
            **common,
            "prevPrice24h": opened,
            "price24hPcnt": f"{change:.4f}",
            "usdIndexPrice": text(market.mark),
        }
    if listing.product == OPTION:
        return {**common, **_option(market), "change24h": f"{change:.8f}"}
    hour = market.candles.window(HOUR_MS, 1, None, None, now_ms)[0]
    return {
        **common,
        "prevPrice24h": opened,
        "price24hPcnt": f"{change:.6f}",
        "tickDirection": "PlusTick",
        "prevPrice1h": market.prices.text(hour.open),
        "openInterest": text(OPEN_INTEREST),
        "openInterestValue": f"{OPEN_INTEREST * market.mark:.2f}",
        "singleOpenInterest": text(OPEN_INTEREST / 2),
        "nextFundingTime": str(market.next_funding_ms(now_ms)),
        "fundingRate": text(Decimal(FUNDING_RATE)),
        "fundingIntervalHour": str(FUNDING_MINUTES // 60),
        "fundingCap": "0.005",
        **_marks(market),
        **_touch(market),
    }


def rest_ticker(market: Market, now_ms: int) -> Body:
    """A row of GET tickers: spot has the touch here, options name some fields otherwise."""
    row = ticker(market, now_ms)
    if market.listing.product == SPOT:
        return {**row, **_touch(market)}
    if market.listing.product == OPTION:
        for side in ("bid", "ask"):
            for name in ("Price", "Size", "Iv"):
                row[f"{side}1{name}"] = row.pop(f"{side}{name}")
        row["markIv"] = row.pop("markPriceIv")
        return row
    del row["singleOpenInterest"]
    return {
        **row,
        "predictedDeliveryPrice": "",
        "basisRate": "",
        "deliveryFeeRate": "",
        "deliveryTime": "0",
        "basis": "",
        "basisRateYear": "",
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
    }


def _touch(market: Market) -> Body:
    touch = market.touch
    return {
        "bid1Price": market.prices.text(touch.bid),
        "bid1Size": market.amounts.text(touch.bid_lots),
        "ask1Price": market.prices.text(touch.ask),
        "ask1Size": market.amounts.text(touch.ask_lots),
    }


def _marks(market: Market) -> Body:
    mark = f"{market.mark:.{market.listing.price_digits}f}"
    return {"markPrice": mark, "indexPrice": mark}


def _option(market: Market) -> Body:
    touch = market.touch
    underlying = text(Decimal(market.symbol.split("-")[2]))
    return {
        "bidPrice": market.prices.text(touch.bid),
        "bidSize": market.amounts.text(touch.bid_lots),
        "bidIv": IMPLIED_VOLATILITY,
        "askPrice": market.prices.text(touch.ask),
        "askSize": market.amounts.text(touch.ask_lots),
        "askIv": IMPLIED_VOLATILITY,
        "markPrice": text(market.mark),
        "indexPrice": underlying,
        "markPriceIv": IMPLIED_VOLATILITY,
        "underlyingPrice": underlying,
        "openInterest": "10",
        "totalVolume": "100",
        "totalTurnover": "6000000",
        "delta": "0.5" if "-C-" in market.symbol else "-0.5",
        "gamma": "0.00003",
        "vega": "80",
        "theta": "-30",
        "predictedDeliveryPrice": "0",
    }


def _prices(market: Market, bar: Candle) -> list[str]:
    return [market.prices.text(ticks) for ticks in (bar.open, bar.high, bar.low, bar.close)]


def price_limit(market: Market) -> Body:
    """The bounds of a limit price, as the topic priceLimit tells them."""
    listing = market.listing
    return {
        "symbol": market.symbol,
        "buyLmt": f"{market.mark * listing.band_up:.{listing.price_digits}f}",
        "sellLmt": f"{market.mark * listing.band_down:.{listing.price_digits}f}",
    }
