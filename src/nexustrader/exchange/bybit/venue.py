"""Bybit as a `Venue`: the pure functions of this package under the names that the engine calls."""

from __future__ import annotations

from nexustrader.constants import AccountType, InstrumentType
from nexustrader.domain.instrument import Instrument
from nexustrader.exchange.bybit import build, build_queries, settings, sign
from nexustrader.exchange.bybit import parse_account as account
from nexustrader.exchange.bybit import parse_instruments as instruments
from nexustrader.exchange.bybit import parse_market as market
from nexustrader.exchange.bybit import parse_orders as orders
from nexustrader.exchange.bybit import parse_replies as replies
from nexustrader.exchange.bybit.constants import ADDRESSES, BybitAccountType
from nexustrader.exchange.bybit.spec import PUBLIC_TYPES, SPEC, key_of, product_of, products_of, rate_limits
from nexustrader.venue.defaults import VenueDefaults
from nexustrader.venue.spec import Endpoints, UserStreamKind, Venue


class BybitVenue(VenueDefaults):
    """Spot, linear, inverse and options of a unified account: live, testnet and demo.

    Refuses account types that no connector serves by name (EngineBuildError).
    """

    spec = SPEC

    def account_types(self) -> type[AccountType]:
        return BybitAccountType

    def public_types(self, account_type: AccountType) -> tuple[AccountType, ...]:
        return PUBLIC_TYPES.get(account_type, (account_type,))

    def instrument_types(self, account_type: AccountType) -> tuple[InstrumentType, ...]:
        return tuple(product.instrument_type for product in products_of(account_type))

    def endpoints(self, account_type: AccountType) -> Endpoints:
        products_of(account_type)
        return Endpoints(*ADDRESSES[account_type])

    def user_stream(self, account_type: AccountType) -> UserStreamKind:
        products_of(account_type)
        return UserStreamKind.PRIVATE_SOCKET

    def order_pool(self, instrument: Instrument) -> str:
        return product_of(instrument).pool

    key_of = staticmethod(key_of)
    rate_limits = staticmethod(rate_limits)
    make_signer = staticmethod(sign.make_signer)
    sign_request = staticmethod(sign.sign_request)
    logon_frame = staticmethod(sign.logon_frame)

    server_time_request = staticmethod(build_queries.server_time_request)
    instruments_requests = staticmethod(build_queries.instruments_requests)
    klines_request = staticmethod(build_queries.klines_request)
    ticker_request = staticmethod(build_queries.ticker_request)
    query_order_requests = staticmethod(build_queries.query_order_requests)
    open_orders_requests = staticmethod(build_queries.open_orders_requests)
    fills_request = staticmethod(build_queries.fills_request)
    fills_since_request = staticmethod(build_queries.fills_since_request)
    balances_request = staticmethod(build_queries.balances_request)
    positions_requests = staticmethod(build_queries.positions_requests)
    position_mode_request = staticmethod(build_queries.position_mode_request)
    next_page = staticmethod(build_queries.next_page)

    order_request = staticmethod(build.order_request)
    batch_max = staticmethod(build.batch_max)
    batch_request = staticmethod(build.batch_request)
    parse_batch_reply = staticmethod(replies.parse_batch_reply)
    cancel_request = staticmethod(build.cancel_request)
    amend_request = staticmethod(build.amend_request)
    cancel_all_request = staticmethod(build.cancel_all_request)
    order_frame = staticmethod(build.order_frame)
    setting_request = staticmethod(settings.setting_request)
    user_subscribe_frame = staticmethod(build.user_subscribe_frame)

    parse_server_time = staticmethod(market.parse_server_time)
    parse_instruments = staticmethod(instruments.parse_instruments)
    parse_klines = staticmethod(market.parse_klines)
    parse_ticker = staticmethod(market.parse_ticker)
    stream_topic = staticmethod(market.stream_topic)
    subscribe_frame = staticmethod(market.subscribe_frame)
    book_rule = staticmethod(market.book_rule)
    topic_of = staticmethod(market.topic_of)
    decoder = staticmethod(market.decoder)

    used_limits = staticmethod(replies.used_limits)
    control_problem = staticmethod(replies.control_problem)
    parse_rest_reply = staticmethod(replies.parse_rest_reply)
    parse_ws_reply = staticmethod(replies.parse_ws_reply)
    is_not_found = staticmethod(replies.is_not_found)

    parse_order_reply = staticmethod(orders.parse_order_reply)
    parse_orders = staticmethod(orders.parse_orders)
    parse_fills = staticmethod(orders.parse_fills)
    parse_user_event = staticmethod(account.parse_user_event)
    parse_balances = staticmethod(account.parse_balances)
    parse_positions = staticmethod(account.parse_positions)
    parse_is_hedge_mode = staticmethod(account.parse_is_hedge_mode)


VENUE: Venue = BybitVenue()
