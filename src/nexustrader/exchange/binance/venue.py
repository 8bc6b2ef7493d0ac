"""Binance as a `Venue`: the pure functions of this package under the names that the engine calls."""

from __future__ import annotations

from nexustrader.constants import AccountType, InstrumentType
from nexustrader.exchange.binance import (
    build,
    build_queries,
    parse_account,
    parse_market,
    parse_replies,
    quirks,
    settings,
    sign,
)
from nexustrader.exchange.binance import parse_instruments as instruments
from nexustrader.exchange.binance import parse_orders as orders
from nexustrader.exchange.binance.addresses import ADDRESSES
from nexustrader.exchange.binance.constants import BinanceAccountType
from nexustrader.exchange.binance.quirks import account_of
from nexustrader.exchange.binance.spec import SPEC
from nexustrader.venue.defaults import VenueDefaults
from nexustrader.venue.spec import Endpoints, Venue


class BinanceVenue(VenueDefaults):
    """Every account type but mocks, live and testnet. Refuses others by name (EngineBuildError)."""

    spec = SPEC

    def account_types(self) -> type[AccountType]:
        return BinanceAccountType

    def public_types(self, account_type: AccountType) -> tuple[AccountType, ...]:
        return account_of(account_type).public_types or (account_type,)

    def instrument_types(self, account_type: AccountType) -> tuple[InstrumentType, ...]:
        return tuple(product.instrument_type for product in account_of(account_type).products.values())

    def endpoints(self, account_type: AccountType) -> Endpoints:
        account_of(account_type)
        return Endpoints(*ADDRESSES[account_type.value])

    rate_limits = staticmethod(lambda account_type: account_of(account_type).limits)
    user_stream = staticmethod(lambda account_type: account_of(account_type).stream)
    server_time_request = staticmethod(lambda account_type: account_of(account_type).server_time)
    balances_request = staticmethod(lambda account_type: account_of(account_type).balances)
    positions_requests = staticmethod(lambda account_type: account_of(account_type).positions)
    position_mode_request = staticmethod(lambda account_type: account_of(account_type).position_mode)

    key_of = staticmethod(quirks.key_of)
    setting_request = staticmethod(settings.setting_request)
    make_signer = staticmethod(sign.make_signer)
    sign_request = staticmethod(sign.sign_request)

    parse_server_time = staticmethod(parse_market.parse_server_time)
    used_limits = staticmethod(parse_replies.used_limits)
    instruments_requests = staticmethod(build_queries.instruments_requests)
    parse_instruments = staticmethod(instruments.parse_instruments)
    klines_request = staticmethod(build_queries.klines_request)
    parse_klines = staticmethod(parse_market.parse_klines)
    ticker_request = staticmethod(build_queries.ticker_request)
    parse_ticker = staticmethod(parse_market.parse_ticker)
    book_rule = staticmethod(parse_market.book_rule)
    depth_request = staticmethod(build_queries.depth_request)
    parse_depth = staticmethod(parse_market.parse_depth)

    stream_topic = staticmethod(parse_market.stream_topic)
    subscribe_frame = staticmethod(parse_market.subscribe_frame)
    topic_of = staticmethod(parse_market.topic_of)
    control_problem = staticmethod(parse_replies.control_problem)
    decoder = staticmethod(parse_market.decoder)

    order_request = staticmethod(build.order_request)
    batch_max = staticmethod(build.batch_max)
    batch_request = staticmethod(build.batch_request)
    parse_batch_reply = staticmethod(parse_replies.parse_batch_reply)
    cancel_request = staticmethod(build.cancel_request)
    amend_request = staticmethod(build.amend_request)
    cancel_all_request = staticmethod(build.cancel_all_request)
    dead_man_request = staticmethod(build.dead_man_request)
    order_frame = staticmethod(build.order_frame)
    parse_ws_reply = staticmethod(parse_replies.parse_ws_reply)
    parse_rest_reply = staticmethod(parse_replies.parse_rest_reply)
    parse_order_reply = staticmethod(orders.parse_order_reply)

    user_subscribe_frame = staticmethod(build.user_subscribe_frame)
    listen_key_request = staticmethod(build_queries.listen_key_request)
    parse_listen_key = staticmethod(parse_account.parse_listen_key)
    listen_key_route = staticmethod(build_queries.listen_key_route)
    listen_token_requests = staticmethod(build_queries.listen_token_requests)
    listen_token_frame = staticmethod(build.listen_token_frame)
    parse_listen_token = staticmethod(parse_account.parse_listen_token)
    parse_user_event = staticmethod(parse_account.parse_user_event)

    query_order_requests = staticmethod(build_queries.query_order_requests)
    open_orders_requests = staticmethod(build_queries.open_orders_requests)
    next_page = staticmethod(build_queries.next_page)
    fills_request = staticmethod(build_queries.fills_request)
    fills_since_request = staticmethod(build_queries.fills_since_request)
    parse_orders = staticmethod(orders.parse_orders)
    parse_fills = staticmethod(orders.parse_fills)
    is_not_found = staticmethod(parse_replies.is_not_found)
    parse_balances = staticmethod(parse_account.parse_balances)
    parse_positions = staticmethod(parse_account.parse_positions)
    parse_is_hedge_mode = staticmethod(parse_account.parse_is_hedge_mode)


VENUE: Venue = BinanceVenue()
