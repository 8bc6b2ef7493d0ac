"""Builds what an engine needs to reach its venues: sessions, feeds, gateways and simulated accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from nexustrader._engine.core import EngineCore
from nexustrader._engine.instruments import InstrumentLists
from nexustrader._engine.routing import Account, account_key
from nexustrader._engine.storage import database_path
from nexustrader._engine.world import World
from nexustrader._strategy.runtime import Params
from nexustrader.config import (
    Config,
    MockConnectorConfig,
    PrivateConnectorConfig,
    PublicConnectorConfig,
)
from nexustrader.constants import AccountType, ExchangeType
from nexustrader.credentials.required import Credentials, require_credentials
from nexustrader.domain.instrument import Instrument
from nexustrader.error import EngineBuildError
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import MarketPort, VenuePort
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.counts import counts_for
from nexustrader.venue.dead_man import DeadMan, require_dead_man
from nexustrader.venue.endpoints import check_table, is_loopback, redirect
from nexustrader.venue.feed import Feed
from nexustrader.venue.gateway import Gateway
from nexustrader.venue.instrument_store import InstrumentStore, store_name
from nexustrader.venue.ratelimit import RateLimiter
from nexustrader.venue.registry import load_venue
from nexustrader.venue.session import RestSession
from nexustrader.venue.spec import Endpoints, Signer, Venue
from nexustrader.venue.transport import Transport

_log = get_logger("Connections")


class Connections:
    """Everything an engine holds open, and a second set of sessions for the blocking-request thread."""

    def __init__(self, core: EngineCore, world: World, tasks: TaskManager, params: Params) -> None:
        self._core = core
        self._params = params
        self._clock = world.clock
        self._tasks = tasks
        self._entropy = world.entropy
        self._transport = world.transport
        self._io_transport = world.io_transport
        self.feeds: dict[tuple[ExchangeType, AccountType], Feed] = {}
        self._has_files = world.has_files
        self._lists = InstrumentLists(world.clock, tasks, self._on_instruments)
        self._listening: list[Feed] = []
        self._gateways: list[tuple[Gateway, list[tuple[ExchangeType, AccountType]]]] = []
        self.ports: list[VenuePort] = []
        self.dead_men: list[DeadMan] = []
        self.fingerprints: dict[str, str] = {}
        self.io_market: dict[str, MarketPort] = {}
        self.io_venues: dict[str, VenuePort] = {}
        self._credentials: dict[str, Credentials] = {}
        self._limiters: dict[tuple[ExchangeType, str], RateLimiter] = {}

    # -- building --------------------------------------------------------------------------------------------

    async def build(self) -> None:
        """Load instruments and make every port. Raises EngineBuildError, and what `RestSession.ask` raises."""
        config = self._core.config
        for exchange, publics in config.public_conn_config.items():
            for public in publics:
                self._add_feed(exchange, load_venue(exchange), public)
        for exchange, privates in config.private_conn_config.items():
            for private in privates:
                if isinstance(private, MockConnectorConfig):
                    _require_market(config, exchange, private)
                else:
                    for public_type in load_venue(exchange).public_types(private.account_type):
                        self._ensure_feed(exchange, public_type)
                    self._require_credentials(exchange, private)  # before anything is asked of the network
        store = InstrumentStore(database_path(config).parent / "instruments" if self._has_files else None)
        await all_or_none(*(self._load(store, *key, feed) for key, feed in self.feeds.items()))
        for (exchange, account_type), feed in self.feeds.items():
            listens = any(p.account_type is account_type for p in config.public_conn_config.get(exchange, ()))
            self._listening += [feed] if listens else []
            self._core.add_market(feed.instruments, feed if listens else None)
        for exchange, privates in config.private_conn_config.items():
            for connector in privates:
                self._add_private(exchange, connector)
        for feed in self.feeds.values():
            self.io_market.update(dict.fromkeys(feed.instruments, feed.over(self._io_transport)))

    async def _load(
        self, store: InstrumentStore, exchange: ExchangeType, account_type: AccountType, feed: Feed
    ) -> None:
        await self._lists.load(store, store_name(exchange.value, account_type.value, feed.origin), feed)

    def _on_instruments(self, feed: Feed, changed: list[Instrument]) -> None:
        """Instruments have changed, come or gone: everybody who reckons with them knows it in the same call."""
        new = {one.symbol: one for one in changed if one.symbol not in self._core.instruments}
        if new:
            listens = any(port is feed for port in self._listening)
            self._core.add_market(new, feed if listens else None)
            self.io_market.update(dict.fromkeys(new, feed.over(self._io_transport)))
        self._core.renew_instruments(msgspec.json.encode(changed).decode())
        for gateway, public_types in self._gateways:
            if any(self.feeds[key] is feed for key in public_types):
                gateway.know_instruments(changed)

    def _require_credentials(self, exchange: ExchangeType, connector: PrivateConnectorConfig) -> None:
        key = account_key(exchange, connector.account_type, connector.account)
        basic = self._core.config.basic(exchange, connector.account)
        self._credentials[key] = require_credentials(basic, exchange, connector.account)
        if connector.dead_man_ms is not None:
            require_dead_man(key, load_venue(exchange), connector.account_type)

    def _add_feed(self, exchange: ExchangeType, venue: Venue, public: PublicConnectorConfig) -> None:
        account_type = public.account_type
        configured = testnet_of(self._core.config, exchange, public.account)
        testnet = account_type.is_testnet
        if configured != testnet:
            raise EngineBuildError(
                f"basic_config[{exchange.name}].testnet is {configured} but {account_type.value} is "
                f"{'a testnet' if testnet else 'a live'} account type. Make them agree"
            )
        self._make_feed(exchange, venue, account_type, public.enable_rate_limit, public.custom_url)

    def _ensure_feed(self, exchange: ExchangeType, account_type: AccountType) -> None:
        if (exchange, account_type) not in self.feeds:
            self._make_feed(
                exchange, load_venue(exchange), account_type, enable_rate_limit=True, custom_url=None
            )

    def _make_feed(
        self,
        exchange: ExchangeType,
        venue: Venue,
        account_type: AccountType,
        enable_rate_limit: bool,
        custom_url: str | None,
    ) -> None:
        endpoints = redirected(venue, exchange, account_type)
        session = self._session(venue, account_type, endpoints, self._transport, None, enable_rate_limit)
        self.feeds[exchange, account_type] = Feed(
            venue,
            account_type,
            endpoints,
            session,
            self._transport,
            self._clock,
            self._tasks,
            self._entropy,
            self._core.deliver,
            custom_url,
        )

    def _session(
        self,
        venue: Venue,
        account_type: AccountType,
        endpoints: Endpoints,
        transport: Transport,
        signer: Signer | None,
        enable_rate_limit: bool,
    ) -> RestSession:
        limiter = self._limiter(venue, account_type, endpoints)
        return RestSession(
            venue,
            endpoints.rest,
            venue.server_time_request(account_type),
            transport,
            self._clock,
            limiter,
            signer=signer,
            enable_rate_limit=enable_rate_limit,
            clock_url=endpoints.clock,
        )

    def _limiter(self, venue: Venue, account_type: AccountType, endpoints: Endpoints) -> RateLimiter:
        """One for all that count against the same limits; against the real venue also for other programs here."""
        name = endpoints.pool or endpoints.rest
        key = (venue.spec.exchange, name)
        if key not in self._limiters:
            limits = venue.rate_limits(account_type)
            is_shared = self._has_files and not is_loopback(urlsplit(endpoints.rest).hostname or "")
            counts = counts_for(f"{venue.spec.exchange.value} {name}", len(limits)) if is_shared else None
            self._limiters[key] = RateLimiter(limits, counts)
        return self._limiters[key]

    def _add_private(
        self, exchange: ExchangeType, connector: PrivateConnectorConfig | MockConnectorConfig
    ) -> None:
        key = account_key(exchange, connector.account_type, connector.account)
        self._core.accounts.add(Account(key, exchange, connector.account_type, connector.account))
        if isinstance(connector, MockConnectorConfig):
            self._core.add_mock(key, store=self._params)
            mock = self._core.mocks[key]
            self.ports.append(mock)
            self.io_venues[key] = mock
            return
        venue = load_venue(exchange)
        endpoints = redirected(venue, exchange, connector.account_type)
        found = self._credentials[key]
        self.fingerprints[key] = found.fingerprint
        signer = venue.make_signer(found.api_key, found.secret, found.passphrase)
        shown_by = [(exchange, public) for public in venue.public_types(connector.account_type)]
        instruments: dict[str, Instrument] = {}
        for key_of_feed in shown_by:
            instruments |= self.feeds[key_of_feed].instruments

        def gateway_over(transport: Transport) -> Gateway:
            session = self._session(
                venue, connector.account_type, endpoints, transport, signer, connector.enable_rate_limit
            )
            gateway = Gateway(
                key,
                venue,
                connector.account_type,
                endpoints,
                instruments,
                session,
                transport,
                self._clock,
                self._tasks,
                self._entropy.child(key),
            )
            self._gateways.append((gateway, shown_by))
            return gateway

        self._add_port(gateway_over(self._transport))
        self.io_venues[key] = gateway_over(self._io_transport)
        if connector.dead_man_ms is not None:
            session = self._session(
                venue, connector.account_type, endpoints, self._transport, signer, connector.enable_rate_limit
            )
            self._add_dead_man(key, connector, connector.dead_man_ms, venue, session)

    def _add_dead_man(
        self,
        key: str,
        connector: PrivateConnectorConfig,
        countdown_ms: int,
        venue: Venue,
        session: RestSession,
    ) -> None:
        self.dead_men.append(
            DeadMan(
                key,
                venue,
                connector.account_type,
                countdown_ms,
                session,
                self._core.instruments,
                self._core.oms.own_open_orders,
                self._tasks,
                leaves_armed=self._core.config.exit_after_cancel,
                known_orders=self._core.oms.own_orders,
            )
        )

    def _add_port(self, port: VenuePort) -> None:
        self.ports.append(port)
        self._core.add_account(port)

    # -- life ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect every account at once, then bring each in line with its venue."""
        for key in self._core.mocks:
            self._core.start_mock(key)
        await all_or_none(
            self._lists.settle(),
            *(port.start() for port in self.ports if port.account not in self._core.mocks),
        )
        await all_or_none(*(self._core.start_up(port.account) for port in self.ports))
        for timer in self.dead_men:
            timer.start()
        self._core.note_executions()
        for port in self.ports:
            self._core.watch(port.account)

    async def stop(self) -> None:
        """Close every stream: public data first, so that nothing new is decided while the accounts go."""
        for parts in (self.feeds.values(), self.dead_men, self.ports):
            for outcome in await asyncio.gather(*(part.stop() for part in parts), return_exceptions=True):
                if isinstance(outcome, Exception):
                    _log.error(f"a connection did not close in good order: {outcome}", exc=outcome)


async def all_or_none(*works: Awaitable[Any]) -> None:
    """Run all at once; when one fails, the others are ended before its error is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def redirected(venue: Venue, exchange: ExchangeType, account_type: AccountType) -> Endpoints:
    """The account type's URLs, with any configured redirection applied."""
    plain = venue.endpoints(account_type)
    check_table(exchange, (member.value for member in venue.account_types()))
    name = account_type.value
    return Endpoints(
        rest=redirect(plain.rest, exchange, name),
        stream=redirect(plain.stream, exchange, name),
        trade=redirect(plain.trade, exchange, name) if plain.trade is not None else None,
        private=redirect(plain.private, exchange, name) if plain.private is not None else None,
        pool=plain.pool,
        clock=redirect(plain.clock, exchange, name) if plain.clock is not None else None,
    )


def _require_market(config: Config, exchange: ExchangeType, mock: MockConnectorConfig) -> None:
    """Raises EngineBuildError for a mock account without public data: nothing could ever fill there."""
    if not config.public_conn_config.get(exchange):
        raise EngineBuildError(
            f"{mock.account_type.value} of {exchange.name} fills its orders on public data, and public_conn_config "
            f"has no connector of {exchange.name}; add one for the account type whose symbols it trades"
        )


def testnet_of(config: Config, exchange: ExchangeType, account: str | None) -> bool:
    """Whether the public data of a venue is a testnet's; of several accounts the first says so. EngineBuildError."""
    found = config.basic_config.get(exchange)
    if account is None and isinstance(found, Mapping):
        account = next(iter(found))
    return config.basic(exchange, account).testnet
