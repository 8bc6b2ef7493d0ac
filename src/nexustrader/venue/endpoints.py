"""Which URLs are allowed, and sending a venue's URLs elsewhere by the settings `ENDPOINTS`.

    NEXUS_ENDPOINTS__BINANCE=http://127.0.0.1:9001          the whole venue
    NEXUS_ENDPOINTS__BINANCE__SPOT=http://127.0.0.1:9002    one account type; DEFAULT stands for the others

A redirection is told in the log: whoever can change it can read every signed request.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from nexustrader.constants import settings
from nexustrader.error import EndpointError

if TYPE_CHECKING:
    from nexustrader.constants import ExchangeType

_SECURE = {"https": True, "wss": True, "http": False, "ws": False}
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]")
_BRACKETED = re.compile(r"\[[^\[\]]+\](:\d*)?")


def redirect(url: str, exchange: ExchangeType, account_type_value: str) -> str:
    """Return the URL to use in the place of `url`: itself, or the same path at the configured endpoint.

    http stays http and ws stays ws; whether it is encrypted is the endpoint's choice. Raises EndpointError
    for a URL that `check_url` refuses.
    """
    venue = exchange.name
    target = _target(settings.get(f"ENDPOINTS.{venue}"), account_type_value)
    if target is None or target == "":
        check_url(url)
        return url
    name = f"the setting ENDPOINTS.{venue}"
    if not isinstance(target, str):
        raise EndpointError(f"{name} must be a URL or a table of URLs by account type; it is neither")
    original, base = urlsplit(url), check_url(target, name)
    if base.query or base.fragment:
        raise EndpointError(f"{name} must be a plain URL, without ? or #")
    kind = "ws" if original.scheme in ("ws", "wss") else "http"
    scheme = kind + ("s" if _SECURE[base.scheme] else "")
    query = f"?{original.query}" if original.query else ""
    _tell(venue, f"{scheme}://{base.netloc}")
    return f"{scheme}://{base.netloc}{base.path.rstrip('/')}{original.path}{query}"


def check_table(exchange: ExchangeType, account_types: Iterable[str]) -> None:
    """Raises EndpointError for a table entry that names no account type: its traffic would go to the real venue."""
    entry = settings.get(f"ENDPOINTS.{exchange.name}")
    if entry is None or isinstance(entry, str) or not hasattr(entry, "keys"):
        return
    known = {name.upper() for name in account_types} | {"DEFAULT"}
    unknown = sorted(str(key) for key in entry if str(key).upper() not in known)
    if unknown:
        raise EndpointError(
            f"the setting ENDPOINTS.{exchange.name} redirects {', '.join(unknown)}, which is no account type there; "
            f"it has {', '.join(sorted(known))}"
        )


def check_url(url: str, name: str = "the URL") -> SplitResult:
    """Return the parts of `url`. Raises EndpointError if it could carry secrets to the wrong place.

    Refused are schemes other than https, wss, http and ws, the last two away from this machine, and URLs with
    user names, without a host, or with characters that programs read differently.
    """
    if _UNPRINTABLE.search(url):
        raise EndpointError(f"{name} contains a space, backslash or control character; write it without")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise EndpointError(f"{name} is not a valid URL; write it as https://host:port/path") from None
    if "@" in parts.netloc:
        raise EndpointError(
            f"{name} contains a user name or password; remove it, keys are given as credentials"
        )
    if "[" in parts.netloc and not _BRACKETED.fullmatch(parts.netloc):
        raise EndpointError(f"{name} has text around the brackets of its address; write [::1] or [::1]:9001")
    if parts.scheme not in _SECURE or not host:
        raise EndpointError(f"{name} must begin with https:// or wss:// and name a host")
    if not _SECURE[parts.scheme] and not is_loopback(host):
        raise EndpointError(
            f"{name} would send requests to {host} unencrypted; use https or wss ({parts.scheme} is for this "
            "machine only)"
        )
    return parts


def is_loopback(host: str) -> bool:
    """Tell whether `host`, as it is written, is this machine. Names but localhost are not looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _target(entry: Any, account_type_value: str) -> Any:
    """The endpoint in a venue's setting: the setting itself, or of a table the account type's or DEFAULT."""
    if entry is None or isinstance(entry, str) or not hasattr(entry, "get"):
        return entry
    return entry.get(account_type_value, entry.get("DEFAULT"))


@functools.cache  # once for each venue and place
def _tell(venue: str, base: str) -> None:
    from nexustrader.kernel.log import (
        get_logger,
    )  # not at import: config imports this module and must stay light

    get_logger("Endpoints").warning(f"{venue} is redirected to {base} by the settings ENDPOINTS")
