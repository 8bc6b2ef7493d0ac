"""Signatures of API keys: HMAC-SHA256 in hex for a shared secret; Ed25519 or RSA in base64 for a public key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key


class Verifier(Protocol):
    """Checks the signatures of one API key."""

    def accepts(self, payload: bytes, signature: str) -> bool:
        """True when `signature` was made over exactly this payload."""


class SecretVerifier:
    """HMAC-SHA256 with a shared secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def accepts(self, payload: bytes, signature: str) -> bool:
        """True when `signature` was made over exactly this payload."""
        expected = hmac.new(self._secret, payload, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.lower().encode())


class PublicKeyVerifier:
    """Ed25519, or RSA by PKCS1 v1.5 with SHA-256. Raises ValueError for what is no public key in PEM."""

    def __init__(self, pem: str) -> None:
        self.key = load_pem_public_key(pem.encode())

    def accepts(self, payload: bytes, signature: str) -> bool:
        """True when `signature` was made over exactly this payload."""
        try:
            raw = base64.b64decode(signature, validate=True)
            if isinstance(self.key, Ed25519PublicKey):
                self.key.verify(raw, payload)
            elif isinstance(self.key, RSAPublicKey):
                self.key.verify(raw, payload, PKCS1v15(), SHA256())
            else:
                return False
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def verifier_of(
    secret: str | None, public_key_pem: str | None, kind: type[Ed25519PublicKey] | type[RSAPublicKey]
) -> Verifier:
    """The verifier of a key. Raises ValueError unless it has either a secret or a public key of this kind."""
    name = "Ed25519" if kind is Ed25519PublicKey else "RSA"
    if (secret is None) == (public_key_pem is None):
        raise ValueError(f"an API key has either a secret (HMAC) or a public key ({name}); give exactly one")
    if secret is not None:
        return SecretVerifier(secret)
    assert public_key_pem is not None
    verifier = PublicKeyVerifier(public_key_pem)
    if not isinstance(verifier.key, kind):
        raise ValueError(  # noqa: TRY004 — the type is the key's, the value is wrong
            f"only {name} public keys are emulated; create one with the algorithm {name.lower()}"
        )
    return verifier
