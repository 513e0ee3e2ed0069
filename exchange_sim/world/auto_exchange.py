"""Multi-assets mode: a debit that grew too large is covered by selling collateral pro rata.

Losses of an account that has no cash become a debit (a loan that the venue makes by itself).  Once
it passes the venue's floor, or once an account without positions owes at least 99.5 % of what its
assets are worth, the venue takes collateral for it at the collateral price less a
haircut, from all assets in proportion to their values::

    taken value = debit / (1 - haircut)

It pays from its own account, which then sells what it took through the book like everything that
it takes over.  Source:
https://www.binance.com/en/futures/trading-rules/perpetual/multi-asset-info.

Simplifications
---------------
Debits in other assets than the numeraire are not exchanged.  A venue without a floor has neither
rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import PostingKind
from exchange_sim.model.account import CROSS, Account
from exchange_sim.risk.cross_margin import AUTO_EXCHANGE_LTV as LTV
from exchange_sim.units import PPM
from exchange_sim.world.auto_loans import cover_shortfall, repay_auto
from exchange_sim.world.margin import asset_value

if TYPE_CHECKING:
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

AUTO_EXCHANGE = int(PostingKind.AUTO_EXCHANGE)


def exchange_debits(w: World, venue: VenueState) -> None:
    """Cover every debit of a venue that is beyond its floor.  O(accounts with a debit)."""
    floor, asset = venue.spec.auto_exchange_floor, venue.numeraire
    for account_id in list(venue.debtors):
        account = w.accounts[account_id]
        debit = account.auto_loans.get(asset, 0)
        if not debit:
            del venue.debtors[account_id]
        elif not floor or account.liquidating or not _takes_part(account):
            continue
        elif debit > floor or _over_pledged(w, venue, account, debit):
            _exchange(w, venue, account, debit)


def _takes_part(account: Account) -> bool:
    """Futures accounts with their assets in common; wallets and spot margin have none to give."""
    margin = account.modes is not None and account.modes.margin is not None
    return account.mode == CROSS and account.owner >= 0 and account.parent < 0 and not margin


def _over_pledged(w: World, venue: VenueState, account: Account, debit: int) -> bool:
    """Whether an account without positions owes 99.5 % or more of its assets at their prices."""
    if any(position.held for position in account.positions.values()):
        return False
    return debit * LTV.denominator >= LTV.numerator * sum(_values(w, venue, account).values())


def _values(w: World, venue: VenueState, account: Account) -> dict[int, int]:
    """What the assets that can be taken are worth, before any haircut."""
    values = {}
    for asset in venue.spot_of:
        value = asset_value(w, venue.id, asset, w.ledger.free(account.id, asset))
        if value > 0 and asset in venue.spec.collateral:
            values[asset] = value
    return values


def _exchange(w: World, venue: VenueState, account: Account, debit: int) -> None:
    """Take collateral pro rata, at most all of it, and pay for it after the haircut."""
    kept = PPM - venue.spec.auto_exchange_haircut_ppm
    values = _values(w, venue, account)
    total = sum(values.values())
    wanted = min(-(-debit * PPM // kept), total)
    for asset, value in values.items():
        free, price = w.ledger.free(account.id, asset), venue.asset_prices[asset]
        share = -(-wanted * value // total)
        amount = min(free, -(-share * w.price_scales[asset] // price))
        paid = asset_value(w, venue.id, asset, amount) * kept // PPM
        if paid > 0:
            _sell(w, venue, account, asset, amount, paid)
    repay_auto(w, account, venue.numeraire)
    account.stale = w.dirty[account.id] = True


def _sell(
    w: World, venue: VenueState, account: Account, asset: int, amount: int, paid: int
) -> None:
    """Move an asset to the venue's account and its price back; the venue borrows what it lacks."""
    keeper, cash = w.accounts[venue.takeover], venue.numeraire
    w.ledger.post(asset, account.id, keeper.id, amount)
    w.out.append((10, asset, account.id, keeper.id, amount, AUTO_EXCHANGE))
    w.ledger.posted[keeper.id][cash] -= paid
    w.ledger.posted[account.id][cash] += paid
    w.out.append((10, cash, keeper.id, account.id, paid, AUTO_EXCHANGE))
    if w.ledger.posted[keeper.id][cash] < w.ledger.reserved[keeper.id][cash]:
        cover_shortfall(w, keeper, cash)
    w.out.append((64, account.id, asset, amount, paid))
    venue.takeover_busy = keeper.stale = True
