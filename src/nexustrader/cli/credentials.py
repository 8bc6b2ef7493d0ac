"""`nexustrader credentials`: store, list and check credentials. No command ever shows a value."""

from __future__ import annotations

import getpass
import sys
import warnings
from typing import TYPE_CHECKING

import typer

from nexustrader.error import CredentialsError, CredentialsWarning, SecretsFileWarning
from nexustrader.kernel.secret import Reference, Secret

if TYPE_CHECKING:
    from nexustrader._settings import Found, Settings

app = typer.Typer(
    name="credentials",
    help="Store, list and check API credentials. Values are never shown.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

KEYRING_SERVICE = "nexustrader"
VALUE_CHARS_MAX = 65_536


@app.callback()
def _about() -> None:
    warnings.simplefilter("ignore", SecretsFileWarning)  # these commands tell about the file themselves


@app.command(name="list")
def list_credentials() -> None:
    """Name the credentials that are set, field by field, and where each comes from."""
    settings = _settings()
    rows = [(key, field, _origin(found)) for key, field, found in settings.credentials()]
    rows += _plain_variables(settings)
    if not rows:
        print(
            f"no credentials in {settings.folder}; store some with: nexustrader credentials set BYBIT.TESTNET"
        )
        return
    for key, field, origin in [("SETTINGS KEY", "FIELD", "ORIGIN"), *rows]:
        print(f"{key:<32} {field:<11} {origin}")


@app.command()
def check(
    settings_keys: list[str] | None = typer.Argument(None, help="Such as BYBIT.TESTNET; all if left out."),
) -> None:
    """Fetch every reference, look whether keys are complete and readable, and who else can read the file.

    Programs named by cmd: references are run. Exit code 2 when something is wrong.
    """
    settings = _settings()
    keys = settings_keys or sorted({key for key, _, _ in settings.credentials()})
    problems = _loose_rights(settings)
    for key in keys:
        try:
            print(f"{key:<32} ok, {_usable(key)}")
        except CredentialsError as error:
            problems.append(f"{key}: {error}")
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    if not keys:
        print("no credentials to check; public data, mock and backtest need none")
    if problems:
        raise typer.Exit(2)


@app.command(name="set", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def set_credentials(
    context: typer.Context,
    settings_key: str = typer.Argument(help="Such as BYBIT.TESTNET."),
    field: str | None = typer.Argument(
        None, help="api_key, secret or passphrase; all, one by one, if left out."
    ),
    keyring: bool = typer.Option(False, "--keyring", help="Put the value into this machine's keyring."),
) -> None:
    """Store credentials in .keys/.secrets.toml. Each is asked for unseen, or read from stdin, e.g. from a file.

    A value may be a reference such as env:NAME or file:/run/secrets/x.
    """
    from nexustrader._settings import CREDENTIAL_FIELDS
    from nexustrader._settings_sources import SECRETS_FILE, variable_name
    from nexustrader.credentials.secrets_file import SECTION_NAME, store

    if context.args or (field is not None and field.lower() not in CREDENTIAL_FIELDS):
        # What stands there may be the secret itself: it is not repeated.
        raise CredentialsError(
            "after the settings key comes api_key, secret or passphrase, and nothing else; a value is asked for or "
            "read from stdin, because others can see arguments. If you typed one, it is no longer secret: renew it"
        )
    if not SECTION_NAME.fullmatch(settings_key):
        raise CredentialsError("the settings key must be names with dots, as in BYBIT.TESTNET")
    values = _read_values(CREDENTIAL_FIELDS if field is None else (field.lower(),))
    if keyring:
        values = {
            name: _put_into_keyring(settings_key.upper(), name, value) for name, value in values.items()
        }
    settings = _settings()
    path = store(settings.folder, settings_key, values)
    print(f"{' and '.join(values)} of [{settings_key.upper()}] written to {path}")
    settings.reload()
    for name in values:
        found = settings.credential(settings_key, name)
        if found.origin.startswith("variable"):
            print(f"note: {found.origin} is set and wins over the file; unset it to use the file")
        elif found.origin not in ("", SECRETS_FILE):
            print(f"note: {name} in {found.origin} wins over the file; remove it there to use the file")
    print(f'use it as BasicConfig(settings_key="{settings_key.upper()}")')
    print(f"(or without a file: {variable_name((*settings_key.split('.'), next(iter(values))))})")


@app.command()
def template(
    env: bool = typer.Option(False, "--env", help="Variables for a .env file in the place of TOML."),
) -> None:
    """Print a .secrets.toml, or with --env a .env file, with every venue's section to fill in."""
    from nexustrader._settings_sources import SECRETS_FILE, variable_name
    from nexustrader.constants import ExchangeType
    from nexustrader.credentials.required import WITH_PASSPHRASE

    print(f"# {'.env' if env else SECRETS_FILE}: chmod 600, and keep it out of version control (.gitignore).")
    for exchange in ExchangeType:
        fields = ("api_key", "secret", "passphrase")[: 3 if exchange in WITH_PASSPHRASE else 2]
        section = (exchange.name, _SECTIONS.get(exchange.name, "TESTNET"))
        print(f"\n# {'.'.join(section)}" if env else f"\n[{'.'.join(section)}]")
        for field in fields:
            print(f"{variable_name((*section, field))}=" if env else f'{field} = ""')


_SECTIONS = {"BINANCE": "DEMO", "OKX": "DEMO_1", "BITGET": "DEMO_1", "BYBIT_TRADFI": "DEMO"}


def _settings() -> Settings:
    from nexustrader._settings import settings

    settings.reload()
    return settings


def _origin(found: Found) -> str:
    if isinstance(found.value, Reference):
        return f"{found.origin}, refers to {found.value.shown}"
    return found.origin or "empty"


def _plain_variables(settings: Settings) -> list[tuple[str, str, str]]:
    """Rows for the variables that from_env reads when its prefix is the venue's name."""
    from nexustrader.constants import ExchangeType
    from nexustrader.credentials.resolve import plain_variables

    return [
        (f'from_env("{exchange.name}")', field, _origin(found))
        for exchange in ExchangeType
        for field, variable in plain_variables(exchange.name, {}).items()
        if (found := settings.variable(variable)).value is not None or found.origin
    ]


def _usable(settings_key: str) -> str:
    """Return the kind of key; raises CredentialsError."""
    from nexustrader.config import BasicConfig
    from nexustrader.credentials.required import WITH_PASSPHRASE, usable

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CredentialsWarning)  # it is told as a problem
        config = BasicConfig(settings_key=settings_key)
    venue = settings_key.partition(".")[0].upper()
    with_passphrase = venue in {exchange.name for exchange in WITH_PASSPHRASE}
    return f"{usable(config, f'[{settings_key}]', with_passphrase=with_passphrase).kind} key"


def _loose_rights(settings: Settings) -> list[str]:
    from nexustrader._settings_sources import LOCAL_SECRETS_FILE, SECRETS_FILE

    file = settings.folder / SECRETS_FILE
    return [
        f"{path} can be read by group or others; run: chmod {mode} {path}"
        for path, mode in ((file.parent, "700"), (file, "600"), (settings.folder / LOCAL_SECRETS_FILE, "600"))
        if path.exists() and path.stat().st_mode & 0o077
    ]


def _read_values(fields: tuple[str, ...]) -> dict[str, str]:
    if not sys.stdin.isatty():
        if len(fields) > 1:
            raise CredentialsError(
                "name the field (api_key, secret or passphrase) whose value comes from stdin"
            )
        try:
            given = {fields[0]: sys.stdin.read(VALUE_CHARS_MAX + 1).rstrip("\r\n")}
        except UnicodeDecodeError:
            raise CredentialsError(
                "what came from stdin is not text; send the key in its text form"
            ) from None
    else:
        given = {field: getpass.getpass(f"{field} (not shown; empty to skip): ") for field in fields}
    values = {field: value for field, value in given.items() if value}
    if not values:
        raise CredentialsError("no value was given, so nothing is stored; type it, or send it to stdin")
    if any(len(value) > VALUE_CHARS_MAX for value in values.values()):
        raise CredentialsError(
            f"the value is longer than {VALUE_CHARS_MAX} characters; is it the right file?"
        )
    return {field: Secret(value) for field, value in values.items()}


def _put_into_keyring(settings_key: str, field: str, value: str) -> str:
    """Store a value in the keyring and return the reference to it."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise CredentialsError('the package keyring is not installed; install the extra "keyring"') from None
    name = f"{settings_key}.{field}"
    try:
        keyring.set_password(KEYRING_SERVICE, name, str(value))
    except KeyringError as error:
        raise CredentialsError(
            f"this machine's keyring did not take the value ({type(error).__name__}); unlock it, or leave --keyring out"
        ) from None
    return f"keyring:{KEYRING_SERVICE}/{name}"
