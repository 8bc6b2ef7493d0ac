"""What kind of key a secret is."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from nexustrader.config import BasicConfig
from nexustrader.constants import ExchangeType
from nexustrader.credentials.keys import key_kind, load_private_key
from nexustrader.credentials.required import require_credentials
from nexustrader.error import CredentialsError
from workspace import Workspace


def pem(
    key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    encryption: KeySerializationEncryption | None = None,
    form: PrivateFormat = PrivateFormat.PKCS8,
) -> str:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


@pytest.fixture(scope="module")
def ed25519_pem() -> str:
    return pem(ed25519.Ed25519PrivateKey.generate())


@pytest.fixture(scope="module")
def rsa_pem() -> str:
    return pem(rsa.generate_private_key(65537, 2048))


@pytest.mark.parametrize("secret", ["abc", "0x1234", "a" * 64, "BEGIN", "-----"])
def test_any_other_text_is_an_hmac_secret(secret: str) -> None:
    assert key_kind(secret) == "hmac"


def test_pem_keys_are_recognised(ed25519_pem: str, rsa_pem: str) -> None:
    assert key_kind(ed25519_pem) == "ed25519"
    assert key_kind(rsa_pem) == "rsa"


def test_rsa_keys_of_the_older_form_are_recognised() -> None:
    key = rsa.generate_private_key(65537, 2048)
    assert key_kind(pem(key, form=PrivateFormat.TraditionalOpenSSL)) == "rsa"


def test_a_pem_key_may_be_written_on_one_line_or_indented(ed25519_pem: str) -> None:
    assert key_kind(ed25519_pem.replace("\n", "\\n")) == "ed25519"
    assert key_kind(ed25519_pem.replace("\n", "\r\n")) == "ed25519"
    assert key_kind("  " + ed25519_pem.replace("\n", "\n    ")) == "ed25519"
    assert load_private_key(ed25519_pem.replace("\n", "\\r\\n")).sign is not None


def test_a_damaged_pem_is_refused_without_quoting_it(ed25519_pem: str) -> None:
    damaged = ed25519_pem.replace("M", "!", 1)
    with pytest.raises(CredentialsError) as caught:
        key_kind(damaged)
    assert ed25519_pem.splitlines()[1][5:] not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "text",
    ["-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"],
)
def test_a_truncated_pem_is_refused(text: str) -> None:
    with pytest.raises(CredentialsError, match="cannot be read"):
        key_kind(text)


def test_a_key_with_a_password_is_refused_with_the_remedy() -> None:
    with pytest.raises(CredentialsError, match=r"protected by a password.*openssl"):
        key_kind(pem(ed25519.Ed25519PrivateKey.generate(), BestAvailableEncryption(b"x")))


def test_a_public_key_is_refused() -> None:
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(CredentialsError, match="not a private key"):
        key_kind(text)


def test_other_kinds_of_keys_are_refused() -> None:
    with pytest.raises(CredentialsError, match="neither Ed25519 nor RSA"):
        key_kind(pem(ec.generate_private_key(ec.SECP256R1())))


def test_a_private_connector_learns_the_kind_and_refuses_a_bad_pem(
    workspace: Workspace, ed25519_pem: str
) -> None:
    config = BasicConfig("k", f"file:{workspace.write('key.pem', ed25519_pem)}")
    found = require_credentials(config, ExchangeType.BINANCE)
    assert found.kind == "ed25519"
    with pytest.raises(CredentialsError):
        require_credentials(BasicConfig("k", ed25519_pem.replace("M", "!", 1)), ExchangeType.BINANCE)


def test_the_fingerprint_tells_accounts_apart_and_not_the_key(workspace: Workspace) -> None:
    one, same, other = (
        require_credentials(BasicConfig(key, "s"), ExchangeType.BINANCE) for key in ("key1", "key1", "key2")
    )
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert "key1" not in one.fingerprint
