"""Sending a venue's URLs elsewhere, and never to a place where secrets could be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.config import LogConfig
from nexustrader.constants import ExchangeType, settings
from nexustrader.error import EndpointError
from nexustrader.kernel.log import setup_logging, shutdown_logging
from nexustrader.venue import endpoints
from nexustrader.venue.endpoints import check_table, check_url, is_loopback, redirect
from workspace import Workspace, fresh_redaction, workspace

__all__ = ["fresh_redaction", "workspace"]

BINANCE, OKX = ExchangeType.BINANCE, ExchangeType.OKX
REST = "https://api.binance.com/api/v3/order?x=1"
STREAM = "wss://stream.binance.com:9443/ws/btcusdt@trade"


@pytest.fixture(autouse=True)
def untold() -> None:
    endpoints._tell.cache_clear()


def test_without_a_setting_a_url_stays_as_it_is(workspace: Workspace) -> None:
    assert redirect(REST, BINANCE, "SPOT") == REST
    assert redirect(STREAM, BINANCE, "SPOT") == STREAM


def test_a_variable_redirects_the_whole_venue(workspace: Workspace) -> None:
    workspace.set("NEXUS_ENDPOINTS__BINANCE", "http://127.0.0.1:9001")
    assert redirect(REST, BINANCE, "SPOT") == "http://127.0.0.1:9001/api/v3/order?x=1"
    assert redirect(STREAM, BINANCE, "USD_M_FUTURE") == "ws://127.0.0.1:9001/ws/btcusdt@trade"
    assert redirect("https://www.okx.com/x", OKX, "live") == "https://www.okx.com/x"


def test_a_table_redirects_account_types_and_default_the_others(workspace: Workspace) -> None:
    workspace.secrets(
        '[ENDPOINTS.BINANCE]\nSPOT = "http://localhost:1"\nDEFAULT = "http://localhost:2"\n'
        '[ENDPOINTS.OKX]\ndemo = "http://localhost:3"\n'
    )
    assert redirect("https://h/p", BINANCE, "SPOT") == "http://localhost:1/p"
    assert redirect("https://h/p", BINANCE, "USD_M_FUTURE") == "http://localhost:2/p"
    assert redirect("https://h/p", OKX, "demo") == "http://localhost:3/p"
    assert redirect("https://h/p", OKX, "live") == "https://h/p"


def test_a_mistyped_account_type_is_refused_and_never_means_the_real_venue(workspace: Workspace) -> None:
    workspace.set("NEXUS_ENDPOINTS__BINANCE__SPOTT", "http://127.0.0.1:9001")
    with pytest.raises(EndpointError, match="SPOTT"):
        check_table(BINANCE, ["SPOT", "USD_M_FUTURE"])


def test_known_account_types_and_default_are_accepted_in_any_letter_case(workspace: Workspace) -> None:
    workspace.secrets('[ENDPOINTS.OKX]\ndemo = "http://localhost:3"\ndefault = "http://localhost:4"\n')
    workspace.set("NEXUS_ENDPOINTS__BINANCE", "http://127.0.0.1:9001")
    check_table(OKX, ["live", "demo"])
    check_table(BINANCE, ["SPOT"])
    check_table(ExchangeType.BYBIT, [])


def test_a_variable_redirects_one_account_type(workspace: Workspace) -> None:
    workspace.set("NEXUS_ENDPOINTS__BINANCE__SPOT", "http://127.0.0.1:9001")
    assert redirect("wss://h:1/p", BINANCE, "SPOT") == "ws://127.0.0.1:9001/p"
    assert redirect("wss://h:1/p", BINANCE, "MARGIN") == "wss://h:1/p"


@pytest.mark.parametrize(
    ("target", "url", "result"),
    [
        ("https://proxy.example", "wss://h/p", "wss://proxy.example/p"),
        ("https://proxy.example:8443/binance/", "https://h/p", "https://proxy.example:8443/binance/p"),
        ("wss://proxy.example", "https://h/p", "https://proxy.example/p"),
        ("ws://127.0.0.1:1", "https://h", "http://127.0.0.1:1"),
        ("http://[::1]:1/a", "wss://h/", "ws://[::1]:1/a/"),
        ("http://localhost:1", "http://127.0.0.1:2/p", "http://localhost:1/p"),
    ],
)
def test_the_path_is_kept_and_the_scheme_stays_of_its_kind(
    workspace: Workspace, target: str, url: str, result: str
) -> None:
    workspace.set("NEXUS_ENDPOINTS__BINANCE", target)
    assert redirect(url, BINANCE, "SPOT") == result


REFUSED = [
    "http://example.com",
    "ws://10.0.0.1",
    "http://169.254.169.254/latest/meta-data",
    "http://127.0.0.1.example.com",
    "http://2130706433",
    "http://0x7f.1",
    "http://0.0.0.0:1",
    "http://localhost.",
    "https://user:canary@example.com",
    "http://user@127.0.0.1",
    "http://127.0.0.1@example.com",
    "http://example.com#@127.0.0.1",
    "http://example.com\\@127.0.0.1",
    "https://exa mple.com",
    "https://example.com\n",
    "\thttps://example.com",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "unix:///run/x",
    "javascript:alert(1)",
    "//127.0.0.1",
    "127.0.0.1:9001",
    "https://",
    "https://:80",
    "https://example.com:port",
    "https://example.com:99999",
    "http://[::1",
    "http://[::1]example.com",
    "http://[::1].example.com:80/x",
]


@pytest.mark.parametrize("url", REFUSED)
def test_unsafe_urls_are_refused(workspace: Workspace, url: str) -> None:
    with pytest.raises(EndpointError) as caught:
        check_url(url)
    assert "canary" not in str(caught.value)
    workspace.set("NEXUS_ENDPOINTS__BINANCE", url)
    with pytest.raises(EndpointError, match=r"the setting ENDPOINTS\.BINANCE"):
        redirect(REST, BINANCE, "SPOT")


@pytest.mark.parametrize("url", ["https://h/?q=1", "https://h/#f"])
def test_an_endpoint_has_no_query(workspace: Workspace, url: str) -> None:
    workspace.set("NEXUS_ENDPOINTS__BINANCE", url)
    with pytest.raises(EndpointError, match="plain URL"):
        redirect(REST, BINANCE, "SPOT")


def test_an_unsafe_url_is_refused_without_a_redirection_too(workspace: Workspace) -> None:
    with pytest.raises(EndpointError):
        redirect("http://example.com/p", BINANCE, "SPOT")


def test_a_setting_of_another_kind_is_refused(workspace: Workspace) -> None:
    workspace.set("NEXUS_ENDPOINTS__BINANCE", "9001")
    with pytest.raises(EndpointError, match="neither"):
        redirect(REST, BINANCE, "SPOT")


def test_an_empty_setting_redirects_nothing(workspace: Workspace) -> None:
    workspace.set("NEXUS_ENDPOINTS__BINANCE", "")
    assert redirect(REST, BINANCE, "SPOT") == REST


def test_a_redirection_is_told_once(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    workspace.set("NEXUS_ENDPOINTS__BINANCE", "http://127.0.0.1:9001")
    setup_logging(LogConfig())
    try:
        for _ in range(3):
            redirect(REST, BINANCE, "SPOT")
        assert capsys.readouterr().out.count("BINANCE is redirected to http://127.0.0.1:9001") == 1
    finally:
        shutdown_logging()


def test_an_overlaid_venue_keeps_its_endpoint(workspace: Workspace) -> None:
    workspace.set("NEXUS_ENDPOINTS__BINANCE", "http://127.0.0.1:9001")
    settings.overlay("BINANCE", "k", "s")
    assert redirect("https://h/p", BINANCE, "SPOT") == "http://127.0.0.1:9001/p"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@given(st.text())
def test_any_text_is_accepted_or_refused_with_our_error(url: str) -> None:
    try:
        parts = check_url(url)
    except EndpointError:
        return
    assert parts.scheme in {"https", "wss"} or is_loopback(parts.hostname or "")
