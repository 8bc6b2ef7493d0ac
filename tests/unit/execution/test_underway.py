"""Commands that wait for their results: each result concludes the oldest of its kind."""

from __future__ import annotations

from desk import ACCOUNT, SYMBOL
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import CommandKind, Conclusion
from nexustrader.execution.underway import Underway


def test_two_cancels_of_all_are_concluded_one_after_the_other() -> None:
    underway = Underway()
    for oids in (("1", "2"), ("3",)):
        underway.add_cancel_all(ev.CancelAll(account=ACCOUNT, symbol=SYMBOL, oids=oids, timestamp=1))
    result = ev.CommandResult(
        kind=CommandKind.CANCEL_ALL,
        conclusion=Conclusion.ACCEPTED,
        oid="",
        symbol=SYMBOL,
        account=ACCOUNT,
        timestamp=2,
    )
    assert [underway.take_cancel_all(result) for _ in range(3)] == [("1", "2"), ("3",), ()]
