"""`BasicConfig`: the credentials of one account as a program states them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, overload

from nexustrader._settings import settings
from nexustrader._warn import warn_user
from nexustrader.credentials.resolve import (
    FIELDS,
    GIVEN,
    Resolution,
    as_given,
    first,
    plain_variables,
    settings_source_name,
    sources,
)
from nexustrader.error import CredentialsWarning
from nexustrader.kernel.redaction import MASK
from nexustrader.kernel.secret import Secret


class _Credential:
    """A field of BasicConfig that holds a credential; kept out of the instance's dictionary."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> None: ...
    @overload
    def __get__(self, instance: object, owner: type) -> str | None: ...
    def __get__(self, instance: Any, owner: type) -> str | None:
        return None if instance is None else instance.__dict__["_vault"].resolutions[self._name].value

    def __set__(self, instance: Any, value: str | None) -> None:
        instance.__dict__.setdefault("_vault", _Vault()).put(self._name, value)


class _Vault:
    """Holds the credentials of one BasicConfig where `vars()` and JSON encoders do not look."""

    __slots__ = ("resolutions",)

    def __init__(self) -> None:
        self.resolutions: dict[str, Resolution] = {}

    def put(self, name: str, value: object) -> None:
        if value is not None and not isinstance(value, str):
            raise TypeError(
                f"BasicConfig.{name} must be text, not {type(value).__name__}; put it between quotes"
            )
        if value == MASK:
            raise ValueError(
                f"BasicConfig.{name} is the mask of a secret, from a copy or a print; pass the secret "
                "itself, or settings_key"
            )
        if name in self.resolutions:  # assigned later on, so it is the user's own word, wherever it was read
            value = as_given(value)
        self.resolutions[name] = first(sources(settings, name, value, None, None))

    def __repr__(self) -> str:
        return f"<{MASK}>"


@dataclass
class BasicConfig:
    """Credentials of one account at a venue.

    A directly passed value wins over `settings_key` (a section of `.keys/.secrets.toml` or NEXUS_ variables),
    field by field. What another configuration looked up is not passed directly: `dataclasses.replace` with a new
    settings_key gives the credentials of the new key.
    Values may be references (`env:VAR`, `file:PATH`, `keyring:SERVICE/NAME`, `cmd:PROGRAM`), which are fetched when
    the private connector starts; `literal:` escapes a value that begins like one.
    The fields give the plain strings; the configuration itself prints masked and cannot be copied or pickled.
    Warns CredentialsWarning when settings_key leads nowhere. Raises TypeError, ValueError, SettingsFileError.
    """

    api_key: str | None = _Credential()  # type: ignore[assignment] # a descriptor, typed as what it gives
    secret: str | None = _Credential()  # type: ignore[assignment] # as above
    testnet: bool = False
    passphrase: str | None = _Credential()  # type: ignore[assignment] # as above
    settings_key: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.testnet, bool):
            raise TypeError(f"BasicConfig.testnet must be True or False, not {self.testnet!r}")
        given = {name: self.__dict__["_vault"].resolutions[name].value for name in FIELDS}
        self._resolve(given, self.settings_key, {})

    @classmethod
    def from_env(
        cls,
        prefix: str,
        testnet: bool = False,
        *,
        api_key: str | None = None,
        secret: str | None = None,
        passphrase: str | None = None,
        settings_key: str | None = None,
        api_key_var: str | None = None,
        secret_var: str | None = None,
        passphrase_var: str | None = None,
    ) -> Self:
        """Read the variables PREFIX_API_KEY, PREFIX_SECRET and PREFIX_PASSPHRASE, or those that `_var` names.

        A direct value wins over the settings, these over the variable, and that over its twin `_FILE`, which
        names a file with the value. `.env` is loaded first.
        """
        if not prefix:
            raise ValueError(f'from_env needs a prefix such as "BINANCE", not {prefix!r}')
        config = cls(api_key, secret, testnet, passphrase)
        given = {name: config.resolution(name).value for name in FIELDS}
        renamed = {"api_key": api_key_var, "secret": secret_var, "passphrase": passphrase_var}
        config._resolve(given, settings_key, plain_variables(prefix, renamed))
        return config

    def resolution(self, name: str) -> Resolution:
        """Return where one of api_key, secret and passphrase came from, or the sources tried in vain."""
        found: Resolution = self.__dict__["_vault"].resolutions[name]
        return found

    def _resolve(
        self, given: Mapping[str, str | None], settings_key: str | None, variables: Mapping[str, str]
    ) -> None:
        self.settings_key = settings_key
        if settings_key is not None:
            _check_settings_key(settings_key)
        resolutions = {
            name: first(sources(settings, name, given[name], settings_key, variables.get(name)))
            for name in FIELDS
        }
        self.__dict__["_vault"].resolutions = resolutions
        if settings_key is not None and any(found.origin != GIVEN for found in resolutions.values()):
            _warn_unless_resolved(settings_key)
        for name, found in resolutions.items():
            if found.blocked and settings_key is None:
                warn_user(f"Could not resolve credentials: {name}: {found.tried[-1]}", CredentialsWarning)

    def __reduce_ex__(self, protocol: Any) -> Any:
        if any(isinstance(found.value, Secret) for found in self.__dict__["_vault"].resolutions.values()):
            raise TypeError(
                "a BasicConfig with secrets cannot be copied or pickled: they would leave this process; pass "
                "settings_key and build it where it is used"
            )
        return super().__reduce_ex__(protocol)


def _check_settings_key(key: object) -> None:
    if not isinstance(key, str):
        raise TypeError(
            f'BasicConfig.settings_key must be text such as "BYBIT.TESTNET", not {type(key).__name__}'
        )
    if not all(part.strip() for part in key.split(".")):
        raise ValueError(
            f'BasicConfig.settings_key is {key!r}; it must be names with dots, as in "BYBIT.TESTNET"'
        )


def _warn_unless_resolved(settings_key: str) -> None:
    found = [settings.credential(settings_key, name) for name in FIELDS]
    obstacles = [each.origin for each in found if each.value is None and each.origin]
    if obstacles or not any(each.value is not None for each in found):
        why = "; ".join(obstacles) or f"nothing is set in [{settings_key}]"
        warn_user(
            f"Could not resolve credentials of settings_key={settings_key!r}: {why}. Looked for "
            f"{settings_source_name(settings_key, 'api_key')}, and likewise for secret and passphrase",
            CredentialsWarning,
        )
