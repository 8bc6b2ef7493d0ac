"""Reads what `settings` is made of: the settings files, and the `NEXUS_` variables, merged by Dynaconf.

Dynaconf decides what wins and how names nest. Secrets pass through it unseen, because it would read the text of
a variable as TOML, making a number of the key 0x12, and carry out what begins with @format or the like.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nexustrader.error import SettingsFileError
from nexustrader.kernel.secret import Secret, classify

SETTINGS_FILE = ".keys/settings.toml"
SECRETS_FILE = ".keys/.secrets.toml"
LOCAL_SECRETS_FILE = ".keys/.secrets.local.toml"
PREFIX = "NEXUS_"
FILE_SUFFIX = "_FILE"
SECRET_NAMES = ("API_KEY", "SECRET", "PASSPHRASE", "PASSWORD", "TOKEN", "PRIVATE_KEY")
"""A setting whose name is one of these, or ends with _ and one of these, is secret."""

SECRET_FILE_BYTES_MAX = 65_536
ABSENT: Any = object()

_INT_MAX = 2**63 - 1


class Unreadable(NamedTuple):
    """A `_FILE` variable whose file cannot be read. It hides weaker sources: no other key is used unasked."""

    variable: str
    why: str

    def __str__(self) -> str:
        return f"variable {self.variable} ({self.why})"


class Verbatim:
    """A secret on its way through Dynaconf, which leaves alone what is no text of its own kind."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Sources:
    """What the files in `folder` and the variables say, value by value, and where each comes from."""

    def __init__(
        self, folder: Path, environ: Mapping[str, str], variable_origin: Callable[[str], str]
    ) -> None:
        self._folder = folder
        self._environ = {name: text for name, text in environ.items() if name.startswith(PREFIX)}
        self._variable_origin = variable_origin
        self._documents = _read_documents(folder)
        self._names = {
            tuple(name.removeprefix(PREFIX).upper().split("__")): name
            for name in sorted(self._environ, reverse=True)  # capitals sort first: entered last, they win
        }

    def read(self) -> dict[str, Any]:
        """Return all settings, names in capitals, secrets wrapped. Raises SettingsFileError."""
        variables = {path: self._environ[name] for path, name in self._names.items()}
        data = _merge(self._folder, self._documents, variables)
        self._put_twins(data)
        protected: dict[str, Any] = self._protect(data)
        return protected

    def origin(self, path: tuple[str, ...]) -> str:
        """Tell where the value at `path` comes from: a variable, else a file."""
        twin = (*path[:-1], path[-1] + FILE_SUFFIX)
        inline_tables = [path[:length] for length in range(len(path) - 1, 0, -1)]
        for candidate in (path, twin, *inline_tables):
            if self._environ.get(self._names.get(candidate, "")):
                return self._variable_origin(self._names[candidate])
        files = (name for name, document in reversed(self._documents) if _at(document, path) is not ABSENT)
        return next(files, "settings")

    def _put_twins(self, data: dict[str, Any]) -> None:
        for path, name in self._names.items():
            stem = (*path[:-1], path[-1].removesuffix(FILE_SUFFIX))
            if stem == path or not is_secret(stem[-1]):
                continue
            _put(data, path, ABSENT)
            if self._environ[name] and not self._environ.get(self._names.get(stem, "")):
                _put(data, stem, read_twin(name, self._environ[name]))

    def _protect(self, value: Any, path: tuple[str, ...] = ()) -> Any:
        if isinstance(value, Mapping):
            return {name: self._protect(item, (*path, name)) for name, item in value.items()}
        if isinstance(value, Verbatim):
            return classify(value.text) if value.text else ""
        if not path or not is_secret(path[-1]) or value == "" or isinstance(value, (Secret, Unreadable)):
            return value
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _INT_MAX:
            return Secret(str(value))  # an account number written without quotes
        if not isinstance(value, str):
            raise SettingsFileError(
                f"{'.'.join(path)} from {self.origin(path)} must be text: put the value between double quotes"
            )
        return classify(value)


def is_secret(name: str) -> bool:
    """Tell whether values of settings with this name are secret."""
    return any(name == secret or name.endswith(f"_{secret}") for secret in SECRET_NAMES)


def variable_name(path: tuple[str, ...]) -> str:
    """Return the variable that sets the setting at `path`, as in NEXUS_BYBIT__TESTNET__API_KEY."""
    return PREFIX + "__".join(path).upper()


def read_secret_file(path: str) -> str:
    """Return the text of a secret file without its line end. Raises OSError or ValueError."""
    with Path(path).expanduser().open("rb") as file:
        data = file.read(SECRET_FILE_BYTES_MAX + 1)
    if len(data) > SECRET_FILE_BYTES_MAX:
        raise ValueError(f"{path} is larger than {SECRET_FILE_BYTES_MAX} bytes")
    try:
        text = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def reason(error: Exception) -> str:
    """Say why a file cannot be read, without a byte of it."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)


def read_twin(variable: str, path: str) -> Secret | Unreadable:
    """Return what is in the file that a `_FILE` variable names: the secret itself, never a reference."""
    try:
        return Secret(read_secret_file(path))
    except (OSError, ValueError) as error:
        return Unreadable(variable, reason(error))


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables in a `.env` file; nothing if it is not there. Raises SettingsFileError."""
    if not path.is_file():
        return {}
    from dynaconf.vendor.dotenv import dotenv_values

    try:
        values = dotenv_values(path, encoding="utf-8")  # type: ignore[no-untyped-call] # it ships no type information
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsFileError(f"{path} cannot be read: {reason(error)}; repair or remove it") from None
    return {name: value for name, value in values.items() if value is not None}


def _read_documents(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Parse the settings files, weakest first, so that a broken one is named with its line."""
    documents = []
    for name in (SETTINGS_FILE, SECRETS_FILE):
        for file in (name, name.removesuffix(".toml") + ".local.toml"):
            path = folder / file
            text = ""
            try:
                text = path.read_bytes().decode()
                documents.append((file, _upper(tomllib.loads(text))))
            except FileNotFoundError:
                continue
            except tomllib.TOMLDecodeError as error:
                raise SettingsFileError(_toml_complaint(path, text, str(error))) from None
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsFileError(
                    f"{path} cannot be read: {reason(error)}; repair or remove it"
                ) from None
    return documents


def _toml_complaint(path: Path, text: str, message: str) -> str:
    found = re.search(r"at line (\d+)", message)
    line = int(found[1]) if found else max(1, len(text.splitlines()))
    what = re.sub(r" \(at .*\)$", "", message)
    return (
        f"{path}, line {line}: not valid TOML ({what}); put text values between double quotes, "
        "`nexustrader credentials template` shows the form"
    )


def _merge(
    folder: Path, documents: list[tuple[str, dict[str, Any]]], variables: Mapping[tuple[str, ...], str]
) -> dict[str, Any]:
    """Let Dynaconf put the files and then the variables one over the other. Secrets come out as Verbatim."""
    from dynaconf import Dynaconf  # type: ignore[attr-defined] # it ships no type information

    try:
        merged = Dynaconf(
            envvar_prefix=PREFIX.rstrip("_"),
            settings_files=[],
            loaders=[],
            environments=False,
            load_dotenv=False,
        )
        own = set(merged.as_dict())
        # Not by settings_files: Dynaconf would search parent folders for them, read `my[bot]` in a path as a
        # pattern, and keep only one of [bybit.live] and [BYBIT.TESTNET].
        for _, document in documents:
            merged.update(_shielded(document), merge=True)
        merged.update(_parsed(variables, merged))
        result: dict[str, Any] = merged.as_dict()
    except Exception as error:  # tidy: ok — its message may quote a value, so none of it may pass
        raise SettingsFileError(
            f"Dynaconf cannot merge the settings files in {folder / '.keys'} with the {PREFIX} variables "
            f"({type(error).__name__}); look for values that begin with @"
        ) from None
    return _upper({name: value for name, value in result.items() if name not in own})


def _parsed(variables: Mapping[tuple[str, ...], str], settings: Any) -> dict[str, Any]:
    """What variables say, tables before what is set in them. Secrets are taken as they are; empty ones are unset."""
    from dynaconf.utils.parse_conf import boolean_fix, parse_conf_data

    result: dict[str, Any] = {}
    for path, text in sorted(variables.items()):
        name = "__".join(path)
        if not is_secret(path[-1]):
            result[name] = _shielded(parse_conf_data(boolean_fix(text), tomlfy=True, box_settings=settings))
        elif text:
            result[name] = Verbatim(text)
    return result


def _shielded(data: Any) -> Any:
    """The same data with secret texts as Verbatim."""
    if not isinstance(data, Mapping):
        return data
    return {
        name: Verbatim(value) if isinstance(value, str) and is_secret(name.upper()) else _shielded(value)
        for name, value in data.items()
    }


def _upper(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same data with names in capitals; tables whose names differ in letter case only become one."""
    result: dict[str, Any] = {}
    for name, value in data.items():
        key, old = str(name).upper(), result.get(str(name).upper())
        if isinstance(value, Mapping):
            result[key] = {**(old if isinstance(old, dict) else {}), **_upper(value)}
        else:
            result[key] = value
    return result


def _at(data: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        data = data.get(part, ABSENT) if isinstance(data, Mapping) else ABSENT
    return data


def _put(data: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set, or with ABSENT remove, the value at `path`; a value in the way of a table stays."""
    for part in path[:-1]:
        inner = data.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        data = inner
    if value is ABSENT:
        data.pop(path[-1], None)
    else:
        data[path[-1]] = value
