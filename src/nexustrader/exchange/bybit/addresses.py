"""Where each account type is reached. Data only, and light."""

from __future__ import annotations

from collections.abc import Mapping

from nexustrader.exchange.addresses import Addresses

_LIVE = Addresses(
    "https://api.bybit.com",
    "wss://stream.bybit.com/v5/public",  # and the category, for market data
    "wss://stream.bybit.com/v5/trade",
    "wss://stream.bybit.com/v5/private",
)
_TESTNET = Addresses(
    "https://api-testnet.bybit.com",
    "wss://stream-testnet.bybit.com/v5/public",
    "wss://stream-testnet.bybit.com/v5/trade",
    "wss://stream-testnet.bybit.com/v5/private",
)
_DEMO = Addresses(
    "https://api-demo.bybit.com",
    _LIVE.stream,
    private="wss://stream-demo.bybit.com/v5/private",
    clock=_LIVE.rest,  # the demo has no market data, the time among them
)

ADDRESSES: Mapping[str, Addresses] = {
    "UNIFIED": _LIVE,
    "UNIFIED_TESTNET": _TESTNET,
    "UNIFIED_DEMO": _DEMO,
    **{
        f"{category}{suffix}": host._replace(stream=f"{host.stream}/{category.lower()}")
        for category in ("SPOT", "LINEAR", "INVERSE", "OPTION")
        for suffix, host in (("", _LIVE), ("_TESTNET", _TESTNET))
    },
}
