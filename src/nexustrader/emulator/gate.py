"""The way of a request whose sender is known: faults before, the request itself, faults after."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.faults import AFTER, BEFORE, Fault, FaultPlan
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.reads import Answer, Listed, as_read, carry_out


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request: a result or an error, and the fault that meddles with the reply."""

    result: object = None
    error: VenueError | None = None
    fault: Fault | None = None
    account: Account | None = None


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """One request on its way. `handle` carries it out, `then` as it would have been so many ms ago."""

    about: Mapping[str, str | None]
    account: Account | None
    handle: Callable[[], object]
    then: Callable[[int], object]


def serve(
    faults: FaultPlan, passage: Passage, listed: Listed, as_error: Callable[[Fault], VenueError]
) -> Outcome:
    """Carries one request out. Never raises: a refusal is part of the outcome.

    Faults of the moment `after` strike only requests that were carried out.
    """
    about, account = passage.about, passage.account
    fault = faults.take(BEFORE, **about)
    if fault is not None:
        return Outcome(error=as_error(fault), fault=fault, account=account)
    answer: Answer = carry_out(passage.handle)
    if faults.pending:
        answer = as_read(
            faults, about, answer, lambda lag_ms: carry_out(lambda: passage.then(lag_ms)), listed
        )
    result, error = answer
    if error is not None:
        return Outcome(error=error, account=account)
    fault = faults.take(AFTER, **about)
    if fault is not None and fault.action == "http_status_after":
        error = as_error(fault)
    return Outcome(result=result, error=error, fault=fault, account=account)
