"""Files and folders that only their owner may read, from the moment they exist."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_private_folder(path: Path) -> None:
    """Create `path` and its missing parents with mode 0700; a folder that exists stays as it is."""
    if not path.is_dir():
        make_private_folder(path.parent)
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)


def open_private(path: Path, flags: int) -> int:
    """Open `path` with mode 0600 and return the file descriptor; an existing file of ours is tightened."""
    descriptor = os.open(path, flags, FILE_MODE)
    status = os.fstat(descriptor)
    if status.st_mode & 0o077 and hasattr(os, "fchmod") and status.st_uid == os.geteuid():
        os.fchmod(descriptor, FILE_MODE)
    return descriptor
