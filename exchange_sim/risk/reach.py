"""Limits of an account's ratio of equity to maintenance, and how far it is from them."""

from __future__ import annotations

import numpy as np

from exchange_sim.risk.columns import Floats, Ints, Screening

RELATIVE_ERROR = 1e-9
"""Far above the rounding error of a sum of a few dozen doubles, far below any margin that
matters."""
NEVER = np.inf
UNBOUNDED = 1e30
"""As a limit of equity over maintenance: none."""
Limits = tuple[float, float]
"""Equity over maintenance above the first and at or below the second is nothing new."""
ABOVE_ONE: Limits = (1.0, UNBOUNDED)
NEVER_NAMED: Limits = (-UNBOUNDED, UNBOUNDED)


def outside(screening: Screening, low: Floats, high: Floats, slack: float) -> Ints:
    """Mirror indexes whose equity may not lie above ``low`` and at or below ``high`` maintenance.

    ``slack`` (smallest units) covers the rounding of the exact calculation.  Whoever has no
    maintenance margin owes nothing and is outside only if ``high`` is bounded.
    """
    equity, maintenance = screening.equity, screening.maintenance
    tolerance = RELATIVE_ERROR * screening.gross + slack
    under = (maintenance > 0) & (equity - low * maintenance <= tolerance)
    over = (high < UNBOUNDED) & (equity - high * maintenance > -tolerance)
    return np.nonzero(under | over)[0]


def room_of(
    seen: Screening,
    low: Floats,
    high: Floats,
    slack: float,
    rate_max: float,
    error: float = RELATIVE_ERROR,
) -> Floats:
    """The relative move of all prices that takes nobody outside of its limits; 0 if none does.

    ``error`` is that of equity and of maintenance, relative to what they are sums of.
    """
    equity, maintenance = seen.equity, seen.maintenance
    grown = rate_max * seen.gross + maintenance
    found = np.full(len(equity), NEVER)
    for limit, sign in ((low, 1.0), (high, -1.0)):
        spread = seen.gross + np.abs(limit) * grown
        room = sign * (equity - limit * maintenance) - 2.0 * (error * spread + slack)
        room /= np.maximum(spread, 1.0)
        none = (low <= -UNBOUNDED) | (maintenance <= 0) if sign > 0 else high >= UNBOUNDED
        room[none] = NEVER
        np.minimum(found, room, out=found)
    np.maximum(found, 0.0, out=found)
    return found
