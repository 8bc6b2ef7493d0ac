"""USD-M account bodies, key for key: balances, positions, and the account with both."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.binance.encode import numbers
from nexustrader.emulator.binance.encode.encode_usdm import MoneyView, PositionView
from nexustrader.emulator.binance.encode.numbers import eight
from nexustrader.emulator.orders.records import ZERO

Body = dict[str, object]

ALIAS = "SgsR"
NOTIONAL_MAX = "20000000"


def balance(money: MoneyView) -> Body:
    """A row of GET /fapi/v2|v3/balance."""
    return {
        "accountAlias": ALIAS,
        "asset": money.asset,
        "balance": eight(money.wallet),
        "crossWalletBalance": eight(money.wallet),
        "crossUnPnl": eight(money.unrealized),
        "availableBalance": eight(money.available),
        "maxWithdrawAmount": eight(money.available),
        "marginAvailable": True,
        "updateTime": money.updated_ms,
    }


def position_v2(view: PositionView) -> Body:
    """A row of GET /fapi/v2/positionRisk."""
    return {
        "symbol": view.listing.symbol,
        "positionAmt": numbers.amount(view.listing, view.amount),
        "entryPrice": numbers.average(view.listing, view.entry),
        "breakEvenPrice": eight(view.break_even),
        "markPrice": eight(view.mark),
        "unRealizedProfit": eight(view.unrealized),
        "liquidationPrice": _liquidation(view),
        "leverage": str(view.leverage),
        "maxNotionalValue": NOTIONAL_MAX,
        "marginType": "isolated" if view.isolated else "cross",
        "isolatedMargin": eight(ZERO),
        "isAutoAddMargin": "false",
        "positionSide": "BOTH",
        "notional": eight(view.notional),
        "isolatedWallet": "0",
        "updateTime": view.updated_ms,
    }


def position_v3(view: PositionView) -> Body:
    """A row of GET /fapi/v3/positionRisk."""
    return {
        "symbol": view.listing.symbol,
        "positionSide": "BOTH",
        "positionAmt": numbers.amount(view.listing, view.amount),
        "entryPrice": numbers.average(view.listing, view.entry),
        "breakEvenPrice": eight(view.break_even),
        "markPrice": eight(view.mark),
        "unRealizedProfit": eight(view.unrealized),
        "liquidationPrice": _liquidation(view),
        "isolatedMargin": "0",
        "notional": eight(view.notional),
        "marginAsset": view.listing.settle,
        "isolatedWallet": "0",
        "initialMargin": eight(view.initial_margin),
        "maintMargin": eight(view.maintenance),
        "positionInitialMargin": eight(view.initial_margin - view.order_margin),
        "openOrderInitialMargin": eight(view.order_margin),
        "adl": 0,
        "bidNotional": eight(view.bids),
        "askNotional": eight(view.asks),
        "updateTime": view.updated_ms,
    }


def account_v2(moneys: list[MoneyView], positions: list[PositionView]) -> Body:
    """Body of GET /fapi/v2/account: every listed symbol has a row."""
    return {
        "feeTier": 0,
        "feeBurn": False,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": False,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
        **_totals(moneys),
        "assets": [{**_asset(money), "marginAvailable": True} for money in moneys],
        "positions": [
            {
                "symbol": view.listing.symbol,
                "initialMargin": eight(view.initial_margin),
                "maintMargin": eight(view.maintenance),
                "unrealizedProfit": eight(view.unrealized),
                "positionInitialMargin": eight(view.initial_margin - view.order_margin),
                "openOrderInitialMargin": eight(view.order_margin),
                "leverage": str(view.leverage),
                "isolated": view.isolated,
                "entryPrice": numbers.average(view.listing, view.entry),
                "breakEvenPrice": eight(view.break_even),
                "maxNotional": NOTIONAL_MAX,
                "bidNotional": eight(view.bids),
                "askNotional": eight(view.asks),
                "positionSide": "BOTH",
                "positionAmt": numbers.amount(view.listing, view.amount),
                "updateTime": view.updated_ms,
            }
            for view in positions
        ],
    }


def account_v3(moneys: list[MoneyView], positions: list[PositionView]) -> Body:
    """Body of GET /fapi/v3/account: only symbols with a position or open orders have a row."""
    return {
        **_totals(moneys),
        "assets": [_asset(money) for money in moneys],
        "positions": [
            {
                "symbol": view.listing.symbol,
                "positionSide": "BOTH",
                "positionAmt": numbers.amount(view.listing, view.amount),
                "unrealizedProfit": eight(view.unrealized),
                "isolatedMargin": eight(ZERO),
                "notional": eight(view.notional),
                "isolatedWallet": "0",
                "initialMargin": eight(view.initial_margin),
                "maintMargin": eight(view.maintenance),
                "updateTime": view.updated_ms,
            }
            for view in positions
        ],
    }


def _totals(moneys: list[MoneyView]) -> Body:
    """Totals are in USD; only dollar coins count here."""
    dollars = [money for money in moneys if money.asset in {"USDT", "USDC"}]

    def total(values: list[Decimal]) -> str:
        return eight(sum(values, ZERO))

    wallet, profit = [m.wallet for m in dollars], [m.unrealized for m in dollars]
    return {
        "totalInitialMargin": total([m.initial_margin for m in dollars]),
        "totalMaintMargin": total([m.maintenance for m in dollars]),
        "totalWalletBalance": total(wallet),
        "totalUnrealizedProfit": total(profit),
        "totalMarginBalance": total([*wallet, *profit]),
        "totalPositionInitialMargin": total([m.position_margin for m in dollars]),
        "totalOpenOrderInitialMargin": total([m.initial_margin - m.position_margin for m in dollars]),
        "totalCrossWalletBalance": total(wallet),
        "totalCrossUnPnl": total(profit),
        "availableBalance": total([m.available for m in dollars]),
        "maxWithdrawAmount": total([m.available for m in dollars]),
    }


def _asset(money: MoneyView) -> Body:
    return {
        "asset": money.asset,
        "walletBalance": eight(money.wallet),
        "unrealizedProfit": eight(money.unrealized),
        "marginBalance": eight(money.wallet + money.unrealized),
        "maintMargin": eight(money.maintenance),
        "initialMargin": eight(money.initial_margin),
        "positionInitialMargin": eight(money.position_margin),
        "openOrderInitialMargin": eight(money.initial_margin - money.position_margin),
        "crossWalletBalance": eight(money.wallet),
        "crossUnPnl": eight(money.unrealized),
        "availableBalance": eight(money.available),
        "maxWithdrawAmount": eight(money.available),
        "updateTime": money.updated_ms,
    }


def _liquidation(view: PositionView) -> str:
    if view.liquidation is None or view.amount == 0:
        return "0"
    return numbers.average(view.listing, view.liquidation)
