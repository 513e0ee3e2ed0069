"""The orders of a liquidation engine: ordinary IOC limits of the liquidated account.

Each is bounded by a collar and by what the instrument's budget of this slot leaves; what it traded
is recorded as a step.  Which of them an account sends is decided in ``world.liquidation``, how
large a step is in ``world.ladder``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.limits import INT64_MAX
from exchange_sim.messages.reasons import LiquidationAction, PostingKind
from exchange_sim.model.account import Account
from exchange_sim.model.enums import BUY, FOK, IOC, SELL, InstrumentStatus
from exchange_sim.model.instrument import Instrument
from exchange_sim.risk.profile import BY_SHARE, BY_TIERS
from exchange_sim.units import PPM
from exchange_sim.world.auto_loans import repay_loan
from exchange_sim.world.forced import collar, lots_for, send_ioc
from exchange_sim.world.margin import asset_value, requirements

if TYPE_CHECKING:
    from exchange_sim.world.ladder import Step
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

PARTIAL_ACTION = {
    BY_TIERS: LiquidationAction.REDUCE_BY_TIER,
    BY_SHARE: LiquidationAction.REDUCE_BY_SHARE,
}
"""What a step that closes a part of a position is called, by kind of ladder."""


def repay_from_cash(w: World, venue: VenueState, account: Account) -> None:
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


def sell_assets(w: World, venue: VenueState, account: Account) -> None:
    """Sell liquid assets until the loans are covered: the published order of the venue, if any,
    then the most releasable collateral first.

    The takeover account sells everything that it holds.
    """
    owed = INT64_MAX
    if account.owner >= 0:
        owed = sum(-asset_value(w, venue.id, a, -x) for a, x in account.loans.items())
        owed -= w.ledger.free(account.id, venue.numeraire)
        owed = _enough(w, account, owed)
    ranked = []
    for asset, instrument in venue.spot_of.items():
        lots = w.ledger.free(account.id, asset) // w.instruments[instrument].lot_units
        if lots > 0 and asset not in account.loans:
            place = venue.sale_place.get(asset, len(venue.sale_place))
            value = -_releasable(w, venue, instrument, asset, lots)
            ranked.append((place, value, asset, instrument, lots))
    for _, _, _, instrument, lots in sorted(ranked):
        if owed <= 0:
            return
        inst = w.instruments[instrument]
        limit = collar(w, instrument, SELL)
        unit = limit * inst.unit_value
        qty = min(lots, venue.budget[instrument] // unit, lots_for(w, inst, account, owed, limit))
        if qty <= 0:
            continue
        owed -= _send(w, venue, account, inst, SELL, limit, qty, LiquidationAction.SELL_ASSET)


def _enough(w: World, account: Account, owed: int) -> int:
    """What must be raised of what is owed: a spot margin account only goes back to its stop level.

    Selling at the price changes assets and loans alike, so the loans that its equity carries at
    that level may stay.
    """
    margin = account.modes.margin if account.modes is not None else None
    if margin is None:
        return owed
    equity, _, maintenance = requirements(w, account)
    venue = w.venues[account.venue]
    if margin.haircuts and venue.spec.liabilities and maintenance > 0:
        # Brackets: the rate on average, which falls as the loans do, so the level ends above.
        total = sum(-asset_value(w, venue.id, a, -x) for a, x in account.loans.items())
        return owed - max(0, equity) * PPM * total // (maintenance * margin.stop_ppm)
    rate = margin.loan_mmr_ppm or venue.spec.loan_mmr_ppm
    return owed - max(0, equity) * PPM * PPM // (rate * margin.stop_ppm)


def _releasable(w: World, venue: VenueState, instrument: int, asset: int, lots: int) -> int:
    """Collateral value that selling would set free now: ratio times what the bids inside the collar
    take.
    """
    inst, book = w.instruments[instrument], w.engines[instrument].book
    _, total = book.cost(BUY, lots, collar(w, instrument, SELL))
    table = venue.spec.collateral.get(asset)
    return total * inst.unit_value * (table.tiers[0][1] if table else 0) // PPM


def reduce_position(
    w: World, venue: VenueState, account: Account, instrument: int, step: Step
) -> bool:
    """Send one order that closes up to so many lots within budget, and charge the fee.

    False when a fill-or-kill step found no book to fill it.
    """
    inst = w.instruments[instrument]
    if w.status[instrument] != InstrumentStatus.TRADING:
        venue.budget[instrument] = 0
        return True
    if account.owner >= 0:
        venue.attempted[instrument] = None
    held = account.positions[instrument].qty
    side = SELL if held > 0 else BUY
    limit = collar(w, instrument, side)
    qty, tif = step
    partial = qty < abs(held)
    action = LiquidationAction.REDUCE_POSITION
    if partial:
        action = PARTIAL_ACTION.get(venue.profile.ladder.kind, action)
    qty = min(qty, max(1, venue.budget[instrument] // inst.lot_worth(limit)))
    value = _send(w, venue, account, inst, side, limit, qty, action, tif)
    if value and account.owner >= 0:
        venue.liquidated[instrument] = None
        if partial:
            venue.partial_ns[account.id] = w.time_ns
        _charge_fee(w, venue, account, value)
    return tif != FOK or bool(value)


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
    venue.fund_history.record(w.time_ns, balance)


def _send(
    w: World,
    venue: VenueState,
    account: Account,
    inst: Instrument,
    side: int,
    limit: int,
    qty: int,
    action: LiquidationAction,
    tif: int = IOC,
) -> int:
    """Enter a liquidation order, record the step and return the quote value that it traded.

    An order that could not trade completely has emptied the book inside its collar, so the
    instrument's budget of this slot ends with it.
    """
    lots, value = send_ioc(w, account, inst, side, limit, qty, tif)
    venue.budget[inst.id] = venue.budget[inst.id] - value if lots == qty else 0
    if lots:
        w.out.append((32, account.id, int(action), inst.id, lots, value))
    return value
