"""Signatures, keys and time windows, as documented."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from venue_client import Ed25519Key

from nexustrader.emulator.binance.errors import TOO_FAR_AHEAD, TOO_FAR_BEHIND, ApiError
from nexustrader.emulator.binance.security import (
    check_key_format,
    check_signature,
    check_time,
    rest_params,
    rest_payload,
    ws_payload,
)
from nexustrader.emulator.signatures import PublicKeyVerifier, SecretVerifier, verifier_of

SPOT_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
SPOT_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
FUTURES_SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
FUTURES_PAYLOAD = (
    b"symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
    b"&timestamp=1591702613943"
)
REST_TAIL = (
    b"side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
)

VECTORS = [
    (
        SPOT_SECRET,
        b"symbol=LTCBTC&" + REST_TAIL,
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        SPOT_SECRET,
        b"symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&" + REST_TAIL,
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
    (
        FUTURES_SECRET,
        FUTURES_PAYLOAD,
        "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
    ),
]


@pytest.mark.parametrize(("secret", "payload", "signature"), VECTORS)
def test_documented_rest_signatures_are_accepted_in_either_case(
    secret: str, payload: bytes, signature: str
) -> None:
    verifier = SecretVerifier(secret)
    assert verifier.accepts(payload, signature)
    assert verifier.accepts(payload, signature.upper())
    assert not verifier.accepts(payload + b"0", signature)
    assert not SecretVerifier(secret + "0").accepts(payload, signature)


def test_query_and_body_are_signed_as_one_string_without_a_separator() -> None:
    query = b"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"
    body = b"quantity=1&price=9000&recvWindow=5000&timestamp=1591702613943"
    signature = "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4"
    assert SecretVerifier(FUTURES_SECRET).accepts(
        rest_payload(query, body + f"&signature={signature}".encode()), signature
    )


@pytest.mark.parametrize("query", [b"signature=x&a=1&b=2", b"a=1&signature=x&b=2", b"a=1&b=2&signature=x"])
def test_the_signature_item_is_left_out_wherever_it_stands(query: bytes) -> None:
    assert rest_payload(query, b"") == b"a=1&b=2"


def test_documented_websocket_signature_is_accepted_whatever_the_order_of_parameters() -> None:
    params = {
        "type": "LIMIT",
        "apiKey": SPOT_KEY,
        "symbol": "BTCUSDT",
        "timestamp": "1645423376532",
        "side": "SELL",
        "timeInForce": "GTC",
        "quantity": "0.01000000",
        "price": "52000.00",
        "recvWindow": "100",
        "signature": "left out",
    }
    signature = "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"
    assert SecretVerifier(SPOT_SECRET).accepts(ws_payload(params), signature)


def test_ed25519_signatures_are_over_the_raw_payload_and_exact() -> None:
    key = Ed25519Key()
    verifier = verifier_of(None, key.public_pem, Ed25519PublicKey)
    assert isinstance(verifier, PublicKeyVerifier)
    assert verifier.accepts(b"a=1&timestamp=2", key.sign("a=1&timestamp=2"))
    assert not verifier.accepts(b"a=1&timestamp=3", key.sign("a=1&timestamp=2"))
    assert not verifier.accepts(b"a=1", base64.b64encode(b"short").decode())
    assert not verifier.accepts(b"a=1", "not base64 at all")


def test_a_key_has_exactly_one_kind_of_secret() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        verifier_of(None, None, Ed25519PublicKey)
    with pytest.raises(ValueError, match="exactly one"):
        verifier_of("x", "y", Ed25519PublicKey)


def test_the_query_wins_where_query_and_body_name_the_same_parameter() -> None:
    assert rest_params(b"a=1&b=%2B2", b"a=9&c=3") == {"a": "1", "b": "+2", "c": "3"}


@pytest.mark.parametrize(
    ("offset_ms", "window", "message"),
    [
        (999, None, None),
        (1_000, None, TOO_FAR_AHEAD),
        (-5_000, None, None),
        (-5_001, None, TOO_FAR_BEHIND),
        (-5_001, "60000", None),
        (-100, "99.5", TOO_FAR_BEHIND),
    ],
)
def test_the_time_window_is_open_ahead_and_closed_behind(
    offset_ms: int, window: str | None, message: str | None
) -> None:
    now_ms = 1_700_000_000_000
    params = {"timestamp": str(now_ms + offset_ms)} | ({"recvWindow": window} if window else {})
    if message is None:
        check_time(params, now_ms)
        return
    with pytest.raises(ApiError) as raised:
        check_time(params, now_ms)
    assert (raised.value.code, raised.value.message) == (-1021, message)


def test_microsecond_timestamps_are_accepted() -> None:
    check_time({"timestamp": "1700000000000000"}, 1_700_000_000_000)


@pytest.mark.parametrize("value", ["", "x", "nan", "inf"])
def test_a_timestamp_that_is_no_number_is_named(value: str) -> None:
    with pytest.raises(ApiError) as raised:
        check_time({"timestamp": value}, 1_700_000_000_000)
    assert raised.value.code == -1102
    assert "'timestamp'" in raised.value.message


def test_a_window_beyond_a_minute_is_refused() -> None:
    with pytest.raises(ApiError) as raised:
        check_time({"timestamp": "1700000000000", "recvWindow": "60001"}, 1_700_000_000_000)
    assert raised.value.code == -1131


@pytest.mark.parametrize("api_key", [None, "", "short", "x" * 63 + "!", "é" * 64])
def test_a_key_of_the_wrong_format_is_told_apart_from_an_unknown_one(api_key: str | None) -> None:
    with pytest.raises(ApiError) as raised:
        check_key_format(api_key)
    assert (raised.value.code, raised.value.status) == (-2014, 401)


@pytest.mark.parametrize(("signature", "code"), [(None, -1102), ("", -1102), ("00", -1022)])
def test_a_missing_signature_is_told_apart_from_a_wrong_one(signature: str | None, code: int) -> None:
    with pytest.raises(ApiError) as raised:
        check_signature(SecretVerifier("s"), b"a=1", signature)
    assert raised.value.code == code
