"""Journal records as bytes and back, with a checksum: the one encoding that every journal uses."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from math import isfinite
from typing import Any

import msgspec

from nexustrader.domain import events as ev
from nexustrader.error import JournalError

RECORD_VERSION = 1  # raised when a record written before can no longer be read as the same type

_encoder = msgspec.json.Encoder()
_decoders: Mapping[int, msgspec.json.Decoder[ev.Record]] = {1: msgspec.json.Decoder(ev.Record)}


def encode(record: ev.Record) -> bytes:
    """JSON of one record. Raises JournalError for values that JSON cannot give back as they were."""
    try:
        body = _encoder.encode(record)
    except (TypeError, ValueError, OverflowError) as exc:
        raise JournalError(_refusal(record, str(exc))) from exc
    for name, value in (getattr(record, "params", None) or {}).items():
        if isinstance(value, float) and not isfinite(value):
            raise JournalError(_refusal(record, f"params[{name!r}] is infinite or not a number"))
    return body


def decode(version: int, body: bytes) -> ev.Record:
    """The record that `encode` was given. Raises JournalError when it cannot be read."""
    decoder = _decoders.get(version)
    if decoder is None:
        raise JournalError(
            f"a journal record has version {version}, and this program reads up to {RECORD_VERSION}; "
            "start the version that wrote it, or a newer one"
        )
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError) as exc:
        raise JournalError(
            f"a journal record cannot be read: {exc}; its first bytes are {body[:80]!r}"
        ) from exc


def checksum(seq: int, version: int, body: bytes) -> int:
    """CRC32 over a row's place and content: a row that was moved is damaged too."""
    return zlib.crc32(body, zlib.crc32(b"%d:%d" % (seq, version)))


def _refusal(record: Any, why: str) -> str:
    return f"a {type(record).__name__} cannot be journalled: {why}; nothing was written, correct the value"
