"""An isolated lending market of the Morpho Blue kind: one collateral, one loan asset, one price.

Lenders and borrowers hold shares of two totals; interest raises both, bad debt lowers the lenders'
total at once.  There is no close factor and no bonus to choose: LLTV and incentive are fixed when
the market is made.  Source: https://github.com/morpho-org/morpho-blue (src/Morpho.sol).

Simplifications
---------------
The rate follows a two-slope curve instead of Morpho's adaptive one.  There are no virtual shares:
nobody can inflate the share price of an empty market here, because nobody can donate to it.
"""

from __future__ import annotations

import attrs

from exchange_sim.defi import aave, morpho
from exchange_sim.defi.reserves import WAD, compounded, utilisation
from exchange_sim.units import PPM, mul_div_ceil, mul_div_floor


@attrs.frozen
class MarketSpec:
    """An isolated market.  ``lltv_ppm`` is the loan to value of liquidation (and of borrowing).

    Oracles are positions in ``ChainSpec.oracles``; ``fee_ppm`` is the protocol's share of interest.
    """

    name: str
    collateral: int
    loan: int
    collateral_oracle: int
    loan_oracle: int
    lltv_ppm: int
    optimal_ppm: int = 900_000
    base_rate_ppm: int = 0
    slope1_ppm: int = 40_000
    slope2_ppm: int = 400_000
    fee_ppm: int = 0
    liquidations: bool = True

    @property
    def lltv(self) -> int:
        """LLTV in WAD."""
        return self.lltv_ppm * (WAD // PPM)

    @property
    def incentive(self) -> int:
        """Liquidation incentive factor in WAD."""
        return morpho.incentive_factor(self.lltv)


class Market:
    """State of an isolated market, amounts in units of the loan asset."""

    __slots__ = (
        "borrow_assets", "borrow_shares", "fee_shares", "rate_ppm", "roundings", "spec",
        "supply_assets", "supply_shares", "updated_ns",
    )  # fmt: skip

    def __init__(self, spec: MarketSpec, now: int) -> None:
        self.spec = spec
        self.supply_assets = 0
        self.supply_shares = 0
        self.borrow_assets = 0
        self.borrow_shares = 0
        self.fee_shares = 0
        self.rate_ppm = spec.base_rate_ppm
        self.updated_ns = now
        self.roundings = 0

    def interest_until(self, now: int) -> int:
        """Interest since the last accrual, rounded down."""
        grown = compounded(self.rate_ppm, now - self.updated_ns)
        return mul_div_floor(self.borrow_assets, grown - WAD, WAD)

    def accrue(self, now: int) -> None:
        """Charge interest to the borrowers and give it to the lenders and the protocol."""
        interest = self.interest_until(now)
        self.borrow_assets += interest
        self.supply_assets += interest
        fee = mul_div_floor(interest, self.spec.fee_ppm, PPM)
        if fee and self.supply_shares:
            shares = mul_div_floor(fee, self.supply_shares, self.supply_assets - fee)
            self.fee_shares += shares
            self.supply_shares += shares
        self.updated_ns = now
        self.roundings += 1

    def set_rate(self) -> None:
        """The borrow rate that follows from the utilisation."""
        spec, idle = self.spec, self.supply_assets - self.borrow_assets
        self.rate_ppm = aave.utilisation_rate(
            utilisation(self.borrow_assets, max(0, idle)),
            spec.optimal_ppm,
            spec.base_rate_ppm,
            spec.slope1_ppm,
            spec.slope2_ppm,
        )

    def supply_for(self, amount: int) -> int:
        """Shares of a deposit, rounded down."""
        if not self.supply_shares:
            return amount
        return mul_div_floor(amount, self.supply_shares, self.supply_assets)

    def supply_burnt(self, amount: int) -> int:
        """Shares that a withdrawal takes, rounded up."""
        return mul_div_ceil(amount, self.supply_shares, self.supply_assets)

    def claim(self, shares: int) -> int:
        """What a lender can claim, rounded down."""
        if not self.supply_shares:
            return 0
        return mul_div_floor(shares, self.supply_assets, self.supply_shares)

    def borrow_for(self, amount: int) -> int:
        """Shares of a new debt, rounded up."""
        if not self.borrow_shares:
            return amount
        return mul_div_ceil(amount, self.borrow_shares, self.borrow_assets)

    def borrow_burnt(self, amount: int) -> int:
        """Shares that a repayment pays, rounded down."""
        return mul_div_floor(amount, self.borrow_shares, self.borrow_assets)

    def owed(self, shares: int, interest: int = 0) -> int:
        """What a borrower owes, rounded up; ``interest`` is what has not been accrued yet."""
        if not self.borrow_shares:
            return 0
        return mul_div_ceil(shares, self.borrow_assets + interest, self.borrow_shares)


class MarketPosition:
    """What one wallet has in an isolated market."""

    __slots__ = ("borrow_shares", "collateral", "supply_shares")

    def __init__(self) -> None:
        self.supply_shares = 0
        self.borrow_shares = 0
        self.collateral = 0
