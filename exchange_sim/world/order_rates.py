"""How many orders one account may enter: a rule of the venue, whatever sessions they come through.

New orders and changes count, refused ones too; cancels never do, so that an account can always
leave.  Intervals are fixed and counted from the epoch, as in the order limits that venues publish
(https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits).

Simplifications
---------------
Venues give back what was filled; here every order of the interval counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exchange_sim.model.account import Account
    from exchange_sim.world.config import WorldConfig
    from exchange_sim.world.world import World


class OrderRate:
    """Orders of each account in the present interval; ``counts`` only holds that interval."""

    __slots__ = ("counts", "interval", "most", "width_ns")

    def __init__(self, most: int, width_ns: int) -> None:
        self.most = most
        self.width_ns = width_ns
        self.interval = -1
        self.counts: dict[int, int] = {}

    def admits(self, account: int, now: int) -> bool:
        """Count one more order of an account; False, and not counted, when it has had its share."""
        interval = now // self.width_ns
        if interval != self.interval:
            self.interval = interval
            self.counts.clear()
        count = self.counts.get(account, 0)
        if count >= self.most:
            return False
        self.counts[account] = count + 1
        return True


def order_rates(config: WorldConfig) -> dict[int, OrderRate]:
    """By venue, of those that have the rule."""
    return {
        venue.id: OrderRate(venue.account_orders, venue.account_orders_ns)
        for venue in config.venues
        if venue.account_orders
    }


def over_rate(w: World, account: Account) -> bool:
    """Whether an account may not enter another order now; else it is counted.

    Orders of isolated wallets count for the account that they belong to.
    """
    rate = w.order_rates.get(account.venue)
    owner = account.id if account.parent < 0 else account.parent
    return rate is not None and not rate.admits(owner, w.time_ns)
