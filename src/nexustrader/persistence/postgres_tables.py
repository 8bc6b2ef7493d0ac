"""The tables of a mirror in PostgreSQL. Names come from a checked prefix, every value is bound.

One owner has one set of tables; each life of a journal (the time of its creation) has rows of its own in them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from nexustrader.error import JournalError
from nexustrader.persistence.layout import is_prefix

NAME_LENGTH_MAX = 63  # PostgreSQL cuts longer names off, and two tables could become one
LONGEST_SUFFIX = "_quarantine"
DIGEST_LENGTH = 12

TABLES: Mapping[str, str] = {
    "_header": (
        "life BIGINT PRIMARY KEY, format INTEGER NOT NULL, strategy_id TEXT NOT NULL, user_id TEXT NOT NULL, "
        "fingerprints TEXT NOT NULL, snapshot_seq BIGINT NOT NULL"
    ),
    "_journal": (
        "life BIGINT NOT NULL, seq BIGINT NOT NULL, version INTEGER NOT NULL, crc BIGINT NOT NULL, "
        "body BYTEA NOT NULL, PRIMARY KEY (life, seq)"
    ),
    "_quarantine": "life BIGINT, seq BIGINT, version INTEGER, crc BIGINT, body BYTEA",
    "_snapshot": (
        "life BIGINT NOT NULL, seq BIGINT NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL, "
        "version INTEGER NOT NULL, crc BIGINT NOT NULL, body BYTEA NOT NULL, PRIMARY KEY (life, seq, part)"
    ),
    "_params": "key TEXT PRIMARY KEY, value TEXT NOT NULL, timestamp BIGINT NOT NULL",
}

HAS_TABLE = "SELECT to_regclass($1) IS NOT NULL"
LOCK = "SELECT pg_try_advisory_lock($1)"

READ_LIVES = (
    "SELECT life, format, strategy_id, user_id, fingerprints, snapshot_seq FROM {p}_header ORDER BY life DESC"
)
READ_LIFE = (
    "SELECT life, format, strategy_id, user_id, fingerprints, snapshot_seq FROM {p}_header WHERE life = $1"
)
WRITE_LIFE = (
    "INSERT INTO {p}_header VALUES ($1, $2, $3, $4, $5, 0) "
    "ON CONFLICT (life) DO UPDATE SET format = $2, fingerprints = $5"
)
SET_SNAPSHOT_SEQ = "UPDATE {p}_header SET snapshot_seq = $2 WHERE life = $1"
WRITE_ROWS = (
    "INSERT INTO {p}_journal SELECT $1, * FROM unnest($2::bigint[], $3::integer[], $4::bigint[], $5::bytea[]) "
    "ON CONFLICT DO NOTHING"
)
READ_CHECKSUMS = "SELECT seq, crc FROM {p}_journal WHERE life = $1 ORDER BY seq DESC LIMIT $2"
READ_CHECKSUM = "SELECT crc FROM {p}_journal WHERE life = $1 AND seq = $2"
READ_LAST_SEQ = "SELECT max(seq) FROM {p}_journal WHERE life = $1"
READ_ROWS = (
    "SELECT seq, version, crc, body FROM {p}_journal WHERE life = $1 AND seq > $2 ORDER BY seq LIMIT $3"
)
QUARANTINE = "INSERT INTO {p}_quarantine SELECT * FROM {p}_journal WHERE life = $1 AND seq > $2"
DELETE_ABOVE = "DELETE FROM {p}_journal WHERE life = $1 AND seq > $2"
DELETE_UPTO = "DELETE FROM {p}_journal WHERE life = $1 AND seq <= $2"
WRITE_PART = "INSERT INTO {p}_snapshot VALUES ($1, $2, $3, $4, $5, $6, $7)"
READ_PARTS = (
    "SELECT part, parts, version, crc, body FROM {p}_snapshot WHERE life = $1 AND seq = $2 ORDER BY part"
)
READ_PART_CHECKSUMS = "SELECT crc FROM {p}_snapshot WHERE life = $1 AND seq = $2 ORDER BY part"
DELETE_PARTS = "DELETE FROM {p}_snapshot WHERE life = $1 AND seq <> $2"
DELETE_PARTS_OF = "DELETE FROM {p}_snapshot WHERE life = $1 AND seq = $2"
READ_PARAMS = "SELECT key, value, timestamp FROM {p}_params"
WRITE_PARAM = (
    "INSERT INTO {p}_params VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET value = $2, timestamp = $3"
)
DELETE_PARAM = "DELETE FROM {p}_params WHERE key = $1"
OLD_LIVES = "SELECT life FROM {p}_header WHERE life < $1 ORDER BY life DESC OFFSET $2"
DELETE_LIFE = (
    "DELETE FROM {p}_header WHERE life = $1",
    "DELETE FROM {p}_journal WHERE life = $1",
    "DELETE FROM {p}_snapshot WHERE life = $1",
)


def table_prefix(prefix: str) -> str:
    """A prefix of which every table name is short enough; a long one keeps its beginning and gets a digest.

    Raises JournalError for what `layout.safe_table_name` would not give.
    """
    if not is_prefix(prefix):
        raise JournalError(f"{prefix!r} is no table prefix; it has only lower-case letters, digits and _")
    room = NAME_LENGTH_MAX - len(LONGEST_SUFFIX)
    if len(prefix) <= room:
        return prefix
    digest = hashlib.sha256(prefix.encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{prefix[: room - DIGEST_LENGTH - 1]}_{digest}"


def lock_key(prefix: str) -> int:
    """The number of the advisory lock of one owner: a signed 64-bit integer."""
    digest = hashlib.sha256(b"nexustrader mirror\0" + prefix.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
