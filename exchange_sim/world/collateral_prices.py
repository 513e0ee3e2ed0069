"""What an asset is worth as collateral, by the collateral price rule of the venue or of the asset.

A spot book's price is the median of its best bid, best ask and last trade (the last trade alone
when a side is empty).  ``own_book`` is that; ``index`` joins the books of all venues that count in
the same numeraire, by the index rule of the venue; ``redemption`` is what one unit is redeemed for,
and ``weighted`` a mixture of both with a floor (``risk.collateral_index``).  The mechanism switch
``own_book_collateral_price`` turned off values whatever is redeemable at its redemption value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from exchange_sim.risk.collateral_index import blended_index
from exchange_sim.risk.marks import MICRO, index_price, median3, weighted_median
from exchange_sim.risk.profile import (
    INDEX,
    OWN_BOOK,
    REDEMPTION,
    WEIGHTED,
    WEIGHTED_MEDIAN,
    CollateralPriceRule,
    IndexRule,
)
from exchange_sim.units import PPM
from exchange_sim.world.vaults import redemption_value

if TYPE_CHECKING:
    from exchange_sim.world.config import AssetSpec
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

AT_REDEMPTION = CollateralPriceRule(kind=REDEMPTION)


@attrs.frozen
class Pricing:
    """How one asset of a venue is priced: the rule, the books, what it is redeemed for."""

    spec: AssetSpec
    rule: CollateralPriceRule
    books: tuple[int, ...]


def plan(w: World, venue: VenueState) -> list[Pricing]:
    """The pricing of every asset but the numeraire that has a book or a redemption value."""
    found = []
    for spec in w.config.assets:
        asset = spec.asset.id
        rule = venue.spec.collateral_prices.get(asset, venue.profile.collateral_price)
        own = venue.spot_of.get(asset)
        books: tuple[int, ...] = () if own is None else (own,)
        if rule.kind in {REDEMPTION, WEIGHTED} and not spec.redemption_ppm:
            rule = CollateralPriceRule(kind=OWN_BOOK)
        if rule.kind == INDEX:
            others = [v for v in w.venues if v.numeraire == venue.numeraire]
            books = tuple(v.spot_of[asset] for v in others if asset in v.spot_of)
        if spec.redemption_ppm and not venue.spec.own_book_collateral:
            rule = AT_REDEMPTION
        if asset != venue.numeraire and (books or rule.kind == REDEMPTION):
            found.append(Pricing(spec, rule, books))
    return found


def spot_price(w: World, instrument: int) -> int:
    """Fair price of a spot book in micro-ticks."""
    book, last = w.engines[instrument].book, w.last_prices[instrument]
    bid, ask = book.best_bid, book.best_ask
    if not bid or not ask:
        return last * MICRO
    return median3(bid, ask, last) * MICRO


def price_assets(w: World, venue: VenueState, emit: bool = True) -> None:
    """Collateral price of every asset, in millionths of a numeraire unit per whole asset."""
    prices = list(venue.asset_prices)
    prices[venue.numeraire] = w.config.assets[venue.numeraire].asset.scale * PPM
    for item in venue.pricing:
        if item.books:
            prices[item.spec.asset.id] = _book_price(w, venue, item)
    for item in venue.pricing:
        if item.rule.kind not in {REDEMPTION, WEIGHTED}:
            continue
        asset, spec = item.spec.asset.id, item.spec
        redeemed = redemption_value(w, asset, prices[spec.redemption_asset])
        if item.rule.kind == WEIGHTED and item.books:
            floor = redeemed * item.rule.floor_ppm // PPM
            redeemed = blended_index(prices[asset], redeemed, item.rule.weight_ppm, floor)
        prices[asset] = redeemed
    for asset, price in enumerate(prices):
        if price != venue.asset_prices[asset]:
            venue.asset_prices[asset] = price
            if emit:
                w.out.append((21, venue.id, asset, price))


def _book_price(w: World, venue: VenueState, item: Pricing) -> int:
    """The own book's price, or the index of several books; the last price when all are stale."""
    scale, found = item.spec.asset.scale, []
    for book in item.books:
        inst = w.instruments[book]
        found.append(spot_price(w, book) * inst.unit_value * scale // inst.lot_units)
    if len(found) == 1:
        return found[0]
    index = combine(w, venue.profile.index, found, [1] * len(found), item.books)
    return index or venue.asset_prices[item.spec.asset.id]


def combine(
    w: World, rule: IndexRule, prices: list[int], weights: list[int], books: tuple[int, ...]
) -> int | None:
    """One price out of several by an index rule; None when no source is fresh.

    A single source is taken as it is: nobody disagrees with it.
    """
    if len(prices) == 1:
        return prices[0] if prices[0] > 0 else None
    stale = rule.stale_ns or w.time_ns + 1
    ages = [w.time_ns - w.touched_ns[book] for book in books]
    if rule.kind == WEIGHTED_MEDIAN:
        fresh = [w if age <= stale else 0 for w, age in zip(weights, ages, strict=True)]
        fresh = [weight if price > 0 else 0 for weight, price in zip(fresh, prices, strict=True)]
        return weighted_median(prices, fresh) if any(fresh) else None
    return index_price(prices, weights, ages, outlier_ppm=rule.outlier_ppm, stale_ns=stale)
