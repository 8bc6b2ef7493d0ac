"""The tables of one journal in an SQLite database: names, definitions, and the header that says whose it is.

Strategies may share a database file: every table name begins with the strategy and user. Names derived from
ids are the only text that is put into SQL; they are checked against a grammar, and all values are bound.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from nexustrader.error import JournalError

FORMAT_VERSION = 2
PREFIX_LENGTH_MAX = 100

# For each older format the statements that lead to the next one; "{p}" is the table prefix. Tables that are
# new in a format need none.
MIGRATIONS: Mapping[int, tuple[str, ...]] = {
    1: ("ALTER TABLE {p}_header ADD COLUMN snapshot_seq INTEGER NOT NULL DEFAULT 0",),
}

# `snapshot_seq`: the snapshot of that number and the rows above it are the journal; 0 while there is none.
# Snapshots of another number and rows up to it are what an interrupted rotation left.
_HEADER = """
CREATE TABLE IF NOT EXISTS {p}_header (
    id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, strategy_id TEXT NOT NULL,
    user_id TEXT NOT NULL, fingerprints TEXT NOT NULL, created_ms INTEGER NOT NULL,
    snapshot_seq INTEGER NOT NULL DEFAULT 0
)"""
_JOURNAL = """
CREATE TABLE IF NOT EXISTS {p}_journal (
    seq INTEGER PRIMARY KEY, version INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL
)"""
_QUARANTINE = """
CREATE TABLE IF NOT EXISTS {p}_quarantine (
    seq INTEGER, version INTEGER, crc INTEGER, body BLOB, quarantined_ms INTEGER
)"""
_SNAPSHOT = """
CREATE TABLE IF NOT EXISTS {p}_snapshot (
    seq INTEGER NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL, version INTEGER NOT NULL,
    crc INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (seq, part)
)"""
_PARAMS = "CREATE TABLE IF NOT EXISTS {p}_params (key TEXT PRIMARY KEY, value TEXT, timestamp INTEGER)"
_TABLES = (_HEADER, _JOURNAL, _QUARANTINE, _SNAPSHOT, _PARAMS)
SEGMENT_TABLES = (_HEADER, _JOURNAL, _SNAPSHOT)

READ_HEADER = "SELECT format, strategy_id, user_id, fingerprints FROM {p}_header"
WRITE_HEADER = "INSERT INTO {p}_header VALUES (1, ?, ?, ?, '{{}}', ?, 0)"
SET_FORMAT = "UPDATE {p}_header SET format = ?"
SET_FINGERPRINTS = "UPDATE {p}_header SET fingerprints = ?"
APPEND = "INSERT INTO {p}_journal VALUES (?, ?, ?, ?)"
READ_LAST = "SELECT seq, version, crc, body FROM {p}_journal WHERE seq > ? ORDER BY seq DESC LIMIT 1"
IS_USED = (
    "SELECT EXISTS (SELECT 1 FROM {p}_journal) OR EXISTS (SELECT 1 FROM {p}_quarantine) "
    "OR EXISTS (SELECT 1 FROM {p}_snapshot)"
)
READ_ROWS = "SELECT seq, version, crc, body FROM {p}_journal WHERE seq > ? AND seq <= ? ORDER BY seq"
READ_SNAPSHOT_SEQ = "SELECT snapshot_seq FROM {p}_header"
READ_LIFE = "SELECT created_ms FROM {p}_header"
READ_NEXT = "SELECT seq, version, crc, body FROM {p}_journal WHERE seq > ? ORDER BY seq LIMIT ?"
READ_CHECKSUMS = "SELECT seq, crc FROM {p}_journal WHERE seq BETWEEN ? AND ?"
SET_LIFE = "UPDATE {p}_header SET created_ms = ?"
CLEAR_ROWS = "DELETE FROM {p}_journal"
CLEAR_PARTS = "DELETE FROM {p}_snapshot"
SET_SNAPSHOT_SEQ = "UPDATE {p}_header SET snapshot_seq = ?"
READ_PARTS = "SELECT part, parts, version, crc, body FROM {p}_snapshot WHERE seq = ? ORDER BY part"
READ_PART = "SELECT part, parts, version, crc, body FROM {p}_snapshot WHERE seq = ? AND part = ?"
WRITE_PART = "INSERT INTO {p}_snapshot VALUES (?, ?, ?, ?, ?, ?)"
DELETE_OLD_ROWS = "DELETE FROM {p}_journal WHERE seq IN (SELECT seq FROM {p}_journal WHERE seq <= ? LIMIT ?)"
DELETE_OLD_PARTS = (
    "DELETE FROM {p}_snapshot WHERE rowid IN (SELECT rowid FROM {p}_snapshot WHERE seq <> ? LIMIT ?)"
)
COPY_HEADER = "INSERT INTO segment.{p}_header SELECT * FROM main.{p}_header"
COPY_PARTS = "INSERT INTO segment.{p}_snapshot SELECT * FROM main.{p}_snapshot WHERE seq = ?"
COPY_ROWS = "INSERT INTO segment.{p}_journal SELECT * FROM main.{p}_journal WHERE seq > ? AND seq <= ?"
QUARANTINE = "INSERT INTO {p}_quarantine SELECT seq, version, crc, body, ? FROM {p}_journal WHERE seq = ?"
DELETE = "DELETE FROM {p}_journal WHERE seq = ?"
READ_PARAMS = "SELECT key, value FROM {p}_params"
READ_PARAM_ROWS = "SELECT key, value, timestamp FROM {p}_params"
WRITE_PARAM = "INSERT OR REPLACE INTO {p}_params VALUES (?, ?, ?)"
DELETE_PARAM = "DELETE FROM {p}_params WHERE key = ?"

_UNSAFE = re.compile(r"[^a-zA-Z0-9]")
_GRAMMAR = re.compile(r"[a-z0-9_]+")


class Owner(msgspec.Struct, frozen=True):
    """Whose journal it is. `fingerprints`: account -> `account_fingerprint` of the key that trades it."""

    strategy_id: str
    user_id: str
    fingerprints: dict[str, str]


def account_fingerprint(api_key: str) -> str:
    """A hash by which an account is known again; the key cannot be found from it."""
    return hashlib.sha256(b"nexustrader account\0" + api_key.encode()).hexdigest()[:32]


def safe_table_name(name: str) -> str:
    """`name` in lower case with `_` for every character other than ASCII letters and digits.

    Raises JournalError when nothing usable is left, or too much.
    """
    safe = _UNSAFE.sub("_", name).lower()
    if not _GRAMMAR.fullmatch(safe) or not safe.strip("_") or len(safe) > PREFIX_LENGTH_MAX:
        raise JournalError(
            f"strategy and user id {name!r} give no table name; use 1 to {PREFIX_LENGTH_MAX} characters, "
            "among them letters or digits"
        )
    return safe


def is_prefix(text: str) -> bool:
    """True for what `safe_table_name` may give."""
    return bool(_GRAMMAR.fullmatch(text)) and len(text) <= PREFIX_LENGTH_MAX


def prepare(connection: sqlite3.Connection, prefix: str, owner: Owner, now_ms: int) -> None:
    """Creates or migrates the tables and checks that they are `owner`'s. All or nothing.

    Accounts that are new to the journal are added to its header. Raises JournalError when the journal
    belongs to another strategy, user or account, or to a newer version of this program.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _TABLES:
            connection.execute(statement.format(p=prefix))
        _check_header(connection, prefix, owner, now_ms)
    finally:
        # Whatever was not committed is the attempt at a journal that is not ours.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _check_header(connection: sqlite3.Connection, prefix: str, owner: Owner, now_ms: int) -> None:
    row = connection.execute(READ_HEADER.format(p=prefix)).fetchone()
    if row is None:
        stored = Owner(owner.strategy_id, owner.user_id, {})
        values = (FORMAT_VERSION, owner.strategy_id, owner.user_id, now_ms)
        connection.execute(WRITE_HEADER.format(p=prefix), values)
    else:
        found, stored = read_header(row)
        _migrate(connection, prefix, found)
        if not connection.execute(IS_USED.format(p=prefix)).fetchone()[0]:
            # A mistyped key never got as far as an order: the right one may take its place.
            stored = msgspec.structs.replace(stored, fingerprints={})
    check_owner(stored, owner)
    known = {**stored.fingerprints, **owner.fingerprints}
    connection.execute(SET_FINGERPRINTS.format(p=prefix), (msgspec.json.encode(known).decode(),))
    connection.execute("COMMIT")


def read_header(row: tuple[Any, ...]) -> tuple[int, Owner]:
    """Format and owner of a row of READ_HEADER. Raises JournalError."""
    try:
        fingerprints = msgspec.json.decode(row[3], type=dict[str, str])
        return msgspec.convert((row[0], Owner(row[1], row[2], fingerprints)), type=tuple[int, Owner])
    except (msgspec.MsgspecError, TypeError, ValueError) as exc:
        raise JournalError(
            f"the journal's header is damaged: {exc}; keep a copy of the file and restore a backup"
        ) from exc


def check_owner(stored: Owner, owner: Owner) -> None:
    """Raises JournalError when what is `stored` was not written by `owner`."""
    if (stored.strategy_id, stored.user_id) != (owner.strategy_id, owner.user_id):
        raise JournalError(
            f"the tables for strategy {owner.strategy_id!r} and user {owner.user_id!r} belong to strategy "
            f"{stored.strategy_id!r} and user {stored.user_id!r}; choose ids that differ in letters or digits"
        )
    for account, fingerprint in owner.fingerprints.items():
        if stored.fingerprints.get(account, fingerprint) != fingerprint:
            raise JournalError(
                f"this journal was written with another API key for account {account}: its orders may be "
                "another account's. Use the key it was written with, or another strategy_id, user_id or "
                "database file for the new account"
            )


def check_format(found: int) -> None:
    """Raises JournalError for what a newer version of this program wrote."""
    if found > FORMAT_VERSION:
        raise JournalError(
            f"the journal has format {found}, and this program writes format {FORMAT_VERSION}: a newer "
            "version wrote it. Start that version, or use another database file"
        )


def _migrate(connection: sqlite3.Connection, prefix: str, found: int) -> None:
    check_format(found)
    for version in range(found, FORMAT_VERSION):
        if version not in MIGRATIONS:
            raise JournalError(
                f"the journal has format {version}, which this program cannot convert; start the version "
                "that wrote it, or use another database file"
            )
        for statement in MIGRATIONS[version]:
            connection.execute(statement.format(p=prefix))
    connection.execute(SET_FORMAT.format(p=prefix), (FORMAT_VERSION,))
