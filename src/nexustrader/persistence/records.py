"""Journal records and snapshots as bytes and back, with checksums: the one encoding that every journal uses."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec

from nexustrader.domain import events as ev
from nexustrader.domain.snapshot import Snapshot
from nexustrader.error import JournalError

RECORD_VERSION = 1  # raised when a record written before can no longer be read as the same type
SNAPSHOT_VERSION = 1  # likewise
RECORD_BYTES_MAX = 1 << 20

_encoder = msgspec.json.Encoder()
_decoders: Mapping[int, msgspec.json.Decoder[ev.Record]] = {1: msgspec.json.Decoder(ev.Record)}
_read = _decoders[RECORD_VERSION].decode
_snapshot_decoders: Mapping[int, msgspec.json.Decoder[Snapshot]] = {1: msgspec.json.Decoder(Snapshot)}


def encode(record: ev.Record) -> bytes:
    """JSON of one record. Raises JournalError for what `decode` could not give back, and for a megabyte or more."""
    try:
        body = _encoder.encode(record)
        _read(body)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as exc:
        raise JournalError(_refusal(record, _infinite_param(record) or str(exc))) from exc
    if len(body) > RECORD_BYTES_MAX:
        raise JournalError(_refusal(record, f"it takes {len(body):,} bytes of {RECORD_BYTES_MAX:,} allowed"))
    return body


def encode_lines(records: Sequence[ev.Record]) -> bytes:
    """A line of JSON for each record, unchecked."""
    return _encoder.encode_lines(records)


def decode(version: int, body: bytes) -> ev.Record:
    """The record that `encode` was given. Raises JournalError when it cannot be read."""
    decoder = _decoders.get(version)
    if decoder is None:
        raise JournalError(_too_new("record", version, RECORD_VERSION))
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError) as exc:
        raise JournalError(
            f"a journal record cannot be read: {exc}; its first bytes are {body[:80]!r}"
        ) from exc


def decode_part(version: int, body: bytes) -> Snapshot:
    """The part of a snapshot that `domain.snapshot.encode` was given. Raises JournalError."""
    decoder = _snapshot_decoders.get(version)
    if decoder is None:
        raise JournalError(_too_new("snapshot", version, SNAPSHOT_VERSION))
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError) as exc:
        raise JournalError(f"a journal snapshot cannot be read: {exc}") from exc


def checksum(seq: int, version: int, body: bytes) -> int:
    """CRC32 over a row's place and content: a row that was moved is damaged too."""
    return zlib.crc32(body, zlib.crc32(b"%d:%d" % (seq, version)))


def part_checksum(seq: int, part: int, parts: int, version: int, body: bytes) -> int:
    """CRC32 over a snapshot part's place (`part` of 0 to `parts` - 1) and content."""
    return zlib.crc32(body, zlib.crc32(b"%d:%d:%d:%d" % (seq, part, parts, version)))


def _too_new(what: str, version: int, known: int) -> str:
    return (
        f"a journal {what} has version {version}, and this program reads up to {known}; "
        "start the version that wrote it, or a newer one"
    )


def _infinite_param(record: Any) -> str | None:
    params = getattr(record, "params", None)
    for name, value in params.items() if isinstance(params, dict) else ():
        if isinstance(value, float) and not isfinite(value):
            return f"params[{name!r}] is infinite or not a number"
    return None


def _refusal(record: Any, why: str) -> str:
    return f"a {type(record).__name__} cannot be journalled: {why}; nothing was written, correct the value"
