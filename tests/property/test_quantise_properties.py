from __future__ import annotations

from decimal import Context, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexustrader.domain.instrument import RoundingMode, quantise

WIDE = Context(prec=120)
STEPS = st.one_of(
    st.sampled_from(["0.05", "0.5", "25", "1E-8", "2.5", "0.00025", "1E+2", "0.10"]).map(Decimal),
    st.integers(-12, 4).map(lambda exponent: Decimal(1).scaleb(exponent)),
    st.builds(
        lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(1, 999), st.integers(-8, 2)
    ),
)
VALUES = st.decimals(-(10**15), 10**15, allow_nan=False, allow_infinity=False)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(value=VALUES, step=STEPS, mode=st.sampled_from(["round", "floor", "ceil"]))
def test_the_result_is_the_right_multiple_and_stays(
    value: Decimal, step: Decimal, mode: RoundingMode
) -> None:
    result = quantise(value, step, mode)
    assert WIDE.remainder(result, step) == 0
    distance = WIDE.subtract(result, value)
    if mode == "floor":
        assert -step < distance <= 0
    elif mode == "ceil":
        assert 0 <= distance < step
    else:
        assert abs(distance) * 2 <= step
        if abs(distance) * 2 == step:
            assert abs(result) > abs(value), "HALF_UP goes away from zero"
    assert quantise(result, step, mode) == result
    exponent = result.as_tuple().exponent
    assert exponent == min(step.as_tuple().exponent, 0)
