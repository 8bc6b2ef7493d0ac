"""Instruments on disk, so that a start need not wait for the venue's list. A damaged file is as good as none."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from nexustrader.domain.instrument import Instrument
from nexustrader.kernel.log import get_logger

FORMAT = 1
AGE_MS_MAX = 86_400_000  # an older list is fetched before it is used

_log = get_logger("Instruments")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One list as it was fetched last. `version` grows with every change of it."""

    format: int = FORMAT
    version: int
    fetched_ms: int
    changed_ms: int
    instruments: tuple[Instrument, ...]

    def is_young(self, now_ms: int) -> bool:
        return 0 <= now_ms - self.fetched_ms <= AGE_MS_MAX


_decode = msgspec.json.Decoder(Kept).decode


class InstrumentStore:
    """A file for each list, named after where the list comes from. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, name: str) -> Kept | None:
        """The list of that name; None when there is none that can be used."""
        if self._folder is None:
            return None
        path = self._path(name)
        try:
            digest, _, body = path.read_bytes().partition(b"\n")
            if hashlib.sha256(body).hexdigest().encode() != digest:
                raise ValueError("its checksum does not fit")
            kept = _decode(body)
            if kept.format != FORMAT:
                raise ValueError(f"it has format {kept.format}")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:  # msgspec's errors are ValueError
            _log.warning(f"{path} is not used, the list is fetched instead: {error}")
            return None
        return kept

    def write(self, name: str, instruments: Iterable[Instrument], now_ms: int) -> Kept:
        """Keep a list that was fetched now. A disk that cannot be written costs the next start some time, no more."""
        before = self.read(name)
        listed = tuple(instruments)
        is_new = before is None or before.instruments != listed
        kept = Kept(
            version=(before.version if before is not None else 0) + is_new,
            fetched_ms=now_ms,
            changed_ms=now_ms if before is None or is_new else before.changed_ms,
            instruments=listed,
        )
        if self._folder is not None:
            try:
                self._replace(self._path(name), kept)
            except OSError as error:
                _log.warning(f"the instruments of {name} are not kept on disk: {error}")
        return kept

    def _replace(self, path: Path, kept: Kept) -> None:
        body = msgspec.json.encode(kept)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Race: another program may start up from the same folder: a file is there whole or not at all.
        whole = path.with_suffix(f".{os.getpid()}.new")
        whole.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        whole.replace(path)

    def _path(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{name}.json"


def store_name(exchange: str, account_type: str, origin: str) -> str:
    """The name of a list: lists of one venue from two places (a testnet, an emulator) are two."""
    return f"{exchange}-{account_type}-{hashlib.sha256(origin.encode()).hexdigest()[:12]}"


def changes(known: Mapping[str, Instrument], fresh: Mapping[str, Instrument]) -> list[Instrument]:
    """What has to be known anew: new and changed instruments, and those that are listed no more, as not active."""
    changed = [one for symbol, one in fresh.items() if known.get(symbol) != one]
    gone = [
        msgspec.structs.replace(one, active=False)
        for symbol, one in known.items()
        if symbol not in fresh and one.active
    ]
    return changed + gone


def told(before: Instrument | None, after: Instrument) -> str:
    """A change in words."""
    if before is None:
        return f"{after.symbol} is new"
    if not after.active:
        return f"{after.symbol} is listed no more: it takes no new orders"
    names = [name for name in after.__struct_fields__ if getattr(before, name) != getattr(after, name)]
    words = (f"{name} from {getattr(before, name)} to {getattr(after, name)}" for name in names)
    return f"{after.symbol} has changed: {', '.join(words)}"
