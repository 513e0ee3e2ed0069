"""Stale bids: where they rest and how much they are worth."""

from __future__ import annotations

import math
import statistics

import attrs
import pytest

from exchange_sim.participants.stale import StaleBid, StaleBook, StaleShape, draw_stale_bids
from exchange_sim.rng import Streams

BOOK = StaleBook(
    instrument="ATOMUSDT",
    mid_ticks=39_360,
    lot_usd=3.936,
    depth_usd=5e6,
    density_d1=0.06,
    density_log_sd=0.0,
    orders=200,
)


def bids(book: StaleBook = BOOK, seed: int = 1) -> list[StaleBid]:
    """One draw."""
    return draw_stale_bids(book, Streams(seed).stream("stale"))


def usd(book: StaleBook, bid: StaleBid) -> float:
    """Notional of a bid."""
    return bid.qty_lots * book.lot_usd * bid.price_ticks / book.mid_ticks


@pytest.mark.parametrize("shape", list(StaleShape))
def test_all_bids_lie_in_the_range_nearest_first(shape: StaleShape) -> None:
    """From -10 % to -99 %."""
    drawn = bids(attrs.evolve(BOOK, shape=shape))
    falls = [1 - bid.price_ticks / BOOK.mid_ticks for bid in drawn]

    assert falls == sorted(falls)
    assert falls[0] >= 0.0999
    assert falls[-1] <= 0.9901
    assert all(bid.qty_lots > 0 for bid in drawn)


def test_density_is_what_was_asked_for() -> None:
    """The first 20 % of log price hold the density of the near end, averaged over seeds."""
    sums = []
    for seed in range(30):
        near = -math.log(0.9)
        drawn = bids(seed=seed)
        logs = [(math.log(BOOK.mid_ticks / bid.price_ticks), usd(BOOK, bid)) for bid in drawn]
        sums.append(sum(value for log, value in logs if log < near + 0.5) / BOOK.depth_usd)

    assert statistics.fmean(sums) == pytest.approx(0.06 * 5, rel=0.15)


def test_a_population_needs_an_account() -> None:
    """Nobody's orders are refused with the count that is wrong."""
    with pytest.raises(ValueError, match="at least one account"):
        bids(attrs.evolve(BOOK, accounts=0))


def test_books_differ_by_their_log_sd() -> None:
    """Some coins have a tenth of the bids of others: they fall further."""
    book = attrs.evolve(BOOK, density_log_sd=1.0)
    totals = [sum(usd(book, bid) for bid in bids(book, seed)) for seed in range(40)]

    assert statistics.stdev(math.log(total) for total in totals) == pytest.approx(1.0, abs=0.3)


def test_bad_range_is_refused() -> None:
    """A located message instead of nonsense prices."""
    with pytest.raises(ValueError, match="ATOMUSDT"):
        bids(attrs.evolve(BOOK, nearest_fall=0.99, farthest_fall=0.5))
