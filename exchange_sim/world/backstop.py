"""How a takeover account carries what it took over: how much it takes, and how it sells it.

A backstop vault is neither an insurance fund nor a seller in a hurry.  By the takeover rule of the
profile (``risk.profile.TakeoverRule``)

- it carries at most ``leverage_ppm`` of its capital, which is the cash of the fund and the net
  worth of the takeover account.  Each slot of the liquidation engine may use ``slot_ppm`` of the
  room that is left; the first account of a slot may use all of it.  Whoever finds no room is
  deleveraged in the ADL round of the same slot;
- at a ``patient`` pace it never sends an order that pays the spread for being quick: it rests
  reduce-only limit orders ``edge_ppm`` beyond the mark or at the touch, whichever is better for it,
  for at most ``offer_ppm`` of a position per minute, and renews them every slot.

Sources: https://hyperliquid.gitbook.io/hyperliquid-docs/hypercore/vaults/protocol-vaults (the
liquidator is a part of the vault that also makes markets);
https://hyperliquid.gitbook.io/hyperliquid-docs/trading/liquidations.  The exchange publishes
neither a limit nor a pace: the figures are parameters.

Simplifications
---------------
Offers live for one slot and lose their place in the queue with it.  The vault does not hedge in
other instruments or on other venues, and does not make markets with its capital.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import CancelReason
from exchange_sim.model.account import Account
from exchange_sim.model.enums import (
    BUY,
    FLAG_LIQUIDATION,
    FLAG_REDUCE_ONLY,
    GTC,
    LIMIT,
    SELL,
    InstrumentStatus,
)
from exchange_sim.model.order import Order
from exchange_sim.risk.profile import PATIENT
from exchange_sim.units import NANOS_PER_MINUTE, PPM
from exchange_sim.world import orders
from exchange_sim.world.margin import net_worth, position_worth

if TYPE_CHECKING:
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

FLAGS = FLAG_LIQUIDATION | FLAG_REDUCE_ONLY


def capital(w: World, venue: VenueState) -> int:
    """What stands behind the inventory: the fund and the takeover account, numeraire units."""
    fund = w.ledger.posted[venue.insurance][venue.numeraire]
    return fund + net_worth(w, w.accounts[venue.takeover])


def inventory(w: World, venue: VenueState) -> int:
    """Value of all positions of the takeover account at mark, long or short.  O(positions)."""
    held = w.accounts[venue.takeover].positions
    return sum(position_worth(w, i, abs(p.qty)) for i, p in held.items() if p.qty)


def whole_room(w: World, venue: VenueState) -> int:
    """Value that the vault may still take over; 0 without capital, and where there is no limit."""
    if not venue.profile.takeover.leverage_ppm:
        return 0
    most = max(0, capital(w, venue)) * venue.profile.takeover.leverage_ppm // PPM
    return max(0, most - inventory(w, venue))


def open_slot(w: World, venue: VenueState) -> None:
    """A slot begins: offers of the last one are withdrawn, and the room of this one is known."""
    withdraw(w, venue)
    venue.vault.taken = 0
    venue.vault.whole = whole_room(w, venue)
    venue.vault.room = venue.vault.whole * venue.profile.takeover.slot_ppm // PPM


def added(w: World, venue: VenueState, account: Account) -> int:
    """By how much taking an account's positions would change the inventory; netting counts."""
    mine, change = w.accounts[venue.takeover].positions, 0
    for instrument, position in account.positions.items():
        if position.qty:
            held = mine.get(instrument)
            before = held.qty if held else 0
            change += position_worth(w, instrument, abs(before + position.qty))
            change -= position_worth(w, instrument, abs(before))
    return change


def has_room(w: World, venue: VenueState, account: Account) -> bool:
    """Whether the vault may take an account's positions in this slot; always without a limit."""
    if not venue.profile.takeover.leverage_ppm:
        return True
    change = added(w, venue, account)
    if change <= 0:
        return True
    if not venue.vault.taken:
        return change <= venue.vault.whole
    return venue.vault.taken + change <= venue.vault.room


def withdraw(w: World, venue: VenueState) -> None:
    """Cancel the offers of the takeover account."""
    for order in list(w.accounts[venue.takeover].orders.values()):
        orders.cancel(w, order, int(CancelReason.LIQUIDATION))


def offer(w: World, venue: VenueState) -> None:
    """Rest one offer per position, for what the time since the last slot allows."""
    if venue.profile.takeover.pace != PATIENT:
        return
    since = min(NANOS_PER_MINUTE, w.time_ns - venue.vault.offered_ns)
    venue.vault.offered_ns = w.time_ns
    keeper = w.accounts[venue.takeover]
    for instrument in sorted(keeper.positions):
        qty = keeper.positions[instrument].qty
        if qty and w.status[instrument] == InstrumentStatus.TRADING:
            _rest(w, venue, keeper, instrument, qty, since)


def _rest(
    w: World, venue: VenueState, keeper: Account, instrument: int, qty: int, since: int
) -> None:
    """One reduce-only limit order; lots are rounded up, the price away from the market."""
    rule, mark, inst = venue.profile.takeover, w.marks[instrument], w.instruments[instrument]
    lots = min(abs(qty), -(-abs(qty) * rule.offer_ppm * since // (PPM * NANOS_PER_MINUTE)))
    book = w.engines[instrument].book
    if qty > 0:
        side, price = SELL, -(-mark * (PPM + rule.edge_ppm) // (PPM * PPM))
        price = max(price, book.best_ask)
    else:
        side, price = BUY, mark * (PPM - rule.edge_ppm) // (PPM * PPM)
        price = min(price, book.best_bid or price)
    if lots <= 0 or price <= 0:
        return
    order = Order(
        w.next_order_id, keeper.id, instrument, -w.next_order_id, side, LIMIT, GTC, price, lots,
        flags=FLAGS,
    )  # fmt: skip
    w.next_order_id += 1
    keeper.enter(order)
    w.out.append(
        (1, order.order_id, keeper.id, instrument, order.client_order_id, side, LIMIT, GTC, price,
         lots, 0, 0, FLAGS)
    )  # fmt: skip
    orders.execute(w, w.engines[instrument], inst, keeper, order)
