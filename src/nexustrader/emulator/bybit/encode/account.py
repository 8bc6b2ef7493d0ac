"""Positions and wallets, as the streams and as the queries write them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from nexustrader.emulator.bybit.accounts import CoinView, PositionView
from nexustrader.emulator.bybit.categories import OPTION
from nexustrader.emulator.bybit.encode.numbers import money, text

Body = dict[str, object]

ZERO = Decimal(0)
RISK_LIMIT = "2000000"


def position(view: PositionView, sequence: int) -> Body:
    """A position as GET position/list shows it."""
    size = view.market.listing.lot * abs(view.lots)
    earned = view.earned
    return {
        "positionIdx": view.index,
        "tradeMode": 0,
        "riskId": 1,
        "riskLimitValue": RISK_LIMIT,
        "symbol": view.market.symbol,
        "side": "" if not view.lots else "Buy" if view.lots > 0 else "Sell",
        "size": text(size),
        "avgPrice": money(view.entry),
        "positionValue": money(view.value) if view.lots else "",
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 2 if view.lots else 0,
        "leverage": text(view.leverage),
        "positionBalance": "0",
        "markPrice": text(view.mark),
        "liqPrice": _price(view, view.liquidation),
        "bustPrice": "",
        "breakEvenPrice": "",
        "positionIM": money(view.initial_margin),
        "positionIMByMp": money(view.initial_margin),
        "positionMM": money(view.maintenance),
        "positionMMByMp": money(view.maintenance),
        "tpslMode": "Full",
        "takeProfit": "0",
        "stopLoss": "0",
        "trailingStop": "0",
        "sessionAvgPrice": "",
        "unrealisedPnl": money(view.unrealized),
        "curRealisedPnl": money(earned.current),
        "cumRealisedPnl": money(earned.ever),
        "seq": sequence,
        "isReduceOnly": False,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "createdTime": str(earned.created_ms),
        "updatedTime": str(earned.updated_ms),
        "openTime": earned.created_ms,
    }


def stream_position(view: PositionView, sequence: int) -> Body:
    """A position as the stream tells it: `entryPrice` where the query says `avgPrice`."""
    row = position(view, sequence)
    entry = row.pop("avgPrice")
    category = view.market.listing.product
    greeks = {"delta": "", "gamma": "", "vega": "", "theta": ""} if category == OPTION else {}
    return {**row, "entryPrice": entry, "category": category, **greeks}


def wallet(coins: Sequence[CoinView], everything: Sequence[CoinView]) -> Body:
    """The account with some of its coins; the totals are over all of them, in USD."""

    def total(pick: str) -> Decimal:
        return sum((getattr(view, pick) * view.price for view in everything), ZERO)

    equity, initial, maintenance = total("equity"), total("position_margin"), total("maintenance")
    initial += total("order_margin")
    return {
        "accountType": "UNIFIED",
        "accountLTV": "0",
        "accountIMRate": _rate(initial, equity),
        "accountMMRate": _rate(maintenance, equity),
        "accountIMRateByMp": _rate(initial, equity),
        "accountMMRateByMp": _rate(maintenance, equity),
        "totalEquity": money(equity),
        "totalWalletBalance": money(total("wallet")),
        "totalMarginBalance": money(equity),
        "totalAvailableBalance": money(total("available")),
        "totalPerpUPL": money(total("unrealized")),
        "totalInitialMargin": money(initial),
        "totalMaintenanceMargin": money(maintenance),
        "totalInitialMarginByMp": money(initial),
        "totalMaintenanceMarginByMp": money(maintenance),
        "coin": [_coin(view) for view in coins],
    }


def _coin(view: CoinView) -> Body:
    return {
        "coin": view.coin,
        "equity": text(view.equity),
        "usdValue": money(view.equity * view.price),
        "walletBalance": text(view.wallet),
        "locked": text(view.locked),
        "spotHedgingQty": "0",
        "borrowAmount": "0",
        "accruedInterest": "0",
        "availableToBorrow": "",
        "availableToWithdraw": "",
        "free": "",
        "totalOrderIM": money(view.order_margin),
        "totalPositionIM": money(view.position_margin),
        "totalPositionMM": money(view.maintenance),
        "unrealisedPnl": money(view.unrealized),
        "cumRealisedPnl": money(view.realized),
        "bonus": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
        "colRes": "",
        "spotBorrow": "0",
    }


def _rate(part: Decimal, whole: Decimal) -> str:
    return text((part / whole).quantize(Decimal("1e-8"))) if whole else "0"


def _price(view: PositionView, value: Decimal | None) -> str:
    if value is None or value <= 0:
        return ""
    return f"{value:.{view.market.listing.price_digits}f}"
