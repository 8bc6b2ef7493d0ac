"""What kind of key a secret is, and loading private keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nexustrader.error import CredentialsError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

KeyKind = Literal["hmac", "ed25519", "rsa"]

_CONVERT = "convert it with: openssl pkey -in KEY.pem -out PLAIN.pem"


def key_kind(secret: str) -> KeyKind:
    """Tell an Ed25519 or RSA private key in PEM form from an HMAC secret, which is everything else.

    Raises CredentialsError for a PEM text that is no usable private key.
    """
    if not _is_pem(secret):
        return "hmac"
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return "ed25519" if isinstance(load_private_key(secret), Ed25519PrivateKey) else "rsa"


def load_private_key(secret: str) -> Ed25519PrivateKey | RSAPrivateKey:
    """Return the private key in a PEM text; its line ends may be written as \\n. Raises CredentialsError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if "PRIVATE KEY-----" not in secret:
        raise CredentialsError(
            "the PEM text in secret is not a private key; use the file that says PRIVATE KEY"
        )
    try:
        key = load_pem_private_key(_pem(secret), password=None)
    except TypeError:
        raise CredentialsError(f"the private key in secret is protected by a password; {_CONVERT}") from None
    except (ValueError, UnsupportedAlgorithm):  # the library's text could quote the key
        raise CredentialsError(
            f"the private key in secret cannot be read: it is damaged or not in PKCS#8 form; {_CONVERT}"
        ) from None
    if not isinstance(key, (Ed25519PrivateKey, RSAPrivateKey)):
        raise CredentialsError(
            "the private key in secret is neither Ed25519 nor RSA; make one of these kinds"
        )
    return key


def _is_pem(secret: str) -> bool:
    return secret.lstrip().startswith("-----BEGIN ")


def _pem(secret: str) -> bytes:
    """A PEM text as a file would have it: variables and TOML often carry it on one line."""
    lines = secret.replace("\\r", "").replace("\\n", "\n").strip().splitlines()
    return "\n".join(line.strip() for line in lines).encode(errors="replace") + b"\n"
