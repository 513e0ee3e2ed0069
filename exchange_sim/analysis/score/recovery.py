"""How much of a fall was made good, and how soon."""

from __future__ import annotations

import re

import attrs
import numpy as np

from exchange_sim.analysis.score.prices import at_news, need
from exchange_sim.analysis.score.roles import Instrument
from exchange_sim.analysis.score.rules import rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import NANOS, CannotMeasureError, View


@rule(r"recovered(?: after)? ([\d.]+) minutes?|recovered after ([\d.]+) minutes?")
def share_recovered(view: View, target: Target, match: re.Match[str]) -> float:
    """(P(low+D)-low)/(price at the news-low), median over instruments, in percent."""
    delay_s = 60.0 * float(match[1] or match[2])
    start, end = view.window(target)
    del start
    found = [_recovered(view, item, end, delay_s) for item in view.books_of(target)]
    shares = [share for share in found if not np.isnan(share)]
    if not shares:
        raise CannotMeasureError(f"no fall was followed for {delay_s / 60:g} minutes in the run")
    need(target, len(shares))
    return 100.0 * float(np.median(shares))


@rule(r"secondary venue retraces (?:half|([\d.]+) ?%) sooner")
def retrace_ratio(view: View, target: Target, match: re.Match[str]) -> float:
    """Time to retrace on the leading venue over the same on the secondary one."""
    share = float(match[1]) / 100.0 if match[1] else 0.5
    leading = attrs.evolve(target, venue_kind="primary_inverse_perp")
    return _retrace_minutes(view, leading, share) / _retrace_minutes(view, target, share)


@rule(r"time from low to (?:half|([\d.]+) ?%) of the fall retraced")
def retrace_time(view: View, target: Target, match: re.Match[str]) -> float:
    """Minutes from the low until the share of the fall is made good, median over instruments."""
    return _retrace_minutes(view, target, float(match[1]) / 100.0 if match[1] else 0.5)


def _recovered(view: View, item: Instrument, end_ns: float, delay_s: float) -> float:
    prices = view.prices(item)
    inside = prices.between(view.news_ns, end_ns)
    if not len(inside):
        return float("nan")
    before = at_news(view, item, "")
    low_ns, low = inside.low()
    later_ns = low_ns + delay_s * NANOS
    if later_ns > view.roles.end_ns or low >= before:
        return float("nan")
    return (prices.at(later_ns) - low) / (before - low)


def _retrace_minutes(view: View, target: Target, share: float) -> float:
    _, end = view.window(target)
    found = []
    for item in view.books_of(target):
        prices = view.prices(item)
        inside = prices.between(view.news_ns, end)
        before = at_news(view, item, "")
        if not len(inside) or inside.p.min() >= before:
            continue
        low_ns, low = inside.low()
        later = prices.between(low_ns, view.roles.end_ns)
        reached = later.p >= low + share * (before - low)
        first = float(later.t[int(np.argmax(reached))]) if reached.any() else float("inf")
        found.append((first - low_ns) / NANOS / 60.0)
    need(target, len(found))
    minutes = float(np.median(found)) if found else float("inf")
    if not np.isfinite(minutes):
        raise CannotMeasureError(f"{100 * share:g} % of the fall was not retraced within the run")
    return minutes
