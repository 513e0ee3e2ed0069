"""Deleveraging ranks and shares, bankruptcy and liquidation prices."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.risk import adl, prices
from exchange_sim.risk.brackets import BracketTable

CANDIDATES = st.lists(
    st.builds(
        adl.AdlCandidate,
        account=st.integers(0, 10**6),
        qty=st.integers(0, 10**9),
        rank=st.integers(-5, 5),
        equity=st.integers(-(10**9), 10**12),
    ),
    max_size=12,
    unique_by=lambda candidate: candidate.account,
)


@pytest.mark.parametrize("name", sorted(adl.ADL_RULES))
@given(candidates=CANDIDATES, qty=st.integers(0, 10**10), salt=st.integers(0, 99))
def test_allocation_is_exact(
    name: str, candidates: list[adl.AdlCandidate], qty: int, salt: int
) -> None:
    """Every rule closes all it must, nobody's position twice over, and no share is empty."""
    shares = adl.ADL_RULES[name](candidates, qty, salt)
    sizes = {candidate.account: candidate.qty for candidate in candidates}
    assert sum(share for _, share in shares) == min(qty, sum(sizes.values()))
    assert all(0 < share <= sizes[account] for account, share in shares)
    assert len({account for account, _ in shares}) == len(shares)


@given(CANDIDATES, st.integers(1, 10**10), st.integers(0, 99))
def test_queue_takes_the_highest_rank_first(
    candidates: list[adl.AdlCandidate], qty: int, salt: int
) -> None:
    """Nobody is touched before everyone of a higher rank is closed."""
    shares = dict(adl.production_queue(candidates, qty, salt))
    for touched in candidates:
        for other in candidates:
            if touched.account in shares and other.rank > touched.rank:
                assert shares.get(other.account, 0) == other.qty


@given(CANDIDATES, st.integers(1, 10**10))
def test_pro_rata_is_proportional(candidates: list[adl.AdlCandidate], qty: int) -> None:
    """Shares differ from proportional ones by less than a lot."""
    total = sum(candidate.qty for candidate in candidates)
    shares = dict(adl.pro_rata(candidates, qty))
    for candidate in candidates:
        if total:
            fair = Fraction(candidate.qty * min(qty, total), total)
            assert abs(shares.get(candidate.account, 0) - fair) < 1


@given(CANDIDATES, st.integers(1, 10**10))
def test_optimised_has_the_smallest_worst_loss(
    candidates: list[adl.AdlCandidate], qty: int
) -> None:
    """No rule hits the hardest hit winner less, per unit of equity, than the optimised one."""
    equity = {candidate.account: max(1, candidate.equity) for candidate in candidates}

    def worst(shares: adl.Allocation) -> Fraction:
        return max((Fraction(q, equity[a]) for a, q in shares), default=Fraction(0))

    best = worst(adl.optimised(candidates, qty))
    slack = Fraction(1, min(equity.values(), default=1))
    for rule in adl.ADL_RULES.values():
        assert best <= worst(rule(candidates, qty, 0)) + slack


def test_ties_do_not_favour_low_ids() -> None:
    """Equal ranks: who goes first depends on the salt, and over many salts on nothing else."""
    pair = [adl.AdlCandidate(k, 10, 7) for k in range(2)]
    first = [adl.production_queue(pair, 5, salt)[0][0] for salt in range(400)]
    assert 150 < sum(first) < 250
    assert first[3] == adl.production_queue(pair[::-1], 5, 3)[0][0]


def test_rank_edges() -> None:
    """No profit or no equity ranks zero; a tiny wallet counts as one coin."""
    assert adl.adl_rank(-5, 100, 10) == 0
    assert adl.adl_rank(0, 100, 10) == 0
    assert adl.adl_rank(50, -60, 10) == 0
    assert adl.adl_rank(50, -10, 8, one_unit=100) == 50 * 8 * 10**6 // (100 * 40)
    assert adl.leverage_rank(1, 100, 90, 80) < 0 < adl.leverage_rank(-1, 100, 90, 110)
    assert [adl.quantile(k, 10) for k in (0, 1, 2, 9)] == [4, 4, 3, 0]
    assert adl.quantile(0, 0) == 0
    assert adl.overshoot(12, 10) == 2
    assert adl.overshoot(8, 10) == 0


SIDES = st.sampled_from([1, -1])
POSITIVE = st.integers(1, 10**6)


@given(SIDES, POSITIVE, POSITIVE, POSITIVE, st.fractions(0, Fraction(1, 5)))
def test_liquidation_price_is_where_margin_meets_maintenance(
    side: int, qty: int, entry: int, wallet: int, mmr: Fraction
) -> None:
    """At the price, wallet and profit are exactly the maintenance margin."""
    price = prices.liquidation_price(side, qty, entry, wallet, mmr)
    if price is not None:
        assert wallet + side * qty * (price - entry) == qty * price * mmr


@given(SIDES, POSITIVE, POSITIVE, POSITIVE, st.fractions(0, Fraction(1, 5)))
def test_inverse_liquidation_price(
    side: int, value: int, entry: int, wallet: int, mmr: Fraction
) -> None:
    """The same for a coin-margined position, in coin."""
    price = prices.inverse_liquidation_price(side, value, entry, wallet, mmr)
    if price is not None:
        profit = side * value * (Fraction(1, entry) - 1 / price)
        assert wallet + profit == value / price * mmr


@given(SIDES, st.integers(1, 10**4), st.integers(1, 10**4), st.integers(1, 10**8))
def test_liquidation_price_by_table_uses_its_own_bracket(
    side: int, qty: int, entry: int, wallet: int
) -> None:
    """The price is consistent with the bracket that the notional falls in at that price."""
    table = BracketTable(
        [0, 10_000, 10**6, 10**7], [4_000, 10_000, 50_000, 100_000], [100, 50, 10, 5]
    )
    price = prices.liquidation_price_by_table(side, qty, entry, wallet, table)
    if price is None:
        # Only a long that could fall to zero has no liquidation price.
        assert side > 0
        assert wallet >= qty * entry
    else:
        equity = wallet + side * qty * (price - entry)
        assert abs(equity - table.maintenance(int(qty * price))) <= 1 + max(table.mmr_ppm)


@given(SIDES, POSITIVE, st.integers(2, 125))
def test_bankruptcy_prices(side: int, entry: int, leverage: int) -> None:
    """Linear and inverse positions are bankrupt on the losing side of their entry."""
    linear = prices.linear_bankruptcy_at_leverage(side, entry, leverage)
    inverse = prices.inverse_bankruptcy_at_leverage(side, entry, leverage)
    assert inverse is not None
    assert (linear < entry) == (inverse < entry) == (side > 0)
    margin = Fraction(1000, entry * leverage)
    assert prices.inverse_bankruptcy(side, 1000, entry, margin) == inverse


def test_a_short_at_leverage_one_cannot_go_bankrupt_in_coin() -> None:
    """Its margin grows as fast as its loss."""
    assert prices.inverse_bankruptcy_at_leverage(-1, 100, 1) is None


@given(SIDES, st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 10**4))
def test_bankruptcy_ticks_favour_the_fund(side: int, value: int, margin: int, unit: int) -> None:
    """Closed at that tick a position loses at most its margin; one tick worse, it loses more."""
    ticks = prices.bankruptcy_ticks(side, value, margin, unit)
    assert ticks >= 1
    if ticks > 1:
        assert side * (ticks * unit - value) + margin >= 0
        assert side * ((ticks - side) * unit - value) + margin < 0


def test_settlement_and_fee() -> None:
    """ADL settles at the mark beyond 5 %, at bankruptcy within; fees round up."""
    assert prices.settle_price(489, 400) == 400
    assert prices.settle_price(105, 100) == 105
    assert prices.settle_price(94, 100) == 100
    assert prices.liquidation_fee(1_000_001, 12_500) == 12_501
    assert prices.liquidation_fee(0, 12_500) == 0
