"""Figures about what would have happened otherwise: they need a second run of the same seed.

The second run is made with a switch or an override and given with ``--against``; it is recognised
by the options in its manifest.
"""

from __future__ import annotations

import re

import numpy as np

from exchange_sim.analysis.score.adl import overshoot_usd
from exchange_sim.analysis.score.forced import Forced, liquidations_of
from exchange_sim.analysis.score.pegged import BREAK_SHARE, first_break
from exchange_sim.analysis.score.prices import fall
from exchange_sim.analysis.score.rules import rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import CannotMeasureError, View
from exchange_sim.messages import events as e

REDEMPTION_VALUE = "--without own_book_collateral_price"
OPTIMISED_ADL = "adl_rule=optimised"


@rule(r"peg-related liquidations .*over baseline")
def peg_liquidations(view: View, target: Target, match: re.Match[str]) -> float:
    """Peg-related liquidated value with redemption-value marks over that of this run, in %."""
    del match
    other = _other(view, REDEMPTION_VALUE)
    start, end = peg_interval(view, target)
    baseline = peg_related_usd(view, start, end)
    if not baseline:
        raise CannotMeasureError("this run has no peg-related liquidation")
    return 100.0 * peg_related_usd(other, start, end) / baseline


@rule(r"drawdown change when redemption-value marks are used")
def drawdown_change(view: View, target: Target, match: re.Match[str]) -> float:
    """Fall in the other run less that of this run, over that of this run, in percent."""
    del match
    other = _other(view, REDEMPTION_VALUE)
    start, end = view.ns(0.0), view.ns(4200.0)
    falls = [
        fall(each, each.books_of(target)[0], "mark price", start, end) for each in (view, other)
    ]
    return 100.0 * (falls[1] - falls[0]) / falls[0]


@rule(r"ADL overshoot under an optimised allocation")
def adl_overshoot(view: View, target: Target, match: re.Match[str]) -> float:
    """What ADL took beyond need under the optimised rule over the same of this run, in %."""
    del match
    other = _other(view, OPTIMISED_ADL)
    mine = overshoot_usd(view, target)
    if not mine:
        raise CannotMeasureError("ADL of this run took nothing beyond need")
    return 100.0 * overshoot_usd(other, target) / mine


def peg_interval(view: View, target: Target) -> tuple[float, float]:
    """From the break of the first peg of this run to its end.  Raises ``CannotMeasureError``."""
    kind = target.asset_kind or "pegged_collateral"
    end = float(view.roles.end_ns)
    return first_break(view, "primary_spot", kind, BREAK_SHARE, end), end


def peg_related_usd(view: View, start_ns: float, end_ns: float) -> float:
    """Value liquidated on the primary venue in accounts whose loss came from a pegged asset."""
    started = view.columns(e.LiquidationStarted)
    symbols = np.array([row["symbol"] for row in view.run.assets], dtype=object)
    pegged = view.roles.bases("pegged_collateral")
    cause = started["cause_asset"]
    by_peg = np.array([asset >= 0 and symbols[asset] in pegged for asset in cause], bool)
    by_peg &= (started["time_ns"] >= start_ns) & (started["time_ns"] < end_ns)
    accounts = np.unique(started["account"][by_peg])
    venue = view.roles.venue("primary")
    items = [item for item in view.roles.instruments if item.venue == venue]
    forced: Forced = liquidations_of(view, [item for item in items if not item.is_spot])
    forced = forced.between(start_ns, end_ns)
    sold = view.columns(e.LiquidationStep)
    spot = np.array([item.is_spot for item in view.roles.instruments], bool)
    scales = np.array([item.scale for item in view.roles.instruments])
    mine = np.isin(sold["account"], accounts) & (sold["instrument"] >= 0)
    mine &= (sold["time_ns"] >= start_ns) & spot[np.maximum(sold["instrument"], 0)]
    collateral = (sold["value"] / scales[np.maximum(sold["instrument"], 0)])[mine].sum()
    return float(forced.usd[np.isin(forced.account, accounts)].sum() + collateral)


def _other(view: View, option: str) -> View:
    for other in view.others:
        if any(option in text for text in other.options):
            return other
    raise CannotMeasureError(f"needs a second run of this seed with {option!r}: give it --against")
