"""What COIN-M lists: inverse perpetuals and a dated contract, and the exchangeInfo made from it."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.binance.encode.market_coinm import pair_of
from nexustrader.emulator.binance.limits import Rule
from nexustrader.emulator.binance.topics import COINM
from nexustrader.emulator.market.listing import OPEN_ORDERS_MAX, Listing

PERPETUAL_DELIVERY_MS = 4_133_404_800_000
ONBOARD_MS = 1_597_042_800_000
MARCH_2027_MS = 1_806_048_000_000
COINM_ASSETS = ("BTC", "ETH")


def _contract(
    symbol: str, size: str, tick: str, digits: int, price: tuple[str, str], start: str,
    expiry_ms: int | None = None,
) -> Listing:  # fmt: skip
    base = symbol.partition("USD_")[0]
    return Listing(
        product=COINM,
        kind="inverse",
        reduce_only="REJECT",
        unfillable_fok="REJECT",
        symbol=symbol,
        key=symbol,
        base=base,
        quote="USD",
        settle=base,
        tick=Decimal(tick),
        min_price=Decimal(price[0]),
        max_price=Decimal(price[1]),
        lot=Decimal(1),
        min_amount=Decimal(1),
        max_amount=Decimal(1_000_000),
        market_max_amount=Decimal(60_000),
        min_notional=Decimal(0),
        band_down=Decimal("0.9500"),
        band_up=Decimal("1.0500"),
        price_digits=digits,
        amount_digits=0,
        maker=Decimal("0.0001"),
        taker=Decimal("0.0005"),
        start_price=Decimal(start),
        contract_size=Decimal(size),
        expiry_ms=expiry_ms,
    )


COINM_LISTINGS: dict[str, Listing] = {
    listing.symbol: listing
    for listing in (
        _contract("BTCUSD_PERP", "100", "0.1", 1, ("1000", "4520958"), "60000.0"),
        _contract("ETHUSD_PERP", "10", "0.01", 2, ("20", "306177"), "2500.00"),
        _contract("BTCUSD_270326", "100", "0.1", 1, ("1000", "4520958"), "60600.0", MARCH_2027_MS),
    )
}


def coinm_exchange_info(listings: list[Listing], rules: tuple[Rule, ...], now_ms: int) -> dict[str, object]:
    """Body of GET /dapi/v1/exchangeInfo."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [rule.view() for rule in rules],
        "exchangeFilters": [],
        "symbols": [_symbol(listing) for listing in listings],
    }


def _symbol(listing: Listing) -> dict[str, object]:
    dated = listing.expiry_ms is not None
    return {
        "symbol": listing.symbol,
        "pair": pair_of(listing),
        "contractType": "CURRENT_QUARTER" if dated else "PERPETUAL",
        "deliveryDate": listing.expiry_ms if dated else PERPETUAL_DELIVERY_MS,
        "onboardDate": ONBOARD_MS,
        "contractStatus": "TRADING",
        "contractSize": int(listing.contract_size),
        "marginAsset": listing.settle,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "pricePrecision": listing.price_digits,
        "quantityPrecision": listing.amount_digits,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "equalQtyPrecision": 4,
        "triggerProtect": "0.0500",
        "liquidationFee": "0.015000",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10_000,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "filters": _filters(listing),
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _filters(listing: Listing) -> list[dict[str, object]]:
    low, step = str(listing.min_amount), str(listing.lot)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": str(listing.min_price),
            "maxPrice": str(listing.max_price),
            "tickSize": str(listing.tick),
        },
        {"filterType": "LOT_SIZE", "minQty": low, "maxQty": str(listing.max_amount), "stepSize": step},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": low,
            "maxQty": str(listing.market_max_amount),
            "stepSize": step,
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": OPEN_ORDERS_MAX},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": str(listing.band_up),
            "multiplierDown": str(listing.band_down),
            "multiplierDecimal": "4",
        },
    ]
