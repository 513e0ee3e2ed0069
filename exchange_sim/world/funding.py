"""Funding between longs and shorts, and interest on margin loans: settled as commands of their own.

Funding paid equals funding received to the unit (FUND-1): every flow is rounded down, and the few
units that this leaves over go to the dust account.  Interest is rounded up, against the borrower;
it is added to the loan and becomes cash of the margin pool when the loan is repaid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import PostingKind
from exchange_sim.risk import funding as rules
from exchange_sim.risk.profile import INDEX
from exchange_sim.units import NANOS_PER_HOUR
from exchange_sim.world.auto_loans import cover_shortfall
from exchange_sim.world.venue import known_venue

if TYPE_CHECKING:
    from exchange_sim.risk.brackets import BracketTable
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

FUNDING, INTEREST = int(PostingKind.FUNDING), int(PostingKind.INTEREST)
PPB = 1_000_000_000


def apply_funding(w: World, c: tuple[int, ...]) -> None:
    """Settle every perpetual of a venue at its rate, through the instrument's clearing account."""
    venue = known_venue(w, c)
    if venue is None:
        return
    hours = max(1, venue.spec.funding_interval_ns // NANOS_PER_HOUR)
    for instrument in venue.perps:
        average = venue.premiums[instrument]
        table = w.brackets[instrument]
        assert table is not None
        cap = _cap(venue, table)
        rate = rules.funding_rate(
            average.mean(), venue.profile.funding.interest_8h_ppb, interval_hours=hours, cap=cap
        )
        average.reset()
        venue.last_funding_ppb[instrument] = rate
        _settle(w, venue, instrument, rate)


def _cap(venue: VenueState, table: BracketTable) -> int:
    """Largest rate of one interval either way, in ppb, by the funding rule of the venue."""
    rule = venue.profile.funding
    if rule.cap_ppb:
        return rule.cap_ppb
    if rule.high_cap_ppb and table.leverage[0] <= rule.high_cap_leverage:
        return rule.high_cap_ppb
    return rules.funding_cap(table.mmr_ppm[0], venue.spec.funding_cap_multiplier_ppm)


def _settle(w: World, venue: VenueState, instrument: int, rate_ppb: int) -> None:
    """Payers first, then receivers, in the order of account ids; at the mark or at the index."""
    on_index = venue.profile.funding.kind == INDEX
    price = w.indexes[instrument] if on_index else w.marks[instrument]
    inst, clearing = w.instruments[instrument], w.clearing[instrument]
    asset, sign = inst.settle, -1 if inst.inverse else 1
    flows = []
    for account_id in sorted(w.holders[instrument]):
        position = w.accounts[account_id].positions[instrument]
        if position.qty:
            value = sign * inst.value_at(position.qty, price)
            flows.append((account_id, rules.funding_flow(value, rate_ppb)))
    paid = 0
    for account_id, flow in flows:
        if flow < 0:
            paid -= flow
            _flow(w, account_id, clearing, asset, flow)
    left = paid
    for account_id, flow in flows:
        if flow > 0:
            received = min(flow, left)
            left -= received
            _flow(w, account_id, clearing, asset, received)
    if left:
        w.ledger.post(asset, clearing, 2, left)
        w.out.append((10, asset, clearing, 2, left, int(PostingKind.DUST)))
    w.out.append((22, instrument, rate_ppb, paid))


def _flow(w: World, account_id: int, clearing: int, asset: int, flow: int) -> None:
    """Post one funding flow of an account (negative: it pays); a payer without cash is lent it."""
    if not flow:
        return
    row = w.ledger.posted[account_id]
    row[asset] += flow
    w.ledger.posted[clearing][asset] -= flow
    source, target = (clearing, account_id) if flow > 0 else (account_id, clearing)
    w.out.append((10, asset, source, target, abs(flow), FUNDING))
    account = w.accounts[account_id]
    if row[asset] < w.ledger.reserved[account_id][asset]:
        cover_shortfall(w, account, asset)
    account.stale = True
    w.dirty[account_id] = True


def interest(venue: VenueState, asset: int, loan: int, rate_time: int) -> int:
    """Interest on a loan, rounded up; ``rate_time`` is ppb per hour times nanoseconds.

    Where the venue punishes loans beyond the limit of their asset, it is the simple interest times
    the cube of the utilisation (``risk.bybit.hourly_interest``).
    """
    limit = venue.spec.max_loans.get(asset, 0)
    if venue.profile.margin.penalty and 0 < limit < loan:
        return -(-loan * rate_time * loan**3 // (PPB * NANOS_PER_HOUR * limit**3))
    return -(-loan * rate_time // (PPB * NANOS_PER_HOUR))


def accrue_interest(w: World, c: tuple[int, ...]) -> None:
    """Add interest for the time since the last accrual to every loan of a venue."""
    venue = known_venue(w, c)
    if venue is None:
        return
    elapsed = w.time_ns - venue.last_interest_ns
    venue.last_interest_ns = w.time_ns
    if elapsed <= 0:
        return
    for account in w.accounts:
        if account.venue != venue.id or not account.loans:
            continue
        for asset in sorted(account.loans):
            loan = account.loans[asset]
            rate = venue.spec.interest_ppb_per_hour.get(asset, 0)
            charge = interest(venue, asset, loan, rate * elapsed)
            if charge:
                account.loans[asset] = loan + charge
                venue.lent[asset] += charge
                w.out.append((11, account.id, asset, loan + charge, charge, INTEREST))
                account.stale = True
                w.dirty[account.id] = True
