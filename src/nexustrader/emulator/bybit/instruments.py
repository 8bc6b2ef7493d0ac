"""What the emulated venue lists: symbols with their filters, as data, and instruments-info made from it."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from nexustrader.emulator.bybit.categories import INVERSE, LINEAR, OPTION, SPOT
from nexustrader.emulator.market.listing import Listing, Listings
from nexustrader.sim.types import Kind

Body = dict[str, object]

LAUNCH_MS = 1_584_230_400_000
DELIVERY_MS = 1_813_910_400_000  # of the options: 2027-06-25 08:00 UTC
FUNDING_MINUTES = 480
LEVERAGE_MAX = 100
PRICE_LIMIT_X, PRICE_LIMIT_Y = Decimal("0.05"), Decimal("0.1")
POST_ONLY_FACTOR = 5  # so much more may a post-only order hold on spot
QUOTE_PRECISION = Decimal("0.0000001")


# Options are reckoned as linear contracts: their premium is profit and loss.
_KINDS: dict[str, Kind] = {SPOT: "spot", LINEAR: "linear", INVERSE: "inverse", OPTION: "linear"}


class _Size(NamedTuple):
    """Smallest, largest and largest market amount of an order, and its least value in quote."""

    least: str
    most: str
    market_most: str
    value: str


def _listing(
    category: str, symbol: str, coins: tuple[str, str, str], steps: tuple[str, str], digits: tuple[int, int],
    size: _Size, price: tuple[str, str, str], fees: tuple[str, str],
) -> Listing:  # fmt: skip
    return Listing(
        product=category,
        symbol=symbol,
        key=f"{category}:{symbol}",
        kind=_KINDS[category],
        base=coins[0],
        quote=coins[1],
        settle=coins[2],
        tick=Decimal(steps[0]),
        lot=Decimal(steps[1]),
        price_digits=digits[0],
        amount_digits=digits[1],
        min_amount=Decimal(size.least),
        max_amount=Decimal(size.most),
        market_max_amount=Decimal(size.market_most),
        min_notional=Decimal(size.value),
        min_price=Decimal(price[0]),
        max_price=Decimal(price[1]),
        start_price=Decimal(price[2]),
        band_down=1 - PRICE_LIMIT_Y,
        band_up=1 + PRICE_LIMIT_Y,
        maker=Decimal(fees[0]),
        taker=Decimal(fees[1]),
    )


_SPOT_FEES, _FUTURES_FEES, _OPTION_FEES = ("0.001", "0.001"), ("0.0002", "0.00055"), ("0.0002", "0.0003")
_USDT_SPOT = ("USDT", "USDT")

_ALL = (
    _listing(
        SPOT, "BTCUSDT", ("BTC", *_USDT_SPOT), ("0.1", "0.000001"), (1, 6),
        _Size("0.000011", "83", "41.5", "5"), ("0.1", "1999999.9", "60000.0"), _SPOT_FEES,
    ),
    _listing(
        SPOT, "ETHUSDT", ("ETH", *_USDT_SPOT), ("0.01", "0.00001"), (2, 5),
        _Size("0.00021", "2100", "1050", "5"), ("0.01", "199999.99", "2500.00"), _SPOT_FEES,
    ),
    _listing(
        LINEAR, "BTCUSDT", ("BTC", "USDT", "USDT"), ("0.10", "0.001"), (2, 3),
        _Size("0.001", "1190", "500", "5"), ("0.10", "1999999.80", "60000.0"), _FUTURES_FEES,
    ),
    _listing(
        LINEAR, "ETHUSDT", ("ETH", "USDT", "USDT"), ("0.01", "0.01"), (2, 2),
        _Size("0.01", "7240", "3000", "5"), ("0.01", "199999.98", "2500.00"), _FUTURES_FEES,
    ),
    _listing(
        INVERSE, "BTCUSD", ("BTC", "USD", "BTC"), ("0.10", "1"), (2, 0),
        _Size("1", "25000000", "5000000", "1"), ("0.10", "1999999.80", "60000.0"), _FUTURES_FEES,
    ),
    *(
        _listing(
            OPTION, f"BTC-25JUN27-60000-{right}-USDT", ("BTC", "USDT", "USDT"), ("5", "0.01"), (0, 2),
            _Size("0.01", "500", "500", "0"), ("5", "1110000", "9000"), _OPTION_FEES,
        )
        for right in "CP"
    ),
)  # fmt: skip
LISTINGS: Listings = {
    category: {one.symbol: one for one in _ALL if one.product == category}
    for category in (SPOT, LINEAR, INVERSE, OPTION)
}
ASSETS = ("BTC", "ETH", "USDT")


def instrument(listing: Listing) -> Body:
    """One row of instruments-info."""
    return _SHAPES[listing.product](listing)


def _spot(listing: Listing) -> Body:
    return {
        **_coins(listing),
        "innovation": "0",
        "symbolType": "",
        "xstockMultiplier": "",
        "status": "Trading",
        "marginTrading": "utaOnly",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": str(listing.lot),
            "quotePrecision": f"{QUOTE_PRECISION:f}",
            "minOrderQty": f"{listing.min_amount:f}",
            "maxOrderQty": f"{listing.max_amount:f}",
            "minOrderAmt": f"{listing.min_notional:f}",
            "maxOrderAmt": f"{listing.max_notional:f}",
            "maxLimitOrderQty": f"{listing.max_amount:f}",
            "maxMarketOrderQty": f"{listing.market_max_amount:f}",
            "postOnlyMaxLimitOrderSize": f"{listing.max_amount * POST_ONLY_FACTOR:f}",
        },
        "priceFilter": {"tickSize": str(listing.tick)},
        "riskParameters": _limits(),
        "forbidUplWithdrawal": False,
    }


def _futures(listing: Listing) -> Body:
    return {
        **_coins(listing),
        "contractType": "LinearPerpetual" if listing.product == LINEAR else "InversePerpetual",
        "status": "Trading",
        "symbolType": "",
        "launchTime": str(LAUNCH_MS),
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(listing.price_digits),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": f"{LEVERAGE_MAX}.00", "leverageStep": "0.01"},
        "priceFilter": _prices(listing),
        "lotSizeFilter": {
            "maxOrderQty": _amount(listing, listing.max_amount),
            "minOrderQty": _amount(listing, listing.min_amount),
            "qtyStep": str(listing.lot),
            "postOnlyMaxOrderQty": _amount(listing, listing.max_amount),
            "maxMktOrderQty": _amount(listing, listing.market_max_amount),
            "minNotionalValue": str(listing.min_notional),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": FUNDING_MINUTES,
        "settleCoin": listing.settle,
        "copyTrading": "both",
        "upperFundingRate": "0.005",
        "lowerFundingRate": "-0.005",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": _limits(),
        "displayName": "",
        "forbidUplWithdrawal": False,
    }


def _option(listing: Listing) -> Body:
    return {
        **_coins(listing),
        "optionsType": "Call" if "-C-" in listing.symbol else "Put",
        "status": "Trading",
        "settleCoin": listing.settle,
        "launchTime": str(LAUNCH_MS),
        "deliveryTime": str(DELIVERY_MS),
        "deliveryFeeRate": "0.00015",
        "priceFilter": _prices(listing),
        "lotSizeFilter": {
            "maxOrderQty": f"{listing.max_amount:f}",
            "minOrderQty": str(listing.min_amount),
            "qtyStep": str(listing.lot),
        },
        "displayName": "",
    }


_SHAPES = {SPOT: _spot, LINEAR: _futures, INVERSE: _futures, OPTION: _option}


def _coins(listing: Listing) -> Body:
    number = _ALL.index(listing) + 1
    return {
        "symbol": listing.symbol,
        "symbolId": number,
        "baseCoin": listing.base,
        "quoteCoin": listing.quote,
    }


def _limits() -> Body:
    return {"priceLimitRatioX": str(PRICE_LIMIT_X), "priceLimitRatioY": str(PRICE_LIMIT_Y)}


def _prices(listing: Listing) -> Body:
    return {
        "minPrice": str(listing.min_price),
        "maxPrice": str(listing.max_price),
        "tickSize": str(listing.tick),
    }


def _amount(listing: Listing, value: Decimal) -> str:
    return f"{value:.{listing.amount_digits}f}"
