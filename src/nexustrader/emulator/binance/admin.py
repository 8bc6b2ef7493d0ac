"""The control endpoints under /emulator/: truth, counts, markets moved by hand, faults, the end.

All but the status need the token, so that no web page in a browser on this machine can use them.
"""

# aiohttp gives every handler the request, though some need nothing of it.
# ruff: noqa: ARG002

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Literal

import msgspec
from aiohttp import web

from nexustrader.emulator.binance.market import Market
from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.emulator.binance.venue import SYNTHETIC, Venue
from nexustrader.emulator.faults import Fault
from nexustrader.error import OrderError
from nexustrader.sim.types import Level

TOKEN_HEADER = "X-Emulator-Token"  # noqa: S105 — the header's name, not a token
TOUCH_AMOUNT = Decimal(10)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HandTrade(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A trade of the market made by hand; `side` is the aggressor's."""

    price: Decimal
    qty: Decimal
    side: Literal["BUY", "SELL"]


class MarketMove(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A move of the market by hand, on one product or both: a new touch, or levels, and then a trade.

    Levels better than the best new one go. The synthetic market stands still from then on, until `resume`.
    """

    symbol: str
    product: Literal["spot", "usdm"] | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    bid_qty: Decimal = TOUCH_AMOUNT
    ask_qty: Decimal = TOUCH_AMOUNT
    bids: list[tuple[Decimal, Decimal]] = []
    asks: list[tuple[Decimal, Decimal]] = []
    trade: HandTrade | None = None
    resume: bool = False


def move_market(venue: Venue, move: MarketMove) -> int:
    """Carries out a move; returns on how many products. Raises ValueError or OrderError when it cannot be."""
    products = [move.product] if move.product is not None else [SPOT, USDM]
    if not any(move.symbol in venue.products[name].markets for name in products):
        raise ValueError(f"no market {move.symbol!r} on {' or '.join(products)}; see exchangeInfo")
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


class Admin:
    """The control endpoints. `on_shutdown` is called when the venue is asked to end."""

    def __init__(self, venue: Venue, token: str, on_shutdown: Callable[[], None]) -> None:
        self._venue = venue
        self._token = token.encode()
        self._on_shutdown = on_shutdown

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Adds the endpoints."""
        router.add_get("/emulator/status", self._status)
        router.add_get("/emulator/ledger", self._guarded(self._ledger))
        router.add_post("/emulator/market", self._guarded(self._market))
        router.add_get("/emulator/faults", self._guarded(self._list_faults))
        router.add_post("/emulator/faults", self._guarded(self._add_fault))
        router.add_delete("/emulator/faults", self._guarded(self._clear_faults))
        router.add_post("/emulator/shutdown", self._guarded(self._shutdown))

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            given = request.headers.get(TOKEN_HEADER, "").encode()
            if not hmac.compare_digest(given, self._token):
                return _json({"error": f"header {TOKEN_HEADER} is missing or wrong"}, 403)
            return await handler(request)

        return guarded

    async def _status(self, request: web.Request) -> web.StreamResponse:
        return _json(self._venue.status())

    async def _ledger(self, request: web.Request) -> web.StreamResponse:
        return _json(self._venue.ledger())

    async def _market(self, request: web.Request) -> web.StreamResponse:
        try:
            move = msgspec.json.decode(await request.read(), type=MarketMove)
            return _json({"moved": move_market(self._venue, move)})
        except (msgspec.MsgspecError, ValueError, OrderError) as error:
            return _json({"error": str(error)}, 400)

    async def _list_faults(self, request: web.Request) -> web.StreamResponse:
        return _json({"pending": self._venue.faults.pending, "fired": self._venue.faults.fired})

    async def _add_fault(self, request: web.Request) -> web.StreamResponse:
        try:
            fault = msgspec.json.decode(await request.read(), type=Fault)
            return _json({"struck": self._venue.inject(fault)})
        except (msgspec.MsgspecError, ValueError) as error:
            return _json({"error": str(error)}, 400)

    async def _clear_faults(self, request: web.Request) -> web.StreamResponse:
        self._venue.faults.clear()
        return _json({"cleared": True})

    async def _shutdown(self, request: web.Request) -> web.StreamResponse:
        self._venue.clock.call_soon(self._on_shutdown)
        return _json({"stopping": True})


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
