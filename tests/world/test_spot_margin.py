"""Spot margin: levels at which loans are called and left alone, and what counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.messages.reasons import LiquidationOutcome
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.model.account import SPOT_MARGIN, AccountMode
from exchange_sim.risk.cross_margin import LEVEL_RULES, classic_level
from exchange_sim.risk.liabilities import LiabilityTable
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


BRACKETS = LiabilityTable(
    ((50_000, 111_200, 50_000), (100_000, 142_900, 80_000), (None, 200_000, 150_000))
)


def pro_desk(**tables) -> Street:
    """A venue on which owed dollars have brackets."""
    return Street(venue={"liabilities": {USDT: BRACKETS}}, **tables)


@given(owed=st.integers(0, 400_000), more=st.integers(1, 200_000))
def test_brackets_of_a_liability_are_charged_like_a_tax(owed: int, more: int):
    """Each slice at its own rate, and a larger debt never costs less."""
    plain, low = 0, 0
    for upto, rate, _ in BRACKETS.brackets:
        plain += max(0, min(owed, upto or owed) - low) * rate
        low = upto or low
    assert BRACKETS.initial(owed) == -(-plain // 10**6)
    assert BRACKETS.initial(owed + more) >= BRACKETS.initial(owed)
    assert BRACKETS.maintenance(owed) <= BRACKETS.initial(owed)


def test_pro_is_margined_by_the_brackets_of_what_it_owes():
    """A large debt needs the higher rates, a classic account of the same size none of them."""
    desk = pro_desk()
    account = loop(desk, M.MARGIN_PRO, 1_000, 200_000)
    _, initial, maintenance = requirements(desk.w, desk.w.accounts[account])
    assert maintenance == 50_000 * 5 // 100 + 50_000 * 8 // 100 + 100_000 * 15 // 100
    assert initial == BRACKETS.initial(200_000)
    classic = loop(desk, M.MARGIN_5X, 1_000, 200_000)
    assert requirements(desk.w, desk.w.accounts[classic])[2] == 20_000


def test_the_brackets_bound_what_may_be_borrowed():
    """Collateral of 95,000 carries a debt whose initial margin is no more than that."""
    desk = pro_desk()
    account = desk.account(M.MARGIN_PRO, usde=100_000)
    free, _, _ = requirements(desk.w, desk.w.accounts[account])
    most = max(n for n in range(0, 700_000, 1_000) if BRACKETS.initial(n) <= free)
    assert reason(desk.do(23, account, USDT, most + 2_000)) == R.INSUFFICIENT_MARGIN
    assert of(desk.do(23, account, USDT, most - 2_000), 11)
    assert reason(desk.do(23, account, USDT, 4_000)) == R.INSUFFICIENT_MARGIN


def test_a_pro_account_is_liquidated_by_its_brackets_and_left_above_twice():
    """Equity below the sum over the brackets; sold until it is twice what is still owed needs."""
    flat, tiered = Street(), pro_desk()
    for desk in (flat, tiered):
        account = loop(desk, M.MARGIN_PRO, 1_000, 700_000)
        reprice(desk, 860, bids=1_000)
        held = desk.w.accounts[account]
        assert held.liquidating == (desk is tiered)
    tiered.drain()
    equity, _, maintenance = requirements(tiered.w, held)
    assert not held.liquidating
    assert 0 < held.loans[USDT] < 700_000
    assert equity >= 2 * maintenance


@pytest.mark.parametrize(
    ("brackets", "problem"),
    [
        ((), "there is none"),
        (((None, 100, 200),), "bracket 1: maintenance 200 ppm and initial 100 ppm"),
        (((10, 200, 100), (10, 300, 200), (None, 400, 300)), "bound 10 does not rise above 10"),
        (((10, 300, 200), (None, 200, 100)), "bracket 2: its rates fall"),
        (((10, 200, 100),), "the last bracket, and only that one, is unbounded"),
    ],
)
def test_brackets_that_overlap_or_fall_are_refused(brackets, problem):
    """Every problem has the number of its bracket."""
    with pytest.raises(ValueError, match=problem):
        LiabilityTable(brackets)
