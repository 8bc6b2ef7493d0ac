"""`nexustrader explain`: the life of an order, from a journal that may be rotated, damaged or in use."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nexustrader.cli.explain import app
from nexustrader.cli.main import main
from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.order import OrderState, apply
from nexustrader.domain.outcome import Route
from nexustrader.domain.snapshot import Snapshot
from nexustrader.error import JournalError, OrderError
from nexustrader.kernel.clock import VirtualClock
from nexustrader.persistence.segments import segments
from nexustrader.persistence.sqlite import SqliteJournal

OID, OTHER = "17000000000000000042", "17000000000000010042"
SYMBOL, ACCOUNT = "BTCUSDT-PERP.BINANCE", "binance:USD_M_FUTURE"
START = 1_700_000_000_000
K, S = ev.EventKind, ev.Source


def submit(oid: str = OID, **changes: Any) -> ev.Submit:
    fields: dict[str, Any] = {
        "oid": oid,
        "account": ACCOUNT,
        "symbol": SYMBOL,
        "side": OrderSide.BUY,
        "type": OrderType.LIMIT,
        "amount": Decimal("0.015"),
        "price": Decimal("64250.10"),
        "route": Route.WS,
        "timestamp": START,
    }
    return ev.Submit(**(fields | changes))


def event(kind: ev.EventKind, source: ev.Source, after_ms: int, **changes: Any) -> ev.OrderEvent:
    return ev.OrderEvent(oid=OID, kind=kind, source=source, timestamp=START + after_ms, **changes)


FILL = ev.Fill(
    trade_id="991",
    price=Decimal(64250),
    amount=Decimal("0.005"),
    fee=Decimal("0.06"),
    fee_currency="USDT",
    timestamp=START + 7000,
)
LIFE = [
    submit(client_oid="mine"),
    submit(OTHER),
    event(K.UNKNOWN, S.LOCAL, 5000, reason="no ACK within 5 s"),
    event(K.ACCEPTED, S.QUERY, 5100, eid="7"),
    event(K.FILLED, S.STREAM, 7000, fill=FILL),
    event(K.FILLED, S.STREAM, 7000, fill=FILL),
    ev.Cancel(oid=OID, account=ACCOUNT, symbol=SYMBOL, timestamp=START + 9000),
    event(K.CANCEL_REJECTED, S.ACK, 9050, reason="Unknown order sent.", code="-2011"),
    ev.CancelAll(account=ACCOUNT, symbol=SYMBOL, oids=(OID, OTHER), timestamp=START + 9900),
    event(K.CANCELED, S.STREAM, 90_000_000, filled=Decimal("0.005")),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    """A journal with LIFE, open as an engine has it."""
    with SqliteJournal(path, "grid", "alice", {}, VirtualClock(START * 1_000_000)) as opened:
        opened.append_many(LIFE)
        yield opened


def explained(name: str, path: Path, width: int = 140) -> str:
    result = CliRunner(env={"COLUMNS": str(width)}).invoke(
        app, [name, "--db", str(path)], catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.output


def state(records: list[Any], oid: str = OID) -> OrderState:
    order: OrderState | None = None
    for record in records:
        if getattr(record, "oid", None) == oid and not isinstance(record, ev.CancelAll):
            order = apply(order, record).order
    assert order is not None
    return order


def snapshot(count: int) -> Snapshot:
    return Snapshot(seq=count, timestamp=START, orders=(state(LIFE[:count]), state(LIFE[:count], OTHER)))


def steps(text: str) -> list[list[str]]:
    """Rows of the table, split at its gaps."""
    rows = [line for line in text.splitlines() if line[:3].count(":") == 1 or line[2:3] == ":"]
    return [[cell.strip() for cell in row.split("  ") if cell.strip()] for row in rows]


def test_every_step_has_its_time_its_source_its_effect_and_its_cause(
    journal: SqliteJournal, path: Path
) -> None:
    text = explained(OID, path)
    assert f"Order {OID} (client_oid mine): BUY 0.015 {SYMBOL} LIMIT at 64250.10" in text
    assert "strategy grid" in text
    assert steps(text) == [
        ["22:13:20.000", "own command", "create BUY 0.015 LIMIT at 64250.10", "INITIALIZED"],
        [
            "22:13:25.000",
            "own conclusion",
            "in doubt: it may or may not have",
            "UNKNOWN",
            "no ACK within 5 s",
        ],
        ["22:13:25.100", "query", "live on the book", "ACCEPTED", "UNKNOWN (no ACK within 5 s) is refuted"],
        ["22:13:27.000", "stream", "filled 0.005 at 64250, fee 0.06 USDT", "PARTIALLY_FILLED 0.005/0.015"],
        ["22:13:27.000", "stream", "filled 0.005 at 64250, fee 0.06 USDT", "this was known already"],
        ["22:13:29.000", "own command", "cancel, by rest"],
        ["22:13:29.050", "reply", "cancel refused", "Unknown order sent. (code -2011)"],
        ["22:13:29.900", "own command", "cancel of all orders of"],
        ["23:13:20.000", "stream", "canceled, 0.005 in all", "CANCELED 0.005/0.015"],
    ]
    assert "2023-11-14" in text
    assert "2023-11-15" in text
    assert "Closed: CANCELED, 0.005 of 0.015 filled at 64250, fees 0.06 USDT" in text


def test_the_users_own_name_finds_the_order(journal: SqliteJournal, path: Path) -> None:
    assert explained("mine", path) == explained(OID, path)


def test_every_line_keeps_within_the_width(journal: SqliteJournal, path: Path) -> None:
    for width in (100, 140, 500):
        assert max(map(len, explained(OID, path, width).splitlines())) <= min(width, 140)


@pytest.mark.parametrize(
    ("name", "near"),
    [("0000000042", OID), ("minx", "mine"), (OID[:-1] + "3", OID), (OTHER[:16], OTHER)],
)
def test_unknown_order_is_an_error_that_names_those_alike(
    journal: SqliteJournal, path: Path, name: str, near: str
) -> None:
    with pytest.raises(OrderError, match=rf"order {name} is not in the journal .*did you mean .*{near}"):
        explained(name, path)


def test_unknown_order_without_any_alike_is_an_error(journal: SqliteJournal, path: Path) -> None:
    with pytest.raises(OrderError, match=r"order x is not in the journal .*, which knows 3 order"):
        explained("x", path)


def test_missing_database_is_an_error_that_says_which(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"no journal at .*none\.db; name the database file with --db"):
        explained(OID, tmp_path / "none.db")


def test_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database" * 500)
    with pytest.raises(JournalError, match=r"x\.db cannot be read"):
        explained(OID, tmp_path / "x.db")


def test_archived_records_are_told_as_if_they_were_still_there(journal: SqliteJournal, path: Path) -> None:
    whole = explained(OID, path)
    journal.rotate(snapshot(4))
    assert explained(OID, path) == whole
    journal.rotate(snapshot(7))
    assert explained(OID, path) == whole
    journal.close()
    assert explained(OID, path) == whole


def test_what_an_interrupted_rotation_leaves_is_told_once(journal: SqliteJournal, path: Path) -> None:
    whole = explained(OID, path)
    journal.rotate(snapshot(4))
    journal._closing.set()
    journal.rotate(snapshot(8))
    assert len(segments(path, "grid_alice")) == 1
    with sqlite3.connect(path) as connection:
        from nexustrader.persistence.segments import write_segment

        write_segment(connection, path, "grid_alice", 4, 8)
    connection.close()
    assert explained(OID, path) == whole


def test_a_life_whose_beginning_is_no_longer_kept_begins_with_the_snapshot(
    journal: SqliteJournal, path: Path
) -> None:
    journal.rotate(snapshot(4))
    (segment,) = segments(path, "grid_alice")
    segment.path.unlink()
    first, *rest = steps(explained(OID, path))
    assert first[1] == "snapshot"
    assert first[2].startswith("kept in a snapshot; what came before")
    assert first[3] == "ACCEPTED"
    assert len(rest) == 6
    assert steps(explained("mine", path))[0] == first


def test_facts_that_could_not_be_journalled_are_shown_as_the_snapshots_correction(
    journal: SqliteJournal, path: Path
) -> None:
    ended = state([*LIFE[:4], event(K.CANCELED, S.STREAM, 6000)])
    journal.rotate(Snapshot(seq=4, timestamp=START + 6500, orders=(ended,)))
    found = steps(explained(OID, path))
    assert (found[3][1], found[3][3]) == ("snapshot", "CANCELED")
    assert found[3][2].startswith("corrected by a snapshot: some facts")


def test_damaged_records_are_named_and_left_out(journal: SqliteJournal, path: Path) -> None:
    journal.rotate(snapshot(4))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE grid_alice_journal SET body = x'00' WHERE seq = 7")
    connection.close()
    (segment,) = segments(path, "grid_alice")
    segment.path.write_bytes(b"no database" * 500)
    text = explained(OID, path)
    assert "cache.db: record 7 is damaged; it is left out here" in text
    assert "cache.db.grid_alice.segment-4.db: file is not a database" in text
    assert "cancel, by rest" not in text
    assert "CANCELED 0.005/0.015" in text


def test_an_order_whose_beginning_could_not_be_journalled_is_told_as_far_as_it_is_known(
    path: Path,
) -> None:
    with SqliteJournal(path, "grid", "alice", {}, VirtualClock()) as journal:
        journal.append_many(LIFE[3:4])
    text = explained(OID, path)
    assert "its beginning is not in the journal" in text
    assert steps(text)[0][3] == "?"


def test_orders_of_several_strategies_are_all_searched(journal: SqliteJournal, path: Path) -> None:
    with SqliteJournal(path, "trend", "bob", {}, VirtualClock()) as other:
        other.append(submit("17000000000000000077", client_oid="theirs"))
        other.append(submit("17000000000000000078", client_oid="mine"))
    assert "trend, user bob" in " ".join(explained("theirs", path).split())
    both = " ".join(explained("mine", path).split())
    assert "strategy grid" in both
    assert "strategy trend" in both


def test_text_from_outside_does_not_command_the_terminal(path: Path) -> None:
    with SqliteJournal(path, "grid", "alice", {}, VirtualClock()) as journal:
        journal.append_many([submit(), event(K.REJECTED, S.ACK, 5, reason="\x1b[31mno [bold]money\x07")])
    text = explained(OID, path)
    assert "\x1b" not in text
    assert "[bold]money" in text


def test_journal_of_a_newer_version_is_refused(journal: SqliteJournal, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE grid_alice_header SET format = 99")
    connection.close()
    with pytest.raises(JournalError, match="a newer version wrote it"):
        explained(OID, path)


def test_command_is_found_and_its_errors_are_one_line(
    journal: SqliteJournal, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explain", "x", "--db", str(path)])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("nexustrader: order x is not in the journal")


@pytest.mark.slow
def test_another_process_explains_while_the_engine_writes(journal: SqliteJournal, path: Path) -> None:
    before = path.read_bytes()
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "nexustrader.cli.main", "explain", OID, "--db", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    assert "CANCELED 0.005/0.015" in child.stdout
    assert path.read_bytes() == before
    journal.append(LIFE[0])
