"""The credentials with which a private connector starts, or the reason why it does not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from nexustrader._settings import settings
from nexustrader.constants import ExchangeType
from nexustrader.credentials.keys import KeyKind, key_kind
from nexustrader.credentials.providers import fetch
from nexustrader.credentials.resolve import FIELDS, Resolution
from nexustrader.error import CredentialsError
from nexustrader.kernel.secret import Reference, Secret

WITH_PASSPHRASE = frozenset({ExchangeType.OKX, ExchangeType.BITGET})
"""Venues whose keys have a passphrase."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Usable credentials of one account: every reference fetched, every key readable. Masked when printed."""

    api_key: Secret
    secret: Secret
    passphrase: Secret | None
    kind: KeyKind

    @property
    def fingerprint(self) -> str:
        """Tells accounts apart without telling the key."""
        return hashlib.sha256(b"nexustrader account\0" + self.api_key.encode()).hexdigest()[:16]


class Resolved(Protocol):
    """Credentials as configured; `config.BasicConfig` has it."""

    def resolution(self, name: str) -> Resolution: ...


def require_credentials(config: Resolved, exchange: ExchangeType, account: str | None = None) -> Credentials:
    """Return the credentials of a private connector, fetching references now (this may block).

    In an emulated run they are the emulator's, whatever is configured. Raises CredentialsError, which lists
    every source tried by name.
    """
    overlaid = settings.overlaid(exchange.name)
    if overlaid is not None:
        api_key, secret = overlaid["api_key"], overlaid["secret"]
        assert api_key is not None
        assert secret is not None
        return Credentials(api_key, secret, overlaid["passphrase"], key_kind(secret))
    label = f"{exchange.name} account {account!r}" if account else exchange.name
    return usable(config, label, with_passphrase=exchange in WITH_PASSPHRASE)


def usable(config: Resolved, label: str, *, with_passphrase: bool) -> Credentials:
    """Return the credentials of `config` with references fetched. Raises CredentialsError about `label`."""
    values = {field: _value(config.resolution(field)) for field in FIELDS}
    needed = FIELDS if with_passphrase else FIELDS[:2]
    missing = [field for field in needed if values[field] is None]
    api_key, secret = values["api_key"], values["secret"]
    if missing or api_key is None or secret is None:
        tried = "; ".join(f"{' - '.join(config.resolution(field).tried)}" for field in missing)
        raise CredentialsError(
            f"{label} has no {' and no '.join(missing)}, so no private connector can start. Tried for {tried}. "
            "Give one of these, or leave the private connector out: public data, mock and backtest need none"
        )
    return Credentials(api_key, secret, values["passphrase"], key_kind(secret))


def _value(resolution: Resolution) -> Secret | None:
    return fetch(resolution.value) if isinstance(resolution.value, Reference) else resolution.value
