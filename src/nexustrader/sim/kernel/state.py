"""The native state of one symbol: allocates the cells, grows them, and writes what Python puts in."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from nexustrader.sim.kernel.layout import (
    BEST_USER,
    FREE,
    FREE_COUNT,
    KEY_CELLS,
    KEYS,
    KEYS_MAX,
    LEVEL_CELLS,
    LEVEL_COUNT,
    LEVELS,
    LEVELS_MAX,
    NOWHERE,
    ORDER_CELLS,
    ORDERS,
    ORDERS_MAX,
    OUT,
    OUT_CELLS,
    OUT_COUNT,
    PLAN,
    PLAN_COUNT,
    QUEUE,
    QUEUE_COUNT,
    RANK,
    REGISTERS,
    STEP_CELLS,
    STEP_LOTS,
    STEP_RANK,
    TOLD,
)
from nexustrader.sim.types import Level

LEVELS_FIRST = 256  # room a side, doubled when it is full
ORDERS_FIRST = 32
KEYS_FIRST = 4
CELL_BYTES = 8

_ORDER = struct.Struct(f"={ORDER_CELLS}q")


class KernelState:
    """The cells, as compiled functions take them (`cells`) and as Python reads them fastest (`view`)."""

    __slots__ = ("cells", "view")

    cells: Any  # int64 array; compiled functions know it as layout.Cells
    view: memoryview[int]

    def __init__(self) -> None:
        self._lay_out(LEVELS_FIRST, ORDERS_FIRST, KEYS_FIRST)
        view = self.view
        view[BEST_USER] = view[BEST_USER + 1] = NOWHERE
        self._free_slots(range(ORDERS_FIRST))

    # -- room ---------------------------------------------------------------------------------------------

    def reserve_levels(self, count: int) -> None:
        """Makes room for so many more levels on either side."""
        view = self.view
        needed = max(view[LEVEL_COUNT], view[LEVEL_COUNT + 1]) + count
        if needed > view[LEVELS_MAX]:
            self._grow(max(needed, 2 * view[LEVELS_MAX]), view[ORDERS_MAX], view[KEYS_MAX])

    def reserve_order(self) -> None:
        """Makes room for one more order."""
        view = self.view
        if not view[FREE_COUNT]:
            known = view[ORDERS_MAX]
            self._grow(view[LEVELS_MAX], 2 * known, view[KEYS_MAX])
            self._free_slots(range(known, 2 * known))

    def reserve_key(self, number: int) -> None:
        """Makes room for the position of this number."""
        view = self.view
        if number >= view[KEYS_MAX]:
            self._grow(view[LEVELS_MAX], view[ORDERS_MAX], 2 * view[KEYS_MAX])

    def _free_slots(self, slots: range) -> None:
        for slot in reversed(slots):
            self.view[self.view[FREE] + self.view[FREE_COUNT]] = slot
            self.view[FREE_COUNT] += 1

    def _grow(self, levels_max: int, orders_max: int, keys_max: int) -> None:
        old = self.cells
        self._lay_out(levels_max, orders_max, keys_max)
        new, view = self.cells, self.view
        moved = {
            LEVELS,
            LEVELS + 1,
            LEVELS_MAX,
            QUEUE,
            QUEUE + 1,
            ORDERS,
            ORDERS_MAX,
            FREE,
            KEYS,
            KEYS_MAX,
            PLAN,
            OUT,
        }
        for register in set(range(REGISTERS)) - moved:
            new[register] = old[register]
        for table, length in (
            (LEVELS, view[LEVEL_COUNT] * LEVEL_CELLS),
            (LEVELS + 1, view[LEVEL_COUNT + 1] * LEVEL_CELLS),
            (QUEUE, view[QUEUE_COUNT]),
            (QUEUE + 1, view[QUEUE_COUNT + 1]),
            (ORDERS, int(old[ORDERS_MAX]) * ORDER_CELLS),
            (FREE, view[FREE_COUNT]),
            (KEYS, int(old[KEYS_MAX]) * KEY_CELLS),
            (OUT, view[OUT_COUNT] * OUT_CELLS),
        ):
            new[new[table] : new[table] + length] = old[old[table] : old[table] + length]

    def _lay_out(self, levels_max: int, orders_max: int, keys_max: int) -> None:
        """Cells for so much, all zero but the places of the tables.

        A plan has at most one step for a level and three for an order; a call reports each step twice and each order
        once more.
        """
        steps_max = levels_max + 3 * orders_max + 8
        sizes = {
            LEVELS: levels_max * LEVEL_CELLS,
            LEVELS + 1: levels_max * LEVEL_CELLS,
            QUEUE: orders_max,
            QUEUE + 1: orders_max,
            ORDERS: orders_max * ORDER_CELLS,
            FREE: orders_max,
            KEYS: keys_max * KEY_CELLS,
            PLAN: steps_max * STEP_CELLS,
            OUT: (2 * steps_max + orders_max) * OUT_CELLS,
        }
        self.cells = cells = np.zeros(REGISTERS + sum(sizes.values()), np.int64)
        self.view = cells.data
        place = REGISTERS
        for register, size in sizes.items():
            cells[register] = place
            place += size
        cells[LEVELS_MAX], cells[ORDERS_MAX], cells[KEYS_MAX] = levels_max, orders_max, keys_max

    # -- what Python writes and reads ---------------------------------------------------------------------

    def new_order(self, *fields: int) -> int:
        """Writes an order, in the order of the layout, into a free slot; returns the slot."""
        self.reserve_order()
        view = self.view
        left = view[FREE_COUNT] - 1
        slot = view[view[FREE] + left]
        _ORDER.pack_into(self.cells, self.order_at(slot) * CELL_BYTES, *fields)
        view[FREE_COUNT] = left
        return slot

    def release(self, slot: int) -> None:
        """Gives back the slot of an order that never rested."""
        view = self.view
        view[view[FREE] + view[FREE_COUNT]] = slot
        view[FREE_COUNT] += 1

    def order_at(self, slot: int) -> int:
        """The cell at which the order in a slot begins."""
        return self.view[ORDERS] + slot * ORDER_CELLS

    def set_field(self, table: int, row: int, width: int, field: int, value: int) -> None:
        """Writes one field of a row of a table."""
        self.view[self.view[table] + row * width + field] = value

    def rows(self, table: int, count: int, width: int) -> list[list[int]]:
        """The first rows of a table."""
        place = self.view[table]
        cells = self.view[place : place + count * width].tolist()
        return [cells] if count == 1 else [cells[row : row + width] for row in range(0, len(cells), width)]

    def levels(self, side: int) -> list[list[int]]:
        """[rank, told, taken] of a side's levels, worst first."""
        return self.rows(LEVELS + side, self.view[LEVEL_COUNT + side], LEVEL_CELLS)

    def best(self, side: int) -> Level:
        """Price and lots of a side's best level as told; 0 and 0 where there is none."""
        view = self.view
        count = view[LEVEL_COUNT + side]
        if not count:
            return 0, 0
        level = view[LEVELS + side] + (count - 1) * LEVEL_CELLS
        return abs(view[level + RANK]), view[level + TOLD]

    def told(self, side: int, count: int) -> list[Level]:
        """The best levels of a side as told, best first."""
        view = self.view
        end = view[LEVELS + side] + view[LEVEL_COUNT + side] * LEVEL_CELLS
        begin = end - min(count, view[LEVEL_COUNT + side]) * LEVEL_CELLS
        cells = view[begin:end].tolist()
        levels = zip(cells[RANK::LEVEL_CELLS], cells[TOLD::LEVEL_CELLS], strict=True)
        return [(abs(rank), lots) for rank, lots in levels][::-1]

    def queue(self, side: int) -> list[int]:
        """Slots of a side's resting orders, worst and latest first."""
        place = self.view[QUEUE + side]
        return list(self.view[place : place + self.view[QUEUE_COUNT + side]])

    def reports(self) -> list[list[int]]:
        """What the last call reported."""
        return self.rows(OUT, self.view[OUT_COUNT], OUT_CELLS)

    def planned(self) -> list[tuple[int, int]]:
        """(price, lots) of the steps of the last plan."""
        steps = self.rows(PLAN, self.view[PLAN_COUNT], STEP_CELLS)
        return [(abs(step[STEP_RANK]), step[STEP_LOTS]) for step in steps]

    def replace_levels(self, side: int, levels: npt.NDArray[np.int64]) -> None:
        """Replaces a side's levels by rows of (rank, told, taken), worst first."""
        self.reserve_levels(len(levels))
        place = self.view[LEVELS + side]
        self.cells[place : place + levels.size] = levels.reshape(-1)
        self.view[LEVEL_COUNT + side] = len(levels)
