"""A depth answer that comes behind newer updates does not undo them."""

from __future__ import annotations

import gzip
from pathlib import Path

from nexustrader.data.catalog import Catalog
from nexustrader.sim.kernel.touches import TouchReader

SYMBOL = "BTCUSDT.BINANCE"
T0_MS = 1_700_000_000_000
BOOK = '"bids":[["99.0","1.0"],["98.0","1.0"]],"asks":[["101.0","1.0"]]'


def update(ms: int, first: int, last: int, bids: str, asks: str) -> str:
    data = f'"e":"depthUpdate","E":{T0_MS + ms},"s":"BTCUSDT","U":{first},"u":{last},"b":{bids},"a":{asks}'
    return f'{(T0_MS + ms) * 10**6} {{"stream":"btcusdt@depth@100ms","data":{{{data}}}}}'


def test_updates_newer_than_a_late_answer_stay(tmp_path: Path) -> None:
    lines = [
        update(0, 99, 99, '[["98.0","1.0"]]', "[]"),
        update(100, 100, 101, '[["99.0","0"]]', "[]"),
        update(200, 102, 103, '[["97.0","1"]]', "[]"),
        f'{(T0_MS + 250) * 10**6} {{"lastUpdateId":99,{BOOK}}}',
        update(300, 104, 105, "[]", '[["101.0","3.0"]]'),
    ]
    file = tmp_path / "spot_btcusdt_20231114.gz"
    file.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    catalog = Catalog(tmp_path / "catalogue")
    catalog.import_file(file, SYMBOL)
    reader, touches = TouchReader(), []
    for part in catalog.depth(SYMBOL).parts():
        for run in part.runs():
            touches += zip(*(side.tolist() for side in reader.read(run)), strict=True)
    assert touches[-1] == (98.0, 101.0)
