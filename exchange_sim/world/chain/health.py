"""What a position in a lending pool is worth, and how far it is from liquidation.

Values are 10**-8 USD: collateral rounds down, debt up.  All figures are as of the present moment,
interest since the last operation included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from exchange_sim.defi import aave
from exchange_sim.defi.reserves import WAD, PoolPosition, debt_of, deposit_of
from exchange_sim.units import PPM, mul_div_ceil, mul_div_floor
from exchange_sim.world.chain.feeds import price_of

if TYPE_CHECKING:
    from exchange_sim.world.chain.pools import Pool
    from exchange_sim.world.world import World

HEALTH_PPM_MAX: Final = 10**15
"""Health factors beyond a billion are reported as one."""


@attrs.frozen
class Health:
    """A position in values: collateral, what may be borrowed against it, debt, health (WAD)."""

    collateral: int
    borrowable: int
    debt: int
    factor: int

    @property
    def factor_ppm(self) -> int:
        """Health factor in ppm, bounded so that it fits an event."""
        return min(HEALTH_PPM_MAX, self.factor // (WAD // PPM))


def terms(pool: Pool, position: PoolPosition, k: int) -> tuple[int, int, int]:
    """LTV, liquidation threshold and bonus (ppm) of a position's collateral in reserve ``k``."""
    if position.category:
        mode = pool.spec.emodes[position.category - 1]
        if k in mode.collateral:
            return mode.ltv_ppm, mode.threshold_ppm, mode.bonus_ppm
    spec = pool.spec.reserves[k]
    return spec.ltv_ppm, spec.threshold_ppm, spec.bonus_ppm


def value_down(w: World, asset: int, amount: int, price: int) -> int:
    """Value of collateral."""
    return mul_div_floor(amount, price, w.config.assets[asset].asset.scale)


def value_up(w: World, asset: int, amount: int, price: int) -> int:
    """Value of a debt."""
    return mul_div_ceil(amount, price, w.config.assets[asset].asset.scale)


def health_of(w: World, pool: Pool, position: PoolPosition) -> Health:
    """Health of a position.  O(reserves of the position)."""
    collateral = borrowable = debt = 0
    weighted = []
    for k in sorted(position.supply):
        reserve = pool.reserves[k]
        amount = deposit_of(position.supply[k], reserve.indices_at(w.time_ns)[0])
        value = value_down(w, reserve.spec.asset, amount, price_of(w, reserve.spec.oracle))
        ltv, threshold, _ = terms(pool, position, k)
        if not threshold:
            continue
        collateral += value
        borrowable += mul_div_floor(value, ltv, PPM)
        weighted.append((value, threshold))
    for k in sorted(position.debt):
        reserve = pool.reserves[k]
        amount = debt_of(position.debt[k], reserve.indices_at(w.time_ns)[1])
        debt += value_up(w, reserve.spec.asset, amount, price_of(w, reserve.spec.oracle))
    return Health(collateral, borrowable, debt, aave.health_factor(weighted, debt, WAD))
