"""The chain of a scenario as the integers that a world starts from."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from exchange_sim.defi.feeds import USD, OracleKind, OracleSpec
from exchange_sim.defi.isolated import MarketSpec
from exchange_sim.defi.reserves import EModeSpec, PoolSpec, ReserveSpec
from exchange_sim.defi.spec import AmmKind, AmmSpec, ChainSpec
from exchange_sim.scenario.chain import AmmDef, EModeDef, MarketDef, OracleDef, PoolDef, ReserveDef
from exchange_sim.scenario.ids import Names, ppm
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.sim.chain import Traffic
from exchange_sim.units import PPM
from exchange_sim.world.config import FeeTier, VenueSpec

WEI_PER_GWEI: Final = 10**9


def wei(gwei: Decimal) -> int:
    """Whole wei of a fee in gwei."""
    return int(gwei * WEI_PER_GWEI)


def chain_venue(scenario: Scenario, names: Names) -> tuple[VenueSpec, ...]:
    """The venue whose accounts are wallets, after all others; nothing without a chain."""
    chain = scenario.chain
    if chain is None:
        return ()
    numeraire = names.assets[chain.numeraire]
    return (VenueSpec(names.venues[chain.name], chain.name, numeraire, (FeeTier(0, 0),), {}),)


def chain_spec(scenario: Scenario, names: Names) -> ChainSpec | None:
    """The chain and everything on it."""
    chain = scenario.chain
    if chain is None:
        return None
    oracles = {k: scenario.oracles[name] for name, k in names.oracles.items()}
    on = scenario.mechanisms.defi_liquidation
    return ChainSpec(
        venue=names.venues[chain.name],
        gas_asset=names.assets[chain.gas_asset],
        block_interval_ns=chain.block_interval_ns,
        gas_limit=chain.gas_limit,
        base_fee_wei=wei(chain.base_fee_gwei),
        oracles=tuple(
            _oracle(names, list(names.oracles)[k], _as_redeemed(scenario, oracles[k]))
            for k in sorted(oracles)
        ),
        pools=tuple(_pool(names, name, item, on) for name, item in scenario.pools.items()),
        markets=tuple(_market(names, name, item, on) for name, item in scenario.markets.items()),
        amms=tuple(_amm(names, name, item) for name, item in scenario.amms.items()),
    )


def traffic_of(scenario: Scenario) -> Traffic | None:
    """What everybody else demands of the chain."""
    chain = scenario.chain
    if chain is None:
        return None
    return Traffic(
        share=float(chain.traffic),
        sigma=float(chain.traffic_sigma),
        elasticity=float(chain.traffic_elasticity),
        reference_fee_wei=max(1, wei(chain.base_fee_gwei)),
        tip_wei=wei(chain.traffic_tip_gwei),
        surge=float(chain.traffic_surge),
    )


def _price(value: Decimal | None) -> int:
    return 0 if value is None else int(value * USD)


def _as_redeemed(scenario: Scenario, item: OracleDef) -> OracleDef:
    """An oracle, at redemption value where prices of own books are switched off."""
    asset = scenario.assets[item.asset]
    if scenario.mechanisms.own_book_collateral_price or asset.redemption_value is None:
        return item
    into = [
        name for name, other in scenario.oracles.items() if other.asset == asset.redemption_asset
    ]
    if item.kind not in {"market", "amm"} or not into:
        return item
    return attrs.evolve(item, kind="ratio", base=into[0], quote="", sources=(), amm="")


def _oracle(names: Names, name: str, item: OracleDef) -> OracleSpec:
    sources = tuple(names.instruments[source] for source in item.sources)
    if item.amm:
        sources = (names.amms[item.amm],)
    return OracleSpec(
        name=name,
        kind=OracleKind[item.kind.upper()],
        asset=names.assets[item.asset],
        price=_price(item.price),
        sources=sources,
        quote=names.oracles.get(item.quote, -1),
        base=names.oracles.get(item.base, -1),
        cap=_price(item.cap),
        growth_ppm=ppm(item.growth),
        delay_ns=item.delay_ns,
        heartbeat_ns=item.heartbeat_ns,
        deviation_ppm=ppm(item.deviation),
        stale_ns=item.stale_after_ns,
    )


def _pool(names: Names, name: str, item: PoolDef, liquidations: bool) -> PoolSpec:
    places = {asset: k for k, asset in enumerate(item.reserves)}
    return PoolSpec(
        name=name,
        reserves=tuple(_reserve(names, asset, reserve) for asset, reserve in item.reserves.items()),
        emodes=tuple(_emode(places, mode) for mode in item.emodes),
        flash_premium_ppm=ppm(item.flash_premium),
        min_base_usd=item.min_base_usd,
        min_leftover_usd=item.min_leftover_usd,
        liquidations=liquidations,
    )


def _reserve(names: Names, asset: str, item: ReserveDef) -> ReserveSpec:
    return ReserveSpec(
        asset=names.assets[asset],
        oracle=names.oracles[item.oracle],
        ltv_ppm=ppm(item.ltv),
        threshold_ppm=ppm(item.threshold),
        bonus_ppm=PPM + ppm(item.bonus),
        protocol_fee_ppm=ppm(item.protocol_fee),
        reserve_factor_ppm=ppm(item.reserve_factor),
        optimal_ppm=ppm(item.optimal),
        base_rate_ppm=ppm(item.base_rate),
        slope1_ppm=ppm(item.slope1),
        slope2_ppm=ppm(item.slope2),
        supply_cap=names.amount(asset, item.supply_cap),
        borrow_cap=names.amount(asset, item.borrow_cap),
        borrowable=item.borrowable,
    )


def _emode(places: dict[str, int], item: EModeDef) -> EModeSpec:
    return EModeSpec(
        ltv_ppm=ppm(item.ltv),
        threshold_ppm=ppm(item.threshold),
        bonus_ppm=PPM + ppm(item.bonus),
        collateral=tuple(places[asset] for asset in item.collateral),
        borrowable=tuple(places[asset] for asset in item.borrow),
        name=item.name,
    )


def _market(names: Names, name: str, item: MarketDef, liquidations: bool) -> MarketSpec:
    return MarketSpec(
        name=name,
        collateral=names.assets[item.collateral],
        loan=names.assets[item.loan],
        collateral_oracle=names.oracles[item.collateral_oracle],
        loan_oracle=names.oracles[item.loan_oracle],
        lltv_ppm=ppm(item.lltv),
        optimal_ppm=ppm(item.optimal),
        base_rate_ppm=ppm(item.base_rate),
        slope1_ppm=ppm(item.slope1),
        slope2_ppm=ppm(item.slope2),
        fee_ppm=ppm(item.fee),
        liquidations=liquidations,
    )


def _amm(names: Names, name: str, item: AmmDef) -> AmmSpec:
    price = unit_price(names, item, item.price or Decimal(1))
    return AmmSpec(
        name=name,
        kind=AmmKind[item.kind.upper()],
        assets=tuple(names.assets[asset] for asset in item.assets),
        fee_ppm=ppm(item.fee),
        amplification=item.amplification,
        offpeg_ppm=ppm(item.offpeg),
        use_rates=item.use_rates,
        price_1e18=max(1, int(price * 10**18)),
    )


def unit_price(names: Names, item: AmmDef, price: Decimal) -> Decimal:
    """Units of the second coin per unit of the first, at a price of whole coins."""
    first, second = (names.decimals[asset] for asset in item.assets[:2])
    return price.scaleb(second - first)
