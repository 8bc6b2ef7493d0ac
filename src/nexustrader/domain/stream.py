"""What identifies one market data stream."""

from __future__ import annotations

import msgspec

from nexustrader.constants import DataType


class Stream(msgspec.Struct, frozen=True):
    """`detail` is the kline interval ("1m") or the book depth ("5"), else empty."""

    kind: DataType
    symbol: str
    detail: str = ""
