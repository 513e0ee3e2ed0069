"""Who stands near liquidation, found without a loop over all borrowers.

A columnar mirror of the positions of a lending pool: shares by reserve, category, and per wallet a
level of its own that somebody waits for.  Per block the changed rows are copied and one vector
operation gives every health factor; whoever is named is judged exactly afterwards
(``world.chain.health``).  A margin of 10**-9 covers the rounding of floats.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from exchange_sim.defi.reserves import WAD
from exchange_sim.units import PPM
from exchange_sim.world.chain.feeds import price_of
from exchange_sim.world.chain.pools import MarketState, Pool
from exchange_sim.world.world import World

Floats = npt.NDArray[np.float64]
SAFETY: Final = 1.0 + 1e-9
NO_DEBT: Final = 1e30


class PoolScreen:
    """The mirror of one pool.  ``levels`` are health factors at which wallets are watched."""

    def __init__(self, w: World, pool: Pool) -> None:
        self._w = w
        self._pool = pool
        self._rows: dict[int, int] = {}
        self.wallets: list[int] = []
        count = len(pool.reserves)
        self._supply: Floats = np.zeros((16, count))
        self._debt: Floats = np.zeros((16, count))
        self._category: npt.NDArray[np.int64] = np.zeros(16, np.int64)
        self._scales = [w.config.assets[r.spec.asset].asset.scale for r in pool.reserves]
        own = [spec.threshold_ppm / PPM for spec in pool.spec.reserves]
        self._thresholds: Floats = np.array([own] * (len(pool.spec.emodes) + 1))
        for category, mode in enumerate(pool.spec.emodes, start=1):
            for k in mode.collateral:
                self._thresholds[category, k] = mode.threshold_ppm / PPM

    def refresh(self) -> None:
        """Copy the positions that changed.  O(changed)."""
        pool = self._pool
        for wallet in pool.dirty:
            position = pool.positions.get(wallet)
            if position is None:
                continue
            row = self._rows.get(wallet)
            if row is None:
                row = self._rows[wallet] = len(self.wallets)
                self.wallets.append(wallet)
                if row >= len(self._category):
                    self._grow()
            self._supply[row] = 0.0
            self._debt[row] = 0.0
            for k, shares in position.supply.items():
                self._supply[row, k] = shares
            for k, shares in position.debt.items():
                self._debt[row, k] = shares
            self._category[row] = position.category
        pool.dirty.clear()

    def _grow(self) -> None:
        self._supply = np.vstack([self._supply, np.zeros_like(self._supply)])
        self._debt = np.vstack([self._debt, np.zeros_like(self._debt)])
        self._category = np.concatenate([self._category, np.zeros_like(self._category)])

    def health(self) -> Floats:
        """Health factors of ``wallets`` at this moment, in order; very large without debt.

        Each amount is taken a unit worse than it is, as exact values round against the borrower:
        no factor is above the exact one by more than floats are wrong.
        """
        found, _ = self._weigh()
        return found

    def _weigh(self) -> tuple[Floats, Floats]:
        """Health factors and debts (10**-8 USD) by row."""
        self.refresh()
        n, now = len(self.wallets), self._w.time_ns
        units = []
        for reserve, scale in zip(self._pool.reserves, self._scales, strict=True):
            up, down, _ = reserve.indices_at(now)
            price = price_of(self._w, reserve.spec.oracle) / scale
            units.append((up / WAD * price, down / WAD * price))
        values = np.array(units).reshape(-1, 2)
        weights = self._thresholds[self._category[:n]] * values[:, 0]
        supply = self._supply[:n]
        carried = np.einsum("ij,ij->i", supply, weights)
        carried -= np.einsum("ij,ij->i", supply > 0, weights + 1.0)
        debt = self._debt[:n]
        owed = debt @ values[:, 1] + (debt > 0) @ (values[:, 1] + 1.0)
        found: Floats = np.divide(carried, owed, out=np.full(n, NO_DEBT), where=owed > 0)
        return found, owed

    def largest_below(self, level: float, most: int) -> tuple[list[int], int]:
        """The ``most`` largest debtors who may be below ``level``, and the number of all these."""
        found, owed = self._weigh()
        rows = np.flatnonzero(found < level * SAFETY)
        order = np.lexsort((rows, -owed[rows]))[:most]
        return [self.wallets[row] for row in rows[order]], len(rows)

    def below(self, level: float) -> list[int]:
        """Wallets whose health factor may be below ``level``, the least healthy first."""
        found = self.health()
        rows = np.flatnonzero(found < level * SAFETY)
        order = np.lexsort((rows, found[rows]))
        return [self.wallets[row] for row in rows[order]]


class MarketScreen:
    """The mirror of one isolated market: collateral and shares of the debt."""

    def __init__(self, w: World, state: MarketState) -> None:
        self._w = w
        self._state = state
        self._rows: dict[int, int] = {}
        self.wallets: list[int] = []
        self._held: Floats = np.zeros((16, 2))

    def refresh(self) -> None:
        """Copy the positions that changed.  O(changed)."""
        state = self._state
        for wallet in state.dirty:
            lot = state.positions.get(wallet)
            if lot is None:
                continue
            row = self._rows.get(wallet)
            if row is None:
                row = self._rows[wallet] = len(self.wallets)
                self.wallets.append(wallet)
                if row >= len(self._held):
                    self._held = np.vstack([self._held, np.zeros_like(self._held)])
            self._held[row] = lot.collateral, lot.borrow_shares
        state.dirty.clear()

    def below(self, level: float, price: int) -> list[int]:
        """Wallets that may be below ``level`` at a collateral price in WAD, least healthy first."""
        self.refresh()
        state, n = self._state, len(self.wallets)
        market = state.market
        if not market.borrow_shares or not n:
            return []
        interest = market.interest_until(self._w.time_ns)
        owed = self._held[:n, 1] * ((market.borrow_assets + interest) / market.borrow_shares)
        carried = self._held[:n, 0] * (price / WAD * state.spec.lltv_ppm / PPM)
        found = np.divide(carried, owed, out=np.full(n, NO_DEBT), where=owed > 0)
        rows = np.flatnonzero(found < level * SAFETY)
        order = np.lexsort((rows, found[rows]))
        return [self.wallets[row] for row in rows[order]]
