"""`settings`: the settings files and `NEXUS_` variables as attributes, read on first use.

Importing this module looks whether one file is there and reads nothing. The files, `.env` and the variables
are read when a setting is first asked for, from the working directory of that moment. A variable wins over a
file. Names are found in either letter case. Values under secret names come as `Secret`.
"""

from __future__ import annotations

import functools
import os
import stat
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from nexustrader._settings_sources import (
    ABSENT,
    FILE_SUFFIX,
    LOCAL_SECRETS_FILE,
    SECRETS_FILE,
    Sources,
    Unreadable,
    read_dotenv,
    read_twin,
    variable_name,
)
from nexustrader._warn import warn_user
from nexustrader.error import SecretsFileWarning
from nexustrader.kernel.redaction import MASK
from nexustrader.kernel.secret import Reference, Secret, classify

CREDENTIAL_FIELDS = ("api_key", "secret", "passphrase")


class Found(NamedTuple):
    """A credential as looked up: value and origin. Without a value, origin says what stands in the way."""

    value: Secret | Reference | None
    origin: str


class Section:
    """One table of the settings: attributes, items and `get` in either letter case. Shows only names."""

    __slots__ = ("_path", "_values")

    def __init__(self, path: tuple[str, ...], values: Mapping[str, Any]) -> None:
        self._path = path
        self._values = values

    def find(self, name: str) -> Any:
        """Return the value under one name, a section for a table, or ABSENT."""
        value = self._values.get(name.upper(), ABSENT)
        return Section((*self._path, name.upper()), value) if isinstance(value, Mapping) else value

    def walk(self, path: Iterable[str]) -> Any:
        """Return the value at the end of `path`, or ABSENT."""
        value: Any = self
        for name in path:
            value = value.find(name) if isinstance(value, Section) else ABSENT
        return value

    def over(self, values: Mapping[str, Any]) -> Section:
        """Return this section with `values` in the place of its own."""
        return Section(self._path, {**self._values, **values})

    def __getattr__(self, name: str) -> Any:
        value = ABSENT if name.startswith("_") else self.find(name)
        if value is ABSENT or isinstance(value, Unreadable):
            path = (*self._path, name.upper())
            why = f": {value}" if isinstance(value, Unreadable) else ""
            raise AttributeError(
                f"no setting {'.'.join(path)}{why}; add it to {SECRETS_FILE} or set {variable_name(path)}"
            )
        return value

    def __getitem__(self, name: str) -> Any:
        value = self.get(name, ABSENT)
        if value is ABSENT:
            raise KeyError(".".join((*self._path, name.upper())))
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value at the dotted `name`, or `default`."""
        value = self.walk(name.split("."))
        return default if value is ABSENT or isinstance(value, Unreadable) else value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name, ABSENT) is not ABSENT

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> list[str]:
        """Return the names in this section, in capitals."""
        return list(self)

    def items(self) -> list[tuple[str, Any]]:
        """Return (name, value) of everything in this section that can be read."""
        return [(name, self[name]) for name in self if name in self]

    def as_dict(self) -> dict[str, Any]:
        """Return a plain dictionary for printing: secrets are masked in it."""
        return {
            name: value.as_dict()
            if isinstance(value, Section)
            else MASK
            if isinstance(value, Secret)
            else value
            for name, value in self.items()
        }

    def __repr__(self) -> str:
        return f"<settings {'.'.join(self._path) or 'of this program'}: {', '.join(self) or 'empty'}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "settings cannot be copied or pickled: they hold secrets; read them where they are used"
        )


class _Overlay(Section):
    """A section in which every nesting has the same credentials."""

    __slots__ = ()

    def find(self, name: str) -> Any:
        if name.lower() in CREDENTIAL_FIELDS:
            return self._values[name.upper()]
        return _Overlay((*self._path, name.upper()), self._values)


class Settings:
    """The settings of this program, read on first use. Raises SettingsFileError for a file it cannot read."""

    __slots__ = ("_dotenv", "_folder", "_lock", "_overlays", "_read")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._folder: Path | None = None
        self._dotenv: dict[str, str] | None = None
        self._read: tuple[Section, Sources] | None = None
        self._overlays: dict[str, _Overlay] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what inspectors ask for is not a reason to read files
            raise AttributeError(name)
        return getattr(self._view(), name)

    def __getitem__(self, name: str) -> Any:
        return self._view()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._view()

    def __iter__(self) -> Iterator[str]:
        return iter(self._view())

    def __repr__(self) -> str:
        return "<settings, not read yet>" if self._read is None else repr(self._view())

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "settings cannot be copied or pickled: they hold secrets; import them where they are used"
        )

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value at the dotted `name` in either letter case, or `default`."""
        return self._view().get(name, default)

    def as_dict(self) -> dict[str, Any]:
        """Return all settings as a plain dictionary for printing: secrets are masked in it."""
        return self._view().as_dict()

    def reload(self, folder: Path | str | None = None) -> None:
        """Read the files, `.env` and the variables again, now; from `folder` if it is given."""
        with self._lock:
            if folder is not None:
                self._folder = Path(folder).absolute()
            for name, value in (self._dotenv or {}).items():
                if os.environ.get(name) == value:
                    del os.environ[name]
            self._dotenv = self._read = None
            self._load()

    @property
    def folder(self) -> Path:
        """The folder the settings belong to: the working directory at first use."""
        with self._lock:
            if self._folder is None:
                self._folder = Path.cwd()
            return self._folder

    # -- credentials ----------------------------------------------------------------------------------------

    def overlay(self, venue: str, api_key: str, secret: str, passphrase: str | None = None) -> None:
        """Give every section under `venue` these throw-away credentials; the real ones are out of reach."""
        given = zip(CREDENTIAL_FIELDS, (api_key, secret, passphrase), strict=True)
        values = {field.upper(): None if value is None else Secret(value) for field, value in given}
        self._overlays[venue.upper()] = _Overlay((venue.upper(),), values)

    def remove_overlay(self, venue: str) -> None:
        """Undo `overlay`; nothing happens if there is none."""
        self._overlays.pop(venue.upper(), None)

    def overlaid(self, venue: str) -> dict[str, Secret | None] | None:
        """Return the throw-away credentials of `venue` by field, or None if it is not overlaid."""
        section = self._overlays.get(venue.upper())
        return None if section is None else {field: section.find(field) for field in CREDENTIAL_FIELDS}

    def credential(self, settings_key: str, field: str) -> Found:
        """Look up one field of the section `settings_key`. A missing one is a Found without value."""
        path = (*settings_key.upper().split("."), field.upper())
        value = self._view().walk(path)
        if isinstance(value, (Secret, Reference)):
            return Found(value, "emulation" if path[0] in self._overlays else self._load()[1].origin(path))
        return Found(None, str(value) if isinstance(value, Unreadable) else "")

    def credentials(self) -> list[tuple[str, str, Found]]:
        """Return (settings key, field, found) of every credential in the settings."""
        found: list[tuple[str, str, Found]] = []

        def collect(section: Section, path: tuple[str, ...]) -> None:
            for name in section:
                value = section.find(name)
                if isinstance(value, Section):
                    collect(value, (*path, name))
                elif path and name.lower() in CREDENTIAL_FIELDS:
                    key = ".".join(path)
                    found.append((key, name.lower(), self.credential(key, name)))

        collect(self._view(), ())
        return found

    def variable(self, name: str) -> Found:
        """Look up a variable, then its `_FILE` twin, after loading `.env`. An empty one counts as unset."""
        self._load_dotenv()
        if text := os.environ.get(name):
            return Found(classify(text), self._variable_origin(name))
        if path := os.environ.get(name + FILE_SUFFIX):
            value = read_twin(name + FILE_SUFFIX, path)
            if isinstance(value, Unreadable):
                return Found(None, str(value))
            return Found(value, self._variable_origin(name + FILE_SUFFIX))
        return Found(None, "")

    # -- reading --------------------------------------------------------------------------------------------

    def _view(self) -> Section:
        root, _ = self._load()
        return root.over(self._overlays) if self._overlays else root

    def _load(self) -> tuple[Section, Sources]:
        with self._lock:
            if self._read is None:
                self._load_dotenv()
                _warn_about_secrets_file(self.folder / SECRETS_FILE)
                _warn_about_secrets_file(self.folder / LOCAL_SECRETS_FILE, LOCAL_SECRETS_FILE)
                sources = Sources(self.folder, os.environ, self._variable_origin)
                self._read = Section((), sources.read()), sources
            return self._read

    def _load_dotenv(self) -> None:
        with self._lock:
            if self._dotenv is None:
                given = read_dotenv(self.folder / ".env")
                self._dotenv = {name: value for name, value in given.items() if name not in os.environ}
                os.environ.update(self._dotenv)

    def _variable_origin(self, name: str) -> str:
        from_dotenv = (self._dotenv or {}).get(name, ABSENT) == os.environ.get(name)
        return f"variable {name}" + (" from .env" if from_dotenv else "")


def _warn_about_secrets_file(path: Path | str, name: str = SECRETS_FILE, *, absence: bool = False) -> None:
    """Warn when the file's rights are loose and, if `absence` is set, when it is not there. One stat."""
    try:
        found = os.stat(path)  # noqa: PTH116 - importing must not build path objects it does not need
    except FileNotFoundError:
        if absence:
            warn_user(
                f"{SECRETS_FILE} is not there; going on without it. To store credentials run "
                "`nexustrader credentials set`, or set variables such as NEXUS_BYBIT__TESTNET__API_KEY; "
                "public data, mock and backtest need none",
                SecretsFileWarning,
            )
    except OSError:  # it is there but out of reach: told when settings are first used
        return
    else:
        if os.name == "posix" and found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            _warn_loose(name, found.st_dev, found.st_ino)


@functools.cache  # once for each file
def _warn_loose(name: str, *_identity: int) -> None:
    warn_user(f"{name} can be read by group or others; run: chmod 600 {name}", SecretsFileWarning)


settings = Settings()
if "sphinx" not in sys.modules:  # documentation is built without secrets
    _warn_about_secrets_file(SECRETS_FILE, absence=True)
