"""Downloads from Binance Vision: each file is verified by the checksum beside it, and goes on where it stopped."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import aiohttp

from nexustrader.data.binance_archive import BASE_URL, Archive, RemoteFile
from nexustrader.data.importing import sha256_of
from nexustrader.error import DataError

CHECKSUM_SUFFIX = ".CHECKSUM"
PART_SUFFIX = ".part"
BLOCK_BYTES = 1 << 18
FILE_BYTES_MAX = 64 << 30
CHECKSUM_BYTES_MAX = 4_096
ATTEMPTS_MAX = 5
IDLE_S_MAX = 60.0
RETRY_AFTER_S = 1.0
PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})

Told = Callable[[str, int, int | None], None]  # file, bytes so far, bytes in all if known


class Downloaded(NamedTuple):
    """The files in order of time, and the names of those that the archive does not have."""

    files: list[Path]
    absent: list[str]


class _Passing(Exception):  # noqa: N818 — a state of the network, and no error of ours
    """Something that may go away by itself."""


async def download(
    archive: Archive,
    first: date,
    last: date,
    folder: Path,
    *,
    base_url: str = BASE_URL,
    told: Told | None = None,
    retry_after_s: float = RETRY_AFTER_S,
) -> Downloaded:
    """Fetch what covers the days into `folder`. A file that is there and right is not fetched again.

    Where a month is not there, its days are fetched. Raises DataError when a file cannot be had, or is not what its
    checksum says; what was fetched before stays.
    """
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=IDLE_S_MAX, sock_read=IDLE_S_MAX)
    done = Downloaded([], [])
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
        fetcher = _Fetcher(session, base_url.rstrip("/"), folder, told, retry_after_s)
        for file in archive.files(first, last):
            path = await fetcher.fetch(file)
            if path is not None:
                done.files.append(path)
                continue
            days = list(archive.days_of(file, last)) if file.is_monthly else []
            for day in days:
                path = await fetcher.fetch(day)
                done.absent.append(day.name) if path is None else done.files.append(path)
            if not days:
                done.absent.append(file.name)
    if not done.files:
        raise DataError(
            f"{base_url} has none of the files, from {done.absent[0]} to {done.absent[-1]}; check the symbol "
            "and the days"
        )
    return done


class _Fetcher:
    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        folder: Path,
        told: Told | None,
        retry_after_s: float,
    ) -> None:
        self._session = session
        self._base_url = base_url
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._told = told
        self._retry_after_s = retry_after_s

    async def fetch(self, file: RemoteFile) -> Path | None:
        """The file, verified; None if there is none."""
        url = f"{self._base_url}/{file.path}"
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return await self._attempt(url, self._folder / file.name)
            except (_Passing, aiohttp.ClientError, TimeoutError) as error:
                if attempt == ATTEMPTS_MAX:
                    reason = str(error) or type(error).__name__
                    raise DataError(
                        f"{url} cannot be fetched: {reason}; run the same again, it goes on from here"
                    ) from None
            await asyncio.sleep(self._retry_after_s * attempt)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, url: str, path: Path) -> Path | None:
        expected = await self._checksum(url)
        if expected is None:
            return None
        if _has(path, expected):
            size = _size(path)
            self._tell(path.name, size, size)
            return path
        part = path.with_name(path.name + PART_SUFFIX)
        await self._body(url, part, path.name)
        found = sha256_of(part)
        if found != expected:
            part.unlink()
            raise _Passing(f"its SHA-256 is {found}, its checksum file says {expected}")
        part.replace(path)
        return path

    async def _checksum(self, url: str) -> str | None:
        async with self._session.get(url + CHECKSUM_SUFFIX) as response:
            if response.status == 404:
                return None
            _refuse(response)
            text = (await response.content.read(CHECKSUM_BYTES_MAX)).decode("ascii", "replace")
        digest = text.split()[0].lower() if text.split() else ""
        if len(digest) != hashlib.sha256().digest_size * 2 or not all(
            char in "0123456789abcdef" for char in digest
        ):
            raise DataError(f"{url}{CHECKSUM_SUFFIX} is no checksum: {text[:80]!r}; check the base URL")
        return digest

    async def _body(self, url: str, part: Path, name: str) -> None:
        """What is missing of the file; all of it where the server does not know how to go on."""
        had = _size(part)
        headers = {"Range": f"bytes={had}-"} if had else {}
        async with self._session.get(url, headers=headers) as response:
            if response.status == 416:  # the part is as long as the file, or longer
                return
            _refuse(response)
            is_rest = response.status == 206
            had = had if is_rest else 0
            total = None if response.content_length is None else had + response.content_length
            if total is not None and total > FILE_BYTES_MAX:
                raise DataError(
                    f"{url} has {total:,} bytes, more than {FILE_BYTES_MAX:,}; fetch shorter spans"
                )
            with part.open("ab" if is_rest else "wb") as file:
                async for block in response.content.iter_chunked(BLOCK_BYTES):
                    file.write(block)
                    had += len(block)
                    self._tell(name, had, total)

    def _tell(self, name: str, done: int, total: int | None) -> None:
        if self._told is not None:
            self._told(name, done, total)


def _has(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256


def _size(path: Path) -> int:
    """Bytes; 0 if there is no such file."""
    return path.stat().st_size if path.is_file() else 0


def _refuse(response: aiohttp.ClientResponse) -> None:
    if response.status in PASSING_STATUS:
        raise _Passing(f"HTTP {response.status}")
    if response.status >= 400:
        raise DataError(f"{response.url} answers HTTP {response.status}; check the base URL and the symbol")
