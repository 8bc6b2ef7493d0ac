"""Signatures: HMAC, Ed25519 or RSA, told apart by the secret. Keys show in no repr and cannot be pickled."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from typing import NoReturn

from nexustrader.error import CredentialsError
from nexustrader.venue.spec import Signer

_BLOCK_BYTES = 64  # of SHA-256
_PEM_MARK = "-----BEGIN"


class _Masked:
    """Base of signers: the repr names the kind only, and copies through pickle are refused."""

    __slots__ = ("api_key",)
    api_key: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer holds a secret key and is never pickled; resolve the credentials again")


class HmacSigner(_Masked):
    """HMAC-SHA256 in lower-case hex. The key is hashed once; signatures go on from copies of that state."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, api_key: str, secret: str) -> None:
        key = secret.encode()
        if len(key) > _BLOCK_BYTES:
            key = hashlib.sha256(key).digest()
        key = key.ljust(_BLOCK_BYTES, b"\0")
        self.api_key = api_key
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))

    def sign(self, payload: bytes) -> str:
        inner = self._inner.copy()
        inner.update(payload)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()


class KeySigner(_Masked):
    """A signature by a private key (Ed25519 or RSA), in base64."""

    __slots__ = ("_sign",)

    def __init__(self, api_key: str, sign: Callable[[bytes], bytes]) -> None:
        self.api_key = api_key
        self._sign = sign

    def sign(self, payload: bytes) -> str:
        return b64encode(self._sign(payload)).decode()


def make_signer(venue: str, api_key: str, secret: str, passphrase: str | None) -> Signer:
    """A signer for one account of `venue`.

    `secret` is the HMAC secret, or a private key in PEM (its line breaks may be written as \\n); `passphrase`
    opens an encrypted PEM. Raises CredentialsError, which never quotes the secret.
    """
    if not api_key.strip() or not secret.strip():
        raise CredentialsError(f"{venue} needs both an API key and a secret; one of them is empty")
    if _PEM_MARK not in secret:
        return HmacSigner(api_key.strip(), secret.strip())
    return KeySigner(
        api_key.strip(), _load_private_key(venue, secret.replace("\\n", "\n").strip(), passphrase)
    )


def _load_private_key(venue: str, pem: str, passphrase: str | None) -> Callable[[bytes], bytes]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), passphrase.encode() if passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CredentialsError(
            f"the private key of {venue} cannot be read ({type(error).__name__}); "
            "give a PEM, and its password as the passphrase if it is encrypted"
        ) from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    if isinstance(key, rsa.RSAPrivateKey):
        rsa_key, scheme, digest = key, padding.PKCS1v15(), SHA256()
        return lambda payload: rsa_key.sign(payload, scheme, digest)
    raise CredentialsError(f"{venue} takes Ed25519 and RSA keys, not {type(key).__name__}")
