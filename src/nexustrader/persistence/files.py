"""Database files that only their owner may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from nexustrader.kernel.log import get_logger
from nexustrader.kernel.private_files import FILE_MODE, open_private

_log = get_logger("Journal")


def create_private_file(path: Path) -> None:
    """Creates `path` with mode 0600 unless it exists. One that exists and is open to others gives a warning.

    An existing file is not opened: closing a database file would drop the locks that this process has on it.
    """
    try:
        os.close(open_private(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
    except FileExistsError:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~FILE_MODE:
            _log.warning(f"{path} has mode {mode:o} and is open to other users; run: chmod 600 {path}")
