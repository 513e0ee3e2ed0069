"""Auto-deleveraging: profitable opposite positions are closed against one that nobody takes.

Used when the trigger of the venue's profile says so (``world.triggers``).  Candidates are ranked as
the profile ranks them (``risk.adl``), their orders in the instrument are cancelled, and both sides
are settled at one price without fees: at the bankruptcy price the deficit of the bankrupt account
is paid out of the winners' profit, at a mark it is not (``world.takeover``).  ADL takes profit
only: who would lose at that price is passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import CancelReason, PostingKind
from exchange_sim.model.account import Account
from exchange_sim.risk import adl as rules
from exchange_sim.risk.profile import GAIN_LEVERAGE, LEVERAGED_PNL
from exchange_sim.units import PPM
from exchange_sim.world import orders
from exchange_sim.world.auto_loans import cover_shortfall
from exchange_sim.world.margin import holdings
from exchange_sim.world.positions import change_position
from exchange_sim.world.venue import refresh_mirror

if TYPE_CHECKING:
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

CANDIDATES_MIN, CANDIDATES_TIED_MAX = 4, 32
"""Exactly ranked at least, and more while the exact ranks are equal: enough that the order of the
first is not decided by floats (ranking 32 each time was 5 % of a crash).
"""


def deleverage(
    w: World, venue: VenueState, bankrupt: Account, instrument: int, qty: int, price_micro: int
) -> int:
    """Close up to ``qty`` lots of ``bankrupt``'s position at ``price_micro``; returns the lots
    closed.

    The allocation rule of the venue decides the shares (production queue by default).  Fewer lots
    are closed only when there are not enough profitable opposite positions.
    """
    position = bankrupt.positions[instrument]
    sign = -1 if position.qty > 0 else 1
    refresh_mirror(w, venue)
    candidates = _candidates(w, venue, bankrupt, instrument, sign, qty, price_micro)
    rule = rules.ADL_RULES[venue.spec.adl_rule]
    ranks = {c.account: c.rank for c in candidates}
    closed = 0
    for account_id, share in rule(candidates, qty, w.seq):
        victim = w.accounts[account_id]
        for order in list(victim.orders.values()):
            if order.instrument == instrument:
                orders.cancel(w, order, int(CancelReason.ADL))
        _close_against(w, bankrupt, victim, instrument, share, price_micro, ranks[account_id])
        closed += share
    return closed


def _candidates(
    w: World,
    venue: VenueState,
    bankrupt: Account,
    instrument: int,
    sign: int,
    qty: int,
    price_micro: int,
) -> list[rules.AdlCandidate]:
    """Holders of the other side that profit at the mark and at the price of the ADL, ranked.

    The production queue never looks further than the quantity it needs, so only the top of the
    float order is ranked exactly (with half as much again in reserve); the other rules see
    everybody.
    """
    inst, mark = w.instruments[instrument], w.marks[instrument]
    accounts = w.accounts
    found: list[rules.AdlCandidate] = []
    covered, enough = 0, False
    short_list = venue.spec.adl_rule == "production_queue"
    for account_id in _float_order(w, venue, instrument, sign):
        account = accounts[account_id]
        position = account.positions.get(instrument)
        if position is not None and position.legs is not None:
            position = position.legs[0 if sign > 0 else 1]
        if position is None or position.qty * sign <= 0 or account.liquidating:
            continue
        if account_id == bankrupt.id:
            continue
        value = inst.value_at(position.qty, mark)
        profit = value - position.entry_notional
        at_price = inst.value_at(position.qty, price_micro)
        if profit <= 0 or at_price < position.entry_notional:
            continue
        rank, equity = _rank(w, venue, account, instrument, sign, value, profit)
        if enough and (rank < found[-1].rank or len(found) >= CANDIDATES_TIED_MAX):
            break
        held = abs(position.qty)
        found.append(rules.AdlCandidate(account_id, held, rank, max(0, equity), profit))
        covered += held
        enough = short_list and covered > qty + qty // 2 and len(found) >= CANDIDATES_MIN
    return found


def _float_order(w: World, venue: VenueState, instrument: int, sign: int) -> list[int]:
    """Accounts with profit on one side, highest first by the rank of the profile in floats."""
    kind, mirror = venue.profile.adl_rank.kind, venue.mirror
    if instrument not in mirror.slot:
        return _exact_order(w, venue, instrument, sign)
    if kind == LEVERAGED_PNL:
        quote = w.instruments[instrument].quote
        one = w.config.assets[quote].asset.scale
        return mirror.adl_order(instrument, sign, w.marks[instrument] / PPM, one)
    marks = [w.marks[i] / PPM for i in mirror.instruments]
    return mirror.adl_order_by_leverage(instrument, sign, marks, kind == GAIN_LEVERAGE)


def _exact_order(w: World, venue: VenueState, instrument: int, sign: int) -> list[int]:
    """As ``_float_order`` for contracts that the mirror does not hold.  O(holders)."""
    inst, found = w.instruments[instrument], []
    for account_id in w.holders[instrument]:
        account = w.accounts[account_id]
        position = account.positions[instrument]
        value = inst.value_at(position.qty, w.marks[instrument])
        profit = value - position.entry_notional
        if position.qty * sign > 0 and profit > 0:
            rank, _ = _rank(w, venue, account, instrument, sign, value, profit)
            found.append((-rank, account_id))
    return [account_id for _, account_id in sorted(found)]


def _rank(
    w: World,
    venue: VenueState,
    account: Account,
    instrument: int,
    sign: int,
    value: int,
    profit: int,
) -> tuple[int, int]:
    """Exact rank of a position in profit, and the equity that stands behind it in quote units."""
    quote = w.instruments[instrument].settle
    if venue.profile.adl_rank.kind == LEVERAGED_PNL:
        table = w.brackets[instrument]
        assert table is not None
        wallet = w.ledger.posted[account.id][quote] - account.loans.get(quote, 0)
        one = w.config.assets[quote].asset.scale
        rank = rules.adl_rank(profit, wallet, table.maintenance(abs(value)), one)
        return rank, wallet + profit
    equity, entry = holdings(w, account)[quote], abs(value - profit)
    if venue.profile.adl_rank.kind == GAIN_LEVERAGE:
        return rules.gain_rank(sign, entry, abs(value), equity), equity
    return rules.account_leverage_rank(profit, entry, abs(value), equity), equity


def _close_against(
    w: World, bankrupt: Account, victim: Account, instrument: int, qty: int, price: int, rank: int
) -> None:
    """Settle one ADL match between two accounts."""
    inst = w.instruments[instrument]
    notional = inst.entry_at(qty, price)
    change = -qty if bankrupt.positions[instrument].qty > 0 else qty
    bankrupt_pnl = change_position(w, inst, bankrupt, change, notional)
    victim_pnl = change_position(w, inst, victim, -change, notional)
    w.out.append(
        (35, instrument, price, qty, bankrupt.id, victim.id, victim_pnl, bankrupt_pnl, rank)
    )
    post_pnl(w, victim, instrument, victim_pnl, PostingKind.ADL)
    post_pnl(w, bankrupt, instrument, bankrupt_pnl, PostingKind.ADL)


def post_pnl(w: World, account: Account, instrument: int, pnl: int, kind: PostingKind) -> None:
    """Move realized PnL outside of a trade, as a posting of its own; losses may need a loan."""
    inst = w.instruments[instrument]
    asset, clearing = inst.settle, w.clearing[instrument]
    row = w.ledger.posted[account.id]
    row[asset] += pnl
    w.ledger.posted[clearing][asset] -= pnl
    if pnl >= 0:
        w.out.append((10, asset, clearing, account.id, pnl, int(kind)))
    else:
        w.out.append((10, asset, account.id, clearing, -pnl, int(kind)))
    if row[asset] < w.ledger.reserved[account.id][asset]:
        cover_shortfall(w, account, asset)
    account.stale = True
    w.dirty[account.id] = True
    if account.parent >= 0:
        w.unsettled[account.id] = None
