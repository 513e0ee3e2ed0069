"""The liquidation queue: cancel first, then sell and reduce through the ordinary book.

Every step is an ordinary IOC limit order of the liquidated account, bounded by a collar under
(over) the lower (higher) of mid and mark, and limited per instrument and engine slot.  Nothing
computes slippage: a thin book simply gives worse fills, or none.

Order of steps for one account:

1. all open orders are cancelled;
2. free balances repay loans in the same asset;
3. assets are sold for the numeraire while loans are open, the one first whose sale releases the
most
   collateral value that the book can absorb now (collateral ratio times fillable value);
4. positions are reduced, the one with the largest maintenance margin first.

A portfolio account is liquidated to the end; a cross-margin account stops as soon as its equity
covers its maintenance margin again.  An account whose net worth, without haircuts, is at or below
zero goes to ``world.takeover``.

Simplifications
---------------
Loans in other assets than the numeraire are repaid by buying that asset with numeraire cash.  A
reduction by tier is replaced by the quantity that brings the account back above its threshold,
which on the lowest tiers is the whole position, because the fee exceeds the margin that is set
free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.limits import INT64_MAX, LIQUIDATION_STEPS_MAX
from exchange_sim.messages.reasons import (
    CancelReason,
    LiquidationAction,
    LiquidationOutcome,
    PostingKind,
)
from exchange_sim.model.account import CROSS, Account
from exchange_sim.model.enums import BUY, SELL
from exchange_sim.model.instrument import Instrument
from exchange_sim.units import PPM
from exchange_sim.world import orders, takeover
from exchange_sim.world.forced import collar, lots_for, send_ioc
from exchange_sim.world.margin import asset_value, net_worth, position_value, requirements
from exchange_sim.world.settlement import repay_loan
from exchange_sim.world.venue import known_venue

if TYPE_CHECKING:
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

TARGET_RATIO_PPM = 1_200_000
"""A partial reduction aims at equity of 1.2 times maintenance, so that it is not repeated at
once.
"""


def enqueue(
    w: World, venue: VenueState, account_id: int, equity: int, maintenance: int, ratio: int
) -> None:
    """Put an account under liquidation: no more orders of its own, and a place in the queue."""
    account = w.accounts[account_id]
    account.liquidating = w.dirty[account_id] = True
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
    for _ in range(len(venue.queue)):
        account_id = venue.queue.popleft()
        if not _work(w, venue, w.accounts[account_id]):
            venue.queue.append(account_id)
    if venue.takeover_busy:
        _act(w, venue, w.accounts[venue.takeover], 0, 0)
        takeover.sweep(w, venue)


def _blocked(venue: VenueState, account: Account) -> bool:
    """Whether this slot has no budget left for anything that the account could do."""
    if account.orders or account.loans or not account.positions:
        return False
    return all(venue.budget[i] <= 0 for i in account.positions)


def _work(w: World, venue: VenueState, account: Account) -> bool:
    """One slot of one account's liquidation; True when it has ended.

    An account that finds no budget is still judged, once after every mark update: recovering and
    being taken over need none.
    """
    blocked = _blocked(venue, account)
    if blocked and venue.judged.get(account.id) == venue.mark_epoch:
        return False
    venue.judged[account.id] = venue.mark_epoch
    if account.orders:
        count = len(account.orders)
        for order in list(account.orders.values()):
            orders.cancel(w, order, int(CancelReason.LIQUIDATION))
        w.out.append((32, account.id, int(LiquidationAction.CANCEL_ORDERS), -1, count, 0))
    equity, _, maintenance = requirements(w, account)
    if account.mode == CROSS and equity >= maintenance and equity > 0:
        return _end(w, venue, account, LiquidationOutcome.RECOVERED, equity, maintenance)
    worth = equity if equity > 0 else net_worth(w, account)
    steps = venue.steps[account.id] = venue.steps.get(account.id, 0) + (not blocked)
    if worth <= 0 or steps > LIQUIDATION_STEPS_MAX:
        takeover.resolve_bankrupt(w, venue, account, worth)
        outcome = LiquidationOutcome.BANKRUPT if worth < 0 else LiquidationOutcome.TAKEN_OVER
        return _end(w, venue, account, outcome, worth, maintenance)
    if blocked:
        return False
    _act(w, venue, account, equity, maintenance)
    equity, _, maintenance = requirements(w, account)
    if not account.loans and not any(p.qty for p in account.positions.values()):
        return _end(w, venue, account, LiquidationOutcome.CLOSED, equity, maintenance)
    if account.mode == CROSS and equity >= maintenance and equity > 0:
        return _end(w, venue, account, LiquidationOutcome.RECOVERED, equity, maintenance)
    return False


def _end(
    w: World, venue: VenueState, account: Account, outcome: int, equity: int, maintenance: int
) -> bool:
    """The account leaves the queue and may trade again."""
    account.liquidating = False
    w.dirty[account.id] = True
    venue.steps.pop(account.id, None)
    venue.judged.pop(account.id, None)
    w.out.append((33, account.id, int(outcome), equity, maintenance))
    return True


def _act(w: World, venue: VenueState, account: Account, equity: int, maintenance: int) -> None:
    """Repay, sell, reduce: everything that this slot's budget allows for one account."""
    _repay_from_cash(w, venue, account)
    flat = not any(position.qty for position in account.positions.values())
    if account.owner < 0 or (account.loans and (venue.spec.collateral_sale or flat)):
        _sell_assets(w, venue, account)
        _repay_from_cash(w, venue, account)
    ranked = sorted(
        (i for i, p in account.positions.items() if p.qty),
        key=lambda i: (-_maintenance(w, i, account), i),
    )
    for instrument in ranked:
        if venue.budget[instrument] > 0 and account.positions.get(instrument):
            qty = _reduction(w, account, instrument, equity, maintenance)
            reduce_position(w, venue, account, instrument, qty)
            if account.mode == CROSS:
                equity, _, maintenance = requirements(w, account)
                if equity >= maintenance:
                    return


def _maintenance(w: World, instrument: int, account: Account) -> int:
    table = w.brackets[instrument]
    assert table is not None
    return table.maintenance(abs(position_value(w, instrument, account.positions[instrument])))


def _repay_from_cash(w: World, venue: VenueState, account: Account) -> None:
    """Use free balances against loans in the same asset; buy what else is owed."""
    for asset in sorted(account.loans):
        amount = min(account.loans[asset], w.ledger.free(account.id, asset))
        if amount > 0:
            repay_loan(w, account, asset, amount)
        owed = account.loans.get(asset, 0)
        if owed and asset != venue.numeraire and w.ledger.free(account.id, venue.numeraire) > 0:
            _buy_liability(w, venue, account, asset, owed)
            amount = min(account.loans[asset], w.ledger.free(account.id, asset))
            if amount > 0:
                repay_loan(w, account, asset, amount)


def _buy_liability(w: World, venue: VenueState, account: Account, asset: int, owed: int) -> None:
    """Buy an owed asset with numeraire cash, at most what cash and budget allow."""
    instrument = venue.spot_of.get(asset)
    if instrument is None:
        return
    inst = w.instruments[instrument]
    limit = collar(w, instrument, BUY)
    unit = limit * inst.unit_value
    cash = w.ledger.free(account.id, venue.numeraire) * PPM // (PPM + account.taker_ppm)
    qty = min(-(-owed // inst.lot_units), cash // unit, venue.budget[instrument] // unit)
    if qty > 0:
        _send(w, venue, account, inst, BUY, limit, qty, LiquidationAction.BUY_LIABILITY)


def _sell_assets(w: World, venue: VenueState, account: Account) -> None:
    """Sell liquid assets until the loans are covered, most releasable collateral first.

    The takeover account sells everything that it holds.
    """
    owed = INT64_MAX
    if account.owner >= 0:
        owed = sum(-asset_value(w, venue.id, a, -x) for a, x in account.loans.items())
        owed -= w.ledger.free(account.id, venue.numeraire)
    ranked = []
    for asset, instrument in venue.spot_of.items():
        lots = w.ledger.free(account.id, asset) // w.instruments[instrument].lot_units
        if lots > 0 and asset not in account.loans:
            ranked.append(
                (-_releasable(w, venue, instrument, asset, lots), asset, instrument, lots)
            )
    for _, _, instrument, lots in sorted(ranked):
        if owed <= 0:
            return
        inst = w.instruments[instrument]
        limit = collar(w, instrument, SELL)
        unit = limit * inst.unit_value
        qty = min(lots, venue.budget[instrument] // unit, lots_for(w, inst, account, owed, limit))
        if qty <= 0:
            continue
        owed -= _send(w, venue, account, inst, SELL, limit, qty, LiquidationAction.SELL_ASSET)


def _releasable(w: World, venue: VenueState, instrument: int, asset: int, lots: int) -> int:
    """Collateral value that selling would set free now: ratio times what the bids inside the collar
    take.
    """
    inst, book = w.instruments[instrument], w.engines[instrument].book
    _, total = book.cost(BUY, lots, collar(w, instrument, SELL))
    table = venue.spec.collateral.get(asset)
    return total * inst.unit_value * (table.tiers[0][1] if table else 0) // PPM


def _reduction(w: World, account: Account, instrument: int, equity: int, maintenance: int) -> int:
    """Lots to close: what restores a cross-margin account to its target, else the whole
    position.
    """
    position = account.positions[instrument]
    whole = abs(position.qty)
    if account.mode != CROSS or maintenance <= 0:
        return whole
    inst, table = w.instruments[instrument], w.brackets[instrument]
    assert table is not None
    value = abs(position_value(w, instrument, position))
    rate = table.mmr_ppm[table.bracket(value)] * TARGET_RATIO_PPM // PPM
    gain = rate - w.venues[inst.venue].spec.liquidation_fee_ppm - account.taker_ppm
    missing = maintenance * TARGET_RATIO_PPM // PPM - equity
    if gain <= 0 or value == 0:
        return whole
    lots = -(-missing * PPM * whole // (gain * value))
    return min(whole, max(1, lots))


def reduce_position(
    w: World, venue: VenueState, account: Account, instrument: int, qty: int
) -> None:
    """Send one IOC order that closes up to ``qty`` lots within budget, and charge the fee."""
    inst = w.instruments[instrument]
    position = account.positions[instrument]
    side = SELL if position.qty > 0 else BUY
    limit = collar(w, instrument, side)
    unit = limit * inst.unit_value
    qty = min(qty, max(1, venue.budget[instrument] // unit))
    value = _send(w, venue, account, inst, side, limit, qty, LiquidationAction.REDUCE_POSITION)
    if value and account.owner >= 0:
        _charge_fee(w, venue, account, value)


def _charge_fee(w: World, venue: VenueState, account: Account, value: int) -> None:
    """The liquidation fee goes to the insurance fund, as far as free cash goes (rounded down)."""
    fee = value * venue.spec.liquidation_fee_ppm // PPM
    fee = min(fee, w.ledger.free(account.id, venue.numeraire))
    if fee <= 0:
        return
    w.ledger.post(venue.numeraire, account.id, venue.insurance, fee)
    balance = w.ledger.posted[venue.insurance][venue.numeraire]
    kind = int(PostingKind.LIQUIDATION_FEE)
    w.out.append((10, venue.numeraire, account.id, venue.insurance, fee, kind))
    w.out.append((34, venue.id, venue.numeraire, fee, balance))


def _send(
    w: World,
    venue: VenueState,
    account: Account,
    inst: Instrument,
    side: int,
    limit: int,
    qty: int,
    action: LiquidationAction,
) -> int:
    """Enter a liquidation order, record the step and return the quote value that it traded.

    An order that could not trade completely has emptied the book inside its collar, so the
    instrument's budget of this slot ends with it.
    """
    lots, value = send_ioc(w, account, inst, side, limit, qty)
    venue.budget[inst.id] = venue.budget[inst.id] - value if lots == qty else 0
    if lots:
        w.out.append((32, account.id, int(action), inst.id, lots, value))
    return value
