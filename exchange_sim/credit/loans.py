"""Loan-to-value ladder of centralised loans.

    LTV = (principal + interest) / collateral value

At the call level the borrower is notified, at the liquidation level collateral is sold.  Values are
exact; state decisions compare integers or fractions.  Sources:
https://www.binance.com/en/support/faq/360040490772,
https://www.binance.com/en/support/faq/b5f7ebd7333b495089c555d5bd902b0d (VIP loan),
https://support.nexo.io/hc/en-us/articles/360008115854.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final

import attrs

Number = int | Fraction


@attrs.frozen
class LoanTerms:
    """LTV levels of a product: at origination, at the margin call and at liquidation."""

    initial: Fraction
    call: Fraction
    liquidation: Fraction

    def __attrs_post_init__(self) -> None:
        if not 0 < self.initial <= self.call <= self.liquidation <= 1:
            levels = ", ".join(str(float(x)) for x in (self.initial, self.call, self.liquidation))
            raise ValueError(f"loan levels must rise within (0, 1]: {levels}")


LOAN_PRODUCTS: Final[Mapping[str, LoanTerms]] = MappingProxyType(
    {
        "vip": LoanTerms(Fraction(72, 100), Fraction(77, 100), Fraction(91, 100)),
        "cross_btc": LoanTerms(Fraction(65, 100), Fraction(80, 100), Fraction(90, 100)),
        "cross_eth": LoanTerms(Fraction(55, 100), Fraction(75, 100), Fraction(85, 100)),
        "cross_eur": LoanTerms(Fraction(80, 100), Fraction(90, 100), Fraction(95, 100)),
        "crypto_btc": LoanTerms(Fraction(62, 100), Fraction(75, 100), Fraction(83, 100)),
    }
)

NOTICE_LEVELS: Final = (Fraction(714, 1000), Fraction(741, 1000), Fraction(769, 1000))
AUTO_REPAYMENT_LEVEL: Final = Fraction(833, 1000)


def loan_to_value(loan: Number, collateral: Number) -> Fraction | None:
    """Loan over collateral; None without collateral."""
    return Fraction(loan) / collateral if collateral > 0 else None


def loan_state(loan: int, collateral: int, terms: LoanTerms) -> str:
    """``HEALTHY``, ``MARGIN_CALL`` or ``LIQUIDATION``; a level itself is already worse."""
    if loan <= 0:
        return "HEALTHY"
    if loan >= terms.liquidation * collateral:
        return "LIQUIDATION"
    return "MARGIN_CALL" if loan >= terms.call * collateral else "HEALTHY"


def collateral_at(loan: Number, ltv: Fraction) -> Fraction:
    """Collateral value at which a loan has this LTV."""
    return Fraction(loan) / ltv


def notices(ltv: Fraction) -> tuple[Fraction, ...]:
    """Notice levels that a rising LTV has passed."""
    return tuple(level for level in NOTICE_LEVELS if ltv >= level)


def sale_to_target(loan: Number, collateral: Number, target: Fraction) -> Fraction:
    """Collateral to sell, and repay with, so that the LTV falls to ``target``; at most all of it.

    ``s = (D - L * C) / (1 - L)``.  Raises ``ValueError`` unless the target is in [0, 1).
    """
    if not 0 <= target < 1:
        raise ValueError(f"the target loan-to-value must be in [0, 1), not {float(target)}")
    needed = (loan - target * collateral) / (1 - target)
    return max(Fraction(0), min(Fraction(needed), Fraction(collateral)))


def liquidation_fee(loan_units: int, fee_ppm: int) -> int:
    """Fee of a liquidated loan, rounded up."""
    return -(-loan_units * fee_ppm // 1_000_000)


def loop_leverage(initial_ltv: Fraction) -> Fraction:
    """Assets over equity when a loan at the initial LTV is pledged again without end."""
    if not 0 <= initial_ltv < 1:
        raise ValueError(f"the loan-to-value must be in [0, 1), not {float(initial_ltv)}")
    return 1 / (1 - initial_ltv)


def drop_to(initial_ltv: Fraction, level: Fraction) -> Fraction:
    """Fall of the collateral's price that lifts the LTV from ``initial_ltv`` to ``level``."""
    return 1 - initial_ltv / level
