"""The profiles of four exchanges, as they were on 10 October 2025.

Sources are named where the formulas are: ``risk.unified``, ``risk.bybit``, ``risk.okx``,
``risk.hyperliquid``, ``risk.adl``, ``risk.marks`` and docs/concepts.  What no exchange publishes is
a parameter of a scenario; the figures below are then ours.

Simplifications
---------------
What the vault of ``hyperliquid`` carries and how fast it sells is not published: twice its capital
and 5 % of a position per minute are ours.  Bybit and OKX have no reduce-only state of their own
besides the initial margin and no claim on a shortfall: their bands stand one part per million
apart.  Liquidation fees of Bybit and OKX are not modelled beyond the taker fee.  The closing fee
that OKX adds to the maintenance margin is counted for everybody at the taker rate of the venue's
first fee tier, not at that of the account.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from exchange_sim.risk import profile as p
from exchange_sim.risk.funding import HIGH_CAP_LEVERAGE, HIGH_CAP_PPB
from exchange_sim.risk.unified import DEFAULT_BANDS
from exchange_sim.units import NANOS_PER_HOUR, NANOS_PER_MINUTE, NANOS_PER_S, PPM

AT_ONE: Final = (PPM + 1, PPM, PPM - 1)
"""Bands of a venue that liquidates at a ratio of one and knows no other state."""

BINANCE: Final = p.Profile(
    name="binance",
    margin=p.MarginRule(kind="absorbing"),
    ladder=p.LadderRule(kind=p.TO_TARGET),
    takeover=p.TakeoverRule(kind=p.INSOLVENT),
    insurance=p.InsuranceRule(kind=p.FUND),
    adl_trigger=p.AdlTriggerRule(kind=p.FUND_SHORT),
    adl_rank=p.AdlRankRule(kind=p.LEVERAGED_PNL),
    adl_price=p.AdlPriceRule(kind=p.BANKRUPTCY),
    index=p.IndexRule(kind=p.WEIGHTED_MEAN),
    mark=p.MarkRule(kind=p.MEDIAN_OF_THREE),
    funding=p.FundingRule(
        kind=p.AT_MARK, high_cap_ppb=HIGH_CAP_PPB, high_cap_leverage=HIGH_CAP_LEVERAGE
    ),
    collateral_price=p.CollateralPriceRule(kind=p.OWN_BOOK),
    numbers=p.Numbers(bands=DEFAULT_BANDS, liquidation_fee_ppm=12_500),
)

BYBIT: Final = p.Profile(
    name="bybit",
    margin=p.MarginRule(kind="early_stop", penalty=True),
    ladder=p.LadderRule(kind=p.BY_TIERS, last=p.TAKEOVER, fill_or_kill=True),
    takeover=p.TakeoverRule(kind=p.INSOLVENT),
    insurance=p.InsuranceRule(kind=p.FUND),
    adl_trigger=p.AdlTriggerRule(kind=p.FUND_EXHAUSTED),
    adl_rank=p.AdlRankRule(kind=p.PNL_LEVERAGE),
    adl_price=p.AdlPriceRule(kind=p.BANKRUPTCY_NEAR_MARK),
    index=p.IndexRule(kind=p.WEIGHTED_MEAN),
    mark=p.MarkRule(kind=p.MEDIAN_OF_THREE),
    funding=p.FundingRule(kind=p.AT_MARK),
    collateral_price=p.CollateralPriceRule(kind=p.INDEX),
    numbers=p.Numbers(bands=(1_250_000, *AT_ONE), basis_samples=300),
)

OKX: Final = p.Profile(
    name="okx",
    margin=p.MarginRule(kind="early_stop", closing_fee=True),
    ladder=p.LadderRule(
        kind=p.BY_TIERS, tier_step=2, last_tiers=2, last=p.BOOK, wait_ns=NANOS_PER_MINUTE
    ),
    takeover=p.TakeoverRule(kind=p.INSOLVENT),
    insurance=p.InsuranceRule(kind=p.FUND),
    adl_trigger=p.AdlTriggerRule(kind=p.FUND_DROP, start_ppm=300_000),
    adl_rank=p.AdlRankRule(kind=p.PNL_LEVERAGE),
    adl_price=p.AdlPriceRule(kind=p.AT_MARK),
    index=p.IndexRule(kind=p.WEIGHTED_MEAN),
    mark=p.MarkRule(kind=p.INDEX_AND_BASIS),
    funding=p.FundingRule(kind=p.AT_MARK),
    collateral_price=p.CollateralPriceRule(kind=p.INDEX),
    numbers=p.Numbers(bands=(3_000_000, *AT_ONE), basis_samples=300),
)

HYPERLIQUID: Final = p.Profile(
    name="hyperliquid",
    margin=p.MarginRule(kind="early_stop"),
    ladder=p.LadderRule(
        kind=p.BY_SHARE, share_ppm=200_000, whole_below=100_000, cooldown_ns=30 * NANOS_PER_S
    ),
    takeover=p.TakeoverRule(
        kind=p.MAINTENANCE_SHARE,
        share=(2, 3),
        pace=p.PATIENT,
        leverage_ppm=2 * PPM,
        slot_ppm=50_000,
        offer_ppm=50_000,
        edge_ppm=500,
    ),
    insurance=p.InsuranceRule(kind=p.VAULT),
    adl_trigger=p.AdlTriggerRule(kind=p.NEGATIVE_EQUITY, rounds=True),
    adl_rank=p.AdlRankRule(kind=p.GAIN_LEVERAGE),
    adl_price=p.AdlPriceRule(kind=p.PREVIOUS_MARK),
    index=p.IndexRule(
        kind=p.WEIGHTED_MEDIAN, outlier_ppm=PPM, stale_ns=0, period_ns=3 * NANOS_PER_S
    ),
    mark=p.MarkRule(kind=p.ORACLE_MEDIAN),
    funding=p.FundingRule(kind=p.INDEX, cap_ppb=40_000_000),
    collateral_price=p.CollateralPriceRule(kind=p.INDEX),
    numbers=p.Numbers(bands=(1_250_000, *AT_ONE), funding_interval_ns=NANOS_PER_HOUR),
)

PROFILES: Final[Mapping[str, p.Profile]] = MappingProxyType(
    {profile.name: profile for profile in (BINANCE, BYBIT, OKX, HYPERLIQUID)}
)
"""Profiles by the name that a scenario uses."""

BASIS_WINDOWS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "2020": (30, 60 * NANOS_PER_S),
        "coin_m": (30, 5 * NANOS_PER_S),
        "2025-08": (60, NANOS_PER_S),
        "2025-09-18": (30, NANOS_PER_S),
        "five_minutes": (300, NANOS_PER_S),
    }
)
"""Windows of the basis average that were in force at some time: samples and their period.

30 minutes by the minute in 2020, 2.5 minutes every 5 seconds (COIN-M page), one minute until 18
September 2025, 30 seconds since then; five minutes is Bybit's.
Source: https://www.binance.com/en/support/faq/360033525071 in its versions.
"""
