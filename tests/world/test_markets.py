"""Isolated markets: the rules of Morpho Blue out of real transactions."""

from __future__ import annotations

import pytest

from exchange_sim.defi import morpho
from exchange_sim.messages.reasons import ActionKind as A
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.world.chain.execution import ALL
from exchange_sim.world.chain.markets import health_ppm
from tests.world.chain_factory import Action
from tests.world.defi_factory import ONE, DefiDesk
from tests.world.factory import SECOND, USDE, USDE_SPOT, USDT, of


def market(desk: DefiDesk, lent: int = 100_000) -> int:
    """A lender with its money in the market."""
    lender = desk.wallet(usdt=lent * ONE)
    desk.act(lender, (A.MARKET_SUPPLY, 0, ALL))
    return lender


def borrower(desk: DefiDesk, collateral: int, debt: int = 0) -> int:
    """A wallet that has pledged USDe and borrowed USDT, in whole dollars."""
    user = desk.wallet(usde=collateral * ONE)
    steps: list[Action] = [(A.MARKET_ADD_COLLATERAL, 0, ALL)]
    if debt:
        steps.append((A.MARKET_BORROW, 0, debt * ONE))
    desk.act(user, *steps)
    return user


def test_borrowing_reaches_to_the_lltv():
    """86 % and no unit more; repaying frees the collateral."""
    desk = DefiDesk()
    market(desk)
    user = borrower(desk, 10_000)
    assert desk.fails(user, (A.MARKET_BORROW, 0, 8_600 * ONE + 1)) == R.HEALTH_FACTOR_TOO_LOW
    desk.act(user, (A.MARKET_BORROW, 0, 8_600 * ONE))
    assert desk.fails(user, (A.MARKET_REMOVE_COLLATERAL, 0, ONE)) == R.HEALTH_FACTOR_TOO_LOW
    desk.do(21, user, USDT, 100 * ONE)
    desk.act(user, (A.MARKET_REPAY, 0, ALL))
    desk.act(user, (A.MARKET_REMOVE_COLLATERAL, 0, ALL))
    assert desk.posted(user, USDE) == 10_000 * ONE
    lot = desk.chain.markets[0].positions[user]
    assert (lot.borrow_shares, lot.collateral) == (0, 0)


def test_interest_goes_to_the_lenders():
    """A day of interest: what the borrower owes more is what the lender can claim more."""
    desk = DefiDesk()
    lender, user = market(desk, 10_000), borrower(desk, 20_000, 9_000)
    state = desk.chain.markets[0]
    desk.now += 30 * 86_400 * SECOND
    desk.act(user, (A.MARKET_REPAY, 0, 1))
    lot = state.market.owed(state.positions[user].borrow_shares)
    assert lot / ONE == pytest.approx(9_000 * 2.718281828 ** (0.04 * 30 / 365), rel=1e-6)
    assert (
        state.market.claim(state.positions[lender].supply_shares) - 10_000 * ONE
        == lot + 1 - 9_000 * ONE
    )
    assert desk.fails(lender, (A.MARKET_WITHDRAW, 0, ALL)) == R.NO_LIQUIDITY
    desk.act(lender, (A.MARKET_WITHDRAW, 0, 1_000 * ONE))


def test_liquidation_has_no_close_factor():
    """The whole debt at once, at the market's incentive."""
    desk = DefiDesk()
    market(desk)
    user, bot = borrower(desk, 10_000, 8_500), desk.wallet(usdt=10_000 * ONE)
    desk.price(USDE_SPOT, 990)
    assert desk.fails(bot, (A.MARKET_LIQUIDATE, 0, user, ALL)) == R.HEALTHY
    desk.price(USDE_SPOT, 980)
    (call,) = of(desk.act(bot, (A.MARKET_LIQUIDATE, 0, user, ALL)), 118)
    want = morpho.liquidate(call[4], 10_000 * ONE, 98 * 10**16, 86 * 10**16, call[4])
    assert call[4] >= 8_500 * ONE
    assert (call[5], call[6]) == (want.seized, 0)
    assert call[7] < 10**6
    assert desk.posted(bot, USDE) == want.seized


def test_bad_debt_falls_on_the_lenders_at_once():
    """At 0.70 the collateral is not enough: every lender's claim shrinks alike."""
    desk = DefiDesk()
    lenders = [market(desk, 60_000), market(desk, 30_000)]
    user, bot = borrower(desk, 10_000, 8_500), desk.wallet(usdt=10_000 * ONE)
    desk.price(USDE_SPOT, 700)
    (call,) = of(desk.act(bot, (A.MARKET_LIQUIDATE, 0, user, ALL)), 118)
    state = desk.chain.markets[0]
    claims = [state.market.claim(state.positions[who].supply_shares) for who in lenders]
    assert call[6] > 1_700 * ONE
    assert 60_000 * ONE - claims[0] == pytest.approx(call[6] * 2 / 3, rel=1e-2)
    assert claims[0] / claims[1] == pytest.approx(2, rel=1e-6)
    assert health_ppm(desk.w, state, state.positions[user]) > 10**6


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ((A.MARKET_SUPPLY, 1, 5), R.UNKNOWN_POOL),
        ((A.MARKET_SUPPLY, 0, 0), R.BAD_AMOUNT),
        ((A.MARKET_WITHDRAW, 0, 5), R.NOTHING_SUPPLIED),
        ((A.MARKET_REPAY, 0, 5), R.NOTHING_OWED),
        ((A.MARKET_BORROW, 0, 5), R.NO_LIQUIDITY),
        ((A.MARKET_REMOVE_COLLATERAL, 0, 5), R.NOTHING_SUPPLIED),
        ((A.MARKET_LIQUIDATE, 0, 3, 5), R.NOTHING_OWED),
    ],
)
def test_nonsense_is_refused(action, why):
    """Every refusal has its reason and leaves nothing behind."""
    desk = DefiDesk()
    user = desk.wallet(usdt=100, usde=100)
    before = desk.state()[0]
    assert desk.fails(user, action) == why
    assert desk.state()[0] == before


def test_a_borrower_cannot_liquidate_himself():
    """Nor anybody a healthy position."""
    desk = DefiDesk()
    market(desk)
    user = borrower(desk, 10_000, 8_500)
    desk.price(USDE_SPOT, 900)
    assert desk.fails(user, (A.MARKET_LIQUIDATE, 0, user, ALL)) == R.OWN_POSITION
