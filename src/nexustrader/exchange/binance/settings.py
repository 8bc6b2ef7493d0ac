"""Changes of a futures account: leverage and margin mode by symbol, position mode for all of it."""

from __future__ import annotations

from nexustrader.constants import AccountType
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.domain.setting import Margin, SetLeverage, SetMarginMode, Setting
from nexustrader.exchange.binance.spec import product_of
from nexustrader.venue.spec import Request, Security

_MARGIN_TYPES = {Margin.CROSS: "CROSSED", Margin.ISOLATED: "ISOLATED"}


def setting_request(
    account_type: AccountType, instrument: Instrument | None, setting: Setting
) -> Request | None:
    """Codes of what is so already (-4046, -4059) conclude that it is done. None on spot and margin."""
    product = product_of(account_type)
    if not product.is_futures:
        return None
    if isinstance(setting, SetLeverage | SetMarginMode):
        assert instrument is not None
        symbol = ("symbol", instrument.venue_symbol)
        if isinstance(setting, SetLeverage):
            return _post(f"{product.root}/leverage", symbol, ("leverage", to_plain(setting.leverage)))
        return _post(f"{product.root}/marginType", symbol, ("marginType", _MARGIN_TYPES[setting.mode]))
    return _post(
        f"{product.root}/positionSide/dual", ("dualSidePosition", "true" if setting.is_hedge else "false")
    )


def _post(path: str, *params: tuple[str, str]) -> Request:
    return Request("POST", path, params, Security.SIGNED)
