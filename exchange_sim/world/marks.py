"""Prices of a venue: what collateral is worth, the index and mark of each perpetual, and the
screening.

``update_marks`` is a command like any other.  It samples the books at this instant, so a thin book
moves the mark and the collateral price, and through them the liquidations: nothing here is given
from outside.

A spot source's price is the median of its best bid, best ask and last trade (the last trade alone
when a side is empty).  Index, mark and premium follow ``risk.marks`` and ``risk.funding``.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from exchange_sim.model.account import CASH, PORTFOLIO
from exchange_sim.model.enums import BUY, SELL
from exchange_sim.risk import funding as funding_rules
from exchange_sim.risk.marks import MICRO, index_price, mark_price, median3, price_1
from exchange_sim.risk.mirror import below
from exchange_sim.risk.unified import margin_band, uni_mmr_ppm
from exchange_sim.units import NANOS_PER_S, PPM, scale_exact
from exchange_sim.world import liquidation, orders
from exchange_sim.world.margin import liquidatable, requirements

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
    prices = venue.asset_prices
    numeraire_scale = w.config.assets[venue.numeraire].asset.scale
    for spec in w.config.assets:
        asset = spec.asset.id
        if asset == venue.numeraire:
            price = numeraire_scale * PPM
        else:
            instrument = venue.spot_of.get(asset)
            if instrument is None:
                continue
            inst = w.instruments[instrument]
            price = spot_price(w, instrument) * inst.unit_value * spec.asset.scale // inst.lot_units
        _set_price(w, venue, asset, price, emit)
    if not venue.spec.own_book_collateral:
        for spec in w.config.assets:
            if spec.redemption_ppm:
                price = prices[spec.redemption_asset] * spec.redemption_ppm // PPM
                _set_price(w, venue, spec.asset.id, price, emit)


def _set_price(w: World, venue: VenueState, asset: int, price: int, emit: bool) -> None:
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
    """Sample prices, then look for accounts that crossed a band and queue those to be
    liquidated.
    """
    venue = w.venues[c[2]]
    price_assets(w, venue)
    for instrument in venue.perps:
        _update_perpetual(w, venue, instrument)
    venue.mark_epoch += 1
    liquidation.sweep_takeover(w, venue)
    screen(w, venue)


def _update_perpetual(w: World, venue: VenueState, instrument: int) -> None:
    """Index, basis, mark and premium of one perpetual; triggers that watch the mark fire."""
    engine = w.engines[instrument]
    book, last = engine.book, w.last_prices[instrument] * MICRO
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
    w.marks[instrument] = mark
    premium = 0
    if w.time_ns // NANOS_PER_S % PREMIUM_PERIOD_S == 0:
        impact_bid = impact_price(w, instrument, BUY)
        impact_ask = impact_price(w, instrument, SELL)
        sample = funding_rules.premium_index(impact_bid, impact_ask, index)
        venue.premiums[instrument].add(sample)
    premium = venue.premiums[instrument].mean() // 1000
    w.out.append(
        (
            20,
            instrument,
            mark,
            index,
            w.last_prices[instrument],
            premium,
            w.open_interest[instrument],
        )
    )
    engine.set_mark(mark // MICRO)
    if engine.stops.orders:
        orders.fire_stops(w, engine, w.instruments[instrument])


def impact_price(w: World, instrument: int, side: int) -> int:
    """Average price, in micro-ticks, of trading the impact notional into one side; 0 if it is too
    thin.
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


def screen(w: World, venue: VenueState) -> None:
    """Find accounts at risk by vector, confirm them exactly, and queue the worst first."""
    mirror = venue.mirror
    for account_id in w.dirty:
        account = w.accounts[account_id]
        if account.venue == venue.id and account.mode != CASH and account.owner >= 0:
            net = list(w.ledger.posted[account_id])
            for asset, loan in account.loans.items():
                net[asset] -= loan
            mirror.refresh(account_id, net, account.loans, account.positions)
    w.dirty = {a: True for a in w.dirty if w.accounts[a].venue != venue.id}
    if not mirror.accounts:
        return
    scales = [spec.asset.scale * PPM for spec in w.config.assets]
    prices = np.array([p / s for p, s in zip(venue.asset_prices, scales, strict=True)])
    marks = np.array([w.marks[i] / MICRO for i in mirror.instruments])
    screening = mirror.screen(prices, marks)
    reminder = venue.spec.bands[0] / PPM
    found = []
    for k in below(screening, reminder if venue.has_portfolio else 1.0).tolist():
        account = w.accounts[mirror.accounts[k]]
        if account.liquidating:
            continue
        if (
            account.mode != PORTFOLIO
            and screening.equity[k] > 1.001 * screening.maintenance[k] + 1e6
        ):
            continue
        equity, _, maintenance = requirements(w, account)
        if account.mode == PORTFOLIO:
            _note_band(w, venue, account.id, equity, maintenance)
        if liquidatable(w, account, equity, maintenance):
            found.append((uni_mmr_ppm(equity, maintenance), account.id, equity, maintenance))
    for account_id in venue.banded:
        _leave_band(w, venue, account_id)
    for ratio, account_id, equity, maintenance in sorted(found):
        liquidation.enqueue(w, venue, account_id, equity, maintenance, ratio)


def _note_band(w: World, venue: VenueState, account_id: int, equity: int, maintenance: int) -> None:
    """Record that a portfolio account moved to another band."""
    account = w.accounts[account_id]
    ratio = uni_mmr_ppm(equity, maintenance)
    band = int(margin_band(ratio, venue.spec.bands))
    venue.seen_epoch[account_id] = venue.mark_epoch
    if band != account.band:
        account.band = band
        w.out.append((30, account_id, band, ratio, equity, maintenance))
        if band:
            venue.banded[account_id] = True


def _leave_band(w: World, venue: VenueState, account_id: int) -> None:
    """Accounts that the screening no longer names are free again."""
    if venue.seen_epoch.get(account_id) != venue.mark_epoch:
        account = w.accounts[account_id]
        if account.band and not account.liquidating:
            equity, _, maintenance = requirements(w, account)
            _note_band(w, venue, account_id, equity, maintenance)
