"""Stylised facts of returns, each with its confidence band.

The list is Cont's (2001, Quantitative Finance 1, 223-236): no linear autocorrelation, heavy tails,
volatility clustering and its slow decay, gain/loss asymmetry, aggregational Gaussianity, leverage
effect, volume-volatility correlation.  Pure functions on tables and arrays.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from exchange_sim.analysis.estimates import (
    Estimate,
    autocorrelation,
    excess_kurtosis,
    skewness,
    slope,
    tail_index,
)
from exchange_sim.analysis.metrics_impact import last_at
from exchange_sim.units import parse_duration

Floats = npt.NDArray[np.float64]


def returns(mids: pa.Table, every: str = "1m") -> Floats:
    """Log returns of the mid on a grid of whole intervals, from the first one that is known."""
    step = parse_duration(every)
    times, mid = mids.column("time_ns").to_numpy(), mids.column("mid").to_numpy()
    if not len(times):
        return np.zeros(0)
    grid = np.arange(-(-int(times[0]) // step), int(times[-1]) // step + 1) * step
    found: Floats = np.diff(np.log(mid[last_at(times, grid)]))
    return found


@attrs.frozen
class StylisedFacts:
    """The facts of one series of returns; an estimate is None where there are too few.

    ``acf`` and ``acf_absolute`` are by lag; ``decay`` is the exponent of the decay of the latter
    (``rho ~ lag^-decay``); ``kurtosis_by_scale`` is the excess kurtosis of sums of so many returns,
    which falls towards 0; ``leverage`` correlates a return with the next absolute one.
    """

    count: int
    tail_index: Estimate | None
    skewness: Estimate | None
    acf: dict[int, Estimate]
    acf_absolute: dict[int, Estimate]
    decay: Estimate | None
    kurtosis_by_scale: dict[int, Estimate]
    leverage: Estimate | None

    def asdict(self) -> dict[str, object]:
        """For JSON and reports."""
        return attrs.asdict(self)


def stylised_facts(
    values: Floats, lags: tuple[int, ...] = (1, 2, 5, 10, 20), scales: tuple[int, ...] = (1, 5, 20)
) -> StylisedFacts:
    """Estimate the facts of a series of returns."""
    sizes = np.abs(values)
    clustering = _known({lag: autocorrelation(sizes, lag) for lag in lags})
    return StylisedFacts(
        count=len(values),
        tail_index=tail_index(values),
        skewness=skewness(values),
        acf=_known({lag: autocorrelation(values, lag) for lag in lags}),
        acf_absolute=clustering,
        decay=_decay(clustering),
        kurtosis_by_scale=_known({n: excess_kurtosis(aggregated(values, n)) for n in scales}),
        leverage=correlation(values[:-1], sizes[1:]),
    )


def _known(found: dict[int, Estimate | None]) -> dict[int, Estimate]:
    return {key: estimate for key, estimate in found.items() if estimate is not None}


def aggregated(values: Floats, scale: int) -> Floats:
    """Sums of ``scale`` returns that do not overlap; a rest at the end is left out."""
    count = len(values) // scale
    found: Floats = values[: count * scale].reshape(count, scale).sum(axis=1)
    return found


def correlation(x: Floats, y: Floats) -> Estimate | None:
    """Correlation of two series; the error is ``1 / sqrt(n)``, that of independent ones."""
    if len(x) < 3 or not np.std(x) or not np.std(y):
        return None
    value = float(np.corrcoef(x, y)[0, 1])
    return Estimate.of(value, 1 / math.sqrt(len(x)), len(x))


def _decay(clustering: dict[int, Estimate]) -> Estimate | None:
    """Exponent of a power law through the positive autocorrelations of absolute returns."""
    positive = [(lag, found.value) for lag, found in clustering.items() if found.value > 0]
    if len(positive) < 3:
        return None
    lags, values = (np.log(np.array(column, float)) for column in zip(*positive, strict=True))
    found = slope(lags, values)
    return Estimate(-found.value, -found.high, -found.low, found.count) if found else None
