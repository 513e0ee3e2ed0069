"""Prices of a venue: what collateral is worth, and the index and mark of each perpetual.

``update_marks`` is a command like any other.  It samples the books at this instant, so a thin book
moves the mark and the collateral price, and through them the liquidations: nothing here is given
from outside.

Collateral prices are made in ``world.collateral_prices``, index and mark in ``world.mark_rules``;
the premium follows ``risk.funding``.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from exchange_sim.model.enums import BUY, SELL
from exchange_sim.risk import funding as funding_rules
from exchange_sim.risk.marks import MICRO
from exchange_sim.units import NANOS_PER_S, scale_exact
from exchange_sim.world import auto_exchange, lenders, orders, screening, takeover
from exchange_sim.world.collateral_prices import plan, price_assets
from exchange_sim.world.mark_rules import fair_price, sample_index
from exchange_sim.world.venue import known_venue

if TYPE_CHECKING:
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

PREMIUM_PERIOD_S = 5
"""Premium samples are taken every five seconds of the venue's clock."""


def start(w: World) -> None:
    """Prices before the first trade: every book stands at its initial price."""
    w.index_sources, w.mark_sources = [], []
    for spec in w.specs:
        i = spec.instrument.id
        w.index_sources.append([(k, x, *_tick_ratio(w, k, i)) for k, x in spec.index_sources])
        w.mark_sources.append([(k, x, *_tick_ratio(w, k, i)) for k, x in spec.mark_sources])
    for venue in w.venues:
        venue.pricing = plan(w, venue)
        price_assets(w, venue, emit=False)
        venue.reference_prices = list(venue.asset_prices)
    for venue in w.venues:
        for instrument in venue.perps:
            index = sample_index(w, venue, instrument)
            w.indexes[instrument] = index or w.marks[instrument]


def _tick_ratio(w: World, source: int, target: int) -> tuple[int, int]:
    """Ticks of ``source`` in ticks of ``target``, as a fraction."""
    a, b = w.instruments[source].tick_size, w.instruments[target].tick_size
    unit = min(a, b)
    while (a / unit) % 1 or (b / unit) % 1:
        unit /= 10
    up, down = scale_exact(a, unit), scale_exact(b, unit)
    common = gcd(up, down)
    return up // common, down // common


def update_marks(w: World, c: tuple[int, ...]) -> None:
    """Sample prices, fire the triggers that watch them, and screen the accounts.

    Accounts that crossed a band are told, those to be liquidated are queued.  All prices change
    before anything else happens, so that triggers fire against the new margins.
    """
    venue = known_venue(w, c)
    if venue is None:
        return
    price_assets(w, venue)
    profile, now = venue.profile, w.time_ns
    new_index = _due(venue.next_sample_ns, "index", profile.index.period_ns, now)
    new_basis = _due(venue.next_sample_ns, "basis", profile.mark.period_ns, now)
    for instrument in venue.perps:
        _update_perpetual(w, venue, instrument, new_index, new_basis)
    venue.mark_epoch += 1
    for instrument in venue.perps:
        engine = w.engines[instrument]
        engine.set_mark(w.marks[instrument] // MICRO)
        if engine.stops.orders:
            orders.fire_stops(w, engine, w.instruments[instrument])
    takeover.sweep(w, venue)
    if venue.debtors:
        auto_exchange.exchange_debits(w, venue)
    screening.screen(w, venue)
    if w.lenders:
        lenders.screen(w, venue)


def _due(next_ns: dict[str, int], what: str, period_ns: int, now_ns: int) -> bool:
    """Whether something that is sampled every ``period_ns`` is sampled now (0: always)."""
    if now_ns < next_ns.get(what, 0):
        return False
    next_ns[what] = now_ns + period_ns
    return True


def _update_perpetual(
    w: World, venue: VenueState, instrument: int, new_index: bool, new_basis: bool
) -> None:
    """Index, basis, mark and premium of one perpetual."""
    index = w.indexes[instrument]
    if new_index:
        index = w.indexes[instrument] = sample_index(w, venue, instrument) or index
    mark = fair_price(w, venue, instrument, index, new_basis)
    venue.previous_marks[instrument] = w.marks[instrument]
    w.marks[instrument] = mark
    premium = 0
    if w.time_ns // NANOS_PER_S % PREMIUM_PERIOD_S == 0:
        impact_bid = impact_price(w, instrument, BUY)
        impact_ask = impact_price(w, instrument, SELL)
        sample = funding_rules.premium_index(impact_bid, impact_ask, index)
        venue.premiums[instrument].add(sample)
    premium = venue.premiums[instrument].mean() // 1000
    contract, interest = w.last_prices[instrument], w.open_interest[instrument]
    w.out.append((20, instrument, mark, index, contract, premium, interest))


def impact_price(w: World, instrument: int, side: int) -> int:
    """Average price, in micro-ticks, of trading the impact notional into the orders of ``side``.

    0 if they are too thin.
    """
    inst, book = w.instruments[instrument], w.engines[instrument].book
    touch = book.best_bid if side == BUY else book.best_ask
    if not touch:
        return 0
    table = w.brackets[instrument]
    assert table is not None
    notional = w.venues[inst.venue].spec.impact_margin * table.leverage[0]
    qty = max(1, notional // inst.lot_worth(touch))
    filled, total = book.cost(side, qty)
    return total * MICRO // filled if filled == qty else 0
