"""Limits of margin loans: what may be borrowed, and what more than that costs."""

from __future__ import annotations

import pytest

from exchange_sim.messages.reasons import RejectReason
from exchange_sim.model.account import PORTFOLIO
from exchange_sim.risk.profiles import BYBIT, OKX
from tests.world.factory import SECOND, USDT, Desk, make_config, reason, under


@pytest.mark.parametrize(
    ("profile", "limit", "factor"), [(BYBIT, 2_000, 8), (BYBIT, 4_000, 1), (OKX, 2_000, 1)]
)
def test_a_loan_beyond_its_limit_costs_utilisation_cubed(profile, limit, factor):
    """Twice the limit, eight times the interest; only where the venue punishes it."""
    desk = Desk(make_config(venue={**under(profile), "max_loans": {USDT: limit * 1_000}}), False)
    account = desk.account(PORTFOLIO, btc=10**9)
    owed = desk.w.accounts[account].loans[USDT] = 4_000_000
    desk.now += 3_600 * SECOND
    desk.do(12, 0)

    charged = desk.w.accounts[account].loans[USDT] - owed
    assert charged == -(-owed * 10_000 * factor // 10**9)


def test_nobody_borrows_more_than_the_limit_of_the_asset():
    """By an order of its own; what the venue lends by itself has no limit."""
    desk = Desk(venue={"max_loans": {USDT: 500}})
    account = desk.account(PORTFOLIO, btc=10**6)
    assert [e[0] for e in desk.do(23, account, USDT, 500)] == [10, 11]
    assert reason(desk.do(23, account, USDT, 1)) == RejectReason.BORROW_LIMIT
