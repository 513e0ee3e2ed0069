"""Fixed-spread ladder: what most venue programmes ask of a market maker.

    half spread = h0 * (1 + w * (s - 1))      s: market-wide volatility over calm, at least 1
    shift       = -k * h0 * q                 q: inventory over its limit

The widening and the inventory shift are linear in their signals (Ho & Stoll 1981, "Optimal dealer
pricing under transactions and return uncertainty", J. Financ. Econ. 9(1), for the signs).
"""

from __future__ import annotations

import attrs

from strategies.maker import Maker, MakerParams
from strategies.pair import Pair


@attrs.frozen
class LadderParams(MakerParams):
    """``widen_per_vol`` is w, ``skew_half_spreads`` is k."""

    widen_per_vol: float = 0.2
    skew_half_spreads: float = 1.0


class LadderMaker(Maker):
    """Levels at fixed distances around the fair value, wider in a volatile market."""

    Params = LadderParams

    def offsets(self, pair: Pair) -> tuple[float, float]:
        """Shift and half spread in bp."""
        p: LadderParams = self.params
        base = pair.params.half_spread_bp
        excess = max(0.0, self.watch.conditions.market_vol - 1.0)
        return -p.skew_half_spreads * base * pair.inventory, base * (1.0 + p.widen_per_vol * excess)
