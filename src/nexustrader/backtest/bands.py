"""One strategy under three sets of assumptions: what the result owes to them is what lies between the curves."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from nexustrader.backtest.inputs import Fees
from nexustrader.backtest.result import BacktestResult
from nexustrader.backtest.runner import Backtest
from nexustrader.backtest.world import Progress
from nexustrader.sim.settings import SimSettings

Build = Callable[..., Backtest]
"""Makes a new run, with a new strategy, each time. It takes keyword arguments of `Backtest` that go before its own."""

FEE_SHIFT = Decimal("0.5")  # of each fee, or rebate, by which it is better or worse
LATENCY_MS = 500  # what is added to the latency of the pessimistic case
FEE_MAX = Decimal(1)
TICKS_BEHIND_TOUCH = 2  # what is added to how far behind the touch the rest of a large order fills


class Case(NamedTuple):
    """A set of assumptions, as `Backtest` takes them. `fees` is None where accounts pay different ones."""

    name: str
    fees: Fees | None
    latency_ms: int
    ticks_behind_touch: int

    def changes(self) -> dict[str, Any]:
        """Keyword arguments for `Backtest`."""
        return {key: value for key, value in self._asdict().items() if key != "name"}


class Bands(NamedTuple):
    """Three results of one strategy over the same bars, and what they take for granted, in this order."""

    optimistic: BacktestResult
    base: BacktestResult
    pessimistic: BacktestResult
    cases: tuple[Case, Case, Case]

    def results(self) -> dict[str, BacktestResult]:
        """By the name of the case, the optimistic one first."""
        return {case.name: result for case, result in zip(self.cases, self[:3], strict=True)}


def cases_of(run: Backtest) -> tuple[Case, Case, Case]:
    """The terms of a run, between an optimistic and a pessimistic case.

    Fees are half less than the lowest and half more than the highest of its accounts, which all pay the same then;
    commands take no time, or half a second more; large orders fill at the touch, or two ticks further behind it.
    """
    paid = [fees for settings in run.accounts.values() for fees in _rates(run, settings)]
    paid = paid or [Fees(Decimal(0), Decimal(0))]
    latency_ms = max((settings.latency_ms for settings in run.accounts.values()), default=0)
    ticks = max((settings.ticks_behind_touch for settings in run.accounts.values()), default=0)
    lowest = Fees(min(fees.maker for fees in paid), min(fees.taker for fees in paid))
    highest = Fees(max(fees.maker for fees in paid), max(fees.taker for fees in paid))
    return (
        Case("optimistic", _shifted(lowest, -FEE_SHIFT), 0, 0),
        Case("base", lowest if lowest == highest else None, latency_ms, ticks),
        Case(
            "pessimistic",
            _shifted(highest, FEE_SHIFT),
            latency_ms + LATENCY_MS,
            ticks + TICKS_BEHIND_TOUCH,
        ),
    )


def _rates(run: Backtest, settings: SimSettings) -> list[Fees]:
    """What an account pays for each instrument that it trades."""
    return [
        Fees(
            instrument.maker if settings.maker_fee is None else settings.maker_fee,
            instrument.taker if settings.taker_fee is None else settings.taker_fee,
        )
        for instrument in run.instruments.values()
        if instrument.type in settings.kinds
    ]


def _shifted(fees: Fees, share: Decimal) -> Fees:
    return Fees(*(min(fee + abs(fee) * share, FEE_MAX) for fee in fees))


def bands(build: Build, progress: Progress | None = None) -> Bands:
    """Run what `build` makes as it is, and under an optimistic and a pessimistic set of assumptions.

    `progress` counts on from one run to the next. Raises what the runs raise.
    """
    base = build()
    cases = cases_of(base)
    optimistic, _, pessimistic = cases
    runs = (base, build(**optimistic.changes()), build(**pessimistic.changes()))
    results = [run.run(_after(progress, place * base.events)) for place, run in enumerate(runs)]
    return Bands(results[1], results[0], results[2], cases)


def _after(progress: Progress | None, done: int) -> Progress | None:
    return None if progress is None else lambda played: progress(done + played)
