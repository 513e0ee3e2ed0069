"""The lending pool: deposits, loans, interest, liquidations, flash loans."""

from __future__ import annotations

from fractions import Fraction

import attrs
import pytest

from exchange_sim.defi.reserves import WAD, debt_of
from exchange_sim.issuer.loops import liquidation_price, loop
from exchange_sim.messages.reasons import ActionKind as A
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.world.chain.execution import ALL, PREVIOUS
from tests.world.chain_factory import Action
from tests.world.defi_factory import (
    AMMS,
    CURVE,
    ONE,
    ORACLES,
    PINNED_FEED,
    RESERVES,
    DefiDesk,
    free_pool,
)
from tests.world.factory import ETH, SECOND, USDE, USDE_SPOT, USDT, of

YEAR_S = 365 * 86_400


def test_a_deposit_and_a_loan():
    """Money and shares move by the same amounts; the health factor is that of the formula."""
    desk = DefiDesk(pools=(free_pool(),))
    desk.lender(usdt=50_000 * ONE)
    user = desk.wallet(usde=10_000 * ONE)
    desk.act(user, (A.SUPPLY, 0, USDE, ALL), (A.BORROW, 0, USDT, 6_000 * ONE))

    assert (desk.posted(user, USDE), desk.posted(user)) == (0, 6_000 * ONE)
    health = desk.health(user)
    assert (health.collateral, health.debt) == (10_000 * 10**8, 6_000 * 10**8)
    assert health.factor == WAD * 10_000 * 750_000 // (6_000 * 10**6)
    desk.act(user, (A.REPAY, 0, USDT, ALL), (A.WITHDRAW, 0, USDE, ALL))
    assert (desk.posted(user, USDE), desk.posted(user)) == (10_000 * ONE, 0)


def test_a_loan_up_to_the_ltv_and_no_further():
    """``ALL`` borrows to the last unit; one more is refused."""
    desk = DefiDesk(pools=(free_pool(),))
    desk.lender(usdt=50_000 * ONE)
    user = desk.wallet(usde=10_000 * ONE)
    desk.act(user, (A.SUPPLY, 0, USDE, ALL))
    assert desk.fails(user, (A.BORROW, 0, USDT, 7_200 * ONE + 1)) == R.COLLATERAL_TOO_LOW
    desk.act(user, (A.BORROW, 0, USDT, ALL))
    assert desk.posted(user) == 7_200 * ONE
    assert desk.fails(user, (A.WITHDRAW, 0, USDE, 401 * ONE)) == R.HEALTH_FACTOR_TOO_LOW
    desk.act(user, (A.WITHDRAW, 0, USDE, 400 * ONE))


def test_interest_follows_utilisation_and_reaches_the_lenders():
    """After a year: debt compounded, lenders and protocol share what was charged."""
    desk = DefiDesk()
    lender = desk.lender(usdt=10_000 * ONE)
    user = desk.wallet(usde=20_000 * ONE)
    desk.act(user, (A.SUPPLY, 0, USDE, ALL), (A.BORROW, 0, USDT, 9_000 * ONE))
    reserve = desk.pool.reserves[0]
    assert reserve.rate_ppm == 50_000  # 90 % is the kink
    desk.now += YEAR_S * SECOND
    desk.block()

    owed = debt_of(desk.pool.positions[user].debt[0], reserve.indices_at(desk.now)[1])
    assert owed / ONE == pytest.approx(9_000 * 2.718281828**0.05, rel=1e-5)
    rich = desk.wallet(usdt=500 * ONE)
    desk.act(rich, (A.SUPPLY, 0, USDT, ALL))
    interest = debt_of(desk.pool.positions[user].debt[0], reserve.debt_index) - 9_000 * ONE
    claim = desk.pool.positions[lender].supply[0] * reserve.supply_index // WAD
    fees = reserve.treasury_shares * reserve.supply_index // WAD
    assert claim - 10_000 * ONE == pytest.approx(0.9 * interest, abs=20)
    assert fees == pytest.approx(0.1 * interest, abs=20)
    assert desk.fails(lender, (A.WITHDRAW, 0, USDT, ALL)) == R.NO_LIQUIDITY


def test_the_whole_pool_can_be_paid_out():
    """When all debts are repaid everybody gets out, and dust stays with the pool."""
    desk = DefiDesk()
    lenders = [desk.lender(usdt=amount * ONE + 7) for amount in (3_000, 1, 777)]
    user = desk.wallet(usde=20_000 * ONE, usdt=1_000 * ONE)
    desk.act(user, (A.SUPPLY, 0, USDE, ALL), (A.BORROW, 0, USDT, 2_000 * ONE + 3))
    for days in (1, 30, 200):
        desk.now += days * 86_400 * SECOND
        desk.act(user, (A.REPAY, 0, USDT, 11 * ONE + days))
    desk.act(user, (A.REPAY, 0, USDT, ALL))
    for lender in lenders:
        desk.act(lender, (A.WITHDRAW, 0, USDT, ALL))

    reserve = desk.pool.reserves[0]
    assert (reserve.supply_shares, reserve.debt_shares) == (0, 0)
    left = desk.pool.cash(desk.w.ledger, 0)
    assert 0 <= left - reserve.supplied() <= reserve.gap_bound()


def test_categories_give_better_terms_for_their_assets():
    """E-mode: 90 % instead of 72 %, only for USDT, and left only when healthy without it."""
    desk = DefiDesk(pools=(free_pool(),))
    desk.lender(usdt=50_000 * ONE, eth=50_000 * ONE)
    user = desk.wallet(usde=10_000 * ONE)
    desk.act(user, (A.SET_CATEGORY, 0, 1), (A.SUPPLY, 0, USDE, ALL))
    assert desk.fails(user, (A.BORROW, 0, ETH, 1)) == R.NOT_BORROWABLE
    desk.act(user, (A.BORROW, 0, USDT, ALL))
    assert desk.posted(user) == 9_000 * ONE
    assert desk.health(user).factor == WAD * 93 // 90
    assert desk.fails(user, (A.SET_CATEGORY, 0, 0)) == R.HEALTH_FACTOR_TOO_LOW
    assert desk.fails(user, (A.SET_CATEGORY, 0, 2)) == R.BAD_CATEGORY
    desk.act(user, (A.REPAY, 0, USDT, 2_000 * ONE), (A.SET_CATEGORY, 0, 0))
    assert desk.health(user).factor == WAD * 75 // 70


def test_caps():
    """Supply and borrow caps are in units."""
    capped = attrs.evolve(RESERVES[0], supply_cap=1_000 * ONE, borrow_cap=500 * ONE)
    desk = DefiDesk(pools=(free_pool(reserves=(capped, *RESERVES[1:])),))
    lender = desk.lender(usdt=1_000 * ONE)
    desk.do(21, lender, USDT, 10)
    assert desk.fails(lender, (A.SUPPLY, 0, USDT, 1)) == R.SUPPLY_CAP
    user = desk.wallet(usde=10_000 * ONE)
    desk.act(user, (A.SUPPLY, 0, USDE, ALL), (A.BORROW, 0, USDT, 500 * ONE))
    assert desk.fails(user, (A.BORROW, 0, USDT, 1)) == R.BORROW_CAP


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ((A.SUPPLY, 1, USDT, 5), R.UNKNOWN_POOL),
        ((A.SUPPLY, 0, 1, 5), R.UNKNOWN_RESERVE),
        ((A.SUPPLY, 0, USDT, 0), R.BAD_AMOUNT),
        ((A.SUPPLY, 0, USDT, -7), R.BAD_AMOUNT),
        ((A.SUPPLY, 0, USDT, PREVIOUS), R.BAD_AMOUNT),
        ((A.SUPPLY, 0, USDT, 10**9), R.INSUFFICIENT_BALANCE),
        ((A.WITHDRAW, 0, USDT, 5), R.NOTHING_SUPPLIED),
        ((A.REPAY, 0, USDT, 5), R.NOTHING_OWED),
        ((A.BORROW, 0, USDT, 5), R.NO_LIQUIDITY),
        ((A.LIQUIDATE, 0, 1, USDT, USDE, 5), R.NOTHING_OWED),
    ],
)
def test_nonsense_is_refused(action, why):
    """Every refusal has its reason."""
    desk = DefiDesk()
    user = desk.wallet(usdt=100)
    before = desk.state()[0]
    assert desk.fails(user, action) == why
    assert desk.state()[0] == before


# liquidations


def debtor(desk: DefiDesk, collateral: int, debt: int, category: int = 1) -> int:
    """A wallet with USDe deposited and USDT borrowed, in whole dollars."""
    user = desk.wallet(usde=collateral * ONE)
    steps: list[Action] = [(A.SET_CATEGORY, 0, category)] if category else []
    steps += [(A.SUPPLY, 0, USDE, ALL), (A.BORROW, 0, USDT, debt * ONE)]
    desk.act(user, *steps)
    return user


def street(**settings) -> DefiDesk:
    """A pool full of USDT and a market at par."""
    desk = DefiDesk(pools=(free_pool(),), **settings)
    desk.lender(usdt=10**6 * ONE)
    return desk


def test_a_healthy_position_is_left_alone():
    """Health of exactly 1 is healthy."""
    desk = street()
    user, bot = debtor(desk, 10_000, 9_000), desk.wallet(usdt=10_000 * ONE)
    desk.price(USDE_SPOT, 968)
    assert desk.fails(bot, (A.LIQUIDATE, 0, user, USDT, USDE, ALL)) == R.HEALTHY
    assert desk.health(user).factor > WAD
    desk.price(USDE_SPOT, 967)
    assert len(of(desk.act(bot, (A.LIQUIDATE, 0, user, USDT, USDE, ALL)), 112)) == 1


def test_half_of_the_debt_at_a_bonus():
    """Above 0.95 the close factor is a half; the protocol takes a tenth of the bonus."""
    desk = street()
    user, bot = debtor(desk, 10_000, 9_000), desk.wallet(usdt=10_000 * ONE)
    desk.price(USDE_SPOT, 960)
    events = desk.act(bot, (A.LIQUIDATE, 0, user, USDT, USDE, ALL))

    (call,) = of(events, 112)
    repaid, seized, fee = call[6:9]
    assert repaid == 4_500 * ONE
    assert seized == 4_500 * ONE * 1_020_000 * 1_000 // (960 * 10**6)
    bonus = seized - -(-seized * 10**6 // 1_020_000)
    assert fee == -(-bonus // 10)
    assert desk.posted(bot, USDE) == seized - fee
    assert call[9] == 992_000
    assert call[10] > call[9]


def test_everything_at_a_health_of_095_or_when_small():
    """The whole debt can be closed below 0.95, or when it is under 2,000 dollars."""
    desk = street()
    big, small = debtor(desk, 10_000, 9_000), debtor(desk, 2_000, 1_800)
    bot = desk.wallet(usdt=20_000 * ONE)
    desk.price(USDE_SPOT, 960)
    (call,) = of(desk.act(bot, (A.LIQUIDATE, 0, small, USDT, USDE, ALL)), 112)
    assert call[6] == 1_800 * ONE
    desk.price(USDE_SPOT, 919)
    assert desk.health(big).factor_ppm == 992_000  # the feed has not seen it yet
    (call,) = of(desk.act(bot, (A.LIQUIDATE, 0, big, USDT, USDE, ALL)), 112)
    assert call[6] == 9_000 * ONE


def test_no_dust_is_left_behind():
    """A liquidation that leaves 900 dollars of debt is refused, the whole of it is not."""
    desk = street()
    user, bot = debtor(desk, 2_000, 1_800), desk.wallet(usdt=20_000 * ONE)
    desk.price(USDE_SPOT, 960)
    offer = (A.LIQUIDATE, 0, user, USDT, USDE)
    assert desk.fails(bot, (*offer, 900 * ONE)) == R.LEAVES_DUST
    desk.act(bot, (*offer, 1_800 * ONE))


def test_debt_without_collateral_is_a_deficit():
    """At 0.80 the collateral does not pay the debt: the rest is written off, deposits stay."""
    desk = street()
    user, bot = debtor(desk, 10_000, 9_000), desk.wallet(usdt=20_000 * ONE)
    desk.price(USDE_SPOT, 800)
    events = desk.act(bot, (A.LIQUIDATE, 0, user, USDT, USDE, ALL))

    (call,), (lost,) = of(events, 112), of(events, 113)
    assert call[6] == -(-8_000 * ONE * 100 // 102)
    assert lost[4] == 9_000 * ONE - call[6]
    assert desk.pool.reserves[0].deficit == lost[4]
    assert desk.pool.positions[user].debt == {}


def test_a_pinned_oracle_liquidates_nobody():
    """USDe priced as capped USDT: the market may go to 0.65."""
    pinned = attrs.evolve(RESERVES[2], oracle=PINNED_FEED)
    desk = DefiDesk(pools=(free_pool(reserves=(*RESERVES[:2], pinned)),))
    desk.lender(usdt=10**6 * ONE)
    user, bot = debtor(desk, 10_000, 9_000), desk.wallet(usdt=20_000 * ONE)
    desk.price(USDE_SPOT, 650)
    assert desk.fails(bot, (A.LIQUIDATE, 0, user, USDT, USDE, ALL)) == R.HEALTHY
    assert desk.health(user).factor == WAD * 93 // 90


def test_collateral_can_be_taken_as_a_deposit():
    """When the pool has no cash of the collateral, shares still pass."""
    desk = street()
    user, bot = debtor(desk, 10_000, 9_000), desk.wallet(usdt=10_000 * ONE)
    thief = desk.wallet(usdt=100_000 * ONE)
    desk.act(thief, (A.SUPPLY, 0, USDT, ALL), (A.BORROW, 0, USDE, 10_000 * ONE))
    desk.price(USDE_SPOT, 960)
    offer = (A.LIQUIDATE, 0, user, USDT, USDE, ALL)
    assert desk.fails(bot, offer) == R.NO_LIQUIDITY
    (call,) = of(desk.act(bot, (*offer, 1)), 112)
    reserve = desk.pool.reserves[2]
    held = desk.pool.positions[bot].supply[2] * reserve.supply_index // WAD
    assert 0 <= call[7] - call[8] - held <= 1


def test_the_switch_turns_liquidations_off():
    """The mechanism, not the price."""
    desk = DefiDesk(pools=(free_pool(liquidations=False),))
    desk.lender(usdt=10**6 * ONE)
    user, bot = debtor(desk, 10_000, 9_000), desk.wallet(usdt=10_000 * ONE)
    desk.price(USDE_SPOT, 900)
    assert desk.fails(bot, (A.LIQUIDATE, 0, user, USDT, USDE, ALL)) == R.LIQUIDATIONS_OFF


def test_a_stale_price_stops_borrowing_and_liquidation():
    """A feed that has not published for too long is not used."""
    old = attrs.evolve(ORACLES[3], stale_ns=3_600 * SECOND)
    desk = street(oracles=(*ORACLES[:3], old, *ORACLES[4:]))
    user, bot = debtor(desk, 10_000, 8_000), desk.wallet(usdt=10_000 * ONE)
    desk.now += 3_600 * SECOND
    assert desk.fails(user, (A.BORROW, 0, USDT, ONE)) == R.STALE_PRICE
    assert desk.fails(bot, (A.LIQUIDATE, 0, user, USDT, USDE, ALL)) == R.STALE_PRICE
    desk.act(user, (A.REPAY, 0, USDT, ONE))  # paying back needs no price


# flash loans and bundles


def test_a_flash_loan_pays_a_premium_or_never_was():
    """Five basis points to the treasury, within one transaction."""
    desk = street()
    user = desk.wallet(usdt=100 * ONE)
    desk.act(user, (A.FLASH_LOAN, 0, USDT, 100_000 * ONE))
    assert desk.posted(user) == 50 * ONE
    assert desk.posted(desk.chain.treasury) == 50 * ONE
    before = desk.state()[0]
    assert desk.fails(user, (A.FLASH_LOAN, 0, USDT, 200_000 * ONE)) == R.FLASH_LOAN_NOT_REPAID
    assert desk.state()[0] == before


def test_a_bot_without_money_liquidates_by_flash_loan():
    """Borrow, liquidate, swap, pay back: one transaction, and the profit is what remains."""
    desk = street()
    maker = desk.wallet(usde=10**6 * ONE, usdt=10**6 * ONE)
    desk.act(maker, (A.ADD_LIQUIDITY, CURVE, 10**6 * ONE, 10**6 * ONE))
    user, bot = debtor(desk, 10_000, 9_000), desk.wallet()
    desk.price(USDE_SPOT, 960)
    bundle = (
        (A.FLASH_LOAN, 0, USDT, 4_500 * ONE),
        (A.LIQUIDATE, 0, user, USDT, USDE, 4_500 * ONE),
        (A.SWAP, CURVE, USDE, USDT, PREVIOUS, 0),
    )
    events = desk.act(bot, *bundle)
    assert len(of(events, 112)) == len(of(events, 115)) == len(of(events, 120)) == 1
    assert 200 * ONE < desk.posted(bot) < 300 * ONE  # the AMM still trades at par
    assert desk.posted(bot, USDE) == 0


def test_a_failed_bundle_leaves_no_trace():
    """Atomic: everything is as before, except for gas."""
    desk = street()
    maker = desk.wallet(usde=10**6 * ONE, usdt=10**6 * ONE)
    desk.act(maker, (A.ADD_LIQUIDITY, CURVE, 10**6 * ONE, 10**6 * ONE))
    user, bot = debtor(desk, 10_000, 9_000), desk.wallet(usdt=ONE)
    desk.price(USDE_SPOT, 960)
    desk.block()
    chain, posted = desk.state()
    desk.fails(
        bot,
        (A.FLASH_LOAN, 0, USDT, 4_500 * ONE),
        (A.LIQUIDATE, 0, user, USDT, USDE, 4_500 * ONE),
        (A.SWAP, CURVE, USDE, USDT, PREVIOUS, 0),
        (A.SUPPLY, 0, USDT, ALL),
        (A.SET_CATEGORY, 0, 1),
        (A.ADD_LIQUIDITY, CURVE, 0, 1),
    )
    after_chain, after_posted = desk.state()
    assert after_chain == chain
    for asset in (USDT, USDE):
        assert [row[asset] for row in after_posted] == [row[asset] for row in posted]


# the loop of the article


@pytest.mark.parametrize("rounds", [0, 1, 2, 3, 4, 5])
def test_the_loop_table(rounds):
    """100,000 at 80 %, out of real transactions without fees or slippage: 368,928 / 268,928."""
    ltv = attrs.evolve(RESERVES[2], ltv_ppm=800_000, threshold_ppm=850_000)
    curve = attrs.evolve(AMMS[CURVE], fee_ppm=0, amplification=10**6)
    desk = DefiDesk(pools=(free_pool(reserves=(*RESERVES[:2], ltv)),), amms=(curve,))
    desk.lender(usdt=10**6 * ONE)
    maker = desk.wallet(usde=10**9 * ONE, usdt=10**9 * ONE)
    desk.act(maker, (A.ADD_LIQUIDITY, CURVE, 10**9 * ONE, 10**9 * ONE))
    looper = desk.wallet(usde=100_000 * ONE)
    steps: list[Action] = [(A.SUPPLY, 0, USDE, ALL)]
    for _ in range(rounds):
        steps += [
            (A.BORROW, 0, USDT, ALL),
            (A.SWAP, CURVE, USDT, USDE, PREVIOUS, 0),
            (A.SUPPLY, 0, USDE, PREVIOUS),
        ]
    desk.act(looper, *steps)

    health, exact = desk.health(looper), loop(100_000, Fraction(8, 10), rounds)
    assert round(health.collateral / 10**8) == exact.collateral
    assert round(health.debt / 10**8) == exact.debt
    if rounds == 5:
        assert (round(health.collateral / 10**8), round(health.debt / 10**8)) == (368_928, 268_928)
        price = liquidation_price(exact.collateral, exact.debt, Fraction(85, 100))
        assert price == Fraction(268_928, 368_928) / Fraction(85, 100)
        bot = desk.wallet(usdt=300_000 * ONE)
        desk.price(USDE_SPOT, 858)  # 0.8576: the first tick at which it lives
        assert desk.fails(bot, (A.LIQUIDATE, 0, looper, USDT, USDE, ALL)) == R.HEALTHY
        desk.price(USDE_SPOT, 857)
        assert len(of(desk.act(bot, (A.LIQUIDATE, 0, looper, USDT, USDE, ALL)), 112)) == 1
