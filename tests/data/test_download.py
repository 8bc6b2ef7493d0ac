"""Downloads from an archive that a server on loopback stands for: verified, resumed, and absent files told."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from catalog_setup import kline_lines, zipped

from nexustrader.data.binance_archive import Archive
from nexustrader.data.catalog import Catalog
from nexustrader.data.download import Downloaded, download
from nexustrader.data.kinds import kind_of
from nexustrader.error import DataError

PERP, SPOT, COIN = "BTCUSDT-PERP.BINANCE", "BTCUSDT.BINANCE", "BTCUSD-PERP.BINANCE"
DAY = "spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-{:02}.zip"
MONTH = "spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01.zip"


# -- which files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "kind", "path"),
    [
        (SPOT, "kline_1m", "spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01.zip"),
        (PERP, "kline_1M", "futures/um/monthly/klines/BTCUSDT/1mo/BTCUSDT-1mo-2024-01.zip"),
        (PERP, "trade", "futures/um/monthly/trades/BTCUSDT/BTCUSDT-trades-2024-01.zip"),
        (PERP, "quote", "futures/um/monthly/bookTicker/BTCUSDT/BTCUSDT-bookTicker-2024-01.zip"),
        (PERP, "funding", "futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-01.zip"),
        (COIN, "agg_trade", "futures/cm/monthly/aggTrades/BTCUSD_PERP/BTCUSD_PERP-aggTrades-2024-01.zip"),
        (
            "BTCUSDT-240329.BINANCE",
            "trade",
            "futures/um/monthly/trades/BTCUSDT_240329/BTCUSDT_240329-trades-2024-01.zip",
        ),
    ],
)
def test_paths_of_the_archive(symbol: str, kind: str, path: str) -> None:
    files = list(Archive(symbol, kind_of(kind)).files(date(2024, 1, 1), date(2024, 1, 31)))
    assert [file.path for file in files] == [path]


def test_whole_months_are_taken_as_months_and_the_rest_as_days() -> None:
    files = Archive(SPOT, kind_of("kline_1m")).files(date(2024, 1, 30), date(2024, 3, 2))
    assert [file.name.removeprefix("BTCUSDT-1m-") for file in files] == [
        "2024-01-30.zip", "2024-01-31.zip", "2024-02.zip", "2024-03-01.zip", "2024-03-02.zip",
    ]  # fmt: skip
    funding = Archive(PERP, kind_of("funding")).files(date(2024, 1, 30), date(2024, 2, 1))
    assert [file.name for file in funding] == [
        "BTCUSDT-fundingRate-2024-01.zip",
        "BTCUSDT-fundingRate-2024-02.zip",
    ]


@pytest.mark.parametrize(
    ("symbol", "kind", "reason"),
    [
        ("BTCUSDT.OKX", "trade", "is not of Binance"),
        ("BTCUSDT", "trade", "must hold exactly one"),
        (SPOT, "quote", "no quote of spot symbols"),
        (PERP, "book_delta", "the archive has no book_delta; give a kline, or one of trade"),
    ],
)
def test_what_the_archive_does_not_have_is_refused(symbol: str, kind: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        Archive(symbol, kind_of(kind))
    with pytest.raises(DataError, match="has no day"):
        list(Archive(SPOT, kind_of("trade")).files(date(2024, 1, 2), date(2024, 1, 1)))


# -- fetching ----------------------------------------------------------------------------------------------------


class Mirror:
    """An archive on loopback. `cut` answers are cut short, `broken` ones fail, as often as is said."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.checksums: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.cut: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.url = ""
        self.knows_ranges = True
        self.forbidden: set[str] = set()

    def add(self, path: str, content: bytes) -> None:
        self.files[path] = content
        self.checksums[path] = f"{hashlib.sha256(content).hexdigest()}  {path.rpartition('/')[2]}\n"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.asked[path] += 1
        if path in self.forbidden:
            return web.Response(status=403)
        if self.broken[path]:
            self.broken[path] -= 1
            return web.Response(status=503)
        if path.endswith(".CHECKSUM"):
            text = self.checksums.get(path.removesuffix(".CHECKSUM"))
            return web.Response(status=404) if text is None else web.Response(text=text)
        content = self.files.get(path)
        if content is None:
            return web.Response(status=404)
        asked = request.headers.get("Range") if self.knows_ranges else None
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if asked:
            self.ranges.append(asked)
            if first >= len(content):
                return web.Response(status=416)
        response = web.StreamResponse(status=206 if asked else 200)
        response.content_length = len(content) - first
        await response.prepare(request)
        if self.cut[path]:
            self.cut[path] -= 1
            await response.write(content[first : first + (len(content) - first) // 2])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(content[first:])
        return response


@pytest.fixture
async def mirror() -> AsyncIterator[Mirror]:
    found = Mirror()
    app = web.Application()
    app.router.add_get("/{path:.*}", found.answer)
    server = TestServer(app)
    await server.start_server()
    found.url = str(server.make_url("/")).rstrip("/")
    yield found
    await server.close()


def day(number: int) -> bytes:
    return zipped("a.csv", "\n".join(kline_lines((number - 1) * 1_440, 1_440)).encode())


async def fetch(
    mirror: Mirror, folder: Path, last: int, told: list[tuple[str, int, int | None]] | None = None
) -> Downloaded:
    archive = Archive(SPOT, kind_of("kline_1m"))
    tell = None if told is None else (lambda *what: told.append(what))
    return await download(
        archive,
        date(2024, 1, 1),
        date(2024, 1, last),
        folder,
        base_url=mirror.url,
        told=tell,
        retry_after_s=0.0,
    )


pytestmark = pytest.mark.slow


async def test_files_are_fetched_verified_and_not_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    for number in (1, 2):
        mirror.add(DAY.format(number), day(number))
    told: list[tuple[str, int, int | None]] = []
    done = await fetch(mirror, tmp_path / "new", 2, told)
    assert [path.name for path in done.files] == ["BTCUSDT-1m-2024-01-01.zip", "BTCUSDT-1m-2024-01-02.zip"]
    assert [path.read_bytes() for path in done.files] == [day(1), day(2)]
    assert told[-1] == ("BTCUSDT-1m-2024-01-02.zip", len(day(2)), len(day(2)))
    assert not list(tmp_path.rglob("*.part"))
    assert await fetch(mirror, tmp_path / "new", 2) == done
    assert mirror.asked[DAY.format(1)] == 1
    catalog = Catalog(tmp_path / "c")
    assert sum(catalog.import_file(path, SPOT)[0].added for path in done.files) == 2_880


async def test_what_was_cut_goes_on_where_it_stopped(mirror: Mirror, tmp_path: Path) -> None:
    mirror.add(DAY.format(1), day(1))
    mirror.cut[DAY.format(1)] = 2
    done = await fetch(mirror, tmp_path, 1)
    assert done.files[0].read_bytes() == day(1)
    first = len(day(1)) // 2
    assert mirror.ranges == [f"bytes={first}-", f"bytes={first + (len(day(1)) - first) // 2}-"]


async def test_a_part_of_another_run_is_used(mirror: Mirror, tmp_path: Path) -> None:
    mirror.add(DAY.format(1), day(1))
    (tmp_path / "BTCUSDT-1m-2024-01-01.zip.part").write_bytes(day(1))
    assert (await fetch(mirror, tmp_path, 1)).files[0].read_bytes() == day(1)
    assert mirror.ranges == [f"bytes={len(day(1))}-"]


async def test_a_server_that_knows_no_ranges_sends_all_again(mirror: Mirror, tmp_path: Path) -> None:
    mirror.add(DAY.format(1), day(1))
    mirror.knows_ranges = False
    (tmp_path / "BTCUSDT-1m-2024-01-01.zip.part").write_bytes(day(1)[:1_000])
    told: list[tuple[str, int, int | None]] = []
    assert (await fetch(mirror, tmp_path, 1, told)).files[0].read_bytes() == day(1)
    assert told[-1] == ("BTCUSDT-1m-2024-01-01.zip", len(day(1)), len(day(1)))


async def test_a_file_that_was_harmed_is_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    mirror.add(DAY.format(1), day(1))
    path = (await fetch(mirror, tmp_path, 1)).files[0]
    path.write_bytes(day(1)[:-10])
    assert (await fetch(mirror, tmp_path, 1)).files[0].read_bytes() == day(1)


async def test_a_file_that_is_not_what_its_checksum_says_is_fetched_anew_and_then_refused(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.add(DAY.format(1), day(1))
    (tmp_path / "BTCUSDT-1m-2024-01-01.zip.part").write_bytes(b"something else")
    assert (await fetch(mirror, tmp_path, 1)).files[0].read_bytes() == day(1)
    mirror.files[DAY.format(2)], mirror.checksums[DAY.format(2)] = day(2), "0" * 64
    with pytest.raises(
        DataError, match=r"2024-01-02\.zip cannot be fetched: its SHA-256 is .*run the same again"
    ):
        await fetch(mirror, tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["BTCUSDT-1m-2024-01-01.zip"]


async def test_a_server_that_fails_for_a_while_is_asked_again(mirror: Mirror, tmp_path: Path) -> None:
    mirror.add(DAY.format(1), day(1))
    mirror.broken[DAY.format(1) + ".CHECKSUM"] = 2
    mirror.broken[DAY.format(1)] = 1
    assert len((await fetch(mirror, tmp_path, 1)).files) == 1
    mirror.forbidden.add(DAY.format(3) + ".CHECKSUM")
    with pytest.raises(DataError, match=r"03\.zip\.CHECKSUM answers HTTP 403; check the base URL"):
        await download(
            Archive(SPOT, kind_of("kline_1m")),
            date(2024, 1, 3),
            date(2024, 1, 3),
            tmp_path,
            base_url=mirror.url,
        )
    mirror.broken[DAY.format(2) + ".CHECKSUM"] = 99
    with pytest.raises(DataError, match="HTTP 503"):
        await fetch(mirror, tmp_path, 2)


async def test_days_stand_for_a_month_that_is_not_there_and_absent_ones_are_told(
    mirror: Mirror, tmp_path: Path
) -> None:
    for number in (1, 3):
        mirror.add(DAY.format(number), day(number))
    done = await fetch(mirror, tmp_path, 31)
    assert mirror.asked[MONTH + ".CHECKSUM"] == 1
    assert len(done.files) == 2
    assert done.absent == [
        f"BTCUSDT-1m-2024-01-{number:02}.zip" for number in range(1, 32) if number not in (1, 3)
    ]


async def test_an_archive_with_none_of_the_files_is_an_error(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"has none of the files, from BTCUSDT-1m-2024-01-01\.zip to .*02\.zip"
    ):
        await fetch(mirror, tmp_path, 2)


async def test_a_month_that_has_no_days_is_absent(mirror: Mirror, tmp_path: Path) -> None:
    funding = Archive(PERP, kind_of("funding"))
    with pytest.raises(
        DataError, match=r"from BTCUSDT-fundingRate-2024-01\.zip to BTCUSDT-fundingRate-2024-01"
    ):
        await download(funding, date(2024, 1, 1), date(2024, 1, 9), tmp_path, base_url=mirror.url)


async def test_a_page_in_place_of_a_checksum_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    mirror.checksums[DAY.format(1)] = "<html>welcome</html>"
    with pytest.raises(DataError, match="is no checksum: '<html>"):
        await fetch(mirror, tmp_path, 1)
