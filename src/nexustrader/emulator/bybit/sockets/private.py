"""The private socket: who is logged in, and which of the account's messages he hears."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from nexustrader.emulator.bybit.categories import CATEGORIES
from nexustrader.emulator.bybit.encode.orders import fast_execution
from nexustrader.emulator.bybit.errors import BybitError, refusal
from nexustrader.emulator.bybit.security import check_login
from nexustrader.emulator.bybit.sockets import frames
from nexustrader.emulator.bybit.sockets.frames import PRIVATE, Request
from nexustrader.emulator.faults import SUBSCRIBE, FaultPlan
from nexustrader.emulator.orders.accounts import Account, Accounts
from nexustrader.emulator.peer import Peer
from nexustrader.kernel.ports import Clock

Body = dict[str, Any]

encode = msgspec.json.encode

BY_CATEGORY = ("order", "execution", "execution.fast", "position")
TOPICS = {*BY_CATEGORY, "wallet", "greeks", "dcp.future", "dcp.spot", "dcp.option"} | {
    f"{topic}.{category}" for topic in BY_CATEGORY for category in CATEGORIES
}


class PrivateListeners:
    """The private sockets that are logged in, by account."""

    def __init__(self) -> None:
        self._sockets: dict[str, dict[PrivateConnection, None]] = {}
        self.on_listener: Callable[[Account], None] = lambda _: None
        self.on_gone: Callable[[Account, Mapping[str, object]], None] = lambda *_: None

    def is_heard(self, account: Account, topic: str) -> bool:
        """True when some socket of the account listens to a topic."""
        return any(topic in connection.topics for connection in self._sockets.get(account.name, ()))

    def add(self, account: Account, connection: PrivateConnection) -> None:
        """Somebody begins to listen."""
        self._sockets.setdefault(account.name, {})[connection] = None

    def remove(self, account: Account, connection: PrivateConnection) -> None:
        """Somebody went away."""
        self._sockets.get(account.name, {}).pop(connection, None)
        self.on_gone(account, connection.topics)

    def deliver(self, account: Account, event: Body) -> None:
        """Sends one message to every socket that subscribed to its topic."""
        for connection in list(self._sockets.get(account.name, ())):
            connection.tell(event)

    def drop(self, account: Account, *, silent: bool) -> int:
        """Ends the logins of an account: its sockets are closed, or (`silent`) hear nothing more; returns how many."""
        sockets = list(self._sockets.pop(account.name, ()))
        for connection in sockets:
            if not silent:
                connection.close()
        return len(sockets)

    @property
    def alive(self) -> int:
        """How many sockets are logged in."""
        return sum(len(sockets) for sockets in self._sockets.values())


class PrivateConnection:
    """One client of the private socket."""

    def __init__(
        self,
        listeners: PrivateListeners,
        accounts: Accounts,
        faults: FaultPlan,
        peer: Peer,
        clock: Clock,
        name: str,
    ) -> None:
        self._listeners = listeners
        self._accounts = accounts
        self._faults = faults
        self._peer = peer
        self._clock = clock
        self._name = name
        self._account: Account | None = None
        self.topics: dict[str, None] = {}

    def on_text(self, text: str) -> None:
        """Answers one request."""
        try:
            request = frames.read(text)
        except msgspec.MsgspecError as wrong:
            self._refuse(Request(op=""), frames.UNDECODABLE.format(wrong))
            return
        handler = _OPS.get(request.op)
        if handler is None:
            self._refuse(request, frames.INVALID_OP)
        else:
            handler(self, request)

    def tell(self, event: Body) -> None:
        """Sends a message of a topic that is subscribed; executions to the fast topic, too, in its form.

        A topic that does not exist, which only a fault makes up, is heard by all.
        """
        topic, row = event["topic"], event["data"][0]
        if self._hears(topic, row) or topic not in TOPICS:
            self._peer.send(encode(event))
        if topic == "execution" and row.get("execType") == "Trade" and self._hears("execution.fast", row):
            fast = {"topic": "execution.fast", "creationTime": event["creationTime"]}
            self._peer.send(encode({**fast, "data": [fast_execution(one) for one in event["data"]]}))

    def close(self) -> None:
        """Ends the connection from the venue's side."""
        self._peer.close()

    def end(self) -> None:
        """Ends what it listens to."""
        if self._account is not None:
            self._listeners.remove(self._account, self)

    # -- requests -----------------------------------------------------------------------------------------

    def auth(self, request: Request) -> None:
        """Logs in. What fails is answered, and the socket closed."""
        try:
            self._account = login(self._accounts, request.args, self._clock.timestamp_ms())
        except BybitError as error:
            self._refuse(request, error.message)
            self._peer.close()
            return
        self._listeners.add(self._account, self)
        self._peer.send(self._ack(request))

    def ping(self, request: Request) -> None:
        """The client is there."""
        self._peer.send(frames.pong(PRIVATE, request, self._name, self._clock.timestamp_ms()))

    def subscribe(self, request: Request) -> None:
        """Adds topics: all of them, or none."""
        names = [str(name) for name in request.args]
        wrong = self._wrong(names)
        if wrong is not None:
            self._refuse(request, wrong)
            return
        assert self._account is not None
        # Race: the reply must leave before the first message of a topic, so it is queued first.
        if not self._strikes("drop_subscribe_ack", names):
            self._peer.send(self._ack(request))
        for name in names:
            if not self._strikes("mute_topic", [name]):
                self.topics[name] = None
        self._listeners.on_listener(self._account)

    def unsubscribe(self, request: Request) -> None:
        """Takes topics off."""
        for name in request.args:
            self.topics.pop(str(name), None)
        self._peer.send(self._ack(request))

    def _wrong(self, names: list[str]) -> str | None:
        if self._account is None:
            return frames.NOT_AUTHORIZED
        for name in names:
            if name not in TOPICS:
                return frames.HANDLER_NOT_FOUND.format(name)
            if name in self.topics:
                return frames.ALREADY_SUBSCRIBED.format(name)
            if any(f"{name}.{category}" in names for category in CATEGORIES):
                return f"error:all-in-one and categorised topics must not be mixed,topic:{name}"
        return None

    def _ack(self, request: Request) -> bytes:
        body = {"success": True, "ret_msg": "", "op": request.op, "conn_id": self._name}
        return encode({**body, "req_id": request.req_id} if request.req_id else body)

    def _refuse(self, request: Request, message: str) -> None:
        self._peer.send(frames.refused(PRIVATE, request, self._name, message, []))

    def _hears(self, topic: str, row: Body) -> bool:
        return topic in self.topics or f"{topic}.{row.get('category')}" in self.topics

    def _strikes(self, action: str, names: Iterable[str]) -> bool:
        if not self._faults.pending:
            return False
        products = CATEGORIES
        return any(
            self._faults.take(SUBSCRIBE, (action,), on="user", product=product, topic=name) is not None
            for name in names
            for product in products
        )


_OPS: dict[str, Callable[[PrivateConnection, Request], None]] = {
    "auth": PrivateConnection.auth,
    "ping": PrivateConnection.ping,
    "subscribe": PrivateConnection.subscribe,
    "unsubscribe": PrivateConnection.unsubscribe,
}


def login(accounts: Accounts, args: list[Any], now_ms: int) -> Account:
    """The account that a socket's `auth` proves. Raises BybitError."""
    if len(args) != 3:
        raise refusal(10001, "auth takes a key, a time in ms and a signature")
    account = accounts.by_key.get(str(args[0]))
    if account is None:
        raise refusal(10003)
    check_login(account.verifier, args[1], args[2], now_ms)
    return account
