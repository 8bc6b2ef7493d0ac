"""Decoding that venues share: readers that raise WireError and nothing else, numbers within sane bounds."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, TypeVar

import msgspec

from nexustrader.error import WireError

T = TypeVar("T")

Px = Annotated[float, msgspec.Meta(ge=0, lt=1e300)]  # the bounds also refuse nan and infinity
Rate = Annotated[str, msgspec.Meta(pattern=r"^(-?\d+(\.\d+)?)?\Z", max_length=40)]  # "" when there is none
Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Ms = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

DECIMAL_EXPONENT_MAX = 40
ERROR_CHARS_MAX = 200


def reader(kind: type[T], what: str, *, lax: bool = False) -> Callable[[bytes | msgspec.Raw], T]:
    """A decoder of `kind` that raises WireError and nothing else. `lax` takes numbers written as strings."""
    decode = msgspec.json.Decoder(kind, strict=not lax).decode

    def read(raw: bytes | msgspec.Raw) -> T:
        try:
            return decode(raw)
        except (ValueError, RecursionError) as error:  # bad UTF-8 and all of msgspec's errors are ValueError
            words = str(error)[:ERROR_CHARS_MAX]
            raise WireError(f"{what} cannot be read: {words}. Nothing is concluded from it") from None

    return read


class Money(msgspec.Struct):
    """Base of structs with Decimals: refuses nan, infinity and absurd exponents."""

    def __post_init__(self) -> None:
        for value in msgspec.structs.astuple(self):
            if type(value) is Decimal and not (
                value.is_finite() and abs(value.adjusted()) <= DECIMAL_EXPONENT_MAX
            ):
                raise ValueError("a number is not finite or not plausible")
