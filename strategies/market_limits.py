"""Withdrawal for reasons of the market: volatility, broken infrastructure, toxic flow.

``1 / (1 + (s/k)^2)`` with a mostly market-wide s heals after a crash; a limit on the own book
alone never does, because a thin book is always volatile.  Thresholds and delays are drawn per
maker, so that makers leave and come back one by one.
"""

from __future__ import annotations

import attrs

from exchange_sim.messages.reasons import WithdrawalCause
from exchange_sim.rng import Stream
from exchange_sim.units import NANOS_PER_S
from strategies.policy import Conditions, Policy, Quoted, StagedReturn


@attrs.frozen
class VolatilityParams:
    """``limit`` is the volatility over calm at which half the size is gone (k of the law)."""

    limit_median: float = 17.0
    limit_log_sd: float = 0.4
    own_book_weight: float = 0.2
    return_half_life_s: float = 360.0
    hysteresis: float = 0.1


class VolatilityPolicy(Policy):
    """size = 1 / (1 + (s/k)^2), s the geometric mean of market-wide and own-book volatility."""

    cause = WithdrawalCause.VOLATILITY

    def __init__(self, params: VolatilityParams, stream: Stream) -> None:
        self.limit = stream.lognormal(params.limit_median, params.limit_log_sd)
        self._own_weight = params.own_book_weight
        self._half_life_ns = params.return_half_life_s * NANOS_PER_S
        self._band = params.hysteresis
        self._now_ns = 0
        self._market = 1.0
        self._scales: dict[int, StagedReturn] = {}

    def update(self, conditions: Conditions) -> None:
        """Remember the market-wide part of the signal."""
        self._now_ns = conditions.now_ns
        self._market = conditions.market_vol ** (1.0 - self._own_weight)

    def bid(self, pair: Quoted) -> float:
        """Both sides shrink alike."""
        state = self._scales.get(pair.index)
        if state is None:
            state = self._scales[pair.index] = StagedReturn()
        signal = self._market * float(pair.own_vol**self._own_weight) / self.limit
        target = 1.0 / (1.0 + signal * signal)
        return state.step(target, self._now_ns, self._half_life_ns, self._band)

    def ask(self, pair: Quoted) -> float:
        """The scale that ``bid`` has just worked out."""
        state = self._scales.get(pair.index)
        return state.value if state else 1.0

    def both(self, pair: Quoted) -> tuple[float, float]:
        """The same for both."""
        scale = self.bid(pair)
        return scale, scale


@attrs.frozen
class InfrastructureParams:
    """Scales and delays (``delay_min_s`` to ``delay_max_s``) are drawn per maker, uniformly.

    ``venues`` are those whose trouble it is (none: all); pairs elsewhere are cut to a scale between
    ``elsewhere_low`` and ``elsewhere_high``, because their inventory cannot be moved either.
    """

    ack_limit_ms: float = 500.0
    delay_min_s: float = 0.0
    delay_max_s: float = 240.0
    alt_low: float = 0.02
    alt_high: float = 0.10
    major_low: float = 0.25
    major_high: float = 0.60
    venues: tuple[str, ...] = ()
    elsewhere_low: float = 0.25
    elsewhere_high: float = 0.60
    return_half_life_s: float = 360.0


class InfrastructurePolicy(Policy):
    """Transfers suspended or acknowledgements slow: after an own delay, a small part of the size.

    Ends when the venue has been normal for as long as a fresh draw of the same delay, halved.
    """

    cause = WithdrawalCause.INFRASTRUCTURE

    def __init__(self, params: InfrastructureParams, stream: Stream) -> None:
        self._params = params
        self._stream = stream
        self._alt_low = stream.uniform(params.alt_low, params.alt_high)
        self._major_low = stream.uniform(params.major_low, params.major_high)
        self._elsewhere_low = stream.uniform(params.elsewhere_low, params.elsewhere_high)
        self._out = False
        self._act_ns = 0
        self._alt = StagedReturn()
        self._major = StagedReturn()
        self._elsewhere = StagedReturn()

    def update(self, conditions: Conditions) -> None:
        """Start or end the own clock, then work out the scales."""
        p, now = self._params, conditions.now_ns
        trouble = conditions.outage or conditions.ack_ns > p.ack_limit_ms * 1_000_000
        if trouble == self._out:
            self._act_ns = 0
        elif not self._act_ns:
            delay = self._stream.uniform(p.delay_min_s, p.delay_max_s) * (1.0 if trouble else 0.5)
            self._act_ns = now + int(delay * NANOS_PER_S)
        elif now >= self._act_ns:
            self._out = trouble
            self._act_ns = 0
        half_life = p.return_half_life_s * NANOS_PER_S
        self._alt.step(self._alt_low if self._out else 1.0, now, half_life)
        self._major.step(self._major_low if self._out else 1.0, now, half_life)
        self._elsewhere.step(self._elsewhere_low if self._out else 1.0, now, half_life)

    def bid(self, pair: Quoted) -> float:
        """Majors keep more than the rest, other venues more than the one in trouble."""
        if self._params.venues and pair.venue not in self._params.venues:
            return self._elsewhere.value
        return self._major.value if pair.is_major else self._alt.value

    def both(self, pair: Quoted) -> tuple[float, float]:
        """The same for both."""
        scale = self.bid(pair)
        return scale, scale


@attrs.frozen
class ToxicityParams:
    """Imbalance of aggressive volume above which a pair is left alone, and for how long."""

    limit: float = 0.9
    cool_off_s: float = 120.0
    return_half_life_s: float = 60.0


class ToxicityPolicy(Policy):
    """One-sided flow on a pair: cancel both sides, cool off, come back.

    The signal is |buys - sells| over volume with a one-minute memory, a continuous form of VPIN
    (Easley, Lopez de Prado & O'Hara 2012).  Andersen & Bondarenko (2014) found that VPIN peaks
    after a crash, not before it: it is one trigger among others and switched off by default.
    """

    cause = WithdrawalCause.TOXICITY

    def __init__(self, params: ToxicityParams) -> None:
        self._params = params
        self._now_ns = 0
        self._until_ns: dict[int, int] = {}
        self._scales: dict[int, StagedReturn] = {}

    def update(self, conditions: Conditions) -> None:
        """Remember the time."""
        self._now_ns = conditions.now_ns

    def bid(self, pair: Quoted) -> float:
        """Zero during the cool-off of the pair."""
        p, now = self._params, self._now_ns
        if pair.toxicity > p.limit:
            self._until_ns[pair.index] = now + int(p.cool_off_s * NANOS_PER_S)
        state = self._scales.setdefault(pair.index, StagedReturn())
        target = 0.0 if now < self._until_ns.get(pair.index, 0) else 1.0
        return state.step(target, now, p.return_half_life_s * NANOS_PER_S)
