"""What happens to an account that the venue takes over: insurance, ADL, bad debt.

An account whose equity is gone cannot be helped by selling.  Equity is the net worth here, without
haircuts: they limit credit and are no loss.  A venue may also take an account over before that
(``due``): a backstop vault does, below two thirds of the maintenance margin.  In this order:

1. The ADL trigger of the profile (``world.triggers``) says which positions are closed against
   profitable opposite ones, and the ADL price rule at what price.
2. All other positions, assets and loans move to the venue's takeover account at mark, and the
   insurance fund pays the deficit.  A vault is the same account; what it got is then its own.
3. Whatever deficit is left is recorded as bad debt of the venue, on an account of its own.

The takeover account then sells what it holds, at once like any account under liquidation, through
the book and within the same rate limit, or patiently (``world.backstop``), unless the rule lets it
keep its positions.  Once it is flat, its result belongs to the insurance fund.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import (
    LiquidationAction,
    LiquidationOutcome,
    PostingKind,
    RejectReason,
)
from exchange_sim.model.account import Account
from exchange_sim.model.instrument import Instrument
from exchange_sim.risk.profile import (
    AT_MARK,
    BANKRUPTCY_NEAR_MARK,
    MAINTENANCE_SHARE,
    PREVIOUS_MARK,
)
from exchange_sim.units import PPM
from exchange_sim.world import adl, backstop, triggers
from exchange_sim.world.auto_loans import repay_loan
from exchange_sim.world.margin import net_worth, position_worth
from exchange_sim.world.positions import change_position

if TYPE_CHECKING:
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

SHIFT_MAX = 9
"""Multiple of the mark for a debt of coins that no price makes small enough."""


def due(venue: VenueState, equity: int, maintenance: int, worth: int) -> bool:
    """Whether the venue takes an account over now, by the takeover rule of its profile."""
    rule = venue.profile.takeover
    if worth <= 0:
        return True
    above, below = rule.share
    return rule.kind == MAINTENANCE_SHARE and equity * below < maintenance * above


def resolve(w: World, venue: VenueState, account: Account, worth: int) -> LiquidationOutcome:
    """Deleverage or take over an account whose ``worth`` is its net worth; how it ended.

    Who was deleveraged at a mark may have something left and keeps it; in every other case the
    account owns and owes nothing afterwards.
    """
    if venue.spec.adl:
        instruments, deficit = triggers.for_adl(w, venue, account, worth)
        if instruments:
            _deleverage(w, venue, account, instruments, deficit)
            left = net_worth(w, account)
            flat = not any(p.qty for p in account.positions.values())
            if left > 0 and flat and not account.loans:
                return LiquidationOutcome.DELEVERAGED
    deficit = max(0, -net_worth(w, account))
    values = {i: position_worth(w, i, p.qty) for i, p in account.positions.items() if p.qty}
    _absorb(w, venue, account)
    if deficit:
        if any(values.values()):
            triggers.note_losses(w, venue, values, deficit)
        _pay_deficit(w, venue, account, deficit)
    if worth < 0:
        return LiquidationOutcome.BANKRUPT
    vault = worth > 0 and venue.profile.takeover.kind == MAINTENANCE_SHARE
    return LiquidationOutcome.BACKSTOP if vault else LiquidationOutcome.TAKEN_OVER


def vault_is_short(w: World, venue: VenueState) -> bool:
    """Whether the takeover account has lost more than the fund holds, and could be deleveraged.

    Only in instruments in which something of an account was closed in this slot.
    """
    if not (venue.takeover_busy and venue.spec.adl and _vault_positions(w, venue)):
        return False
    return triggers.capacity(w, venue) < 0


def deleverage_vault(w: World, venue: VenueState) -> None:
    """ADL of the takeover account itself, where ``vault_is_short``."""
    held, missing = _vault_positions(w, venue), -triggers.capacity(w, venue)
    if held and missing > 0:
        _deleverage(w, venue, w.accounts[venue.takeover], held, missing)
        sweep(w, venue)


def _vault_positions(w: World, venue: VenueState) -> list[int]:
    positions = w.accounts[venue.takeover].positions
    return [i for i in sorted(positions) if positions[i].qty and i in venue.liquidated]


def _deleverage(
    w: World, venue: VenueState, account: Account, instruments: list[int], deficit: int
) -> None:
    """Close positions by ADL, each at the price of the venue's rule.

    A bankruptcy price makes the winners pay ``deficit``, in proportion to the positions.
    """
    values = {i: position_worth(w, i, account.positions[i].qty) for i in instruments}
    total = sum(values.values())
    for instrument in instruments:
        inst, qty = w.instruments[instrument], account.positions[instrument].qty
        share = -(-deficit * values[instrument] // total) if total else 0
        price = _adl_price(w, venue, instrument, _shift(w, inst, qty, share))
        closed = adl.deleverage(w, venue, account, instrument, abs(qty), price)
        if closed:
            venue.liquidated[instrument] = None
            notional = closed * inst.contract_units or inst.value_at(closed, price)
            w.out.append((32, account.id, int(LiquidationAction.ADL), instrument, closed, notional))


def _shift(w: World, inst: Instrument, qty: int, share: int) -> int:
    """Micro-ticks from the mark to the price at which ``qty`` lots are worth ``share`` more."""
    if not inst.inverse:
        shift = -(-share * PPM // (abs(qty) * inst.unit_value))
        return shift if qty > 0 else -shift
    mark, price = w.marks[inst.id], w.venues[inst.venue].asset_prices[inst.settle]
    coins = -(-share * w.price_scales[inst.settle] // max(1, price))
    size = abs(qty) * inst.coin_value * PPM
    if qty < 0:
        return size // (size // mark + coins) - mark if size // mark + coins else 0
    owed = size // mark - coins
    return -(-size // owed) - mark if owed > 0 else mark * SHIFT_MAX


def _adl_price(w: World, venue: VenueState, instrument: int, shift: int) -> int:
    """Price of an ADL in micro-ticks; ``shift`` leads from the mark to the bankruptcy price."""
    rule, mark = venue.profile.adl_price, w.marks[instrument]
    if rule.kind == PREVIOUS_MARK:
        return venue.previous_marks[instrument]
    if rule.kind == AT_MARK:
        return mark
    if rule.kind == BANKRUPTCY_NEAR_MARK and abs(shift) * PPM > rule.gap_ppm * mark:
        return mark
    return max(1, mark + shift)


def _absorb(w: World, venue: VenueState, account: Account) -> None:
    """Move every position (at mark), asset and loan of an account to the takeover account."""
    keeper = w.accounts[venue.takeover]
    if venue.profile.takeover.leverage_ppm:
        venue.vault.taken += max(0, backstop.added(w, venue, account))
    for instrument in sorted(account.positions):
        position = account.positions[instrument]
        qty = position.qty
        if not qty:
            continue
        venue.liquidated[instrument] = None
        inst = w.instruments[instrument]
        notional = inst.entry_at(abs(qty), w.marks[instrument])
        pnl = change_position(w, inst, account, -qty, notional)
        w.out.append((37, account.id, instrument, qty, w.marks[instrument], pnl))
        adl.post_pnl(w, account, instrument, pnl, PostingKind.TAKEOVER)
        kept = _change_keeper(w, keeper, instrument, qty, notional)
        if kept:
            adl.post_pnl(w, keeper, instrument, kept, PostingKind.TAKEOVER)
    ledger, kind = w.ledger, int(PostingKind.TAKEOVER)
    for asset in range(ledger.asset_count):
        amount = ledger.posted[account.id][asset]
        if amount > 0:
            ledger.post(asset, account.id, keeper.id, amount)
            w.out.append((10, asset, account.id, keeper.id, amount, kind))
    for asset in sorted(account.loans):
        loan = account.loans[asset]
        keeper.loans[asset] = keeper.loans.get(asset, 0) + loan
        w.out.append((11, account.id, asset, 0, -loan, kind))
        w.out.append((11, keeper.id, asset, keeper.loans[asset], loan, kind))
    account.loans.clear()
    account.auto_loans.clear()
    account.stale = True
    w.dirty[account.id] = True
    venue.takeover_busy = True


def _change_keeper(w: World, keeper: Account, instrument: int, qty: int, notional: int) -> int:
    """Add a taken-over position; a flip of the keeper's position is split so that it stays
    exact.
    """
    inst = w.instruments[instrument]
    held = keeper.positions.get(instrument)
    before = held.qty if held else 0
    if before and (before > 0) != (qty > 0) and abs(qty) > abs(before):
        part = notional * abs(before) // abs(qty)
        sign = 1 if qty > 0 else -1
        pnl = change_position(w, inst, keeper, sign * abs(before), part)
        return pnl + change_position(w, inst, keeper, qty + before, notional - part)
    return change_position(w, inst, keeper, qty, notional)


def _pay_deficit(w: World, venue: VenueState, account: Account, deficit: int) -> None:
    """The fund pays the takeover account what the bankrupt one lacked; the rest is bad debt."""
    fund = w.ledger.posted[venue.insurance][venue.numeraire]
    paid = min(fund, deficit)
    if paid:
        move_insurance(w, venue, venue.insurance, venue.takeover, paid)
    if deficit > paid:
        record_bad_debt(w, venue, account.id, deficit - paid)


def move_insurance(w: World, venue: VenueState, source: int, target: int, amount: int) -> None:
    """Post a payout of, or a surplus to, the insurance fund and record its new balance."""
    out_of_fund = source == venue.insurance
    kind = PostingKind.INSURANCE_PAYOUT if out_of_fund else PostingKind.INSURANCE_SURPLUS
    w.ledger.post(venue.numeraire, source, target, amount)
    balance = w.ledger.posted[venue.insurance][venue.numeraire]
    w.out.append((10, venue.numeraire, source, target, amount, int(kind)))
    change = -amount if out_of_fund else amount
    w.out.append((34, venue.id, venue.numeraire, change, balance))
    triggers.note_fund(w, venue)


def fund_insurance(w: World, c: tuple[int, ...]) -> None:
    """Pay into the insurance fund from outside the emulated world."""
    _, _, venue_id, amount = c
    if not 0 <= venue_id < len(w.venues) or amount <= 0:
        w.out.append((15, -1, c[0], int(RejectReason.BAD_AMOUNT)))
        return
    venue = w.venues[venue_id]
    asset = venue.numeraire
    w.ledger.post(asset, 0, venue.insurance, amount)
    balance = w.ledger.posted[venue.insurance][asset]
    w.out.append((10, asset, 0, venue.insurance, amount, int(PostingKind.DEPOSIT)))
    w.out.append((34, venue_id, asset, amount, balance))
    triggers.note_fund(w, venue)


def record_bad_debt(w: World, venue: VenueState, account: int, amount: int) -> None:
    """Book a loss that nobody could pay on the venue's bad-debt account, in favour of the
    takeover.
    """
    asset = venue.numeraire
    w.ledger.post(asset, venue.bad_debt, venue.takeover, amount)
    venue.bad_debt_total += amount
    w.out.append((10, asset, venue.bad_debt, venue.takeover, amount, int(PostingKind.BAD_DEBT)))
    w.out.append((36, venue.id, account, asset, amount))


def sweep(w: World, venue: VenueState) -> None:
    """Settle the takeover account with the insurance fund once it is flat.

    Its cash beyond loans is a surplus of the fund; loans that it cannot repay are paid by the fund
    and, when that is empty, become bad debt.
    """
    if not venue.takeover_busy:
        return
    keeper, asset = w.accounts[venue.takeover], venue.numeraire
    row = w.ledger.posted[keeper.id]
    for loan_asset in sorted(keeper.loans):
        amount = min(keeper.loans[loan_asset], row[loan_asset])
        if amount:
            repay_loan(w, keeper, loan_asset, amount)
    if any(p.qty for p in keeper.positions.values()) or any(a != asset for a in keeper.loans):
        return
    if any(row[a] and sellable(w, venue, keeper, a) for a in range(len(row)) if a != asset):
        return
    owed = keeper.loans.get(asset, 0)
    if owed:
        fund = w.ledger.posted[venue.insurance][asset]
        paid = min(fund, owed)
        if paid:
            move_insurance(w, venue, venue.insurance, keeper.id, paid)
        if owed > paid:
            record_bad_debt(w, venue, keeper.id, owed - paid)
        repay_loan(w, keeper, asset, owed)
    elif row[asset]:
        move_insurance(w, venue, keeper.id, venue.insurance, row[asset])
    venue.takeover_busy = False


def sellable(w: World, venue: VenueState, account: Account, asset: int) -> bool:
    """Whether a holding is worth at least one lot of a spot market against the numeraire."""
    instrument = venue.spot_of.get(asset)
    if instrument is None:
        return False
    return w.ledger.free(account.id, asset) >= w.instruments[instrument].lot_units
