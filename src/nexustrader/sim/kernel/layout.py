"""Where everything is in the native state of one symbol: one array of int64 cells.

A compiled function gets the whole state as one argument, because each further array costs a call from Python 0.1 us.
The array begins with registers; then come tables, whose places the registers tell. A row is known by the cell at
which it begins, and a field is an offset from there: `m[order + FILLED]`.

Sides are 0 (bids) and 1 (asks), and prices are ranks, as in `sim.ladder`: side × price, the higher the better.
"""

from __future__ import annotations

from typing import Protocol


class Cells(Protocol):
    """The state, as compiled code sees it."""

    def __getitem__(self, place: int, /) -> int: ...
    def __setitem__(self, place: int, value: int, /) -> None: ...


NOWHERE = -(1 << 61)  # the best rank of an empty side: crosses nothing
EVERYWHERE = 1 << 62  # the rank of a market order: crosses everything
PRICE_MAX = LOTS_MAX = 1 << 60

# -- registers; those of two cells hold one value a side --------------------------------------------------------

TOP_ONLY = 0  # 1: the feed shows the touch alone
QUEUE_POWER = 1  # 0: the pessimistic queue model; else the power of the probabilistic one
CLIPS = 2  # 1: a reduce-only order larger than the position is clipped, 0: refused
REJECTS_FOK = 3
NEXT_TRADE_ID = 4
NEXT_ARRIVAL = 5
USER_LOTS = 6  # traded by users, a side
MARKET_LOTS = 8  # traded by the market, a side
LEVELS = 10  # table of external levels, a side
LEVEL_COUNT = 12
LEVELS_MAX = 14
QUEUE = 16  # table of slots of resting orders, a side
QUEUE_COUNT = 18
BEST_USER = 20  # rank of the best resting order, a side
ORDERS = 22  # table of orders, by slot
ORDERS_MAX = 23
FREE = 24  # table of free slots
FREE_COUNT = 25
REDUCING = 26  # how many resting orders are reduce-only
KEYS = 27  # table of positions
KEYS_MAX = 28
HAS_MOVED = 29  # 1: the running call changed a position
PLAN = 30  # table of what a taker would do
PLAN_COUNT = 31
PLAN_LOTS = 32
PLAN_STOPPED = 33  # 1: the taker met its own account's order and ends
OUT = 34  # table of reports
OUT_COUNT = 35
WHY = 36  # why a play stopped
WATCHES = (
    37  # a play stops where the touch is another one (TOUCH_WATCHED), or its middle out of bounds (GUARDED)
)
TOUCH = 38  # the touch as the watcher knows it, a side: rank and lots
GUARD = 42  # bounds of bid + ask, in ticks: at them or outside of them
REGISTERS = 64

# -- an external level; worst first, so that what happens at the touch happens at the end --------------------------

RANK = 0  # also an order's
TOLD = 1
TAKEN = 2
LEVEL_CELLS = 3

# -- an order. In the queue of a side: worst rank first, latest first within a rank ---------------------------------

LOTS = 1
FILLED = 2
AHEAD = 3
SEEN = 4  # what the level held when the queue was last looked at
PASSED = 5  # what traded at the level since
SIDE = 6  # +1 or -1
ARRIVAL = 7
ACCOUNT = 8
KEY = 9  # its position's slot
REDUCE_ONLY = 10
POST_ONLY = 11
SELF_TRADE = 12
TIF = 13
ID = 14
ORDER_CELLS = 16

# -- a position ----------------------------------------------------------------------------------------------

HELD = 0
MOVED = 1  # by the running call
PLANNED = 2  # by the plan that is being made
TOUCHED = 3  # 1: the running call traded it, whatever came of it
KEY_CELLS = 4

# -- a step of a plan: LOTS 0 drops the maker for a reason ---------------------------------------------------

STEP_RANK = 0
STEP_MAKER = 1  # slot, or MARKET
STEP_LOTS = 2
STEP_REASON = 3
STEP_CELLS = 4
MARKET = -1

# -- a report, with the order as it was right after ----------------------------------------------------------

OUT_KIND = 0
OUT_ID = 1
OUT_PRICE = 2
OUT_LOTS = 3
OUT_IS_MAKER = 4
OUT_TRADE_ID = 5
OUT_OTHER = 6  # account of the other side, or MARKET
OUT_REASON = 7
OUT_ORDER_RANK = 8
OUT_ORDER_LOTS = 9
OUT_ORDER_FILLED = 10
OUT_ORDER_AHEAD = 11
OUT_ORDER_SEEN = 12
OUT_ORDER_PASSED = 13
OUT_CELLS = 16

# -- what the numbers stand for ------------------------------------------------------------------------------

KIND_ACCEPTED, KIND_TRADED, KIND_CANCELED, KIND_EXPIRED, KIND_REJECTED, KIND_AMENDED = range(6)
REASONS = (
    "", "USER", "AMEND", "POST_ONLY", "LIQUIDATION", "IOC", "FOK", "STP", "REDUCE_ONLY", "NO_LIQUIDITY",
)  # fmt: skip
(
    NO_REASON, BY_USER, BY_AMENDMENT, WOULD_TAKE, BY_LIQUIDATION, IS_IOC, IS_FOK, OWN_ORDER, IS_IDLE, NO_LIQUIDITY,
) = range(len(REASONS))  # fmt: skip
TIFS = ("GTC", "IOC", "FOK")
GTC, IOC, FOK = range(3)
SELF_TRADES = ("NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH")
ALLOWED, EXPIRE_MAKER, EXPIRE_TAKER, EXPIRE_BOTH = range(4)
GUARDED, TOUCH_WATCHED = 1, 2
AT_END, AT_TIME, AT_HEARD, AT_CHANGE, AT_FULL, AT_WATCHED = range(6)
