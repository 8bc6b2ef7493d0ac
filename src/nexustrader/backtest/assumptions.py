"""Every assumption of a backtest, one rule an object: a rule says in a plain sentence what it takes for granted.

A result is as good as these. Rules that do not apply to a run are not in its result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from nexustrader.data.bars import DataNotes
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.market.subscriptions import Stream
from nexustrader.sim.settings import SimSettings


class Setup(NamedTuple):
    """What the rules are asked about.

    `settings` by account have the models that are assumed; without them the usual ones are. `perpetuals` are the
    symbols that pay funding, `booked` those whose recorded book is played level by level.
    """

    interval: str
    latency_ms: int
    ticks_behind_touch: int
    fees: Mapping[str, str]  # account -> how its fees are reckoned
    leverage: Mapping[str, str]
    has_spot: bool
    has_derivatives: bool
    default_balances: Mapping[str, str]  # account -> what it was given for want of a word
    default_instruments: Iterable[Instrument]
    off_grid: Mapping[str, int]  # symbol -> bars with prices off its tick
    notes: Mapping[str, DataNotes]
    undelivered: Iterable[Stream]
    unpriced: Iterable[str]
    currency: str
    settings: Mapping[str, SimSettings] = {}
    perpetuals: Iterable[str] = ()
    booked: Iterable[str] = ()


class Rule(NamedTuple):
    """One assumption. `says` gives its sentences for a set-up, none where it does not apply; a text always does."""

    name: str
    says: Callable[[Setup], Iterable[str]] | str


def _of_accounts(setup: Setup, says: Callable[[SimSettings], Iterable[str]]) -> Iterable[str]:
    """What the accounts are assumed to meet: said once where it is the same for all, else with their names."""
    settings = setup.settings or {
        "": SimSettings(balances={}, latency_ms=setup.latency_ms, ticks_behind_touch=setup.ticks_behind_touch)
    }
    told = {account: list(says(one)) for account, one in settings.items()}
    first, *others = told.values()
    if all(other == first for other in others):
        yield from first
        return
    for account, sentences in told.items():
        yield from (f"{account}: {sentence}" for sentence in sentences)


def _path(setup: Setup) -> Iterable[str]:
    yield (
        f"Within a {setup.interval} bar the price goes from the open to the nearer extreme, to the other one and to "
        "the close; a quarter of the volume is traded at each of these points, so that the first of them already "
        "tells how much is traded in the bar"
    )


def _depth(setup: Setup) -> Iterable[str]:
    return _of_accounts(setup, lambda settings: [settings.slippage.describe()])


def _queue(setup: Setup) -> Iterable[str]:
    yield (
        "A resting order waits behind everything at its price: it fills when the price goes through it, by at most "
        "what is traded there; a mere touch of the price does not fill it, and keeps the other side a tick away"
    )
    yield from _of_accounts(
        setup,
        lambda settings: [f"Where a level shrinks without a trade, {settings.assumed.queue.describe()}"],
    )


def _book(setup: Setup) -> Iterable[str]:
    if symbols := ", ".join(setup.booked):
        yield (
            f"The recorded book of {symbols} is played level by level: an order that takes gets what the levels hold "
            "and no more, the rest of a market order expires; what was taken of a level is gone until the level is "
            "told anew"
        )


def _latency(setup: Setup) -> Iterable[str]:
    return _of_accounts(setup, _latency_of)


def _latency_of(settings: SimSettings) -> Iterable[str]:
    if settings.assumed.latency is not None:
        yield from settings.assumed.latency.describe()
    elif settings.latency_ms:
        yield f"A command reaches the venue {settings.latency_ms} ms after it is given; reports take no time"
    else:
        yield "A command reaches the venue at once, after the callback that gave it; reports take no time"


def _fees(setup: Setup) -> Iterable[str]:
    schedules = {account: settings.assumed.fees for account, settings in setup.settings.items()}
    for account, text in setup.fees.items():
        schedule = schedules.get(account)
        yield f"Fees of {account}: {text if schedule is None else schedule.describe()}"
    if setup.has_spot:
        yield "Spot fees are taken from what a trade brings: base when buying, quote when selling"


def _margin(setup: Setup) -> Iterable[str]:
    if setup.has_derivatives:
        for account, leverage in setup.leverage.items():
            settings = setup.settings.get(account)
            mode = "cross" if settings is None else settings.assumed.margin.mode
            yield f"Margin of {account} is {mode}, at leverage {leverage}; fees are not reserved"
        yield from _of_accounts(setup, lambda settings: [settings.assumed.margin.describe()])


def _funding(setup: Setup) -> Iterable[str]:
    if setup.has_derivatives:
        perpetuals = tuple(setup.perpetuals) or ("perpetuals",)
        yield from _of_accounts(setup, lambda settings: settings.assumed.funding.describe(perpetuals))


def _refusals(setup: Setup) -> Iterable[str]:
    return _of_accounts(setup, lambda settings: settings.assumed.rules.describe())


def _balances(setup: Setup) -> Iterable[str]:
    for account, text in setup.default_balances.items():
        yield f"No balance was given for {account}: it begins with {text}"


def _instruments(setup: Setup) -> Iterable[str]:
    for instrument in setup.default_instruments:
        least = instrument.min_notional
        yield (
            f"{instrument.symbol} was not described: tick {to_plain(instrument.tick)} and lot "
            f"{to_plain(instrument.lot)} are read off the data, least order value "
            f"{to_plain(least) if least else 'none'}, maker fee "
            f"{to_plain(instrument.maker)}, taker fee {to_plain(instrument.taker)} unless the account has its own"
        )


def _rounding(setup: Setup) -> Iterable[str]:
    for symbol, count in setup.off_grid.items():
        if count:
            yield f"{count:,} bars of {symbol} have prices that are no multiples of its tick: they are rounded to it"


def _data(setup: Setup) -> Iterable[str]:
    for symbol, notes in setup.notes.items():
        if notes.gaps:
            yield (
                f"The data of {symbol} have {notes.gaps:,} gaps with {notes.missing:,} bars missing: nothing happens "
                "in them"
            )
        if notes.duplicates or notes.out_of_order:
            yield (
                f"The data of {symbol} had {notes.duplicates:,} repeated bars, of which the last counts, and "
                f"{notes.out_of_order:,} out of order, which were sorted"
            )


def _silence(setup: Setup) -> Iterable[str]:
    for stream in setup.undelivered:
        yield f"Nothing is delivered for the {stream.kind.value} subscription of {stream.symbol}: bars do not hold it"


def _valuation(setup: Setup) -> Iterable[str]:
    yield f"Equity is reckoned in {setup.currency}, at the close of each bar"
    for asset in setup.unpriced:
        yield f"{asset} is held and left out of the equity: the data have no price of it in {setup.currency}"


RULES = (
    Rule("bar path", _path),
    Rule(
        "spread",
        "The spread is one tick: the last trade stands on its own side of the touch, and both sides hold what was "
        "traded there",
    ),
    Rule("depth", _depth),
    Rule("queue", _queue),
    Rule("book", _book),
    Rule(
        "closed bars",
        "Klines are delivered once, when they have closed; longer intervals are made of the bars given",
    ),
    Rule("latency", _latency),
    Rule("fees", _fees),
    Rule("margin", _margin),
    Rule("funding", _funding),
    Rule("refusals", _refusals),
    Rule("balances", _balances),
    Rule("instruments", _instruments),
    Rule("rounding", _rounding),
    Rule("data", _data),
    Rule("silence", _silence),
    Rule("valuation", _valuation),
)


def assumptions(setup: Setup) -> tuple[str, ...]:
    """Every sentence that applies to the set-up, in the order of the rules."""
    return tuple(
        sentence
        for rule in RULES
        for sentence in ([rule.says] if isinstance(rule.says, str) else rule.says(setup))
    )
