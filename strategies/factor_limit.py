"""Withdrawal because of one factor: when the lead market falls, no bid of any coin is safe.

A maker of a thousand coins has one risk, the factor that moves all of them, and learns of it from
one market, the lead.  A fall beyond its limit makes it cancel its bids everywhere at once, before
the coins themselves have traded: Cespa & Foucault (2014), "Illiquidity contagion and liquidity
crashes", Rev. Fin. Stud. 27(6); Chordia, Roll & Subrahmanyam (2000), "Commonality in liquidity", J.
Financ. Econ. 56(1).
"""

from __future__ import annotations

import attrs

from exchange_sim.messages.reasons import WithdrawalCause
from exchange_sim.rng import Stream
from exchange_sim.units import NANOS_PER_S
from strategies.policy import AccountPolicy, Conditions, StagedReturn


@attrs.frozen
class FactorParams:
    """``limit`` is the fall of the lead under its recent mean from which bids go to ``bid``.

    It is drawn per maker, log-normally, so that makers leave one by one.  The mean is the maker's
    (``lead_memory_s``).  The way back begins when the fall is less than ``clear`` of the limit.
    """

    limit_median: float = 0.01
    limit_log_sd: float = 0.25
    clear: float = 0.5
    bid: float = 0.0
    ask: float = 0.5
    return_half_life_s: float = 120.0


class FactorPolicy(AccountPolicy):
    """Bids of all pairs go when the lead has fallen by the maker's limit; asks shrink."""

    cause = WithdrawalCause.FACTOR
    pulls = True

    def __init__(self, params: FactorParams, stream: Stream) -> None:
        super().__init__()
        self.limit = stream.lognormal(params.limit_median, params.limit_log_sd)
        self.out = False
        self.ask_scale = StagedReturn()
        self._params = params

    def update(self, conditions: Conditions) -> None:
        """Leave at the limit, return once the fall has shrunk to a part of it."""
        p, fall = self._params, conditions.lead_fall
        self.out = fall >= (self.limit * p.clear if self.out else self.limit)
        half_life = p.return_half_life_s * NANOS_PER_S
        self.bid_scale.step(p.bid if self.out else 1.0, conditions.now_ns, half_life)
        self.ask_scale.step(p.ask if self.out else 1.0, conditions.now_ns, half_life)
