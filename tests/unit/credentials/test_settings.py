"""The settings object: what it shows, what it refuses, and its overlay for emulated venues."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from nexustrader.config import BasicConfig
from nexustrader.constants import ExchangeType, settings
from nexustrader.credentials.required import require_credentials
from nexustrader.error import SettingsFileError
from workspace import PAGE, Workspace


def test_sections_show_names_and_no_values(workspace: Workspace) -> None:
    assert repr(settings) == "<settings, not read yet>"
    workspace.secrets(PAGE)
    assert repr(settings.BYBIT.TESTNET) == "<settings BYBIT.TESTNET: API_KEY, SECRET>"
    assert repr(settings.BYBIT) == "<settings BYBIT: TESTNET>"
    assert "BYBIT, OKX" in repr(settings)


def test_as_dict_is_masked_and_fit_for_json(workspace: Workspace) -> None:
    workspace.secrets(PAGE + '[PLAIN]\nhost = "h"\nport = 1\n')
    shown = settings.as_dict()
    assert shown["BYBIT"] == {"TESTNET": {"API_KEY": "********", "SECRET": "********"}}
    assert shown["PLAIN"] == {"HOST": "h", "PORT": 1}
    assert "your_" not in json.dumps(shown)


def test_sections_behave_as_read_only_mappings(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    section = settings["okx"]["demo_1"]
    assert section["passphrase"] == "okx_passphrase"
    assert section.keys() == list(section) == ["API_KEY", "SECRET", "PASSPHRASE"]
    assert len(section) == 3
    assert dict(section.items())["SECRET"] == "okx_secret_key"
    assert "api_key" in section
    assert "nope" not in section
    assert "OKX.DEMO_1" in settings
    assert list(settings) == ["BYBIT", "OKX"]
    with pytest.raises(KeyError, match=r"OKX\.DEMO_1\.NOPE"):
        section["nope"]
    with pytest.raises(AttributeError):
        settings.FOO = 1


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_settings_and_sections_cannot_be_copied_or_pickled(workspace: Workspace, duplicate: object) -> None:
    workspace.secrets(PAGE)
    assert callable(duplicate)
    for each in (settings, settings.BYBIT):
        with pytest.raises(TypeError, match="hold secrets"):
            duplicate(each)


def test_inspection_reads_nothing(workspace: Workspace) -> None:
    workspace.secrets("[BROKEN")
    for name in ("__wrapped__", "_private", "__array__"):
        assert not hasattr(settings, name)
    with pytest.raises(SettingsFileError):
        settings.get("x")


def test_what_dynaconf_cannot_merge_is_told_without_the_value(workspace: Workspace) -> None:
    workspace.secrets('[A]\nn = "@int canary_value"\n')
    with pytest.raises(SettingsFileError) as caught:
        settings.get("A")
    assert "begin with @" in str(caught.value)
    assert "canary_value" not in str(caught.value)


def test_only_nexus_variables_are_settings(workspace: Workspace) -> None:
    workspace.set("DYNACONF_A__B__API_KEY", "k")
    assert settings.get("A") is None


def test_origin_names_file_variable_twin_or_dotenv(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    workspace.write(".keys/settings.toml", '[A.B]\napi_key = "k"\n')
    workspace.write(".env", "NEXUS_A__B__SECRET=s\n")
    workspace.set("NEXUS_A__B__PASSPHRASE_FILE", str(workspace.write("p", "p")))
    workspace.set("NEXUS_C", '{D={api_key="k"}}')
    workspace.set("PLAIN_API_KEY", "k")
    origins = {(key, field): found.origin for key, field, found in settings.credentials()}
    assert origins["BYBIT.TESTNET", "api_key"] == ".keys/.secrets.toml"
    assert origins["A.B", "api_key"] == ".keys/settings.toml"
    assert origins["A.B", "secret"] == "variable NEXUS_A__B__SECRET from .env"
    assert origins["A.B", "passphrase"] == "variable NEXUS_A__B__PASSPHRASE_FILE"
    assert origins["C.D", "api_key"] == "variable NEXUS_C"
    assert settings.variable("PLAIN_API_KEY").origin == "variable PLAIN_API_KEY"


# -- overlay --------------------------------------------------------------------------------------------------


def test_an_overlaid_venue_gives_throw_away_credentials_at_any_nesting_and_case(workspace: Workspace) -> None:
    settings.overlay("binance", "k", "s", "p")
    assert settings.BINANCE.DEMO.API_KEY == "k"
    assert settings.binance.live.account1.secret == "s"
    assert settings.BINANCE.api_key == "k"
    assert settings.BINANCE["live"]["PASSPHRASE"] == "p"
    assert settings.get("BINANCE.ANY.API_KEY") == "k"
    assert BasicConfig(settings_key="binance.whatever").secret == "s"


def test_real_values_of_an_overlaid_venue_are_out_of_reach(workspace: Workspace) -> None:
    workspace.secrets('[BINANCE.LIVE]\napi_key = "real"\nother = "real"\n[OKX.LIVE]\napi_key = "okx"\n')
    assert settings.BINANCE.LIVE.API_KEY == "real"
    settings.overlay("BINANCE", "k", "s")
    assert settings.BINANCE.LIVE.API_KEY == "k"
    assert settings.BINANCE.LIVE.other != "real"
    assert settings.as_dict()["BINANCE"] == {"API_KEY": "********", "SECRET": "********", "PASSPHRASE": None}
    assert [found.value for key, _, found in settings.credentials() if key.startswith("BINANCE")] == [
        "k",
        "s",
        None,
    ]
    settings.reload()
    assert settings.BINANCE.LIVE.API_KEY == "k"
    assert settings.OKX.LIVE.API_KEY == "okx"
    settings.remove_overlay("BINANCE")
    assert settings.BINANCE.LIVE.API_KEY == "real"


def test_a_private_connector_of_an_overlaid_venue_never_gets_real_credentials(workspace: Workspace) -> None:
    workspace.set("BINANCE_API_KEY", "real")
    configs = [BasicConfig.from_env("BINANCE"), BasicConfig("real", "real"), BasicConfig()]
    settings.overlay("BINANCE", "k", "s")
    for config in configs:
        found = require_credentials(config, ExchangeType.BINANCE)
        assert (found.api_key, found.secret, found.passphrase) == ("k", "s", None)
    assert require_credentials(BasicConfig("real", "real"), ExchangeType.BYBIT).api_key == "real"


def test_other_venues_and_settings_are_untouched_by_an_overlay(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    settings.overlay("BINANCE", "k", "s")
    assert settings.BYBIT.TESTNET.api_key == "your_api_key"
    with pytest.raises(AttributeError):
        _ = settings.BYBIT.LIVE
    assert not hasattr(settings.BINANCE, "__wrapped__")


@pytest.mark.parametrize("capitals_come_first", [True, False])
def test_of_two_spellings_of_a_variable_the_capitals_win(
    workspace: Workspace, capitals_come_first: bool
) -> None:
    names = ("NEXUS_BYBIT__TESTNET__API_KEY", "NEXUS_BYBIT__TESTNET__api_key")
    for name in names if capitals_come_first else reversed(names):
        workspace.set(name, f"key_of_{name[-7:]}")
    found = settings.credential("BYBIT.TESTNET", "api_key")
    assert (found.value, found.origin) == ("key_of_API_KEY", f"variable {names[0]}")
