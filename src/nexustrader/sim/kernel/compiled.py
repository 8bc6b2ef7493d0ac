"""How functions of the kernel are compiled: without the GIL, and the entries from Python kept on disk.

numba looks for changes only in the file of the cached function itself, while an entry contains the code of functions
from other files. So the cache lies in a folder named by the hash of all sources of the kernel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.extending import intrinsic

from nexustrader.sim import queue_power
from nexustrader.sim.kernel.layout import Cells

F = TypeVar("F", bound=Callable[..., object])


def _digest() -> str:
    together = hashlib.blake2b(digest_size=8)
    for source in (*sorted(Path(__file__).parent.glob("*.py")), Path(queue_power.__file__)):
        together.update(source.read_bytes())
    return together.hexdigest()


_FOLDER = f"native-{_digest()}"


def inner(function: F) -> F:
    """Compiles a function that only compiled functions call."""
    return cast("F", numba.njit(nogil=True)(function))


def entry(function: F) -> F:
    """Compiles a function that Python calls, at its first call, and keeps the result on disk.

    It is kept beside the sources, or in NUMBA_CACHE_DIR where that is set, or in the user's cache when that cannot be
    written.
    """
    config: Any = numba.config  # its names are made at run time
    chosen = config.CACHE_DIR
    config.CACHE_DIR = str(Path(chosen or Path(__file__).parent / "__pycache__") / _FOLDER)
    try:
        return cast("F", numba.njit(nogil=True, cache=True)(function))
    finally:
        config.CACHE_DIR = chosen


def _address(_typing: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    types: Any = numba.types
    return types.CPointer(array.dtype)(array), generate


_address_of: Any = intrinsic(_address)


@inner
def raw(cells: Any) -> Cells:
    """The cells of an array that the caller keeps alive, without its reference count.

    Passed on as an array, they would be counted at every call inside, which costs more than most of these calls.
    """
    cells_at: Cells = _address_of(cells)
    return cells_at
