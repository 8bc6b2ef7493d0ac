"""Columns too long to be held: they lie in files without a name, mapped, and what was read of them is given back.

They are ordinary arrays all the same. What has been touched counts as memory of the process until `release`.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

ROWS_HELD_MAX = 1 << 18

Release = Callable[[], None]
Part = Mapping[str, NDArray[Any]]


def keep() -> None:
    """The release of columns that are held."""


class Shelf:
    """Takes rows in parts. `columns` has all of them: in memory up to `rows_held_max` rows, in files beyond.

    Every part has the same columns, of the same types. Raises OSError when there is no room for the files.
    """

    def __init__(self, rows_held_max: int = ROWS_HELD_MAX) -> None:
        self.rows = 0
        self._rows_held_max = rows_held_max
        self._held: list[Part] = []
        self._files: dict[str, IO[bytes]] = {}
        self._maps: list[mmap.mmap] = []

    def add(self, part: Part) -> None:
        """Take the next rows."""
        self._held.append(part)
        self.rows += len(next(iter(part.values())))
        if self._files or self.rows > self._rows_held_max:
            for one in self._held:
                self._write(one)
            self._held = []

    def _write(self, part: Part) -> None:
        for name, column in part.items():
            if name not in self._files:
                self._files[name] = tempfile.TemporaryFile()  # noqa: SIM115 - its mapping outlives this call
            self._files[name].write(column.tobytes())

    def columns(self, types: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """The columns of these names and types. Nothing can be added any more."""
        if not self._files:
            return {
                name: np.concatenate([np.asarray(part[name], dtype=kind) for part in self._held])
                for name, kind in types.items()
            }
        found = {name: self._mapped(self._files[name], kind) for name, kind in types.items()}
        for file in self._files.values():
            file.close()
        return found

    def _mapped(self, file: IO[bytes], kind: Any) -> NDArray[Any]:
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._maps.append(mapped)
        return np.frombuffer(mapped, dtype=kind)

    def release(self) -> None:
        """Give back what has been read: reading it again costs a look into the system's cache."""
        for mapped in self._maps:
            if hasattr(mapped, "madvise"):  # not on Windows, which takes it back by itself
                mapped.madvise(mmap.MADV_DONTNEED)

    def __reduce__(self) -> tuple[type[Shelf], tuple[()]]:
        """A copy in another process holds its columns itself."""
        return Shelf, ()
