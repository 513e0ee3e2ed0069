"""Pools, lending markets, gas and loops: what must hold for any numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.analysis.rules import lending
from exchange_sim.analysis.rules.common import Inputs
from exchange_sim.credit import loans
from exchange_sim.defi import (
    aave,
    curve,
    euler,
    gas,
    morpho,
    oracles,
    reserves,
    stableswap,
    uniswap_v2,
    uniswap_v3,
)
from exchange_sim.issuer import loops, synthetic_dollar

WAD = 10**18
AMOUNTS = st.integers(1, 10**24)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_constant_product_never_loses(amount: int, reserve_in: int, reserve_out: int) -> None:
    """The product of the reserves never falls, and no input is charged twice."""
    out = uniswap_v2.amount_out(amount, reserve_in, reserve_out)
    assert (reserve_in + amount) * (reserve_out - out) >= reserve_in * reserve_out
    if out:
        assert uniswap_v2.amount_in(out, reserve_in, reserve_out) <= amount


BALANCES = st.lists(st.integers(10**24, 10**26), min_size=2, max_size=3)


@given(BALANCES, st.integers(50, 5_000), st.integers(10**15, 10**24))
def test_stableswap_never_loses(balances: list[int], a: int, dx: int) -> None:
    """The invariant never falls in a swap, fees or not, beyond the last unit of its iteration."""
    amplification = a * curve.A_PRECISION
    done = curve.exchange(balances, amplification, 0, 1, dx, 10**6, 20 * 10**10)
    after = [balances[0] + dx, balances[1] - done.out, *balances[2:]]
    assert curve.invariant(after, amplification) >= done.invariant - 2
    assert done.out <= done.before_fee < balances[1]


def test_stableswap_refusals() -> None:
    """Wrong coins, amounts and empty pools are refused."""
    with pytest.raises(ValueError, match="two different coins"):
        curve.exchange([WAD, WAD], 100, 0, 0, WAD, 0, 0)
    with pytest.raises(ValueError, match="must be positive"):
        curve.exchange([WAD, WAD], 100, 0, 1, 0, 0, 0)
    with pytest.raises(ValueError, match="empty side"):
        curve.invariant([WAD, 0], 100)
    assert curve.invariant([0, 0], 100) == 0


@given(
    st.fractions(Fraction(1, 100), 100),
    st.fractions(Fraction(1, 100), 100),
    st.integers(10**12, 10**22),
    st.integers(-(10**20), 10**20).filter(bool),
    st.integers(0, 10_000),
)
def test_swap_step_bounds(
    price: Fraction, target: Fraction, liquidity: int, remaining: int, fee: int
) -> None:
    """A step never passes its target, takes more than offered, or gives more than asked."""
    start, end = uniswap_v3.encode_sqrt(price), uniswap_v3.encode_sqrt(target)
    done = uniswap_v3.swap_step(start, end, liquidity, remaining, fee)
    assert min(start, end) <= done.sqrt_price <= max(start, end)
    if remaining > 0:
        assert done.amount_in + done.fee <= remaining
        assert done.sqrt_price == end or done.amount_in + done.fee == remaining
    else:
        assert done.amount_out <= -remaining


def test_swap_step_refusals() -> None:
    """A range without liquidity, or that cannot pay, is refused."""
    one = uniswap_v3.encode_sqrt(Fraction(1))
    with pytest.raises(ValueError, match="must be positive"):
        uniswap_v3.swap_step(one, 2 * one, 0, 1, 0)
    with pytest.raises(ValueError, match="pips"):
        uniswap_v3.swap_step(one, 2 * one, 1, 1, 10**6)
    for zero in (True, False):
        with pytest.raises(ValueError, match="does not hold"):
            uniswap_v3.next_from_output(one, 10, 100, zero_for_one=zero)


HUGE = st.integers(1, 10**21)


@given(HUGE, HUGE, HUGE, st.integers(0, 200_000), st.integers(0, 10**6))
def test_seizure_is_paid_for(debt: int, held: int, price: int, bonus: int, fee: int) -> None:
    """The pool never gives collateral beyond the bonus, and never more than there is."""
    done = aave.liquidate(debt, WAD, held, price, 10**6 + bonus, fee)
    assert 0 <= done.protocol_fee <= done.seized <= held
    assert done.to_liquidator + done.protocol_fee == done.seized
    assert done.seized * price * 10**6 <= done.repaid * WAD * (10**6 + bonus)
    assert done.repaid <= debt or done.seized == held


@given(HUGE, HUGE, st.integers(WAD // 100, 100 * WAD), st.integers(0, WAD), HUGE)
def test_isolated_market_liquidation(
    debt: int, held: int, price: int, lltv: int, repay: int
) -> None:
    """What is repaid, left and written off is the debt; bad debt only without collateral."""
    done = morpho.liquidate(debt, held, price, lltv, repay)
    assert done.repaid + done.debt_left + done.bad_debt == debt
    assert done.seized + done.collateral_left == held
    assert min(done.repaid, done.debt_left, done.bad_debt, done.collateral_left) >= 0
    assert done.bad_debt == 0 or done.collateral_left == 0


@given(st.integers(0, 10**12), st.integers(1, 10**12), st.integers(1, 10**12))
def test_dutch_discount(adjusted: int, liability: int, value: int) -> None:
    """The discount stays within its maximum and the yield within the collateral."""
    offer = euler.liquidation_offer(adjusted, liability, value, 150_000)
    assert 0 <= offer.discount <= 150_000
    assert offer.repay + offer.bad_debt in (0, liability)
    assert offer.yield_value <= value


def test_health_and_close_factor() -> None:
    """A healthy account is left alone; at 0.95 everything may go, just above half of it."""
    assert aave.health_factor([(100, 930_000)], 93) == 10**6
    assert aave.health_factor([], 0) == aave.HF_INFINITE
    sizes = (50_000, 10_000, 10_000, 2_000)
    assert aave.max_repay(1_000_000, *sizes) == 0
    assert aave.max_repay(950_001, *sizes) == 5_000
    assert aave.max_repay(950_000, *sizes) == 10_000
    assert aave.max_repay(990_000, 1_999, 10_000, 10_000, 2_000) == 10_000
    assert aave.leaves_dust(999, 5_000, 1_000)
    assert not aave.leaves_dust(0, 5, 1_000)
    assert aave.deficit(100, 60, 1) == 0
    assert aave.deficit(100, 60, 0) == 40


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_borrow_rate_rises_with_use(a: int, b: int) -> None:
    """The curve is monotone and continuous at its kink."""
    low, high = sorted((a, b))

    def rate(use: int) -> int:
        return aave.utilisation_rate(use, 900_000, 0, 60_000, 600_000)

    assert rate(low) <= rate(high)
    assert rate(900_000) == 60_000
    assert rate(900_001) <= 60_007
    with pytest.raises(ValueError, match="optimal"):
        aave.utilisation_rate(1, 0, 0, 1, 1)


def test_capped_feeds() -> None:
    """A ceiling, no floor, nothing for a dead feed."""
    assert oracles.capped_stable(106, 104) == 104
    assert oracles.capped_stable(65, 104) == 65
    assert oracles.capped_stable(0, 104) == 0
    year = oracles.SECONDS_PER_YEAR
    assert oracles.max_ratio(1_000, 100_000, year) == 1_100
    assert oracles.capped_ratio(2_000, 1_000, 100_000, year) == 1_100
    assert oracles.capped_ratio(-1, 1_000, 100_000, year) == 0


@given(st.integers(8, 10**12), st.integers(0, 30_000_000))
def test_base_fee_moves_by_an_eighth_at_most(fee: int, used: int) -> None:
    """Up after full blocks, down after empty ones, never by more than an eighth or one wei."""
    after = gas.next_base_fee(fee, used, 30_000_000)
    assert abs(after - fee) <= max(1, fee // 8)
    assert (after >= fee) == (used >= 15_000_000) or after == fee


def test_base_fee_refusals() -> None:
    """Blocks cannot be over-full, and empty ones never raise the fee."""
    with pytest.raises(ValueError, match="does not fit"):
        gas.next_base_fee(1, 31, 30)
    with pytest.raises(ValueError, match="never move"):
        gas.blocks_until(gas.GWEI, 2 * gas.GWEI, 0, 30_000_000)
    with pytest.raises(ValueError, match="negative"):
        gas.blocks_until(-1, 5, 30, 30)
    assert gas.blocks_until(100 * gas.GWEI, 50 * gas.GWEI, 0, 30)[0] == 6


LTVS = st.fractions(0, Fraction(99, 100), max_denominator=100)


@given(st.integers(1, 10**6), LTVS, st.integers(0, 20))
def test_loop_approaches_its_limit(equity: int, ltv: Fraction, rounds: int) -> None:
    """Every round adds, the equity stays, and the limit is never passed."""
    done, limit = loops.loop(equity, ltv, rounds), loops.loop_limit(equity, ltv)
    assert done.collateral - done.debt == equity
    assert equity <= done.collateral <= limit.collateral
    assert done.collateral == equity * (1 - ltv ** (rounds + 1)) / (1 - ltv)
    wiped = 1 - loops.equity_wipe(done.collateral, done.debt)
    assert wiped * done.collateral == done.debt


def test_loop_refusals() -> None:
    """A loop needs equity and an LTV below one."""
    with pytest.raises(ValueError, match="needs equity"):
        loops.loop(0, Fraction(1, 2), 1)
    with pytest.raises(ValueError, match="below 1"):
        loops.loop_limit(1, Fraction(1))
    with pytest.raises(ValueError, match="price must be positive"):
        synthetic_dollar.buyback(1, 0, 1, 1)


@given(st.integers(1, 10**9), st.integers(1, 10**9), LTVS)
def test_partial_sale_reaches_its_target(loan: int, held: int, target: Fraction) -> None:
    """After the sale the LTV is the target, or nothing is left to sell, or none was needed."""
    sold = loans.sale_to_target(loan, held, target)
    assert 0 <= sold <= held
    if 0 < sold < held:
        assert loans.loan_to_value(loan - sold, held - sold) == target


def test_loan_states() -> None:
    """A level itself already counts; terms must rise."""
    vip = loans.LOAN_PRODUCTS["vip"]
    states = [loans.loan_state(loan, 100, vip) for loan in (0, 76, 77, 90, 91, 200)]
    assert states == [
        "HEALTHY",
        "HEALTHY",
        "MARGIN_CALL",
        "MARGIN_CALL",
        "LIQUIDATION",
        "LIQUIDATION",
    ]
    assert loans.loan_to_value(1, 0) is None
    with pytest.raises(ValueError, match="must rise"):
        loans.LoanTerms(Fraction(8, 10), Fraction(7, 10), Fraction(9, 10))


@given(st.integers(0, 5_000_000), st.integers(0, 10**18), st.integers(1, 10**18))
def test_debts_compound_upwards(rate: int, first_ns: int, second_ns: int) -> None:
    """Growth never falls below 1, more time is more debt, and two steps are at least one."""
    one = reserves.compounded(rate, first_ns + second_ns)
    two = reserves.compounded(rate, first_ns) * reserves.compounded(rate, second_ns) // WAD
    assert WAD <= reserves.compounded(rate, first_ns) <= one
    if rate * (first_ns + second_ns) < 10**5 * reserves.YEAR_NS:
        assert abs(two - one) <= one // 10**5 + 2


@given(BALANCES, st.integers(50, 5_000), st.integers(1, 10**24), st.integers(10**6, 10**13))
def test_stableswap_shares_are_not_a_gift(
    balances: list[int], a: int, added: int, supply: int
) -> None:
    """One coin in and the same coin out gives at most what was paid, at any fee."""
    amplification = a * curve.A_PRECISION
    after = [balances[0] + added, *balances[1:]]
    shares = stableswap.minted(balances, after, amplification, 10**6, supply)
    if shares:
        back = stableswap.one_coin(after, amplification, 10**6, 0, shares, supply + shares)
        assert back <= added


def test_the_rate_curve_as_a_rule() -> None:
    """From a utilisation or from amounts; lenders earn what borrowers pay less the factor."""
    terms = {"optimal": "0.9", "slope1": "0.05", "slope2": "0.6", "reserve_factor": "0.1"}
    by_share = lending.borrow_rate(Inputs({**terms, "utilisation": "0.95"}))
    by_amount = lending.borrow_rate(Inputs({**terms, "debt": "95", "cash": "5"}))
    assert by_share == by_amount
    assert by_share["borrow_rate"] == Fraction(35, 100)
    assert by_share["supply_rate"] == Fraction(35, 100) * Fraction(95, 100) * Fraction(9, 10)
