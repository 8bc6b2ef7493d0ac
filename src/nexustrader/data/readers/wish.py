"""What is wanted of a file, and which of its symbols that is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from nexustrader.data.kinds import Kind
from nexustrader.error import DataError

SYMBOLS_SHOWN_MAX = 5


class Wish(NamedTuple):
    """`symbol` is ours, `venue_symbol` the file's name for it where it is not a spelling of ours."""

    symbol: str
    kind: Kind | None = None
    venue_symbol: str | None = None
    contract_size: float = 1.0
    is_required: bool = True  # False: a file without the symbol has no rows and is no error

    def is_meant(self, name: str) -> bool:
        """True if the file means the symbol by this name."""
        if self.venue_symbol is not None:
            return name == self.venue_symbol
        return _plain(name) == _plain(self.symbol.partition(".")[0])

    def nothing_found(self, path: Path, seen: Iterable[str]) -> DataError:
        """The error for a file that has other symbols only."""
        names = sorted(set(seen))
        shown = ", ".join(names[:SYMBOLS_SHOWN_MAX]) + (", …" if len(names) > SYMBOLS_SHOWN_MAX else "")
        return DataError(
            f"{path.name} is of {shown}, not of {self.venue_symbol or self.symbol}; give the symbol that "
            "it is of, or say with --venue-symbol what the file calls it"
        )


def _plain(name: str) -> str:
    """One spelling of BTC-USDT-SWAP, BTCUSDT-PERP and BTCUSD_PERP: without marks, and without what a swap is called."""
    return re.sub(r"[^A-Z0-9]|SWAP$|PERP$", "", name.upper())
