"""Live frames into a catalogue: appended to a file as they come, and imported from there every now and then.

What `sync` has seen survives a process that dies: the next recorder of the same place finds the file and imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from nexustrader.data.importing import Imported, Origin, import_chunks
from nexustrader.data.kinds import NS_PER_DAY
from nexustrader.data.readers.recorded import read_frames
from nexustrader.data.readers.wish import Wish
from nexustrader.data.staging import CatalogBusyError
from nexustrader.error import DataError, JournalLockedError
from nexustrader.kernel.log import get_logger
from nexustrader.persistence.lock import WriterLock

FOLDER = ".recording"
OPEN, WHOLE, REFUSED = ".open", ".frames", ".refused"
DATA_PREFIX = b'{"stream":'  # of a frame with data; others answer subscriptions
BUFFER_BYTES = 1 << 16
SEGMENT_BYTES_MAX = 1 << 30
TORN_BYTES_MAX = 1 << 24  # of a last line; no frame is longer

_log = get_logger("Recorder")


class Recorded(NamedTuple):
    """What a recorder has done so far."""

    frames: int
    rows: int


class Recorder:
    """Records the frames of some symbols of one market.

    Give it frames by `on_frame`, `sync` often, `flush` now and then, and `close` it. `name` tells recorders of one
    catalogue apart. Raises DataError when another one has the same.
    """

    def __init__(self, root: Path, name: str, symbols: Sequence[str], now_ns: Callable[[], int]) -> None:
        self._root = root
        self._symbols = symbols
        self._now_ns = now_ns
        self._folder = root / FOLDER / name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = WriterLock(
                self._folder / "lock",
                f"records {name} into the catalogue {root}; stop it, or record elsewhere",
            )
        except JournalLockedError as error:
            raise DataError(str(error)) from error
        except OSError as error:
            raise DataError(f"{self._folder} cannot be written: {error}") from error
        self.frames = self.rows = 0
        self._file: BinaryIO | None = None
        self._bytes = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._is_open = True
        for left in self._folder.glob(f"*{OPEN}"):
            _end(left)
        self._work = self._pool.submit(self._import_all)

    def on_frame(self, raw: bytes) -> None:
        """One frame as it came."""
        if not raw.startswith(DATA_PREFIX):
            return
        now_ns = self._now_ns()
        if self._file is None:
            self._file = (self._folder / f"{now_ns}{OPEN}").open("ab", BUFFER_BYTES)
        self._bytes += self._file.write(b"%d %b\n" % (now_ns, raw.replace(b"\n", b" ")))
        self.frames += 1
        if self._bytes > SEGMENT_BYTES_MAX:
            self.flush()

    def sync(self) -> None:
        """Have what came until now in its file, where it outlives this process."""
        if self._file is not None:
            self._file.flush()

    def flush(self) -> None:
        """Have what came until now imported, on a thread of its own."""
        if self._file is not None:
            path = Path(self._file.name)
            self._file.close()
            self._file, self._bytes = None, 0
            path.rename(path.with_suffix(WHOLE))
        if not self._work.done():
            return  # the next flush takes what it has not seen
        error = self._work.exception()
        if error is not None:
            _log.error(f"what was recorded waits in {self._folder}: {error}")
        self._work = self._pool.submit(self._import_all)

    def close(self) -> Recorded:
        """Import the rest and let go; may be repeated. Raises what the last import raised."""
        if self._is_open:
            self._is_open = False
            try:
                wait([self._work])
                self.flush()
                self._work.result()
            finally:
                self._pool.shutdown()
                self._lock.release()
        return Recorded(self.frames, self.rows)

    def _import_all(self) -> None:
        for path in sorted(self._folder.glob(f"*{WHOLE}")):
            try:
                for symbol in self._symbols:
                    self.rows += sum(one.added for one in import_frames(self._root, path, symbol))
            except CatalogBusyError as error:
                _log.warning(f"{error}; what was recorded waits in {self._folder}")
                return
            except DataError as error:
                refused = path.rename(path.with_suffix(REFUSED))
                _log.error(f"{error}; the frames are kept in {refused}")
            else:
                path.unlink()


def import_frames(root: Path, path: Path, symbol: str) -> list[Imported]:
    """Import one file of recorded frames; it need not hold the symbol. All of a day count as one source."""
    day = int(path.stem) // NS_PER_DAY * NS_PER_DAY // 1_000_000_000
    origin = Origin(f"recorded {datetime.fromtimestamp(day, UTC).date().isoformat()}", "")
    chunks = read_frames(path, Wish(symbol, is_required=False))
    return import_chunks(root, symbol, chunks, origin, may_be_empty=True)


def _end(path: Path) -> None:
    """Make a file whole that a process which died has left: its last line may be torn."""
    with path.open("rb+") as file:
        size = path.stat().st_size
        start = file.seek(max(0, size - TORN_BYTES_MAX))
        file.truncate(start + file.read().rfind(b"\n") + 1)
    path.rename(path.with_suffix(WHOLE))
