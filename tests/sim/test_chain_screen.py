"""The vector screening names everybody whom an exact look would, and the views tell the truth."""

from __future__ import annotations

import pytest

from exchange_sim.defi.reserves import WAD
from exchange_sim.sim.chain_feed import ChainFeed
from exchange_sim.sim.chain_screen import SAFETY, MarketScreen, PoolScreen
from exchange_sim.units import PPM
from exchange_sim.world.chain.health import health_of
from exchange_sim.world.chain.markets import collateral_price, health_ppm
from tests.world.defi_factory import CURVE, ONE, V2, V3, DefiDesk
from tests.world.defi_soup import DefiSoup
from tests.world.factory import USDE_SPOT


@pytest.mark.parametrize("seed", range(6))
def test_the_screen_agrees_with_an_exact_look(seed: int) -> None:
    """Followed through a run or looked at for the first time: the same factors, nobody missed."""
    soup = DefiSoup(seed, check=False)
    w, chain = soup.desk.w, soup.desk.chain
    pool, market = chain.pools[0], chain.markets[0]
    followed, lots = PoolScreen(w, pool), MarketScreen(w, market)
    for _ in range(6):
        soup.run(15)
        exact = {wallet: health_of(w, pool, held) for wallet, held in pool.positions.items()}
        found = dict(zip(followed.wallets, followed.health(), strict=True))
        for wallet, health in exact.items():
            if health.debt:
                assert found[wallet] <= health.factor / WAD * SAFETY
            if health.debt > 10**9:
                assert found[wallet] == pytest.approx(health.factor / WAD, rel=1e-5)
        named = followed.below(1.0)
        assert {w for w, health in exact.items() if health.factor < WAD} <= set(named)
        assert [found[x] for x in named] == sorted(found[x] for x in named)
        largest, count = followed.largest_below(1.0, 3)
        assert count == len(named)
        assert set(largest) <= set(named)
        debts = sorted((exact[x].debt for x in named), reverse=True)
        assert [exact[x].debt for x in largest] == pytest.approx(debts[:3], rel=1e-6, abs=10**9)
        below = lots.below(1.0, collateral_price(w, market))
        risky = {a for a, lot in market.positions.items() if health_ppm(w, market, lot) < PPM}
        assert risky <= set(below)


def test_a_view_is_the_state_after_the_block() -> None:
    """Figures of the view are those of the pools, and later blocks do not change it."""
    soup = DefiSoup(3, check=False)
    soup.run(60)
    w, chain = soup.desk.w, soup.desk.chain
    feed = ChainFeed(w)
    feed.wallets.extend(soup.wallets)
    feed.publish(None)
    view = feed.views[-1]
    reserve = view.pools["core"].reserves["USDT"]
    assert reserve.cash == chain.pools[0].cash(w.ledger, 0) / ONE
    assert reserve.debt == pytest.approx(chain.pools[0].reserves[0].debt() / ONE, rel=1e-4)
    for wallet, position in view.pools["core"].own.items():
        exact = health_of(w, chain.pools[0], chain.pools[0].positions[wallet])
        assert position.collateral_usd == exact.collateral / 10**8
        assert position.debt_usd == exact.debt / 10**8
    assert all(position.health < 1.0 for position in view.pools["core"].at_risk)
    frozen = view.amms["curve"].quote("USDE", 1_000.0, "USDT"), view.amms["v3"].price("ETH", "USDT")
    soup.run(20)
    assert frozen == (
        view.amms["curve"].quote("USDE", 1_000.0, "USDT"), view.amms["v3"].price("ETH", "USDT"),
    )  # fmt: skip


def test_quotes_are_what_swaps_give() -> None:
    """For every kind of pool: the quote of the view is the output of the next swap."""
    from exchange_sim.messages.reasons import ActionKind as A

    desk = DefiDesk()
    maker = desk.wallet(usdt=10**12, usde=10**12, eth=10**12)
    desk.act(
        maker,
        (A.ADD_LIQUIDITY, CURVE, 10**10, 2 * 10**10),
        (A.ADD_LIQUIDITY, V2, 10**10, 3 * 10**10),
        (A.ADD_RANGE, V3, -3_000, 3_000, 10**10, 10**10),
    )
    feed = ChainFeed(desk.w)
    for amm, name, (i, coin), (j, other) in (
        (CURVE, "curve", (3, "USDE"), (0, "USDT")),
        (V2, "v2", (2, "ETH"), (0, "USDT")),
        (V3, "v3", (2, "ETH"), (0, "USDT")),
    ):
        feed.publish(None)
        view = feed.views[-1].amms[name]
        (event,) = [e for e in desk.act(maker, (A.SWAP, amm, i, j, 123_456_789, 0)) if e[0] == 120]
        assert view.quote(coin, 123.456789, other) == event[6] / ONE
        assert view.quote(coin, 1e9, other) < 31_000
        assert view.quote(coin, 0.0, other) == 0.0


def test_a_fall_puts_a_loop_at_risk_in_the_view() -> None:
    """Named exactly when its health factor is below 1."""
    from exchange_sim.messages.reasons import ActionKind as A

    desk = DefiDesk()
    desk.lender(usdt=10**11)
    user = desk.wallet(usde=10**10)
    desk.act(user, (A.SET_CATEGORY, 0, 1), (A.SUPPLY, 0, 3, -1), (A.BORROW, 0, 0, 9 * 10**9))
    feed = ChainFeed(desk.w)
    for price, risky in ((970, 0), (965, 1), (980, 0)):
        desk.price(USDE_SPOT, price)
        desk.block()
        feed.publish(None)
        assert [p.wallet for p in feed.views[-1].pools["core"].at_risk] == [user] * risky
