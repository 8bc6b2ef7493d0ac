"""Secrets that the whole suite trades with, and the search for them in whatever a test leaves behind.

A test's captured output and the files in its `tmp_path` must not hold one: a log line, a traceback, a journal or a
cache that does is a leak, whichever test it happens in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

API_KEY = "canaryKey" + "7" * 55
SECRET = "canarySecret" + "9" * 52
FILE_BYTES_MAX = 20_000_000

_watched: set[str] = {API_KEY, SECRET}


def watch(*secrets: str) -> None:
    """Look for these as well from now on (an emulator makes up its own)."""
    _watched.update(secrets)


def leaks(sections: Iterable[tuple[str, str]], folder: Path | None) -> list[str]:
    """Where a watched secret stands."""
    found = [f"captured {name}" for name, text in sections if any(secret in text for secret in _watched)]
    watched = [secret.encode() for secret in _watched]
    for path in _files(folder):
        content = path.read_bytes()
        if any(secret in content for secret in watched):
            found.append(str(path.name))
    return found


def _files(folder: Path | None) -> Iterator[Path]:
    if folder is None or not folder.is_dir():
        return
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= FILE_BYTES_MAX:
            yield path
