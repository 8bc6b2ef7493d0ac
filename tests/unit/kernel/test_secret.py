"""A Secret is the plain string to who uses it and a mask to who prints it."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import pickle
from dataclasses import asdict, astuple, dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.kernel.redaction import MASK
from nexustrader.kernel.secret import SCHEMES, Reference, Secret, classify
from workspace import fresh_redaction  # noqa: F401 - a fixture

CANARY = "canary-4711-secret"


@given(st.text())
def test_it_behaves_as_the_plain_string(value: str) -> None:
    secret = Secret(value)
    assert secret == value
    assert value == secret
    assert hash(secret) == hash(value)
    assert len(secret) == len(value)
    assert secret + "x" == value + "x"
    assert f"a{secret}b" == "a" + value + "b"
    assert "{}".format(secret) == "%s" % secret == str(secret) == value  # noqa: UP031, UP032 - each of them
    assert {value: 1}[secret] == 1
    assert isinstance(secret, str)


def test_it_signs_as_the_plain_string() -> None:
    assert hmac.new(Secret(CANARY).encode(), b"x", hashlib.sha256) is not None
    assert Secret(CANARY).encode() == CANARY.encode()
    assert json.dumps({"key": Secret(CANARY)}) == json.dumps({"key": CANARY})


def test_its_repr_and_all_that_is_made_of_reprs_is_masked() -> None:
    secret = Secret(CANARY)
    for text in (
        repr(secret),
        f"{secret!r}",
        f"{secret=}",
        f"{[secret]}",
        str({"k": secret}),
        f"{(secret,)}",
    ):
        assert CANARY not in text
        assert MASK in text


def test_dataclasses_are_masked_when_shown_or_taken_apart() -> None:
    @dataclass
    class Holder:
        key: str

    holder = Holder(Secret(CANARY))
    for shown in (holder, asdict(holder), astuple(holder), json.dumps(asdict(holder))):
        assert CANARY not in f"{shown}"
        assert MASK in f"{shown}"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_cannot_be_pickled(protocol: int) -> None:
    for value in (Secret(CANARY), [Secret(CANARY)]):
        with pytest.raises(TypeError, match="settings_key"):
            pickle.dumps(value, protocol)


def test_a_copy_is_itself_and_a_deep_copy_is_the_mask() -> None:
    secret = Secret(CANARY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"k": secret}) == {"k": MASK}


def test_msgspec_refuses_it() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode(Secret(CANARY))
    assert msgspec.json.encode(str(Secret(CANARY))) == f'"{CANARY}"'.encode()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_references_are_told_from_secrets(scheme: str) -> None:
    found = classify(f"{scheme}:target:more")
    assert isinstance(found, Reference)
    assert (found.scheme, found.target) == (scheme, "target:more")
    assert found == f"{scheme}:target:more"


@pytest.mark.parametrize("text", ["env", "envx:a", "ENV:a", ":env", "https://x", "", "a:env:b"])
def test_other_texts_are_secrets(text: str) -> None:
    assert isinstance(classify(text), Secret)


def test_literal_is_taken_off_once_and_what_is_classified_stays() -> None:
    secret = classify("literal:env:X")
    assert isinstance(secret, Secret)
    assert secret == "env:X"
    assert classify(secret) is secret
    reference = classify("env:X")
    assert classify(reference) is reference
    assert classify("literal:literal:x") == "literal:x"


def test_a_reference_shows_itself_but_of_a_command_only_the_program() -> None:
    assert repr(Reference("env:X")) == "'env:X'"
    assert repr(Reference("cmd:vault -token=canary")) == "'cmd:vault'"
    assert Reference("cmd:").shown == "cmd:"
    assert pickle.loads(pickle.dumps(Reference("env:X"))) == "env:X"
