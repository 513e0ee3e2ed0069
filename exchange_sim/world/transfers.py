"""Transfers between accounts and venues: they leave now, arrive later, and can be suspended.

While under way the amount belongs to the transit account, so nothing is lost when a venue stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import PostingKind, RejectReason
from exchange_sim.world.accounts import may_leave, move, refuse, touch, user_account
from exchange_sim.world.chain.execution import Action, Execution, Revert
from exchange_sim.world.venue import VenueState, known_venue

if TYPE_CHECKING:
    from exchange_sim.world.world import World

Command = tuple[int, ...]
R = RejectReason
TRANSIT = 1


def start_transfer(w: World, c: Command) -> None:
    """Debit the sender (amount and fee) and put the amount under way."""
    _, _, source_id, target_id, asset, amount = c
    source, target = user_account(w, c, source_id), user_account(w, c, target_id)
    if source is None or target is None:
        return None
    if not 0 <= asset < len(w.config.assets) or amount <= 0 or source is target:
        return refuse(w, c, R.BAD_AMOUNT)
    if w.chain is not None and source.venue == w.chain.venue:
        return refuse(w, c, R.NEEDS_TRANSACTION)
    venue = w.venues[source.venue]
    if not venue.transfers_enabled and target.venue != source.venue:
        return refuse(w, c, R.TRANSFER_SUSPENDED)
    abroad = target.venue != source.venue
    if abroad and not _within_limits(w, venue, asset, amount):
        return refuse(w, c, R.TRANSFER_LIMIT)
    fee = venue.spec.transfer_fee.get(asset, 0) if abroad else 0
    reason = may_leave(w, source, asset, amount + fee)
    if reason:
        return refuse(w, c, reason)
    if abroad:
        venue.outflow.amounts[asset] = venue.outflow.of(asset, w.time_ns) + amount
    move(w, asset, source_id, TRANSIT, amount, PostingKind.TRANSFER)
    if fee:
        move(w, asset, source_id, venue.fees, fee, PostingKind.TRANSFER_FEE)
    transfer = w.next_transfer
    w.next_transfer += 1
    w.transfers[transfer] = (target_id, asset, amount)
    w.out.append((13, transfer, source_id, target_id, asset, amount, fee))
    touch(w, source)
    return None


def _within_limits(w: World, venue: VenueState, asset: int, amount: int) -> bool:
    """Whether one transfer, and all of this hour, stay within what the venue's wallets can send."""
    spec = venue.spec
    if amount > spec.transfer_max.get(asset, amount):
        return False
    total = venue.outflow.of(asset, w.time_ns) + amount
    return total <= spec.transfer_hourly.get(asset, total)


def to_venue(x: Execution, action: Action) -> None:
    """From a wallet to an account on a venue: ``(TO_VENUE, asset, amount, account)``.

    It arrives after the chain's transfer delay: the blocks that a venue waits for.
    """
    _, asset, amount, target, *_ = action
    w = x.w
    amount = x.amount(amount, x.free(x.asset(asset)))
    known = 0 <= target < len(w.accounts) and w.accounts[target].owner >= 0
    if not known or w.accounts[target].venue == x.chain.venue:
        raise Revert(R.UNKNOWN_ACCOUNT)
    x.post(asset, x.wallet, TRANSIT, amount, PostingKind.TRANSFER)
    # The number is used up even if a later action fails: numbers may have gaps.
    transfer = w.next_transfer
    w.next_transfer += 1
    x.put(w.transfers, transfer, (target, asset, amount))
    x.emit(13, transfer, x.wallet, target, asset, amount, 0)
    x.output = amount


def finish_transfer(w: World, c: Command) -> None:
    """Credit the receiver of a transfer that is under way."""
    entry = w.transfers.pop(c[2], None)
    if entry is None:
        w.out.append((15, -1, c[0], int(R.UNKNOWN_TRANSFER)))
        return
    target_id, asset, amount = entry
    move(w, asset, TRANSIT, target_id, amount, PostingKind.TRANSFER)
    w.out.append((14, c[2], target_id, asset, amount))
    touch(w, w.accounts[target_id])


def set_transfers(w: World, c: Command) -> None:
    """Suspend or resume transfers out of a venue."""
    venue = known_venue(w, c)
    if venue is not None:
        venue.transfers_enabled = bool(c[3])
        w.out.append((25, venue.id, int(venue.transfers_enabled)))
