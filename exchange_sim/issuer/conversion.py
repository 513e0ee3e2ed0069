"""What is given for what at an issuer and at a staking wrapper, in smallest units.

Everything is rounded down, in favour of the issuer or the vault.  ``dollar`` and ``backing`` are
units per whole dollar of the synthetic dollar and of what backs it; rates are units of the
underlying for ``PPB`` units of the wrapper.
"""

from __future__ import annotations

from typing import Final

from exchange_sim.units import PPM

PPB: Final = 1_000_000_000


def minted(paid: int, dollar: int, backing: int) -> int:
    """Dollars made for ``paid`` units of backing, at par."""
    return paid * dollar // backing


def redeemed(units: int, dollar: int, backing: int, fee_ppm: int = 0) -> int:
    """Backing paid for ``units`` of dollars, at par less the fee."""
    return units * backing * (PPM - fee_ppm) // (dollar * PPM)


def wrapped(underlying: int, rate_ppb: int) -> int:
    """Units of a wrapper for an amount of its underlying."""
    return underlying * PPB // rate_ppb


def unwrapped(units: int, rate_ppb: int) -> int:
    """Underlying for units of a wrapper."""
    return units * rate_ppb // PPB


def within_limit(used: int, units: int, limit: int) -> bool:
    """Whether a block that has ``used`` some of its limit takes ``units`` more (0: no limit)."""
    return not limit or used + units <= limit


def uncovered(coins: int, contracts: int) -> int:
    """Coins that no short covers; negative: shorts without coins."""
    return coins + contracts
