from __future__ import annotations

import math
from datetime import UTC
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.error import JournalError
from nexustrader.kernel.secret import Secret
from nexustrader.persistence import params as params_module
from nexustrader.persistence.params import Params, decode_value, encode_value

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["$decimal", "$", "$dict"]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    text,
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False),
    st.datetimes(timezones=st.none() | st.just(UTC)).map(lambda when: when.replace(fold=0)),
)
hashables = st.one_of(st.integers(), text, st.decimals(allow_nan=False, allow_infinity=False))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(text, inner, max_size=3),
        st.dictionaries(hashables, inner, max_size=3),
        st.sets(hashables, max_size=3),
    ),
    max_leaves=8,
)


class Store:
    """Where parameters are kept; can refuse."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.writes = 0
        self.is_full = False

    def save(self, name: str, text: str | None) -> None:
        if self.is_full:
            raise JournalError("the disk is full")
        self.writes += 1
        if text is None:
            del self.texts[name]
        else:
            self.texts[name] = text


def shape(value: Any) -> object:
    """What makes two values the same: type and digits; equality alone takes 1 for True and for 1.0."""
    if isinstance(value, list | tuple):
        return type(value), [shape(item) for item in value]
    if isinstance(value, set):
        return set, sorted(map(repr, value))
    if isinstance(value, dict):
        return dict, [(shape(key), shape(item)) for key, item in value.items()]
    return type(value), repr(value)


@given(value=values)
def test_every_value_comes_back_with_its_type(value: Any) -> None:
    assert shape(decode_value(encode_value(value))) == shape(value)


def test_decimal_keeps_its_digits_and_float_its_kind() -> None:
    back = decode_value(encode_value({"price": Decimal("1.500"), "size": 2.0, "n": 2}))
    assert repr(back) == "{'price': Decimal('1.500'), 'size': 2.0, 'n': 2}"


def test_not_a_number_comes_back() -> None:
    assert math.isnan(decode_value(encode_value(math.nan)))


def test_member_of_a_text_enum_is_kept_as_its_text() -> None:
    class Side(str, Enum):
        BUY = "BUY"

    assert decode_value(encode_value([Side.BUY])) == ["BUY"]


@pytest.mark.parametrize("value", [object(), b"bytes", {"nested": [1j]}, lambda: None])
def test_value_of_another_type_is_refused_by_name(value: object) -> None:
    params = Params()
    with pytest.raises(TypeError, match=r"parameter 'x' cannot be kept: .* is none of str, int"):
        params.set("x", value)
    assert params.get("x") is None


def test_secret_is_refused_without_telling_it() -> None:
    with pytest.raises(TypeError, match="a secret is not kept") as caught:
        Params().set("x", {"key": [Secret("CANARY-VALUE")]})
    assert "CANARY" not in str(caught.value)


def test_circular_value_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(TypeError, match="parameter 'x' cannot be kept"):
        Params().set("x", circle)


def test_none_is_refused_and_oversized_values_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(params_module, "VALUE_SIZE_MAX", 10)
    params = Params()
    with pytest.raises(TypeError, match="cannot be None; use clear"):
        params.set("x", None)
    with pytest.raises(ValueError, match="takes 12 characters; at most 10"):
        params.set("x", "0123456789")
    assert params.all() == {}


def test_set_get_clear() -> None:
    store = Store()
    params = Params(save=store.save)
    params.set("a", 1)
    params.set("b", Decimal("0.1"))
    assert params.get("a") == 1
    assert params.get("c") is None
    assert params.get("c", 7) == 7
    assert params.all() == {"a": 1, "b": Decimal("0.1")}
    params.clear("a")
    params.clear("unknown")
    assert params.get("a") is None
    params.clear()
    assert params.all() == store.texts == {}


def test_saved_values_are_there_after_a_restart() -> None:
    store = Store()
    Params(save=store.save).set("levels", (Decimal("1.0"), 2))
    assert Params(store.texts, store.save).get("levels") == (Decimal("1.0"), 2)


def test_value_changed_in_place_is_saved_by_flush_and_only_then_written() -> None:
    store = Store()
    params = Params(save=store.save)
    params.set("symbols", ["BTC"])
    params.set("other", 1)
    params.get("symbols").append("ETH")
    params.flush()
    params.flush()
    assert store.writes == 3
    assert decode_value(store.texts["symbols"]) == ["BTC", "ETH"]


def test_value_that_cannot_be_saved_is_kept_and_saved_later() -> None:
    store = Store()
    params = Params(save=store.save)
    params.set("old", 1)
    store.is_full = True
    with pytest.raises(JournalError, match="disk is full"):
        params.set("new", 2)
    with pytest.raises(JournalError, match="disk is full"):
        params.clear("old")
    with pytest.raises(JournalError, match="disk is full"):
        params.flush()
    assert params.all() == {"new": 2}
    store.is_full = False
    params.flush()
    assert store.texts == {"new": "2"}


def test_value_spoilt_in_place_does_not_keep_others_from_being_saved() -> None:
    store = Store()
    params = Params(save=store.save)
    params.set("bad", [1])
    params.set("good", [1])
    params.get("bad").append(object())
    params.get("good").append(2)
    with pytest.raises(TypeError, match="'bad'"):
        params.flush()
    assert store.texts == {"bad": "[1]", "good": "[1,2]"}


@pytest.mark.parametrize(
    "text", ["{", '{"$unknown":1}', '{"$decimal":"x"}', '{"$datetime":5}', '{"$dict":[1]}']
)
def test_unreadable_saved_value_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(JournalError, match="parameter 'levels' cannot be read"):
        Params({"levels": text})


def test_table_of_an_earlier_program_is_read() -> None:
    assert Params({"a": "1.5", "b": '"0.1"', "c": '{"x": [1]}'}).all() == {
        "a": 1.5,
        "b": "0.1",
        "c": {"x": [1]},
    }
