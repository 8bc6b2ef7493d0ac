"""A strategy that does everything a strategy may do, at random: what the chaos suite trades with."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from nexustrader.constants import BookLevel, OrderSide, OrderType, TimeInForce
from nexustrader.kernel.entropy import Entropy
from nexustrader.schema import BatchOrder, BookL1, BookL2, Order
from nexustrader.strategy import Strategy

SYMBOL = "BTCUSDT-PERP.BINANCE"
LOT = Decimal("0.001")
POSITION_AIM = Decimal("0.15")  # beyond this it trades towards flat ...
POSITION_LIMIT = Decimal("0.25")  # ... and this the risk gate has to hold at the venue, whatever is in doubt
PRESSING_ACTS = 30  # how long one that presses keeps to a side at most
PRESSING_ANSWERS = 0.2  # of the news of orders on its side
PRESSING_CROSSES = 0.6  # of what would rest
OPEN_ORDERS_MAX = 8
FAR = Decimal("0.002")  # how far from the touch a resting order may be, as a fraction


class RandomTrader(Strategy):
    """Acts every `pace_s` on average until `is_trading` is taken away; cancels half of what is open then.

    One that `presses` goes to one side with more than the limit allows until it sees itself there: what it cannot
    see, because no reply comes back, only the gate counts.
    """

    def __init__(
        self,
        entropy: Entropy,
        symbol: str = SYMBOL,
        pace_s: float = 0.5,
        *,
        presses: bool = False,
        with_book: bool = False,
    ) -> None:
        super().__init__()
        self.presses = presses
        self.with_book = with_book
        self.symbol = symbol
        self.pace_s = pace_s
        self.is_trading = True
        self.acts = 0
        self._entropy = entropy
        self._keys = 0
        self._pressed = OrderSide.SELL
        self._pressed_since = 0  # how many acts there were before this side's
        self._actions: tuple[tuple[float, Callable[[], object]], ...] = (
            (0.40, self._rest),
            (0.15, self._cross),
            (0.10, self._at_once),
            (0.20, self._cancel),
            (0.10, self._modify),
            (0.03, self._repeat_key),
            (0.02, self._cancel_all),
        )

    def on_start(self) -> None:
        self.subscribe_bookl1(self.symbol)
        if self.with_book:
            self.subscribe_bookl2(self.symbol, BookLevel.L50)
        self.schedule(self._act_at_random, "interval", seconds=self.pace_s)

    def on_bookl1(self, bookl1: BookL1) -> None:
        """The cache keeps it."""

    def on_bookl2(self, bookl2: BookL2) -> None:
        """The cache keeps it."""

    def on_accepted_order(self, order: Order) -> None:
        self._answer(order)

    def on_partially_filled_order(self, order: Order) -> None:
        self._answer(order)

    def on_filled_order(self, order: Order) -> None:
        self._answer(order)

    def _answer(self, order: Order) -> None:
        """Press on inside of a callback, while other news may still wait to be told."""
        if self.presses and order.side is self._pressed and self._entropy.random() < PRESSING_ANSWERS:
            self._act_at_random()

    def _act_at_random(self) -> None:
        if not self.is_trading or self.cache.bookl1(self.symbol) is None:
            return
        draw = self._entropy.random()
        for share, action in self._actions:
            draw -= share
            if draw < 0:
                self.acts += 1
                action()
                return

    def act(self, what: str) -> None:
        """One thing by name."""
        getattr(self, f"_{what}")()

    # -- what it does ----------------------------------------------------------------------------------------

    def _side(self) -> OrderSide:
        position = self.cache.get_position(self.symbol)
        held = position.signed_amount if position is not None else Decimal(0)
        if self.presses:
            return self._press(held)
        if abs(held) >= POSITION_AIM:
            return OrderSide.SELL if held > 0 else OrderSide.BUY
        return self._entropy.choice((OrderSide.BUY, OrderSide.SELL))

    def _press(self, held: Decimal) -> OrderSide:
        is_there = (held if self._pressed.is_buy else -held) >= POSITION_AIM
        if is_there or self.acts - self._pressed_since >= PRESSING_ACTS:
            self._pressed = OrderSide.SELL if self._pressed.is_buy else OrderSide.BUY
            self._pressed_since = self.acts
        return self._pressed

    def _amount(self) -> Decimal:
        return LOT * (self._entropy.randint(20, 150) if self.presses else self._entropy.randint(1, 60))

    def _touch(self, side: OrderSide) -> Decimal:
        book = self.cache.bookl1(self.symbol)
        assert book is not None
        return Decimal(str(book.bid if side.is_buy else book.ask))

    def _open(self) -> list[Order]:
        orders = (self.cache.get_order(oid) for oid in sorted(self.cache.get_open_orders(self.symbol)))
        return [order for order in orders if order is not None]

    def _create(self) -> Callable[..., str]:
        return self.create_order_ws if self._entropy.random() < 0.7 else self.create_order

    def _rest(self) -> None:
        if self.presses and self._entropy.random() < PRESSING_CROSSES:
            self._cross()
            return
        if len(self._open()) >= OPEN_ORDERS_MAX:
            self._cancel()
            return
        side = self._side()
        away = FAR * Decimal(str(round(self._entropy.random(), 4)))
        price = self._touch(side) * (1 - away if side.is_buy else 1 + away)
        self._keys += 1
        self._create()(
            self.symbol,
            side,
            self._entropy.choice((OrderType.LIMIT, OrderType.POST_ONLY)),
            self._amount(),
            price,
            idempotency_key=f"rest-{self.clock.timestamp_ms()}-{self._keys}",
        )

    def _cross(self) -> None:
        side = self._side()
        price = self._touch(side) * (Decimal("1.001") if side.is_buy else Decimal("0.999"))
        self._create()(self.symbol, side, OrderType.LIMIT, self._amount(), price)

    def _at_once(self) -> None:
        side = self._side()
        if self._entropy.random() < 0.4:
            self._create()(self.symbol, side, OrderType.MARKET, self._amount())
            return
        within = Decimal("1.0005") if side.is_buy else Decimal("0.9995")
        price = self._touch(side) * self._entropy.choice((Decimal(1), within))
        self._create()(
            self.symbol,
            side,
            OrderType.LIMIT,
            self._amount(),
            price,
            time_in_force=self._entropy.choice((TimeInForce.IOC, TimeInForce.FOK)),
        )

    def _cancel(self) -> None:
        open_orders = self._open()
        if open_orders:
            order = self._entropy.choice(open_orders)
            cancel = self.cancel_order_ws if self._entropy.random() < 0.7 else self.cancel_order
            cancel(self.symbol, str(order.oid))

    def _modify(self) -> None:
        resting = [o for o in self._open() if o.price is not None and o.side is not None]
        if resting:
            order = self._entropy.choice(resting)
            assert order.side is not None
            away = FAR * Decimal(str(round(self._entropy.random(), 4)))
            price = self._touch(order.side) * (1 - away if order.side.is_buy else 1 + away)
            draw = self._entropy.random()
            amount = (order.filled or Decimal(0)) + self._amount() if draw < 0.4 else None
            self.modify_order(self.symbol, order.oid, order.side, price=price, amount=amount)

    def _repeat_key(self) -> None:
        """The same decision twice: one order."""
        side, amount = self._side(), self._amount()
        price = self._touch(side) * (Decimal("0.999") if side.is_buy else Decimal("1.001"))
        self._keys += 1
        key = f"twice-{self.clock.timestamp_ms()}-{self._keys}"
        for create in (self.create_order_ws, self.create_order):
            create(self.symbol, side, OrderType.LIMIT, amount, price, idempotency_key=key)

    def _batch(self) -> None:
        """Orders that rest, cross, or are too far away for the venue, together."""
        side = self._side()
        orders = [
            BatchOrder(
                symbol=self.symbol,
                side=side,
                type=OrderType.LIMIT,
                amount=self._amount(),
                price=self._touch(side) * Decimal(factor if side.is_buy else 2 - Decimal(factor)),
            )
            for factor in [self._entropy.choice(("0.995", "0.999", "1.001", "0.2")) for _ in range(3)]
        ]
        self.create_batch_orders(orders)

    def _cancel_all(self) -> None:
        self.cancel_all_orders(self.symbol)

    def wind_down(self) -> None:
        """No new decision; half of what is open is cancelled, the rest has to be known as open."""
        self.is_trading = False
        for order in self._open()[::2]:
            self.cancel_order_ws(self.symbol, str(order.oid))
