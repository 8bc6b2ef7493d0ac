"""A small market maker: one quote a side at the touch, a position limit, and a stop on loss.

The class is the same in every world: `market_maker.py` runs it live or emulated, `paper_trading.py` with simulated
orders, and `nexustrader backtest` on recorded candles. It quotes with post-only orders over the order socket. Every
quote carries an idempotency key, so that neither a restart nor a repeated call can create a second order for the same
decision.
"""

from decimal import Decimal

from nexustrader.constants import OrderSide, OrderType
from nexustrader.schema import BookL1, Order, Trade
from nexustrader.strategy import Strategy

SYMBOL = "BTCUSDT-PERP.BINANCE"


class MarketMaker(Strategy):
    """Quotes `amount` on both sides, `edge_ticks` from the touch, at most every `requote_ms`."""

    def __init__(
        self,
        symbol: str = SYMBOL,
        amount: str = "0.01",
        edge_ticks: int = 0,
        max_position: str = "0.05",
        max_loss: float = 500.0,
        requote_ms: int = 500,
        run_seconds: float | None = None,
    ) -> None:
        super().__init__()
        self.symbol = symbol
        self.amount = Decimal(amount)
        self.edge_ticks = edge_ticks
        self.max_position = Decimal(max_position)
        self.max_loss = max_loss
        self.requote_ms = requote_ms
        self.run_seconds = run_seconds
        self.quotes: dict[OrderSide, str | None] = {OrderSide.BUY: None, OrderSide.SELL: None}
        self.last_quote_ms = 0
        self.ticks = 0
        self.trades = 0
        self.halted = False

    def on_start(self) -> None:
        self.subscribe_bookl1(self.symbol)
        self.subscribe_trade(self.symbol)
        if self.run_seconds is not None:
            self.schedule(self.stop, trigger="interval", seconds=self.run_seconds)

    def on_bookl1(self, bookl1: BookL1) -> None:
        self.ticks += 1
        now = self.clock.timestamp_ms()
        if self.halted or now - self.last_quote_ms < self.requote_ms:
            return
        self.last_quote_ms = now
        if self.loss(bookl1) > self.max_loss:
            self.halt()
            return
        edge = Decimal(str(self.tick_sz(self.symbol))) * self.edge_ticks
        self.quote(OrderSide.BUY, Decimal(str(bookl1.bid)) - edge, now)
        self.quote(OrderSide.SELL, Decimal(str(bookl1.ask)) + edge, now)

    def on_trade(self, trade: Trade) -> None:
        self.trades += 1

    def quote(self, side: OrderSide, price: Decimal, now: int) -> None:
        """Keep one order a side at the touch; replace it when the touch has moved away."""
        oid = self.quotes[side]
        order = self.cache.get_order(oid) if oid else None
        if order is not None and order.is_opened:
            if order.price is not None and Decimal(str(order.price)) != price:
                self.cancel_order_ws(self.symbol, order.oid)
            return
        if order is not None and not order.is_closed:
            return  # sent, not answered yet
        position = self.position()
        room = self.max_position - position if side is OrderSide.BUY else self.max_position + position
        if room < self.amount:
            return
        self.quotes[side] = self.create_order_ws(
            self.symbol,
            side,
            OrderType.POST_ONLY,
            self.amount,
            price,
            idempotency_key=f"{self.symbol}-{side.value}-{now}",
        )

    def position(self) -> Decimal:
        position = self.cache.get_position(self.symbol)
        return position.signed_amount if position else Decimal(0)

    def loss(self, bookl1: BookL1) -> float:
        """What has been lost so far, the open position at the mid included."""
        position = self.cache.get_position(self.symbol)
        if position is None:
            return 0.0
        open_pnl = float(position.signed_amount) * (bookl1.mid - position.entry_price)
        return -(position.realized_pnl + open_pnl)

    def halt(self) -> None:
        """Stop on loss: no quote any more, and out of the position."""
        self.halted = True
        self.cancel_all_orders(self.symbol)
        position = self.position()
        if position:
            side = OrderSide.SELL if position > 0 else OrderSide.BUY
            self.create_order_ws(self.symbol, side, OrderType.MARKET, abs(position), reduce_only=True)
        self.log.warning(f"stopped on loss beyond {self.max_loss}")

    def on_failed_order(self, order: Order) -> None:
        self.log.debug(f"{order.side} {order.price} was refused: {order.reason}")
