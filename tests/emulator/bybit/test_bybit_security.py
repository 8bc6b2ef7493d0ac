"""Keys, signatures, clocks and limits of the emulated Bybit."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from bybit_client import API_KEY, SECRET, MemoryBybit, Reply, sign
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nexustrader.emulator.bybit.errors import BybitError
from nexustrader.emulator.bybit.security import check_login, check_signed
from nexustrader.emulator.bybit.venue import BybitSettings
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.rest import RestCall
from nexustrader.emulator.signatures import SecretVerifier
from nexustrader.emulator.venue import STILL


@pytest.fixture
def world() -> MemoryBybit:
    return MemoryBybit()


def test_the_recorded_signatures_are_accepted(testdata: Path) -> None:
    vectors: Any = json.loads((testdata / "wire/bybit/samples/signing_vectors.json").read_text())
    verifier = SecretVerifier(vectors["secret"])
    assert len(vectors["vectors"]) == 4
    for vector in vectors["vectors"]:
        if "frame" in vector:
            _, expires, signature = vector["frame"]["args"]
            check_login(verifier, expires, signature, expires - 1)
            continue
        prehash = vector["prehash"]
        headers = {name.lower(): value for name, value in vector["headers"].items()}
        now = prehash.partition(vectors["api_key"])[0]
        headers |= {
            "x-bapi-api-key": vectors["api_key"],
            "x-bapi-timestamp": now,
            "x-bapi-recv-window": "5000",
        }
        payload = vector.get("query", vector.get("body", ""))
        check_signed(verifier, headers, payload.encode(), int(now))
        headers["x-bapi-sign"] = headers["x-bapi-sign"][::-1]
        with pytest.raises(BybitError) as refused:
            check_signed(verifier, headers, payload.encode(), int(now))
        assert prehash in refused.value.message


def test_a_wrong_signature_is_refused_and_shows_what_should_have_been_signed(world: MemoryBybit) -> None:
    headers = {**world.headers("accountType=UNIFIED"), "x-bapi-sign": "0" * 64}
    path = "/v5/account/wallet-balance?accountType=UNIFIED"
    reply = Reply(world.service.rest(RestCall(method="GET", raw_path=path, headers=headers)))
    now = world.clock.timestamp_ms()
    assert reply.code == 10004
    assert f"origin_string[{now}{API_KEY}5000accountType=UNIFIED]" in reply.body["retMsg"]
    assert reply.status == 200


def test_the_signature_covers_the_body_as_it_arrived(world: MemoryBybit) -> None:
    body = '{"category": "linear" , "symbol":"BTCUSDT"}'
    signed = world.send("POST", "/v5/order/cancel-all", body, body.encode(), signed=True)
    assert signed.code == 0
    other = world.send("POST", "/v5/order/cancel-all", body, body.replace(" ", "").encode(), signed=True)
    assert other.code == 10004


@pytest.mark.parametrize("key", [None, "", "unknown"])
def test_an_unknown_key_is_refused(world: MemoryBybit, key: str | None) -> None:
    headers = world.headers("")
    headers.pop("x-bapi-api-key")
    if key is not None:
        headers["x-bapi-api-key"] = key
    call = RestCall(method="GET", raw_path="/v5/account/info", headers=headers)
    assert Reply(world.service.rest(call)).code == 10003


@pytest.mark.parametrize(
    ("offset_ms", "window", "code"),
    [(0, "5000", 0), (-5_000, "5000", 0), (-5_001, "5000", 10002), (999, "5000", 0), (1_000, "5000", 10002),
     (-20_000, "20000", 0), (-5_001, "", 10002), (0, "x", 10001)],
)  # fmt: skip
def test_the_time_of_a_request_lies_in_its_window(
    world: MemoryBybit, offset_ms: int, window: str, code: int
) -> None:
    now = str(world.clock.timestamp_ms() + offset_ms)
    headers = {
        "x-bapi-api-key": API_KEY,
        "x-bapi-timestamp": now,
        "x-bapi-recv-window": window,
        "x-bapi-sign": sign(f"{now}{API_KEY}{window}"),
    }
    reply = Reply(world.service.rest(RestCall(method="GET", raw_path="/v5/account/info", headers=headers)))
    assert reply.code == code
    if code == 10002:
        assert f"req_timestamp[{now}]" in reply.body["retMsg"]
        assert f"server_timestamp[{world.clock.timestamp_ms()}]" in reply.body["retMsg"]


def pem(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_an_rsa_key_signs_in_base64() -> None:
    key = generate_private_key(65_537, 2_048)
    world = MemoryBybit(accounts=[AccountSpec(api_key=API_KEY, public_key_pem=pem(key))])
    headers = world.headers("")
    payload = f"{headers['x-bapi-timestamp']}{API_KEY}5000".encode()
    signature = base64.b64encode(key.sign(payload, PKCS1v15(), SHA256())).decode()
    call = RestCall(method="GET", raw_path="/v5/account/info", headers={**headers, "x-bapi-sign": signature})
    assert Reply(world.service.rest(call)).code == 0
    assert world.get("account/info").code == 10004  # an HMAC is none


def test_a_key_of_a_kind_that_the_venue_does_not_know_is_refused_at_once() -> None:
    spec = AccountSpec(api_key=API_KEY, public_key_pem=pem(Ed25519PrivateKey.generate()))
    with pytest.raises(ValueError, match="RSA"):
        MemoryBybit(accounts=[spec])


# -- limits ---------------------------------------------------------------------------------------------------


def test_limits_are_told_in_headers_and_kept_a_second(world: MemoryBybit) -> None:
    replies = [world.create(price=str(58_000 + number)) for number in range(11)]
    assert [reply.code for reply in replies] == [0] * 10 + [10006]
    assert [reply.headers["X-Bapi-Limit-Status"] for reply in replies[:3]] == ["9", "8", "7"]
    assert {reply.headers["X-Bapi-Limit"] for reply in replies} == {"10"}
    reopens_ms = int(replies[-1].headers["X-Bapi-Limit-Reset-Timestamp"])
    assert reopens_ms == world.clock.timestamp_ms() + 1_000
    assert world.create("spot").code == 0  # a bucket of its own
    world.wait(1_000)
    assert world.create().code == 0


def test_every_order_of_a_batch_counts(world: MemoryBybit) -> None:
    order = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "59000"}
    batch = world.post("order/create-batch", category="linear", request=[order] * 8)
    assert batch.headers["X-Bapi-Limit-Status"] == "2"
    assert [world.create().code for _ in range(3)] == [0, 0, 10006]
    world.wait(1_000)
    world.create()
    late = world.post("order/create-batch", category="linear", request=[order] * 12)
    assert late.code == 0
    assert [row["code"] for row in late.body["retExtInfo"]["list"]] == [0] * 9 + [10006] * 3


def test_an_address_that_asks_too_much_is_shut_out() -> None:
    world = MemoryBybit(BybitSettings(market=STILL))
    codes = [world.get("market/time", signed=False).status for _ in range(601)]
    assert codes == [200] * 600 + [403]
    assert world.get("market/time", signed=False).raw.body == b"access too frequent"
    world.wait(5_000)
    assert world.get("market/time", signed=False).status == 200


def test_a_query_with_a_body_is_shut_out(world: MemoryBybit) -> None:
    assert world.send("GET", "/v5/market/time", "", b"{}", signed=False).status == 403
    assert world.send("GET", "/v5/market/time", "", b"", signed=False).status == 200


def test_what_is_not_served_is_refused_clearly(world: MemoryBybit) -> None:
    for method, path in (
        ("GET", "/v5/market/risk-limit"),
        ("POST", "/v5/position/trading-stop"),
        ("PUT", "/"),
    ):
        reply = world.send(method, path, "", b"", signed=True)
        assert reply.status == 404
        assert f"{method} {path} is not emulated" in reply.body["retMsg"]


@pytest.mark.parametrize(
    "body", ["", "[]", "null", "{", '{"request": 1}', '{"request": [1]}', '{"category": 5}']
)
def test_a_body_that_is_none_is_refused(world: MemoryBybit, body: str) -> None:
    assert world.send("POST", "/v5/order/create", body, body.encode(), signed=True).code == 10001


def test_accounts_do_not_see_each_other() -> None:
    other = AccountSpec(api_key="other", secret=SECRET, name="other")
    world = MemoryBybit(accounts=[AccountSpec(api_key=API_KEY, secret=SECRET), other])
    world.create(orderLinkId="mine")
    now = str(world.clock.timestamp_ms())
    query = "category=linear&symbol=BTCUSDT"
    headers = {
        "x-bapi-api-key": "other",
        "x-bapi-timestamp": now,
        "x-bapi-recv-window": "5000",
        "x-bapi-sign": sign(f"{now}other5000{query}"),
    }
    call = RestCall(method="GET", raw_path=f"/v5/order/realtime?{query}", headers=headers)
    assert Reply(world.service.rest(call)).rows == []
