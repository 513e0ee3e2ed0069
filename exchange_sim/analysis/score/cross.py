"""One venue against another."""

from __future__ import annotations

import re

import numpy as np

from exchange_sim.analysis.score.prices import fall, need
from exchange_sim.analysis.score.roles import Instrument
from exchange_sim.analysis.score.rules import rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import CannotMeasureError, Floats, View


@rule(r"worst median .*gap, .*against secondary")
def worst_gap(view: View, target: Target, match: re.Match[str]) -> float:
    """Lowest, over minute closes, of the median gap of a venue to the secondary one, in percent."""
    del match
    start, end = view.window(target)
    gaps = [gap for gap in _gaps(view, target, start, end) if len(gap)]
    need(target, len(gaps))
    width = min(len(gap) for gap in gaps)
    medians = np.median(np.array([gap[-width:] for gap in gaps]), axis=0)
    return float(medians.min())


@rule(r"secondary over leading .*drawdown")
def drawdown_ratio(view: View, target: Target, match: re.Match[str]) -> float:
    """Fall on the secondary venue over the fall of the same asset on the leading one, median."""
    del match
    start, end = view.window(target)
    found = []
    for item in view.books_of(target):
        leader = _counterpart(view, item, ("primary_inverse_perp", "primary_spot", "primary_perp"))
        if leader is None:
            continue
        leading = fall(view, leader, "", start, end)
        if leading > 0:
            found.append(fall(view, item, "", start, end) / leading)
    if not found:
        raise CannotMeasureError("no asset is traded on both venues")
    return float(np.median(found))


def _gaps(view: View, target: Target, start: float, end: float) -> list[Floats]:
    found = []
    for item in view.books_of(target):
        other = _counterpart(view, item, ("secondary_spot",))
        if other is None:
            continue
        mine = view.prices(item).grid(start, end, 60.0).p
        theirs = view.prices(other).grid(start, end, 60.0).p
        width = min(len(mine), len(theirs))
        found.append(100.0 * (mine[-width:] / theirs[-width:] - 1.0) if width else mine[:0])
    if not found:
        raise CannotMeasureError("no asset is traded on both venues")
    return found


def _counterpart(view: View, item: Instrument, kinds: tuple[str, ...]) -> Instrument | None:
    """The first book of the same asset on a venue of one of the kinds."""
    for kind in kinds:
        for other in view.roles.books(kind, item.base):
            return other
    return None
