"""Index and mark of one perpetual by the rules of its venue.

A mark favours nobody: averages round to the nearest.  See ``risk.profile.MarkRule`` for the kinds
and ``risk.marks`` and ``risk.hyperliquid`` for the formulas and their sources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.risk.ema import MovingAverage
from exchange_sim.risk.marks import (
    MICRO,
    BasisWindow,
    mark_price,
    median,
    median3,
    price_1,
    weighted_median,
)
from exchange_sim.risk.profile import INDEX_AND_BASIS, ORACLE_MEDIAN
from exchange_sim.world.collateral_prices import combine, spot_price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World


class OracleState:
    """Moving averages behind an oracle mark: basis of the mid, and the own book."""

    __slots__ = ("basis", "book")

    def __init__(self, basis_tau_ns: int, book_tau_ns: int, start_ns: int) -> None:
        self.basis = MovingAverage(basis_tau_ns, start_ns)
        self.book = MovingAverage(book_tau_ns, start_ns)

    def state(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """What a state digest needs."""
        return self.basis.state(), self.book.state()


def sample_index(w: World, venue: VenueState, instrument: int) -> int | None:
    """Index of a perpetual in micro-ticks from its spot sources; None when none is fresh."""
    prices, weights, books = [], [], []
    for source, weight, up, down in w.index_sources[instrument]:
        prices.append(spot_price(w, source) * up // down)
        weights.append(weight)
        books.append(source)
    if not prices:
        return None
    return combine(w, venue.profile.index, prices, weights, tuple(books))


def fair_price(w: World, venue: VenueState, instrument: int, index: int, sample_basis: bool) -> int:
    """The mark in micro-ticks, after taking this update's sample of the basis if it is due."""
    book, last = w.engines[instrument].book, w.last_prices[instrument] * MICRO
    bid, ask, rule = book.best_bid, book.best_ask, venue.profile.mark
    if rule.kind == ORACLE_MEDIAN:
        return max(1, _oracle(w, venue.oracles[instrument], instrument, index))
    basis: BasisWindow = venue.basis[instrument]
    if bid and ask and sample_basis:
        basis.add((bid + ask) * MICRO // 2 - index)
    second = index + basis.mean()
    if rule.kind == INDEX_AND_BASIS:
        return max(1, second)
    interval = venue.spec.funding_interval_ns
    to_funding = interval - w.time_ns % interval
    first = price_1(index, venue.last_funding_ppb[instrument], to_funding, interval)
    return max(1, mark_price(first, second, last))


def _oracle(w: World, averages: OracleState, instrument: int, index: int) -> int:
    """Median of oracle plus basis, own book and other venues; of two, with the book's average."""
    book, last = w.engines[instrument].book, w.last_prices[instrument] * MICRO
    bid, ask = book.best_bid * MICRO, book.best_ask * MICRO
    if bid and ask:
        averages.basis.add(w.time_ns, (bid + ask) // 2 - index)
        own = median3(bid, ask, last)
    else:
        own = median([price for price in (bid, ask, last) if price])
    averages.book.add(w.time_ns, own)
    inputs = [index + (averages.basis.value() or 0), own]
    external = _others(w, w.mark_sources[instrument])
    if external is None:
        inputs.append(averages.book.value() or own)
    else:
        inputs.append(external)
    return median(inputs)


def _others(w: World, sources: Sequence[tuple[int, int, int, int]]) -> int | None:
    """Weighted median of the mids of other venues' perpetuals, None without any."""
    prices, weights = [], []
    for source, weight, up, down in sources:
        book = w.engines[source].book
        mid = (book.best_bid + book.best_ask) * MICRO // 2
        price = mid if book.best_bid and book.best_ask else w.last_prices[source] * MICRO
        prices.append(price * up // down)
        weights.append(weight)
    return weighted_median(prices, weights) if prices else None
