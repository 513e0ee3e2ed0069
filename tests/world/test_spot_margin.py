"""Spot margin: levels at which loans are called and left alone, and what counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.messages.reasons import LiquidationOutcome
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.model.account import SPOT_MARGIN, AccountMode
from exchange_sim.risk.cross_margin import LEVEL_RULES, classic_level
from exchange_sim.world.margin import liquidatable, requirements
from tests.world.factory import PERP, PRICE, USDE, USDE_SPOT, USDT, Street, of, reason

M = AccountMode
RULES = {
    M.MARGIN_3X: "classic_3x", M.MARGIN_5X: "classic_5x", M.ISOLATED_MARGIN_3X: "isolated_3x",
    M.ISOLATED_MARGIN_5X: "isolated_5x", M.ISOLATED_MARGIN_10X: "isolated_10x",
}  # fmt: skip


def loop(desk: Street, mode: int, dollars: int, owed: int) -> int:
    """An account that holds a synthetic dollar bought with a loan."""
    account = desk.account(mode, usde=dollars * 1_000)
    assert of(desk.do(23, account, USDT, owed), 11)
    desk.do(22, account, USDT, owed)
    return account


def reprice(desk: Street, price: int, bids: int = 0) -> None:
    """Trade the synthetic dollar at a price and let the venue look."""
    desk.do(4, desk.cash, -1, -1)
    desk.trade_at(USDE_SPOT, price, desk.cash, desk.cash)
    if bids:
        desk.limit(desk.cash, USDE_SPOT, 0, price, bids)
    desk.marks()


@pytest.mark.parametrize("mode", RULES)
@settings(max_examples=30, deadline=None)
@given(price=st.integers(500, 1_500))
def test_the_level_is_the_published_one(mode: int, price: int):
    """Assets without haircut over loans, compared with the level of the mode, exactly."""
    desk = Street(check=False)
    account = desk.account(mode, usde=100_000)
    held = desk.w.accounts[account]
    held.loans[USDT] = 80_000
    desk.w.venues[0].asset_prices[USDE] = price * 10**9
    equity, _, maintenance = requirements(desk.w, held)
    level = classic_level(100_000 * price // 1_000, 80_000)
    assert level is not None
    below = level < LEVEL_RULES[RULES[AccountMode(mode)]].liquidate_below
    assert liquidatable(desk.w, held, equity, maintenance) == below


def test_five_times_loop_dies_at_eighty_eight_cents():
    """Margin level 1.25 at the start, called below 1.10, stopped above 1.25."""
    desk = Street()
    account = loop(desk, M.MARGIN_5X, 100, 79_900)
    reprice(desk, 878, bids=100)
    assert desk.w.accounts[account].liquidating
    desk.drain()
    held = desk.w.accounts[account]
    assert not held.liquidating
    assert 0 < held.loans[USDT] < 79_900
    left = desk.posted(account, USDE) * 878 // 1_000 + desk.posted(account)
    assert left / held.loans[USDT] == pytest.approx(1.25, abs=0.03)


def test_haircuts_count_in_pro_only():
    """The same holdings are called by Pro while classic is content."""
    desk = Street()
    classic = loop(desk, M.MARGIN_5X, 1_000, 790_000)
    pro = loop(desk, M.MARGIN_PRO, 1_000, 790_000)
    reprice(desk, 900)
    assert not desk.w.accounts[classic].liquidating
    assert desk.w.accounts[pro].liquidating


def test_what_may_be_borrowed():
    """Five times is equity of a quarter of the loans; more is refused; no perpetuals here."""
    desk = Street()
    account = desk.account(M.MARGIN_5X, usde=100_000)
    assert reason(desk.do(23, account, USDT, 400_001)) == R.INSUFFICIENT_MARGIN
    assert of(desk.do(23, account, USDT, 399_000), 11)
    assert reason(desk.limit(account, PERP, 0, PRICE, 1)) == R.MARGIN_MODE_NOT_OFFERED
    assert reason(desk.do(50, account, PERP, 1)) == R.MARGIN_MODE_NOT_OFFERED
    assert reason(desk.do(22, account, USDT, 399_000)) == R.INSUFFICIENT_MARGIN


def test_below_one_the_venue_takes_it_over():
    """At 66 cents nearly nothing of the principal is left, and the rest is the venue's."""
    desk = Street()
    account = loop(desk, M.MARGIN_5X, 100, 79_900)
    reprice(desk, 660)
    events = desk.drain()
    assert of(events, 33)[-1][2] == LiquidationOutcome.BANKRUPT
    assert not desk.w.accounts[account].loans
    assert desk.w.venues[0].bad_debt_total > 0


def test_rules_match_their_levels():
    """The rates of each mode are its published levels, restated on the loans."""
    for mode, name in RULES.items():
        margin, level = SPOT_MARGIN[mode], LEVEL_RULES[name]
        assert margin.loan_mmr_ppm == (level.liquidate_below - 1) * 10**6
        if level.stop_above is not None:
            assert margin.stop_ppm * margin.loan_mmr_ppm == (level.stop_above - 1) * 10**12
