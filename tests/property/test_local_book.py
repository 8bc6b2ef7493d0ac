"""A local book is right whenever it says so, whatever is lost, repeated or out of order on the way."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexustrader.schema import BookOrderData
from nexustrader.venue.local_book import BookChange, BookRule, BookState, LocalBook, Todo

LEVELS = 5
MIDDLE = 100
SPOT = BookRule(levels=LEVELS, by_request=True, exact=False, snapshot_levels=12)
FUTURES = BookRule(levels=LEVELS, by_request=True, exact=True, snapshot_levels=12)
STREAMED = BookRule(levels=LEVELS, by_request=False, exact=True)
REFRESHED = BookRule(levels=LEVELS, by_request=True, exact=True, snapshot_levels=12, refresh_below=10)
RULES = {"refreshed": REFRESHED, "spot": SPOT, "futures": FUTURES, "streamed": STREAMED}

Side = dict[float, float]


@dataclass
class Source:
    """A venue's book: every update has an id, and a frame tells of one or more of them."""

    bids: Side = field(default_factory=lambda: {float(MIDDLE - 1 - n): 1.0 for n in range(20)})
    asks: Side = field(default_factory=lambda: {float(MIDDLE + 1 + n): 1.0 for n in range(20)})
    at: int = 10
    past: dict[int, tuple[Side, Side]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.past[self.at] = (dict(self.bids), dict(self.asks))

    def frame(self, updates: list[tuple[bool, int, int]]) -> BookChange:
        """Apply updates (is it a bid, how far from the middle, size), and tell of them in one frame."""
        after, changed = self.at, (dict[float, float](), dict[float, float]())
        for is_bid, distance, size in updates:
            self.at += 1
            price = float(MIDDLE - distance if is_bid else MIDDLE + distance)
            side = self.bids if is_bid else self.asks
            changed[0 if is_bid else 1][price] = float(size)
            if size:
                side[price] = float(size)
            else:
                side.pop(price, None)
            self.past[self.at] = (dict(self.bids), dict(self.asks))
        bids, asks = (list(one.items()) for one in changed)
        return BookChange(after, self.at, bids, asks, self.at)

    def snapshot(self, at: int, levels_max: int | None = 12) -> BookChange:
        """The book as of update `at`, at most so deep as a venue gives it."""
        bids, asks = ranked(self.past[at], levels_max)
        return BookChange(at, at, bids, asks, at, is_snapshot=True)


def ranked(book: tuple[Side, Side], levels: int | None) -> tuple[list[tuple[float, float]], ...]:
    bids, asks = book
    return sorted(bids.items(), reverse=True)[:levels], sorted(asks.items())[:levels]


def assert_right(book: LocalBook, source: Source) -> None:
    book.check()
    if book.state is BookState.OK:
        shown = tuple([(one.price, one.size) for one in side] for side in book.view())
        assert shown == ranked(source.past[book.last], LEVELS)


UPDATES = st.lists(st.tuples(st.booleans(), st.integers(1, 25), st.integers(0, 3)), min_size=1, max_size=4)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=300, deadline=None)
@given(
    frames=st.lists(UPDATES, min_size=1, max_size=30),
    fates=st.lists(
        st.sampled_from(["pass", "pass", "pass", "lose", "twice", "late"]), min_size=30, max_size=30
    ),
    lags=st.lists(st.integers(0, 8), min_size=30, max_size=30),
)
def test_while_it_is_ok_it_equals_the_venues_book(name, frames, fates, lags):
    rule, source = RULES[name], Source()
    book = LocalBook(rule)
    held: list[BookChange] = []
    if not rule.by_request:
        book.take(source.snapshot(source.at, None))
    for updates, fate, lag in zip(frames, fates, lags, strict=False):
        frame = source.frame(updates)
        late, held = held, []
        if fate == "late":
            held = [frame]
        arriving = {"pass": [frame], "lose": [], "twice": [frame, frame], "late": []}[fate] + late
        for change in arriving:
            todo = book.take(change)
            assert_right(book, source)
            if todo is Todo.FETCH or book.is_thin:
                then = max(10, source.at - lag)
                book.take(source.snapshot(then))
            elif todo is Todo.SUBSCRIBE_ANEW:
                book.restart("begun anew")
                book.take(source.snapshot(source.at, None))
                held = []
            assert_right(book, source)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=100, deadline=None)
@given(frames=st.lists(UPDATES, min_size=2, max_size=20), joins_at=st.integers(0, 40))
def test_without_faults_it_is_never_broken_and_ends_at_the_last_update(name, frames, joins_at):
    rule, source = RULES[name], Source()
    book = LocalBook(uncut(rule))
    changes = [source.frame(updates) for updates in frames]
    at = min(10 + joins_at, source.at)
    if rule.by_request:
        assert book.take(changes[0]) is Todo.FETCH
        for change in changes[1:]:
            assert book.take(change) is Todo.NOTHING
        assert book.take(source.snapshot(at, None)) is Todo.SHOW
    else:
        book.take(source.snapshot(10, None))
        for change in changes:
            assert book.take(change) is Todo.SHOW
    assert book.last == source.at
    assert_right(book, source)


def uncut(rule: BookRule) -> BookRule:
    return BookRule(levels=rule.levels, by_request=rule.by_request, exact=rule.exact)


# -- one fault at a time -------------------------------------------------------------------------------------


def filled(rule: BookRule, *, at: int = 10) -> tuple[LocalBook, Source]:
    source, book = Source(), LocalBook(rule)
    book.take(source.snapshot(at))
    return book, source


def one(source: Source, *, is_bid: bool = True, distance: int = 1, size: int = 2) -> BookChange:
    return source.frame([(is_bid, distance, size)])


@pytest.mark.parametrize(
    ("rule", "todo"), [(SPOT, Todo.FETCH), (FUTURES, Todo.FETCH), (STREAMED, Todo.SUBSCRIBE_ANEW)]
)
def test_a_lost_update_breaks_the_book_at_once(rule, todo):
    book, source = filled(rule)
    book.take(one(source))
    one(source)
    assert book.take(one(source)) is todo
    assert book.state is BookState.BROKEN
    assert "update 13 follows 12, but 11 is known" in book.reason


@pytest.mark.parametrize("rule", RULES.values())
def test_a_crossed_book_is_broken(rule):
    book, _ = filled(rule)
    crossing = BookChange(10, 11, [(101.0, 1.0)], [], 11)
    assert book.take(crossing) in (Todo.FETCH, Todo.SUBSCRIBE_ANEW)
    assert book.reason == "update 11: the best bid 101.0 is not below the best ask 101.0"


@pytest.mark.parametrize("rule", [SPOT, FUTURES])
def test_a_snapshot_that_is_older_than_the_first_change_is_asked_for_again(rule):
    source, book = Source(), LocalBook(rule)
    one(source)
    assert book.take(one(source)) is Todo.FETCH
    assert book.take(source.snapshot(10)) is Todo.FETCH
    assert book.state is BookState.BROKEN
    assert book.take(source.snapshot(11)) is Todo.SHOW
    assert book.last == 12


def test_a_snapshot_inside_a_frame_is_joined_by_that_frame():
    for rule in (SPOT, FUTURES):
        source, book = Source(), LocalBook(rule)
        frame = source.frame([(True, 1, 2), (True, 1, 0), (False, 1, 3)])
        book.take(frame)
        assert book.take(source.snapshot(12)) is Todo.SHOW
        assert (book.last, book.view()[1][0]) == (13, BookOrderData(101.0, 3.0))


def test_on_futures_a_frame_that_overlaps_the_one_before_is_in_the_wrong_order_and_on_spot_it_is_not():
    overlapping = BookChange(10, 13, [], [], 13)
    for rule, todo in ((SPOT, Todo.SHOW), (FUTURES, Todo.FETCH)):
        book, source = filled(rule)
        book.take(one(source))
        assert book.take(overlapping) is todo


def test_a_later_snapshot_in_the_stream_replaces_the_book_even_when_its_numbers_begin_anew():
    book, _ = filled(STREAMED)
    assert book.take(BookChange(1, 1, [(50.0, 1.0)], [(51.0, 2.0)], 1, is_snapshot=True)) is Todo.SHOW
    assert book.view() == ([BookOrderData(50.0, 1.0)], [BookOrderData(51.0, 2.0)])
    assert book.take(BookChange(1, 2, [(50.0, 0.0)], [], 2)) is Todo.SHOW


def test_in_a_stream_with_its_own_snapshots_older_numbers_say_that_a_snapshot_was_lost():
    book, _ = filled(STREAMED)
    assert book.take(BookChange(9, 10, [], [], 10)) is Todo.NOTHING  # told twice
    assert book.take(BookChange(1, 2, [], [], 2)) is Todo.SUBSCRIBE_ANEW


def test_changes_after_a_break_do_nothing_until_the_stream_begins_with_a_snapshot():
    book, source = filled(STREAMED)
    one(source)
    book.take(one(source))
    assert book.take(one(source)) is Todo.NOTHING
    book.restart("begun anew")
    assert book.take(one(source)) is Todo.NOTHING
    assert book.take(source.snapshot(source.at)) is Todo.SHOW


def test_a_market_that_leaves_what_the_snapshot_covered_breaks_the_book():
    book, source = filled(SPOT)  # 12 of the 20 levels
    for distance in range(1, 8):
        assert book.take(one(source, distance=distance, size=0)) is Todo.SHOW
    assert book.take(one(source, distance=8, size=0)) is Todo.FETCH
    assert "the market has left what the snapshot covers" in book.reason


def test_what_came_behind_a_gap_is_not_forgotten_while_another_snapshot_is_fetched():
    source, book = Source(), LocalBook(FUTURES)
    frames = [one(source) for _ in range(5)]
    for frame in (frames[0], frames[2], frames[3], frames[4]):
        book.take(frame)
    assert book.take(source.snapshot(10)) is Todo.FETCH
    assert book.take(source.snapshot(13)) is Todo.SHOW
    assert book.last == 15


def test_changes_that_a_snapshot_was_joined_by_do_not_come_back_at_the_next_one():
    source, book = Source(), LocalBook(REFRESHED)
    book.take(one(source))
    book.take(source.snapshot(10))
    for distance in range(2, 5):
        before = source.at
        book.take(one(source, distance=distance, size=0))
    assert book.is_thin
    assert book.take(source.snapshot(before - 1)) is Todo.NOTHING


def test_an_empty_level_of_a_snapshot_is_none():
    book = LocalBook(SPOT)
    book.take(BookChange(5, 5, [(2.0, 0.0), (1.0, 1.0)], [(3.0, 1.0)], 5, is_snapshot=True))
    assert book.view()[0] == [BookOrderData(1.0, 1.0)]


def test_a_book_that_is_getting_thin_is_refreshed_without_ever_being_bad():
    book, source = filled(REFRESHED)  # 12 of the 20 levels
    for distance in range(1, 4):
        assert book.take(one(source, distance=distance, size=0)) is Todo.SHOW
    assert book.is_thin
    behind = source.at - 1
    book.take(one(source, distance=4, size=0))
    assert book.take(source.snapshot(behind - 1)) is Todo.NOTHING  # older than the changes held
    assert book.take(source.snapshot(behind)) is Todo.SHOW
    assert (book.is_thin, book.last, book.state) == (False, source.at, BookState.OK)
    assert book.take(one(source, distance=5, size=0)) is Todo.SHOW
    assert_right(book, source)


def test_a_level_beyond_the_snapshots_range_is_not_kept():
    book, source = filled(SPOT)
    book.take(one(source, distance=15, size=9))
    for distance in range(1, 8):
        book.take(one(source, distance=distance, size=0))
    assert [level.price for level in book.view()[0]] == [92.0, 91.0, 90.0, 89.0, 88.0]
    assert book.take(one(source, distance=8, size=0)) is Todo.FETCH  # 85 is not the fifth: 87 and 86 are


def test_a_quiet_market_has_its_book_from_the_snapshot_alone():
    source, book = Source(), LocalBook(FUTURES)
    assert book.take(source.snapshot(10)) is Todo.SHOW
    assert book.take(one(source)) is Todo.SHOW


def test_a_change_that_ends_before_it_begins_breaks_the_book():
    book, _ = filled(SPOT)
    assert book.take(BookChange(30, 12, [], [], 12)) is Todo.FETCH


def test_a_bad_snapshot_is_not_shown():
    book = LocalBook(SPOT)
    assert book.take(BookChange(5, 5, [(2.0, 1.0)], [(1.0, 1.0)], 5, is_snapshot=True)) is Todo.FETCH
    assert book.reason.startswith("a snapshot is bad")
