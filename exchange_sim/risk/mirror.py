"""Columns of balances and positions, to screen every account of a venue in a few vector operations.

The mirror answers one question after each mark update: which accounts *may* be below a threshold?
It works in floats with a safety margin wider than their error, so it never misses one; whoever it
names is recomputed exactly in integers before anything happens (``world.margin``).

Rows are sparse: one per (account, asset) other than the numeraire and one per (account, position).
Piecewise linear rules stay exact in shape: maintenance by brackets is the maximum of its affine
pieces (convex), collateral value with tiers the minimum (concave).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from exchange_sim.risk.brackets import BracketTable
from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.units import PPM

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RELATIVE_ERROR = 1e-9
"""Far above the rounding error of a sum of a few dozen doubles, far below any margin that
matters."""
ABSOLUTE_ERROR = 128.0
"""Smallest units: the exact calculation rounds each of its terms against the account."""
ROUNDED_TERMS = 8.0
"""Roundings per asset or position, times a threshold below two."""


@attrs.define
class Screening:
    """Margin of all mirrored accounts, in numeraire units, by mirror index."""

    accounts: Ints
    equity: Floats
    maintenance: Floats
    gross: Floats


class _Rows:
    """A growing set of columns with one row per key; rows of vanished keys are zeroed and
    reused.
    """

    def __init__(self, columns: int) -> None:
        self.index: dict[tuple[int, int], int] = {}
        self.spare: list[int] = []
        self.owner: Ints = np.zeros(64, dtype=np.int64)
        self.what: Ints = np.zeros(64, dtype=np.int64)
        self.data: Floats = np.zeros((columns, 64), dtype=np.float64)
        self.used = 0

    def put(self, owner: int, what: int, values: tuple[float, ...]) -> None:
        """Set the row of (owner, what)."""
        row = self.index.get((owner, what))
        if row is None:
            row = self.spare.pop() if self.spare else self._new()
            self.index[owner, what] = row
            self.owner[row] = owner
            self.what[row] = what
        self.data[:, row] = values

    def drop(self, owner: int, what: int) -> None:
        """Zero the row of (owner, what) if there is one."""
        row = self.index.pop((owner, what), None)
        if row is not None:
            self.data[:, row] = 0.0
            self.spare.append(row)

    def _new(self) -> int:
        if self.used == len(self.owner):
            self.owner = np.concatenate([self.owner, np.zeros_like(self.owner)])
            self.what = np.concatenate([self.what, np.zeros_like(self.what)])
            self.data = np.concatenate([self.data, np.zeros_like(self.data)], axis=1)
        self.used += 1
        return self.used - 1


class Mirror:
    """Columnar copy of the margin accounts of one venue."""

    def __init__(
        self,
        numeraire: int,
        collateral: dict[int, CollateralTable],
        loan_mmr_ppm: int,
        asset_count: int,
        perpetuals: Sequence[tuple[int, int, BracketTable]],
    ) -> None:
        """``perpetuals`` are (instrument id, unit value, brackets), all settled in the
        numeraire.
        """
        self.numeraire = numeraire
        self.loan_mmr = loan_mmr_ppm / PPM
        self.slot = {instrument: k for k, (instrument, _, _) in enumerate(perpetuals)}
        self.instruments = [instrument for instrument, _, _ in perpetuals]
        self.unit_value = np.array([value for _, value, _ in perpetuals], dtype=np.float64)
        self._mmr, self._cum = _bracket_matrices([table for _, _, table in perpetuals])
        self._ratio, self._offset = _tier_matrices(collateral, asset_count)
        self.local: dict[int, int] = {}
        self.accounts: list[int] = []
        self.cash: Floats = np.zeros(64, dtype=np.float64)
        self.loan: Floats = np.zeros(64, dtype=np.float64)
        self.edge: Floats = np.ones(64, dtype=np.float64)
        self.slack = ABSOLUTE_ERROR + ROUNDED_TERMS * (asset_count + len(perpetuals))
        self.held = _Rows(2)
        self.positions = _Rows(2)
        self._known: list[tuple[list[int], list[int]]] = []

    def refresh(
        self,
        account: int,
        net: Sequence[int],
        loans: dict[int, int],
        positions: dict[int, Any],
        edge_ppm: int = PPM,
    ) -> None:
        """Copy one account: ``net`` is wallet less loans per asset.  O(assets + positions).

        ``edge_ppm`` is the ratio of equity to maintenance below which ``at_risk`` names it.
        """
        k = self.local.get(account)
        if k is None:
            k = self._add(account)
        old_assets, old_positions = self._known[k]
        self.cash[k] = net[self.numeraire]
        self.loan[k] = loans.get(self.numeraire, 0)
        self.edge[k] = edge_ppm / PPM
        assets = [a for a, x in enumerate(net) if (x or a in loans) and a != self.numeraire]
        for asset in assets:
            self.held.put(k, asset, (net[asset], loans.get(asset, 0)))
        for asset in old_assets:
            if not net[asset] and asset not in loans:
                self.held.drop(k, asset)
        open_now = [i for i, p in positions.items() if p.qty]
        for instrument in open_now:
            position = positions[instrument]
            self.positions.put(k, self.slot[instrument], (position.qty, position.entry_notional))
        for instrument in old_positions:
            held = positions.get(instrument)
            if held is None or not held.qty:
                self.positions.drop(k, self.slot[instrument])
        self._known[k] = (assets, open_now)

    def _add(self, account: int) -> int:
        k = len(self.accounts)
        self.local[account] = k
        self.accounts.append(account)
        self._known.append(([], []))
        if k == len(self.cash):
            self.cash = np.concatenate([self.cash, np.zeros_like(self.cash)])
            self.loan = np.concatenate([self.loan, np.zeros_like(self.loan)])
            self.edge = np.concatenate([self.edge, np.ones_like(self.edge)])
        return k

    def screen(self, asset_prices: Floats, marks: Floats) -> Screening:
        """Margin of every account at ``asset_prices`` (numeraire units per asset unit) and
        ``marks``.

        ``marks`` are ticks by perpetual in the order given at construction.  O(rows).
        """
        n = len(self.accounts)
        rows = self.positions.used
        what, owner = self.positions.what[:rows], self.positions.owner[:rows]
        qty, entry = self.positions.data[:, :rows]
        value = qty * (marks * self.unit_value)[what]
        notional = np.abs(value)
        slices = self._mmr[what] * notional[:, None] - self._cum[what]
        maintenance = _sum_by(owner, slices.max(axis=1, initial=0.0), n)
        equity = self.cash[:n] + _sum_by(owner, value - entry, n)
        gross = np.abs(self.cash[:n]) + _sum_by(owner, notional + np.abs(entry), n)
        cash_value = _haircut(equity, self._ratio[self.numeraire], self._offset[self.numeraire])
        maintenance += self.loan[:n] * self.loan_mmr
        rows = self.held.used
        what, owner = self.held.what[:rows], self.held.owner[:rows]
        amount, loan = self.held.data[:, :rows] * asset_prices[what]
        counted = np.where(
            amount > 0,
            (self._ratio[what] * amount[:, None] + self._offset[what]).min(axis=1, initial=np.inf),
            amount,
        )
        equity = cash_value + _sum_by(owner, counted, n)
        gross += _sum_by(owner, np.abs(amount), n)
        maintenance += _sum_by(owner, loan * self.loan_mmr, n)
        return Screening(np.array(self.accounts, dtype=np.int64), equity, maintenance, gross)

    def at_risk(
        self, asset_prices: Sequence[int], price_scales: Sequence[int], marks_micro: Sequence[int]
    ) -> list[int]:
        """Accounts that may be at or below their edge, in the order of the mirror.  O(rows)."""
        n = len(self.accounts)
        if not n:
            return []
        prices = np.array([p / s for p, s in zip(asset_prices, price_scales, strict=True)])
        marks = np.array([mark / PPM for mark in marks_micro])
        found = below(self.screen(prices, marks), self.edge[:n], self.slack)
        return [self.accounts[k] for k in found.tolist()]

    def adl_order(
        self, instrument: int, sign: int, mark: float, one_unit: float = 1.0
    ) -> list[int]:
        """Accounts that hold ``sign`` (1 long, -1 short) in profit, highest ADL rank first.

        The rank is Binance's LeveragePnL in floats (``risk.adl.adl_rank`` is the exact form): the
        caller confirms positions and ranks of those that it needs.  O(rows).
        """
        slot = self.slot[instrument]
        rows = np.nonzero(self.positions.what[: self.positions.used] == slot)[0]
        qty, entry = self.positions.data[:, rows]
        value = qty * mark * self.unit_value[slot]
        profit = value - entry
        keep = (qty * sign > 0) & (profit > 0)
        rows, value, profit = rows[keep], value[keep], profit[keep]
        owner = self.positions.owner[rows]
        maintenance = (self._mmr[slot] * np.abs(value)[:, None] - self._cum[slot]).max(axis=1)
        wallet = self.cash[owner]
        equity = wallet + profit
        rank = profit / np.maximum(wallet, one_unit) * maintenance / np.maximum(equity, 1.0)
        rank[equity <= 0] = 0.0
        order = np.lexsort((owner, -rank))
        return [self.accounts[k] for k in owner[order].tolist()]


def _sum_by(owner: Ints, values: Floats, n: int) -> Floats:
    """Sum of ``values`` by owner; ``bincount`` alone turns integer when there are no rows."""
    return np.bincount(owner, values, minlength=n).astype(np.float64, copy=False)


def _haircut(value: Floats, ratio: Floats, offset: Floats) -> Floats:
    """Collateral value of one asset for many holdings: min over tiers, debits in full."""
    counted = (ratio * value[:, None] + offset).min(axis=1)
    return np.where(value > 0, counted, value)


def below(screening: Screening, threshold: Floats | float, slack: float = ABSOLUTE_ERROR) -> Ints:
    """Mirror indexes whose equity may be at or below ``threshold`` times maintenance.

    ``slack`` (smallest units) covers the rounding of the exact calculation.
    """
    tolerance = RELATIVE_ERROR * screening.gross + slack
    at_risk = (screening.maintenance > 0) | (screening.equity < tolerance)
    under = screening.equity - threshold * screening.maintenance <= tolerance
    return np.nonzero(at_risk & under)[0]


def _bracket_matrices(tables: Sequence[BracketTable]) -> tuple[Floats, Floats]:
    """Rates and deductions, padded by repeating the last bracket."""
    width = max((len(table.floors) for table in tables), default=1)
    mmr, cum = np.zeros((len(tables), width)), np.zeros((len(tables), width))
    for k, table in enumerate(tables):
        rates = [*table.mmr_ppm, *[table.mmr_ppm[-1]] * (width - len(table.floors))]
        deductions = [*table.cum_ppm, *[table.cum_ppm[-1]] * (width - len(table.floors))]
        mmr[k] = [rate / PPM for rate in rates]
        cum[k] = [deduction / PPM for deduction in deductions]
    return mmr, cum


def _tier_matrices(
    collateral: dict[int, CollateralTable], asset_count: int
) -> tuple[Floats, Floats]:
    """Slope and offset of each tier's affine piece; an asset that is no collateral has slope 0."""
    pieces = {asset: _affine_pieces(table) for asset, table in collateral.items()}
    width = max((len(p) for p in pieces.values()), default=1)
    ratio, offset = np.zeros((asset_count, width)), np.zeros((asset_count, width))
    for asset, tiers in pieces.items():
        padded = [*tiers, *[tiers[-1]] * (width - len(tiers))]
        ratio[asset] = [slope for slope, _ in padded]
        offset[asset] = [constant for _, constant in padded]
    return ratio, offset


def _affine_pieces(table: CollateralTable) -> list[tuple[float, float]]:
    """(slope, offset) of every tier, beyond the last bounded one included."""
    pieces, start, base = [], 0, 0.0
    for upto, ratio_ppm in (*table.tiers, (None, 0)):
        slope = ratio_ppm / PPM
        pieces.append((slope, base - slope * start))
        if upto is None:
            break
        base += slope * (upto - start)
        start = upto
    return pieces
