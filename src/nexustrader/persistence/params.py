"""A strategy's parameters: values by name that outlive the process, with their types.

JSON with tags for what JSON lacks: Decimal stays Decimal, a tuple a tuple, a datetime a datetime.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from nexustrader.error import JournalError
from nexustrader.kernel.secret import Secret

VALUE_SIZE_MAX = 1 << 20  # characters of one encoded value

Save = Callable[[str, str | None], None]


def encode_value(value: object) -> str:
    """JSON text of `value`. Raises TypeError for what cannot be given back with its type."""
    return json.dumps(_tagged(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def decode_value(text: str) -> Any:
    """The value that `encode_value` was given. Raises ValueError or KeyError for other text."""
    return json.loads(text, object_hook=_untagged)


class Params:
    """Values by name, in memory and, through `save(name, text or None)`, wherever they are kept.

    `get` returns the very object that was set. A list or dict that is changed in place is saved by `flush`,
    which also saves what could not be saved before.
    """

    def __init__(self, saved: Mapping[str, str] | None = None, save: Save | None = None) -> None:
        self._saved: dict[str, str] = dict(saved or {})
        self._save = save
        self._values: dict[str, Any] = {}
        for name, text in self._saved.items():
            try:
                self._values[name] = decode_value(text)
            except (ValueError, KeyError, TypeError, ArithmeticError) as exc:
                raise JournalError(
                    f"parameter {name!r} cannot be read: {exc}; delete its row in the params table"
                ) from exc

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or `default` when there is none."""
        return self._values.get(name, default)

    def set(self, name: str, value: object) -> None:
        """Keeps and saves `value`.

        Raises TypeError for None and for types that cannot be given back, ValueError for more than a
        megabyte: then nothing changes. Raises JournalError when it is kept but cannot be saved now; `flush`
        tries again.
        """
        if value is None:
            raise TypeError(f"parameter {name!r} cannot be None; use clear to remove it")
        text = self._encode(name, value)
        self._values[name] = value
        self._write(name, text)

    def clear(self, name: str | None = None) -> None:
        """Removes one value, or all. An unknown name is no error."""
        for gone in list(self._values) if name is None else [name]:
            self._values.pop(gone, None)
        self._delete_unwanted()

    def all(self) -> dict[str, Any]:
        """All values by name: a new dict of the same objects."""
        return dict(self._values)

    def flush(self) -> None:
        """Saves every value that differs from what is saved.

        Raises JournalError, and TypeError or ValueError as `set` does, after it has saved all that can be
        saved.
        """
        self._delete_unwanted()
        refusal: TypeError | ValueError | None = None
        for name, value in self._values.items():
            try:
                text = self._encode(name, value)
            except (TypeError, ValueError) as exc:
                refusal = exc
                continue
            if self._saved.get(name) != text:
                self._write(name, text)
        if refusal is not None:
            raise refusal

    def _encode(self, name: str, value: object) -> str:
        try:
            text = encode_value(value)
        except (TypeError, ValueError, RecursionError) as exc:
            raise TypeError(f"parameter {name!r} cannot be kept: {exc}") from exc
        if len(text) > VALUE_SIZE_MAX:
            raise ValueError(
                f"parameter {name!r} takes {len(text):,} characters; at most {VALUE_SIZE_MAX:,} are kept"
            )
        return text

    def _write(self, name: str, text: str) -> None:
        if self._save is not None:
            self._save(name, text)
        self._saved[name] = text

    def _delete_unwanted(self) -> None:
        for name in self._saved.keys() - self._values.keys():
            if self._save is not None:
                self._save(name, None)
            del self._saved[name]


# -- tags: an object with one key that begins with "$" -----------------------------------------------------


def _tagged(value: object) -> object:
    if isinstance(value, Secret):
        raise TypeError("a secret is not kept in a parameter; read it from the settings where it is used")
    if value is None or isinstance(value, str | int):
        return value  # bool is an int; members of str enums become plain text
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    if isinstance(value, tuple):
        return {"$tuple": [_tagged(item) for item in value]}
    if isinstance(value, set | frozenset):
        return {"$set": [_tagged(item) for item in sorted(value, key=repr)]}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value) and not any(key.startswith("$") for key in value):
            return {key: _tagged(item) for key, item in value.items()}
        return {"$dict": [[_tagged(key), _tagged(item)] for key, item in value.items()]}
    raise TypeError(
        f"{type(value).__name__} is none of str, int, float, bool, Decimal, datetime, list, tuple, set, dict"
    )


_UNTAG: Mapping[str, Callable[[Any], object]] = {
    "$float": float,
    "$decimal": Decimal,
    "$datetime": datetime.fromisoformat,
    "$tuple": tuple,
    "$set": set,
    "$dict": dict,
}


def _untagged(found: dict[str, Any]) -> object:
    if len(found) == 1:
        ((key, item),) = found.items()
        if key.startswith("$"):
            return _UNTAG[key](item)
    return found
