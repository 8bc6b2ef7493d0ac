"""The one way in for requests of either kind: limits, identity, faults before, the operation, faults after."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nexustrader.emulator.binance.errors import ApiError, refusal
from nexustrader.emulator.binance.handlers.operation import KEY, NONE, Call, Operation
from nexustrader.emulator.binance.handlers.operations import REST
from nexustrader.emulator.binance.product import BinanceProduct
from nexustrader.emulator.binance.refusals import REPLIES
from nexustrader.emulator.binance.security import check_key_format, check_signature, check_time
from nexustrader.emulator.faults import FaultPlan
from nexustrader.emulator.gate import Outcome, Passage, serve
from nexustrader.emulator.orders.accounts import Account, Accounts
from nexustrader.emulator.reads import Rows
from nexustrader.emulator.signatures import Verifier

CLIENT_IDS = ("newClientOrderId", "origClientOrderId", "clientAlgoId")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """How a request says who sends it. `logged_on` is the account of a session that needs no signature."""

    api_key: str | None
    payload: bytes = b""
    signature: str | None = None
    logged_on: Account | None = None


class _Lists:
    """Answers that have rows are lists, oldest first."""

    def rows(self, result: object) -> Rows:
        return result if isinstance(result, list) else []

    def with_rows(self, _: object, rows: Rows) -> object:
        return rows


LISTS = _Lists()


class Gate:
    """Carries out requests of one product."""

    def __init__(self, product: BinanceProduct, accounts: Accounts, faults: FaultPlan) -> None:
        self.product = product
        self.name = product.name
        self.limiter = product.limiter
        self.table = REST[product.name]
        self._accounts = accounts
        self._faults = faults

    def desk(
        self,
        operation: Operation,  # noqa: ARG002 — other gates look at it
        params: Mapping[str, str],  # noqa: ARG002 — other gates look at it
        account: Account | None,
    ) -> tuple[BinanceProduct, Account | None]:
        """In which product a request is carried out, and for which account. Raises ApiError for who has none."""
        return self.product, account

    def serve(
        self,
        operation: Operation,
        params: Mapping[str, str],
        identity: Identity,
        *,
        address: str,
        route: str,
    ) -> Outcome:
        """Carries out one request. Never raises: a refusal is part of the outcome.

        Faults of the moment `after` strike only requests that were carried out.
        """
        now_ms = self.product.clock.timestamp_ms()
        account: Account | None = None
        about: dict[str, str | None] = {
            "on": operation.name,
            "route": route,
            "product": self.name,
            "symbol": params.get("symbol"),
            "client_id": next((params[name] for name in CLIENT_IDS if params.get(name)), None),
        }
        try:
            weight = operation.weight_of(params)
            self.limiter.charge_request(address, weight, now_ms)
            account = self.identify(operation.security, params, identity, now_ms)
            product, account = self.desk(operation, params, account)
        except ApiError as refused:
            return Outcome(error=refused, account=account)
        about["product"] = product.name
        call = Call(
            product=product, params=params, now_ms=now_ms, account=account, limiter=self.limiter, about=about
        )

        def handle() -> object:
            result = operation.handler(call)
            if operation.free:
                self.limiter.return_weight(address, weight, now_ms)
            return result

        def then(lag_ms: int) -> object:
            past = product.history.at(now_ms - lag_ms)
            return operation.handler(
                msgspec.structs.replace(call, past=past, account=past.account(call.owner))
            )

        return serve(
            self._faults,
            Passage(about=about, account=account, handle=handle, then=then),
            LISTS,
            lambda fault: REPLIES.as_error(fault, address, now_ms),
        )

    def identify(
        self, security: str, params: Mapping[str, str], identity: Identity, now_ms: int
    ) -> Account | None:
        """The account that asks, None for public requests. Raises ApiError for who may not."""
        if security == NONE:
            return None
        if identity.logged_on is not None:
            if security != KEY:
                check_time(params, now_ms)
            return identity.logged_on
        account = self._accounts.by_key.get(check_key_format(identity.api_key))
        if account is None:
            raise refusal(-2015)
        if security != KEY:
            self.check_signed(account.verifier, params, identity, now_ms)
        return account

    @staticmethod
    def check_signed(verifier: Verifier, params: Mapping[str, str], identity: Identity, now_ms: int) -> None:
        """Raises ApiError unless time and signature are right."""
        if not identity.signature:
            raise refusal(-1102, "signature")
        check_time(params, now_ms)
        check_signature(verifier, identity.payload, identity.signature)
