"""Changes of a futures account: leverage and margin mode by symbol, position mode for all of it."""

from __future__ import annotations

from nexustrader.constants import AccountType
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.domain.setting import Margin, SetLeverage, SetPositionMode, Setting
from nexustrader.exchange.binance.quirks import account_of, product_of
from nexustrader.venue.spec import Request, Security

_MARGIN_TYPES = {Margin.CROSS: "CROSSED", Margin.ISOLATED: "ISOLATED"}


def setting_request(
    account_type: AccountType, instrument: Instrument | None, setting: Setting
) -> Request | None:
    """Codes of what is so already (-4046, -4059) conclude that it is done. None where there is no such call."""
    if isinstance(setting, SetPositionMode):
        mode = account_of(account_type).position_mode
        return None if mode is None else _post(mode.path, dualSidePosition=str(setting.is_hedge).lower())
    assert instrument is not None
    product = product_of(account_type, instrument)
    if not product.is_futures:
        return None
    symbol = instrument.venue_symbol
    if isinstance(setting, SetLeverage):
        return _post(f"{product.root}/leverage", symbol=symbol, leverage=to_plain(setting.leverage))
    if product.root != product.data:  # portfolio margin is one margin for everything
        return None
    return _post(f"{product.root}/marginType", symbol=symbol, marginType=_MARGIN_TYPES[setting.mode])


def _post(path: str, **params: str) -> Request:
    return Request("POST", path, tuple(params.items()), Security.SIGNED)
