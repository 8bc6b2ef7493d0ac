from __future__ import annotations

import decimal
from decimal import Decimal

import msgspec
import pytest

from nexustrader.constants import ExchangeType, InstrumentType, OrderSide, OrderType
from nexustrader.domain.instrument import (
    Instrument,
    RoundingMode,
    notional,
    quantise,
    quantise_order,
    refusal,
    to_market,
    to_plain,
)


def instrument(**fields: object) -> Instrument:
    base: dict[str, object] = {
        "symbol": "BTCUSDT-PERP.BINANCE",
        "venue_symbol": "BTCUSDT",
        "exchange": ExchangeType.BINANCE,
        "type": InstrumentType.LINEAR,
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "tick": Decimal("0.10"),
        "lot": Decimal("0.001"),
        "min_price": Decimal("100"),
        "max_price": Decimal("1000000"),
        "min_amount": Decimal("0.001"),
        "max_amount": Decimal("1000"),
        "market_max_amount": Decimal("120"),
        "min_notional": Decimal("100"),
        "maker": Decimal("0.0002"),
        "taker": Decimal("0.0005"),
        "reduce_only_exempt_from_notional": True,
    }
    return msgspec.convert({**base, **fields}, Instrument, strict=False)


class TestQuantise:
    @pytest.mark.parametrize(
        ("value", "step", "mode", "expected"),
        [
            ("65000.14", "0.10", "round", "65000.10"),
            ("65000.15", "0.10", "round", "65000.20"),
            ("65000.19", "0.10", "floor", "65000.10"),
            ("65000.11", "0.10", "ceil", "65000.20"),
            ("65000.1", "0.10", "ceil", "65000.10"),
            ("0.12", "0.05", "round", "0.10"),
            ("0.125", "0.05", "round", "0.15"),
            ("1.2", "0.5", "floor", "1.0"),
            ("113", "25", "round", "125"),
            ("112", "25", "round", "100"),
            ("112.5", "25", "floor", "100"),
            ("99", "1E+2", "ceil", "100"),
            ("1.2E+3", "1E+2", "round", "1200"),
            ("0.123456789", "1E-8", "floor", "0.12345678"),
            ("-1.2", "0.5", "floor", "-1.5"),
            ("-1.2", "0.5", "ceil", "-1.0"),
            ("-1.25", "0.5", "round", "-1.5"),
            ("7", "2.5", "round", "7.5"),
            ("0", "0.01", "ceil", "0.00"),
            ("123456789012345678901234567890.5", "0.1", "floor", "123456789012345678901234567890.5"),
        ],
    )
    def test_lands_on_the_step_in_its_notation(
        self, value: str, step: str, mode: RoundingMode, expected: str
    ) -> None:
        result = quantise(Decimal(value), Decimal(step), mode)
        assert to_plain(result) == expected
        if Decimal(step) >= 1:
            assert "E" not in str(result)

    def test_rounding_is_half_up_unless_told_otherwise(self) -> None:
        assert quantise(Decimal("0.25"), Decimal("0.1")) == Decimal("0.3")

    @pytest.mark.parametrize("step", ["0", "-1"])
    def test_a_step_that_is_not_positive_is_refused(self, step: str) -> None:
        with pytest.raises(ValueError, match="above 0"):
            quantise(Decimal(1), Decimal(step))

    @pytest.mark.parametrize("value", ["NaN", "Infinity"])
    def test_a_value_that_is_not_finite_is_refused(self, value: str) -> None:
        with pytest.raises(ValueError, match="finite"):
            quantise(Decimal(value), Decimal(1))

    def test_an_unknown_mode_is_refused(self) -> None:
        with pytest.raises(ValueError, match="'ceil'"):
            quantise(Decimal("0.15"), Decimal("0.1"), "up")  # type: ignore[arg-type] # the refusal is the point

    def test_the_context_of_the_program_does_not_matter(self) -> None:
        with decimal.localcontext() as context:
            context.prec = 3
            assert quantise(Decimal("65000.17"), Decimal("0.10"), "floor") == Decimal("65000.10")


class TestQuantiseOrder:
    @pytest.mark.parametrize(("side", "price"), [(OrderSide.BUY, "65000.10"), (OrderSide.SELL, "65000.20")])
    def test_it_is_never_worse_than_asked(self, side: OrderSide, price: str) -> None:
        asked = (Decimal("0.0019"), Decimal("65000.13"))
        assert quantise_order(instrument(), side, OrderType.LIMIT, *asked) == (
            Decimal("0.001"),
            Decimal(price),
        )

    def test_market_orders_use_their_own_lot(self) -> None:
        coarse = instrument(market_lot=Decimal("0.01"))
        assert quantise_order(coarse, OrderSide.BUY, OrderType.MARKET, Decimal("0.019"), None) == (
            Decimal("0.01"),
            None,
        )
        assert quantise_order(coarse, OrderSide.BUY, OrderType.LIMIT, Decimal("0.019"), None)[0] == Decimal(
            "0.019"
        )

    def test_less_than_a_lot_becomes_nothing(self) -> None:
        assert quantise_order(instrument(), OrderSide.BUY, OrderType.LIMIT, Decimal("0.0009"), None)[0] == 0


def check(
    amount: str = "0.01",
    price: str | None = "65000.1",
    type: OrderType = OrderType.LIMIT,  # noqa: A002 - the public name
    reduce_only: bool = False,
    reference: str | None = None,
    **fields: object,
) -> str | None:
    return refusal(
        instrument(**fields),
        side=OrderSide.BUY,
        type=type,
        amount=Decimal(amount),
        price=None if price is None else Decimal(price),
        reduce_only=reduce_only,
        reference_price=None if reference is None else Decimal(reference),
    )


class TestRefusal:
    def test_a_good_order_passes(self) -> None:
        assert check() is None
        assert check(amount="1000", price="1000000") is None
        assert check(amount="1", price="100") is None
        assert check(price=None, type=OrderType.MARKET, reference="65000") is None

    @pytest.mark.parametrize(
        ("order", "parts"),
        [
            ({"active": False}, ["STATUS"]),
            ({"amount": "0"}, ["LOT_SIZE", "above 0"]),
            ({"amount": "NaN"}, ["LOT_SIZE", "NaN"]),
            ({"amount": "0.0001"}, ["LOT_SIZE", "at least 0.001", "is 0.0001"]),
            ({"amount": "1000.001"}, ["LOT_SIZE", "at most 1000", "is 1000.001"]),
            ({"amount": "0.0105"}, ["LOT_SIZE", "multiple of 0.001", "is 0.0105"]),
            (
                {"amount": "121", "type": OrderType.MARKET, "price": None},
                ["MARKET_LOT_SIZE", "at most 120", "is 121"],
            ),
            (
                {
                    "amount": "0.01",
                    "type": OrderType.STOP_LOSS_MARKET,
                    "price": None,
                    "market_min_amount": "0.1",
                },
                ["MARKET_LOT_SIZE", "at least 0.1"],
            ),
            (
                {"amount": "0.015", "type": OrderType.MARKET, "price": None, "market_lot": "0.01"},
                ["MARKET_LOT_SIZE", "multiple of 0.01"],
            ),
            ({"price": None}, ["PRICE_FILTER", "needs a price"]),
            ({"price": None, "type": OrderType.POST_ONLY}, ["POST_ONLY", "needs a price"]),
            ({"price": "0"}, ["PRICE_FILTER", "above 0"]),
            ({"price": "99.9"}, ["PRICE_FILTER", "at least 100", "is 99.9"]),
            ({"price": "1000000.1"}, ["PRICE_FILTER", "at most 1000000"]),
            ({"price": "65000.15"}, ["PRICE_FILTER", "multiple of 0.10", "is 65000.15"]),
            ({"amount": "0.001", "price": "99999.9"}, ["NOTIONAL", "at least 100 USDT", "is 99.9999"]),
            ({"max_notional": "500"}, ["NOTIONAL", "at most 500 USDT", "is 650.001"]),
            (
                {"amount": "0.001", "type": OrderType.MARKET, "price": None, "reference": "65000"},
                ["NOTIONAL", "is 65.000"],
            ),
        ],
    )
    def test_the_reason_names_filter_limit_and_value(
        self, order: dict[str, object], parts: list[str]
    ) -> None:
        reason = check(**order)  # type: ignore[arg-type] # one table for all arguments
        assert reason is not None
        for part in [*parts, "BTCUSDT-PERP.BINANCE"]:
            assert part in reason

    def test_notional_is_left_to_the_venue_where_it_cannot_or_need_not_be_known(self) -> None:
        small = {"amount": "0.001", "price": None, "type": OrderType.MARKET}
        assert check(**small) is None  # type: ignore[arg-type] # as above
        assert check(**small, reference="65000", notional_applies_to_market=False) is None  # type: ignore[arg-type] # as above

    def test_a_reducing_order_may_be_small_where_the_venue_exempts_it(self) -> None:
        assert check(amount="0.001", reduce_only=True) is None
        assert check(amount="0.001", reduce_only=True, reduce_only_exempt_from_notional=False) is not None


def test_the_notional_of_an_inverse_contract_is_its_face_value() -> None:
    coin = instrument(type=InstrumentType.INVERSE, contract_size=Decimal(100))
    assert notional(coin, Decimal(3), Decimal(65000)) == 300
    assert notional(instrument(), Decimal(3), Decimal(65000)) == 195000


class TestToMarket:
    def test_a_perpetual_is_a_linear_swap(self) -> None:
        market = to_market(instrument())
        assert (market.id, market.lowercaseId, market.symbol) == (
            "BTCUSDT",
            "btcusdt",
            "BTCUSDT-PERP.BINANCE",
        )
        assert (market.type, market.subType) == (InstrumentType.SWAP, InstrumentType.LINEAR)
        assert (market.spot, market.swap, market.future, market.contract) == (False, True, False, True)
        assert (market.linear, market.inverse, market.settle) == (True, False, "USDT")
        assert (market.precision.price, market.precision.amount) == (0.1, 0.001)
        assert market.limits.cost is not None
        assert market.limits.cost.min == 100.0
        assert market.limits.price is not None
        assert market.limits.price.max == 1000000.0

    def test_a_dated_contract_is_a_future_with_an_expiry(self) -> None:
        market = to_market(instrument(expiry_ms=1758873600000))
        assert (market.type, market.future, market.swap) == (InstrumentType.FUTURE, True, False)
        assert market.expiryDatetime == "2025-09-26T08:00:00.000Z"

    def test_spot_has_no_contract(self) -> None:
        market = to_market(instrument(type=InstrumentType.SPOT))
        assert (market.type, market.spot, market.contract) == (InstrumentType.SPOT, True, False)
        assert (market.linear, market.contractSize, market.settle, market.expiryDatetime) == (
            None,
            None,
            None,
            None,
        )
