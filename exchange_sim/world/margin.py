"""Margin of one account, exactly: collateral with haircuts, positions at mark, loans.

    equity      = SUM over assets of min(c(v), v)   with v = (wallet + unrealized PnL - loan) *
    price maintenance = SUM of bracket maintenance of positions + loan value * loan_mmr
    initial     = SUM of position notional / leverage     + loan value * loan_imr
    uniMMR      = equity / maintenance

Source: rule book of the portfolio-margin venue (docs/concepts/margin.md).  All values are units of
the venue's numeraire, rounded against the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from exchange_sim.messages.reasons import MarginBand
from exchange_sim.model.account import CASH, Account, Position
from exchange_sim.risk.unified import margin_band, uni_mmr_ppm
from exchange_sim.units import PPM

if TYPE_CHECKING:
    from exchange_sim.world.world import World

PRICE_SCALE = 1_000_000
"""Asset prices are millionths of a numeraire unit, marks millionths of a tick."""


@attrs.frozen
class MarginState:
    """Margin of an account in numeraire units.  ``available`` is what new orders may still use."""

    equity: int
    initial: int
    maintenance: int
    uni_mmr_ppm: int
    band: MarginBand
    available: int


def position_value(w: World, instrument: int, position: Position) -> int:
    """Signed value of a position at mark in quote units, rounded down."""
    value = position.qty * w.marks[instrument] * w.instruments[instrument].unit_value
    return value // PRICE_SCALE


def asset_value(w: World, venue: int, asset: int, amount: int) -> int:
    """Value of ``amount`` units at the venue's collateral price, rounded down; negative stays
    negative.
    """
    price = w.venues[venue].asset_prices[asset]
    return amount * price // (w.config.assets[asset].asset.scale * PRICE_SCALE)


def requirements(w: World, account: Account) -> tuple[int, int, int]:
    """Equity, initial and maintenance margin in numeraire units, exactly.  O(assets +
    positions).
    """
    venue = w.venues[account.venue]
    spec = venue.spec
    net = list(w.ledger.posted[account.id])
    initial = maintenance = 0
    for instrument, position in account.positions.items():
        inst = w.instruments[instrument]
        value = position.qty * w.marks[instrument] * inst.unit_value // PRICE_SCALE
        net[inst.quote] += value - position.entry_notional
        table = w.brackets[instrument]
        assert table is not None
        notional = value if value >= 0 else -value
        in_quote = table.maintenance(notional)
        leverage = position.leverage or w.specs[instrument].default_leverage
        im_quote = table.initial(notional, leverage)
        if inst.quote != venue.numeraire:
            in_quote = -asset_value(w, venue.id, inst.quote, -in_quote)
            im_quote = -asset_value(w, venue.id, inst.quote, -im_quote)
        maintenance += in_quote
        initial += im_quote
    for asset, loan in account.loans.items():
        net[asset] -= loan
        owed = -asset_value(w, venue.id, asset, -loan)
        maintenance -= -owed * spec.loan_mmr_ppm // PPM
        initial -= -owed * spec.loan_imr_ppm // PPM
    equity = 0
    for asset, amount in enumerate(net):
        if amount:
            value = asset_value(w, venue.id, asset, amount)
            table_c = spec.collateral.get(asset)
            if value < 0:
                equity += value
            elif table_c is not None:
                equity += table_c.value(value)
    return equity, initial, maintenance


def margin_state(w: World, account: Account) -> MarginState:
    """The full margin state, with uniMMR and band."""
    equity, initial, maintenance = requirements(w, account)
    ratio = uni_mmr_ppm(equity, maintenance)
    band = margin_band(ratio, w.venues[account.venue].spec.bands)
    available = equity - initial - account.order_margin
    return MarginState(equity, initial, maintenance, ratio, band, available)


def liquidatable(w: World, account: Account, equity: int, maintenance: int) -> bool:
    """Whether the venue liquidates: uniMMR in the liquidation band, or equity under maintenance."""
    if maintenance <= 0 and equity >= 0:
        return False
    if account.mode == CASH:
        return False
    edge = w.venues[account.venue].spec.bands[2] if account.mode == 1 else PPM
    if account.mode == 1:
        return equity * PPM <= maintenance * edge
    return equity < maintenance


def available_margin(w: World, account: Account) -> int:
    """What new orders may use, exact at the current marks; cached until marks or holdings
    change.
    """
    venue = w.venues[account.venue]
    if account.stale or account.band_epoch != venue.mark_epoch:
        equity, initial, _ = requirements(w, account)
        account.available = equity - initial
        account.stale = False
        account.band_epoch = venue.mark_epoch
    return account.available - account.order_margin
