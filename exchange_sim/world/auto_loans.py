"""Loans that a venue makes by itself to cover losses, and the repayment of loans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import PostingKind
from exchange_sim.model.account import Account

if TYPE_CHECKING:
    from exchange_sim.world.world import World

REPAY = int(PostingKind.REPAY)
BORROW = int(PostingKind.BORROW)


def cover_shortfall(w: World, account: Account, asset: int) -> None:
    """Lend an account what its wallet lacks after a loss, so that no wallet is ever negative."""
    venue = w.venues[account.venue]
    missing = w.ledger.reserved[account.id][asset] - w.ledger.posted[account.id][asset]
    w.ledger.posted[account.id][asset] += missing
    w.ledger.posted[venue.pool][asset] -= missing
    account.stale = True
    account.loans[asset] = account.loans.get(asset, 0) + missing
    account.auto_loans[asset] = account.auto_loans.get(asset, 0) + missing
    venue.lent[asset] += missing
    if asset == venue.numeraire:
        venue.debtors[account.id] = None
    w.out.append((10, asset, venue.pool, account.id, missing, BORROW))
    w.out.append((11, account.id, asset, account.loans[asset], missing, BORROW))


def repay_auto(w: World, account: Account, asset: int) -> None:
    """Return a loan that the venue made by itself as soon as the wallet can."""
    owed = account.auto_loans.get(asset, 0)
    amount = min(owed, w.ledger.free(account.id, asset))
    if amount > 0:
        repay_loan(w, account, asset, amount)


def repay_loan(w: World, account: Account, asset: int, amount: int) -> None:
    """Pay back ``amount`` of a loan from the wallet; the automatic part is paid first."""
    venue = w.venues[account.venue]
    w.ledger.post(asset, account.id, venue.pool, amount)
    account.loans[asset] -= amount
    venue.lent[asset] -= amount
    automatic = account.auto_loans.get(asset, 0)
    if automatic > amount:
        account.auto_loans[asset] = automatic - amount
    elif automatic:
        del account.auto_loans[asset]
    w.out.append((10, asset, account.id, venue.pool, amount, REPAY))
    w.out.append((11, account.id, asset, account.loans[asset], -amount, REPAY))
    if account.loans[asset] == 0:
        del account.loans[asset]
    w.dirty[account.id] = True
    account.stale = True
