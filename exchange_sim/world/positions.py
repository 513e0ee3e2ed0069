"""What a fill does to a position, or to one of the two legs of hedge mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange_sim.model.account import Account, HedgedPosition, Position
from exchange_sim.model.enums import FLAG_LONG, FLAG_SHORT
from exchange_sim.model.instrument import Instrument

if TYPE_CHECKING:
    from exchange_sim.world.world import World

SIDE_FLAGS: Final = FLAG_LONG | FLAG_SHORT


def new_position(account: Account) -> Position:
    """A flat position of the kind that the account holds."""
    hedged = account.modes is not None and account.modes.hedge
    return HedgedPosition() if hedged else Position()


def change_position(
    w: World, inst: Instrument, account: Account, change: int, notional: int, flags: int = 0
) -> int:
    """Apply a signed fill of ``change`` lots worth ``notional`` and return the realized PnL.

    The closed part of the entry notional is rounded so that the PnL is rounded down.  In hedge mode
    the side in ``flags`` says which leg changes.
    """
    position = account.positions.get(inst.id)
    if position is None:
        position = account.positions[inst.id] = new_position(account)
        w.holders[inst.id][account.id] = None
    if position.legs is not None:
        return _change_legs(w, inst, account, position, change, notional, flags)
    before = position.qty
    after = before + change
    position.qty = after
    signed_notional = notional if change > 0 else -notional
    if before >= 0:
        w.open_interest[inst.id] -= before
    if after >= 0:
        w.open_interest[inst.id] += after
    if before == 0 or (before > 0) == (change > 0):
        position.entry_notional += signed_notional
        return 0
    closed = min(abs(before), abs(change))
    entry_part = -(-position.entry_notional * closed // abs(before))
    close_part = (
        signed_notional if closed == abs(change) else signed_notional * closed // abs(change)
    )
    pnl = -close_part - entry_part
    position.entry_notional += signed_notional - close_part - entry_part
    if after == 0 and not position.leverage:
        del account.positions[inst.id]
        del w.holders[inst.id][account.id]
    return pnl


def _change_legs(
    w: World,
    inst: Instrument,
    account: Account,
    position: Position,
    change: int,
    notional: int,
    flags: int,
) -> int:
    """``change_position`` for a long and a short leg; without a side, what closes comes first."""
    assert position.legs is not None
    long, short = position.legs
    closing = long if change < 0 else short
    leg = (short if flags & FLAG_SHORT else long) if flags & SIDE_FLAGS else closing
    lots, signed_notional = abs(change), notional if change > 0 else -notional
    before, pnl = long.qty, 0
    closed = min(lots, abs(leg.qty)) if leg is closing else 0
    part = signed_notional if closed == lots else signed_notional * closed // lots
    if closed:
        entry_part = -(-leg.entry_notional * closed // abs(leg.qty))
        pnl = -part - entry_part
        leg.entry_notional -= entry_part
        leg.qty += closed if change > 0 else -closed
    if closed < lots:
        opening = long if change > 0 else short
        opening.entry_notional += signed_notional - part
        opening.qty += change + (closed if change < 0 else -closed)
    w.open_interest[inst.id] += long.qty - before
    position.qty = long.qty + short.qty
    position.entry_notional = long.entry_notional + short.entry_notional
    if not position.held and not position.leverage:
        del account.positions[inst.id]
        del w.holders[inst.id][account.id]
    return pnl
