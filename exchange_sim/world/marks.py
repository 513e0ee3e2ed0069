"""Prices of a venue: what collateral is worth, and the index and mark of each perpetual.

``update_marks`` is a command like any other.  It samples the books at this instant, so a thin book
moves the mark and the collateral price, and through them the liquidations: nothing here is given
from outside.

A spot source's price is the median of its best bid, best ask and last trade (the last trade alone
when a side is empty).  Index, mark and premium follow ``risk.marks`` and ``risk.funding``.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from exchange_sim.model.enums import BUY, SELL
from exchange_sim.risk import funding as funding_rules
from exchange_sim.risk.marks import MICRO, index_price, mark_price, median3, price_1
from exchange_sim.units import NANOS_PER_S, PPM, scale_exact
from exchange_sim.world import lenders, orders, screening, takeover
from exchange_sim.world.venue import known_venue

if TYPE_CHECKING:
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

PREMIUM_PERIOD_S = 5
"""Premium samples are taken every five seconds of the venue's clock."""


def start(w: World) -> None:
    """Prices before the first trade: every book stands at its initial price."""
    w.index_sources = [
        [(i, weight, *_tick_ratio(w, i, spec.instrument.id)) for i, weight in spec.index_sources]
        for spec in w.specs
    ]
    for venue in w.venues:
        price_assets(w, venue, emit=False)
        venue.reference_prices = list(venue.asset_prices)
    for venue in w.venues:
        for instrument in venue.perps:
            index = sample_index(w, instrument)
            w.indexes[instrument] = index or w.marks[instrument]


def spot_price(w: World, instrument: int) -> int:
    """Fair price of a spot book in micro-ticks."""
    book, last = w.engines[instrument].book, w.last_prices[instrument]
    bid, ask = book.best_bid, book.best_ask
    if not bid or not ask:
        return last * MICRO
    return median3(bid, ask, last) * MICRO


def price_assets(w: World, venue: VenueState, emit: bool = True) -> None:
    """Collateral price of every asset that the venue trades against its numeraire."""
    numeraire_scale = w.config.assets[venue.numeraire].asset.scale
    prices = list(venue.asset_prices)
    for spec in w.config.assets:
        asset = spec.asset.id
        instrument = venue.spot_of.get(asset)
        if asset == venue.numeraire:
            prices[asset] = numeraire_scale * PPM
        elif instrument is not None:
            inst = w.instruments[instrument]
            whole = spot_price(w, instrument) * inst.unit_value * spec.asset.scale
            prices[asset] = whole // inst.lot_units
    if not venue.spec.own_book_collateral:
        for spec in w.config.assets:
            if spec.redemption_ppm:
                redeemed = prices[spec.redemption_asset] * spec.redemption_ppm // PPM
                prices[spec.asset.id] = redeemed
    for asset, price in enumerate(prices):
        if price != venue.asset_prices[asset]:
            venue.asset_prices[asset] = price
            if emit:
                w.out.append((21, venue.id, asset, price))


def sample_index(w: World, instrument: int) -> int | None:
    """Index of a perpetual in micro-ticks from its spot sources; None when none has a price."""
    prices, weights = [], []
    for source, weight, up, down in w.index_sources[instrument]:
        prices.append(spot_price(w, source) * up // down)
        weights.append(weight)
    return index_price(prices, weights)


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
    for instrument in venue.perps:
        _update_perpetual(w, venue, instrument)
    venue.mark_epoch += 1
    for instrument in venue.perps:
        engine = w.engines[instrument]
        engine.set_mark(w.marks[instrument] // MICRO)
        if engine.stops.orders:
            orders.fire_stops(w, engine, w.instruments[instrument])
    takeover.sweep(w, venue)
    screening.screen(w, venue)
    if w.lenders:
        lenders.screen(w, venue)


def _update_perpetual(w: World, venue: VenueState, instrument: int) -> None:
    """Index, basis, mark and premium of one perpetual."""
    book, last = w.engines[instrument].book, w.last_prices[instrument] * MICRO
    index = sample_index(w, instrument) or w.indexes[instrument]
    w.indexes[instrument] = index
    bid, ask = book.best_bid, book.best_ask
    basis = venue.basis[instrument]
    if bid and ask:
        basis.add((bid + ask) * MICRO // 2 - index)
    interval = venue.spec.funding_interval_ns
    to_funding = interval - w.time_ns % interval
    first = price_1(index, venue.last_funding_ppb[instrument], to_funding, interval)
    mark = max(1, mark_price(first, index + basis.mean(), last))
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
    qty = max(1, notional // (touch * inst.unit_value))
    filled, total = book.cost(side, qty)
    return total * MICRO // filled if filled == qty else 0
