"""Markets, venues and assets of a world by name, as strategies see them."""

from __future__ import annotations

from exchange_sim.defi.spec import ChainSpec
from exchange_sim.marketdata.market import Market
from exchange_sim.model.instrument import Asset, Instrument
from exchange_sim.risk.brackets import BracketTable
from exchange_sim.sim.desk import Names
from exchange_sim.units import PPM
from exchange_sim.world.config import WorldConfig


def names_of(config: WorldConfig) -> Names:
    """Markets, venues and assets of a world by name, as strategies see them."""
    assets: list[Asset] = [spec.asset for spec in config.assets]
    markets = []
    for spec in config.instruments:
        instrument: Instrument = spec.instrument
        venue = config.venues[instrument.venue]
        base, quote = assets[instrument.base], assets[instrument.quote]
        tier = venue.fee_tiers[0]
        markets.append(
            Market(
                instrument_id=instrument.id,
                name=instrument.symbol.rpartition(":")[2],
                venue=venue.name,
                venue_id=venue.id,
                kind=instrument.kind,
                base=base.name,
                quote=quote.name,
                base_id=base.id,
                quote_id=quote.id,
                tick_size=instrument.tick_size,
                lot_size=instrument.lot_size,
                base_decimals=base.decimals,
                quote_decimals=quote.decimals,
                maker_fee_ppm=tier.maker_ppm,
                taker_fee_ppm=tier.taker_ppm,
                min_notional=spec.filters.notional_min / quote.scale,
                brackets=_brackets(spec.brackets, (base if instrument.inverse else quote).scale),
                liquidation_line=venue.bands[2] / PPM,
            )
        )
    return Names(
        tuple(markets),
        tuple(venue.name for venue in config.venues),
        tuple(asset.name for asset in assets),
        tuple(asset.scale for asset in assets),
        tuple(venue.numeraire for venue in config.venues),
        tuple(product.name for product in config.loans),
        tuple((issuer.name, issuer.asset, issuer.backing) for issuer in config.issuers),
        {s.asset: config.assets[s.asset].redemption_asset for s in config.wrappers},
        -1 if config.chain is None else config.chain.venue,
        _on_chain(config.chain),
    )


def _on_chain(chain: ChainSpec | None) -> dict[str, tuple[str, ...]]:
    """What actions on the chain refer to by number."""
    if chain is None:
        return {}
    found = {
        "pool": tuple(pool.name for pool in chain.pools),
        "market": tuple(market.name for market in chain.markets),
        "AMM": tuple(amm.name for amm in chain.amms),
    }
    for pool in chain.pools:
        found[f"category of {pool.name}"] = ("", *(mode.name for mode in pool.emodes))
    return found


def _brackets(table: BracketTable | None, scale: int) -> tuple[tuple[float, int, float], ...]:
    """Leverage brackets as strategies see them; none for spot."""
    if table is None:
        return ()
    rows = zip(table.floors, table.leverage, table.mmr_ppm, strict=True)
    return tuple((floor / scale, leverage, mmr / PPM) for floor, leverage, mmr in rows)
