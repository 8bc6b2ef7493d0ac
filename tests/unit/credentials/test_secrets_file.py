"""Changing one value in the secrets file and nothing else."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.credentials.secrets_file import store, toml_text, with_value
from nexustrader.error import SettingsFileError
from workspace import Workspace

FILE = """\
# my keys
[BYBIT.TESTNET]  # demo
api_key = "old"   # of March
secret = 'old # not a comment'

  [okx.demo_1]
  Api_Key="old"
pem = \"\"\"
[not.a.header]
line
\"\"\"
[LAST]
x = 1"""


def change(text: str, key: str = "BYBIT.TESTNET", name: str = "api_key", value: str = "new") -> str:
    return with_value(text, key, name, value)


def test_a_value_is_replaced_where_it_stands_and_the_rest_stays() -> None:
    assert change(FILE) == FILE.replace('api_key = "old"', 'api_key = "new"') + "\n"


def test_a_value_with_a_number_sign_is_replaced_whole() -> None:
    assert change(FILE, name="secret") == FILE.replace("'old # not a comment'", '"new"') + "\n"


def test_spelling_and_indentation_of_the_file_are_kept() -> None:
    assert change(FILE, "OKX.DEMO_1") == FILE.replace('Api_Key="old"', 'Api_Key= "new"') + "\n"


def test_a_value_over_several_lines_is_replaced_whole() -> None:
    text = '[A.B]\nsecret = """\none\ntwo\n"""\napi_key = "k"\n'
    assert change(text, "A.B", "secret") == '[A.B]\nsecret = "new"\napi_key = "k"\n'


def test_a_missing_field_is_added_to_its_section() -> None:
    changed = change(FILE, name="passphrase")
    assert changed == FILE.replace("a comment'\n", 'a comment\'\npassphrase = "new"\n') + "\n"


def test_a_missing_section_is_added_at_the_end() -> None:
    assert change(FILE, "BINANCE.LIVE") == FILE + '\n\n[BINANCE.LIVE]\napi_key = "new"\n'


def test_a_new_section_takes_the_spelling_of_its_parent() -> None:
    assert change(FILE, "OKX.LIVE").endswith('[okx.LIVE]\napi_key = "new"\n')


def test_a_section_that_exists_only_as_a_parent_gets_its_own_header() -> None:
    text = "[A.B.C]\nx = 1\n"
    assert tomllib.loads(change(text, "A.B")) == {"A": {"B": {"C": {"x": 1}, "api_key": "new"}}}


@pytest.mark.parametrize(
    "text",
    [
        'BYBIT.TESTNET.api_key = "old"\n',
        '[BYBIT]\nTESTNET = {api_key = "old"}\n',
        '[BYBIT]\nTESTNET.api_key = "old"\n',
        'BYBIT = "text"\n',
        "[[BYBIT]]\nx = 1\n",
    ],
)
def test_forms_that_cannot_be_changed_safely_are_refused(text: str) -> None:
    with pytest.raises(SettingsFileError, match="by hand"):
        change(text)


def test_a_broken_file_is_refused() -> None:
    with pytest.raises(SettingsFileError, match="not valid TOML"):
        change("[BROKEN")


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
names = st.sampled_from(["A", "b", "C_1"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    sections = draw(
        st.dictionaries(st.tuples(names, names), st.dictionaries(names, text, max_size=3), max_size=4)
    )
    lines: list[str] = []
    for (outer, inner), values in sections.items():
        comment = draw(st.sampled_from(["", " # comment"]))
        lines.append(f"[{outer}.{inner}]{comment}")
        lines += [f"{name} = {toml_text(value)}{comment}" for name, value in values.items()]
        lines += [""] * draw(st.integers(0, 2))
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines)


def leaves(table: dict[str, object], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name.upper()))
        else:
            yield (*path, name.upper()), value


@given(text=documents(), key=st.tuples(names, names), name=names, value=text)
def test_whatever_the_file_only_the_one_value_changes(
    text: str, key: tuple[str, str], name: str, value: str
) -> None:
    changed = dict(leaves(tomllib.loads(with_value(text, ".".join(key), name, value))))
    expected = dict(leaves(tomllib.loads(text)))
    expected[key[0].upper(), key[1].upper(), name.upper()] = value
    assert changed == expected


@given(text)
def test_toml_text_is_read_back_as_it_was(value: str) -> None:
    assert tomllib.loads(f"x = {toml_text(value)}") == {"x": value}


# -- the file itself ------------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_and_file_are_private_from_the_start_whatever_the_umask(workspace: Workspace) -> None:
    old = os.umask(0)
    try:
        path = store(workspace.folder / "new", "A.B", {"api_key": "k", "secret": "s"})
    finally:
        os.umask(old)
    assert (mode(path), mode(path.parent), mode(path.parent / ".gitignore")) == (0o600, 0o700, 0o600)
    assert tomllib.loads(path.read_text()) == {"A": {"B": {"api_key": "k", "secret": "s"}}}
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert {entry.name for entry in path.parent.iterdir()} == {".gitignore", ".secrets.toml"}


def test_a_loose_file_becomes_private(workspace: Workspace) -> None:
    workspace.secrets(FILE, 0o644)
    assert mode(store(workspace.folder, "A.B", {"api_key": "k"})) == 0o600


def test_a_link_to_the_file_stays_a_link(workspace: Workspace) -> None:
    (workspace.folder / ".keys").mkdir()
    real = workspace.write("real.toml", "")
    workspace.secrets_file.symlink_to(real)
    store(workspace.folder, "A.B", {"api_key": "k"})
    assert workspace.secrets_file.is_symlink()
    assert "api_key" in real.read_text()


def test_a_refused_change_leaves_the_file_as_it_was(workspace: Workspace) -> None:
    workspace.secrets('A.B.api_key = "old"\n')
    with pytest.raises(SettingsFileError):
        store(workspace.folder, "A.B", {"api_key": "k"})
    assert workspace.secrets_file.read_text() == 'A.B.api_key = "old"\n'


def test_a_file_that_is_no_text_is_refused(workspace: Workspace) -> None:
    workspace.secrets("")
    workspace.secrets_file.write_bytes(b"\xff")
    with pytest.raises(SettingsFileError, match="UTF-8"):
        store(workspace.folder, "A.B", {"api_key": "k"})
