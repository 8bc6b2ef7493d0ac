"""Where each account type is reached, and which of them share their limits. Data only, and light."""

from __future__ import annotations

from collections.abc import Mapping

from nexustrader.exchange.addresses import Addresses

_SPOT_REST, _SPOT_STREAM = "https://api.binance.com", "wss://stream.binance.com:9443"
_SPOT_SOCKET = "wss://ws-api.binance.com:443/ws-api/v3"
_MARGIN = Addresses(_SPOT_REST, _SPOT_STREAM, None, _SPOT_SOCKET, "sapi")

ADDRESSES: Mapping[str, Addresses] = {
    "SPOT": Addresses(_SPOT_REST, _SPOT_STREAM, _SPOT_SOCKET, None, "spot"),
    "MARGIN": _MARGIN,
    "ISOLATED_MARGIN": _MARGIN,
    "USD_M_FUTURE": Addresses(
        "https://fapi.binance.com",
        "wss://fstream.binance.com",
        "wss://ws-fapi.binance.com/ws-fapi/v1",
        None,
        "futures",
    ),
    "COIN_M_FUTURE": Addresses(
        "https://dapi.binance.com",
        "wss://dstream.binance.com",
        "wss://ws-dapi.binance.com/ws-dapi/v1",
        None,
        "futures",
    ),
    "PORTFOLIO_MARGIN": Addresses(
        "https://papi.binance.com",
        "wss://fstream.binance.com/pm",
        None,
        None,
        "papi",
        "https://fapi.binance.com",
    ),
    "SPOT_TESTNET": Addresses(
        "https://demo-api.binance.com",
        "wss://demo-stream.binance.com",
        "wss://demo-ws-api.binance.com/ws-api/v3",
        None,
        "spot testnet",
    ),
    "USD_M_FUTURE_TESTNET": Addresses(
        "https://demo-fapi.binance.com",
        "wss://fstream.binancefuture.com",
        "wss://testnet.binancefuture.com/ws-fapi/v1",
        None,
        "futures testnet",
    ),
    "COIN_M_FUTURE_TESTNET": Addresses(
        "https://demo-dapi.binance.com",
        "wss://dstream.binancefuture.com",
        "wss://testnet.binancefuture.com/ws-dapi/v1",
        None,
        "futures testnet",
    ),
}
