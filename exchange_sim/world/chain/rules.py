"""Rules of the chain that must hold in every state, and those that its second bookkeeper judges."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING

from exchange_sim.defi.concentrated import Q128, plan_swap
from exchange_sim.defi.spec import AmmKind
from exchange_sim.world.chain.amms import Amm
from exchange_sim.world.chain.execution import Revert
from exchange_sim.world.chain.pools import MarketState, Pool
from exchange_sim.world.chain.swaps import quote
from exchange_sim.world.invariants import STEP, Violation, broken, invariant

if TYPE_CHECKING:
    from exchange_sim.world.steps import Step
    from exchange_sim.world.world import World


@invariant("LEND-1", "Indices of a lending pool never fall.", "O(events)", STEP)
@invariant(
    "LEND-3",
    "Liquidations keep to the close factor and do not lower a health factor, unless the collateral"
    " cannot pay the bonus any more.",
    "O(reserves) per liquidation",
    STEP,
)
@invariant(
    "AMM-1",
    "No swap lowers the invariant of an AMM, no deposit or withdrawal the value of a share; its"
    " account holds what its owners can claim.",
    "O(coins) per swap",
    STEP,
)
@invariant("CHAIN-1", "A block's gas is that of its receipts and fits its limit.", "O(1)", STEP)
def judged_by_the_shadow(step: Step) -> Iterator[Violation]:
    """``world.chain.shadow`` finds these while it takes the events."""
    del step
    yield from ()


@invariant(
    "LEND-2",
    "Cash, debt and deficit of a reserve cover its deposits, and exceed them by roundings only.",
    "O(positions)",
)
def deposits_are_covered(w: World) -> Iterator[Violation]:
    """Shares add up, collateral is there, and no unit is missing."""
    if w.chain is None:
        return
    for pool in w.chain.pools:
        yield from _pool(w, pool)
    for market in w.chain.markets:
        yield from _market(w, market)


def _pool(w: World, pool: Pool) -> Iterator[Violation]:
    for k, reserve in enumerate(pool.reserves):
        supplied = sum(held.supply.get(k, 0) for held in pool.positions.values())
        owed = sum(held.debt.get(k, 0) for held in pool.positions.values())
        if (supplied, owed) != (reserve.supply_shares, reserve.debt_shares):
            totals = reserve.supply_shares, reserve.debt_shares
            yield broken(w, "LEND-2", f"shares {totals}", (supplied, owed))
        gap = reserve.gap(pool.cash(w.ledger, k))
        if not 0 <= gap <= reserve.gap_bound() * 10**18:
            found = f"a gap of {gap} * 10**-18 in {pool.spec.name} {k}"
            yield broken(w, "LEND-2", f"0 to {reserve.gap_bound()} units", found, pool.account)


def _market(w: World, state: MarketState) -> Iterator[Violation]:
    market, lots = state.market, state.positions.values()
    totals = market.supply_shares, market.borrow_shares, w.ledger.posted[state.account][
        state.spec.collateral
    ]  # fmt: skip
    sums = (
        sum(lot.supply_shares for lot in lots) + market.fee_shares,
        sum(lot.borrow_shares for lot in lots),
        sum(lot.collateral for lot in lots),
    )
    if sums != totals:
        yield broken(w, "LEND-2", f"totals {totals}", f"sums {sums}", state.account)
    cash = w.ledger.posted[state.account][state.spec.loan]
    gap = cash + market.borrow_assets - market.supply_assets
    if not 0 <= gap <= market.roundings:
        yield broken(w, "LEND-2", f"0 to {market.roundings} units", gap, state.account)


@invariant(
    "AMM-1",
    "No swap lowers the invariant of an AMM, no deposit or withdrawal the value of a share; its"
    " account holds what its owners can claim.",
    "O(coins) per swap",
)
def reserves_are_there(w: World) -> Iterator[Violation]:
    """Shares add up; a concentrated pool can pay every range and its fees."""
    for amm in w.chain.amms if w.chain is not None else ():
        if sum(amm.shares.values()) != amm.total:
            yield broken(w, "AMM-1", f"{amm.total} shares", sum(amm.shares.values()))
        if amm.kind == AmmKind.CONCENTRATED:
            yield from _ranges(w, amm)


def _ranges(w: World, amm: Amm) -> Iterator[Violation]:
    pool, claims = amm.curve, [0, 0]
    active = 0
    for (_, lower, upper), held in amm.ranges.items():
        inside = pool.inside(lower, upper)
        amounts = pool.amounts(lower, upper, held.liquidity, up=False)
        for coin, (grown, paid) in enumerate(
            zip(inside, (held.inside0, held.inside1), strict=True)
        ):
            claims[coin] += amounts[coin] + (grown - paid) * held.liquidity // Q128
        active += held.liquidity if lower <= pool.tick < upper else 0
    if active != pool.liquidity:
        yield broken(w, "AMM-1", f"{active} of active liquidity", pool.liquidity, amm.account)
    have = amm.balances(w.ledger)
    if any(claim > amount for claim, amount in zip(claims, have, strict=True)):
        yield broken(w, "AMM-1", f"at least {claims}", have, amm.account)


@invariant("AMM-2", "A round trip through an AMM never gains.", "O(coins) per AMM")
def round_trips_lose(w: World) -> Iterator[Violation]:
    """A hundredth of a side there and back, tried without doing it."""
    for amm in w.chain.amms if w.chain is not None else ():
        held = amm.balances(w.ledger)
        for i in range(len(held)):
            j = (i + 1) % len(held)
            amount = held[i] // 100
            back = _there_and_back(amm, held, i, j, amount) if amount and held[j] else 0
            if back > amount:
                yield broken(w, "AMM-2", f"at most {amount}", back, amm.account)


def _there_and_back(amm: Amm, held: list[int], i: int, j: int, amount: int) -> int:
    if amm.kind == AmmKind.CONCENTRATED:
        return _through_ticks(amm, i, amount)
    try:
        out, _ = quote(amm, held, i, j, amount)
        after = list(held)
        after[i], after[j] = held[i] + amount, held[j] - out
        return quote(amm, after, j, i, out)[0] if out > 0 else 0
    except Revert:
        return 0


def _through_ticks(amm: Amm, i: int, amount: int) -> int:
    there = plan_swap(amm.curve, amount, zero_for_one=i == 0)
    moved = copy.copy(amm.curve)
    moved.sqrt_price, moved.tick = there.sqrt_price, there.tick
    moved.liquidity = there.liquidity
    if there.remaining or not there.got:
        return 0
    back = plan_swap(moved, there.got, zero_for_one=i != 0)
    return back.got
