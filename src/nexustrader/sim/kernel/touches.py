"""Best bids and asks that a recorded book had, at native speed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nexustrader.data.depth import BID, DepthRows
from nexustrader.sim.kernel import columns, entries
from nexustrader.sim.kernel.columns import Events
from nexustrader.sim.kernel.state import KernelState

DIGITS = 15  # of a price: as many as a float keeps

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class TouchReader:
    """Reads one update after the other. Prices are told apart by 15 digits of the largest one of the first rows."""

    def __init__(self) -> None:
        self._state = KernelState()
        self._scale: float | None = None

    def read(self, run: DepthRows) -> tuple[Floats, Floats]:
        """Best bid and ask after every update of a run; 0 where a side is empty."""
        if self._scale is None:
            self._scale = 10.0 ** (DIGITS - math.ceil(math.log10(float(run.price.max()))))
        if run.is_snapshot[-1]:
            empty = np.zeros((0, 3), np.int64)
            self._state.replace_levels(0, empty)
            self._state.replace_levels(1, empty)
        rows = np.zeros(run.length, columns.EVENT)
        rows["kind"] = np.where(run.side == BID, columns.BID, columns.ASK)
        rows["price"] = np.rint(run.price * self._scale)
        rows["lots"] = run.size > 0
        found = self._play(Events(rows))[run.is_last]
        return found[:, 0] / self._scale, found[:, 1] / self._scale

    def _play(self, events: Events) -> Ints:
        state, number = self._state, 0
        out: Any = np.zeros((events.count, 2), np.int64)
        while number < events.count:
            number = entries.touches(state.cells, events.cells, number, events.count, out)
            if number < events.count:
                state.reserve_levels(1)
        return np.asarray(out)
