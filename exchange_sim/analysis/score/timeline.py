"""When things happened: legs, plateau, troughs, and how close together they were."""

from __future__ import annotations

import re

import numpy as np

from exchange_sim.analysis.score.prices import need
from exchange_sim.analysis.score.rules import number, rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import NANOS, CannotMeasureError, Prices, View

LEG_RULE = "falls 3% within the next 3 minutes, excluding the first 10 minutes"
"""What a main leg is, for targets whose definition does not say it again."""

TROUGH_WINDOW_S = (0.0, 4200.0)
"""Where a reference asset's trough is looked for when a target is about something else."""


@rule(r"delay from news to start of the main leg")
def leg_start(view: View, target: Target, match: re.Match[str]) -> float:
    """First minute after which the price falls by the threshold soon enough, in minutes."""
    del match
    start, end = view.window(target)
    item = view.books_of(target)[0]
    found = main_leg(view, view.prices(item, "mark price"), target.text, end)
    return view.seconds(max(found, start)) / 60.0


@rule(r"main leg duration")
def leg_duration(view: View, target: Target, match: re.Match[str]) -> float:
    """From the start of the main leg to the low after it, in minutes."""
    del match
    _, end = view.window(target)
    prices = view.prices(view.books_of(target)[0], "mark price")
    begun = main_leg(view, prices, target.text, end)
    low_ns, _ = prices.between(begun, end).low()
    return (low_ns - begun) / NANOS / 60.0


@rule(r"range during the plateau|\brange during\b")
def plateau_range(view: View, target: Target, match: re.Match[str]) -> float:
    """100*(max-min)/mean of the minute closes of the window, median over instruments."""
    del match
    start, end = view.window(target)
    found = []
    for item in view.books_of(target):
        closes = view.prices(item, "mark price").grid(start, end, 60.0).p
        if len(closes) > 1:
            found.append(100.0 * (closes.max() - closes.min()) / closes.mean())
    need(target, len(found))
    return float(np.median(found))


@rule(r"news to (trough|low)")
def news_to_trough(view: View, target: Target, match: re.Match[str]) -> float:
    """Time of the lowest price less the time of the news, median over instruments, in minutes."""
    del match
    start, end = view.window(target)
    items = view.books_of(target)
    lows = [view.prices(item, "mark price").between(start, end).low()[0] for item in items]
    return float(np.median([view.seconds(low) / 60.0 for low in lows]))


@rule(r"time from (\d+) ?% to (\d+) ?% of the fall")
def fall_time(view: View, target: Target, match: re.Match[str]) -> float:
    """Minutes between two shares of the fall from the window's first price, median."""
    start, end = view.window(target)
    shares = float(match[1]) / 100.0, float(match[2]) / 100.0
    found = []
    for item in view.books_of(target):
        prices = view.prices(item)
        inside, first = prices.between(start, end), prices.before(start)
        if not len(inside) or inside.p.min() >= first:
            continue
        lost = (first - inside.p) / (first - inside.p.min())
        times = [float(inside.t[int(np.argmax(lost >= share))]) for share in shares]
        found.append((times[1] - times[0]) / NANOS / 60.0)
    need(target, len(found))
    return float(np.median(found))


@rule(r"synchrony of .*lows")
def synchrony(view: View, target: Target, match: re.Match[str]) -> float:
    """Latest less earliest time of the low over the instruments, in minutes."""
    del match
    start, end = view.window(target)
    inside = [view.prices(item).between(start, end) for item in view.books_of(target)]
    lows = [prices.low()[0] for prices in inside if len(prices)]
    need(target, len(lows))
    return (max(lows) - min(lows)) / NANOS / 60.0


def main_leg(view: View, prices: Prices, text: str, end_ns: float) -> int:
    """Instant at which the main leg begins, by the rule in ``text``.

    Raises ``CannotMeasureError`` when the price never falls so fast.
    """
    if "within the next" not in text:
        text = LEG_RULE
    share = number(text, r"falls ([\d.]+) ?%", 3.0) / 100.0
    minutes = number(text, r"within the next ([\d.]+) minutes?", 3.0)
    skip = number(text, r"excluding the first ([\d.]+) minutes?", 10.0)
    starts = prices.grid(view.ns(60.0 * skip), end_ns, 60.0)
    for time_ns, price in zip(starts.t.tolist(), starts.p.tolist(), strict=True):
        after = prices.between(time_ns, time_ns + minutes * 60.0 * NANOS)
        if len(after) and after.p.min() <= price * (1.0 - share):
            return int(time_ns)
    raise CannotMeasureError(f"no minute is followed by a fall of {100 * share:g} % in {minutes:g}")


def reference_leg(view: View) -> int:
    """Start of the main leg of the primary perpetual on BTC."""
    item = view.books("primary_perp", "btc")[0]
    return main_leg(view, view.prices(item, "mark price"), "", view.ns(TROUGH_WINDOW_S[1]))


def reference_trough(view: View) -> int:
    """Instant of the lowest mark of the primary perpetual on BTC."""
    item = view.books("primary_perp", "btc")[0]
    start, end = (view.ns(second) for second in TROUGH_WINDOW_S)
    return view.prices(item, "mark price").between(start, end).low()[0]
