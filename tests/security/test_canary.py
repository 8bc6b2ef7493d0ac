"""Secrets never leave (I15, S1-S3): canaries in every field, every sink searched.

Each test makes configurations whose secrets are canaries, does what programs do to configurations, and searches
all that came out: return values, stdout, stderr, log files, warnings, exceptions, files in the working directory.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import pickle
import pprint
import reprlib
import string
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from nexustrader.config import BasicConfig, Config, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import AccountType, ExchangeType, settings
from nexustrader.credentials.required import Credentials, require_credentials
from nexustrader.error import NexusTraderError
from workspace import Workspace

KEY, SECRET, PASSPHRASE = "CANARY-key/0001+a=", "CANARY-secret/0002&b", "CANARY pass 'phrase' \"3\""
CANARIES = (KEY, SECRET, PASSPHRASE)


class Accounts(AccountType):
    SPOT = "SPOT"


def traces(secret: str) -> Iterator[str]:
    """The forms in which a secret could be found."""
    yield from (secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1])
    yield from (base64.b64encode(secret.encode()).decode().rstrip("="), secret.encode().hex(), secret[::-1])


def search(*outputs: object) -> None:
    for output in outputs:
        data = output if isinstance(output, bytes) else str(output).encode(errors="replace")
        for canary in CANARIES:
            for trace in traces(canary):
                assert trace.encode() not in data, f"{trace!r} came out"
        assert b"CANARY" not in data


def direct(_: Workspace) -> BasicConfig:
    return BasicConfig(KEY, SECRET, True, PASSPHRASE)


def from_file(workspace: Workspace) -> BasicConfig:
    workspace.secrets("[A.B]\n" + "".join(f"{n} = {json.dumps(v)}\n" for n, v in fields().items()))
    return BasicConfig(settings_key="A.B")


def from_nexus_variables(workspace: Workspace) -> BasicConfig:
    for name, value in fields().items():
        workspace.set(f"NEXUS_A__B__{name.upper()}", value)
    return BasicConfig(settings_key="A.B")


def from_plain_variables(workspace: Workspace) -> BasicConfig:
    for name, value in fields().items():
        workspace.set(f"A_{name.upper()}", value)
    return BasicConfig.from_env("A")


def from_twins(workspace: Workspace) -> BasicConfig:
    for name, value in fields().items():
        workspace.set(f"A_{name.upper()}_FILE", str(workspace.write(name, value)))
    return BasicConfig.from_env("A")


def fields() -> dict[str, str]:
    return dict(zip(("api_key", "secret", "passphrase"), CANARIES, strict=True))


@pytest.fixture(params=[direct, from_file, from_nexus_variables, from_plain_variables, from_twins])
def basic(request: pytest.FixtureRequest, workspace: Workspace) -> BasicConfig:
    config: BasicConfig = request.param(workspace)
    assert (config.api_key, config.secret, config.passphrase) == CANARIES
    return config


@pytest.fixture
def whole(basic: BasicConfig) -> Config:
    return Config(
        strategy_id="s",
        user_id="u",
        strategy=object(),
        basic_config={ExchangeType.BINANCE: basic, ExchangeType.OKX: {"mm1": basic}},
        public_conn_config={ExchangeType.BINANCE: [PublicConnectorConfig(Accounts.SPOT)]},
        private_conn_config={ExchangeType.OKX: [PrivateConnectorConfig(Accounts.SPOT, account="mm1")]},
    )


def shown(value: Any) -> Iterator[str]:
    """Everything that shows a value as text without asking it for its secret."""
    yield from (
        repr(value),
        str(value),
        f"{value}",
        f"{value!r}",
        f"{value=}",
        f"{value} {value!r}",
    )
    yield from (format(value), string.Template("$v").substitute(v=value), pprint.pformat(value), ascii(value))
    yield from (reprlib.repr(value), str([value]), str({"k": value}), str((value, {"k": [value]})))
    yield from (str(Exception(value)), repr(ValueError("x", value)), str(dataclasses.fields(value)))


SERIALISERS: list[Callable[[Any], object]] = [
    json.dumps,
    lambda value: json.dumps(value, default=str),
    lambda value: json.dumps(value, default=repr),
    lambda value: json.dumps(value, default=vars),
    lambda value: json.dumps(value, default=lambda each: each.__dict__),
    lambda value: json.dumps(dataclasses.asdict(value), default=str),
    msgspec.json.encode,
    msgspec.msgpack.encode,
    msgspec.to_builtins,
    lambda value: msgspec.json.encode(value, enc_hook=repr),
    *(lambda value, protocol=protocol: pickle.dumps(value, protocol) for protocol in range(6)),
    copy.copy,
    copy.deepcopy,
    lambda value: dataclasses.asdict(value),
    lambda value: dataclasses.astuple(value),
    vars,
    dir,
    lambda value: value.__dict__,
    lambda value: [(each.name, each.default) for each in dataclasses.fields(value)],
    lambda value: value.__reduce__(),
    lambda value: value.__reduce_ex__(4),
    lambda value: value.__getstate__(),
]


def test_a_configuration_shows_no_secret(basic: BasicConfig, whole: Config) -> None:
    search(*shown(basic), *shown(whole))


@pytest.mark.parametrize("serialise", SERIALISERS)
def test_no_serialiser_gets_a_secret(
    basic: BasicConfig, whole: Config, serialise: Callable[[Any], object]
) -> None:
    for value in (basic, whole):
        try:
            output = serialise(value)
        except (TypeError, ValueError, AttributeError, pickle.PicklingError) as error:
            search(error, "".join(traceback.format_exception(error)))
        else:
            search(output, repr(output))


def test_resolved_credentials_show_no_secret(basic: BasicConfig) -> None:
    found = require_credentials(basic, ExchangeType.OKX)
    assert isinstance(found, Credentials)
    search(*shown(found), dataclasses.asdict(found), found.fingerprint)
    for duplicate in (pickle.dumps, msgspec.json.encode):
        with pytest.raises(TypeError):
            duplicate(found)
    for name in ("api_key", "secret", "passphrase"):
        search(repr(basic.resolution(name)), str(basic.resolution(name)))


def test_settings_show_no_secret(workspace: Workspace) -> None:
    from_file(workspace)
    workspace.set("NEXUS_PG_PASSWORD", SECRET)
    settings.reload()
    for value in (
        settings,
        settings.A,
        settings.A.B,
        settings.as_dict(),
        settings.credentials(),
        settings.PG_PASSWORD,
    ):
        search(repr(value), pprint.pformat(value), f"{value!r}")
    search(str(settings), str(settings.A), json.dumps(settings.as_dict()), list(settings.A.B), dir(settings))
    search(settings.A.B.items(), settings.get("A"))


BROKEN_FILES = [
    f"[A.B]\nsecret = {SECRET}\n",
    f'[A.B]\nsecret = "{SECRET}\n',
    f'[A.B]\nsecret = "@int {SECRET}"\n',
    f'[A.B]\nsecret = "@format {{{SECRET}}}"\n',
    f'[A.B]\nsecret = ["{SECRET}"]\n',
    f'[A.B]\n"{SECRET}"\n',
    f'[A.B]\nsecret = """{SECRET}\n',
]


@pytest.mark.parametrize("text", BROKEN_FILES)
def test_a_broken_file_shows_no_secret(workspace: Workspace, text: str) -> None:
    workspace.secrets(text)
    try:
        search(repr(settings.get("A")), str(settings.get("A")))
    except NexusTraderError as error:
        search("".join(traceback.format_exception(error)))


def test_a_file_that_is_no_text_shows_no_secret(workspace: Workspace) -> None:
    workspace.secrets("")
    workspace.secrets_file.write_bytes(b"\xff" + SECRET.encode())
    with pytest.raises(NexusTraderError) as caught:
        settings.get("A")
    search("".join(traceback.format_exception(caught.value)))


REFUSALS: list[Callable[[], object]] = [
    lambda: BasicConfig(KEY, [SECRET]),  # type: ignore[arg-type]
    lambda: BasicConfig(KEY, SECRET.encode()),  # type: ignore[arg-type]
    lambda: BasicConfig(KEY, SECRET, testnet=1),  # type: ignore[arg-type]
    lambda: require_credentials(BasicConfig(KEY), ExchangeType.BINANCE),
    lambda: require_credentials(BasicConfig(KEY, SECRET), ExchangeType.OKX),
    lambda: require_credentials(
        BasicConfig(KEY, f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n"), ExchangeType.BINANCE
    ),
    lambda: require_credentials(BasicConfig(KEY, f"cmd:/nonexistent {SECRET}"), ExchangeType.BINANCE),
    lambda: Config("s", "u", object(), {ExchangeType.OKX: [BasicConfig(KEY, SECRET)]}, {}),  # type: ignore[dict-item]
    lambda: Config("s", "u", BasicConfig, {ExchangeType.OKX: BasicConfig(KEY, SECRET)}, {}),
]


@pytest.mark.parametrize("refused", REFUSALS)
def test_no_refusal_quotes_a_secret(workspace: Workspace, refused: Callable[[], object]) -> None:
    with pytest.raises((NexusTraderError, TypeError, ValueError)) as caught:
        refused()
    search(str(caught.value), repr(caught.value))
    assert caught.value.__cause__ is None


PROGRAM = """
import asyncio, dataclasses, json, logging, pickle, sys, threading, traceback, warnings
import loguru
from nexustrader.config import BasicConfig, LogConfig
from nexustrader.constants import ExchangeType, settings
from nexustrader.credentials.required import require_credentials
from nexustrader.kernel.log import get_logger, setup_logging

setup_logging(LogConfig("TRACE", "TRACE", "logs", "text.log", print_config=True, max_file_size=4_000))
logger = get_logger("Canary")
config = BasicConfig(settings_key="A.B", testnet=True)
found = require_credentials(config, ExchangeType.OKX)
key, secret, phrase = str(config.api_key), str(config.secret), str(config.passphrase)

def everything():
    for level in ("trace", "debug", "info", "warning", "error", "critical"):
        getattr(logger, level)(f"{level} {key} {secret} {phrase}", key=key, config=config, color="\\x1b[32m")
    logger.info(f"POST /order?symbol=X&signature=CANARY0004&timestamp=1 X-MBX-APIKEY: CANARY0005")
    logger.info({"headers": {"X-MBX-APIKEY": "CANARY0006", "OK-ACCESS-PASSPHRASE": "CANARY0007"}})
    logger.info('{"listenKey":"CANARY0008","apiKey":"CANARY0009"}')
    logger.info("wss://fstream.binance.com/ws/CANARY" + "a1B2" * 15)
    logging.getLogger("aiohttp.client").warning("headers %s", {"Authorization": "Bearer CANARY0010"})
    loguru.logger.info(f"{secret} {config}")
    warnings.warn(f"told with {config}")
    print(config, found, settings, settings.A.B, dataclasses.asdict(config), vars(config))
    for attempt in (lambda: pickle.dumps(config), lambda: json.dumps(config), lambda: fail(config)):
        try:
            attempt()
        except Exception as error:
            logger.exception("attempt", key=secret)
            logging.getLogger("library").exception("attempt %s", key)
            loguru.logger.exception("attempt")

def fail(config):
    local, other = config.secret, key
    try:
        raise ValueError(local)
    except ValueError as error:
        raise RuntimeError(f"{other!r} {phrase} {[local]}") from error

async def tasks():
    asyncio.get_running_loop().call_soon(fail, config)
    asyncio.create_task(asyncio.to_thread(fail, config))
    await asyncio.sleep(0.1)

everything()
setup_logging(LogConfig("TRACE", "TRACE", "logs", "json.log", "JSON", colors=True))
everything()
asyncio.run(tasks())
thread = threading.Thread(target=fail, args=(config,))
thread.start()
thread.join()
group = ExceptionGroup("several", [ValueError(secret), KeyError(key)])
group.add_note(phrase)
logger.error("group", exc=group)
print("reached the end")
fail(config)
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-X", "dev"), ("-W", "always")])
def test_a_program_that_logs_and_fails_in_every_way_shows_no_secret(
    workspace: Workspace, options: tuple[str, ...]
) -> None:
    from_file(workspace)
    (workspace.folder / "program.py").write_text(PROGRAM)
    done = workspace.run([sys.executable, *options, "program.py"], HOME="/nonexistent")
    assert "reached the end" in done.stdout, done.stderr
    assert done.returncode == 1
    logs = {path.name: path.read_bytes() for path in (workspace.folder / "logs").iterdir()}
    assert {"text.log", "text.log.1", "json.log"} <= set(logs)
    # what the program's own lines say, which tracebacks quote, is no secret
    outputs = [done.stdout, done.stderr, *(data.decode() for data in logs.values())]
    own = [line.strip() for line in PROGRAM.splitlines() if "CANARY" in line]
    for output in outputs:
        for line in own:
            output = output.replace(line, "")
        search(output)
    assert sum(output.count("********") for output in outputs) > 100


@pytest.mark.slow
def test_no_process_list_shows_a_secret(workspace: Workspace) -> None:
    """What `credentials set` is given never stands in the arguments or variables of a process (S5)."""
    program = str(Path(sys.executable).with_name("nexustrader"))
    done = workspace.run([program, "credentials", "set", "A.B", "secret"], stdin=SECRET)
    search(done.stdout, done.stderr)
    assert done.returncode == 0
    for command in ("list", "check"):
        done = workspace.run([program, "credentials", command])
        search(done.stdout, done.stderr)
