"""Leverage, margin mode and position mode as they are asked for."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from nexustrader.domain.outcome import Conclusion
from nexustrader.domain.setting import Margin, SetLeverage, SetMarginMode, SetPositionMode
from nexustrader.exchange.bybit import VENUE, BybitAccountType
from nexustrader.venue.classify import conclude
from nexustrader.venue.spec import Reply, Security

UNIFIED = BybitAccountType.UNIFIED
LEVERAGE = SetLeverage("s", Decimal("7.5"))


@pytest.mark.parametrize(
    ("category", "setting", "path", "body"),
    [
        (
            "linear",
            LEVERAGE,
            "/v5/position/set-leverage",
            {"category": "linear", "symbol": "BTCUSDT", "buyLeverage": "7.5", "sellLeverage": "7.5"},
        ),
        (
            "inverse",
            LEVERAGE,
            "/v5/position/set-leverage",
            {"category": "inverse", "symbol": "BTCUSD", "buyLeverage": "7.5", "sellLeverage": "7.5"},
        ),
        (
            "spot",
            SetMarginMode("s", Margin.CROSS),
            "/v5/account/set-margin-mode",
            {"setMarginMode": "REGULAR_MARGIN"},
        ),
        (
            "linear",
            SetMarginMode("s", Margin.ISOLATED),
            "/v5/account/set-margin-mode",
            {"setMarginMode": "ISOLATED_MARGIN"},
        ),
        (
            None,
            SetPositionMode(True),
            "/v5/position/switch-mode",
            {"category": "linear", "coin": "USDT", "mode": 3},
        ),
        (
            None,
            SetPositionMode(False),
            "/v5/position/switch-mode",
            {"category": "linear", "coin": "USDT", "mode": 0},
        ),
    ],
)
def test_a_change_has_its_call(instruments, category, setting, path, body):
    request = VENUE.setting_request(UNIFIED, instruments.get(category), setting)
    assert (request.method, request.path, request.security) == ("POST", path, Security.SIGNED)
    assert msgspec.json.decode(request.body) == body


def test_what_has_no_leverage_and_no_sides_has_no_call(spot, option):
    assert VENUE.setting_request(UNIFIED, spot, LEVERAGE) is None
    assert VENUE.setting_request(UNIFIED, option, LEVERAGE) is None
    assert VENUE.setting_request(BybitAccountType.SPOT, None, SetPositionMode(True)) is None


@pytest.mark.parametrize("code", ["110043", "110025", "110026"])
def test_what_is_so_already_is_done(code):
    assert conclude(VENUE.spec, Reply(ok=False, status=200, code=code)) is Conclusion.ACCEPTED
