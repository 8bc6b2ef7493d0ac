"""The one way in for requests of either kind: limits, faults before, the operation, faults after."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from nexustrader.emulator.bybit.errors import BybitError
from nexustrader.emulator.bybit.handlers.operation import Answered, Body, Call, Operation, about_of
from nexustrader.emulator.bybit.handlers.operations import ONE_OF
from nexustrader.emulator.bybit.handlers.params import Params
from nexustrader.emulator.bybit.limits import Usage
from nexustrader.emulator.bybit.refusals import FOUND_NOTHING, REPLIES
from nexustrader.emulator.bybit.venue import BybitVenue
from nexustrader.emulator.gate import Outcome, Passage, serve
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.reads import Rows

NOTHING: Body = {"nextPageCursor": "", "list": []}


class _Pages:
    """Answers that have rows hold them in `list`, newest first."""

    def rows(self, result: object) -> Rows:
        found = result.get("list") if isinstance(result, dict) else None
        return list(reversed(found)) if isinstance(found, list) else []

    def with_rows(self, result: object, rows: Rows) -> object:
        assert isinstance(result, dict)
        return {**result, "list": list(reversed(rows))}


PAGES = _Pages()


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request, and what is left of its limit."""

    outcome: Outcome
    usage: Usage | None = None

    @property
    def code(self) -> int:
        """The code of the reply."""
        return 0 if self.outcome.error is None else self.outcome.error.code

    @property
    def message(self) -> str:
        """The text of the reply."""
        return "OK" if self.outcome.error is None else self.outcome.error.message

    @property
    def result(self) -> object:
        """The result of the reply; of a query that a fault lets find nothing, nothing."""
        error = self.outcome.error
        if error is not None:
            return NOTHING if error.code == FOUND_NOTHING else {}
        result = self.outcome.result
        return result.result if isinstance(result, Answered) else result

    @property
    def ext(self) -> object:
        """What stands in retExtInfo."""
        result = self.outcome.result
        return result.ext if isinstance(result, Answered) and self.outcome.error is None else {}

    def headers(self) -> dict[str, str]:
        """Usage of the limits, as the reply's headers."""
        usage = {} if self.usage is None else self.usage.headers()
        return usage if self.outcome.error is None else {**usage, **self.outcome.error.headers}


class Gate:
    """Carries out requests of accounts that are known."""

    def __init__(self, venue: BybitVenue) -> None:
        self.venue = venue

    def serve(
        self,
        operation: Operation,
        params: Params,
        items: Sequence[Params],
        account: Account | None,
        *,
        address: str,
        route: str,
    ) -> Served:
        """Carries out one request. Never raises: a refusal is part of what is returned."""
        now_ms = self.venue.clock.timestamp_ms()
        about = about_of(operation, params, route)
        limited = ONE_OF.get(about["on"] or "", about["on"] or ""), params.get("category", "")
        limiter = self.venue.limiter
        try:
            if account is not None:
                limiter.charge(account.name, *limited, now_ms)
        except BybitError as refused:
            return Served(outcome=Outcome(error=refused, account=account))
        call = Call(venue=self.venue, params=params, items=items, now_ms=now_ms, account=account, about=about)

        def then(lag_ms: int) -> object:
            past = self.venue.history.at(now_ms - lag_ms)
            return operation.handler(
                msgspec.structs.replace(call, past=past, account=past.account(call.owner))
            )

        outcome = serve(
            self.venue.faults,
            Passage(about=about, account=account, handle=lambda: operation.handler(call), then=then),
            PAGES,
            lambda fault: REPLIES.as_error(fault, address, now_ms),
        )
        usage = None if account is None else limiter.usage(account.name, *limited, now_ms)
        return Served(outcome=outcome, usage=usage)
