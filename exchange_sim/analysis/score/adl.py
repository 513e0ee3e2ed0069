"""Auto-deleveraging: how much, how fast, against whom."""

from __future__ import annotations

import re

import numpy as np

from exchange_sim.analysis.score.accounts import leverage_at
from exchange_sim.analysis.score.forced import liquidations, notional, perpetuals, some
from exchange_sim.analysis.score.prices import at_news
from exchange_sim.analysis.score.rules import number, rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.timeline import reference_leg
from exchange_sim.analysis.score.view import NANOS, Array, CannotMeasureError, Floats, View
from exchange_sim.messages import events as e
from exchange_sim.units import PPM

BURST_SHARE = 0.05
"""A second with this share of all ADL fills is a large burst."""


@rule(r"drawdown from (?:t0|the news) when the first large ADL burst happens")
def fall_at_burst(view: View, target: Target, match: re.Match[str]) -> float:
    """Fall of the mark since the news in the second of the first large ADL burst, in percent."""
    del match
    item = view.books_of(target)[0]
    when = _first_burst(view, _all_fills(view, target), target)
    prices = view.prices(item, "mark price")
    return 100.0 * (1.0 - prices.at(when) / at_news(view, item, "mark price"))


@rule(r"first large ADL burst after the start of the main leg")
def burst_after_leg(view: View, target: Target, match: re.Match[str]) -> float:
    """First second with the given share of all ADL fills, less the main leg's start, in minutes."""
    del match
    when = _first_burst(view, _all_fills(view, target), target)
    return (when - reference_leg(view)) / NANOS / 60.0


@rule(r"time from ([\d.]+) ?% to ([\d.]+) ?% of ADL fills")
def fill_time(view: View, target: Target, match: re.Match[str]) -> float:
    """Minutes between two shares of the ADL fills of the window."""
    times = fills(view, target)["time_ns"]
    ranks = [max(0, int(np.ceil(float(share) / 100 * len(times))) - 1) for share in match.groups()]
    return float(times[ranks[1]] - times[ranks[0]]) / NANOS / 60.0


@rule(r"ADL notional over liquidation notional")
def adl_over_liquidated(view: View, target: Target, match: re.Match[str]) -> float:
    """Value closed by ADL over liquidated value of the window, in percent."""
    del match
    forced = some(liquidations(view, target).between(*view.window(target)))
    return float(100.0 * _usd(view, target).sum() / forced.usd.sum())


@rule(r"correlation of liquidation and ADL counts")
def count_correlation(view: View, target: Target, match: re.Match[str]) -> float:
    """Correlation of the numbers of liquidation and ADL fills per second of the window."""
    del match
    start, end = view.window(target)
    seconds = int((end - start) / NANOS) + 1
    forced = some(liquidations(view, target).between(start, end))
    series = [
        np.bincount(((times - start) / NANOS).astype(np.int64), minlength=seconds)
        for times in (forced.t, fills(view, target)["time_ns"])
    ]
    return float(np.corrcoef(series[0], series[1])[0, 1])


@rule(r"ADL in a market that had no liquidation in the same block")
def isolated_adl(view: View, target: Target, match: re.Match[str]) -> float:
    """ADL fills in instruments without a liquidation within a block before or at the same time."""
    del match
    start, end = view.window(target)
    item = perpetuals(view, target)[0]
    block = round(max(1.0, view.roles.block_s.get(item.venue, 1.0)) * NANOS)
    forced = liquidations(view, target).between(start - block, end + NANOS)
    rows = fills(view, target)
    alone = 0
    for instrument in np.unique(rows["instrument"]):
        times = np.sort(forced.t[forced.instrument == instrument])
        mine = rows["time_ns"][rows["instrument"] == instrument]
        last = np.searchsorted(times, mine, side="right")
        if not len(times):
            alone += len(mine)
            continue
        alone += int(((last == 0) | (mine - times[np.maximum(last - 1, 0)] > block)).sum())
    return float(alone)


@rule(r"share of ADL-closed positions in profit")
def profitable_share(view: View, target: Target, match: re.Match[str]) -> float:
    """ADL fills in which the closed position made a profit, in percent."""
    del match
    return float(100.0 * np.mean(fills(view, target)["victim_pnl"] > 0))


@rule(r"median leverage of ADL-closed accounts")
def victim_leverage(view: View, target: Target, match: re.Match[str]) -> float:
    """Position value over account value just before the first ADL, median of accounts."""
    del match
    start, end = view.window(target)
    rows = _fills(view, target)
    accounts, first = np.unique(rows["victim_account"], return_index=True)
    seq, time_ns = rows["seq"][first], rows["time_ns"][first]
    inside = (time_ns >= start) & (time_ns < end)
    if not inside.any():
        raise CannotMeasureError("nobody was deleveraged in the window")
    return float(np.median(leverage_at(view, accounts[inside], seq[inside], time_ns[inside])))


@rule(r"winner profit taken by ADL beyond need")
def beyond_need(view: View, target: Target, match: re.Match[str]) -> float:
    """What ADL cost winners against the low that followed, less deficits, over ADL value."""
    del match
    return 100.0 * overshoot_usd(view, target) / float(_usd(view, target).sum())


def overshoot_usd(view: View, target: Target) -> float:
    """Profit that closed positions would have made by the window's low, less the deficits."""
    start, end = view.window(target)
    items = {item.id: item for item in perpetuals(view, target)}
    rows = fills(view, target)
    lost = 0.0
    for instrument in np.unique(rows["instrument"]):
        item = items[int(instrument)]
        mine = rows["instrument"] == instrument
        marks = view.marks(item)
        closed = rows["price"][mine] / PPM * item.tick
        later = np.array([_low_after(marks.p, marks.t, t, end) for t in rows["time_ns"][mine]])
        per_lot = np.maximum(0.0, closed - later)
        if item.is_inverse:
            # A short of coins for a fixed sum of dollars wins coins, worth what they cost then.
            per_lot /= later
        gain = per_lot * rows["qty"][mine] * item.lot
        lost += float(gain.sum())
    ended = view.columns(e.LiquidationEnded)
    inside = (ended["time_ns"] >= start) & (ended["time_ns"] < end)
    scale = next(iter(items.values())).scale
    venue = next(iter(items.values())).venue
    inside &= view.account_venues[ended["account"]] == venue
    needed = float(-np.minimum(0, ended["equity"][inside]).sum()) / scale
    return max(0.0, lost - needed)


def fills(view: View, target: Target) -> dict[str, Array]:
    """ADL fills of a target's venue, assets and window.  Raises ``CannotMeasureError`` for none."""
    start, end = view.window(target)
    rows = _fills(view, target)
    inside = (rows["time_ns"] >= start) & (rows["time_ns"] < end)
    found = {name: values[inside] for name, values in rows.items()}
    if not len(found["time_ns"]):
        raise CannotMeasureError("nobody was deleveraged in the window")
    return found


def _fills(view: View, target: Target) -> dict[str, Array]:
    rows = view.columns(e.AdlExecuted)
    keep = np.isin(rows["instrument"], [item.id for item in perpetuals(view, target)])
    return {name: values[keep] for name, values in rows.items()}


def _all_fills(view: View, target: Target) -> Array:
    """Times of all ADL fills: of the on-chain venue when the run has one, else of the target's."""
    venue_kind = "onchain_perp" if view.roles.venue("onchain_perp") else target.venue_kind
    items = [item for item in view.roles.instruments if item.venue == view.roles.venue(venue_kind)]
    rows = view.columns(e.AdlExecuted)
    times = rows["time_ns"][np.isin(rows["instrument"], [item.id for item in items])]
    if not len(times):
        raise CannotMeasureError("nobody was deleveraged")
    return times


def _first_burst(view: View, times: Array, target: Target) -> float:
    share = number(target.definition, r"at least ([\d.]+) ?% of all ADL", 100 * BURST_SHARE) / 100
    del view
    seconds, counts = np.unique(times // int(NANOS), return_counts=True)
    large = counts >= share * len(times)
    if not large.any():
        raise CannotMeasureError(f"no second holds {100 * share:g} % of the ADL fills")
    return float(seconds[int(np.argmax(large))]) * NANOS


def _usd(view: View, target: Target) -> Floats:
    return notional(view, perpetuals(view, target), fills(view, target))


def _low_after(prices: Floats, times: Array, start_ns: float, end_ns: float) -> float:
    low, high = np.searchsorted(times, start_ns), np.searchsorted(times, end_ns, side="right")
    return float(prices[low:high].min()) if high > low else float("inf")
