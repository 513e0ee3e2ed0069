"""Resting value and spreads, from the books of every whole second.

Depth at its thinnest is the lowest mean of a minute: single seconds in which a book is being
requoted say little.

Simplifications: the touch is what rests within 0.1 % of the mid, and so are the 25 best levels,
because a book's levels are not recorded one by one.
"""

from __future__ import annotations

import re

import numpy as np

from exchange_sim.analysis.score.pegged import median_before
from exchange_sim.analysis.score.prices import need
from exchange_sim.analysis.score.roles import Instrument
from exchange_sim.analysis.score.rules import number, rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import CannotMeasureError, Floats, View

DISTANCES_BP = (10, 100, 200, 500)
_BEFORE_TROUGH_S = 60.0


@rule(r"two-sided depth fall|depth fall, maximum|depth fall within")
def largest_depth_fall(view: View, target: Target, match: re.Match[str]) -> float:
    """Largest loss of two-sided depth within the distance against the median before the news."""
    del match
    return _median_over(view, target, lambda item: _lost(view, item, target, thinnest, "both"))


@rule(r"depth fall in the first")
def mean_depth_fall(view: View, target: Target, match: re.Match[str]) -> float:
    """Mean loss of two-sided depth in the window against the median before the news."""
    del match
    return _median_over(view, target, lambda item: _lost(view, item, target, np.mean, "both"))


@rule(r"quoted spread at (the )?(trough|low)")
def spread_at_low(view: View, target: Target, match: re.Match[str]) -> float:
    """Widest quoted spread within a minute of the window's lowest trade, in percent of mid."""
    del match
    start, end = view.window(target)
    found = []
    for item in view.books_of(target):
        low_ns, _ = view.prices(item).between(start, end).low()
        near = _BEFORE_TROUGH_S * 1e9
        spread = view.book(item).within(low_ns - near, low_ns + near).spread
        found.append(100.0 * _largest(spread))
    return float(np.median(found))


@rule(r"top-of-book depth fall")
def touch_depth_fall(view: View, target: Target, match: re.Match[str]) -> float:
    """Largest loss of what rests within 0.1 % of the mid against the median before the news."""
    del match

    def lost(item: Instrument) -> float:
        return _lost(view, item, target, thinnest, "both", 10)

    return _median_over(view, target, lost)


@rule(r"peak quoted spread over its normal level")
def spread_multiple(view: View, target: Target, match: re.Match[str]) -> float:
    """Widest spread of the window over the median spread before the news."""
    del match
    start, end = view.window(target)
    found = []
    for item in view.books_of(target):
        book = view.book(item)
        normal = np.nanmedian(book.spread[book.t < view.news_ns])
        found.append(_largest(book.within(start, end).spread) / float(normal))
    return float(np.median(found))


@rule(r"time during which bids exist only beyond ([\d.]+) ?% of mid")
def time_without_bids(view: View, target: Target, match: re.Match[str]) -> float:
    """Minutes with less than the given share of normal bid depth within the distance."""
    share = number(target.definition, r"less than ([\d.]+) ?% of normal", 10.0) / 100.0
    distance = _distance(float(match[1]))
    start, end = view.window(target)
    found = []
    for item in view.books_of(target):
        normal = median_before(view, view.book(item).depth("bid", distance), item)
        inside = view.book(item).within(start, end).depth("bid", distance)
        found.append(float((inside < share * normal).sum()) / 60.0)
    return float(np.median(found))


@rule(r"(ask|bid)-side near depth")
def share_of_depth(view: View, target: Target, match: re.Match[str]) -> float:
    """Median depth of a side within 1 % in the window over the median before the news, in %."""
    side = match[1].lower()

    def left(item: Instrument) -> float:
        return 100.0 - _lost(view, item, target, np.median, side)

    return _median_over(view, target, left)


@rule(r"(ask|bid) depth per percent already lost")
def depth_already_lost(view: View, target: Target, match: re.Match[str]) -> float:
    """Median loss of a side's depth within 1 % in the window against that before the news."""
    side = match[1].lower()
    return _median_over(view, target, lambda item: _lost(view, item, target, np.median, side))


@rule(r"share of .*snapshots with .*(bid|ask) notional under ([\d,.]+) ?usd")
def thin_snapshots(view: View, target: Target, match: re.Match[str]) -> float:
    """Share of seconds with less than the given value within 0.1 % of the mid, in percent."""
    side, limit = match[1].lower(), float(match[2].replace(",", ""))
    start, end = view.window(target)
    found = [
        100.0 * float(np.mean(view.book(item).within(start, end).depth(side, 10) < limit))
        for item in view.books_of(target)
    ]
    return float(np.median(found))


def thinnest(depth: Floats) -> float:
    """Lowest mean of a minute (of everything, when there is less)."""
    width = min(60, len(depth))
    sums = np.concatenate(([0.0], np.cumsum(depth)))
    return float(((sums[width:] - sums[:-width]) / width).min())


def _lost(
    view: View, item: Instrument, target: Target, statistic: object, side: str, distance: int = 0
) -> float:
    """100*(1-statistic of the window's depth/median before the news); distance 0: by the text."""
    start, end = view.window(target)
    near = distance or _distance(number(target.quantity, r"([\d.]+) ?% two-sided", 1.0))
    before = median_before(view, view.book(item).depth(side, near), item)
    inside = view.book(item).within(max(start, float(view.news_ns)), end).depth(side, near)
    if not len(inside) or not before:
        raise CannotMeasureError(f"the book of {item.name} was empty before the news")
    assert callable(statistic)
    return 100.0 * (1.0 - float(statistic(inside)) / before)


def _median_over(view: View, target: Target, measure: object) -> float:
    assert callable(measure)
    found = [measure(item) for item in view.books_of(target)]
    need(target, len(found))
    return float(np.median(found))


def _distance(percent: float) -> int:
    """The recorded distance that comes nearest, in basis points."""
    return min(DISTANCES_BP, key=lambda distance: abs(distance - 100.0 * percent))


def _largest(spreads: Floats) -> float:
    known = spreads[~np.isnan(spreads)]
    if not len(known):
        raise CannotMeasureError("the book had no two sides in the window")
    return float(known.max())
