"""Where log lines go. A sink never raises: a full disk or a closed pipe must not stop trading."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from nexustrader.kernel.private_files import make_private_folder, open_private

if TYPE_CHECKING:
    import loguru

_URGENT_LEVEL = 30  # WARNING: not kept in a buffer


class StdoutSink:
    """Writes to whatever `sys.stdout` is at the moment."""

    def __init__(self, render: Callable[[loguru.Record], str]) -> None:
        self._render = render

    def write(self, message: loguru.Message) -> None:
        """Write one record."""
        line, stream = self._render(message.record), sys.stdout
        try:
            try:
                stream.write(line)
            except UnicodeEncodeError:
                encoding = stream.encoding
                stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, broken, or absent as under pythonw
            return


class FileSink:
    """Writes to a file of mode 0600, renamed to NAME.1, NAME.2, ... when it would exceed `bytes_max`.

    `flush_s` 0 writes each line through; else lines below WARNING may wait so long in memory.
    Raises OSError when the file cannot be opened at the start; later troubles cost lines, which are counted.
    """

    def __init__(
        self,
        path: Path,
        render: Callable[[loguru.Record], str],
        *,
        bytes_max: int = 0,
        backups_max: int = 5,
        flush_s: int = 0,
    ) -> None:
        self._path = path.absolute()  # the program may change its working directory
        self._render = render
        self._bytes_max = bytes_max
        self._backups_max = backups_max
        self._flush_s = flush_s
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._lost = 0
        make_private_folder(self._path.parent)
        self._file: TextIO | None = self._open()

    def write(self, message: loguru.Message) -> None:
        """Write one record."""
        line = self._render(message.record)
        with self._lock:
            try:
                self._write_line(line)
                if self._flush_s == 0 or message.record["level"].no >= _URGENT_LEVEL:
                    self._flush()
                else:
                    self._flush_later()
            except (OSError, ValueError):
                self._lost += 1

    def stop(self) -> None:
        """Flush and close."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if self._file is not None:
                try:
                    self._file.close()
                except OSError:
                    return

    def _write_line(self, line: str) -> None:
        if self._file is None:
            self._file = self._open()
        if (
            self._bytes_max
            and self._size + len(line.encode(errors="replace")) > self._bytes_max
            and self._size
        ):
            self._rotate()
        if self._lost:
            line = f"({self._lost} log lines were lost here: the file could not be written)\n{line}"
        self._file.write(line)
        self._size += len(line.encode(errors="replace"))
        self._lost = 0

    def _open(self) -> TextIO:
        descriptor = open_private(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._size = os.fstat(descriptor).st_size
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")

    def _rotate(self) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None
        for number in range(self._backups_max, 0, -1):
            older = self._path if number == 1 else self._backup(number - 1)
            if older.exists():
                older.replace(self._backup(number))
        if self._backups_max == 0:
            self._path.unlink(missing_ok=True)
        self._file = self._open()

    def _backup(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def _flush_later(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._flush_s, self._on_timer)
            self._timer.daemon = True
            self._timer.start()

    def _on_timer(self) -> None:
        with self._lock:
            self._timer = None
            try:
                self._flush()
            except (OSError, ValueError):
                self._lost += 1
