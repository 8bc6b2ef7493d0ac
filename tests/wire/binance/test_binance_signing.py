"""Signatures: published vectors, verification by the public key, and secrets that stay inside."""

from __future__ import annotations

import copy
import hashlib
import hmac
import pickle
from base64 import b64decode
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.error import CredentialsError
from nexustrader.exchange.binance import VENUE
from nexustrader.exchange.binance.sign import socket_params
from nexustrader.venue.signing import HmacSigner
from nexustrader.venue.spec import Request, Security

SPOT_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
SPOT_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
FUTURES_SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"

ORDER = (
    ("side", "BUY"),
    ("type", "LIMIT"),
    ("timeInForce", "GTC"),
    ("quantity", "1"),
    ("price", "0.1"),
)


def signed(params, timestamp_ms, secret=SPOT_SECRET, method="POST", path="/api/v3/order"):
    request = Request(method, path, params, Security.SIGNED)
    return VENUE.sign_request(request, VENUE.make_signer(SPOT_KEY, secret, None), timestamp_ms)


@pytest.mark.parametrize(
    ("symbol", "encoded", "signature"),
    [
        ("LTCBTC", "LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (
            "１２３４５６",
            "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96",
            "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
        ),
    ],
)
def test_published_spot_vectors(symbol, encoded, signature):
    target, headers, body = signed((("symbol", symbol), *ORDER), 1499827319559)
    assert target == (
        f"/api/v3/order?symbol={encoded}&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
        f"&recvWindow=5000&timestamp=1499827319559&signature={signature}"
    )
    assert headers == {"X-MBX-APIKEY": SPOT_KEY}
    assert body == b""


def test_published_futures_vector():
    params = (
        ("symbol", "BTCUSDT"),
        ("side", "BUY"),
        ("type", "LIMIT"),
        ("quantity", "1"),
        ("price", "9000"),
        ("timeInForce", "GTC"),
    )
    target, _, _ = signed(params, 1591702613943, FUTURES_SECRET, path="/fapi/v1/order")
    assert target.endswith("&signature=3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9")


def test_published_socket_vector():
    payload = (
        f"apiKey={SPOT_KEY}&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT"
        "&timeInForce=GTC&timestamp=1645423376532&type=LIMIT"
    )
    expected = "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"
    assert HmacSigner(SPOT_KEY, SPOT_SECRET).sign(payload.encode()) == expected


def test_socket_params_are_signed_sorted_by_name(signer):
    params = socket_params({"symbol": "BTCUSDT", "orderId": 8389765739703625592}, signer, 1645423376532)
    signature = params.pop("signature")
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    assert signature == hmac.new(SPOT_SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    assert params == {
        "symbol": "BTCUSDT",
        "orderId": 8389765739703625592,
        "apiKey": SPOT_KEY,
        "recvWindow": 5000,
        "timestamp": 1645423376532,
    }


@given(secret=st.text(min_size=1, max_size=200), payload=st.binary(max_size=500))
def test_the_prepared_key_state_gives_the_same_as_hmac(secret, payload):
    expected = hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
    signer = HmacSigner("key", secret)
    assert signer.sign(payload) == expected
    assert signer.sign(payload) == expected, "the state must not change with use"


# Fixed seeds: the keys are the same in every run, and no account has them.
ED25519_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    # Published test primes are not needed: any key proves that the signature fits its public half.
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key, password: bytes | None = None) -> str:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


def test_an_ed25519_pem_signs_so_that_its_public_key_verifies():
    signer = VENUE.make_signer("key", pem(ED25519_KEY), None)
    ED25519_KEY.public_key().verify(b64decode(signer.sign(b"payload")), b"payload")


def test_an_rsa_pem_signs_so_that_its_public_key_verifies(rsa_key):
    signer = VENUE.make_signer("key", pem(rsa_key), None)
    signature = b64decode(signer.sign(b"payload"))
    rsa_key.public_key().verify(signature, b"payload", padding.PKCS1v15(), SHA256())


def test_an_rsa_signature_is_the_one_of_the_textbook():
    """A key of two Mersenne primes; the signature worked out by hand: padded digest, to the power of d."""
    p, q, e = 2**1279 - 1, 2**2203 - 1, 65_537
    n, d = p * q, pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, n)
    )
    payload = b"symbol=BTCUSDT&timestamp=1"
    digest_info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(payload).digest()
    size = (n.bit_length() + 7) // 8
    padded = b"\0\1" + b"\xff" * (size - 3 - len(digest_info)) + b"\0" + digest_info
    expected = pow(int.from_bytes(padded), d, n).to_bytes(size)
    signer = VENUE.make_signer("key", pem(numbers.private_key()), None)
    assert b64decode(signer.sign(payload)) == expected


def test_a_base64_signature_is_percent_encoded_in_a_url_and_plain_on_the_socket():
    signer = VENUE.make_signer("key", pem(ED25519_KEY), None)
    # A payload whose signature has "+", "/" and "=" in it.
    for timestamp_ms in range(1_700_000_000_000, 1_700_000_000_200):
        request = Request("GET", "/api/v3/account", (), Security.SIGNED)
        target, _, _ = VENUE.sign_request(request, signer, timestamp_ms)
        query = urlsplit(target).query
        payload, _, raw = query.rpartition("&signature=")
        signature = unquote(raw)
        ED25519_KEY.public_key().verify(b64decode(signature, validate=True), payload.encode())
        if "+" in signature and "/" in signature:
            assert not set(raw) & set("+/=")
            break
    else:
        pytest.fail("no signature had all special characters")
    frame = msgspec.json.decode(VENUE.user_subscribe_frame("u1", signer, 1_700_000_000_000))
    assert frame["params"]["signature"].endswith("==")


def test_an_encrypted_pem_opens_with_the_passphrase():
    sealed = pem(ED25519_KEY, b"open sesame")
    signer = VENUE.make_signer("key", sealed, "open sesame")
    assert signer.sign(b"x") == VENUE.make_signer("key", pem(ED25519_KEY), None).sign(b"x")
    with pytest.raises(CredentialsError, match="passphrase"):
        VENUE.make_signer("key", sealed, None)


def test_a_pem_with_escaped_line_breaks_is_understood():
    escaped = pem(ED25519_KEY).replace("\n", "\\n")
    assert VENUE.make_signer("key", escaped, None).sign(b"x")


@pytest.mark.parametrize(
    "secret", ["-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----", " ", ""]
)
def test_an_unusable_secret_is_refused_without_being_quoted(secret):
    with pytest.raises(CredentialsError) as caught:
        VENUE.make_signer("key", secret, None)
    assert "nonsense" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_key_of_another_kind_is_refused():
    with pytest.raises(CredentialsError, match="Ed25519 and RSA"):
        VENUE.make_signer("key", pem(ec.generate_private_key(ec.SECP256R1())), None)


def test_no_signer_shows_or_gives_away_its_key():
    for signer in (
        VENUE.make_signer("APIKEY", "S3CRET", None),
        VENUE.make_signer("APIKEY", pem(ED25519_KEY), None),
    ):
        for text in (repr(signer), str(signer), f"{signer}"):
            assert "S3CRET" not in text
            assert "APIKEY" not in text
        assert not hasattr(signer, "__dict__")
        for give_away in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                give_away(signer)


def test_public_and_key_only_requests_are_not_signed(signer):
    public = Request("GET", "/api/v3/klines", (("symbol", "BTCUSDT"),))
    assert VENUE.sign_request(public, signer, 1) == ("/api/v3/klines?symbol=BTCUSDT", {}, b"")
    keyed = Request("POST", "/fapi/v1/listenKey", security=Security.KEY)
    assert VENUE.sign_request(keyed, signer, 1) == ("/fapi/v1/listenKey", {"X-MBX-APIKEY": SPOT_KEY}, b"")


def test_a_private_request_without_credentials_is_refused():
    with pytest.raises(CredentialsError, match="/api/v3/account"):
        VENUE.sign_request(Request("GET", "/api/v3/account", (), Security.SIGNED), None, 1)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.text(max_size=30)), max_size=6))
def test_what_is_signed_is_exactly_what_is_sent(params):
    signer = HmacSigner(SPOT_KEY, SPOT_SECRET)
    request = Request("POST", "/api/v3/order", tuple(params), Security.SIGNED)
    target, _, _ = VENUE.sign_request(request, signer, 1_700_000_000_000)
    payload, _, signature = urlsplit(target).query.rpartition("&signature=")
    assert signature == hmac.new(SPOT_SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    assert parse_qsl(payload, keep_blank_values=True)[:-2] == params
    assert target.isascii()
