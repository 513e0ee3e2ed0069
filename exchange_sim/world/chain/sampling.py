"""Measured quantities of the chain: how much of what is deposited is borrowed money.

A dollar that is lent, spent on the collateral and deposited again is counted twice in the value
that a pool seems to hold.  What is not pledged again is deposits less debts; loops are the
positions that owe anything::

    capital = deposits - debts;   leverage = collateral of debtors / (that - their debts)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange_sim.defi.feeds import USD
from exchange_sim.defi.reserves import debt_of, deposit_of
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.units import PPM
from exchange_sim.world.accounts import refuse
from exchange_sim.world.chain.feeds import price_of
from exchange_sim.world.chain.health import value_down, value_up

if TYPE_CHECKING:
    from exchange_sim.world.chain.pools import Pool
    from exchange_sim.world.world import World

CENT: Final = USD // 100
LEVERAGE_MAX_PPM: Final = 10**12


def sample_chain(w: World, c: tuple[int, ...]) -> None:
    """Measure every pool.  O(positions), integer sums only."""
    if w.chain is None:
        return refuse(w, (c[0], c[1], -1), RejectReason.NO_CHAIN)
    for pool in w.chain.pools:
        _sample(w, pool)
    return None


def _sample(w: World, pool: Pool) -> None:
    count = len(pool.reserves)
    pledged, debtors = [0] * count, 0
    for position in pool.positions.values():
        if position.debt:
            debtors += 1
            for k, shares in position.supply.items():
                pledged[k] += shares
    deposits = debts = collateral = 0
    for k, reserve in enumerate(pool.reserves):
        asset, price = reserve.spec.asset, price_of(w, reserve.spec.oracle)
        supply, debt, _ = reserve.indices_at(w.time_ns)
        deposits += value_down(w, asset, deposit_of(reserve.supply_shares, supply), price)
        debts += value_up(w, asset, debt_of(reserve.debt_shares, debt), price)
        collateral += value_down(w, asset, deposit_of(pledged[k], supply), price)
    equity = collateral - debts
    leverage = min(LEVERAGE_MAX_PPM, collateral * PPM // equity) if equity > 0 else 0
    w.out.append(
        (
            130, pool.id, deposits // CENT, debts // CENT, (deposits - debts) // CENT,
            collateral // CENT, debtors, leverage,
        )
    )  # fmt: skip
