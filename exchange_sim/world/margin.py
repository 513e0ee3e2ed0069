"""Margin of one account, exactly: collateral with haircuts, positions at mark, loans.

    equity      = SUM over assets of min(c(v), v), v = (wallet + unrealized PnL - loan) * price
    maintenance = SUM of bracket maintenance of positions + loan value * loan_mmr
    initial     = SUM of position notional / leverage     + loan value * loan_imr
    uniMMR      = equity / maintenance

Source: rule book of the portfolio-margin venue (docs/concepts/margin.md).  All values are units of
the venue's numeraire, rounded against the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from exchange_sim.limits import INT64_MAX
from exchange_sim.messages.reasons import MarginBand
from exchange_sim.model.account import CASH, PORTFOLIO, Account, Position, SpotMargin
from exchange_sim.risk.unified import margin_band, uni_mmr_ppm
from exchange_sim.units import PPM

if TYPE_CHECKING:
    from exchange_sim.model.instrument import Instrument
    from exchange_sim.risk.brackets import BracketTable
    from exchange_sim.world.config import InstrumentSpec, WorldConfig
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

PRICE_SCALE = 1_000_000
"""Asset prices are millionths of a numeraire unit, marks millionths of a tick."""
BOUND_ROUNDING = 4
"""Units by which rounding may lower the available margin in one fill."""


@attrs.frozen
class MarginState:
    """Margin of an account in numeraire units.  ``available`` is what new orders may still use."""

    equity: int
    initial: int
    maintenance: int
    uni_mmr_ppm: int
    band: MarginBand
    available: int


def default_leverage(spec: InstrumentSpec) -> int:
    """The leverage of an account that chose none, at most what the brackets allow; 1 for spot."""
    return min(spec.default_leverage, spec.brackets.leverage[0]) if spec.brackets else 1


def margin_table(config: WorldConfig, spec: InstrumentSpec) -> BracketTable | None:
    """The brackets that margin is reckoned with: those of the instrument, with the fee of closing
    where the margin rule of the venue adds it; None for spot markets.

    Source: https://www.okx.com/help-center/360054690531 (margin level).  Raises ``ValueError`` when
    the fee takes a bracket's maintenance above its initial margin.
    """
    venue = config.venues[spec.instrument.venue]
    if spec.brackets is None or not venue.profile.margin.closing_fee:
        return spec.brackets
    return attrs.evolve(spec.brackets, closing_fee_ppm=max(0, venue.fee_tiers[0].taker_ppm))


def full_notionals(spec: InstrumentSpec) -> list[int]:
    """By chosen leverage (0: the default), the notional up to which that leverage is allowed.

    Up to there the initial margin is the notional divided by the leverage, which spares the hot
    path two look-ups in the brackets (0.9 us an order).
    """
    table = spec.brackets
    if table is None:
        return []
    known = [0] * (table.leverage[0] + 1)
    for leverage in range(1, len(known)):
        bound = table.max_notional(leverage)
        last = table.floors[-1] or (INT64_MAX if table.leverage[-1] > 1 else 0)
        known[leverage] = last if bound is None else min(bound, last)
    known[0] = known[default_leverage(spec)]
    return known


def position_value(w: World, instrument: int, position: Position) -> int:
    """Signed value of a position at mark in units of its settlement asset, rounded down."""
    return w.instruments[instrument].value_at(position.qty, w.marks[instrument])


def position_worth(w: World, instrument: int, qty: int) -> int:
    """Numeraire value of so many lots of a perpetual at mark, rounded down."""
    inst = w.instruments[instrument]
    if inst.inverse:
        return abs(qty) * inst.contract_units
    return abs(inst.value_at(qty, w.marks[instrument]))


def asset_value(w: World, venue: int, asset: int, amount: int) -> int:
    """Value of ``amount`` units at the venue's collateral price, rounded down."""
    return amount * w.venues[venue].asset_prices[asset] // w.price_scales[asset]


def holdings(w: World, account: Account) -> list[int]:
    """Net amount of every asset: wallet, less loans, plus unrealized PnL in its quote asset."""
    net = list(w.ledger.posted[account.id])
    for instrument, position in account.positions.items():
        if position.qty:
            value = position_value(w, instrument, position)
            net[w.instruments[instrument].settle] += value - position.entry_notional
    for asset, loan in account.loans.items():
        net[asset] -= loan
    return net


def requirements(w: World, account: Account) -> tuple[int, int, int]:
    """Equity, initial and maintenance margin in numeraire units, exactly.

    O(assets + positions).
    """
    venue = w.venues[account.venue]
    spec, prices = venue.spec, venue.asset_prices
    net = list(w.ledger.posted[account.id])
    initial = maintenance = 0
    special = account.modes is not None
    for instrument, position in account.positions.items():
        qty = position.qty
        inst = w.instruments[instrument]
        unit_value = inst.unit_value
        if not unit_value or (special and position.legs is not None):
            parts = _part_margins(w, inst, position)
            initial, maintenance = initial + parts[0], maintenance + parts[1]
            value = inst.value_at(qty, w.marks[instrument])
            net[inst.settle] += value - position.entry_notional
            continue
        if not qty:
            continue
        value = qty * w.marks[instrument] * unit_value // PRICE_SCALE
        net[inst.quote] += value - position.entry_notional
        table = w.brackets[instrument]
        assert table is not None
        least, first = table.margins(abs(value), position.leverage or w.leverages[instrument])
        maintenance += least
        initial += first
    if special and account.modes is not None and account.modes.margin is not None:
        return _spot_requirements(w, account, account.modes.margin)
    for asset, loan in account.loans.items():
        net[asset] -= loan
        owed = -asset_value(w, venue.id, asset, -loan)
        maintenance -= -owed * spec.loan_mmr_ppm // PPM
        initial -= -owed * spec.loan_imr_ppm // PPM
    equity = 0
    scales, collateral = w.price_scales, spec.collateral
    for asset, amount in enumerate(net):
        if amount:
            value = amount * prices[asset] // scales[asset]
            if value < 0:
                equity += value
            elif asset in collateral:
                counted = collateral[asset]
                if value <= counted.until:
                    equity += value * counted.first_ppm // PPM
                else:
                    equity += counted.value(value)
    return equity, initial, maintenance


def _spot_requirements(w: World, account: Account, margin: SpotMargin) -> tuple[int, int, int]:
    """``requirements`` of a spot margin account: loans, and assets with or without haircuts.

    Where a coin has brackets of its own, what a Pro account owes of it is charged by them.
    """
    venue, equity, owed, initial, maintenance = w.venues[account.venue], 0, 0, 0, 0
    for asset, amount in enumerate(w.ledger.posted[account.id]):
        loan = account.loans.get(asset, 0)
        if not amount and not loan:
            continue
        value = asset_value(w, venue.id, asset, amount - loan)
        table = venue.spec.collateral.get(asset)
        if margin.haircuts and value > 0:
            value = table.value(value) if table is not None else 0
        equity += value
        debt = -asset_value(w, venue.id, asset, -loan)
        brackets = venue.spec.liabilities.get(asset) if margin.haircuts else None
        if brackets is None:
            owed += debt
        else:
            initial += brackets.initial(debt)
            maintenance += brackets.maintenance(debt)
    initial -= -owed * (margin.loan_imr_ppm or venue.spec.loan_imr_ppm) // PPM
    maintenance -= -owed * (margin.loan_mmr_ppm or venue.spec.loan_mmr_ppm) // PPM
    return equity, initial, maintenance


def debt_margin(
    venue: VenueState, margin: SpotMargin | None, asset: int, owed: int, more: int
) -> int:
    """Initial margin that a debt worth ``owed`` needs in addition when it grows by ``more``."""
    brackets = venue.spec.liabilities.get(asset) if margin and margin.haircuts else None
    if brackets is not None:
        return brackets.initial(owed + more) - brackets.initial(owed)
    rate = margin.loan_imr_ppm if margin else 0
    return -(-more * (rate or venue.spec.loan_imr_ppm) // PPM)


def _part_margins(w: World, inst: Instrument, position: Position) -> tuple[int, int]:
    """Initial and maintenance margin of an inverse position or of two legs, each by itself."""
    table, initial, maintenance = w.brackets[inst.id], 0, 0
    assert table is not None
    for part in position.parts:
        notional = abs(inst.value_at(part.qty, w.marks[inst.id]))
        leverage = part.leverage or w.leverages[inst.id]
        for_part = table.initial(notional, leverage), table.maintenance(notional)
        if inst.inverse:
            coin = inst.venue, inst.settle
            initial -= asset_value(w, *coin, -for_part[0])
            maintenance -= asset_value(w, *coin, -for_part[1])
        else:
            initial, maintenance = initial + for_part[0], maintenance + for_part[1]
    return initial, maintenance


def net_worth(w: World, account: Account) -> int:
    """What an account would be worth if everything were sold at its price: no haircuts."""
    return sum(
        asset_value(w, account.venue, asset, amount)
        for asset, amount in enumerate(holdings(w, account))
        if amount
    )


def collateral_change(
    w: World, account: Account, asset: int, change: int, other: int = -1, other_change: int = 0
) -> int:
    """By how much equity changes when holdings of one or two assets do, rounded down.

    The numeraire usually counts in full; then its change is the change of equity, whatever the
    account holds (6 us instead of 25 us for a maker with 14 positions).
    """
    venue = w.venues[account.venue]
    margin = account.modes.margin if account.modes is not None else None
    total = 0
    for kind, delta in ((asset, change), (other, other_change)):
        if kind < 0:
            continue
        table = venue.spec.collateral.get(kind)
        if kind == venue.numeraire and table is not None and table.flat == PPM:
            total += delta
            continue
        before = _holding(w, account, kind)
        for sign, amount in ((1, before + delta), (-1, before)):
            value = asset_value(w, venue.id, kind, amount)
            if value < 0 or (margin is not None and not margin.haircuts):
                total += sign * value
            elif table is not None:
                total += sign * table.value(value)
    return total


def _holding(w: World, account: Account, asset: int) -> int:
    """Net amount of one asset, as in ``holdings``; only those that perpetuals settle in have
    unrealized PnL.
    """
    venue = w.venues[account.venue]
    if asset == venue.numeraire or asset in venue.coins:
        return holdings(w, account)[asset]
    return w.ledger.posted[account.id][asset] - account.loans.get(asset, 0)


def exposed(account: Account) -> bool:
    """Whether an account owes anything or could: positions, loans or orders that hold margin."""
    if account.loans or account.order_margin:
        return True
    return any(position.qty or position.legs for position in account.positions.values())


def margin_state(w: World, account: Account) -> MarginState:
    """The full margin state, with uniMMR and band."""
    equity, initial, maintenance = known_requirements(w, account)
    ratio = uni_mmr_ppm(equity, maintenance)
    band = margin_band(ratio, w.venues[account.venue].spec.bands)
    available = equity - initial - account.order_margin
    return MarginState(equity, initial, maintenance, ratio, band, available)


def liquidatable(w: World, account: Account, equity: int, maintenance: int) -> bool:
    """Whether the venue liquidates.

    A unified account at a uniMMR in the liquidation band, a cross-margin account with equity under
    its maintenance margin, a cash account never.
    """
    if account.mode == CASH or (maintenance <= 0 and equity >= 0):
        return False
    if account.mode == PORTFOLIO:
        return equity * PPM <= maintenance * w.venues[account.venue].spec.bands[2]
    return equity < maintenance


def known_requirements(w: World, account: Account) -> tuple[int, int, int]:
    """``requirements``, worked out once for all who ask at the same marks and holdings.

    After a mark update the screening, the owner's margin report and the next order ask one after
    the other (2 % of a run).
    """
    epoch = w.venues[account.venue].mark_epoch
    if account.stale or account.loose or account.band_epoch != epoch:
        account.requirements = requirements(w, account)
        account.available = account.requirements[0] - account.requirements[1]
        account.stale = account.loose = False
        account.band_epoch = epoch
    return account.requirements


def available_margin(w: World, account: Account) -> int:
    """What new orders may use, exact at the current marks."""
    known_requirements(w, account)
    return account.available - account.order_margin


def affordable(w: World, account: Account, need: int, exactly: bool = True) -> bool:
    """Whether ``need`` fits into the available margin: exact, without always computing it.

    After fills ``account.available`` is a lower bound (``loose``).  Only a need that does not fit
    into the bound makes the exact figure necessary; without ``exactly`` False then means unknown.
    """
    if not account.stale and account.band_epoch == w.venues[account.venue].mark_epoch:
        if need <= account.available - account.order_margin:
            return True
        if not (account.loose and exactly):
            return False
    return need <= available_margin(w, account)


def loosen(
    w: World, inst: Instrument, account: Account, change: int, notional: int, fee: int
) -> None:
    """Keep a lower bound of the available margin after a fill of ``change`` signed lots.

    A loss against the mark and the fee lower equity at most in full, a profit is not counted, and
    the position needs at most the margin of its growth.  Saves most of the exact computations that
    a maker's next order would need after each of its fills (8 us each, 0.6 us this).
    """
    if account.stale:
        return
    position, i = account.positions.get(inst.id), inst.id
    mark = w.marks[i] * inst.unit_value
    if not mark or (account.modes is not None and account.modes.hedge):
        account.stale = True
        return
    gain = change * mark // PRICE_SCALE - (notional if change > 0 else -notional) - fee
    bound = account.available - BOUND_ROUNDING
    if gain < 0:
        bound += gain
    if position is not None:
        growth = abs(position.qty) - abs(position.qty - change)
        if growth > 0:
            chosen = position.leverage
            if abs(position.qty) * mark // PRICE_SCALE >= w.full_notional[i][chosen]:
                account.stale = True
                return
            bound -= growth * mark // PRICE_SCALE // (chosen or w.leverages[i])
    account.available = bound
    account.loose = True
