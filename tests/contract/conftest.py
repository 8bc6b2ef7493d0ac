"""The suite is no test module itself: its assertions are made to tell what they compared."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("nexustrader.testing.venue_contract")

# Over sockets these take minutes together, most of it waiting; under virtual time they always run.
LONG = (
    "test_a_resting_order_that_fills_in_parts_ends_the_same_whatever_happens",
    "test_an_order_that_ends_at_once_ends_the_same_whatever_happens",
    "test_subscriptions_in_any_order_leave_what_is_wanted_and_so_does_a_reconnect",
    "test_replies_that_cannot_be_read_conclude_nothing",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name == "test_contract_loopback.py" and getattr(item, "originalname", "") in LONG:
            item.add_marker(pytest.mark.nightly)
