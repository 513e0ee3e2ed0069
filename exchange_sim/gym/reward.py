"""What a learner is paid per step."""

from __future__ import annotations

import math

from exchange_sim.errors import UsageError
from exchange_sim.gym.seat import BP


class Reward:
    """Change of net worth in basis points of the opening one, less a charge on the holding.

    ``risk_aversion`` is the charge per step for a holding of 1 (in units of ``inventory_max``); it
    grows with the square, as the inventory risk in Avellaneda and Stoikov (2008) does.
    """

    def __init__(self, risk_aversion: float) -> None:
        """Raises ``UsageError`` for what is no finite number of at least 0."""
        if not (math.isfinite(risk_aversion) and risk_aversion >= 0):
            raise UsageError(f"risk_aversion={risk_aversion!r} is no number of at least 0")
        self._aversion = risk_aversion
        self._opening = self._before = 1.0

    def start(self, worth: float) -> None:
        """Begin an episode with a net worth in the numeraire, above zero."""
        self._opening = self._before = worth

    def of(self, worth: float, held: float) -> float:
        """The reward of a step that ends with this net worth and holding."""
        gained = (worth - self._before) / self._opening * BP
        self._before = worth
        return gained - self._aversion * held * held
