"""What a scenario was given: outages and shocks.  Listed for the reader, never scored."""

from __future__ import annotations

import re

from exchange_sim.analysis.score.rules import rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import NANOS, CannotMeasureError, View
from exchange_sim.messages import events as e


@rule(r"withdrawals .*suspended|transfers .*(suspended|degraded)")
def transfers_off(view: View, target: Target, match: re.Match[str]) -> float:
    """Minutes of the window in which transfers out of the target's venue were switched off."""
    del match
    start, end = view.window(target)
    venue = view.roles.venue(target.venue_kind)
    names = dict.fromkeys(item.venue for item in view.roles.instruments)
    rows = view.columns(e.TransfersSwitched)
    ids = {row["venue"] for row in view.run.accounts if row["venue_name"] == venue}
    if venue not in names:
        raise CannotMeasureError(f"the run has no {target.venue_kind} venue")
    total, since = 0.0, None
    for own, time_ns, enabled in zip(rows["venue"], rows["time_ns"], rows["enabled"], strict=True):
        if own in ids and not enabled and since is None:
            since = float(time_ns)
        elif own in ids and enabled and since is not None:
            total += max(0.0, min(end, float(time_ns)) - max(start, since))
            since = None
    if since is not None:
        total += max(0.0, end - max(start, since))
    return total / NANOS / 60.0


@rule(r"equity proxy move")
def equity_move(view: View, target: Target, match: re.Match[str]) -> float:
    """Fall of an equity index."""
    del view, target, match
    raise CannotMeasureError("no equity is traded in the emulator")
