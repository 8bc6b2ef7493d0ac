"""Changes of an account: leverage by symbol, margin mode of all of it, position mode of USDT perpetuals."""

from __future__ import annotations

from nexustrader.constants import AccountType
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.domain.setting import Margin, SetLeverage, SetMarginMode, Setting
from nexustrader.exchange.bybit.build import Body, post
from nexustrader.exchange.bybit.spec import INVERSE, LINEAR, product_of, products_of
from nexustrader.venue.spec import Request

_MARGIN_MODES = {Margin.CROSS: "REGULAR_MARGIN", Margin.ISOLATED: "ISOLATED_MARGIN"}
_ONE_WAY, _HEDGE = 0, 3


def setting_request(
    account_type: AccountType, instrument: Instrument | None, setting: Setting
) -> Request | None:
    """Codes of what is so already (110043, 110025) conclude that it is done. None where there is no such thing."""
    if isinstance(setting, SetMarginMode):
        return post("/v5/account/set-margin-mode", {"setMarginMode": _MARGIN_MODES[setting.mode]})
    if isinstance(setting, SetLeverage):
        assert instrument is not None
        product, leverage = product_of(instrument), to_plain(setting.leverage)
        if product not in (LINEAR, INVERSE):
            return None
        body: Body = {"category": product.category, "symbol": instrument.venue_symbol}
        return post("/v5/position/set-leverage", {**body, "buyLeverage": leverage, "sellLeverage": leverage})
    if LINEAR not in products_of(account_type):
        return None
    mode = _HEDGE if setting.is_hedge else _ONE_WAY
    return post("/v5/position/switch-mode", {"category": LINEAR.category, "coin": "USDT", "mode": mode})
