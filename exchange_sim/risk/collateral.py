"""What an asset counts as collateral: tiers by value, charged like a tax, exact in integers.

A holding earns each tier's ratio on the slice of its value inside that tier; beyond the last
bounded tier it earns nothing.  A debit is never haircut: ``min(v * c, v)`` is ``v`` for a negative
value. Sources: https://www.binance.com/en/support/faq/5e33af8e6ac04d57a1d0a3398e0a0752 (the
``min`` rule), https://www.binance.com/en/support/faq/4bec9126c021472285b20874f9380dfb (tiers by
value).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import attrs

from exchange_sim.units import PPM

Tier = tuple[int | None, int]
"""Upper bound of the tier in quote units (None: unbounded) and its ratio in ppm."""


def _tiers(tiers: Iterable[Tier]) -> tuple[Tier, ...]:
    return tuple(tiers)


UNBOUNDED = 1 << 128
"""Above every value."""


@attrs.frozen
class CollateralTable:
    """Collateral ratios of one asset.

    ``tiers`` are ``(upto, ratio_ppm)`` with rising bounds in quote units and ratios that
    never rise (more of an asset earns less); only the last bound may
    be None.  Raises ``ValueError`` that lists every problem.
    """

    tiers: tuple[Tier, ...] = attrs.field(converter=_tiers)
    flat: int = attrs.field(init=False, repr=False)
    """The ratio in ppm if one unbounded tier is all there is, else -1: the fast path."""
    until: int = attrs.field(init=False, repr=False)
    """Up to this value the first tier holds, at the ratio ``first_ppm``: the usual case."""
    first_ppm: int = attrs.field(init=False, repr=False)
    _starts: tuple[int, ...] = attrs.field(init=False, repr=False)
    _base_ppm: tuple[int, ...] = attrs.field(init=False, repr=False)
    _ratios: tuple[int, ...] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise ValueError("collateral table: " + "; ".join(problems))
        starts, base, ratios = [0], [0], [self.tiers[0][1]]
        for (upto, ratio), nxt in zip(self.tiers, (*self.tiers[1:], (None, 0)), strict=True):
            if upto is None:
                break
            base.append(base[-1] + (upto - starts[-1]) * ratio)
            starts.append(upto)
            ratios.append(nxt[1])
        unbounded = len(self.tiers) == 1 and self.tiers[0][0] is None
        object.__setattr__(self, "flat", ratios[0] if unbounded else -1)
        bound = self.tiers[0][0]
        object.__setattr__(self, "until", UNBOUNDED if bound is None else bound)
        object.__setattr__(self, "first_ppm", ratios[0])
        object.__setattr__(self, "_starts", tuple(starts))
        object.__setattr__(self, "_base_ppm", tuple(base))
        object.__setattr__(self, "_ratios", tuple(ratios))

    @classmethod
    def of_ratio(cls, ratio_ppm: int) -> CollateralTable:
        """One ratio for any size."""
        return cls(((None, ratio_ppm),))

    def _problems(self) -> list[str]:
        if not self.tiers:
            return ["it has no tier"]
        problems, bound, before = [], 0, PPM
        for k, (upto, ratio) in enumerate(self.tiers, start=1):
            if not 0 <= ratio <= PPM:
                problems.append(f"tier {k}: ratio {ratio} ppm is outside 0 to {PPM}")
            elif ratio > before:
                problems.append(f"tier {k}: ratio {ratio} ppm rises above {before}")
            before = min(ratio, PPM)
            if upto is None:
                if k != len(self.tiers):
                    problems.append(f"tier {k}: only the last tier may be unbounded")
                continue
            if upto <= bound:
                problems.append(f"tier {k}: bound {upto} does not rise above {bound}")
            bound = upto
        return problems

    def value(self, value_units: int) -> int:
        """Collateral value in quote units, rounded down; a negative value counts in full."""
        if value_units <= 0:
            return value_units
        if self.flat >= 0:
            return value_units * self.flat // PPM
        k = bisect_left(self._starts, value_units) - 1
        return (self._base_ppm[k] + (value_units - self._starts[k]) * self._ratios[k]) // PPM

    def marginal_ppm(self, value_units: int) -> int:
        """Ratio that the next unit of value earns; a debit counts in full (``PPM``)."""
        if value_units < 0:
            return PPM
        k = bisect_left(self._starts, value_units + 1) - 1
        return self._ratios[k]


def tax_by_tier(value_units: int, tiers: tuple[Tier, ...], beyond_ppm: int = 0) -> int:
    """Sum over tiers of (slice inside the tier) * rate, rounded up: for charges, not for credit.

    The margin of a liability grows this way (cross margin: initial and maintenance margin per coin,
    https://www.binance.com/en/support/faq/12a78d8aa813470f96be283b45f75410).  Rates may exceed one.
    """
    total, start = 0, 0
    for upto, rate_ppm in tiers:
        end = value_units if upto is None else min(value_units, upto)
        if end > start:
            total += (end - start) * rate_ppm
            start = end
    total += max(0, value_units - start) * beyond_ppm
    return -(-total // PPM)
