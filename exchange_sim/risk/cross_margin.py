"""Spot cross margin and multi-assets futures of the Binance profile.

Classic cross margin measures assets without a haircut, Pro with haircuts against maintenance
margin::

    classic  ML = assets / (loans + interest)
    pro      ML = (collateral - liability - open order loss) / maintenance margin

Margin levels are exact ``Fraction``; comparisons with a threshold are therefore exact.
Sources: https://www.binance.com/en/support/faq/c08f0ef718214f40b651a2018ce1f71b (levels),
https://www.binance.com/en/support/faq/12a78d8aa813470f96be283b45f75410 (Pro),
https://www.binance.com/en/futures/trading-rules/perpetual/multi-asset-info (auto-exchange).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final

import attrs

Number = int | Fraction


@attrs.frozen
class LevelRule:
    """Margin level below which a mode liquidates, and above which its liquidation stops early."""

    liquidate_below: Fraction
    stop_above: Fraction | None


LEVEL_RULES: Final[Mapping[str, LevelRule]] = MappingProxyType(
    {
        "classic_3x": LevelRule(Fraction(110, 100), Fraction(150, 100)),
        "classic_5x": LevelRule(Fraction(110, 100), Fraction(125, 100)),
        "pro": LevelRule(Fraction(1), Fraction(2)),
        "isolated_3x": LevelRule(Fraction(118, 100), None),
        "isolated_5x": LevelRule(Fraction(115, 100), None),
        "isolated_10x": LevelRule(Fraction(105, 100), None),
    }
)
"""By mode; an isolated pair stops at its own initial risk ratio (None here)."""

AUTO_EXCHANGE_FLOORS: Final[Mapping[str, int]] = MappingProxyType(
    {"small": -5_000, "large": -10_000}
)
"""USDT or USDC wallet below which a debit is exchanged: regular and VIP 1 users, and all others."""

AUTO_EXCHANGE_FLOOR_BTC: Final = Fraction(-1, 10)
AUTO_EXCHANGE_LTV: Final = Fraction(995, 1000)


def classic_level(assets: Number, liabilities: Number) -> Fraction | None:
    """Margin level of the classic mode; None without liabilities (no level, no liquidation)."""
    return Fraction(assets) / liabilities if liabilities > 0 else None


def pro_level(
    collateral: Number, liabilities: Number, open_loss: Number, maintenance: Number
) -> Fraction | None:
    """Margin level of the Pro mode; None without maintenance margin."""
    if maintenance <= 0:
        return None
    return Fraction(collateral - liabilities - open_loss) / maintenance


def price_at_level(
    level: Number, liabilities: Number, qty: Number, other_assets: Number = 0
) -> Fraction:
    """Price of the only moving asset at which the classic level is ``level``."""
    return Fraction(level * liabilities - other_assets) / qty


def auto_exchange_amount(deficit: Number, haircut: Number) -> Fraction:
    """Value of collateral to sell so that ``deficit`` is covered after the exchange haircut.

    Raises ``ValueError`` unless the haircut is at least 0 and below 1.
    """
    if not 0 <= haircut < 1:
        raise ValueError(f"the auto-exchange haircut must be in [0, 1), not {float(haircut)}")
    return Fraction(max(0, deficit)) / (1 - haircut)


def auto_exchange_shares(amount: Number, values: Mapping[str, Number]) -> dict[str, Fraction]:
    """``amount`` taken pro rata from the assets with a positive value, at most all of each."""
    positive = {name: value for name, value in values.items() if value > 0}
    total = sum(positive.values())
    if not total:
        return {}
    return {name: Fraction(value) * min(amount, total) / total for name, value in positive.items()}


def auto_exchange_due(
    wallet: Number, floor: Number, *, flat: bool = False, ltv: Number | None = None
) -> bool:
    """Whether a debit is exchanged now: below the floor, or flat with LTV at 99.5 % or more."""
    return wallet < floor or (flat and ltv is not None and ltv >= AUTO_EXCHANGE_LTV)
