"""Estimates with their uncertainty: regressions, autocorrelations, tails.

Every estimate carries a 95 % confidence band of its asymptotic distribution and the number of
observations behind it.  All functions take plain arrays and are pure.
"""

from __future__ import annotations

import math
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Z95: Final = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@attrs.frozen
class Estimate:
    """A value with its 95 % band ``low`` to ``high`` and the ``count`` of observations."""

    value: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, value: float, error: float, count: int) -> Estimate:
        """From a standard error."""
        return cls(value, value - Z95 * error, value + Z95 * error, count)

    def excludes(self, other: float) -> bool:
        """Whether a value lies outside the band: the estimate differs from it at 95 %."""
        return not self.low <= other <= self.high


def mean(values: Floats) -> Estimate | None:
    """Mean of independent observations; None for fewer than two."""
    if len(values) < 2:
        return None
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Estimate.of(float(np.mean(values)), error, len(values))


def slope(x: Floats, y: Floats) -> Estimate | None:
    """Slope of the regression of ``y`` on ``x`` with a constant; None when ``x`` does not vary.

    The error is robust to heteroskedasticity (White 1980, 10.2307/1912934, HC0).
    """
    count = len(x)
    if count < 3:
        return None
    centred = x - x.mean()
    spread = float(centred @ centred)
    if spread <= 0:
        return None
    value = float(centred @ y) / spread
    rest = y - y.mean() - value * centred
    error = math.sqrt(float((centred**2) @ (rest**2))) / spread
    return Estimate.of(value, error, count)


def autocorrelation(values: Floats, lag: int) -> Estimate | None:
    """Autocorrelation at a lag; the band is that of white noise around it (Bartlett 1946).

    ``rho(k) = sum (x_t - m)(x_{t+k} - m) / sum (x_t - m)^2``, error ``1 / sqrt(n)``.  None for a
    series that is too short or does not vary.
    """
    count = len(values)
    centred = values - values.mean() if count else values
    total = float(centred @ centred)
    if not 0 < lag < count or total <= 0:
        return None
    value = float(centred[:-lag] @ centred[lag:]) / total
    return Estimate.of(value, 1 / math.sqrt(count), count)


def tail_index(values: Floats, share: float = 0.05) -> Estimate | None:
    """Hill's estimator of the tail index of ``|values|`` from the largest ``share`` of them.

    ``1 / mean(log(x_i / x_k))`` over the ``k`` largest, ``x_k`` the next one (Hill 1975,
    10.1214/aos/1176343247); error ``alpha / sqrt(k)``.  None for fewer than two tail values.
    """
    sizes = np.sort(np.abs(values))[::-1]
    sizes = sizes[sizes > 0]
    tail = int(len(sizes) * share)
    if tail < 2 or tail >= len(sizes):
        return None
    logs = np.log(sizes[:tail] / sizes[tail])
    total = float(logs.sum())
    if total <= 0:
        return None
    alpha = tail / total
    return Estimate.of(alpha, alpha / math.sqrt(tail), tail)


def excess_kurtosis(values: Floats) -> Estimate | None:
    """Fourth standardised moment less 3; 0 for a normal law, error ``sqrt(24 / n)`` under it."""
    if len(values) < 4:
        return None
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    if variance <= 0:
        return None
    value = float(np.mean(centred**4)) / variance**2 - 3
    return Estimate.of(value, math.sqrt(24 / len(values)), len(values))


def skewness(values: Floats) -> Estimate | None:
    """Third standardised moment; 0 for a symmetric law, error ``sqrt(6 / n)`` under the normal."""
    if len(values) < 3:
        return None
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    if variance <= 0:
        return None
    value = float(np.mean(centred**3)) / variance**1.5
    return Estimate.of(value, math.sqrt(6 / len(values)), len(values))


def reversion(values: Floats) -> Estimate | None:
    """Speed at which a series returns to its mean: minus the slope of its change on its level.

    1 is back at once, 0 is never.  For depth or spread this is *resiliency* (Kempf, Mayston,
    Yadav 2009; Foucault, Kadan, Kandel 2005, 10.1093/rfs/hhi029).
    """
    if len(values) < 4:
        return None
    found = slope(values[:-1], np.diff(values))
    if found is None:
        return None
    return Estimate(-found.value, -found.high, -found.low, found.count)


def half_life(speed: float) -> float:
    """Steps until half of a deviation is gone, at a speed of reversion; infinite at 0 or less."""
    if speed <= 0:
        return math.inf
    return math.log(2) / -math.log1p(-speed) if speed < 1 else 0.0
