"""What a simulated venue is told: the account, what is assumed of the venue around it, and what outlives a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from nexustrader.constants import InstrumentType
from nexustrader.error import EngineBuildError, OrderError
from nexustrader.sim.admission import VenueRules
from nexustrader.sim.convert import KINDS
from nexustrader.sim.fees import FeeSchedule
from nexustrader.sim.funding import Funding, funding_of
from nexustrader.sim.latency import LATENCY_MS_MAX, ConstantDelay, Latency
from nexustrader.sim.margin import Margin
from nexustrader.sim.queue import QueueModel
from nexustrader.sim.queue_pessimistic import PessimisticQueue
from nexustrader.sim.queue_power import PowerQueue
from nexustrader.sim.slippage import FixedBps, Slippage, TicksBehind


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What is assumed of a venue, one model each.

    fees: None for the rates of the account or the instrument. latency: None for the account's `latency_ms`. funding:
    of perpetuals, on by default. slippage: None for the account's `ticks_behind_touch`. margin: how positions are
    secured and when they are liquidated. rules: what the venue refuses. queue: how the queue before a resting order
    shrinks.
    """

    fees: FeeSchedule | None = None
    latency: Latency | None = None
    funding: Funding = field(default_factory=Funding)
    slippage: Slippage | None = None
    margin: Margin = field(default_factory=Margin)
    rules: VenueRules = field(default_factory=VenueRules)
    queue: QueueModel = field(default_factory=PessimisticQueue)

    @classmethod
    def of(
        cls,
        *,
        fees: Any = None,
        latency: Any = None,
        funding: Any = None,
        slippage: Any = None,
        margin: Any = None,
        rules: Any = None,
        queue: Any = None,
    ) -> Assumptions:
        """The models that a user names; None for the usual one.

        latency: also milliseconds of commands. funding: also False, a rate per 8 hours, or {symbol: file or frame}.
        slippage: also basis points. margin: also "cross", "isolated", or False for no liquidations.
        queue: also the power of a PowerQueue.
        Raises EngineBuildError naming what is no model, DataError for rates that cannot be read, and OrderError for
        a model that is impossible.
        """
        if _is_number(latency):
            latency = Latency(entry=latency)
        if _is_number(slippage):
            slippage = FixedBps(float(slippage))
        if margin is False:
            margin = Margin(liquidates=False)
        elif isinstance(margin, str):
            margin = Margin(mode=margin)  # type: ignore[arg-type]  # Margin refuses other words
        if isinstance(queue, int) and not isinstance(queue, bool):
            queue = PowerQueue(queue)
        return cls(
            fees=_one("fees", fees, FeeSchedule, "FeeSchedule(tiers=...)"),
            latency=_one("latency", latency, Latency, "milliseconds, or Latency(entry=..., reply=...)"),
            funding=funding_of(funding),
            slippage=_one("slippage", slippage, Slippage, "basis points, TicksBehind, SquareRootImpact"),
            margin=_one("margin", margin, Margin, "'cross', 'isolated', False, or Margin(...)") or Margin(),
            rules=_one("rules", rules, VenueRules, "VenueRules(...)") or VenueRules(),
            queue=_one("queue", queue, QueueModel, "PessimisticQueue() or PowerQueue(power)")
            or PessimisticQueue(),
        )


USUAL = Assumptions()


class SimSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The account and the venue around it. Fees are fractions; None means the instrument's own.

    `kinds`: what the account may trade. An order larger than the quantity at the touch takes the rest
    `ticks_behind_touch` behind it. Order and trade ids count up from `first_id`. Every `update_interval_s` open
    positions are told anew with their unrealised profit. `assumed` has the models behind the plain numbers: its fees
    go before `maker_fee` and `taker_fee`. What is drawn is drawn by `seed`. Raises OrderError for what is impossible.
    """

    balances: Mapping[str, Decimal]
    kinds: frozenset[InstrumentType] = frozenset(KINDS)
    leverage: Decimal = Decimal(1)
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    latency_ms: int = 0
    update_interval_s: float | None = None
    ticks_behind_touch: int = 1
    first_id: int = 1
    assumed: Assumptions = USUAL
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.latency_ms <= LATENCY_MS_MAX:
            raise OrderError(f"latency is {self.latency_ms} ms, choose 0 to {LATENCY_MS_MAX}")
        if not (self.leverage.is_finite() and self.leverage > 0):
            raise OrderError(f"leverage is {self.leverage}, choose more than 0")
        TicksBehind(self.ticks_behind_touch)
        if self.latency_ms and self.assumed.latency is not None:
            raise OrderError(
                f"latency_ms={self.latency_ms} and a latency model are given; leave out one of them"
            )
        if self.ticks_behind_touch != 1 and self.assumed.slippage is not None:
            raise OrderError(
                f"ticks_behind_touch={self.ticks_behind_touch} and a slippage model are given; leave out one of them"
            )

    @property
    def latency(self) -> Latency:
        """The delays in force."""
        return self.assumed.latency or Latency(entry=ConstantDelay(self.latency_ms))

    @property
    def slippage(self) -> Slippage:
        """The slippage in force."""
        return self.assumed.slippage or TicksBehind(self.ticks_behind_touch)


class SavedAccount(msgspec.Struct, frozen=True):
    """What outlives a restart: wallets by asset, and (signed amount, entry price) by symbol."""

    balances: dict[str, Decimal] = {}
    positions: dict[str, tuple[Decimal, Decimal]] = {}


class Keeper(Protocol):
    """Keeps an account between runs. `load` returns None where nothing was kept."""

    def load(self) -> SavedAccount | None: ...
    def save(self, account: SavedAccount) -> None: ...


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float | Decimal) and not isinstance(given, bool)


def _one(name: str, given: Any, kind: Any, wanted: str) -> Any:
    if given is None or isinstance(given, kind):
        return given
    raise EngineBuildError(f"{name}={given!r} is no assumption of a backtest; give {wanted}")
