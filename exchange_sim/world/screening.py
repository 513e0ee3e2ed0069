"""After each mark update: which accounts crossed a band, and which are to be liquidated.

A vector pass over the venue's mirror names the accounts that may have left their band; each of them
is recomputed exactly in integers before anything happens to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.model.account import PORTFOLIO
from exchange_sim.risk.adl import tie_key
from exchange_sim.risk.unified import margin_band, uni_mmr_ppm
from exchange_sim.world import liquidation
from exchange_sim.world.margin import known_requirements, liquidatable
from exchange_sim.world.venue import limits_of, refresh_mirror

if TYPE_CHECKING:
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World


def screen(w: World, venue: VenueState) -> None:
    """Find accounts at risk by vector, confirm them exactly, and queue the worst first.

    Equal ratios are served in an order that favours no id.
    """
    refresh_mirror(w, venue)
    venue.screened_seq = w.seq
    marks = [w.marks[instrument] for instrument in venue.mirror.instruments]
    found = []
    for account_id in venue.watch.at_risk(venue.asset_prices, w.price_scales, marks):
        account = w.accounts[account_id]
        if account.liquidating:
            continue
        equity, _, maintenance = known_requirements(w, account)
        if account.mode == PORTFOLIO:
            _note_band(w, venue, account_id, equity, maintenance)
        if liquidatable(w, account, equity, maintenance):
            found.append((uni_mmr_ppm(equity, maintenance), account_id, equity, maintenance))
    found.sort(key=lambda row: (row[0], tie_key(row[1], w.seq)))
    for ratio, account_id, equity, maintenance in found:
        liquidation.enqueue(w, venue, account_id, equity, maintenance, ratio)


def _note_band(w: World, venue: VenueState, account_id: int, equity: int, maintenance: int) -> None:
    """Record that a portfolio account moved to another band."""
    account = w.accounts[account_id]
    ratio = uni_mmr_ppm(equity, maintenance)
    band = int(margin_band(ratio, venue.spec.bands))
    if band != account.band:
        account.band = band
        venue.mirror.limit(account_id, limits_of(account, venue.spec.bands))
        w.out.append((30, account_id, band, ratio, equity, maintenance))
