"""Signatures: the vectors, what is signed, and a logon that both private sockets can read."""

from __future__ import annotations

import msgspec
import pytest

from nexustrader.error import CredentialsError
from nexustrader.exchange.bybit import VENUE
from nexustrader.venue.spec import Request, Security

QUERY = (("category", "linear"), ("symbol", "BTCUSDT"), ("limit", "50"))
BODY = (
    b'{"category":"linear","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"0.01",'
    b'"price":"30000","timeInForce":"PostOnly","orderLinkId":"t-1"}'
)


def test_a_query_is_signed_as_it_is_sent(signer):
    request = Request("GET", "/v5/order/realtime", QUERY, Security.SIGNED)
    target, headers, body = VENUE.sign_request(request, signer, 1700000000000)
    assert target == "/v5/order/realtime?category=linear&symbol=BTCUSDT&limit=50"
    assert headers == {
        "X-BAPI-API-KEY": "TESTKEY0000000001",
        "X-BAPI-TIMESTAMP": "1700000000000",
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": "9fc4e1932e8dfe7726a7a7cd65ed680bb853a7ea46caf96debaa6bd25abdad94",
    }
    assert body == b""


def test_a_body_is_signed_as_it_is_sent(signer):
    request = Request("POST", "/v5/order/create", (), Security.SIGNED, body=BODY)
    target, headers, body = VENUE.sign_request(request, signer, 1700000000001)
    assert (target, body) == ("/v5/order/create", BODY)
    assert headers["X-BAPI-SIGN"] == "500f1d2143c68ac9c9c3584fc51ad075c6b86465dd90dbad78e198c452c15349"
    assert headers["Content-Type"] == "application/json"


def test_a_request_without_parameters_is_signed(signer):
    request = Request("GET", "/v5/account/info", (), Security.SIGNED)
    target, headers, _ = VENUE.sign_request(request, signer, 1700000000002)
    assert target == "/v5/account/info"
    assert headers["X-BAPI-SIGN"] == "657e44c26f9894412b99eedcd5bc21d0c9ce0e745185b00236f9c317589f84fb"


def test_the_logon_is_signed_and_names_its_id_in_both_spellings(signer):
    frame = msgspec.json.decode(VENUE.logon_frame("u1", signer, 1700000005000 - 10_000))
    assert frame == {
        "req_id": "u1",
        "reqId": "u1",
        "op": "auth",
        "args": [
            "TESTKEY0000000001",
            1700000005000,
            "1040ae13d0781c0faff98d9f603b41259858cc66c5f357245ddcbe81abaad9d2",
        ],
    }


def test_the_recorded_vectors_are_those_above(testdata, signer):
    """Where the recorded data are at hand, all of its vectors hold."""
    vectors = msgspec.json.decode((testdata / "wire/bybit/samples/signing_vectors.json").read_bytes())
    assert [signer.sign(case["prehash"].encode()) for case in vectors["vectors"]] == [
        case.get("headers", {}).get("X-BAPI-SIGN") or case["frame"]["args"][2] for case in vectors["vectors"]
    ]


def test_a_cursor_goes_back_as_it_came(signer):
    request = Request("GET", "/v5/execution/list", (("cursor", "1%3A2%2C3&x"),), Security.SIGNED)
    assert VENUE.sign_request(request, signer, 1)[0] == "/v5/execution/list?cursor=1%3A2%2C3%26x"


def test_a_public_request_needs_no_key_and_a_private_one_does():
    assert VENUE.sign_request(Request("GET", "/v5/market/time"), None, 1) == ("/v5/market/time", {}, b"")
    with pytest.raises(CredentialsError, match="needs an API key"):
        VENUE.sign_request(Request("GET", "/v5/account/info", (), Security.SIGNED), None, 1)
