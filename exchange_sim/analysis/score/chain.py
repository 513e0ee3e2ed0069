"""Lending pools, automated market makers and the issuer.

The tables that these figures come from are written by runs whose scenario has a chain; a run
without one does not show them.
"""

from __future__ import annotations

import re

from exchange_sim.analysis.score.rules import rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import CannotMeasureError, View


@rule(r"lending-protocol|liquidation bonus over|redemptions in .* over supply|stableswap pool")
def on_chain(view: View, target: Target, match: re.Match[str]) -> float:
    """Figures of systems on a chain."""
    del view, match
    raise CannotMeasureError(f"the run has no {target.venue_kind} system")
