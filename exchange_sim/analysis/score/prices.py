"""Falls, lows and single prints."""

from __future__ import annotations

import re

import numpy as np

from exchange_sim.analysis.score.roles import Instrument
from exchange_sim.analysis.score.rules import number, quantity_of, rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import NANOS, CannotMeasureError, Floats, View

STEP_S = {"minute": 60.0, "second": 1.0}


@rule(r"share of .*pairs? falling more than ([\d.]+) ?%")
def share_falling(view: View, target: Target, match: re.Match[str]) -> float:
    """Share of instruments whose largest fall exceeds the threshold, in percent."""
    falls = all_falls(view, target)
    return float(100.0 * np.mean(falls > float(match[1])))


@rule(r"interquartile range of .*(drawdown|fall)")
def interquartile_range(view: View, target: Target, match: re.Match[str]) -> float:
    """Third less first quartile of the largest falls, in percentage points."""
    del match
    low, high = np.percentile(all_falls(view, target), [25, 75])
    return float(high - low)


@rule(r"prints? ([\d.]+) ?% or more below")
def count_of_prints(view: View, target: Target, match: re.Match[str]) -> float:
    """Assets that print so far below their price at the news while all other venues stay above."""
    above = number(target.definition, r"above ([\d.]+) ?%", 35.0)
    start, end = view.window(target)
    count = 0
    for item in view.books_of(target):
        others = [
            other
            for other in view.roles.instruments
            if other.base == item.base and other.venue != item.venue and other.main
        ]
        held = [fall(view, other, "", start, end) < 100.0 - above for other in others]
        if held and all(held) and fall(view, item, "", start, end) >= float(match[1]):
            count += 1
    return float(count)


@rule(r"notional executed in the sweep that makes the ([\d.]+) ?% print")
def sweep_notional(view: View, target: Target, match: re.Match[str]) -> float:
    """Dollars that the taker order of the lowest print sold, median of assets that fell so."""
    start, end = view.window(target)
    found = []
    for item in view.books_of(target):
        if fall(view, item, "", start, end) < float(match[1]):
            continue
        trades = view.trades(item).between(start, end)
        order = trades.taker_order[int(trades.p.argmin())]
        found.append(float(trades.usd[trades.taker_order == order].sum()))
    if not found:
        raise CannotMeasureError(f"no asset printed {match[1]} % below its price at the news")
    return float(np.median(found))


@rule(r"sibling quote pair.* drawdown")
def sibling_drawdown(view: View, target: Target, match: re.Match[str]) -> float:
    """Fall of the pair against another quote, of the asset whose main pair fell most."""
    del match
    start, end = view.window(target)
    pairs = view.roles.siblings(target.venue_kind, target.asset_kind)
    if not pairs:
        raise CannotMeasureError("no asset is traded against two quotes on this venue")
    falls = [
        (fall(view, main, "", start, end), fall(view, item, "", start, end)) for main, item in pairs
    ]
    return max(falls)[1]


@rule(r"worst (one|[\d.]+)-(minute|second) fall")
def worst_step(view: View, target: Target, match: re.Match[str]) -> float:
    """Largest fall between two closes of the given length, median over instruments, in percent."""
    start, end = view.window(target)
    step = quantity_of(match[1]) * STEP_S[match[2].lower()]
    found = []
    for item in view.books_of(target):
        closes = view.prices(item).grid(start, end, step).p
        if len(closes) > 1:
            found.append(float(np.max(1.0 - closes[1:] / closes[:-1])))
    return _median(found, view, target) * 100.0


@rule(r"ETF-implied")
def under_implied(view: View, target: Target, match: re.Match[str]) -> float:
    """Low under the secondary venue's price of that second, which stands in for the ETF."""
    del match
    start, end = view.window(target)
    item = view.books_of(target)[0]
    other = view.books("secondary_spot", target.asset_kind)[0]
    time_ns, low = view.prices(item).between(start, end).low()
    implied = view.prices(other).at(time_ns)
    return 100.0 * (1.0 - low / implied)


@rule(r"\blow\b")
def lowest_price(view: View, target: Target, match: re.Match[str]) -> float:
    """Lowest trade of the window, in quote or (price ratio) as a share of the price at the news."""
    del match
    start, end = view.window(target)
    found = []
    for item in view.books_of(target):
        _, low = view.prices(item, target.definition).between(start, end).low()
        reference = at_news(view, item, "") if "ratio" in target.unit else 1.0
        found.append(low / reference)
    return _median(found, view, target)


@rule(r"drawdown|largest fall|maximum fall")
def drawdown(view: View, target: Target, match: re.Match[str]) -> float:
    """100*(1-min/price at the news) of the window, median over instruments."""
    del match
    return float(np.median(all_falls(view, target)))


def all_falls(view: View, target: Target) -> Floats:
    """Largest fall of every instrument of a target, in percent."""
    start, end = view.window(target)
    items = view.books_of(target)
    found = [fall(view, item, target.definition, start, end) for item in items]
    values = np.array([value for value in found if not np.isnan(value)])
    need(target, len(values))
    return values


def fall(view: View, item: Instrument, text: str, start_ns: float, end_ns: float) -> float:
    """Fall in percent from the price at the news (or the day high, when ``text`` says so).

    NaN when nothing traded.
    """
    prices = view.prices(item, text)
    inside = prices.between(start_ns, end_ns)
    if not len(prices):
        return float("nan")
    reference = prices.before(view.news_ns)
    if "day high" in text:
        reference = max(reference, float(prices.between(view.roles.start_ns, end_ns).p.max()))
    low = float(inside.p.min()) if len(inside) else prices.at(end_ns)
    return 100.0 * (1.0 - low / reference)


def at_news(view: View, item: Instrument, text: str) -> float:
    """The last price before the news."""
    price = view.prices(item, text).before(view.news_ns)
    if np.isnan(price):
        raise CannotMeasureError(f"{item.name} never traded")
    return price


def need(target: Target, count: int) -> None:
    """Refuse to speak of fewer instruments than the definition asks for."""
    least = number(target.definition, r"at least (\d+) alts?", 1)
    if count < least:
        raise CannotMeasureError(f"{count} instruments traded, the definition asks for {least:.0f}")


def _median(found: list[float], view: View, target: Target) -> float:
    del view
    need(target, len(found))
    return float(np.median(found))


def instants(seconds: float) -> float:
    """Seconds as nanoseconds."""
    return seconds * NANOS
