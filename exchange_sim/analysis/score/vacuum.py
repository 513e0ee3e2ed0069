"""The vacuum as a mechanism: how little selling moves the price once the bids are gone."""

from __future__ import annotations

import re

import numpy as np

from exchange_sim.analysis.score.prices import need
from exchange_sim.analysis.score.rules import quantity_of, rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import NANOS, CannotMeasureError, Trades, View

FIRST_PHASE_S = 1320.0
"""20:50 to 21:12: the first leg and the plateau, for definitions that do not say it."""


@rule(r"effective depth of .* at the low over the first leg")
def effective_depth_ratio(view: View, target: Target, match: re.Match[str]) -> float:
    """Net taker selling per 1 % of log fall before the low over that of the first leg, median."""
    del match
    start, end = view.window(target)
    words = re.search(r"(\w+) minutes before the low", target.definition)
    lead = round(60.0 * NANOS * (quantity_of(words[1]) if words else 2.0))
    first_end = view.ns(_clock(target, r"in \d\d:\d\d-(\d\d:\d\d)", FIRST_PHASE_S))
    found = []
    for item in view.books_of(target):
        trades = view.trades(item)
        inside = trades.between(start, end)
        if not len(inside.t):
            continue
        low_ns = int(inside.t[int(inside.p.argmin())])
        first = _effective_depth(trades, start, first_end)
        last = _effective_depth(trades, low_ns - lead, low_ns)
        if first > 0 and not np.isnan(last):
            found.append(last / first)
    if not found:
        raise CannotMeasureError("no instrument fell in both phases")
    need(target, len(found))
    return float(np.median(found))


@rule(r"flow falls while price collapses: taker notional per second")
def flow_ratio(view: View, target: Target, match: re.Match[str]) -> float:
    """Value per second from a clock time to the low over that of the interval before it, median."""
    del match
    start, end = view.window(target)
    cut_s = _clock(target, r"(\d\d:\d\d)-low", 1680.0)
    from_s = _clock(target, r"over (\d\d:\d\d)-", cut_s - 120.0)
    width = round((cut_s - from_s) * NANOS)
    found = []
    for item in view.books_of(target):
        trades = view.trades(item)
        inside = trades.between(start, end)
        if not len(inside.t):
            continue
        low_ns = int(inside.t[int(inside.p.argmin())])
        cut = min(view.ns(cut_s), low_ns - width)
        early = _per_second(trades, cut - width, cut)
        if early:
            found.append(_per_second(trades, cut, low_ns) / early)
    if not found:
        raise CannotMeasureError("nothing was traded in the window")
    return float(np.median(found))


def _effective_depth(trades: Trades, start_ns: float, end_ns: float) -> float:
    """Net taker selling per 1 % of log fall; NaN when the price did not fall."""
    inside = trades.between(start_ns, end_ns + 1)
    if len(inside.t) < 2:
        return float("nan")
    fall = 100.0 * float(np.log(inside.p[0] / inside.p[-1]))
    if fall <= 0:
        return float("nan")
    return float(np.where(inside.sell, inside.usd, -inside.usd).sum()) / fall


def _per_second(trades: Trades, start_ns: float, end_ns: float) -> float:
    inside = trades.between(start_ns, end_ns + 1)
    return float(inside.usd.sum()) / max(1e-9, (end_ns - start_ns) / NANOS)


def _clock(target: Target, pattern: str, default_s: float) -> float:
    """A clock time of the text as seconds from the news."""
    match = re.search(pattern, target.text)
    if match is None or target.news_clock_s is None:
        return default_s
    hours, minutes = match[1].split(":")
    return (int(hours) * 3600 + int(minutes) * 60 - target.news_clock_s) % 86_400
