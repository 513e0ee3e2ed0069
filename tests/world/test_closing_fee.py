"""OKX: what closing an account's positions costs is part of its maintenance margin."""

from __future__ import annotations

import pytest

from exchange_sim.model.account import CROSS
from exchange_sim.risk.profiles import OKX
from exchange_sim.world import FeeTier
from exchange_sim.world.margin import requirements
from tests.world.factory import Street, of, under


@pytest.mark.parametrize(("mark", "liquidated"), [(984, True), (985, False)])
def test_okx_counts_the_fee_of_closing_as_maintenance(mark, liquidated):
    """A long of 100 lots with 2,584 and a taker fee of 0.05 %.

    At 984 its equity is 984, and so is its maintenance by brackets; the 49.2 that closing costs
    make that 1,034.  At 985 its equity of 1,084 covers both.
    """
    known = {}
    for counted in (True, False):
        tables = under(OKX, margin={"closing_fee": counted})
        street = Street(venue=tables, fees=(FeeTier(0, 500),))
        street.do(30, 0, 50_000)
        account = street.victim(CROSS, 100, usdt=2_584)
        street.move(mark, bids=10_000)
        known[counted] = (
            requirements(street.w, street.w.accounts[account])[2],
            bool(of(street.events, 31)),
        )
    assert known[False] == (mark, False)
    assert known[True] == (-(-mark * 100 * 10_500 // 10**6), liquidated)
