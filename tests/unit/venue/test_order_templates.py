"""Frames from templates are the frames that would have been built, byte by byte."""

from __future__ import annotations

import json

import pytest

from nexustrader.exchange.binance import VENUE
from nexustrader.venue.order_templates import TEMPLATES_MAX, SignedTemplate, Templates, signed_template

SIGNER = VENUE.make_signer("k", "s", None)
CHANGING = frozenset({"quantity", "timestamp"})


def test_a_template_is_filled_and_signed_over_its_sorted_parameters() -> None:
    params = {"symbol": "100%BTC", "quantity": "1", "timestamp": 5, "apiKey": "k", "window": 5_000}
    template = signed_template("order.place", params, CHANGING)
    frame = json.loads(template.fill({"id": "7", "quantity": "0.25", "timestamp": 99}, SIGNER))
    assert (frame["id"], frame["method"]) == ("7", "order.place")
    signed = "apiKey=k&quantity=0.25&symbol=100%BTC&timestamp=99&window=5000"
    assert frame["params"] == {
        "symbol": "100%BTC", "quantity": "0.25", "timestamp": 99, "apiKey": "k", "window": 5_000,
        "signature": SIGNER.sign(signed.encode()),
    }  # fmt: skip


def test_a_template_is_made_once_for_its_kind_and_not_kept_when_that_fails() -> None:
    templates, made = Templates(), []

    def make() -> SignedTemplate:
        made.append(1)
        if len(made) == 1:
            raise ValueError("not this time")
        return signed_template("m", {"a": "1"}, frozenset({"a"}))

    with pytest.raises(ValueError, match="not this time"):
        templates.get("kind", make)
    assert templates.get("kind", make) is templates.get("kind", make)
    assert len(made) == 2


def test_kinds_without_end_are_forgotten_some_time() -> None:
    templates, made = Templates(), []

    def make() -> SignedTemplate:
        made.append(1)
        return SignedTemplate("", "")

    for kind in range(TEMPLATES_MAX + 1):
        templates.get(kind, make)
    templates.get(TEMPLATES_MAX, make)
    assert len(made) == TEMPLATES_MAX + 1
    templates.get(0, make)
    assert len(made) == TEMPLATES_MAX + 2
