"""The market moved by hand: by tests, by the control endpoints, by whoever drives a venue in memory."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from nexustrader.emulator.market.market import Market
from nexustrader.emulator.venue import SYNTHETIC, AnyVenue
from nexustrader.sim.types import Level

TOUCH_AMOUNT = Decimal(10)


class HandTrade(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A trade of the market made by hand; `side` is the aggressor's."""

    price: Decimal
    qty: Decimal
    side: Literal["BUY", "SELL"]


class MarketMove(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A move of the market by hand, on one product or on all that list it: a new touch or levels, then a trade.

    Levels better than the best new one go. The synthetic market stands still from then on, until `resume`.
    """

    symbol: str
    product: str | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    bid_qty: Decimal = TOUCH_AMOUNT
    ask_qty: Decimal = TOUCH_AMOUNT
    bids: list[tuple[Decimal, Decimal]] = []
    asks: list[tuple[Decimal, Decimal]] = []
    trade: HandTrade | None = None
    resume: bool = False


def move_market(venue: AnyVenue, move: MarketMove) -> int:
    """Carries out a move; returns on how many products. Raises ValueError or OrderError when it cannot be."""
    asked = list(venue.products) if move.product is None else [move.product]
    products = [name for name in asked if (name, move.symbol) in venue.sources]
    if not products:
        raise ValueError(f"no market {move.symbol!r} on {' or '.join(asked)}; see what the venue lists")
    for name in products:
        source = venue.sources[name, move.symbol]
        source.hold()
        _move_one(venue.products[name].markets[move.symbol], move)
        if move.resume and venue.settings.market == SYNTHETIC:
            source.start()
    return len(products)


def _move_one(market: Market, move: MarketMove) -> None:
    bids = move.bids or ([(move.bid, move.bid_qty)] if move.bid is not None else [])
    asks = move.asks or ([(move.ask, move.ask_qty)] if move.ask is not None else [])
    if bid_missing := (not bids) != (not asks):
        raise ValueError(f"{market.symbol}: give bids and asks together ({bid_missing=})")
    if bids:
        levels = _levels(market, bids), _levels(market, asks)
        if max(levels[0])[0] >= min(levels[1])[0]:
            raise ValueError(f"{market.symbol}: the best bid must be below the best ask")
        market.move(*levels)
    if move.trade is not None:
        price = market.instrument.to_ticks(move.trade.price)
        lots = market.instrument.to_lots(move.trade.qty)
        market.trade(price, lots, buyer_is_maker=move.trade.side == "SELL")


def _levels(market: Market, levels: list[tuple[Decimal, Decimal]]) -> list[Level]:
    instrument = market.instrument
    return [(instrument.to_ticks(price), instrument.to_lots(quantity)) for price, quantity in levels]
