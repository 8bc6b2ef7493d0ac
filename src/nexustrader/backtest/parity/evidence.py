"""What the recorded data lack, where no assumption explains an order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

import numpy as np
from msgspec.structs import replace

from nexustrader.backtest.parity.compare import REFUSED, shown_price, shown_time, status
from nexustrader.backtest.parity.lives import Life
from nexustrader.backtest.parity.tape import Market
from nexustrader.constants import OrderType
from nexustrader.data.bars import Floats
from nexustrader.data.ticks import Quotes, Trades
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.kernel.clock import NS_PER_MS

GAP_MS_MIN = 2_000
GAP_INTERVALS = 20  # a silence so many times as long as is usual is a gap
DEPTH = "(what lies behind the best price is not in them)"
BEYOND = 1  # quotes on either side of an execution in which its price is looked for


def missing(
    market: Market,
    command: ev.Submit,
    instrument: Instrument | None,
    arrived_ms: int,
    recorded: Life,
    simulated: Life,
) -> str | None:
    """What of the data an order would have needed, in a sentence; None when nothing is known to be missing."""
    symbol = command.symbol
    if instrument is None:
        return f"the instrument {symbol} was not recorded"
    ticks = market.ticks(symbol)
    if ticks is None:
        return _of_bars(market, symbol)
    if not len(ticks) or arrived_ms * NS_PER_MS < int(ticks.time_ns[0]):
        return (
            f"the data of {symbol} begin after the order, at {shown_time(int(ticks.time_ns[0]) // NS_PER_MS)}"
        )
    moments = [arrived_ms, *(fill.timestamp for fill in (*recorded.fills, *simulated.fills))]
    gap = _gap(ticks, symbol, moments)
    if gap is not None:
        return gap
    if isinstance(ticks, Quotes) and command.type is OrderType.POST_ONLY and status(recorded) == REFUSED:
        return _of_refusal(ticks, command, arrived_ms)
    trades = market.trades.get(symbol)
    for fill in _at_once(recorded.fills):
        text = _of_fill(ticks, trades, command, instrument, fill)
        if text is not None:
            return text
    return None


def _of_bars(market: Market, symbol: str) -> str:
    if symbol in market.bars:
        return f"of {symbol} only klines were recorded: they do not say what was traded when"
    return f"neither quotes, trades nor klines of {symbol} were recorded"


def _gap(ticks: Quotes | Trades, symbol: str, moments_ms: Iterable[int]) -> str | None:
    """The silence in which one of the moments falls."""
    times = ticks.time_ns
    if len(times) < 2:
        return None
    usual_ns = float(np.median(np.diff(times)))
    most_ns = max(GAP_MS_MIN * NS_PER_MS, GAP_INTERVALS * usual_ns)
    kind = type(ticks).__name__.lower()
    for moment_ms in moments_ms:
        place = int(np.searchsorted(times, moment_ms * NS_PER_MS, side="right"))
        last_ns = int(times[place - 1]) if place else int(times[0])
        if place == len(times):
            if moment_ms * NS_PER_MS - last_ns > most_ns:
                return f"the {kind} of {symbol} end at {shown_time(last_ns // NS_PER_MS)}"
            continue
        silent_ns = int(times[place]) - last_ns
        if silent_ns > most_ns:
            return (
                f"a gap in the {kind} of {symbol}: none from {shown_time(last_ns // NS_PER_MS)} on for "
                f"{silent_ns / 1e9:.1f} s"
            )
    return None


def _of_fill(
    ticks: Quotes | Trades, trades: Trades | None, command: ev.Submit, instrument: Instrument, fill: ev.Fill
) -> str | None:
    """Why the data cannot show what was executed at one moment and price."""
    if isinstance(ticks, Trades):
        return None
    sizes = _sizes(ticks, command, instrument, fill, beyond=0)
    if not len(sizes):
        sizes = _sizes(ticks, command, instrument, fill, beyond=BEYOND)
    shown, when = shown_price(fill.price), shown_time(fill.timestamp)
    if not len(sizes):
        if fill.is_maker:
            return _of_rest(trades, command, fill)
        return f"it was filled at {shown}, a price that the quotes near {when} never showed {DEPTH}"
    largest = float(sizes.max())
    if float(fill.amount) <= largest + float(instrument.lot) / 2:
        return None
    amount = to_plain(fill.amount)
    return f"{amount} was filled at {shown} at {when}, where the quotes showed {largest:.8g} at most {DEPTH}"


def _sizes(
    quotes: Quotes, command: ev.Submit, instrument: Instrument, fill: ev.Fill, *, beyond: int
) -> Floats:
    """What the quotes near an execution showed at its price: for one at rest, at what came to it."""
    is_buy, price, near = command.side.is_buy, float(fill.price), _near(quotes, fill.timestamp, beyond)
    against, sizes = (quotes.ask, quotes.ask_size) if is_buy else (quotes.bid, quotes.bid_size)
    if fill.is_maker:
        met = against[near] <= price if is_buy else against[near] >= price
    else:
        met = np.abs(against[near] - price) < float(instrument.tick) / 2
    found: Floats = sizes[near][met]
    return found


def _near(quotes: Quotes, moment_ms: int, beyond: int) -> slice:
    """The quotes in force within a millisecond, and so many on either side."""
    times = quotes.time_ns
    first = int(np.searchsorted(times, moment_ms * NS_PER_MS, side="left"))
    last = int(np.searchsorted(times, (moment_ms + 1) * NS_PER_MS, side="left"))
    return slice(max(0, first - 1 - beyond), last + beyond)


def _of_refusal(quotes: Quotes, command: ev.Submit, arrived_ms: int) -> str | None:
    """Why a post-only order was refused, where no quote would have been taken."""
    price, near = float(command.price or 0), _near(quotes, arrived_ms, BEYOND)
    taken = quotes.ask[near] <= price if command.side.is_buy else quotes.bid[near] >= price
    if taken.any():
        return None
    return (
        f"it was refused as post-only, and the quotes near {shown_time(arrived_ms)} never showed anybody whom it would "
        "have taken"
    )


def _of_rest(trades: Trades | None, command: ev.Submit, fill: ev.Fill) -> str | None:
    """Why a fill at rest, to whose price no quote came, is in no data."""
    shown, when = shown_price(fill.price), shown_time(fill.timestamp)
    if trades is None:
        return f"it was filled at rest at {when}, the quotes did not come to its price, and no trades were recorded"
    near = trades.between(fill.timestamp - GAP_MS_MIN, fill.timestamp + GAP_MS_MIN)
    price, is_buy = float(fill.price), command.side.is_buy
    met = (near.price <= price if is_buy else near.price >= price) & (near.is_buy != is_buy)
    return (
        None if met.any() else f"it was filled at rest at {shown}, and no trade near {when} came to its price"
    )


def _at_once(fills: Iterable[ev.Fill]) -> Iterator[ev.Fill]:
    """Executions of one moment and price as one."""
    together: dict[tuple[int, Decimal, bool], ev.Fill] = {}
    for fill in fills:
        key = (fill.timestamp, fill.price, fill.is_maker)
        known = together.get(key)
        together[key] = fill if known is None else replace(known, amount=known.amount + fill.amount)
    yield from together.values()
