"""A lending pool on the chain: its reserves, its account, and who has what in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from exchange_sim.defi.isolated import Market, MarketPosition, MarketSpec
from exchange_sim.defi.reserves import PoolPosition, PoolSpec, Reserve

if TYPE_CHECKING:
    from exchange_sim.ledger.ledger import Ledger


class Pool:
    """State of a pool.  ``dirty`` names the wallets whose position changed since the screening."""

    def __init__(self, id: int, spec: PoolSpec, account: int, treasury: int, now: int) -> None:
        self.id = id
        self.spec = spec
        self.account = account
        self.treasury = treasury
        self.reserves = [Reserve(reserve, now) for reserve in spec.reserves]
        self.index_of = {reserve.asset: k for k, reserve in enumerate(spec.reserves)}
        self.positions: dict[int, PoolPosition] = {}
        self.dirty: dict[int, None] = {}

    def cash(self, ledger: Ledger, k: int) -> int:
        """What the pool holds of a reserve's asset."""
        return ledger.posted[self.account][self.reserves[k].spec.asset]

    def parts(self) -> Iterator[tuple[object, ...]]:
        """Every number of the state, for the digest."""
        for k, reserve in enumerate(self.reserves):
            yield (
                "reserve", self.id, k, reserve.supply_shares, reserve.treasury_shares,
                reserve.debt_shares, reserve.supply_index, reserve.debt_index, reserve.deficit,
                reserve.rate_ppm, reserve.updated_ns,
            )  # fmt: skip
        for wallet in sorted(self.positions):
            held = self.positions[wallet]
            supply, debt = sorted(held.supply.items()), sorted(held.debt.items())
            yield "position", self.id, wallet, held.category, supply, debt


class MarketState:
    """An isolated market with its account and positions; ``dirty`` as in ``Pool``."""

    def __init__(self, id: int, spec: MarketSpec, account: int, now: int) -> None:
        self.id = id
        self.spec = spec
        self.account = account
        self.market = Market(spec, now)
        self.positions: dict[int, MarketPosition] = {}
        self.dirty: dict[int, None] = {}

    def parts(self) -> Iterator[tuple[object, ...]]:
        """Every number of the state, for the digest."""
        m = self.market
        yield (
            "market", self.id, m.supply_assets, m.supply_shares, m.borrow_assets, m.borrow_shares,
            m.fee_shares, m.rate_ppm, m.updated_ns,
        )  # fmt: skip
        for wallet in sorted(self.positions):
            held = self.positions[wallet]
            yield (
                "lot", self.id, wallet, held.supply_shares, held.borrow_shares, held.collateral,
            )  # fmt: skip
