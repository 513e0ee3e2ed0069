"""Orders that are good till a date: the venue removes them when their time has come."""

from __future__ import annotations

from heapq import heapify, heappop
from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import CancelReason
from exchange_sim.world import orders
from exchange_sim.world.venue import known_venue

if TYPE_CHECKING:
    from exchange_sim.world.world import World

Command = tuple[int, ...]
EXPIRED = int(CancelReason.EXPIRED)
GTD_SLACK = 1024
"""Ended orders that the heap of expiries may carry before it is swept."""


def expire_orders(w: World, c: Command) -> None:
    """Remove the GTD orders of a venue whose time has come, in the order of their expiry."""
    venue = known_venue(w, c)
    if venue is None:
        return
    due = venue.gtd
    while due and due[0][0] <= w.time_ns:
        _, order_id, account_id, client_id = heappop(due)
        order = w.accounts[account_id].orders.get(client_id)
        if order is not None and order.order_id == order_id:
            orders.cancel(w, order, EXPIRED)
    if len(due) > venue.gtd_limit:
        due[:] = [entry for entry in due if _lives(w, entry)]
        heapify(due)
        venue.gtd_limit = 2 * len(due) + GTD_SLACK


def _lives(w: World, entry: tuple[int, int, int, int]) -> bool:
    order = w.accounts[entry[2]].orders.get(entry[3])
    return order is not None and order.order_id == entry[1]
