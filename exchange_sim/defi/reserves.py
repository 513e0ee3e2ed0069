"""A lending pool's reserves: indices, shares, interest; exact integers.

Deposits and debts are shares of a growing total: ``amount = shares * index``.  Indices are WAD
(10**18).  Every rounding favours the pool: deposits round down, debts up.  Source of the mechanics:
https://github.com/aave-dao/aave-v3-origin (ReserveLogic.sol, MathUtils.sol,
DefaultReserveInterestRateStrategyV2.sol).

::

    borrow index  *=  1 + x + x^2/2 + x^3/6         x = yearly rate * time / year
    supply index  +=  interest charged * (1 - reserve factor) / supplied shares

Simplifications
---------------
The supply index passes on exactly the interest that was charged.  Aave computes a linear rate from
the utilisation instead, which leaves the second-order part in the pool; the two differ by less than
10**-9 over a block.
"""

from __future__ import annotations

from typing import Final

import attrs

from exchange_sim.defi import aave
from exchange_sim.units import NANOS_PER_DAY, PPM, mul_div_ceil, mul_div_floor

WAD: Final = 10**18
YEAR_NS: Final = 365 * NANOS_PER_DAY


@attrs.frozen
class ReserveSpec:
    """One asset of a pool.

    Ratios are ppm; ``bonus_ppm`` includes the principal (1_050_000 is 5 %).  ``oracle`` is a
    position in ``ChainSpec.oracles``.  Caps are in units of the asset, 0 for none.
    ``protocol_fee_ppm`` is the protocol's share of the liquidation bonus.
    """

    asset: int
    oracle: int
    ltv_ppm: int = 0
    threshold_ppm: int = 0
    bonus_ppm: int = PPM
    protocol_fee_ppm: int = 100_000
    reserve_factor_ppm: int = 100_000
    optimal_ppm: int = 900_000
    base_rate_ppm: int = 0
    slope1_ppm: int = 50_000
    slope2_ppm: int = 600_000
    supply_cap: int = 0
    borrow_cap: int = 0
    borrowable: bool = True


@attrs.frozen
class EModeSpec:
    """A category with better terms: for its collateral reserves, if only its assets are borrowed.

    ``collateral`` and ``borrowable`` are positions in ``PoolSpec.reserves``.
    """

    ltv_ppm: int
    threshold_ppm: int
    bonus_ppm: int
    collateral: tuple[int, ...]
    borrowable: tuple[int, ...]
    name: str = ""


@attrs.frozen
class PoolSpec:
    """A lending pool of the Aave kind; ``emodes[k]`` is category ``k + 1``, 0 is none.

    ``liquidations`` False refuses every liquidation (a mechanism that is switched off).
    """

    name: str
    reserves: tuple[ReserveSpec, ...]
    emodes: tuple[EModeSpec, ...] = ()
    flash_premium_ppm: int = aave.FLASH_PREMIUM_PPM
    min_base_usd: int = aave.MIN_BASE_USD
    min_leftover_usd: int = aave.MIN_LEFTOVER_USD
    liquidations: bool = True


class Reserve:
    """State of one asset of a pool.

    ``rate_ppm`` is the yearly borrow rate that holds since ``updated_ns``.  ``treasury_shares`` are
    deposits of the protocol; ``deficit`` is debt that was written off.  ``roundings`` counts the
    operations that may each have left a unit to the pool.
    """

    __slots__ = (
        "debt_index", "debt_shares", "deficit", "rate_ppm", "roundings", "spec", "supply_index",
        "supply_shares", "treasury_shares", "updated_ns",
    )  # fmt: skip

    def __init__(self, spec: ReserveSpec, now: int) -> None:
        self.spec = spec
        self.supply_shares = 0
        self.treasury_shares = 0
        self.debt_shares = 0
        self.supply_index = WAD
        self.debt_index = WAD
        self.deficit = 0
        self.rate_ppm = spec.base_rate_ppm
        self.updated_ns = now
        self.roundings = 0

    def indices_at(self, now: int) -> tuple[int, int, int]:
        """Supply and debt index at a later instant, and treasury shares that accrue until then."""
        grown = compounded(self.rate_ppm, now - self.updated_ns)
        if grown == WAD or not self.debt_shares:
            return self.supply_index, self.debt_index, 0
        debt_index = mul_div_ceil(self.debt_index, grown, WAD)
        interest = self.debt_shares * (debt_index - self.debt_index) // WAD
        fee = mul_div_floor(interest, self.spec.reserve_factor_ppm, PPM)
        total = self.supply_shares + self.treasury_shares
        growth = (interest - fee) * WAD // total if total else 0
        supply_index = self.supply_index + growth
        return supply_index, debt_index, fee * WAD // supply_index

    def accrue(self, now: int) -> None:
        """Bring the indices up to date."""
        self.supply_index, self.debt_index, earned = self.indices_at(now)
        self.treasury_shares += earned
        self.updated_ns = now
        self.roundings += 1

    def set_rate(self, cash: int) -> None:
        """The borrow rate that follows from the utilisation, with ``cash`` in the pool."""
        spec = self.spec
        used = utilisation(self.debt(), cash)
        self.rate_ppm = aave.utilisation_rate(
            used, spec.optimal_ppm, spec.base_rate_ppm, spec.slope1_ppm, spec.slope2_ppm
        )

    def supply_rate_ppm(self, cash: int) -> int:
        """What depositors earn per year."""
        total = cash + self.debt() + self.deficit
        if not total:
            return 0
        kept = PPM - self.spec.reserve_factor_ppm
        return self.rate_ppm * self.debt() * kept // (total * PPM)

    def supplied(self) -> int:
        """What all depositors and the protocol can claim, rounded down."""
        return mul_div_floor(self.supply_shares + self.treasury_shares, self.supply_index, WAD)

    def debt(self) -> int:
        """What all borrowers owe, rounded up."""
        return mul_div_ceil(self.debt_shares, self.debt_index, WAD)

    def gap(self, cash: int) -> int:
        """Units (WAD) by which the pool holds more than it owes: never negative (LEND-2)."""
        owned = (cash + self.deficit) * WAD + self.debt_shares * self.debt_index
        return owned - (self.supply_shares + self.treasury_shares) * self.supply_index

    def gap_bound(self) -> int:
        """What roundings can have left to the pool at most, in units."""
        indices = self.supply_index + self.debt_index
        grains = (self.supply_shares + self.treasury_shares) // WAD
        return self.roundings * (3 + indices // WAD + grains)


class PoolPosition:
    """What one wallet has deposited and owes: shares by position of the reserve."""

    __slots__ = ("category", "debt", "supply")

    def __init__(self) -> None:
        self.category = 0
        self.supply: dict[int, int] = {}
        self.debt: dict[int, int] = {}


def compounded(rate_ppm: int, elapsed_ns: int) -> int:
    """Growth factor (WAD) of a debt at a yearly rate, third-order Taylor as in MathUtils.sol."""
    x = rate_ppm * elapsed_ns * (WAD // PPM) // YEAR_NS
    return WAD + x + x * x // (2 * WAD) + x * x * x // (6 * WAD * WAD)


def utilisation(debt: int, cash: int) -> int:
    """Debt over cash plus debt in ppm, rounded up; 0 for an empty pool."""
    return mul_div_ceil(debt, PPM, debt + cash) if debt > 0 else 0


def shares_down(amount: int, index: int) -> int:
    """Shares for an amount, rounded down: deposits, and debts that are repaid."""
    return mul_div_floor(amount, WAD, index)


def shares_up(amount: int, index: int) -> int:
    """Shares for an amount, rounded up: withdrawals, and debts that are taken."""
    return mul_div_ceil(amount, WAD, index)


def deposit_of(shares: int, index: int) -> int:
    """What a depositor can claim, rounded down."""
    return mul_div_floor(shares, index, WAD)


def debt_of(shares: int, index: int) -> int:
    """What a borrower owes, rounded up."""
    return mul_div_ceil(shares, index, WAD)
