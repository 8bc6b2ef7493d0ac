"""Which source a credential is taken from. No I/O here: the sources bring their own way to look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from nexustrader._settings import CREDENTIAL_FIELDS, Found
from nexustrader._settings_sources import FILE_SUFFIX, SECRETS_FILE, variable_name
from nexustrader.kernel.secret import Reference, Secret, classify

FIELDS = CREDENTIAL_FIELDS
GIVEN = "given directly"


class LookedUpSecret(Secret):
    """A secret that a configuration looked up. It says so where `dataclasses.replace` passes it to the next one."""

    __slots__ = ("is_from_settings", "origin")

    origin: str
    is_from_settings: bool


class LookedUpReference(Reference):
    """A reference that a configuration looked up, as above."""

    __slots__ = ("is_from_settings", "origin")

    origin: str
    is_from_settings: bool


LookedUp = LookedUpSecret | LookedUpReference


class Source(NamedTuple):
    """A place where a credential may be: its name, for people, and how to look there."""

    name: str
    look: Callable[[], Found]


class Resolution(NamedTuple):
    """What came of one field: the value and its origin, or no value, and the names of the sources tried."""

    value: Secret | Reference | None
    origin: str
    tried: tuple[str, ...]
    blocked: bool = False


class Lookups(Protocol):
    """Where sources look; `nexustrader.constants.settings` has it."""

    def credential(self, settings_key: str, field: str) -> Found: ...
    def variable(self, name: str) -> Found: ...


def first(sources: Iterable[Source]) -> Resolution:
    """Return the value of the first source that has one.

    A source that is set but cannot be read ends the search: a weaker one may hold the key of another account.
    """
    tried: list[str] = []
    for source in sources:
        found = source.look()
        if found.value is not None:
            return Resolution(found.value, found.origin, tuple(tried))
        tried.append(found.origin or source.name)
        if found.origin:
            return Resolution(None, "", tuple(tried), blocked=True)
    return Resolution(None, "", tuple(tried))


def sources(
    lookups: Lookups, field: str, direct: str | None, settings_key: str | None, variable: str | None
) -> list[Source]:
    """Return the sources of one field, strongest first: the direct value, the settings, the plain variable.

    An empty direct value counts as not given. So does, where there is a settings key, one that another configuration
    looked up: what came from its settings is left, and what came from its variable stays as weak as it was there.
    """
    inherited = direct if settings_key and isinstance(direct, LookedUp) else None
    given = _given(None if inherited else direct)
    found = [Source(f"{field} {GIVEN}", lambda: given)]
    if settings_key:
        found.append(
            Source(
                settings_source_name(settings_key, field),
                lambda: _looked_up(lookups.credential(settings_key, field), is_from_settings=True),
            )
        )
    if inherited is not None and not inherited.is_from_settings:
        found.append(Source(inherited.origin, lambda: _given(inherited)))
    if variable:
        found.append(
            Source(
                f"variables {variable} and {variable}{FILE_SUFFIX}",
                lambda: _looked_up(lookups.variable(variable), is_from_settings=False),
            )
        )
    return found


def _given(value: str | None) -> Found:
    if not value:
        return Found(None, "")
    return Found(classify(value), value.origin if isinstance(value, LookedUp) else GIVEN)


def _looked_up(found: Found, *, is_from_settings: bool) -> Found:
    if found.value is None:
        return found
    kind = LookedUpReference if isinstance(found.value, Reference) else LookedUpSecret
    value = kind(found.value)
    value.origin, value.is_from_settings = found.origin, is_from_settings
    return Found(value, found.origin)


def as_given(value: str | None) -> str | None:
    """Return the same value without a word of where it was looked up."""
    if isinstance(value, LookedUpSecret):
        return Secret(value)
    return Reference(value) if isinstance(value, LookedUpReference) else value


def settings_source_name(settings_key: str, field: str) -> str:
    """Name the places in which the settings look for one field."""
    variable = variable_name((*settings_key.split("."), field))
    return f"{field} in [{settings_key}] of {SECRETS_FILE}, variables {variable} and {variable}{FILE_SUFFIX}"


def plain_variables(prefix: str, renamed: Mapping[str, str | None]) -> dict[str, str]:
    """Return the plain variable of each field: PREFIX_API_KEY and so on, or the name given in its place."""
    return {field: renamed.get(field) or f"{prefix}_{field}".upper() for field in FIELDS}
