"""The maker's view of its own account and of its venues, as the conditions that policies judge."""

from __future__ import annotations

import math
from collections.abc import Sequence

from exchange_sim.strategy.api import Strategy
from exchange_sim.units import NANOS_PER_S
from strategies.pair import Pair
from strategies.policy import Conditions


class AccountWatch:
    """Fills ``conditions`` at each wake-up.

    Capital, against which the drawdown counts, follows the equity with the time constant
    ``recapitalise_s``: owners bring in money, or accept the loss.
    """

    def __init__(
        self,
        owner: Strategy,
        venues: Sequence[str],
        outages_ns: Sequence[tuple[int, int]],
        recapitalise_s: float,
    ) -> None:
        self.conditions = Conditions()
        self._owner = owner
        self._venues = venues
        self._outages_ns = outages_ns
        self._recapitalise_s = recapitalise_s
        self._capital = 0.0
        self._capital_ns = 0
        for venue in venues:
            owner.subscribe_margin(venue)

    def look(self, now_ns: int, signals: Sequence[Pair], pairs: Sequence[Pair]) -> Conditions:
        """Update and return the conditions; market-wide volatility is the mean over ``signals``."""
        c = self.conditions
        c.now_ns = now_ns
        c.market_vol = sum(pair.own_vol for pair in signals) / len(signals) if signals else 1.0
        c.outage = any(start <= now_ns < end for start, end in self._outages_ns)
        oldest = now_ns
        for pair in pairs:
            for waiting_ns in (pair.bids.waiting_ns, pair.asks.waiting_ns):
                if waiting_ns and waiting_ns < oldest:
                    oldest = waiting_ns
        c.ack_ns = now_ns - oldest
        margins = [self._owner.margin(venue) for venue in self._venues]
        known = [margin for margin in margins if margin.time_ns]
        if known:
            c.uni_mmr = min(margin.uni_mmr for margin in known)
            c.drawdown = self._drawdown(sum(margin.equity for margin in known), now_ns)
        return c

    def leverage(self) -> dict[str, float]:
        """Passive leverage and uniMMR by venue, as values to record.

        Leverage is what moves with prices, positions at mark and what is held beside the margin
        loan, over equity: it rises by itself when collateral falls.  Loans count as numeraire.
        """
        found: dict[str, float] = {}
        for venue in self._venues:
            margin = self._owner.margin(venue)
            if not margin.time_ns or margin.equity <= 0.0:
                continue
            gross = sum(abs(position.notional) for position in self._owner.positions(venue))
            owed = sum(self._owner.loans(venue).values())
            found[f"leverage_{venue}"] = (gross + margin.equity + owed) / margin.equity
            found[f"uni_mmr_{venue}"] = min(margin.uni_mmr, 1000.0)
        return found

    def _drawdown(self, equity: float, now_ns: int) -> float:
        if self._capital_ns:
            seconds = (now_ns - self._capital_ns) / NANOS_PER_S
            self._capital += (equity - self._capital) * -math.expm1(-seconds / self._recapitalise_s)
        else:
            self._capital = equity
        self._capital_ns = now_ns
        return 1.0 - equity / self._capital if self._capital > 0.0 else 1.0
