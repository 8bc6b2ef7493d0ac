"""Precedence without I/O."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nexustrader._settings import Found
from nexustrader.credentials.resolve import first, plain_variables, settings_source_name, sources
from nexustrader.kernel.secret import classify


class Places:
    """Settings and variables that hold at most one value each."""

    def __init__(self, in_settings: Found, in_variable: Found) -> None:
        self.asked: list[str] = []
        self._settings, self._variable = in_settings, in_variable

    def credential(self, settings_key: str, field: str) -> Found:
        self.asked.append("settings")
        return self._settings

    def variable(self, name: str) -> Found:
        self.asked.append("variable")
        return self._variable


ABSENT = Found(None, "")
text = st.text(min_size=1, max_size=8)
places = st.one_of(st.just(ABSENT), text.map(lambda value: Found(classify(value), "there")))


@given(direct=st.none() | text, in_settings=places, in_variable=places)
def test_the_strongest_source_with_a_value_wins(
    direct: str | None, in_settings: Found, in_variable: Found
) -> None:
    given_directly = Found(classify(direct), "given directly") if direct else ABSENT
    found = first(sources(Places(in_settings, in_variable), "api_key", direct, "A.B", "X_API_KEY"))
    expected = next((each for each in (given_directly, in_settings, in_variable) if each.value), ABSENT)
    assert (found.value, found.origin) == expected


def test_weaker_sources_are_not_even_asked() -> None:
    asked = Places(Found(classify("s"), "settings"), ABSENT)
    assert first(sources(asked, "api_key", "d", "A.B", "X")).value == "d"
    assert asked.asked == []
    assert first(sources(asked, "api_key", None, "A.B", "X")).value == "s"
    assert asked.asked == ["settings"]


def test_an_empty_direct_value_counts_as_not_given() -> None:
    assert (
        first(sources(Places(Found(classify("s"), "settings"), ABSENT), "api_key", "", "A.B", None)).value
        == "s"
    )


def test_a_source_that_is_set_but_unreadable_ends_the_search() -> None:
    blocked = Places(Found(None, "variable X_FILE (no such file)"), Found(classify("weaker"), "variable"))
    found = first(sources(blocked, "api_key", None, "A.B", "X_API_KEY"))
    assert found.value is None
    assert found.blocked
    assert found.tried[-1] == "variable X_FILE (no such file)"


def test_every_source_in_vain_is_named() -> None:
    found = first(sources(Places(ABSENT, ABSENT), "secret", None, "A.B", "X_SECRET"))
    assert found.value is None
    assert found.tried == (
        "secret given directly",
        settings_source_name("A.B", "secret"),
        "variables X_SECRET and X_SECRET_FILE",
    )


def test_plain_variables_are_upper_case_unless_renamed() -> None:
    assert plain_variables("okx", {"secret": "my_secret"}) == {
        "api_key": "OKX_API_KEY",
        "secret": "my_secret",
        "passphrase": "OKX_PASSPHRASE",
    }
