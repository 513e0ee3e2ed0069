"""Leverage that rises by itself when collateral falls, and the feedback of those who restore it.

    total move = shock / (1 - impact * assets * (leverage - 1))

Own algebra in the spirit of Brunnermeier and Pedersen (2009), https://doi.org/10.1093/rfs/hhn098:
agents that keep their leverage sell (leverage - 1) * assets * |move|, which moves the price again.
"""

from __future__ import annotations

from fractions import Fraction

Number = int | Fraction


def passive_leverage(
    position: Number, equity: Number, collateral_drop: Number, collateral_share: Number = 1
) -> Fraction | None:
    """Position over equity after collateral fell; None when nothing of the equity is left."""
    left = equity * (1 - Fraction(collateral_share) * collateral_drop)
    return Fraction(position) / left if left > 0 else None


def spiral_multiplier(impact_per_unit: Number, assets: Number, leverage: Number) -> Fraction | None:
    """How much the first move is amplified; None when the spiral does not converge."""
    feedback = Fraction(impact_per_unit) * assets * (leverage - 1)
    return 1 / (1 - feedback) if feedback < 1 else None


def first_sale(move: Number, assets: Number, leverage: Number) -> Number:
    """Sale that restores the leverage after one move."""
    return (leverage - 1) * assets * abs(Fraction(move))
