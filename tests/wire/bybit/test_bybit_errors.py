"""The error table: complete, and each code concludes what may be concluded."""

from __future__ import annotations

import re

import pytest

from nexustrader.domain.outcome import Conclusion
from nexustrader.exchange.bybit import VENUE
from nexustrader.exchange.bybit.errors import ERRORS, RETRY_HINTS_MS
from nexustrader.venue.classify import conclude
from nexustrader.venue.spec import Reply

GROUPS = {
    "unknown outcome": Conclusion.UNKNOWN,
    "rate limit": Conclusion.REJECTED,
    "clock": Conclusion.REJECTED,
    "auth/config (fatal)": Conclusion.REJECTED,
    "duplicate id": Conclusion.UNKNOWN,
    "gone / too late": Conclusion.REJECTED,
    "busy, retry soon": Conclusion.UNKNOWN,
    "funds": Conclusion.REJECTED,
    "reduce-only": Conclusion.REJECTED,
    "price/size": Conclusion.REJECTED,
    "post-only": Conclusion.REJECTED,
    "limits": Conclusion.REJECTED,
    "symbol state": Conclusion.REJECTED,
    "already so": Conclusion.ACCEPTED,
    "mode conflict": Conclusion.REJECTED,
    "param": Conclusion.REJECTED,
}


def documented(text: str) -> dict[str, set[str]]:
    """The codes of the protocol's table, by group."""
    table = text.split("## 11. Error codes")[1].split("\n## ", maxsplit=1)[0]
    groups: dict[str, set[str]] = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) != 3 or cells[0] in ("group", "---"):
            continue
        codes: set[str] = set()
        said = cells[1].replace("−", "-").replace("–", "..")
        for first, last in re.findall(r"(\d{5,7})\.\.(\d{5,7})", said):
            codes |= {str(code) for code in range(int(first), int(last) + 1)}
        codes |= set(re.findall(r"-\d{1,4}|\d{3,7}", said))
        codes |= {"HTTP 403"} if "HTTP 403" in said else set()
        codes |= {"HTTP 429"} if "HTTP 5xx/timeouts/429" in said else set()
        groups[cells[0]] = codes - {"403"}
    return groups


def test_every_code_of_the_protocol_is_listed_and_concludes_what_its_group_does(testdata):
    groups = documented((testdata / "wire/bybit/PROTOCOL.md").read_text())
    assert groups.keys() == GROUPS.keys()
    assert sum(map(len, groups.values())) > 140
    wrong = {
        (group, code): ERRORS.get(code)
        for group, codes in groups.items()
        for code in codes
        if code not in ERRORS or ERRORS[code].conclusion is not GROUPS[group]
    }
    assert wrong == {}


@pytest.mark.parametrize("code", ["10003", "10004", "10005", "10010", "33004", "auth.refused"])
def test_a_key_that_is_refused_ends_a_start(code):
    assert ERRORS[code].fatal_auth


@pytest.mark.parametrize("code", ["10002", "-1", "auth.expired"])
def test_a_clock_that_is_off_is_set_and_the_request_sent_again(code):
    assert ERRORS[code].retry_after_sync
    assert ERRORS[code].conclusion is Conclusion.REJECTED


@pytest.mark.parametrize("code", ["110072", "170141", "10014"])
def test_a_duplicate_proves_an_earlier_copy_so_nothing_is_refused(code):
    assert ERRORS[code].conclusion is Conclusion.UNKNOWN
    assert "earlier copy" in ERRORS[code].meaning


@pytest.mark.parametrize("code", ["110001", "170213", "110010", "170142"])
def test_what_is_gone_is_not_found(code):
    assert VENUE.is_not_found(Reply(ok=False, status=200, code=code))
    assert not VENUE.is_not_found(Reply(ok=True, status=200))


def test_what_is_not_listed_concludes_nothing():
    reply = Reply(ok=False, status=200, code="999999")
    assert conclude(VENUE.spec, reply) is Conclusion.UNKNOWN
    assert not VENUE.is_not_found(reply)


def test_every_limit_says_how_long_to_wait():
    assert {code for code, rule in ERRORS.items() if rule.limit} == RETRY_HINTS_MS.keys()
