"""Vaults of staking wrappers: their state, and what one unit is redeemed for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.issuer.conversion import PPB
from exchange_sim.model.account import CASH
from exchange_sim.units import PPM

if TYPE_CHECKING:
    from exchange_sim.world.config import WrapperSpec
    from exchange_sim.world.world import World

__all__ = ["EXTERNAL", "PPB", "Wrapper", "open_wrappers", "redemption_value", "supply"]

EXTERNAL = 0


class Wrapper:
    """State of one wrapper.

    ``vault`` holds the underlying; ``mint`` is where units come from and go to, and may be
    negative.  ``taken`` counts underlying that came in, ``paid`` what went out, ``owed`` what
    redemptions wait for.
    """

    __slots__ = (
        "accrued_ns", "mint", "owed", "paid", "rate_ppb", "spec", "taken", "underlying", "vault",
    )  # fmt: skip

    def __init__(
        self, spec: WrapperSpec, underlying: int, rate_ppb: int, accounts: tuple[int, int], now: int
    ) -> None:
        self.spec = spec
        self.underlying = underlying
        self.rate_ppb = rate_ppb
        self.vault, self.mint = accounts
        self.taken = self.paid = self.owed = 0
        self.accrued_ns = now

    def numbers(self) -> tuple[int, ...]:
        """Every number of its state, for the digest."""
        return self.rate_ppb, self.taken, self.paid, self.owed, self.accrued_ns


def open_wrappers(w: World) -> dict[int, Wrapper]:
    """Ledger accounts of every wrapper; ``ValueError`` for one that is redeemed into nothing."""
    found = {}
    for spec in w.config.wrappers:
        asset = w.config.assets[spec.asset]
        if not asset.redemption_ppm:
            raise ValueError(f"wrapper {asset.asset.name} needs a redemption asset and value")
        accounts = w.add_account(-1, -1, CASH, 0), w.add_account(-1, -1, CASH, 0, overdraw=True)
        rate = redemption_rate(w, spec.asset)
        found[spec.asset] = Wrapper(spec, asset.redemption_asset, rate, accounts, w.time_ns)
    return found


def redemption_rate(w: World, asset: int) -> int:
    """Units of the underlying for 1e9 units of a wrapper, from its description; decimals count."""
    spec = w.config.assets[asset]
    under = w.config.assets[spec.redemption_asset].asset
    return spec.redemption_ppm * 1_000 * under.scale // spec.asset.scale


def redemption_value(w: World, asset: int, price: int) -> int:
    """Price of a whole unit by what it is redeemed for, ``price`` being that of the underlying."""
    spec = w.config.assets[asset]
    wrapper = w.wrappers.get(asset)
    if wrapper is None:
        return price * spec.redemption_ppm // PPM
    under = w.config.assets[wrapper.underlying].asset
    return price * wrapper.rate_ppb * spec.asset.scale // (PPB * under.scale)


def supply(w: World, wrapper: Wrapper) -> int:
    """Units that exist: what came from outside and what was minted here, less what went back."""
    posted, asset = w.ledger.posted, wrapper.spec.asset
    return -posted[EXTERNAL][asset] - posted[wrapper.mint][asset]
