"""Maintenance and initial margin by notional bracket, exact in integers.

A bracket holds notionals above its floor up to and including the next floor.  The maintenance
margin is charged like a tax: each slice of the notional at the rate of its own bracket.  Venues
publish the same thing as ``notional * mmr_k - cum_k`` with

    cum_k = cum_(k-1) + floor_k * (mmr_k - mmr_(k-1)),   cum_0 = 0

which makes the margin continuous at every floor.  Source of the formula:
https://www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93 (USD-M, COIN-M alike).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import attrs

from exchange_sim.units import PPM


def cumulative_ppm(floors: Sequence[int], mmr_ppm: Sequence[int]) -> tuple[int, ...]:
    """The ``cum`` column times 10**6, by the recursion above; exact, so it needs no rounding."""
    cum = [0] * len(floors)
    for k in range(1, len(floors)):
        cum[k] = cum[k - 1] + floors[k] * (mmr_ppm[k] - mmr_ppm[k - 1])
    return tuple(cum)


def maintenance_up(notional: int, mmr_ppm: int, cum_ppm: int) -> int:
    """``notional * mmr - cum`` in quote units, rounded up, never below zero."""
    return max(0, -((cum_ppm - notional * mmr_ppm) // PPM))


def _ints(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(values)


@attrs.frozen
class BracketTable:
    """Leverage brackets of one instrument.

    ``floors`` are notionals in quote units, ``mmr_ppm`` maintenance rates in parts per million,
    ``leverage`` the highest leverage that each bracket allows.  ``closing_fee_ppm`` of the notional
    is part of the maintenance margin where a venue wants the fee of closing to be covered too.
    Raises ``ValueError`` that lists every problem when the table is not one that a venue could run.
    """

    floors: tuple[int, ...] = attrs.field(converter=_ints)
    mmr_ppm: tuple[int, ...] = attrs.field(converter=_ints)
    leverage: tuple[int, ...] = attrs.field(converter=_ints)
    closing_fee_ppm: int = 0
    rates_ppm: tuple[int, ...] = attrs.field(init=False, repr=False)
    _cum_ppm: tuple[int, ...] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise ValueError("bracket table: " + "; ".join(problems))
        rates = tuple(rate + self.closing_fee_ppm for rate in self.mmr_ppm)
        object.__setattr__(self, "rates_ppm", rates)
        object.__setattr__(self, "_cum_ppm", cumulative_ppm(self.floors, self.mmr_ppm))

    def _problems(self) -> list[str]:
        floors, mmr, leverage = self.floors, self.mmr_ppm, self.leverage
        problems = []
        if not floors:
            return ["it has no bracket"]
        if len(mmr) != len(floors) or len(leverage) != len(floors):
            lengths = f"{len(floors)} floors, {len(mmr)} rates, {len(leverage)} leverages"
            return [f"the columns differ in length ({lengths})"]
        if floors[0] != 0:
            problems.append(f"the first floor must be 0, not {floors[0]}")
        if leverage[-1] < 1:
            problems.append(f"leverage must be at least 1, not {leverage[-1]}")
        if mmr[0] <= 0:
            problems.append(f"the first maintenance rate must be positive, not {mmr[0]} ppm")
        for k in range(1, len(floors)):
            before = f"bracket {k + 1}: "
            if floors[k] <= floors[k - 1]:
                problems.append(f"{before}floor {floors[k]} does not rise above {floors[k - 1]}")
            if mmr[k] <= mmr[k - 1]:
                problems.append(f"{before}rate {mmr[k]} ppm does not rise above {mmr[k - 1]}")
            if leverage[k] >= leverage[k - 1]:
                problems.append(
                    f"{before}leverage {leverage[k]} does not fall below {leverage[k - 1]}"
                )
        for k, (rate, times) in enumerate(zip(mmr, leverage, strict=True), start=1):
            whole = rate + self.closing_fee_ppm
            if times >= 1 and whole * times > PPM:
                problems.append(
                    f"bracket {k}: rate {whole} ppm exceeds the initial margin of leverage {times}"
                )
        if self.closing_fee_ppm < 0:
            problems.append(f"the closing fee must be at least 0, not {self.closing_fee_ppm} ppm")
        return problems

    @property
    def cum(self) -> tuple[int, ...]:
        """The ``cum`` column in quote units, rounded down (published tables are whole numbers)."""
        return tuple(value // PPM for value in self._cum_ppm)

    @property
    def cum_ppm(self) -> tuple[int, ...]:
        """The exact ``cum`` column in millionths of a quote unit."""
        return self._cum_ppm

    def bracket(self, notional_units: int) -> int:
        """Index of a notional's bracket, from 0.  A floor itself belongs to the lower bracket."""
        k = bisect_left(self.floors, notional_units) - 1
        return max(0, k)

    def max_leverage(self, notional_units: int) -> int:
        """The highest leverage allowed for a position of this notional."""
        return self.leverage[self.bracket(notional_units)]

    def max_notional(self, leverage: int) -> int | None:
        """The largest notional that ``leverage`` allows; None without a bound, 0 if never."""
        allowed = sum(1 for times in self.leverage if times >= leverage)
        if allowed == len(self.floors):
            return None
        return self.floors[allowed]

    def maintenance(self, notional_units: int) -> int:
        """Maintenance margin in quote units, rounded up."""
        k = bisect_left(self.floors, notional_units) - 1
        if k < 0:
            return 0
        return -((self._cum_ppm[k] - notional_units * self.rates_ppm[k]) // PPM)

    def margins(self, notional_units: int, leverage: int) -> tuple[int, int]:
        """``maintenance`` and ``initial`` (leverage >= 1) with one look-up."""
        k = bisect_left(self.floors, notional_units) - 1
        if k < 0:
            return 0, -(-notional_units // min(leverage, self.leverage[0]))
        return (
            -((self._cum_ppm[k] - notional_units * self.rates_ppm[k]) // PPM),
            -(-notional_units // min(leverage, self.leverage[k])),
        )

    def initial(self, notional_units: int, leverage: int) -> int:
        """Initial margin in quote units, rounded up; the bracket caps ``leverage``.

        Raises ``ValueError`` for a leverage below 1.
        """
        if leverage < 1:
            raise ValueError(f"leverage must be at least 1, not {leverage}")
        allowed = self.leverage[self.bracket(notional_units)]
        return -(-notional_units // min(leverage, allowed))
