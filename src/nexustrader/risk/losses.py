"""Watches profit and loss: from the portfolio and the prices of now to the reason why trading must not go on."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from nexustrader.constants import InstrumentType
from nexustrader.domain.instrument import Instrument
from nexustrader.kernel.log import get_logger
from nexustrader.market.cache import Cache
from nexustrader.portfolio.portfolio import Portfolio
from nexustrader.risk import equity, rules
from nexustrader.risk.equity import Holding, Marks
from nexustrader.risk.limits import RiskConfig, exact

_ZERO = Decimal(0)

_log = get_logger("Risk")


class LossWatch:
    """Reads the figures and keeps the marks. Decides nothing: `check` only says what is over its limit."""

    def __init__(
        self, config: RiskConfig, cache: Cache, portfolio: Portfolio, instruments: Mapping[str, Instrument]
    ) -> None:
        self._currency = config.currency
        self._daily_loss_max = exact(config.daily_loss_max)
        self._drawdown_max = exact(config.drawdown_max)
        self._capital = exact(config.capital)
        self._cache = cache
        self._portfolio = portfolio
        self._instruments = instruments
        self._markets: dict[str, tuple[str, ...]] = {}  # by asset: symbols whose price is in our currency
        self._warned: set[str] = set()
        self.marks: Marks | None = None

    def check(self, now_ms: int) -> str | None:
        """Move the marks on and return why trading must not go on as before, or None."""
        holdings = self._holdings()
        if holdings is None:
            return None
        profit = equity.profit(holdings, self._portfolio.fees(), self._worth)
        self.marks = marks = equity.moved(self.marks, profit, now_ms)
        reason = None
        if self._daily_loss_max is not None:
            reason = rules.daily_loss(marks.opening, profit, self._daily_loss_max, self._currency)
        if reason is None and self._drawdown_max is not None:
            capital = self._known_capital(holdings)
            if capital is not None:
                reason = rules.drawdown(marks.peak, profit, capital, self._drawdown_max)
        return reason

    def begin_anew(self, now_ms: int) -> None:
        """Measure losses from now on."""
        self.marks = None
        self.check(now_ms)

    def _known_capital(self, holdings: list[Holding]) -> Decimal | None:
        if self._capital is None:
            books = self._portfolio.balances().values()
            held = [b.balance_total[self._currency] for b in books if self._currency in b.balances]
            if not held:
                self._warn(f"no balance of {self._currency} is known: the drawdown cannot be measured")
                return None
            money = sum(held, _ZERO)
            self._capital = equity.capital(money, holdings, self._portfolio.fees(), self._worth)
        return self._capital

    # -- values ----------------------------------------------------------------------------------------------

    def _holdings(self) -> list[Holding] | None:
        """Every position with its price. None while one that is open has none: its part would come and go."""
        found = []
        is_complete = True
        for (_, symbol, _), position in self._portfolio.positions().items():
            instrument = self._instruments.get(symbol)
            if instrument is None:
                self._warn(f"{symbol} is traded no more: its position is not counted among the losses")
                continue
            price = self._price(symbol)
            if price is None and position.is_open:
                self._warn(f"losses are not watched while {rules.NO_PRICE.format(symbol)}")
                is_complete = False
            found.append(Holding(instrument, position, price))
        return found if is_complete else None

    def _price(self, symbol: str) -> Decimal | None:
        price = self._cache.last_price(symbol)
        return None if price is None else Decimal(str(price))

    def _worth(self, asset: str) -> Decimal:
        """What one unit of an asset is worth in our currency."""
        worth = equity.same_money(asset, self._currency)
        if worth is not None:
            return worth
        if asset not in self._markets:
            self._markets[asset] = self._find_markets(asset)
        for symbol in self._markets[asset]:
            price = self._price(symbol)
            if price is not None:
                return price
        self._warn(
            f"no price of {asset} in {self._currency} is known: what was won or paid in it is not counted"
        )
        return _ZERO

    def _find_markets(self, asset: str) -> tuple[str, ...]:
        return tuple(
            symbol
            for symbol, one in self._instruments.items()
            if one.base == asset
            and one.type is not InstrumentType.OPTION
            and equity.same_money(one.quote, self._currency) is not None
        )

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            _log.error(text)
