"""Compares a recorded session with a backtest of it, order by order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from nexustrader.backtest.inputs import DEFAULT_LEVERAGE
from nexustrader.backtest.parity.accounts import compare_accounts
from nexustrader.backtest.parity.causes import Found, Runs, Search
from nexustrader.backtest.parity.findings import LatencyFound, OrderFinding, ParityReport
from nexustrader.backtest.parity.recorded import Recorded, read
from nexustrader.backtest.parity.sent import lags_ms
from nexustrader.sim.funding import is_perpetual
from nexustrader.sim.settings import SimSettings

TIME_MS_MAX = 100
USUAL = SimSettings(balances={}, leverage=DEFAULT_LEVERAGE)
"""What a backtest assumes when nobody says otherwise; balances are always the recorded ones."""


def parity(path: Path, settings: SimSettings = USUAL, *, time_ms_max: int = TIME_MS_MAX) -> ParityReport:
    """Re-simulate the session in a file and say in what its orders come out otherwise, and why.

    `settings` are what is assumed, but for the balances, which are the recorded ones. An execution may come up to
    `time_ms_max` earlier or later. Raises DataError for what is no session, is damaged, or has no order to compare.
    """
    recorded = read(path)
    runs = Runs(recorded, settings)
    search = Search(recorded, runs, time_ms_max)
    accounts = compare_accounts(recorded, runs, search)
    return ParityReport(
        session=str(path),
        strategy=recorded.start.strategy,
        assumptions=tuple(_assumptions(recorded, settings)),
        orders=tuple(_finding(oid, recorded, search) for oid in recorded.oids),
        accounts=accounts.findings,
        compared=accounts.items,
        latency=_latency(recorded),
        notes=(*recorded.notes, *accounts.notes),
    )


def _finding(oid: str, recorded: Recorded, search: Search) -> OrderFinding:
    command = recorded.lives.submits[oid]
    found = search.found.get(oid, Found((), ""))
    return OrderFinding(
        oid=oid,
        account=command.account,
        symbol=command.symbol,
        side=command.side.value,
        type=command.type.value,
        amount=command.amount,
        price=command.price,
        at_ms=command.timestamp,
        filled=recorded.lives.life(oid).filled,
        differences=search.differing.get(oid, ()),
        causes=found.causes,
        detail=found.detail,
    )


def _latency(recorded: Recorded) -> LatencyFound | None:
    lags = list(lags_ms(recorded.sent))
    if not lags:
        return None
    return LatencyFound(commands=len(lags), median_ms=median(lags), max_ms=max(lags))


def _assumptions(recorded: Recorded, settings: SimSettings) -> Iterator[str]:
    yield from settings.latency.describe()
    if settings.assumed.fees is not None:
        yield f"Fees: {settings.assumed.fees.describe()}"
    elif settings.maker_fee is None or settings.taker_fee is None:
        yield "Fees are those of the instrument"
    else:
        yield f"Fees: maker {settings.maker_fee}, taker {settings.taker_fee} of the value"
    yield settings.slippage.describe()
    perpetuals = {
        command.symbol
        for command in recorded.lives.submits.values()
        if (one := recorded.instruments.get(command.symbol)) is not None and is_perpetual(one)
    }
    yield from settings.assumed.funding.describe(perpetuals)
