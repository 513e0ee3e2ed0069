"""Oracles of the chain: what they look at, and when they say so."""

from __future__ import annotations

import attrs
import pytest

from exchange_sim.defi.feeds import USD, Feed, OracleKind, OracleSpec
from exchange_sim.messages.reasons import ActionKind as A
from exchange_sim.world import AssetSpec
from exchange_sim.world.chain.feeds import price_of
from tests.world.defi_factory import (
    CURVE,
    ONE,
    ORACLES,
    RESERVES,
    DefiDesk,
    defi_config,
    free_pool,
)
from tests.world.factory import BTC, SECOND, SPOT, SPOT_2, USDE, USDE_SPOT, USDT, of

DAY = 86_400 * SECOND


def with_oracles(*more: OracleSpec) -> DefiDesk:
    """A desk whose chain has more oracles than usual."""
    return DefiDesk(oracles=(*ORACLES, *more))


def test_a_market_feed_is_the_median_of_its_books() -> None:
    """Two books: the middle between them; three: the middle one; in dollars by the quote."""
    both = OracleSpec("BTC 2", OracleKind.MARKET, BTC, sources=(SPOT, SPOT_2), quote=0)
    desk = with_oracles(both, attrs.evolve(both, quote=3))
    other = desk.account(venue=1, usdt=10**9, btc=10**9)
    desk.trade_at(SPOT, 900, desk.printer, desk.printer)
    desk.trade_at(SPOT_2, 1_100, other, other)
    desk.price(USDE_SPOT, 500)
    desk.block()
    assert price_of(desk.w, 5) == 100_000_000
    assert price_of(desk.w, 1) == 90_000_000
    desk.block()  # the second is quoted in what the USDe feed says, which was published before
    assert price_of(desk.w, 6) == 50_000_000


def test_a_feed_publishes_late_and_only_when_it_matters() -> None:
    """Delay, deviation and heartbeat: three reasons to know less than the market."""
    slow = attrs.evolve(
        ORACLES[3], delay_ns=24 * SECOND, deviation_ppm=10_000, heartbeat_ns=120 * SECOND
    )
    desk = DefiDesk(oracles=(*ORACLES[:3], slow, ORACLES[4]))
    start = desk.now
    prices = (1_000, 995, 980, 979, 979, 979, 979, 979, 979, 979, 979, 979, 979)
    seen = []
    for price in prices:
        desk.price(USDE_SPOT, price)
        seen += [
            ((desk.now - start) // SECOND, event[3], (event[4] - start) // SECOND)
            for event in of(desk.block(), 106)
            if event[1] == 3
        ]
    # Half a per cent is not told; two are, two blocks later; a tenth more only by the heartbeat,
    # which starts anew with every publication.
    assert seen == [(60, 98_000_000, 36)] + [(time, price, at) for time, price, at in seen[1:]]
    assert all(time >= 180 for time, _, _ in seen[1:])


def test_the_heartbeat_repeats_what_is_known() -> None:
    """Without any move a publication comes when the time is up, and keeps the price fresh."""
    feed = Feed(attrs.evolve(ORACLES[3], heartbeat_ns=60 * SECOND, stale_ns=100 * SECOND), 0)
    published = [t for t in range(0, 400, 12) if feed.sample(t * SECOND, USD) >= 0]
    assert published == [60, 120, 180, 240, 300, 360]
    assert not feed.is_stale(400 * SECOND)
    assert feed.is_stale(461 * SECOND)


def test_an_amm_feed_follows_its_pool() -> None:
    """The marginal price after a sale, times the oracle of the other coin."""
    desk = with_oracles(OracleSpec("pool", OracleKind.AMM, USDE, sources=(CURVE,), quote=0))
    maker = desk.wallet(usdt=10**12, usde=10**12)
    desk.act(maker, (A.ADD_LIQUIDITY, CURVE, 10**11, 10**11))
    desk.block()
    assert price_of(desk.w, 5) == pytest.approx(USD, abs=10)
    desk.act(maker, (A.SWAP, CURVE, USDE, USDT, 95 * 10**9, 0))
    desk.block()
    marginal = desk.chain.amms[CURVE].price(desk.w.ledger, USDE, USDT)
    assert price_of(desk.w, 5) == marginal < 0.9 * USD


def test_an_amm_feed_has_a_price_for_the_opening_state() -> None:
    """Liquidity first, then a loan against it, both before the first block."""
    pool = OracleSpec("pool", OracleKind.AMM, USDE, sources=(CURVE,), quote=0)
    reserves = (RESERVES[0], RESERVES[1], attrs.evolve(RESERVES[2], oracle=5))
    desk = DefiDesk(oracles=(*ORACLES, pool), pools=(free_pool(reserves),))
    maker = desk.wallet(usdt=10**12, usde=10**12)
    opening: list[tuple[int, ...]] = [
        (A.SUPPLY, 0, USDT, 10**11),
        (A.ADD_LIQUIDITY, CURVE, 10**11, 10**11),
        (A.SUPPLY, 0, USDE, 10**10),
        (A.BORROW, 0, USDT, 7 * 10**9),
    ]
    for action in opening:
        events = desk.do(105, maker, *map(int, action), *[0] * (7 - len(action)))
        assert events[-1][0] == 105


def test_a_cap_has_no_floor_and_a_ratio_grows_only_so_fast() -> None:
    """min(feed, cap); a redemption rate beyond its allowed growth is cut."""
    config = defi_config(
        oracles=(
            *ORACLES,
            OracleSpec("capped", OracleKind.CAPPED, USDE, base=3, cap=104 * 10**6),
            OracleSpec("ratio", OracleKind.RATIO, USDE, base=1, growth_ppm=100_000),
        )
    )
    assets = list(config.assets)
    assets[USDE] = AssetSpec(assets[USDE].asset, BTC, 1_080_000)
    desk = DefiDesk(config=attrs.evolve(config, assets=tuple(assets)))
    for ticks, capped in ((1_100, 104), (650, 65), (1_000, 100)):
        desk.price(USDE_SPOT, ticks)
        desk.block()
        assert price_of(desk.w, 5) == capped * ONE
    assert price_of(desk.w, 6) == 108 * ONE
    assert desk.fails(desk.wallet(), (A.SUPPLY, 0, USDE, 1)).name == "INSUFFICIENT_BALANCE"
