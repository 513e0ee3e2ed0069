"""The state of a unified account: uniMMR, its bands, and the maintenance margin of loans.

    uniMMR = adjusted equity / maintenance margin

Bands: above 1.50 free, above 1.20 reminder, above 1.05 reduce-only, above 1.00 liquidation, else
the venue may claim the shortfall; an edge belongs to the worse band.  Sources:
https://www.binance.com/en/support/faq/5e33af8e6ac04d57a1d0a3398e0a0752 and
https://www.binance.com/en/support/faq/4868b2f1aa6c4d08af973328462bb0bd.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exchange_sim.messages.reasons import MarginBand
from exchange_sim.units import PPM

UNI_MMR_INFINITE: Final = 10**15
"""uniMMR of an account that owes no maintenance margin; also the bound of the ratio either way."""

DEFAULT_BANDS: Final = (1_500_000, 1_200_000, 1_050_000, 1_000_000)
"""Upper edges in ppm of REMINDER, REDUCE_ONLY, LIQUIDATION and LIQUIDATION_AND_CLAIM."""

LOAN_MMR_PPM: Final = {3: 100_000, 5: 80_000, 10: 50_000}
"""Maintenance rate of a margin loan by the leverage that the account chose."""

_BANDS: Final = tuple(MarginBand)


def uni_mmr_ppm(adjusted_equity: int, maintenance: int, scale: int = PPM) -> int:
    """``adjusted_equity / maintenance`` in ppm (or 1/``scale``), rounded up and bounded.

    Rounding up keeps the band exact: ``ceil(x) <= edge`` holds exactly when ``x <= edge``.  Without
    maintenance margin the ratio is ``UNI_MMR_INFINITE``, or its negative when equity is negative.
    """
    if maintenance <= 0:
        return UNI_MMR_INFINITE if adjusted_equity >= 0 else -UNI_MMR_INFINITE
    ratio = -(-adjusted_equity * scale // maintenance)
    if scale != PPM:
        return ratio
    return max(-UNI_MMR_INFINITE, min(UNI_MMR_INFINITE, ratio))


def margin_band(uni_mmr: int, bands: tuple[int, ...] = DEFAULT_BANDS) -> MarginBand:
    """Band of a uniMMR.  ``bands`` are the falling upper edges, in the unit of ``uni_mmr``."""
    worse = 0
    for edge in bands:
        if uni_mmr > edge:
            break
        worse += 1
    return _BANDS[worse]


def check_bands(bands: tuple[int, ...]) -> None:
    """Raise ``ValueError`` listing every problem unless there are four falling positive edges."""
    problems = []
    if len(bands) != len(DEFAULT_BANDS):
        problems.append(f"{len(DEFAULT_BANDS)} edges are needed, not {len(bands)}")
    for k, edge in enumerate(bands):
        if edge <= 0:
            problems.append(f"edge {k + 1} must be positive, not {edge}")
        if k and edge >= bands[k - 1]:
            problems.append(f"edge {k + 1} ({edge}) does not fall below {bands[k - 1]}")
    if problems:
        raise ValueError("margin bands: " + "; ".join(problems))


def loan_maintenance(loan_value: int, leverage: int) -> int:
    """Maintenance margin of a loan in quote units, rounded up.

    Raises ``ValueError`` for a leverage that margin loans are not offered at.
    """
    rate = LOAN_MMR_PPM.get(leverage)
    if rate is None:
        raise ValueError(f"loan leverage must be one of {sorted(LOAN_MMR_PPM)}, not {leverage}")
    return -(-loan_value * rate // PPM)


def adjusted_equity(collateral_values: Iterable[int], open_loss: int = 0) -> int:
    """Sum of the assets' collateral values less the loss that open orders would realise."""
    return sum(collateral_values) - open_loss


def negative_balance_interest(
    balance: int, free_threshold: int, daily_rate_ppm: int
) -> tuple[int, int]:
    """The charged balance (zero or negative) and a day's interest on it, rounded up.

    Source: https://www.binance.com/en/support/faq/5e33af8e6ac04d57a1d0a3398e0a0752.
    """
    charged = min(balance + free_threshold, 0)
    return charged, -(charged * daily_rate_ppm // PPM)
