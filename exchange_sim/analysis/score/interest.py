"""Open interest and funding."""

from __future__ import annotations

import re

import attrs
import numpy as np

from exchange_sim.analysis.score.forced import perpetuals
from exchange_sim.analysis.score.roles import Instrument
from exchange_sim.analysis.score.rules import rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.timeline import reference_trough
from exchange_sim.analysis.score.view import CannotMeasureError, View

INTEREST_8H_BP = 1.0
CLAMP_BP = 5.0
AROUND_TROUGH_S = 150.0
"""Half of the interval around the trough over which the premium is averaged."""


@rule(r"(?P<over>alt|\w+) over BTC percentage fall of open interest")
def relative_fall(view: View, target: Target, match: re.Match[str]) -> float:
    """Percentage fall of the assets' open interest over that of BTC."""
    del match
    btc = attrs.evolve(target, asset_kind="btc")
    other = _fall(view, btc)
    if not other:
        raise CannotMeasureError("open interest in BTC did not change")
    return _fall(view, target) / other


@rule(r"open interest fall")
def interest_fall(view: View, target: Target, match: re.Match[str]) -> float:
    """100*(1-dollars of open interest at the end of the window/at the news)."""
    del match
    return _fall(view, target)


@rule(r"funding rate sign at the trough|funding rate at the trough")
def funding_at_trough(view: View, target: Target, match: re.Match[str]) -> float:
    """Funding rate of the premium around BTC's trough, weighted by volume, in bp per 8 h."""
    del match
    trough = reference_trough(view)
    start, end = trough - AROUND_TROUGH_S * 1e9, trough + AROUND_TROUGH_S * 1e9
    rates, weights = [], []
    for item in view.books_of(target):
        rows = view.marked(item)
        if rows is None:
            continue
        inside = (rows["time_ns"] >= start) & (rows["time_ns"] <= end)
        premium = 100.0 * (rows["mark"] / np.maximum(rows["index"], 1) - 1.0)[inside].mean() * 100.0
        rates.append(premium + float(np.clip(INTEREST_8H_BP - premium, -CLAMP_BP, CLAMP_BP)))
        weights.append(float(view.trades(item).between(start, end).usd.sum()))
    if not rates or not sum(weights):
        raise CannotMeasureError("no perpetual was traded around the trough")
    return float(np.average(rates, weights=weights))


def _fall(view: View, target: Target) -> float:
    _, end = view.window(target)
    before, after = 0.0, 0.0
    for item in perpetuals(view, target):
        before += interest_usd(view, item, view.news_ns)
        after += interest_usd(view, item, end)
    if not before:
        raise CannotMeasureError("nobody held a position at the news")
    return 100.0 * (1.0 - after / before)


def interest_usd(view: View, item: Instrument, time_ns: float) -> float:
    """Open interest of a perpetual at an instant, one side, in dollars at mark."""
    rows = view.marked(item)
    if rows is None:
        return 0.0
    at = max(0, int(np.searchsorted(rows["time_ns"], time_ns, side="right")) - 1)
    value = float(rows["open_interest"][at]) * item.lot
    return value if item.is_inverse else value * view.marks(item).at(rows["time_ns"][at])
