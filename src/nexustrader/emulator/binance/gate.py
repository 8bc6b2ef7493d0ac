"""The one way in for requests of either kind: limits, identity, faults before, the operation, faults after."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nexustrader.emulator.binance.accounts import Account, Accounts
from nexustrader.emulator.binance.canned import as_error
from nexustrader.emulator.binance.errors import ApiError, refusal
from nexustrader.emulator.binance.operation import KEY, NONE, Call, Operation
from nexustrader.emulator.binance.product import Product
from nexustrader.emulator.binance.reads import as_read, carry_out
from nexustrader.emulator.binance.security import Verifier, check_key_format, check_signature, check_time
from nexustrader.emulator.faults import AFTER, BEFORE, Fault, FaultPlan


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """How a request says who sends it. `logged_on` is the account of a session that needs no signature."""

    api_key: str | None
    payload: bytes = b""
    signature: str | None = None
    logged_on: Account | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request: a result or an error, and the fault that meddles with the reply."""

    result: object = None
    error: ApiError | None = None
    fault: Fault | None = None
    account: Account | None = None


class Gate:
    """Carries out requests of one product."""

    def __init__(self, product: Product, accounts: Accounts, faults: FaultPlan) -> None:
        self.product = product
        self._accounts = accounts
        self._faults = faults

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
        about = {
            "on": operation.name,
            "route": route,
            "product": self.product.name,
            "symbol": params.get("symbol"),
            "client_id": params.get("newClientOrderId") or params.get("origClientOrderId"),
        }
        try:
            weight = operation.weight_of(params)
            self.product.limiter.charge_request(address, weight, now_ms)
            account = self.identify(operation.security, params, identity, now_ms)
        except ApiError as refused:
            return Outcome(error=refused, account=account)
        fault = self._faults.take(BEFORE, **about)
        if fault is not None:
            return Outcome(error=as_error(fault, address, now_ms), fault=fault, account=account)
        call = Call(product=self.product, params=params, now_ms=now_ms, account=account, about=about)
        result, error = carry_out(operation, call)
        if self._faults.pending:
            result, error = as_read(operation, call, (result, error))
        if error is not None:
            return Outcome(error=error, account=account)
        if operation.free:
            self.product.limiter.return_weight(address, weight, now_ms)
        fault = self._faults.take(AFTER, **about)
        if fault is not None and fault.action == "http_status_after":
            error = as_error(fault, address, now_ms)
        return Outcome(result=result, error=error, fault=fault, account=account)

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
