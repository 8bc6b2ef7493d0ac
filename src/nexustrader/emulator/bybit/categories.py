"""The venue's categories, and the numbers by which it calls other things."""

from __future__ import annotations

SPOT = "spot"
LINEAR = "linear"
INVERSE = "inverse"
OPTION = "option"
CATEGORIES = (SPOT, LINEAR, INVERSE, OPTION)
FUTURES = (LINEAR, INVERSE)

MINUTE_MS = 60_000
DAY_MS = 86_400_000
INTERVALS_MS = {
    **{str(minutes): minutes * MINUTE_MS for minutes in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)},
    "D": DAY_MS,
    "W": 7 * DAY_MS,
    "M": 30 * DAY_MS,  # a month counts 30 days here
}

# positionIdx of a side of a position: one way, and the two of hedge mode.
POSITION_SIDES = {0: "BOTH", 1: "LONG", 2: "SHORT"}
POSITION_INDEXES = {side: index for index, side in POSITION_SIDES.items()}
