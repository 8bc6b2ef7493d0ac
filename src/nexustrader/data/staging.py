"""All or nothing: files are made in a staging folder of the catalogue and moved to their places at the end.

Race: a process that dies while it stages leaves files that nothing points to; the next one sweeps them. One that
dies while it moves leaves the mark, which is written once every file is whole; the next one finishes the moving.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from nexustrader.error import DataError, JournalLockedError
from nexustrader.persistence.lock import WriterLock

FOLDER = ".staging"
LOCK = ".lock"
MARK = "commit"
SUFFIX = ".staged"  # so that nobody who looks for *.parquet finds what is not yet there


class CatalogBusyError(DataError):
    """Another process writes into the catalogue."""


class Staging:
    """The right to write into a catalogue, for the length of a `with`. What is not committed is gone afterwards.

    Raises CatalogBusyError when another process writes, DataError when the folder cannot be used.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / FOLDER
        self._files: dict[Path, Path] = {}  # where it belongs -> where it is
        self._lock: WriterLock | None = None

    def __enter__(self) -> Staging:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            self._lock = WriterLock(
                self._root / LOCK,
                f"writes into the catalogue {self._root}; try again when it has ended",
            )
            recover(self._root)
            self._folder.mkdir()
        except JournalLockedError as error:
            raise CatalogBusyError(str(error)) from error
        except OSError as error:
            raise DataError(f"the catalogue {self._root} cannot be written: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.release()

    def path(self, place: Path) -> Path:
        """Where to write the file that belongs at `place` (relative to the catalogue)."""
        path = self._folder / "files" / place.with_name(place.name + SUFFIX)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._files[place] = path
        return path

    def scratch(self, name: str) -> Path:
        """Where to write what is needed until the end only."""
        folder = self._folder / "scratch"
        folder.mkdir(exist_ok=True)
        return folder / name

    def drop(self, place: Path) -> None:
        """Leave the file at `place` as it is."""
        self._files.pop(place).unlink()

    def commit(self) -> None:
        """Put every file in its place, all or none also if the process dies in between."""
        if not self._files:
            return
        for path in self._files.values():
            _sync(path)
        mark = self._folder / MARK
        mark.touch()
        _sync(mark)
        _sync(self._folder)
        _move(self._root)
        self._files.clear()


def recover(root: Path) -> None:
    """Finish what was committed and sweep what was not. For the one who may write."""
    if (root / FOLDER / MARK).exists():
        _move(root)
    if (root / FOLDER).exists():
        shutil.rmtree(root / FOLDER)


def _move(root: Path) -> None:
    files = root / FOLDER / "files"
    # In order of their names a series' days go before its manifest: it never tells of a file that is not there.
    for path in sorted(files.rglob(f"*{SUFFIX}")):
        place = root / path.relative_to(files).with_name(path.name.removesuffix(SUFFIX))
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
    (root / FOLDER / MARK).unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
