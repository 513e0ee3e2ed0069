"""Assets that should hold a value: synthetic dollars and staking wrappers against their fair price.

Fair is one unit of the venue's quote asset for a pegged asset, and the redemption value times the
price of the redemption asset on the same venue for a wrapper.
"""

from __future__ import annotations

import re

import numpy as np

from exchange_sim.analysis.score.roles import Instrument
from exchange_sim.analysis.score.rules import number, rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.timeline import reference_trough
from exchange_sim.analysis.score.view import NANOS, CannotMeasureError, Floats, Prices, View

BREAK_SHARE = 0.05
"""An asset that trades so far under fair has left its peg."""


@rule(r"dislocation starts after the market trough")
def break_after_trough(view: View, target: Target, match: re.Match[str]) -> float:
    """First time a pegged asset trades under fair by the threshold, less the trough, in minutes."""
    del match
    share = number(target.definition, r"more than ([\d.]+) ?% under fair", 5.0) / 100.0
    _, end = view.window(target)
    first = first_break(view, target.venue_kind, target.asset_kind, share, end)
    return (first - reference_trough(view)) / NANOS / 60.0


@rule(r"dislocation length")
def dislocation_length(view: View, target: Target, match: re.Match[str]) -> float:
    """Time with any asset of the kind under the given share of fair, in minutes."""
    del match
    limit = number(target.definition, r"under ([\d.]+) of fair", 0.97)
    start, end = view.window(target)
    under = None
    for item in view.books_of(target):
        ratio = ratio_to_fair(view, item, start, end).p < limit
        under = ratio if under is None else under[: len(ratio)] | ratio[: len(under)]
    return 0.0 if under is None else float(under.sum()) / 60.0


@rule(r"maximum discount to fair")
def largest_discount(view: View, target: Target, match: re.Match[str]) -> float:
    """100*(1-min(price/fair)) of the window, largest over the assets of the kind."""
    del match
    start, end = view.window(target)
    items = view.books_of(target)
    lows = [float(ratio_to_fair(view, item, start, end).p.min()) for item in items]
    return 100.0 * (1.0 - min(lows))


@rule(r"turnover in the window over its pre-event")
def turnover_over_depth(view: View, target: Target, match: re.Match[str]) -> float:
    """Traded value of the window over the median two-sided depth within 1 % before the news."""
    del match
    start, end = view.window(target)
    items = view.books_of(target)
    traded = sum(float(view.trades(item).between(start, end).usd.sum()) for item in items)
    before = sum(median_before(view, view.book(item).depth("both", 100), item) for item in items)
    if not before:
        raise CannotMeasureError("the book was empty before the news")
    return traded / before


@rule(r"share of the day's liquidations done before the peg dislocation")
def share_before_break(view: View, target: Target, match: re.Match[str]) -> float:
    """Liquidated value of the window over that of the run, on the target's venue, in percent."""
    from exchange_sim.analysis.score.forced import liquidations

    del match
    start, end = view.window(target)
    forced = liquidations(view, target)
    total = forced.usd.sum()
    if not total:
        raise CannotMeasureError("nothing was liquidated")
    inside = (forced.t >= start) & (forced.t < end)
    return float(100.0 * forced.usd[inside].sum() / total)


def first_break(view: View, venue_kind: str, asset_kind: str, share: float, end_ns: float) -> int:
    """First second, since the news, in which an asset of the kind is so far under fair.

    Raises ``CannotMeasureError`` when none ever is.
    """
    found = []
    for item in view.books(venue_kind, asset_kind):
        ratio = ratio_to_fair(view, item, view.news_ns, end_ns)
        under = ratio.p < 1.0 - share
        if under.any():
            found.append(int(ratio.t[int(np.argmax(under))]))
    if not found:
        raise CannotMeasureError(f"no pegged asset traded {100 * share:g} % under fair")
    return min(found)


def ratio_to_fair(view: View, item: Instrument, start_ns: float, end_ns: float) -> Prices:
    """Price over fair price, every second of an interval; from the trades of the second."""
    prices = view.prices(item).grid(start_ns, end_ns, 1.0)
    if not len(prices):
        raise CannotMeasureError(f"{item.name} did not trade")
    asset = view.roles.assets[item.base]
    fair: Floats = np.full(len(prices), asset.redemption_value)
    if asset.kind == "wrapper" and asset.redemption_asset:
        source = next(
            (
                other
                for other in view.roles.instruments
                if other.base == asset.redemption_asset
                and other.venue == item.venue
                and other.quote == item.quote
                and other.is_spot
            ),
            None,
        )
        if source is None:
            raise CannotMeasureError(f"{asset.redemption_asset} is not traded beside {item.name}")
        fair = fair * view.prices(source).grid(prices.t[0], end_ns, 1.0).p[-len(prices) :]
    return Prices(prices.t, prices.p / fair)


def median_before(view: View, values: Floats, item: Instrument) -> float:
    """Median of a book column before the news."""
    times = view.book(item).t
    before = values[times < view.news_ns]
    if not len(before):
        raise CannotMeasureError("the run begins with the news: nothing is known of calm times")
    return float(np.median(before))
