from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from nexustrader.domain.account import BalanceBook
from nexustrader.domain.events import BalanceEvent


def word(asset: str, free: str, locked: str = "0", timestamp: int = 1) -> BalanceEvent:
    return BalanceEvent(
        account="binance:SPOT", asset=asset, free=Decimal(free), locked=Decimal(locked), timestamp=timestamp
    )


def test_a_word_is_absolute() -> None:
    book = BalanceBook()
    assert book.apply(word("USDT", "100", "5"))
    assert book.apply(word("USDT", "70", timestamp=2))
    assert (book.free("USDT"), book.total("USDT")) == (70, 70)


def test_an_older_word_never_overwrites_a_newer() -> None:
    book = BalanceBook()
    book.apply(word("USDT", "70", timestamp=5))
    assert not book.apply(word("USDT", "100", timestamp=4))
    assert book.free("USDT") == 70


def test_a_word_agrees_by_its_amounts_whatever_its_time() -> None:
    book = BalanceBook()
    book.apply(word("USDT", "70", "5", timestamp=5))
    assert book.agrees(word("USDT", "70", "5", timestamp=1))
    assert not book.agrees(word("USDT", "70", "6", timestamp=9))
    assert not book.agrees(word("BTC", "0"))


def test_of_two_words_of_one_time_the_later_counts() -> None:
    book = BalanceBook()
    book.apply(word("USDT", "70"))
    assert book.apply(word("USDT", "71"))
    assert book.free("USDT") == 71


def test_the_same_word_again_changes_nothing() -> None:
    book = BalanceBook()
    assert not book.apply(word("DUST", "0"))
    book.apply(word("USDT", "70"))
    assert not book.apply(word("USDT", "70", timestamp=9))
    assert not book.apply(word("USDT", "60", timestamp=8)), "but it is newer than what came before it"


def test_the_snapshot_is_a_copy() -> None:
    book = BalanceBook()
    book.apply(word("USDT", "70", "5"))
    book.apply(word("BTC", "1"))
    public = book.snapshot()
    public.balances["USDT"].free = Decimal(0)
    assert book.snapshot().balance_total == {"USDT": Decimal(75), "BTC": Decimal(1)}
    assert [event.asset for event in book] == ["USDT", "BTC"]


def test_an_asset_never_named_is_zero() -> None:
    assert BalanceBook().free("ETH") == BalanceBook().total("ETH") == 0


def test_a_balance_is_the_sum_of_its_wallets_and_each_has_a_word_of_its_own() -> None:
    book = BalanceBook()
    book.apply(word("USDT", "70", "5", timestamp=9))
    futures = replace(word("USDT", "30"), wallet="UM")
    assert book.apply(futures), "an earlier word, but of another wallet"
    assert (book.free("USDT"), book.total("USDT")) == (100, 105)
    assert book.snapshot().balances["USDT"].free == 100
    assert not book.agrees(replace(futures, free=Decimal(70), locked=Decimal(5)))
    assert book.snapshot().balances["USDT"].total == 105, "a snapshot changes nothing"
    assert [event.place for event in book] == ["USDT", "USDT (UM)"]
