"""One strategy under three sets of assumptions: what the result owes to them is what lies between the curves."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec import structs

from nexustrader.backtest.inputs import Fees
from nexustrader.backtest.result import BacktestResult
from nexustrader.backtest.runner import Backtest
from nexustrader.backtest.world import Progress
from nexustrader.sim.fees import FeeSchedule, FeeTier
from nexustrader.sim.funding import Funding
from nexustrader.sim.latency import LATENCY_MS_MAX, ConstantDelay, Delay, Latency, RecordedDelay, SampledDelay
from nexustrader.sim.queue import QueueModel
from nexustrader.sim.queue_pessimistic import PessimisticQueue
from nexustrader.sim.queue_power import PowerQueue
from nexustrader.sim.settings import SimSettings
from nexustrader.sim.slippage import FixedBps, Slippage, SquareRootImpact, TicksBehind

Build = Callable[..., Backtest]
"""Makes a new run, with a new strategy, each time. It takes keyword arguments of `Backtest` that go before its own."""

SHIFT = Decimal("0.5")  # of a fee, a rebate, funding or slippage, by which it is better or worse
LATENCY_MS = 500  # what is added to the delay of every command in the pessimistic case
FEE_MAX = Decimal(1)
BPS_MAX = 9_999.0
TICKS_BEHIND_TOUCH = 2  # what is added to how far behind the touch the rest of a large order fills
ONE = Decimal(1)


class Case(NamedTuple):
    """A set of assumptions, as `Backtest` takes them. `fees` is None where accounts pay different ones."""

    name: str
    fees: Fees | FeeSchedule | None
    latency: Latency
    slippage: Slippage
    funding: Funding
    queue: QueueModel

    def changes(self) -> dict[str, Any]:
        """Keyword arguments for `Backtest`; the plain numbers that models go before are given back."""
        models = {key: value for key, value in self._asdict().items() if key != "name"}
        return {**models, "latency_ms": 0, "ticks_behind_touch": 1}


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
    """The terms of a run, between an optimistic and a pessimistic case. No pessimistic term is better than the run's.

    Fees are half less than the lowest and half more than the highest of its accounts, which all pay the same then, or
    so much less and more in every tier; what is paid of funding likewise, and what is received the other way round.
    Commands take no time, or half a second more. Large orders fill at the touch, or two ticks further behind it; other
    slippage is half less or half more. Cancels are spread over the queue, or all stood behind the order.
    """
    settings = next(iter(run.accounts.values()), SimSettings(balances={}))
    assumed, latency, slippage = settings.assumed, settings.latency, settings.slippage
    better, fees, worse = _fees(run, assumed.fees)
    has_least_queue = isinstance(assumed.queue, PessimisticQueue)
    return (
        Case(
            "optimistic",
            better,
            Latency(),
            _slippage(slippage, -SHIFT),
            _funding(assumed.funding, -SHIFT),
            PowerQueue(1) if has_least_queue else assumed.queue,
        ),
        Case("base", fees, latency, slippage, assumed.funding, assumed.queue),
        Case(
            "pessimistic",
            worse,
            _later(latency),
            _slippage(slippage, SHIFT),
            _funding(assumed.funding, SHIFT),
            PessimisticQueue(),
        ),
    )


AnyFees = Fees | FeeSchedule | None


def _fees(run: Backtest, schedule: FeeSchedule | None) -> tuple[AnyFees, AnyFees, AnyFees]:
    if schedule is not None:
        return _scaled(schedule, -SHIFT), schedule, _scaled(schedule, SHIFT)
    paid = [fees for settings in run.accounts.values() for fees in _rates(run, settings)]
    paid = paid or [Fees(Decimal(0), Decimal(0))]
    lowest = Fees(min(fees.maker for fees in paid), min(fees.taker for fees in paid))
    highest = Fees(max(fees.maker for fees in paid), max(fees.taker for fees in paid))
    return _shifted(lowest, -SHIFT), lowest if lowest == highest else None, _shifted(highest, SHIFT)


def _scaled(schedule: FeeSchedule, share: Decimal) -> FeeSchedule:
    tiers = [FeeTier(value, *_shifted(Fees(maker, taker), share)) for value, maker, taker in schedule.tiers]
    return structs.replace(schedule, tiers=tuple(tiers))


def _later(latency: Latency) -> Latency:
    """The same with commands that take longer, draw for draw."""
    ways = latency.ways
    return structs.replace(latency, entry=_longer(ways.entry), cancel=_longer(ways.cancel))


def _longer(delay: Delay) -> Delay:
    def more(ms: float) -> float:
        return min(ms + LATENCY_MS, LATENCY_MS_MAX)

    if isinstance(delay, ConstantDelay):
        return ConstantDelay(more(delay.ms))
    if isinstance(delay, SampledDelay):
        return SampledDelay(tuple(map(more, delay.ms)))
    if isinstance(delay, RecordedDelay):
        return RecordedDelay(tuple((time_ms, more(ms)) for time_ms, ms in delay.samples))
    # Whatever is drawn, a larger median and a larger ceiling make a larger delay, but one under half a second more.
    return structs.replace(delay, median_ms=more(delay.median_ms), ceiling_ms=more(delay.ceiling_ms))


def _slippage(slippage: Slippage, share: Decimal) -> Slippage:
    factor = float(1 + share)
    if isinstance(slippage, FixedBps):
        return FixedBps(min(slippage.bps * factor, max(BPS_MAX, slippage.bps)))
    if isinstance(slippage, SquareRootImpact):
        return SquareRootImpact(min(slippage.coefficient * factor, max(0.999, slippage.coefficient)))
    return TicksBehind(slippage.ticks + TICKS_BEHIND_TOUCH if share > 0 else 0)


def _funding(funding: Funding, share: Decimal) -> Funding:
    return structs.replace(
        funding,
        paid_share=funding.paid_share * (ONE + share),
        received_share=funding.received_share * (ONE - share),
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
