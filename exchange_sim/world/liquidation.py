"""The liquidation queue: cancel first, then sell and reduce through the ordinary book.

Every step is an ordinary order of the liquidated account (``world.liquidation_orders``), bounded by
a collar under (over) the lower (higher) of mid and mark, and limited per instrument and engine
slot.  Nothing computes slippage: a thin book simply gives worse fills, or none.

Order of steps for one account:

1. all open orders are cancelled;
2. free balances repay loans in the same asset;
3. assets are sold for the numeraire while loans are open, the one first whose sale releases the
most
   collateral value that the book can absorb now (collateral ratio times fillable value);
4. positions are reduced, the one with the largest maintenance margin first, by the steps of the
venue's ladder (``world.ladder``).

A portfolio account is liquidated to the end where the venue's rule is absorbing; every other
account stops as soon as its equity covers its maintenance margin again.  An account whose net
worth, without haircuts, is at or below zero, or that the venue takes over before, goes to
``world.takeover``.  Where ADL has rounds of its own, an insolvent account is tried in the book
first, and everybody whom that did not help is deleveraged after all others had their turn.  Who is
due for a vault that has no room (``world.backstop``) is deleveraged then too, without the book: it
would sell below the mark what the account's last margin still covers at the mark.

Simplifications
---------------
Loans in other assets than the numeraire are repaid by buying that asset with numeraire cash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.limits import INT64_MAX, LIQUIDATION_STEPS_MAX
from exchange_sim.messages.reasons import CancelReason, LiquidationAction, LiquidationOutcome
from exchange_sim.model.account import CROSS, Account
from exchange_sim.risk.profile import PATIENT
from exchange_sim.units import PPM
from exchange_sim.world import backstop, hedge, ladder, liquidation_orders, orders, takeover
from exchange_sim.world.margin import (
    asset_value,
    liquidatable,
    net_worth,
    position_value,
    requirements,
)
from exchange_sim.world.venue import known_venue

if TYPE_CHECKING:
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World


def enqueue(
    w: World, venue: VenueState, account_id: int, equity: int, maintenance: int, ratio: int
) -> None:
    """Put an account under liquidation: no more orders of its own, and a place in the queue."""
    account = w.accounts[account_id]
    account.liquidating = True
    venue.mirror.ignore(account_id)
    venue.queue.append(account_id)
    instrument, asset = _cause(w, venue, account)
    w.out.append((31, account_id, equity, maintenance, ratio, instrument, asset))


def _cause(w: World, venue: VenueState, account: Account) -> tuple[int, int]:
    """What cost the account most: a position's loss or the fall of a collateral asset since the
    start.
    """
    worst, instrument, asset = 0, -1, -1
    for i, position in account.positions.items():
        pnl = position_value(w, i, position) - position.entry_notional
        if w.instruments[i].inverse:
            pnl = asset_value(w, venue.id, w.instruments[i].settle, pnl)
        if pnl < worst:
            worst, instrument, asset = pnl, i, -1
    for a, amount in enumerate(w.ledger.posted[account.id]):
        if amount and a != venue.numeraire:
            before = amount * venue.reference_prices[a] // (w.config.assets[a].asset.scale * PPM)
            change = asset_value(w, venue.id, a, amount) - before
            if change < worst:
                worst, instrument, asset = change, -1, a
    return instrument, asset


def liquidation_tick(w: World, c: tuple[int, ...]) -> None:
    """One slot of the engine: budgets are renewed and every queued account may act once, in order.

    The takeover account gets what the queue leaves of the budgets.
    """
    venue = known_venue(w, c)
    if venue is None:
        return
    for instrument in (*venue.perps, *venue.spots):
        venue.budget[instrument] = w.specs[instrument].liquidation_slice or INT64_MAX
    venue.attempted.clear()
    venue.liquidated.clear()
    venue.for_round.clear()
    backstop.open_slot(w, venue)
    for _ in range(len(venue.queue)):
        account_id = venue.queue.popleft()
        if not _work(w, venue, w.accounts[account_id]):
            venue.queue.append(account_id)
    if venue.takeover_busy and venue.profile.takeover.works_off:
        _work_off(w, venue)
    if venue.profile.adl_trigger.rounds:
        _adl_round(w, venue)
    if venue.takeover_busy:
        backstop.offer(w, venue)


def _work_off(w: World, venue: VenueState) -> None:
    """The turn of the takeover account: a patient one only repays loans and sells assets."""
    keeper = w.accounts[venue.takeover]
    if venue.profile.takeover.pace == PATIENT:
        _raise_cash(w, venue, keeper, sells=True)
    else:
        _act(w, venue, keeper, 0, 0)
    takeover.sweep(w, venue)


def _adl_round(w: World, venue: VenueState) -> None:
    """Deleverage everybody whom the book could not save in this slot, then a vault without means.

    An insolvent account only loses positions in instruments in which this slot sent an order, the
    vault itself only where it closed something of an account: ADL follows a liquidation.
    """
    vault = takeover.vault_is_short(w, venue)
    if venue.for_round or vault:
        venue.rounds += 1
        w.out.append((50, venue.id, venue.rounds, len(venue.for_round) + vault))
    for account_id in list(venue.for_round):
        account = w.accounts[account_id]
        worth = net_worth(w, account)
        _hand_over(w, venue, account, worth, requirements(w, account)[2])
    if vault:
        takeover.deleverage_vault(w, venue)


def _blocked(w: World, venue: VenueState, account: Account) -> bool:
    """Whether this slot has no budget left for anything that the account could do, or it waits."""
    if account.orders:
        return False
    if ladder.waiting(w, venue, account):
        return True
    if account.loans or not account.positions:
        return False
    return all(venue.budget[i] <= 0 for i in account.positions)


def _work(w: World, venue: VenueState, account: Account) -> bool:
    """One slot of one account's liquidation; True when it has ended.

    An account that finds no budget is still judged, once after every mark update: recovering and
    being taken over need none.
    """
    blocked = _blocked(w, venue, account)
    if blocked and venue.judged.get(account.id) == venue.mark_epoch:
        return False
    venue.judged[account.id] = venue.mark_epoch
    if account.orders:
        count = len(account.orders)
        for order in list(account.orders.values()):
            orders.cancel(w, order, int(CancelReason.LIQUIDATION))
        w.out.append((32, account.id, int(LiquidationAction.CANCEL_ORDERS), -1, count, 0))
    if account.modes is not None and account.modes.hedge:
        hedge.offset(w, account)
    equity, _, maintenance = requirements(w, account)
    if _recovered(w, venue, account, equity, maintenance):
        return _end(w, venue, account, LiquidationOutcome.RECOVERED, equity, maintenance)
    worth = equity if equity > 0 else net_worth(w, account)
    steps = venue.steps[account.id] = venue.steps.get(account.id, 0) + (not blocked)
    by_round = _needs_round(w, venue, account, equity, maintenance, worth)
    if steps > LIQUIDATION_STEPS_MAX or (
        not by_round and takeover.due(venue, equity, maintenance, worth)
    ):
        return _hand_over(w, venue, account, worth, maintenance)
    if by_round and worth >= 0:
        return _for_round(w, venue, account)
    if blocked:
        return _for_round(w, venue, account) if by_round else False
    if _act(w, venue, account, equity, maintenance):
        return _hand_over(w, venue, account, net_worth(w, account), maintenance)
    equity, _, maintenance = requirements(w, account)
    if not account.loans and not any(p.qty for p in account.positions.values()):
        return _end(w, venue, account, LiquidationOutcome.CLOSED, equity, maintenance)
    if _recovered(w, venue, account, equity, maintenance):
        return _end(w, venue, account, LiquidationOutcome.RECOVERED, equity, maintenance)
    return _for_round(w, venue, account) if by_round else False


def _recovered(
    w: World, venue: VenueState, account: Account, equity: int, maintenance: int
) -> bool:
    """Whether an account may leave its liquidation early, by the margin rule of the venue."""
    if account.mode == CROSS:
        margin = account.modes.margin if account.modes is not None else None
        if margin is not None:
            return equity * PPM >= maintenance * margin.stop_ppm and equity > 0
        return equity >= maintenance and equity > 0
    if venue.absorbing or equity <= 0:
        return False
    return not liquidatable(w, account, equity, maintenance)


def _needs_round(
    w: World, venue: VenueState, account: Account, equity: int, maintenance: int, worth: int
) -> bool:
    """Whether only ADL is left for an account that the book does not save."""
    if not venue.profile.adl_trigger.rounds:
        return False
    if worth < 0:
        return True
    due = takeover.due(venue, equity, maintenance, worth)
    return due and venue.spec.adl and not backstop.has_room(w, venue, account)


def _for_round(w: World, venue: VenueState, account: Account) -> bool:
    """Take an account that the book did not save out of the queue, for the ADL round; else stay."""
    equity, _, maintenance = requirements(w, account)
    if not _needs_round(w, venue, account, equity, maintenance, net_worth(w, account)):
        return False
    venue.for_round.append(account.id)
    return True


def _hand_over(w: World, venue: VenueState, account: Account, worth: int, maintenance: int) -> bool:
    """End a liquidation with what happens to an account that the venue takes over."""
    outcome = takeover.resolve(w, venue, account, worth)
    return _end(w, venue, account, outcome, worth, maintenance)


def _end(
    w: World, venue: VenueState, account: Account, outcome: int, equity: int, maintenance: int
) -> bool:
    """The account leaves the queue and may trade again."""
    account.liquidating = False
    w.dirty[account.id] = True
    if account.parent >= 0:
        w.unsettled[account.id] = None
    venue.steps.pop(account.id, None)
    venue.judged.pop(account.id, None)
    venue.partial_ns.pop(account.id, None)
    w.out.append((33, account.id, int(outcome), equity, maintenance))
    return True


def _act(w: World, venue: VenueState, account: Account, equity: int, maintenance: int) -> bool:
    """Repay, sell, reduce: everything that this slot's budget allows for one account.

    True when the ladder has come to its end and the venue takes the account over.
    """
    flat = not any(position.qty for position in account.positions.values())
    _raise_cash(w, venue, account, account.owner < 0 or venue.spec.collateral_sale or flat)
    ranked = sorted(
        (i for i, p in account.positions.items() if p.qty),
        key=lambda i: (-_maintenance(w, i, account), i),
    )
    for instrument in ranked:
        if venue.budget[instrument] > 0 and account.positions.get(instrument):
            step = ladder.next_step(w, venue, account, instrument, equity, maintenance)
            if step == ladder.HAND_OVER or not liquidation_orders.reduce_position(
                w, venue, account, instrument, step
            ):
                return True
            if account.mode == CROSS or not venue.absorbing:
                equity, _, maintenance = requirements(w, account)
                if (
                    equity >= maintenance
                    if account.mode == CROSS
                    else _recovered(w, venue, account, equity, maintenance)
                ):
                    return False
    return False


def _raise_cash(w: World, venue: VenueState, account: Account, sells: bool) -> None:
    """Repay loans from cash, then, where it ``sells``, from the sale of assets."""
    liquidation_orders.repay_from_cash(w, venue, account)
    if sells and (account.owner < 0 or account.loans):
        liquidation_orders.sell_assets(w, venue, account)
        liquidation_orders.repay_from_cash(w, venue, account)


def _maintenance(w: World, instrument: int, account: Account) -> int:
    table = w.brackets[instrument]
    assert table is not None
    own = table.maintenance(abs(position_value(w, instrument, account.positions[instrument])))
    inst = w.instruments[instrument]
    return asset_value(w, inst.venue, inst.settle, own) if inst.inverse else own
