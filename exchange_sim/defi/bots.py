"""Profit of a liquidation bot that borrows by flash loan and sells the seized collateral at once.

::

    net = repaid * bonus * (1 - protocol share) - repaid * flash fee - slippage * seized - gas

Exact rationals: the bot decides on the sign.  Source of the split of the bonus and the flash
premium: https://github.com/aave-dao/aave-v3-origin.
"""

from __future__ import annotations

from fractions import Fraction

import attrs

Number = int | Fraction
WEI_PER_ETH = 10**18


@attrs.frozen
class Profit:
    """The parts of a bot's profit in quote units, and their sum."""

    gross: Fraction
    flash_fee: Fraction
    slippage_cost: Fraction
    gas_cost: Fraction

    @property
    def net(self) -> Fraction:
        """Gross less every cost; a bot acts only when it is positive."""
        return self.gross - self.flash_fee - self.slippage_cost - self.gas_cost


def gas_cost(gas_units: int, gas_price_wei: Number, eth_price: Number) -> Fraction:
    """Cost of a transaction in quote units."""
    return Fraction(gas_units * gas_price_wei * eth_price) / WEI_PER_ETH


def profit(
    repaid: Number,
    bonus: Number,
    protocol_share: Number = 0,
    flash_fee: Number = 0,
    slippage: Number = 0,
    gas: Number = 0,
) -> Profit:
    """Profit of repaying ``repaid``; ``bonus`` excludes the principal (0.05 is 5 %)."""
    gross = Fraction(repaid * bonus * (1 - protocol_share))
    received = repaid + gross
    return Profit(gross, Fraction(repaid * flash_fee), received * slippage, Fraction(gas))


def breakeven_slippage(bonus: Number, protocol_share: Number, flash_fee: Number) -> Fraction:
    """Slippage on the sale at which the profit before gas is zero."""
    kept = Fraction(bonus * (1 - protocol_share))
    return (kept - flash_fee) / (1 + kept)


def smallest_position(
    gas: Number, bonus: Number, protocol_share: Number = 0, flash_fee: Number = 0
) -> Fraction | None:
    """Debt below which the bonus does not pay for the gas; None if no size pays."""
    margin = Fraction(bonus * (1 - protocol_share)) - flash_fee
    return Fraction(gas) / margin if margin > 0 else None
