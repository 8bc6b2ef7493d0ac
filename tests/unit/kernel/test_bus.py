from __future__ import annotations

from typing import Any

import pytest

from nexustrader.kernel.bus import MessageBus


@pytest.fixture
def bus() -> MessageBus:
    return MessageBus()


def test_handlers_get_messages_in_order_of_subscription(bus: MessageBus) -> None:
    seen: list[tuple[str, int]] = []
    bus.subscribe("trade", lambda message: seen.append(("first", message)))
    bus.subscribe("trade", lambda message: seen.append(("second", message)))
    bus.publish("trade", 1)
    bus.publish("quote", 2)
    assert seen == [("first", 1), ("second", 1)]


def test_same_bound_method_is_subscribed_once(bus: MessageBus) -> None:
    seen: list[int] = []
    bus.subscribe("trade", seen.append)
    bus.subscribe("trade", seen.append)
    bus.publish("trade", 1)
    assert seen == [1]
    assert len(bus.handlers("trade")) == 1


def test_unsubscribed_handler_hears_nothing_more(bus: MessageBus) -> None:
    seen: list[int] = []
    bus.subscribe("trade", seen.append)
    bus.unsubscribe("trade", seen.append)
    bus.unsubscribe("trade", seen.append)
    bus.unsubscribe("never heard of", seen.append)
    bus.publish("trade", 1)
    assert seen == []
    assert bus.handlers("trade") == ()


def test_asking_for_handlers_of_an_unknown_topic_makes_no_topic(bus: MessageBus) -> None:
    assert bus.handlers("nothing") == ()
    bus.publish("nothing", 1)
    assert bus._topics == {}


def test_raising_handler_is_reported_and_later_ones_go_on() -> None:
    reports: list[tuple[Any, ...]] = []
    bus = MessageBus(on_error=lambda *report: reports.append(report))
    seen: list[int] = []
    fault = ZeroDivisionError()

    def broken(message: int) -> None:
        raise fault

    bus.subscribe("trade", broken)
    bus.subscribe("trade", seen.append)
    bus.publish("trade", 1)
    bus.publish("trade", 2)
    assert seen == [1, 2]
    assert reports == [("trade", broken, 1, fault), ("trade", broken, 2, fault)]
    assert bus.error_count == 2


def test_fault_of_the_error_reporter_does_not_reach_the_publisher() -> None:
    def report(topic: str, handler: object, message: object, exc: Exception) -> None:
        raise RuntimeError("the reporter is broken")

    bus = MessageBus(on_error=report)
    seen: list[int] = []
    bus.subscribe("trade", lambda message: 1 / 0)
    bus.subscribe("trade", seen.append)
    bus.publish("trade", 1)
    assert seen == [1]


def test_raising_handler_without_reporter_is_logged(
    bus: MessageBus, capsys: pytest.CaptureFixture[str]
) -> None:
    from loguru import logger

    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    secret_value = "canary"  # a local variable must not show in the log
    bus.subscribe("trade", lambda message: {}[message] if secret_value else None)
    bus.publish("trade", "no such key")
    logger.remove(sink)
    assert "a handler of 'trade' raised" in lines[0]
    assert "KeyError" in lines[0]
    assert "canary" not in lines[0]


def test_change_within_a_handler_counts_from_the_next_message(bus: MessageBus) -> None:
    seen: list[tuple[str, int]] = []

    def late(message: int) -> None:
        seen.append(("late", message))

    def once(message: int) -> None:
        seen.append(("once", message))
        bus.unsubscribe("trade", once)
        bus.subscribe("trade", late)

    bus.subscribe("trade", once)
    bus.publish("trade", 1)
    bus.publish("trade", 2)
    assert seen == [("once", 1), ("late", 2)]


def test_publishing_within_a_handler_is_delivered_at_once(bus: MessageBus) -> None:
    seen: list[str] = []
    bus.subscribe("outer", lambda message: bus.publish("inner", message))
    bus.subscribe("outer", lambda message: seen.append(f"outer {message}"))
    bus.subscribe("inner", lambda message: seen.append(f"inner {message}"))
    bus.publish("outer", 1)
    assert seen == ["inner 1", "outer 1"]


def test_kept_topic_follows_all_changes(bus: MessageBus) -> None:
    topic = bus.topic("trade")
    seen: list[int] = []
    bus.subscribe("trade", seen.append)
    topic.publish(1)
    assert topic.handlers == bus.handlers("trade") == (seen.append,)
    bus.unsubscribe("trade", seen.append)
    topic.publish(2)
    assert bus.topic("trade") is topic
    assert seen == [1]


def test_endpoint_has_one_handler(bus: MessageBus) -> None:
    seen: list[int] = []
    bus.register("filled", seen.append)
    bus.register("filled", seen.append)
    bus.send("filled", 1)
    with pytest.raises(ValueError, match="'filled' has a handler already"):
        bus.register("filled", print)
    bus.deregister("filled")
    bus.deregister("filled")
    bus.register("filled", print)
    assert seen == [1]


def test_sending_to_nobody_is_an_error_that_names_the_endpoint(bus: MessageBus) -> None:
    with pytest.raises(LookupError, match="'filled' has no handler"):
        bus.send("filled", 1)


def test_raising_endpoint_is_reported_not_raised() -> None:
    reports: list[str] = []
    bus = MessageBus(on_error=lambda topic, handler, message, exc: reports.append(topic))
    bus.register("filled", lambda message: 1 / 0)
    bus.send("filled", 1)
    assert reports == ["filled"]
    assert bus.error_count == 1
