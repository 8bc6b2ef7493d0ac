"""Warnings that point at the user's line, however deep in the package they arise."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

_PACKAGE_FOLDER = str(Path(__file__).parent)
_GENERATED = ("<string>", "<frozen ")  # a dataclass's __init__, and the import system


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn, attributed to the nearest caller outside this package."""
    level, frame = 1, sys._getframe()  # noqa: SLF001 - before Python 3.12 there is no public way to find the caller
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_PACKAGE_FOLDER, *_GENERATED)):
        frame = frame.f_back
        if "importlib._bootstrap" not in frame.f_code.co_filename:  # stacklevel does not count these
            level += 1
    warnings.warn(message, category, stacklevel=level)
