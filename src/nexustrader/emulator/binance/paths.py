"""URLs of one origin: which product, which kind of service, which route a path means."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote

import msgspec

from nexustrader.emulator.binance.topics import COINM, MARKET, PAPI, PRIVATE, PUBLIC, SAPI, SPOT, USDM

REST = "rest"
STREAMS = "streams"
API = "api"

_PREFIXES = {product: f"/{product}" for product in (SPOT, USDM, COINM)}
_API = {SPOT: "api", USDM: "fapi", COINM: "dapi"}
_SOCKET = {SPOT: ["ws-api", "v3"], USDM: ["ws-fapi", "v1"], COINM: ["ws-dapi", "v1"]}
_ROUTES = (PUBLIC, MARKET, PRIVATE)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a path leads. `names` are the streams that the URL itself asks for."""

    product: str
    service: str
    path: str
    route: str = PUBLIC
    combined: bool = False
    names: tuple[str, ...] = ()
    user_events: dict[str, frozenset[str]] = {}
    return_rate_limits: bool = True
    is_shared: bool = False  # streams of spot and COIN-M


def resolve(path: str, query: str) -> Target | None:
    """Where a request leads, None for nowhere.

    Without a prefix `/ws` and `/stream` are spot's and COIN-M's; `/usdm/ws` and `/usdm/stream` are the unrouted
    form, which serves the public route alone.
    """
    for product, prefix in _PREFIXES.items():
        if path.startswith(prefix + "/"):
            return _of_product(product, path.removeprefix(prefix), query)
    first = path.split("/")[1] if "/" in path else ""
    if first in {SAPI, PAPI}:
        return Target(product=first, service=REST, path=path)
    if first == "pm":
        _, combined, *keys = [*path.split("/")[1:], ""]
        names = tuple(key for key in keys if key)
        return Target(product=PAPI, service=STREAMS, path=path, combined=combined == "stream", names=names)
    product = next((name for name in _API if first in {_API[name], _SOCKET[name][0]}), SPOT)
    target = _of_product(USDM if first in _ROUTES else product, path, query)
    if target is not None and target.product == SPOT and target.service == STREAMS:
        return msgspec.structs.replace(target, is_shared=True)
    return target


def _of_product(product: str, path: str, query: str) -> Target | None:
    parts = [unquote(part) for part in path.split("/")[1:]]
    if parts[0] == _API[product]:
        return Target(product=product, service=REST, path=path)
    if parts == _SOCKET[product]:
        silent = ("returnRateLimits", "false") in parse_qsl(query)
        return Target(product=product, service=API, path=path, return_rate_limits=not silent)
    route = PUBLIC
    if product == USDM and parts[0] in _ROUTES:
        route, parts = parts[0], parts[1:]
    if not parts or parts[0] not in {"ws", "stream"}:
        return None
    items = parse_qsl(query, keep_blank_values=True)
    keys, events = _listen_keys(items) if route == PRIVATE else ([], {})
    streams = [name for key, value in items if key == "streams" for name in value.split("/")]
    return Target(
        product=product,
        service=STREAMS,
        path=path,
        route=route,
        combined=parts[0] == "stream",
        names=tuple(name for name in (*parts[1:], *streams, *keys) if name),
        user_events=events,
    )


def _listen_keys(items: list[tuple[str, str]]) -> tuple[list[str], dict[str, frozenset[str]]]:
    """Listen keys of a private URL, and the kinds of events asked for after each."""
    keys: list[str] = []
    events: dict[str, frozenset[str]] = {}
    for name, value in items:
        if name == "listenKey":
            keys.append(value)
        elif name == "events" and keys:
            events[keys[-1]] = frozenset(value.split("/")) | {"listenKeyExpired"}
    return keys, events
