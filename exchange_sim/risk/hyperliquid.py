"""Margin, liquidation, mark and ADL rules of the on-chain perpetual venue (Hyperliquid profile).

::

    maintenance rate = 1 / (2 * maximum leverage of the tier)
    MM               = notional * rate_n - deduction_n          (deductions as in ``brackets``)
    liq price        = mark - side * margin available / size / (1 - l * side),  l = maintenance rate

``side`` is 1 long, -1 short.  Figures are exact ``Fraction``; the moving average is the one float,
because its weights are exponentials.  Sources:
https://hyperliquid.gitbook.io/hyperliquid-docs/trading (liquidations, margin-tiers,
auto-deleveraging, robust-price-indices, funding), hypercore/oracle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final

Number = int | Fraction
LeverageTier = tuple[Number, Number]
"""Lower bound of the tier in notional, and its maximum leverage."""

BACKSTOP_SHARE: Final = Fraction(2, 3)
PARTIAL_FROM: Final = 100_000
PARTIAL_SHARE: Final = Fraction(20, 100)
COOLDOWN_S: Final = 30
FUNDING_CAP_HOUR: Final = Fraction(4, 100)
HEALTHY, BOOK_LIQUIDATION, BACKSTOP, ADL = "HEALTHY", "BOOK_LIQUIDATION", "BACKSTOP", "ADL"


def maintenance_rate(max_leverage: Number) -> Fraction:
    """Half of the initial margin at maximum leverage.  ``ValueError`` below leverage 1."""
    if max_leverage < 1:
        raise ValueError(f"maximum leverage must be at least 1, not {float(max_leverage)}")
    return 1 / Fraction(2 * max_leverage)


def deductions(tiers: Sequence[LeverageTier]) -> list[Fraction]:
    """The deduction of every tier, by the recursion that makes the margin continuous."""
    found = [Fraction(0)]
    for (_, above), (floor, leverage) in pairwise(tiers):
        step = maintenance_rate(leverage) - maintenance_rate(above)
        found.append(found[-1] + floor * step)
    return found


def maintenance(notional: Number, tiers: Sequence[LeverageTier]) -> tuple[Fraction, Fraction, int]:
    """Maintenance margin, deduction and tier index of a notional; a floor is in the lower tier."""
    tier = max((k for k, (floor, _) in enumerate(tiers) if floor < notional), default=0)
    deduction = deductions(tiers)[tier]
    rate = maintenance_rate(tiers[tier][1])
    return notional * rate - deduction, deduction, tier


def liquidation_price(
    price: Number, side: int, size: Number, margin_available: Number, rate: Fraction
) -> Fraction | None:
    """Price at which equity meets maintenance; None when no positive price does."""
    found = price - side * Fraction(margin_available) / size / (1 - rate * side)
    return found if found > 0 else None


def liquidation_price_by_tier(
    price: Number, side: int, size: Number, equity: Number, tiers: Sequence[LeverageTier]
) -> Fraction | None:
    """As above, in the tier that the notional falls in at the liquidation price itself."""
    cut = deductions(tiers)
    for k, (floor, leverage) in enumerate(tiers):
        rate = maintenance_rate(leverage)
        available = equity - (size * price * rate - cut[k])
        found = liquidation_price(price, side, size, available, rate)
        upper = tiers[k + 1][0] if k + 1 < len(tiers) else None
        if found is not None and floor <= size * found and (upper is None or size * found <= upper):
            return found
    return None


def liquidation_state(account_value: Number, maintenance_margin: Number) -> str:
    """Where an account stands: healthy, sold through the book, backstop vault, or ADL."""
    if account_value >= maintenance_margin:
        return HEALTHY
    if account_value < 0:
        return ADL
    if account_value < BACKSTOP_SHARE * maintenance_margin:
        return BACKSTOP
    return BOOK_LIQUIDATION


def liquidation_order(notional: Number, seconds_since_partial: Number | None) -> Number:
    """Notional of the next liquidation order.

    Above 100,000 the first is 20 % of the position; within 30 s of it every one is for all.
    """
    cooling = seconds_since_partial is not None and seconds_since_partial < COOLDOWN_S
    return notional if cooling or notional <= PARTIAL_FROM else notional * PARTIAL_SHARE


def adl_index(
    side: int, mark: Number, entry: Number, notional: Number, account_value: Number
) -> Fraction | None:
    """Profit times leverage; None (rank first) for an account without value.

    The page prints ``mark / entry`` only; for a short the inverse is used, so that profit ranks
    high.
    """
    if account_value <= 0:
        return None
    gain = Fraction(mark) / entry if side > 0 else Fraction(entry) / mark
    return gain * notional / account_value


def ema_update(
    numerator: float, denominator: float, sample: float, dt_s: float, tau_s: float
) -> tuple[float, float, float]:
    """Numerator, denominator and value of the time-weighted moving average after one sample."""
    decay = math.exp(-dt_s / tau_s)
    numerator = numerator * decay + sample * dt_s
    denominator = denominator * decay + dt_s
    return numerator, denominator, numerator / denominator if denominator else 0.0


def mark_inputs(
    oracle: Number,
    ema_mid_minus_oracle: Number | None,
    bid: Number | None,
    ask: Number | None,
    last: Number | None,
    external: Number | None,
) -> tuple[Number | None, Number | None, Number | None]:
    """The three inputs of the mark: oracle plus averaged basis, own book, other venues.

    Own book is the median of best bid, best ask and last trade, of those that exist.
    """
    own = [price for price in (bid, ask, last) if price is not None]
    basis = None if ema_mid_minus_oracle is None else oracle + ema_mid_minus_oracle
    return basis, median(own) if own else None, external


def mark_price(inputs: Sequence[Number | None], ema_own_book: Number | None = None) -> Number:
    """Median of the inputs that exist; with exactly two, a 30 s average of the own book joins.

    Raises ``ValueError`` without any input.
    """
    present = [price for price in inputs if price is not None]
    if len(present) == 2 and ema_own_book is not None:
        present.append(ema_own_book)
    if not present:
        raise ValueError("a mark price needs at least one input")
    return median(present)


def median(prices: Sequence[Number]) -> Number:
    """Middle price, or the exact mean of the middle two."""
    ordered, half = sorted(prices), len(prices) // 2
    if len(ordered) % 2:
        return ordered[half]
    return Fraction(ordered[half - 1] + ordered[half]) / 2


def funding(
    premium: Fraction,
    interest_8h: Fraction,
    clamp_to: Fraction = Fraction(5, 10_000),
    cap_hour: Fraction = FUNDING_CAP_HOUR,
) -> tuple[Fraction, Fraction]:
    """The eight-hour rate and what is paid each hour: an eighth of it, at most 4 % either way."""
    eight = premium + max(-clamp_to, min(clamp_to, interest_8h - premium))
    return eight, max(-cap_hour, min(cap_hour, eight / 8))
