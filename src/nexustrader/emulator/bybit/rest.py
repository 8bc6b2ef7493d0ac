"""REST: a query or a JSON body in, the envelope and the limits' headers out."""

from __future__ import annotations

from nexustrader.emulator.bybit.errors import BybitError, refusal
from nexustrader.emulator.bybit.gate import Gate, Served
from nexustrader.emulator.bybit.handlers import params as read
from nexustrader.emulator.bybit.handlers.operation import Operation
from nexustrader.emulator.bybit.handlers.operations import REST
from nexustrader.emulator.bybit.security import API_KEY_HEADER, check_signed
from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.gate import Outcome
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.rest import SEND, RestCall, RestReply, delivery_of, json_reply, page_reply

NOT_SERVED = "{} {} is not emulated"
NOT_SERVED_CODE = 10404
GET_WITH_BODY = "Forbidden: a GET has no body"
FORBIDDEN_CODE = 10024


class Rest:
    """Answers every REST request of the venue."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._venue = gate.venue

    def answer(self, call: RestCall) -> RestReply:
        """Answers one request."""
        path, _, query = call.raw_path.partition("?")
        now_ms = self._venue.clock.timestamp_ms()
        operation = REST.get((call.method, path))
        if operation is None:
            message = NOT_SERVED.format(call.method, path)
            return self.refused(BybitError(NOT_SERVED_CODE, message, status=404))
        try:
            self._venue.limiter.charge_address(call.address, now_ms)
            if call.method == "GET" and call.body:
                raise BybitError(FORBIDDEN_CODE, GET_WITH_BODY, status=403, page=GET_WITH_BODY)
            account = self._identify(operation, call, query, now_ms)
            is_query = call.method == "GET"
            params, items = read.of_query(query) if is_query else read.of_body(call.body)
        except BybitError as error:
            return self.refused(error)
        served = self._gate.serve(operation, params, items, account, address=call.address, route="rest")
        return self._reply(served)

    def refused(self, error: VenueError) -> RestReply:
        """The reply of a refusal."""
        return self._reply(Served(outcome=Outcome(error=error)))

    def _identify(self, operation: Operation, call: RestCall, query: str, now_ms: int) -> Account | None:
        if not operation.signed:
            return None
        account = self._venue.accounts.by_key.get(call.headers.get(API_KEY_HEADER, ""))
        if account is None:
            raise refusal(10003)
        payload = query.encode("utf-8", "surrogateescape") if call.method == "GET" else call.body
        check_signed(account.verifier, call.headers, payload, now_ms)
        return account

    def _reply(self, served: Served) -> RestReply:
        outcome, now_ms = served.outcome, self._venue.clock.timestamp_ms()
        delivery = delivery_of(outcome.fault)
        if delivery.kind != SEND:
            return RestReply(delivery=delivery)
        headers = {**served.headers(), "Timenow": str(now_ms), "Traceid": f"{now_ms:032x}"}
        error = outcome.error
        if error is not None and error.page is not None:
            return page_reply(error, headers)
        body = {
            "retCode": served.code,
            "retMsg": served.message,
            "result": served.result,
            "retExtInfo": served.ext,
            "time": now_ms,
        }
        return json_reply(body, 200 if error is None else error.status, headers, outcome.fault)
