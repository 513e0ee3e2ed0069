"""Lenders, wrappers and issuers of a scenario as the integers that a world starts from."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from exchange_sim.credit.loans import LoanTerms
from exchange_sim.scenario.ids import PPB_PER_DAY_TO_HOUR, Names, ppm
from exchange_sim.scenario.lending import LoanProductDef
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.units import PPM
from exchange_sim.world.config import IssuerSpec, LoanProductSpec, WrapperSpec

HOURS_PER_YEAR: Final = 365 * 24


def loan_products(scenario: Scenario, names: Names) -> tuple[LoanProductSpec, ...]:
    """Loan products in the order of their names; none when loans are switched off."""
    if not scenario.mechanisms.cefi_loans:
        return ()
    items = enumerate(scenario.loans.items())
    return tuple(_product(scenario, names, item, name, k) for k, (name, item) in items)


def _product(
    scenario: Scenario, names: Names, item: LoanProductDef, name: str, id: int
) -> LoanProductSpec:
    numeraire = scenario.venues[item.venue].numeraire
    return LoanProductSpec(
        id=id,
        name=name,
        venue=names.venues[item.venue],
        terms={
            names.assets[asset]: LoanTerms(
                *(Fraction(ppm(x), PPM) for x in (row.initial, row.call, row.liquidation))
            )
            for asset, row in item.collateral.items()
        },
        sources=tuple(names.venues[venue] for venue in item.source or (item.venue,)),
        interest_ppb_per_hour=int(item.interest_daily * 10**9 / PPB_PER_DAY_TO_HOUR),
        fee_ppm=ppm(item.fee),
        grace_ns=item.grace_ns,
        lag_ns=item.lag_ns,
        slice=names.amount(numeraire, item.slice),
        redemption_value=item.redemption_price or not scenario.mechanisms.own_book_collateral_price,
    )


def wrappers(scenario: Scenario, names: Names) -> tuple[WrapperSpec, ...]:
    """Staked tokens in the order of their names."""
    return tuple(
        WrapperSpec(
            names.assets[asset],
            tuple(names.venues[venue] for venue in item.venues),
            item.delay_ns,
            int(item.reward_yearly * 10**9 / HOURS_PER_YEAR),
        )
        for asset, item in scenario.wrappers.items()
    )


def issuers(scenario: Scenario, names: Names) -> tuple[IssuerSpec, ...]:
    """Issuers in the order of their names; switched off, they take and pay nothing."""
    return tuple(
        IssuerSpec(
            k,
            name,
            names.assets[item.asset],
            names.assets[item.backing],
            names.amount(item.asset, item.mint_limit),
            names.amount(item.asset, item.redeem_limit),
            ppm(item.fee),
            scenario.mechanisms.issuer_redemption,
        )
        for k, (name, item) in enumerate(scenario.issuers.items())
    )
