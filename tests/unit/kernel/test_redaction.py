"""Secrets are taken out of text, by value and by name."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nexustrader.kernel.redaction import MASK, redact, register
from workspace import fresh_redaction  # noqa: F401 - a fixture

VALUE = 'Canary/4711+x=&"y\\z'


@pytest.fixture(autouse=True)
def registered(fresh_redaction: None) -> None:  # noqa: F811 - the fixture of that name
    register(VALUE)


@pytest.mark.parametrize(
    "text",
    [
        VALUE,
        quote(VALUE),
        quote(VALUE, safe=""),
        urlencode({"k": VALUE}),
        json.dumps({"k": VALUE}),
        repr([VALUE]),
        "Basic " + base64.b64encode(VALUE.encode()).decode(),
        f"before{VALUE}after",
    ],
)
def test_a_registered_value_is_masked_in_the_forms_in_which_it_travels(text: str) -> None:
    shown = redact(text)
    assert MASK in shown
    assert "anary" not in shown
    assert base64.b64encode(VALUE.encode()).decode()[:-4] not in shown


@given(st.text(min_size=8), st.text(), st.text())
def test_no_text_keeps_a_registered_value(value: str, before: str, after: str) -> None:
    assume(value not in MASK)
    register(value)
    assert value not in redact(before + value + after).replace(MASK, "")


def test_a_key_in_pem_form_is_masked_line_by_line() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nCANARYLINE0123456789ab\nCANARYLINE9876543210cd\n-----END PRIVATE KEY-----"
    register(pem)
    assert "CANARY" not in redact(pem)
    assert "CANARY" not in redact(pem.replace("\n", "\\n"))
    assert "CANARY" not in redact("  CANARYLINE9876543210cd")


def test_a_pem_key_that_nobody_registered_is_masked() -> None:
    assert "xyz" not in redact("-----BEGIN RSA PRIVATE KEY-----\nxyz\n-----END RSA PRIVATE KEY----- rest")
    assert "xyz" not in redact("-----BEGIN PRIVATE KEY-----\nxyz (cut off)")
    assert redact("-----BEGIN PRIVATE KEY-----\nxyz\n-----END PRIVATE KEY----- rest").endswith(" rest")


def test_short_values_are_masked_where_they_stand_alone() -> None:
    register("wordy")
    assert redact("wordy wordyness (wordy)") == f"{MASK} wordyness ({MASK})"


def test_very_short_values_are_left_or_no_log_would_be_readable() -> None:
    register("is")
    assert redact("this is") == "this is"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("?symbol=X&signature=abc123&x=1", "?symbol=X&signature=***&x=1"),
        ("X-MBX-APIKEY: abc", "X-MBX-APIKEY: ***"),
        ("{'X-MBX-APIKEY': 'abc', 'a': 1}", "{'X-MBX-APIKEY': '***', 'a': 1}"),
        ("b'X-MBX-APIKEY': b'abc'", "b'X-MBX-APIKEY': b'***'"),
        ("('X-MBX-APIKEY', 'abc')", "('X-MBX-APIKEY', '***')"),
        ('{"apiKey":"abc","x":1}', '{"apiKey":"***","x":1}'),
        (r'"{\"apiKey\": \"abc\"}"', r'"{\"apiKey\": \"***\"}"'),
        ("listenKey=abc", "listenKey=***"),
        ('{"listenKey":"abc"}', '{"listenKey":"***"}'),
        ("wss://host/ws/" + "aB3" * 21, "wss://host/ws/***"),
        ("wss://host/stream?streams=" + "aB3" * 21, "wss://host/stream?streams=***"),
        (
            "api_key='abc', secret='def', passphrase=\"ghi\"",
            "api_key='***', secret='***', passphrase=\"***\"",
        ),
        ("OK-ACCESS-SIGN: abc= OK-ACCESS-PASSPHRASE: def", "OK-ACCESS-SIGN: *** OK-ACCESS-PASSPHRASE: ***"),
        ("X-BAPI-API-KEY: abc, X-BAPI-SIGN: def", "X-BAPI-API-KEY: ***, X-BAPI-SIGN: ***"),
        ('{"args":[{"sign":"abc"}]}', '{"args":[{"sign":"***"}]}'),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ('secret = "abc"', 'secret = "***"'),
    ],
)
def test_values_under_secret_names_are_masked_though_nobody_registered_them(text: str, shown: str) -> None:
    assert redact(text) == shown.replace("***", MASK)
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "order BTCUSDT accepted oid=1700000000000000001 price=1.5",
        "no longer secret: renew it",
        "secret= given directly",
        "BasicConfig(api_key=None, secret=None)",
        "wss://host/stream?streams=btcusdt@trade/ethusdt@depth20@100ms",
        "design=modern, 5 tokens left",
        "apiKey and signature are needed",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text
