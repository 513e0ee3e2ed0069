"""Hedge mode: a long and a short position side by side in one instrument.

The two legs are positions like any other, and their sum is what the rest of the world sees: profit
and loss, funding and ADL depend on the net position alone, so none of them needs to know.  Margin
is that of each leg by itself.  An order names its leg; one that closes it is reduce-only by nature.

A liquidation begins with closing the legs against each other at the mark, as far as both go; what
is left is a one-way position.  Source: https://www.binance.com/en/support/faq/360041513552.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import PostingKind, RejectReason
from exchange_sim.model.account import Account, AccountModes, HedgedPosition, Position
from exchange_sim.model.enums import FLAG_LONG, FLAG_SHORT
from exchange_sim.world.adl import post_pnl
from exchange_sim.world.isolated import owner_of, refuse, wallets_of
from exchange_sim.world.positions import change_position

if TYPE_CHECKING:
    from exchange_sim.world.world import World

R = RejectReason


def set_position_mode(w: World, c: tuple[int, ...]) -> None:
    """Hold one position per perpetual, or two; refused while any perpetual has orders or lots."""
    _, _, account_id, hedge = c
    account = owner_of(w, account_id)
    if account is None:
        return refuse(w, c, R.UNKNOWN_ACCOUNT)
    if hedge not in (0, 1):
        return refuse(w, c, R.MALFORMED)
    if bool(hedge) == (account.modes is not None and account.modes.hedge):
        return refuse(w, c, R.NO_NEED_TO_CHANGE)
    parts = [account, *wallets_of(w, account)]
    if any(w.instruments[o.instrument].perpetual for part in parts for o in part.orders.values()):
        return refuse(w, c, R.POSITION_MODE_HAS_ORDERS)
    if any(position.held for part in parts for position in part.positions.values()):
        return refuse(w, c, R.POSITION_MODE_HAS_POSITION)
    if account.modes is None:
        account.modes = AccountModes()
    account.modes.hedge = bool(hedge)
    for instrument, flat in account.positions.items():
        made = HedgedPosition() if hedge else Position()
        made.choose(flat.leverage)
        account.positions[instrument] = made
    w.out.append((62, account_id, hedge))
    return None


def offset(w: World, account: Account) -> None:
    """Close the legs of every instrument against each other at the mark."""
    for instrument, position in list(account.positions.items()):
        if position.legs is None:
            continue
        qty = min(position.legs[0].qty, -position.legs[1].qty)
        if qty <= 0:
            continue
        inst, mark = w.instruments[instrument], w.marks[instrument]
        notional = inst.entry_at(qty, mark)
        pnl = change_position(w, inst, account, -qty, notional, FLAG_LONG)
        pnl += change_position(w, inst, account, qty, notional, FLAG_SHORT)
        w.out.append((63, account.id, instrument, qty, mark, pnl))
        post_pnl(w, account, instrument, pnl, PostingKind.LEGS_OFFSET)
