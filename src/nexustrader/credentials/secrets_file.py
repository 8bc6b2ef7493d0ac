"""Changes one value in `.keys/.secrets.toml` and leaves the rest as it is, comments included."""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nexustrader._settings_sources import SECRETS_FILE
from nexustrader.error import SettingsFileError
from nexustrader.kernel.private_files import make_private_folder, open_private

SECTION_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")

_HEADER = re.compile(r"\s*\[\s*(?P<name>[^\[\]]+?)\s*\]\s*(#.*)?$")
_KEY = re.compile(r"\s*(?P<key>[A-Za-z0-9_-]+)\s*=")
_NEW_FILE = (
    "# Credentials of this program. Only for its owner: never into version control, never into a chat.\n"
)


def store(folder: Path, settings_key: str, values: dict[str, str]) -> Path:
    """Write values of one section and return the path of the file, which is replaced in one step, mode 0600.

    The folder is created with mode 0700 and a `.gitignore` for all that is in it. Raises SettingsFileError when the
    file is damaged, or written in a form that cannot be changed safely; then it stays as it was.
    """
    path = (folder / SECRETS_FILE).resolve()
    if not path.parent.is_dir():
        make_private_folder(path.parent)
        with os.fdopen(open_private(path.parent / ".gitignore", os.O_WRONLY | os.O_CREAT), "w") as file:
            file.write("*\n")
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        text = _NEW_FILE
    except (OSError, UnicodeDecodeError):
        raise SettingsFileError(f"{path} cannot be read as UTF-8 text; repair or remove it") from None
    for name, value in values.items():
        text = with_value(text, settings_key, name, value)
    _replace(path, text)
    return path


def with_value(text: str, settings_key: str, name: str, value: str) -> str:
    """Return the TOML `text` with the value of `name` in the section `settings_key` set, and all else equal.

    Names are found in either letter case. Raises SettingsFileError when that cannot be done.
    """
    before = _parse(text)
    path = _spelled(before, settings_key.split("."))
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    section = _section(lines, path)
    if section is None:
        header = f"[{'.'.join(path)}]\n"
        lines += ["\n"] * bool(lines) + [header, f"{name} = {toml_text(value)}\n"]
    else:
        _set(lines, section, name, value)
    result = "".join(lines)
    try:
        after = _parse(result)
    except SettingsFileError:
        after = {}
    _put(before, path, name, value)
    if after != before:
        raise SettingsFileError(
            f"[{settings_key}] in {SECRETS_FILE} is written in a form that this command does not change (dotted "
            "names or inline tables); edit the file by hand"
        )
    return result


def toml_text(value: str) -> str:
    """Return `value` as a TOML basic string."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise SettingsFileError(
            f"{SECRETS_FILE} is not valid TOML; `nexustrader credentials list` names the line, repair it first"
        ) from None


def _spelled(document: dict[str, Any], names: list[str]) -> tuple[str, ...]:
    """The names as the document spells them already, else in capitals."""
    spelled = []
    table: Any = document
    for name in names:
        known = [key for key in table if key.upper() == name.upper()] if isinstance(table, dict) else []
        spelled.append(known[0] if known else name.upper())
        table = table[known[0]] if known else {}
    return tuple(spelled)


def _section(lines: list[str], path: tuple[str, ...]) -> range | None:
    """The line numbers between the header of the section and the next header."""
    headers = list(_headers(lines))
    for position, (number, name) in enumerate(headers):
        if name == path:
            end = headers[position + 1][0] if position + 1 < len(headers) else len(lines)
            return range(number + 1, end)
    return None


def _headers(lines: list[str]) -> Iterator[tuple[int, tuple[str, ...] | None]]:
    for number, line in enumerate(lines):
        if line.lstrip().startswith("["):
            found = _HEADER.match(line.rstrip("\r\n"))
            yield number, found and tuple(part.strip(" \t\"'") for part in found["name"].split("."))


def _set(lines: list[str], section: range, name: str, value: str) -> None:
    """Replace the value of `name` among the section's lines, or add it after the last of them."""
    for number in section:
        found = _KEY.match(lines[number])
        if found and found["key"].upper() == name.upper():
            end = _end_of_value(lines, number, section.stop)
            comment = _comment(lines[number]) if end == number + 1 else ""
            lines[number:end] = [f"{found[0]} {toml_text(value)}{comment}\n"]
            return
    last = max((number for number in section if lines[number].strip()), default=section.start - 1)
    lines.insert(last + 1, f"{name} = {toml_text(value)}\n")


def _end_of_value(lines: list[str], start: int, stop: int) -> int:
    """The line after a value, which may go over several lines."""
    for end in range(start + 1, stop + 1):
        if _is_toml("".join(lines[start:end])):
            return end
    return start + 1


def _comment(line: str) -> str:
    """The comment after a value on one line, with the space before it."""
    for found in re.finditer(r"\s*#", line):
        if _is_toml(line[: found.start()]):
            return line[found.start() :].rstrip("\r\n")
    return ""


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _put(document: dict[str, Any], path: tuple[str, ...], name: str, value: str) -> None:
    table = document
    for part in path:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            return
    known = [key for key in table if key.upper() == name.upper()]
    table[known[0] if known else name] = value


def _replace(path: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=".secrets-", dir=path.parent)  # its mode is 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:  # tidy: ok — whatever happens, no second copy of the secrets stays behind
        Path(temporary).unlink(missing_ok=True)
        raise
