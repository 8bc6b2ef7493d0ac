"""A secret arrives as it was written: what Dynaconf would make of its text is never asked."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from nexustrader.config import BasicConfig
from nexustrader.constants import settings
from nexustrader.credentials.secrets_file import store
from nexustrader.error import SettingsFileError
from workspace import Workspace

TOKENS = (
    "@int 5",
    "@int five",
    "@int",
    "@float 1.5",
    "@bool true",
    "@str 5",
    "@none",
    "@json {",
    "@format {env[HOME]}",
    "@format {this.NOPE}",
    "@jinja {{ 1 + 1 }}",
    "@int @jinja {{ 1 }}",
    "@read_file /etc/hostname",
    "@get NOPE",
    "@upper x",
    "@path x",
    "@empty",
    "@note x",
    "@merge x",
    "@insert 0 x",
    "@reset x",
    "@del",
    "@",
    "@@x",
    "dynaconf_merge",
)
LOOKALIKES = (
    "12345678901234567890",
    "000123",
    "0x12",
    "1_000",
    "1e5",
    "inf",
    "nan",
    "true",
    "True",
    "false",
    "2020-01-01",
    "07:32:00",
    '"quoted"',
    "'quoted'",
    "'half' # a comment",
    '"a\\nb"',
    "[1, 2]",
    "{a = 1}",
    "{}",
    " spaces ",
    "a\nb",
)


@pytest.mark.parametrize("text", TOKENS + LOOKALIKES)
@pytest.mark.parametrize("field", ["api_key", "secret", "passphrase"])
def test_a_variable(workspace: Workspace, text: str, field: str) -> None:
    workspace.set(f"NEXUS_A__B__{field.upper()}", text)
    assert getattr(settings.A.B, field) == text
    assert getattr(BasicConfig(settings_key="A.B"), field) == text


@pytest.mark.parametrize("text", TOKENS + LOOKALIKES)
def test_a_value_that_was_stored(workspace: Workspace, text: str) -> None:
    store(workspace.folder, "A.B", {"secret": text})
    assert BasicConfig(settings_key="A.B").secret == text


@pytest.mark.parametrize("name", ["NEXUS_SECRET", "NEXUS_PG_PASSWORD", "NEXUS_a__My_Token"])
def test_a_secret_of_another_name_or_depth(workspace: Workspace, name: str) -> None:
    workspace.set(name, "@int 5")
    assert settings.get(name.removeprefix("NEXUS_").replace("__", ".")) == "@int 5"


def test_a_table_in_one_variable(workspace: Workspace) -> None:
    workspace.set("NEXUS_A", '{B = {api_key = "@int 5", secret = "@format {env[HOME]}"}}')
    config = BasicConfig(settings_key="A.B")
    assert (config.api_key, config.secret) == ("@int 5", "@format {env[HOME]}")


def test_a_variable_set_within_the_table_of_another(workspace: Workspace) -> None:
    workspace.set("NEXUS_A__B__SECRET", "0x12")
    workspace.set("NEXUS_A__B", '{api_key = "k"}')
    config = BasicConfig(settings_key="A.B")
    assert (config.api_key, config.secret) == ("k", "0x12")


def test_of_two_spellings_the_one_in_capitals(workspace: Workspace) -> None:
    workspace.set("NEXUS_a__b__secret", "@int 5")
    workspace.set("NEXUS_A__B__SECRET", "@int 6")
    assert settings.A.B.secret == "@int 6"


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_text(workspace: Workspace, text: str) -> None:
    workspace.set("NEXUS_A__B__SECRET", f"literal:{text}")
    settings.reload()
    assert settings.A.B.secret == text


def test_settings_that_are_no_secrets_are_read_as_dynaconf_reads_them(workspace: Workspace) -> None:
    workspace.secrets('[A]\nn = "@int 7"\nx = {a = 1}\n')
    for name, text in (
        ("B", "0x12"),
        ("C", "True"),
        ("A__X", "@merge {b = 2}"),
        ("D", "@format {env[HOME]}"),
    ):
        workspace.set(f"NEXUS_{name}", text)
    workspace.set("HOME", "/home/user")
    assert (settings.A.N, settings.B, settings.C, settings.D) == (7, 18, True, "/home/user")
    assert dict(settings.A.X.items()) == {"A": 1, "B": 2}
    workspace.set("NEXUS_E", "@int five")
    with pytest.raises(SettingsFileError, match="begin with @"):
        settings.reload()
