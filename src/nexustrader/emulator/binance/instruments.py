"""What the emulated venue lists: symbols with their filters, as data, and the exchangeInfo made from it."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.binance.instruments_coinm import COINM_ASSETS, COINM_LISTINGS
from nexustrader.emulator.binance.limits import Rule
from nexustrader.emulator.binance.topics import COINM, SPOT, USDM
from nexustrader.emulator.market.listing import OPEN_ORDERS_MAX, Listing

PERPETUAL_DELIVERY_MS = 4_133_404_800_000
ONBOARD_MS = 1_569_398_400_000
SPOT_DIGITS = 8
STP_MODES = ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]


def _spot(symbol: str, tick: str, lot: str, market_max: str, start: str) -> Listing:
    return Listing(
        product=SPOT,
        kind="spot",
        symbol=symbol,
        key=symbol,
        base=symbol.removesuffix("USDT"),
        tick=Decimal(tick),
        min_price=Decimal(tick),
        max_price=Decimal(1_000_000),
        lot=Decimal(lot),
        min_amount=Decimal(lot),
        max_amount=Decimal(9_000),
        market_max_amount=Decimal(market_max),
        min_notional=Decimal(5),
        band_down=Decimal("0.2"),
        band_up=Decimal(5),
        price_digits=SPOT_DIGITS,
        amount_digits=SPOT_DIGITS,
        maker=Decimal("0.001"),
        taker=Decimal("0.001"),
        start_price=Decimal(start),
    )


def _usdm(
    symbol: str, tick: str, lot: str, digits: tuple[int, int], price: tuple[str, str], amount: tuple[str, str],
    notional: str, start: str,
) -> Listing:  # fmt: skip
    return Listing(
        product=USDM,
        kind="linear",
        reduce_only="REJECT",
        unfillable_fok="REJECT",
        symbol=symbol,
        key=symbol,
        base=symbol.removesuffix("USDT"),
        tick=Decimal(tick),
        min_price=Decimal(price[0]),
        max_price=Decimal(price[1]),
        lot=Decimal(lot),
        min_amount=Decimal(lot),
        max_amount=Decimal(amount[0]),
        market_max_amount=Decimal(amount[1]),
        min_notional=Decimal(notional),
        band_down=Decimal("0.9500"),
        band_up=Decimal("1.0500"),
        price_digits=digits[0],
        amount_digits=digits[1],
        maker=Decimal("0.0002"),
        taker=Decimal("0.0005"),
        start_price=Decimal(start),
    )


# ODDUSDT has steps that are no powers of ten, to find code that rounds to decimals instead of steps.
LISTINGS: dict[str, dict[str, Listing]] = {
    SPOT: {
        listing.symbol: listing
        for listing in (
            _spot("BTCUSDT", "0.01", "0.00001", "97.09521512", "60000.00"),
            _spot("ETHUSDT", "0.01", "0.0001", "2357.34408702", "2500.00"),
            _spot("SOLUSDT", "0.01", "0.001", "21407.86214285", "150.00"),
            _spot("ODDUSDT", "0.025", "2.5", "9000", "12.500"),
        )
    },
    USDM: {
        listing.symbol: listing
        for listing in (
            _usdm(
                "BTCUSDT", "0.10", "0.001", (2, 3), ("556.80", "4529764"), ("1000", "120"), "100", "60000.0"
            ),
            _usdm(
                "ETHUSDT", "0.01", "0.001", (2, 3), ("39.86", "306177"), ("10000", "2000"), "20", "2500.00"
            ),
            _usdm(
                "SOLUSDT", "0.0100", "0.01", (4, 2), ("0.4200", "6857"), ("1000000", "80000"), "5", "150.00"
            ),
            _usdm("ODDUSDT", "0.025", "2.5", (3, 1), ("0.025", "20000"), ("100000", "50000"), "5", "12.500"),
        )
    },
    COINM: COINM_LISTINGS,
}
ASSETS = {
    SPOT: ("BTC", "ETH", "SOL", "ODD", "USDT"),
    USDM: ("USDT", "BTC", "BNB", "ETH", "USDC"),
    COINM: COINM_ASSETS,
}


def spot_exchange_info(listings: list[Listing], rules: tuple[Rule, ...], now_ms: int) -> dict[str, object]:
    """Body of GET /api/v3/exchangeInfo."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [rule.view() for rule in rules],
        "exchangeFilters": [],
        "symbols": [_spot_symbol(listing) for listing in listings],
    }


def usdm_exchange_info(listings: list[Listing], rules: tuple[Rule, ...], now_ms: int) -> dict[str, object]:
    """Body of GET /fapi/v1/exchangeInfo."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [rule.view() for rule in rules],
        "exchangeFilters": [],
        "assets": [
            {
                "asset": asset,
                "marginAvailable": True,
                "autoAssetExchange": "-10000" if asset == "USDT" else "0",
            }
            for asset in ASSETS[USDM]
        ],
        "symbols": [_usdm_symbol(listing) for listing in listings],
    }


def _spot_symbol(listing: Listing) -> dict[str, object]:
    return {
        "symbol": listing.symbol,
        "status": "TRADING",
        "baseAsset": listing.base,
        "baseAssetPrecision": SPOT_DIGITS,
        "quoteAsset": listing.quote,
        "quotePrecision": SPOT_DIGITS,
        "quoteAssetPrecision": SPOT_DIGITS,
        "baseCommissionPrecision": SPOT_DIGITS,
        "quoteCommissionPrecision": SPOT_DIGITS,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _spot_filters(listing),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": STP_MODES,
    }


def _spot_filters(listing: Listing) -> list[dict[str, object]]:
    def eight(value: Decimal) -> str:
        return f"{value:.{SPOT_DIGITS}f}"

    up, down = str(listing.band_up), str(listing.band_down)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": eight(listing.min_price),
            "maxPrice": eight(listing.max_price),
            "tickSize": eight(listing.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": eight(listing.min_amount),
            "maxQty": eight(listing.max_amount),
            "stepSize": eight(listing.lot),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": eight(listing.market_max_amount),
            "stepSize": "0.00000000",
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": up,
            "bidMultiplierDown": down,
            "askMultiplierUp": up,
            "askMultiplierDown": down,
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": eight(listing.min_notional),
            "applyMinToMarket": True,
            "maxNotional": eight(listing.max_notional),
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": OPEN_ORDERS_MAX},
    ]


def _usdm_symbol(listing: Listing) -> dict[str, object]:
    return {
        "symbol": listing.symbol,
        "pair": listing.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": PERPETUAL_DELIVERY_MS,
        "onboardDate": ONBOARD_MS,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "marginAsset": listing.settle,
        "pricePrecision": listing.price_digits,
        "quantityPrecision": listing.amount_digits,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["Layer-1"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10_000,
        "filters": _usdm_filters(listing),
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "permissionSets": ["GRID", "COPY"],
    }


def _usdm_filters(listing: Listing) -> list[dict[str, object]]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": str(listing.min_price),
            "maxPrice": str(listing.max_price),
            "tickSize": str(listing.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": str(listing.min_amount),
            "maxQty": str(listing.max_amount),
            "stepSize": str(listing.lot),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": str(listing.min_amount),
            "maxQty": str(listing.market_max_amount),
            "stepSize": str(listing.lot),
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": OPEN_ORDERS_MAX},
        {"filterType": "MIN_NOTIONAL", "notional": str(listing.min_notional)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": str(listing.band_up),
            "multiplierDown": str(listing.band_down),
            "multiplierDecimal": "4",
        },
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ]
