"""Position and margin modes: which account an order is for, and which of its positions.

An account without modes is one-way and margined in common; nothing here runs for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import RejectReason
from exchange_sim.model.account import Account
from exchange_sim.model.enums import (
    BUY,
    FLAG_LONG,
    FLAG_REDUCE_ONLY,
    FLAG_SHORT,
    PositionSide,
)
from exchange_sim.world.isolated import wallet_for, wallets_of

if TYPE_CHECKING:
    from exchange_sim.model.instrument import Instrument
    from exchange_sim.model.order import Order
    from exchange_sim.world.world import World

R = RejectReason
SIDE_FLAGS = FLAG_LONG | FLAG_SHORT
BOTH, LONG, SHORT = int(PositionSide.BOTH), int(PositionSide.LONG), int(PositionSide.SHORT)


def route(
    w: World, account: Account, inst: Instrument, side: int, flags: int, client_id: int
) -> tuple[Account, int, int]:
    """The account that margins an order, its flags there, and why it is refused, or 0.

    In hedge mode an order names its position; one that closes it is reduce-only by nature.
    """
    if any(client_id in part.orders for part in wallets_of(w, account)):
        return account, flags, R.DUPLICATE_CLIENT_ORDER_ID
    if not inst.perpetual or inst.venue != account.venue:
        return account, flags, 0
    modes = account.modes
    assert modes is not None
    if modes.margin is not None:
        return account, flags, R.MARGIN_MODE_NOT_OFFERED
    chosen = BOTH
    if modes.hedge:
        chosen = {FLAG_LONG: LONG, FLAG_SHORT: SHORT}.get(flags & SIDE_FLAGS, BOTH)
        if chosen == BOTH:
            return account, flags, R.POSITION_SIDE_MISMATCH
        if flags & FLAG_REDUCE_ONLY:
            return account, flags, R.INVALID_COMBINATION
        if (side == BUY) != (chosen == LONG):
            flags |= FLAG_REDUCE_ONLY
    elif flags & SIDE_FLAGS:
        return account, flags, R.POSITION_SIDE_MISMATCH
    if not modes.isolates(inst.id):
        return account, flags, 0
    if inst.inverse:
        return account, flags, R.MARGIN_MODE_NOT_OFFERED
    if client_id in account.orders:
        return account, flags, R.DUPLICATE_CLIENT_ORDER_ID
    if account.liquidating:
        return account, flags, R.ACCOUNT_IN_LIQUIDATION
    return wallet_for(w, account, inst.id, chosen), flags & ~SIDE_FLAGS, 0


def flag_refusal(account: Account, inst: Instrument, flags: int, allowed: int) -> int:
    """Why flags beyond the ``allowed`` ones are refused, or 0: only hedge mode knows sides."""
    if flags & ~(allowed | SIDE_FLAGS):
        return R.MALFORMED
    hedged = account.modes is not None and account.modes.hedge and inst.perpetual
    return 0 if hedged else R.POSITION_SIDE_MISMATCH


def open_order(w: World, account: Account, client_id: int) -> Order | None:
    """An open order of an account or of one of its wallets."""
    order = account.orders.get(client_id)
    if order is None and account.modes is not None:
        for part in wallets_of(w, account):
            order = order or part.orders.get(client_id)
    return order


def open_orders(w: World, account: Account) -> list[Order]:
    """All open orders of an account and its wallets, in the order in which they were entered."""
    if account.modes is None:
        return list(account.orders.values())
    parts = (account, *wallets_of(w, account))
    found = [order for part in parts for order in part.orders.values()]
    return sorted(found, key=lambda order: order.order_id)
