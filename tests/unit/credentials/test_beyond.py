"""What is promised about credentials beyond the page, sentence by sentence."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from nexustrader.config import BasicConfig
from nexustrader.constants import ExchangeType, settings
from nexustrader.credentials.required import require_credentials
from nexustrader.error import CredentialsError, CredentialsWarning, SecretsFileWarning, SettingsFileError
from nexustrader.kernel.redaction import redact
from workspace import PAGE, Workspace

# -- settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["BYBIT.TESTNET", "bybit.testnet", "Bybit.TestNet"])
@pytest.mark.parametrize("field", ["api_key", "API_KEY", "Api_Key"])
def test_the_file_may_be_written_in_any_letter_case(workspace: Workspace, header: str, field: str) -> None:
    workspace.secrets(f'[{header}]\n{field} = "k"\n')
    assert BasicConfig(settings_key="BYBIT.TESTNET").api_key == "k"
    assert BasicConfig(settings_key="bybit.testnet").api_key == "k"
    assert settings.BYBIT.TESTNET.api_key == settings.bybit.testnet.API_KEY == "k"


def test_sections_may_be_nested_deeper(workspace: Workspace) -> None:
    workspace.secrets('[BINANCE.LIVE.ACCOUNT1]\napi_key = "one"\n[BINANCE.LIVE.ACCOUNT2]\napi_key = "two"\n')
    assert BasicConfig(settings_key="BINANCE.LIVE.ACCOUNT1").api_key == "one"
    assert BasicConfig(settings_key="BINANCE.LIVE.ACCOUNT2").api_key == "two"


def test_headers_that_differ_in_letter_case_only_are_one_section(workspace: Workspace) -> None:
    workspace.secrets('[bybit.live]\napi_key = "live"\n[BYBIT.TESTNET]\napi_key = "test"\n')
    assert (settings.BYBIT.LIVE.API_KEY, settings.BYBIT.TESTNET.API_KEY) == ("live", "test")


def test_dotenv_is_loaded_for_settings(workspace: Workspace) -> None:
    workspace.write(".env", "NEXUS_A__B__API_KEY=from dotenv\n")
    assert settings.A.B.api_key == "from dotenv"


def test_a_variable_wins_over_the_file(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    workspace.set("NEXUS_BYBIT__TESTNET__API_KEY", "from variable")
    assert BasicConfig(settings_key="BYBIT.TESTNET").api_key == "from variable"


def test_a_variable_wins_over_the_file_whatever_its_letter_case(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    workspace.set("NEXUS_bybit__testnet__api_key", "from variable")
    assert settings.BYBIT.TESTNET.api_key == "from variable"


def test_one_field_may_come_from_the_file_and_another_from_a_variable(workspace: Workspace) -> None:
    workspace.secrets('[A.B]\napi_key = "file"\n')
    workspace.set("NEXUS_A__B__SECRET", "variable")
    config = BasicConfig(settings_key="A.B")
    assert (config.api_key, config.secret) == ("file", "variable")


def test_a_missing_section_raises_attribute_error(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    with pytest.raises(AttributeError, match="BINANCE"):
        _ = settings.BINANCE
    with pytest.raises(AttributeError, match=r"BYBIT\.LIVE"):
        _ = settings.BYBIT.LIVE
    with pytest.raises(AttributeError, match="NEXUS_BYBIT__TESTNET__PASSPHRASE"):
        _ = settings.BYBIT.TESTNET.passphrase


def test_get_gives_a_default(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    assert settings.get("BYBIT.TESTNET.api_key") == "your_api_key"
    assert settings.get("bybit.live", "default") == "default"
    assert settings.get("NOPE") is None


def test_reload_reads_again(workspace: Workspace) -> None:
    assert settings.get("BYBIT") is None
    workspace.secrets(PAGE)
    assert settings.get("BYBIT") is None
    settings.reload()
    assert settings.BYBIT.TESTNET.api_key == "your_api_key"


def test_reload_follows_dotenv(workspace: Workspace) -> None:
    dotenv = workspace.write(".env", "NEXUS_A__B__API_KEY=old\n")
    assert settings.A.B.api_key == "old"
    dotenv.write_text("NEXUS_A__B__API_KEY=new\n")
    settings.reload()
    assert settings.A.B.api_key == "new"


# -- plain variables ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["BINANCE", "binance", "Binance"])
def test_the_prefix_may_be_in_any_letter_case(workspace: Workspace, prefix: str) -> None:
    workspace.set("BINANCE_API_KEY", "k")
    assert BasicConfig.from_env(prefix).api_key == "k"


def test_passphrase_var_renames_the_passphrase(workspace: Workspace) -> None:
    workspace.set("MY_PASSPHRASE", "p")
    assert BasicConfig.from_env("OKX", passphrase_var="MY_PASSPHRASE").passphrase == "p"


def test_a_missing_variable_leaves_none_without_a_warning(workspace: Workspace) -> None:
    config = BasicConfig.from_env("BINANCE")
    assert (config.api_key, config.secret, config.passphrase) == (None, None, None)


def test_dotenv_is_loaded_before_plain_variables_are_read(workspace: Workspace) -> None:
    workspace.write(".env", "BINANCE_API_KEY=from dotenv\nBINANCE_SECRET=from dotenv\n")
    workspace.set("BINANCE_SECRET", "from variable")
    config = BasicConfig.from_env("BINANCE")
    assert (config.api_key, config.secret) == ("from dotenv", "from variable")


def test_a_variable_wins_over_its_file_twin(workspace: Workspace) -> None:
    path = workspace.write("secret.txt", "from file\n")
    workspace.set("BINANCE_API_KEY_FILE", str(path))
    workspace.set("BINANCE_SECRET_FILE", str(path))
    workspace.set("BINANCE_SECRET", "from variable")
    config = BasicConfig.from_env("BINANCE")
    assert (config.api_key, config.secret) == ("from file", "from variable")


def test_a_file_twin_may_itself_stand_in_dotenv(workspace: Workspace) -> None:
    path = workspace.write("secret.txt", "from file")
    workspace.write(".env", f"BINANCE_API_KEY_FILE={path}\n")
    assert BasicConfig.from_env("BINANCE").api_key == "from file"


@pytest.mark.parametrize("field", ["API_KEY", "SECRET", "PASSPHRASE"])
def test_every_variable_has_a_file_twin(workspace: Workspace, field: str) -> None:
    path = str(workspace.write("secret.txt", "from file\n"))
    for name in (f"NEXUS_A__B__{field}_FILE", f"BINANCE_{field}_FILE", f"MY_{field}_FILE"):
        workspace.set(name, path)
    renamed = {f"{field.lower()}_var": f"MY_{field}"}
    assert getattr(BasicConfig(settings_key="A.B"), field.lower()) == "from file"
    assert getattr(BasicConfig.from_env("BINANCE"), field.lower()) == "from file"
    assert getattr(BasicConfig.from_env("X", **renamed), field.lower()) == "from file"


def test_a_file_twin_wins_over_the_settings_file(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    workspace.set("NEXUS_BYBIT__TESTNET__API_KEY_FILE", str(workspace.write("k", "twin")))
    assert BasicConfig(settings_key="BYBIT.TESTNET").api_key == "twin"


def test_an_unreadable_file_twin_warns_and_hides_weaker_sources(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    workspace.set("NEXUS_BYBIT__TESTNET__API_KEY_FILE", "/nonexistent")
    with pytest.warns(CredentialsWarning, match="NEXUS_BYBIT__TESTNET__API_KEY_FILE.*No such file"):
        config = BasicConfig(settings_key="BYBIT.TESTNET")
    assert (config.api_key, config.secret) == (None, "your_secret_key")


def test_an_empty_variable_counts_as_unset(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    workspace.set("NEXUS_BYBIT__TESTNET__API_KEY", "")
    workspace.set("BYBIT_PASSPHRASE", "")
    workspace.set("BYBIT_PASSPHRASE_FILE", str(workspace.write("p", "twin")))
    config = BasicConfig.from_env("BYBIT", settings_key="BYBIT.TESTNET")
    assert (config.api_key, config.passphrase) == ("your_api_key", "twin")


# -- values arrive as they were written -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    ["0x1f3a5c", "000123", "123456", "1e5", "true", "2020-01-01", "@none", "@int 5", "[1, 2]", "a#b", "a\nb"],
)
def test_a_variable_is_never_read_as_a_number(workspace: Workspace, value: str) -> None:
    workspace.set("NEXUS_A__B__SECRET", value)
    assert settings.A.B.secret == value
    assert BasicConfig(settings_key="A.B").secret == value


def test_an_account_number_without_quotes_is_text(workspace: Workspace) -> None:
    workspace.secrets("[BYBIT_TRADFI.DEMO]\napi_key = 12345678\n")
    assert BasicConfig(settings_key="BYBIT_TRADFI.DEMO").api_key == "12345678"


@pytest.mark.parametrize("value", ["0x" + "1f" * 32, "1.5", "true", '["a"]'])
def test_a_secret_in_the_file_that_is_no_text_is_refused(workspace: Workspace, value: str) -> None:
    workspace.secrets(f"[A.B]\nsecret = {value}\n")
    with pytest.raises(SettingsFileError, match=r"A\.B\.SECRET from \.keys/\.secrets\.toml.*quotes"):
        settings.get("A")


# -- no file, wrong key, broken file --------------------------------------------------------------------------


@pytest.mark.slow
def test_importing_constants_warns_once_and_creates_nothing(workspace: Workspace) -> None:
    code = """
import warnings
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    import nexustrader.constants, nexustrader.config, importlib
    from nexustrader.constants import settings
    settings.get("X")
print([(w.category.__name__, issubclass(w.category, UserWarning), w.filename) for w in told])
"""
    done = workspace.python(code)
    assert done.stdout == "[('SecretsFileWarning', True, '<string>')]\n"
    assert list(workspace.folder.iterdir()) == []


@pytest.mark.slow
def test_importing_constants_does_not_warn_under_sphinx(workspace: Workspace) -> None:
    done = workspace.python("import sys, types; sys.modules['sphinx'] = types; import nexustrader.constants")
    assert done.stderr == ""


@pytest.mark.slow
def test_importing_constants_does_not_import_dynaconf(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    done = workspace.python("import nexustrader.constants, sys; print('dynaconf' in sys.modules)")
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_settings_key_that_does_not_resolve_warns_exactly_once(workspace: Workspace) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        config = BasicConfig(settings_key="BINANCE.NOPE")
    assert len(told) == 1
    assert issubclass(told[0].category, UserWarning)
    assert told[0].category is CredentialsWarning
    assert told[0].filename == __file__
    text = str(told[0].message)
    assert "Could not resolve credentials" in text
    assert "BINANCE.NOPE" in text
    assert ".keys/.secrets.toml" in text
    assert "NEXUS_BINANCE__NOPE__API_KEY" in text
    assert (config.api_key, config.secret, config.passphrase) == (None, None, None)


def test_a_section_without_credentials_does_not_resolve(workspace: Workspace) -> None:
    workspace.secrets("[A.B]\nother = 1\n")
    with pytest.warns(CredentialsWarning):
        BasicConfig(settings_key="A.B")


def test_malformed_toml_names_file_and_line_when_first_used(workspace: Workspace) -> None:
    workspace.secrets('[BYBIT.TESTNET]\napi_key = "k"\nsecret = unquoted_canary\n')
    with pytest.raises(SettingsFileError) as caught:
        _ = settings.BYBIT
    text = str(caught.value)
    assert str(workspace.secrets_file) in text
    assert "line 3" in text
    assert "unquoted_canary" not in text
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.slow
def test_malformed_toml_does_not_fail_the_import(workspace: Workspace) -> None:
    workspace.secrets("[BROKEN")
    done = workspace.python("import nexustrader.constants; print('imported')")
    assert (done.stdout, done.stderr) == ("imported\n", "")


def test_a_malformed_file_is_told_at_its_end_too(workspace: Workspace) -> None:
    workspace.secrets('[A]\nb = """open\n')
    with pytest.raises(SettingsFileError, match="line 2"):
        settings.get("A")


def test_a_secrets_file_that_is_no_text_is_told(workspace: Workspace) -> None:
    workspace.secrets("")
    workspace.secrets_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsFileError, match="UTF-8"):
        settings.get("A")


def test_a_private_connector_without_credentials_lists_every_source_tried(workspace: Workspace) -> None:
    with pytest.warns(CredentialsWarning):
        config = BasicConfig.from_env("BINANCE", secret="canary_secret", settings_key="BINANCE.LIVE")
    with pytest.raises(CredentialsError) as caught:
        require_credentials(config, ExchangeType.BINANCE)
    text = str(caught.value)
    for source in (
        "given directly",
        ".keys/.secrets.toml",
        "NEXUS_BINANCE__LIVE__API_KEY",
        "NEXUS_BINANCE__LIVE__API_KEY_FILE",
        "BINANCE_API_KEY",
        "BINANCE_API_KEY_FILE",
    ):
        assert source in text
    assert "canary_secret" not in text
    assert redact(text) == text, "the names of sources reach the command line and the log whole"


def test_venues_with_a_passphrase_need_one(workspace: Workspace) -> None:
    config = BasicConfig("k", "s")
    assert require_credentials(config, ExchangeType.BINANCE).api_key == "k"
    with pytest.raises(CredentialsError, match=r"OKX.*passphrase"):
        require_credentials(config, ExchangeType.OKX)


# -- rights ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1), (0o644, 1)])
def test_a_secrets_file_that_group_or_others_can_read_warns_once(
    workspace: Workspace, mode: int, warned: int
) -> None:
    workspace.secrets(PAGE, mode)
    code = "from nexustrader.constants import settings; print(settings.BYBIT.TESTNET.api_key)"
    done = workspace.python(code)
    assert done.stdout == "your_api_key\n"
    assert done.stderr.count("SecretsFileWarning") == warned
    assert done.stderr.count("chmod 600") == warned


def test_reading_settings_elsewhere_warns_about_loose_rights_too(workspace: Workspace) -> None:
    workspace.secrets(PAGE, 0o644)
    with pytest.warns(SecretsFileWarning, match="group or others"):
        settings.get("X")


def test_a_local_secrets_file_with_loose_rights_warns_by_its_name(workspace: Workspace) -> None:
    local = workspace.folder / ".keys" / ".secrets.local.toml"
    workspace.secrets(PAGE)
    local.write_text(PAGE)
    local.chmod(0o644)
    with pytest.warns(SecretsFileWarning, match=r"secrets\.local\.toml can be read by group or others"):
        settings.get("X")


# -- the folder -----------------------------------------------------------------------------------------------


def test_the_folder_is_the_working_directory_at_first_use(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workspace.secrets(PAGE)
    assert settings.BYBIT.TESTNET.api_key == "your_api_key"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings.reload()
    assert settings.BYBIT.TESTNET.api_key == "your_api_key"


def test_parent_folders_are_not_searched(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.secrets(PAGE)
    workspace.write(".env", "NEXUS_A__B__API_KEY=k\nPLAIN_API_KEY=k\n")
    (workspace.folder / "below").mkdir()
    monkeypatch.chdir(workspace.folder / "below")
    assert settings.get("BYBIT") is None
    assert settings.get("A") is None
    assert BasicConfig.from_env("PLAIN").api_key is None


def test_a_folder_with_special_characters_works(workspace: Workspace) -> None:
    folder = workspace.folder / "my [bot], *;1"
    (folder / ".keys").mkdir(parents=True)
    (folder / ".keys" / ".secrets.toml").write_text('[A.B]\napi_key = "k"\n')
    (folder / ".keys" / ".secrets.toml").chmod(0o600)
    settings.reload(folder)
    assert settings.A.B.api_key == "k"


# -- several sources in files ---------------------------------------------------------------------------------


def test_settings_toml_is_read_too_and_the_secrets_file_wins(workspace: Workspace) -> None:
    workspace.secrets(PAGE)
    workspace.write(
        ".keys/settings.toml", 'PG_HOST = "db"\n[BYBIT.LIVE]\napi_key = "l"\n[BYBIT.TESTNET]\nsecret = "x"\n'
    )
    assert settings.PG_HOST == "db"
    assert settings.BYBIT.LIVE.api_key == "l"
    assert settings.BYBIT.TESTNET.secret == "your_secret_key"


def test_passwords_and_tokens_in_settings_are_masked_and_exact(workspace: Workspace) -> None:
    workspace.set("NEXUS_PG_PASSWORD", "0123")
    workspace.set("NEXUS_PG_PORT", "5432")
    assert settings.PG_PASSWORD == "0123"
    assert "0123" not in repr(settings.PG_PASSWORD)
    assert settings.PG_PORT == 5432


def test_git_sees_no_secret_file(workspace: Workspace) -> None:
    ignored = Path(__file__).parents[3] / ".gitignore"
    if not ignored.is_file():
        pytest.skip("not a checkout")
    assert {".keys/", ".env"} <= set(ignored.read_text().split())
