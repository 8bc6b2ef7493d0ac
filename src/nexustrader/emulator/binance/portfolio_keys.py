"""Listen keys of portfolio margin: the events of three products on one key, each with the name of its line."""

from __future__ import annotations

from nexustrader.emulator.binance.side_accounts import PORTFOLIO
from nexustrader.emulator.binance.topics import COINM, USDM
from nexustrader.emulator.binance.userdata import ListenKeys
from nexustrader.emulator.orders.accounts import Account

Body = dict[str, object]

LINES = {USDM: "UM", COINM: "CM"}
# What these events lack of those of the products.
ORDER_LACKS = frozenset({"wt", "ot", "cp", "pP"})
POSITION_LACKS = frozenset({"mt", "iw"})


class PortfolioKeys(ListenKeys):
    """One key for each account."""

    def tell(self, product: str, account: Account, event: Body) -> bool:
        """Tells an event of a product, if the account is one of portfolio margin."""
        if not account.name.endswith(f"/{PORTFOLIO}"):
            return False
        line = LINES.get(product)
        if line is None:
            self.publish(account, event)
        elif event["e"] != "TRADE_LITE":
            self.publish(account, _leaner({**event, "fs": line}))
        return True


def _leaner(event: Body) -> Body:
    order, change = event.get("o"), event.get("a")
    if isinstance(order, dict):
        return {**event, "o": {name: value for name, value in order.items() if name not in ORDER_LACKS}}
    if isinstance(change, dict):
        positions = [{k: v for k, v in row.items() if k not in POSITION_LACKS} for row in change["P"]]
        return {**event, "a": {**change, "P": positions}}
    return event
