"""Oracles of the chain: sampled before each block, read by pools and markets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.defi.feeds import USD, Feed, OracleKind
from exchange_sim.defi.oracles import capped_ratio, capped_stable
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.risk.marks import MICRO
from exchange_sim.units import NANOS_PER_S, PPM
from exchange_sim.world.chain.execution import Revert
from exchange_sim.world.collateral_prices import spot_price

if TYPE_CHECKING:
    from exchange_sim.world.world import World

OBSERVED = (OracleKind.MARKET, OracleKind.AMM)


def price_of(w: World, oracle: int) -> int:
    """Price by an oracle in 10**-8 USD per whole asset, however old it is."""
    assert w.chain is not None
    feed = w.chain.feeds[oracle]
    spec = feed.spec
    if spec.kind == OracleKind.CAPPED:
        base = price_of(w, spec.base)
        return capped_stable(base, spec.cap) if spec.cap else base
    if spec.kind == OracleKind.RATIO:
        start = w.config.assets[spec.asset].redemption_ppm
        seconds = (w.time_ns - w.config.start_ns) // NANOS_PER_S
        ratio = capped_ratio(redemption_ppm(w, spec.asset), start, spec.growth_ppm, seconds)
        return price_of(w, spec.base) * ratio // PPM
    return feed.price


def redemption_ppm(w: World, asset: int) -> int:
    """What one unit of an asset is redeemed for at this moment, in ppm of its redemption asset."""
    wrapper = w.wrappers.get(asset)
    return wrapper.rate_ppb // 1_000 if wrapper else w.config.assets[asset].redemption_ppm


def fresh_price(w: World, oracle: int) -> int:
    """As ``price_of``; reverts when the price is too old to act on, or not positive."""
    assert w.chain is not None
    feed: Feed | None = w.chain.feeds[oracle]
    while feed is not None:
        if feed.is_stale(w.time_ns):
            raise Revert(RejectReason.STALE_PRICE)
        derived = feed.spec.kind not in OBSERVED and feed.spec.base >= 0
        feed = w.chain.feeds[feed.spec.base] if derived else None
    price = price_of(w, oracle)
    if price <= 0:
        raise Revert(RejectReason.STALE_PRICE)
    return price


def observed(w: World, feed: Feed) -> int:
    """The price that a feed would sample at this instant."""
    assert w.chain is not None
    spec = feed.spec
    unit = price_of(w, spec.quote) if spec.quote >= 0 else USD
    if spec.kind == OracleKind.AMM:
        quote_asset = w.chain.feeds[spec.quote].spec.asset
        return w.chain.amms[spec.sources[0]].price(w.ledger, spec.asset, quote_asset) * unit // USD
    prices = sorted(_book_price(w, instrument, unit) for instrument in spec.sources)
    middle = len(prices) // 2
    if len(prices) % 2:
        return prices[middle]
    return (prices[middle - 1] + prices[middle]) // 2


def _book_price(w: World, instrument: int, unit: int) -> int:
    """Fair price of a spot book, in 10**-8 USD per whole base asset."""
    inst = w.instruments[instrument]
    base = w.config.assets[inst.base].asset.scale
    quote = w.config.assets[inst.quote].asset.scale
    value = spot_price(w, instrument) * inst.unit_value * base * unit
    return value // (MICRO * inst.lot_units * quote)


def start(w: World) -> None:
    """First prices, without an event: those of the opening state."""
    assert w.chain is not None
    for feed in w.chain.feeds:
        if feed.spec.kind in OBSERVED:
            feed.price = observed(w, feed)


def restart_pools(w: World) -> None:
    """While the opening state is built, what an AMM says follows its liquidity."""
    assert w.chain is not None
    for feed in w.chain.feeds:
        if feed.spec.kind == OracleKind.AMM:
            feed.price = observed(w, feed)


def sample(w: World) -> None:
    """Before a block: every observing feed looks at its market and perhaps publishes.

    Stableswap pools with rates read those too.
    """
    assert w.chain is not None
    for amm in w.chain.amms:
        if amm.spec.use_rates:
            amm.rates = [redemption_ppm(w, asset) or PPM for asset in amm.coins]
    for oracle, feed in enumerate(w.chain.feeds):
        if feed.spec.kind not in OBSERVED:
            continue
        sampled_ns = feed.sample(w.time_ns, observed(w, feed))
        if sampled_ns >= 0:
            w.out.append((106, oracle, feed.spec.asset, feed.price, sampled_ns))
