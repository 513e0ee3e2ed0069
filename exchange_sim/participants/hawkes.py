"""Self-exciting arrivals: the exponential Hawkes process, one O(1) step per event.

    lambda(t) = mu + SUM alpha * exp(-beta * (t - t_i))
    n = alpha / beta;  mean rate = mu / (1 - n)

Sampling: Dassios & Zhao (2013), "Exact simulation of Hawkes process with exponentially decaying
intensity", Electron. Commun. Probab. 18(62): the next arrival is the earlier of one from the
constant part and one from the decaying part, so no candidate is ever rejected.
"""

from __future__ import annotations

import math

import attrs

from exchange_sim.rng import Stream
from exchange_sim.units import NANOS_PER_S


@attrs.frozen
class HawkesParams:
    """Mean rate per second (offspring included), branching ratio and decay per second."""

    rate_per_s: float = attrs.field(validator=attrs.validators.gt(0.0))
    branching: float = attrs.field(
        default=0.6, validator=[attrs.validators.ge(0.0), attrs.validators.lt(1.0)]
    )
    decay_per_s: float = attrs.field(default=1.0, validator=attrs.validators.gt(0.0))


class Hawkes:
    """One stream of arrival times in nanoseconds, starting in its stationary mean.

    ``excess`` is the self-excited part of the intensity just after the last arrival.
    """

    __slots__ = ("_alpha", "_beta", "_mu", "_random", "_seconds", "_start_ns", "excess")

    def __init__(self, params: HawkesParams, stream: Stream, start_ns: int = 0) -> None:
        self._mu = params.rate_per_s * (1.0 - params.branching)
        self._beta = params.decay_per_s
        self._alpha = params.branching * params.decay_per_s
        self._random = stream.random
        self._start_ns = start_ns
        self._seconds = 0.0
        self.excess = params.rate_per_s - self._mu

    def next_ns(self) -> int:
        """Time of the next arrival."""
        random, beta, excess = self._random, self._beta, self.excess
        wait = -math.log(1.0 - random()) / self._mu
        if excess > 0.0:
            rest = 1.0 + beta * math.log(1.0 - random()) / excess
            if rest > 0.0:
                wait = min(wait, -math.log(rest) / beta)
        self.excess = excess * math.exp(-beta * wait) + self._alpha
        self._seconds += wait
        return self._start_ns + int(self._seconds * NANOS_PER_S)
