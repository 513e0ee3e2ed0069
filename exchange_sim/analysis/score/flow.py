"""Who took how much, and when."""

from __future__ import annotations

import re

import numpy as np

from exchange_sim.analysis.score.prices import need
from exchange_sim.analysis.score.rules import quantity_of, rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import NANOS, CannotMeasureError, Floats, Trades, View


@rule(r"highest (one|[\d.]+)-minute taker-(sell|buy) share")
def highest_share(view: View, target: Target, match: re.Match[str]) -> float:
    """Largest share of a side in an interval of the window, median over instruments, in %."""
    width = 60.0 * quantity_of(match[1])
    start, end = view.window(target)
    found = []
    for item in view.books_of(target):
        trades = view.trades(item).between(start, end)
        total = per_interval(trades, trades.usd, start, end, width)
        side = per_interval(trades, _side(trades, match[2]), start, end, width)
        traded = total > 0
        if traded.any():
            found.append(100.0 * float((side[traded] / total[traded]).max()))
    return _median(found, target)


@rule(r"taker-(sell|buy) share")
def taker_share(view: View, target: Target, match: re.Match[str]) -> float:
    """Value that takers of a side traded over all value, median over instruments, in percent."""
    start, end = view.window(target)
    found = []
    for item in view.books_of(target):
        trades = view.trades(item).between(start, end)
        total = float(trades.usd.sum())
        if total:
            found.append(100.0 * float(_side(trades, match[1]).sum()) / total)
    return _median(found, target)


@rule(r"peak notional per minute over the calm mean")
def peak_over_calm(view: View, target: Target, match: re.Match[str]) -> float:
    """Largest value traded in a minute of the window over the mean before the news, median."""
    del match
    start, end = view.window(target)
    calm_from = float(view.roles.start_ns)
    found = []
    for item in view.books_of(target):
        trades = view.trades(item)
        calm = trades.between(calm_from, view.news_ns).usd.sum()
        minutes = (view.news_ns - calm_from) / NANOS / 60.0
        if calm and minutes:
            peak = per_interval(trades, trades.usd, start, end, 60.0).max(initial=0.0)
            found.append(float(peak / (calm / minutes)))
    return _median(found, target)


@rule(r"futures to spot traded notional")
def futures_to_spot(view: View, target: Target, match: re.Match[str]) -> float:
    """Value traded in perpetuals over value traded in spot books."""
    del match
    start, end = view.window(target)
    totals = {True: 0.0, False: 0.0}
    for item in view.roles.instruments:
        if target.venue_kind in {"all_venues", "all"} or item in view.books_of(target):
            totals[item.is_spot] += float(view.trades(item).between(start, end).usd.sum())
    if not totals[True] or not totals[False]:
        raise CannotMeasureError("the run does not trade both spot and perpetuals")
    return totals[False] / totals[True]


@rule(r"peak trade rate over normal")
def peak_rate(view: View, target: Target, match: re.Match[str]) -> float:
    """Most trades in a minute of the window over the mean before the news, median."""
    del match
    start, end = view.window(target)
    calm_from = float(view.roles.start_ns)
    minutes = (view.news_ns - calm_from) / NANOS / 60.0
    found = []
    for item in view.books_of(target):
        trades = view.trades(item)
        calm = len(trades.between(calm_from, view.news_ns).t)
        if calm and minutes:
            peak = per_interval(trades, np.ones(len(trades.t)), start, end, 60.0).max(initial=0.0)
            found.append(float(peak / (calm / minutes)))
    return _median(found, target)


def per_interval(
    trades: Trades, values: Floats, start_ns: float, end_ns: float, width_s: float
) -> Floats:
    """Sums of ``values`` per interval of a window; the last interval may be shorter."""
    count = max(1, int(np.ceil((end_ns - start_ns) / NANOS / width_s)))
    at = ((trades.t - start_ns) / NANOS / width_s).astype(np.int64)
    inside = (trades.t >= start_ns) & (trades.t < end_ns)
    sums = np.bincount(at[inside], weights=values[inside], minlength=count)
    return sums.astype(np.float64)


def _side(trades: Trades, side: str) -> Floats:
    taken = trades.sell if side.lower() == "sell" else ~trades.sell
    found: Floats = np.where(taken, trades.usd, 0.0)
    return found


def _median(found: list[float], target: Target) -> float:
    if not found:
        raise CannotMeasureError("nothing was traded in the window, or before the news")
    need(target, len(found))
    return float(np.median(found))
