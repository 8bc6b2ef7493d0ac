"""The message bus: topics with many handlers, endpoints with one. Synchronous, on the engine's thread.

Handlers run in the order of subscription, within `publish`. A handler that raises is reported and counted;
the others still run. Subscribing, unsubscribing and publishing inside a handler are safe: a change counts
from the next message on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nexustrader.kernel.log import get_logger

_log = get_logger("MessageBus")

Handler = Callable[[Any], object]
HandlerError = Callable[[str, Handler, Any, Exception], object]


class Topic:
    """One topic, for publishers that send often.

    Keep the object, which is the same for the life of the bus, and call `publish`: no look-up by name is
    made. `handlers` is an immutable tuple that each change replaces: read it anew for every message.
    """

    __slots__ = ("_bus", "handlers", "name")

    def __init__(self, name: str, bus: MessageBus) -> None:
        self.name = name
        self.handlers: tuple[Handler, ...] = ()
        self._bus = bus

    def publish(self, message: Any) -> None:
        """Hands `message` to every handler. Never raises what a handler raises."""
        for handler in self.handlers:
            try:
                handler(message)
            except Exception as exc:  # tidy: ok — one handler's fault must not cost the others
                self._bus.report(self.name, handler, message, exc)


class MessageBus:
    """Topics (publish, subscribe) and endpoints (send, register) of one engine.

    `on_error(topic, handler, message, exception)` hears of every handler that raised; without it they are
    logged. `error_count` counts them.
    """

    def __init__(self, on_error: HandlerError | None = None) -> None:
        self.on_error = on_error
        self.error_count = 0
        self._topics: dict[str, Topic] = {}
        self._endpoints: dict[str, Handler] = {}

    # -- topics -------------------------------------------------------------------------------------------

    def topic(self, name: str) -> Topic:
        """The topic of this name, made at first use."""
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(name, self)
        return topic

    def handlers(self, topic: str) -> tuple[Handler, ...]:
        """The topic's handlers now, in order. To follow changes cheaply keep `topic(name)` instead."""
        known = self._topics.get(topic)
        return () if known is None else known.handlers

    def subscribe(self, topic: str, handler: Handler, *, first: bool = False) -> None:
        """Adds `handler` behind the others, or before them; one that is already there stays where it is."""
        known = self.topic(topic)
        if handler not in known.handlers:
            known.handlers = (handler, *known.handlers) if first else (*known.handlers, handler)

    def unsubscribe(self, topic: str, handler: Handler) -> None:
        """Takes `handler` off; one that is not there is no error."""
        known = self._topics.get(topic)
        if known is not None:
            known.handlers = tuple(other for other in known.handlers if other != handler)

    def publish(self, topic: str, message: Any) -> None:
        """Hands `message` to every handler of the topic. Never raises what a handler raises."""
        known = self._topics.get(topic)
        if known is not None:
            known.publish(message)

    # -- endpoints ----------------------------------------------------------------------------------------

    def register(self, endpoint: str, handler: Handler) -> None:
        """Makes `handler` the receiver of `endpoint`. Raises ValueError when another one has it."""
        if self._endpoints.setdefault(endpoint, handler) != handler:
            raise ValueError(f"endpoint {endpoint!r} has a handler already; deregister it first")

    def endpoint(self, name: str) -> Handler | None:
        """The receiver of an endpoint."""
        return self._endpoints.get(name)

    def deregister(self, endpoint: str) -> None:
        """Frees `endpoint`; one that nobody has is no error."""
        self._endpoints.pop(endpoint, None)

    def send(self, endpoint: str, message: Any) -> None:
        """Hands `message` to the endpoint's handler. Never raises what it raises; LookupError without one."""
        handler = self._endpoints.get(endpoint)
        if handler is None:
            raise LookupError(f"endpoint {endpoint!r} has no handler; register one before sending")
        try:
            handler(message)
        except Exception as exc:  # tidy: ok — the sender is not to blame and must go on
            self.report(endpoint, handler, message, exc)

    # -- faults -------------------------------------------------------------------------------------------

    def report(self, topic: str, handler: Handler, message: Any, exc: Exception) -> None:
        """Counts a handler's exception and passes it on. Never raises."""
        self.error_count += 1
        if self.on_error is None:
            _log.error(f"a handler of {topic!r} raised: {handler!r}", exc=exc)
            return
        try:
            self.on_error(topic, handler, message, exc)
        except Exception as second:  # tidy: ok — the reporter's own fault must not reach the publisher
            _log.error(f"the error reporter of the bus raised while reporting {exc!r}", exc=second)
