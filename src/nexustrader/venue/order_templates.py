"""Signed JSON frames from templates: of orders of one kind only a few values change, and the path of orders is short.

The frame is `{"id", "method", "params"}`, and its signature covers the parameters sorted by name.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

import msgspec

from nexustrader.venue.spec import Signer

TEMPLATES_MAX = 10_000


class SignedTemplate(NamedTuple):
    """A frame of one kind, with places for what changes. %-formats by name."""

    payload: str  # what is signed
    frame: str

    def fill(self, values: dict[str, str | int], signer: Signer) -> bytes:
        """The frame with these values (`id` among them) and the signature."""
        values["signature"] = signer.sign((self.payload % values).encode())
        return (self.frame % values).encode()


def signed_template(method: str, params: Mapping[str, str | int], changing: frozenset[str]) -> SignedTemplate:
    """Put places where the changing values of an example stand: numbers stay numbers, text stays text."""
    payload = "&".join(
        f"{name}=%({name})s" if name in changing else f"{name}={_literal(str(params[name]))}"
        for name in sorted(params)
    )
    fields = ",".join(
        f'"{name}":{_place(name, value) if name in changing else _literal(msgspec.json.encode(value).decode())}'
        for name, value in params.items()
    )
    frame = f'{{"id":"%(id)s","method":"{method}","params":{{{fields},"signature":"%(signature)s"}}}}'
    return SignedTemplate(payload, frame)


def _place(name: str, value: str | int) -> str:
    return f'"%({name})s"' if isinstance(value, str) else f"%({name})d"


def _literal(text: str) -> str:
    return text.replace("%", "%%")


class Templates:
    """Templates by kind, made when first needed."""

    def __init__(self) -> None:
        self._made: dict[Hashable, SignedTemplate] = {}

    def get(self, kind: Hashable, make: Callable[[], SignedTemplate]) -> SignedTemplate:
        """The template of a kind; whatever `make` raises leaves nothing behind."""
        template = self._made.get(kind)
        if template is None:
            template = make()
            if len(self._made) >= TEMPLATES_MAX:
                self._made.clear()
            self._made[kind] = template
        return template
