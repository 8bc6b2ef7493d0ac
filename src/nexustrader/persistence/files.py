"""Files that only their owner may read, created with that mode: there is no moment at which they are open."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from loguru import logger

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


def make_private_directory(path: Path) -> None:
    """Creates `path` and its missing parents, each with mode 0700. What exists stays as it is."""
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)


def create_private_file(path: Path) -> None:
    """Creates `path` with mode 0600 unless it exists. One that exists and is open to others gives a warning.

    An existing file is not opened: closing a database file would drop the locks that this process has on it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    except FileExistsError:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~FILE_MODE:
            logger.warning("{} has mode {:o} and is open to other users; run: chmod 600 {}", path, mode, path)
