"""From a checked scenario to the integers that a world starts from."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, cast

from exchange_sim.matching.filters import Filters
from exchange_sim.model.enums import InstrumentKind
from exchange_sim.model.instrument import Asset, Instrument
from exchange_sim.risk.brackets import BracketTable
from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.risk.liabilities import LiabilityTable
from exchange_sim.risk.profile import CollateralPriceRule, Profile
from exchange_sim.scenario.chain_config import chain_spec, chain_venue
from exchange_sim.scenario.credit_config import issuers, loan_products, wrappers
from exchange_sim.scenario.ids import PPB_PER_DAY_TO_HOUR, Names, ppm
from exchange_sim.scenario.rules import make_rule, profile_of
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.scenario.schema import AssetDef, BracketDef, InstrumentDef
from exchange_sim.scenario.venues import VenueDef, figures
from exchange_sim.units import scale_exact
from exchange_sim.world.config import (
    AssetSpec,
    FeeTier,
    InstrumentSpec,
    VenueSpec,
    WorldConfig,
)

PRICE_RULE: Final = CollateralPriceRule.NAME


def world_config(scenario: Scenario) -> WorldConfig:
    """The description of the world at the scenario's first instant."""
    names = Names(scenario)
    assets = tuple(_asset(names, name, item) for name, item in scenario.assets.items())
    instruments = tuple(
        _instrument(scenario, names, assets, item, k) for k, item in enumerate(scenario.instruments)
    )
    venues = tuple(_venue(scenario, names, name, item) for name, item in scenario.venues.items())
    return WorldConfig(
        scenario.start_ns, assets, (*venues, *chain_venue(scenario, names)), instruments,
        chain=chain_spec(scenario, names), loans=loan_products(scenario, names),
        wrappers=wrappers(scenario, names), issuers=issuers(scenario, names),
    )  # fmt: skip


def _asset(names: Names, name: str, item: AssetDef) -> AssetSpec:
    asset = Asset(names.assets[name], name, item.decimals)
    if item.redemption_value is None:
        return AssetSpec(asset)
    return AssetSpec(asset, names.assets[item.redemption_asset], ppm(item.redemption_value))


def _brackets(names: Names, quote: str, rows: tuple[BracketDef, ...]) -> BracketTable:
    return BracketTable(
        tuple(names.amount(quote, row.floor) for row in rows),
        tuple(ppm(row.mmr) for row in rows),
        tuple(row.leverage for row in rows),
    )


def _multiplier(of_side: Decimal | None, of_both: Decimal | None) -> int:
    """Parts per million of the percent-price filter; 0 when there is no bound."""
    return ppm((of_both if of_side is None else of_side) or Decimal(0))


def _instrument(
    scenario: Scenario, names: Names, assets: tuple[AssetSpec, ...], item: InstrumentDef, id: int
) -> InstrumentSpec:
    venue = scenario.venues[item.venue]
    base, quote = assets[names.assets[item.base]].asset, assets[names.assets[item.quote]].asset
    inst = Instrument.make(
        id, item.name, names.venues[item.venue], InstrumentKind[item.kind], base, quote,
        item.tick_size, item.lot,
    )  # fmt: skip
    least = names.amount(item.quote, item.min_notional)
    filters = Filters(
        unit_value=inst.unit_value,
        notional_min=0 if inst.inverse else least,
        qty_min=max(1, -(-least // inst.contract_units)) if inst.inverse else 1,
        market_qty_min=max(1, -(-least // inst.contract_units)) if inst.inverse else 1,
        qty_max=scale_exact(item.max_qty, item.lot) if item.max_qty else 0,
        bid_up_ppm=_multiplier(item.bid_multiplier_up, item.percent_price_up),
        bid_down_ppm=_multiplier(item.bid_multiplier_down, item.percent_price_down),
        ask_up_ppm=_multiplier(item.ask_multiplier_up, item.percent_price_up),
        ask_down_ppm=_multiplier(item.ask_multiplier_down, item.percent_price_down),
        orders_max=venue.max_orders,
    )
    margined_in = item.base if item.inverse else item.quote
    slice_, limit = item.liquidation_slice, item.takeover_limit
    return InstrumentSpec(
        instrument=inst,
        initial_price=scale_exact(item.price, item.tick_size),
        filters=filters,
        brackets=_brackets(names, margined_in, scenario.brackets[item.brackets])
        if inst.perpetual
        else None,
        index_sources=tuple((names.instruments[s.instrument], s.weight) for s in item.index),
        mark_sources=tuple((names.instruments[s.instrument], s.weight) for s in item.mark_sources),
        default_leverage=item.default_leverage,
        market_take_bound_ppm=ppm(item.market_take_bound),
        liquidation_collar_ppm=ppm(item.liquidation_collar),
        liquidation_slice=names.amount(
            item.quote, venue.liquidation_slice if slice_ is None else slice_
        ),
        takeover_limit=names.amount(item.quote, venue.takeover_limit if limit is None else limit),
        protect_ppm=ppm(item.trigger_protect),
        price_range_ppm=ppm(item.price_range),
        price_range_window_ns=item.price_range_window_ns,
        average_window_ns=item.average_price_window_ns,
    )


def _collateral_prices(
    names: Names, item: VenueDef, profile: Profile
) -> dict[int, CollateralPriceRule]:
    base = profile.collateral_price
    return {
        names.assets[asset]: cast("CollateralPriceRule", make_rule(PRICE_RULE, rule, base))
        for asset, rule in item.collateral_prices.items()
    }


def _liabilities(scenario: Scenario, names: Names, numeraire: str) -> dict[int, LiabilityTable]:
    """Margin brackets of what is owed, by asset, in numeraire units."""
    return {
        names.assets[asset]: LiabilityTable(
            tuple(
                (
                    None if bracket.upto is None else names.amount(numeraire, bracket.upto),
                    ppm(bracket.initial),
                    ppm(bracket.maintenance),
                )
                for bracket in definition.liability
            )
        )
        for asset, definition in scenario.assets.items()
        if definition.liability
    }


def _venue(scenario: Scenario, names: Names, name: str, item: VenueDef) -> VenueSpec:
    numeraire = item.numeraire
    collateral, interest = {}, {}
    for asset, definition in scenario.assets.items():
        if definition.collateral:
            collateral[names.assets[asset]] = CollateralTable(
                tuple(
                    (
                        None if tier.upto is None else names.amount(numeraire, tier.upto),
                        ppm(tier.ratio),
                    )
                    for tier in definition.collateral
                )
            )
        per_hour = definition.interest_daily * 10**9 / PPB_PER_DAY_TO_HOUR
        interest[names.assets[asset]] = int(per_hour)
    switches = scenario.mechanisms
    profile = profile_of(item.profile, scenario.profiles, item.rules)
    figure = figures(item, profile.numbers)
    margin = Decimal(figure.impact_margin) if item.impact_margin is None else item.impact_margin
    return VenueSpec(
        id=names.venues[name],
        name=name,
        numeraire=names.assets[numeraire],
        fee_tiers=tuple(FeeTier(ppm(fee.maker), ppm(fee.taker)) for fee in item.fees),
        collateral=collateral,
        margin_pool={names.assets[a]: names.amount(a, v) for a, v in item.margin_pool.items()},
        interest_ppb_per_hour=interest,
        insurance=names.amount(numeraire, item.insurance),
        bands=figure.bands,
        loan_mmr_ppm=figure.loan_mmr_ppm,
        loan_imr_ppm=figure.loan_imr_ppm,
        liquidation_fee_ppm=figure.liquidation_fee_ppm,
        basis_samples=figure.basis_samples,
        funding_interval_ns=figure.funding_interval_ns,
        funding_cap_multiplier_ppm=figure.funding_cap_ppm,
        own_book_collateral=switches.own_book_collateral_price,
        collateral_sale=switches.collateral_sale,
        adl=switches.adl,
        transfer_fee=names.amounts(item.transfer_fee),
        transfer_max=names.amounts(item.transfer_max),
        transfer_hourly=names.amounts(item.transfer_hourly),
        impact_margin=names.amount(numeraire, margin),
        adl_rule=item.adl_rule,
        auto_exchange_floor=names.amount(numeraire, item.auto_exchange),
        auto_exchange_haircut_ppm=min(ppm(item.auto_exchange_haircut), 999_999),
        profile=profile,
        max_loans={
            names.assets[name]: names.amount(name, definition.max_loan)
            for name, definition in scenario.assets.items()
            if definition.max_loan is not None
        },
        sale_order=tuple(names.assets[asset] for asset in item.sale_order),
        trade_groups=item.trade_groups,
        stp_transfer=item.stp_transfer,
        account_orders=item.account_orders,
        account_orders_ns=item.account_orders_interval_ns,
        collateral_prices=_collateral_prices(names, item, profile),
        liabilities=_liabilities(scenario, names, numeraire),
    )
