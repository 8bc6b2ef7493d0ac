"""What a venue can do is found by asking it, and the documents say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from nexustrader.cli.venues import BEGIN, END, put_in, table
from nexustrader.constants import DataType, ExchangeType, InstrumentType, OrderType, TimeInForce
from nexustrader.error import EngineBuildError
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.venue.capabilities import Capability, capabilities

DOCUMENTS = sorted((Path(__file__).parents[3] / "docs" / "venues").glob("*.md"))


def binance(account_type: BinanceAccountType) -> Capability:
    return next(one for one in capabilities(VENUE) if one.account_type is account_type)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_the_document_of_a_venue_has_the_table_that_the_venue_itself_gives(document: Path) -> None:
    text = document.read_text()
    assert put_in(text, table(ExchangeType(document.stem))) == text, "run `make docs`"


def test_there_are_documents() -> None:
    assert "binance" in [document.stem for document in DOCUMENTS]


def test_what_the_package_refuses_is_no_capability() -> None:
    spot, usdm = binance(BinanceAccountType.SPOT), binance(BinanceAccountType.USD_M_FUTURE)
    assert spot.instrument_type is InstrumentType.SPOT
    assert spot.orders[OrderType.POST_ONLY] == (TimeInForce.GTC,)
    assert (spot.amends, usdm.amends) == (False, True)
    assert (spot.reduces_only, usdm.reduces_only) == (False, True)
    assert DataType.FUNDING_RATE in usdm.streams
    assert DataType.FUNDING_RATE not in spot.streams
    assert "1s" in spot.streams[DataType.KLINE]
    assert "1s" not in usdm.streams[DataType.KLINE]


def test_only_live_accounts_that_a_connector_serves_are_listed() -> None:
    types = {one.account_type for one in capabilities(VENUE)}
    assert BinanceAccountType.SPOT in types
    assert not any(one.is_testnet or one.is_mock for one in types)


def test_a_table_is_put_between_its_marks_and_nowhere_else() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert put_in(text, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    with pytest.raises(EngineBuildError, match="no place for the table"):
        put_in("no marks", "new")
