"""Where the journal is kept: a local database alone, one with a mirror, and a mirror after its machine was lost."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import msgspec

from postgres_server import Server

_numbers = count(1)


class Store(msgspec.Struct, frozen=True):
    """One way to keep it."""

    is_mirrored: bool = False
    is_lost: bool = False  # the local database, with the process


STORES = {
    "sqlite": Store(),
    "postgres": Store(is_mirrored=True),
    "postgres, machine lost": Store(is_mirrored=True, is_lost=True),
}


@contextlib.asynccontextmanager
async def mirror_on(server: Server | None) -> AsyncIterator[dict[str, str]]:
    """An empty database of its own as `crash_child.Spec.mirror`; without a server there is no mirror."""
    if server is None:
        yield {}
        return
    import asyncpg

    name = f"crash{next(_numbers)}"
    admin = await asyncpg.connect(
        host=str(server.folder), port=server.port, user="nexus", database="postgres"
    )
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        yield {"host": str(server.folder), "port": str(server.port), "user": "nexus", "database": name}
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


def remove_database(path: Path) -> None:
    """With its log, its locks and its archive."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
