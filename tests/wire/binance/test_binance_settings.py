"""Leverage, margin mode and position mode as they are asked for."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nexustrader.domain.setting import Margin, SetLeverage, SetMarginMode, SetPositionMode
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.venue.classify import conclude
from nexustrader.venue.spec import Reply, Request, Security

SPOT, USD_M = BinanceAccountType.SPOT, BinanceAccountType.USD_M_FUTURE
SYMBOL = "BTCUSDT-PERP.BINANCE"


@pytest.mark.parametrize(
    ("setting", "path", "params"),
    [
        (SetLeverage(SYMBOL, Decimal(7)), "leverage", (("symbol", "BTCUSDT"), ("leverage", "7"))),
        (
            SetMarginMode(SYMBOL, Margin.CROSS),
            "marginType",
            (("symbol", "BTCUSDT"), ("marginType", "CROSSED")),
        ),
        (
            SetMarginMode(SYMBOL, Margin.ISOLATED),
            "marginType",
            (("symbol", "BTCUSDT"), ("marginType", "ISOLATED")),
        ),
        (SetPositionMode(True), "positionSide/dual", (("dualSidePosition", "true"),)),
    ],
)
def test_a_futures_account_is_changed_by_its_own_calls(setting, path, params, perp):
    instrument = None if isinstance(setting, SetPositionMode) else perp
    expected = Request("POST", f"/fapi/v1/{path}", params, Security.SIGNED)
    assert VENUE.setting_request(USD_M, instrument, setting) == expected


def test_spot_has_nothing_of_the_kind(spot):
    assert VENUE.setting_request(SPOT, spot, SetLeverage("BTCUSDT.BINANCE", Decimal(2))) is None


@pytest.mark.parametrize("code", ["-4046", "-4059"])
def test_what_is_so_already_is_done(code):
    assert conclude(VENUE.spec, Reply(ok=False, status=400, code=code)).name == "ACCEPTED"
