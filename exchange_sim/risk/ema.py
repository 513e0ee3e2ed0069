"""Time-weighted moving average in integers, so that every machine has the same digits.

::

    numerator   = numerator * exp(-t / tau) + sample * t
    denominator = denominator * exp(-t / tau) + t

Source: https://hyperliquid.gitbook.io/hyperliquid-docs/trading/robust-price-indices (the update
rule).  ``risk.hyperliquid.ema_update`` is the same in floats.
"""

from __future__ import annotations

from typing import Final

from exchange_sim.units import mul_div_nearest

ONE: Final = 1 << 64
"""One, as the fixed point of the weights."""
GUARD_BITS: Final = 32
"""Binary places below one nanosecond of weight, so that short intervals keep their fraction."""


def decay(dt_ns: int, tau_ns: int) -> int:
    """``exp(-dt / tau)`` times ``ONE``, to about 18 digits.

    Raises ``ValueError`` unless the time is at least zero and the constant positive.
    """
    if dt_ns < 0 or tau_ns <= 0:
        raise ValueError(
            f"a decay needs a time of at least 0 and a positive constant, not {tau_ns}"
        )
    if dt_ns > 60 * tau_ns:
        return 0
    halvings = 8
    x = (dt_ns * ONE // tau_ns) >> halvings
    term = total = ONE
    for k in range(1, 24):
        term = -(term * x) // (ONE * k)
        total += term
    for _ in range(halvings):
        total = total * total >> 64
    return total


class MovingAverage:
    """The average of samples that were taken at irregular times; integers of any unit."""

    __slots__ = ("_denominator", "_last_ns", "_numerator", "tau_ns")

    def __init__(self, tau_ns: int, start_ns: int) -> None:
        self.tau_ns = tau_ns
        self._last_ns = start_ns
        self._numerator = self._denominator = 0

    def add(self, now_ns: int, sample: int) -> None:
        """Take a sample that stands for the time since the last one; no time, no weight."""
        dt = now_ns - self._last_ns
        if dt <= 0:
            return
        self._last_ns = now_ns
        kept = decay(dt, self.tau_ns)
        self._numerator = (self._numerator * kept >> 64) + (sample * dt << GUARD_BITS)
        self._denominator = (self._denominator * kept >> 64) + (dt << GUARD_BITS)

    def value(self) -> int | None:
        """The average to the nearest, None before the first sample."""
        if not self._denominator:
            return None
        return mul_div_nearest(self._numerator, 1, self._denominator)

    def state(self) -> tuple[int, int, int]:
        """What a state digest needs."""
        return self._last_ns, self._numerator, self._denominator
