"""Actions of concentrated AMMs: liquidity between two ticks, and the fees it earns.

::

    ADD_RANGE       amm, lower tick, upper tick, most of the first coin, most of the second
    REMOVE_RANGE    amm, lower tick, upper tick, liquidity (0: only collect fees)

Both pay out the fees that the range has earned.
"""

from __future__ import annotations

from exchange_sim.defi.concentrated import Q128, TICK_MAX, Range
from exchange_sim.defi.spec import AmmKind
from exchange_sim.limits import INT64_MAX
from exchange_sim.messages.reasons import PostingKind, RejectReason
from exchange_sim.world.chain.amms import Amm
from exchange_sim.world.chain.execution import ALL, Action, Execution, Revert
from exchange_sim.world.chain.swaps import amm_at

R = RejectReason


def _range_of(x: Execution, action: Action) -> tuple[Amm, int, int]:
    amm, lower, upper = amm_at(x, action[1]), action[2], action[3]
    if amm.kind != AmmKind.CONCENTRATED or not -TICK_MAX <= lower < upper <= TICK_MAX:
        raise Revert(R.BAD_RANGE)
    return amm, lower, upper


def add_range(x: Execution, action: Action) -> None:
    """Provide as much liquidity as two amounts pay for."""
    amm, lower, upper = _range_of(x, action)
    most = [
        x.free(asset) if amount == ALL else amount
        for asset, amount in zip(amm.coins, action[4:6], strict=True)
    ]
    if min(most) < 0:
        raise Revert(R.BAD_AMOUNT)
    pool = amm.curve
    liquidity = pool.liquidity_for(lower, upper, *most)
    if liquidity <= 0:
        raise Revert(R.BAD_AMOUNT)
    if pool.liquidity + liquidity > INT64_MAX:
        raise Revert(R.TOO_LARGE)
    amounts = pool.amounts(lower, upper, liquidity, up=True)
    for asset, amount in zip(amm.coins, amounts, strict=True):
        x.post(asset, x.wallet, amm.account, amount, PostingKind.LIQUIDITY_IN)
    _change(x, amm, (lower, upper), liquidity, amounts)
    x.output = liquidity


def remove_range(x: Execution, action: Action) -> None:
    """Take liquidity and fees back."""
    amm, lower, upper = _range_of(x, action)
    held = amm.ranges.get((x.wallet, lower, upper))
    if held is None:
        raise Revert(R.TOO_LITTLE_LIQUIDITY)
    liquidity = held.liquidity if action[4] == ALL else action[4]
    if not 0 <= liquidity <= held.liquidity:
        raise Revert(R.TOO_LITTLE_LIQUIDITY)
    amounts = amm.curve.amounts(lower, upper, liquidity, up=False)
    for asset, amount in zip(amm.coins, amounts, strict=True):
        x.post(asset, amm.account, x.wallet, amount, PostingKind.LIQUIDITY_OUT)
    _change(x, amm, (lower, upper), -liquidity, amounts)
    x.output = amounts[0]


def _change(
    x: Execution, amm: Amm, ticks: tuple[int, int], change: int, amounts: tuple[int, int]
) -> None:
    """Move a range's liquidity, pay its fees, and keep its edges."""
    pool, (lower, upper) = amm.curve, ticks
    for tick in ticks:
        if tick not in pool.ticks:
            x.put(pool.ticks, tick, pool.new_tick(tick))
    key = (x.wallet, lower, upper)
    held = amm.ranges.get(key)
    if held is None:
        held = Range()
        held.inside0, held.inside1 = pool.inside(lower, upper)
        x.put(amm.ranges, key, held)
    x.touch(held)
    inside0, inside1 = pool.inside(lower, upper)
    fees = (
        (inside0 - held.inside0) * held.liquidity // Q128,
        (inside1 - held.inside1) * held.liquidity // Q128,
    )
    held.inside0, held.inside1 = inside0, inside1
    for asset, fee in zip(amm.coins, fees, strict=True):
        x.post(asset, amm.account, x.wallet, fee, PostingKind.FEES_COLLECTED)
    held.liquidity += change
    for tick, sign in ((lower, 1), (upper, -1)):
        edge = pool.ticks[tick]
        x.touch(edge)
        edge.gross += change
        edge.net += sign * change
        if not edge.gross:
            x.drop(pool.ticks, tick)
    if lower <= pool.tick < upper:
        x.touch(pool)
        pool.liquidity += change
    if not held.liquidity:
        x.drop(amm.ranges, key)
    x.emit(
        122, amm.id, x.wallet, lower, upper, held.liquidity, change, *amounts, *fees,
    )  # fmt: skip
