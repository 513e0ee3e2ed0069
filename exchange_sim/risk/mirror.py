"""Columns of balances and positions, to screen every account of a venue in a few vector operations.

The mirror answers one question after each mark update: which accounts *may* have left the margin
band they were last seen in?  It works in floats with a safety margin wider than their error, so it
never misses one; whoever it names is recomputed exactly in integers before anything happens
(``world.margin``).

Rows are sparse: one per (account, asset) other than the numeraire and one per (account, position).
Piecewise linear rules stay exact in shape: maintenance by brackets is the maximum of its affine
pieces (convex), collateral value with tiers the minimum (concave).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from exchange_sim.risk.brackets import BracketTable
from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.risk.columns import (
    Floats,
    Ints,
    Pieces,
    Rows,
    Screening,
    bracket_pieces,
    flat,
    sum_by,
    tier_pieces,
)
from exchange_sim.risk.panel import Panel
from exchange_sim.risk.reach import ABOVE_ONE, NEVER_NAMED, Limits, outside
from exchange_sim.units import PPM

ABSOLUTE_ERROR = 128.0
"""Smallest units: the exact calculation rounds each of its terms against the account."""
ROUNDED_TERMS = 8.0
"""Roundings per asset or position, times a threshold below two."""
LOAN_MMR_MIN_PPM = 1e-9
"""Whoever owes anything has some maintenance margin here, though it may be below any rounding."""


MANY: Final = 16
"""Assets from which on it pays to look for those that have changed."""


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
        self.asset_count = asset_count
        self.loan_mmr = max(loan_mmr_ppm, LOAN_MMR_MIN_PPM) / PPM
        self.slot = {instrument: k for k, (instrument, _, _) in enumerate(perpetuals)}
        self.instruments = [instrument for instrument, _, _ in perpetuals]
        self.unit_value = np.array([value for _, value, _ in perpetuals], dtype=np.float64)
        self._brackets = Pieces([bracket_pieces(table) for _, _, table in perpetuals])
        tiers = [tier_pieces(collateral.get(asset)) for asset in range(asset_count)]
        self._tiers = Pieces(tiers)
        self.rate_max = float(self._brackets.slopes.max(initial=0.0))
        self._cash = Pieces([tiers[numeraire]])
        self.linear = self._cash.is_identity
        self.local: dict[int, int] = {}
        self.accounts: list[int] = []
        self.ids: Ints = np.zeros(64, dtype=np.int64)
        self.cash, self.loan = np.zeros((2, 64))
        self.low, self.high = np.zeros((2, 64))
        self.slack = ABSOLUTE_ERROR + ROUNDED_TERMS * (asset_count + len(perpetuals))
        self.held = Rows()
        self.positions = Rows()
        self.beyond: dict[int, None] = {}
        self.complete = True
        self._known: list[tuple[list[int], list[int]]] = []
        self.relimited: list[int] = []
        self.copied: list[int] = []
        """Mirror indexes of accounts that were copied and not seen by the watch list since."""
        self._rows: list[tuple[list[int], list[int]]] = []
        self._arrays: list[tuple[Ints, Ints] | None] = []
        self._net: list[list[int] | None] = []
        """What each account of ``MANY`` assets and no loans held when it was copied."""

    def refresh(
        self,
        account: int,
        net: Sequence[int],
        loans: dict[int, int],
        positions: dict[int, Any],
        between: Limits = ABOVE_ONE,
        beyond: bool = False,
    ) -> None:
        """Copy one account: ``net`` is wallet less loans per asset.  O(assets + positions).

        ``at_risk`` names it unless its ratio of equity to maintenance surely lies ``between``; one
        whose margin is ``beyond`` what the columns hold it always names.
        """
        if beyond:
            self.beyond[account] = None
        elif self.beyond:
            self.beyond.pop(account, None)
        k = self.local.get(account)
        if k is None:
            k = self._add(account)
        old_assets, old_positions = self._known[k]
        self.cash[k] = net[self.numeraire]
        self.loan[k] = loans.get(self.numeraire, 0)
        self.low[k], self.high[k] = between
        before = self._net[k]
        if before is not None and not loans and self._same_assets(k, before, net):
            assets, held_rows = old_assets, self._rows[k][0]
        else:
            assets = [a for a, x in enumerate(net) if (x or a in loans) and a != self.numeraire]
            held_rows = [self.held.put(k, a, net[a], loans.get(a, 0)) for a in assets]
            for asset in old_assets:
                if not net[asset] and asset not in loans:
                    self.held.drop(k, asset)
            self._net[k] = list(net) if len(assets) >= MANY and not loans else None
        open_now = [i for i, p in positions.items() if p.qty]
        if not self.complete:
            open_now = [i for i in open_now if i in self.slot]
        position_rows = []
        for instrument in open_now:
            position = positions[instrument]
            slot = self.slot[instrument]
            row = self.positions.put(k, slot, position.qty, position.entry_notional)
            position_rows.append(row)
        for instrument in old_positions:
            held = positions.get(instrument)
            if held is None or not held.qty:
                self.positions.drop(k, self.slot[instrument])
        self._known[k] = (assets, open_now)
        self.copied.append(k)
        self._rows[k] = (held_rows, position_rows)
        self._arrays[k] = None

    def _same_assets(self, k: int, before: list[int], net: Sequence[int]) -> bool:
        """Whether the account holds the assets that it held ``before``; then their rows are set.

        A fill changes one asset of a thousand.
        """
        if before == net:
            return True
        changed = [a for a, (old, new) in enumerate(zip(before, net, strict=True)) if old != new]
        if any(not before[a] or not net[a] for a in changed if a != self.numeraire):
            return False
        for asset in changed:
            before[asset] = net[asset]
            if asset != self.numeraire:
                self.held.put(k, asset, net[asset], 0)
        return True

    def limit(self, account: int, between: Limits) -> None:
        """Only the limits of an account changed, nothing that it holds."""
        k = self.local.get(account)
        if k is not None:
            self.low[k], self.high[k] = between
            self.relimited.append(k)

    def ignore(self, account: int) -> None:
        """Name an account no more, until it is copied again."""
        self.beyond.pop(account, None)
        self.limit(account, NEVER_NAMED)

    def _add(self, account: int) -> int:
        k = len(self.accounts)
        if k == len(self.cash):
            for name in ("ids", "cash", "loan", "low", "high"):
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.zeros_like(column)]))
        self.local[account] = k
        self.ids[k] = account
        self.accounts.append(account)
        self._known.append(([], []))
        self._rows.append(([], []))
        self._arrays.append(None)
        self._net.append(None)
        return k

    def screen(self, asset_prices: Floats, marks: Floats) -> Screening:
        """Margin of every account at ``asset_prices`` (numeraire units per asset unit) and
        ``marks``.

        ``marks`` are ticks by perpetual in the order given at construction.  O(rows).
        """
        n, rows = len(self.accounts), self.positions
        what, owner = rows.what[: rows.used], rows.owner[: rows.used]
        entry = rows.extra[: rows.used]
        # in place where possible: fresh arrays of 100,000 rows cost more in pages than in sums
        value, notional, margin = rows.scratch[:, : rows.used]
        np.take(marks * self.unit_value, what, out=value)
        value *= rows.value[: rows.used]
        np.abs(value, out=notional)
        maintenance = sum_by(owner, rows.apply(notional, self._brackets, margin), n)
        np.abs(entry, out=margin)
        notional += margin
        value -= entry
        gross, equity = sum_by(owner, notional, n), sum_by(owner, value, n)
        gross += np.abs(self.cash[:n])
        equity += self.cash[:n]
        if not self.linear:
            pieces = self._cash
            counted = (pieces.slopes[0] * equity[:, None] + pieces.offsets[0]).min(axis=1)
            equity = np.where(equity > 0, counted, equity)
        maintenance += self.loan[:n] * self.loan_mmr
        self._add_assets(asset_prices, equity, maintenance, gross)
        return Screening(self.ids[:n], equity, maintenance, gross)

    def _add_assets(
        self, asset_prices: Floats, equity: Floats, maintenance: Floats, gross: Floats
    ) -> None:
        """Add what the assets other than the numeraire are worth, and loans in them."""
        n, rows = len(equity), self.held
        what, owner = rows.what[: rows.used], rows.owner[: rows.used]
        price, amount, counted = rows.scratch[:, : rows.used]
        np.take(asset_prices, what, out=price)
        np.multiply(rows.value[: rows.used], price, out=amount)
        price *= rows.extra[: rows.used]
        price *= self.loan_mmr
        maintenance += sum_by(owner, price, n)
        np.abs(amount, out=price)
        gross += sum_by(owner, price, n)
        np.maximum(amount, 0.0, out=price)
        rows.apply(price, self._tiers, counted)
        np.minimum(amount, 0.0, out=price)
        counted += price
        equity += sum_by(owner, counted, n)

    def _row_arrays(self, k: int) -> tuple[Ints, Ints]:
        """Rows of an account as arrays; made when they are first needed."""
        known = self._arrays[k]
        if known is None:
            held, open_now = self._rows[k]
            known = np.array(held, dtype=np.int64), np.array(open_now, dtype=np.int64)
            self._arrays[k] = known
        return known

    def screen_some(self, rows: Ints, asset_prices: Floats, marks: Floats) -> Screening:
        """As ``screen`` for the accounts at these mirror indexes.  O(what they hold)."""
        m, numbers = len(rows), rows.tolist()
        known = [self._row_arrays(k) for k in numbers]
        at, owner = flat([rows_of[1] for rows_of in known])
        every = self.positions
        what, entry = every.what[at], every.extra[at]
        value = (marks * self.unit_value)[what] * every.value[at]
        margin = self._brackets.at(what, np.abs(value))
        maintenance = sum_by(owner, margin, m)
        gross = sum_by(owner, np.abs(value) + np.abs(entry), m) + np.abs(self.cash[rows])
        equity = sum_by(owner, value - entry, m) + self.cash[rows]
        if not self.linear:
            zero = np.zeros(m, dtype=np.int64)
            equity = np.where(equity > 0, self._cash.at(zero, np.maximum(equity, 0.0)), equity)
        maintenance += self.loan[rows] * self.loan_mmr
        at, owner = flat([rows_of[0] for rows_of in known])
        every = self.held
        what = every.what[at]
        price = asset_prices[what]
        value = every.value[at] * price
        maintenance += sum_by(owner, price * every.extra[at] * self.loan_mmr, m)
        gross += sum_by(owner, np.abs(value), m)
        counted = self._tiers.at(what, np.maximum(value, 0.0)) + np.minimum(value, 0.0)
        equity += sum_by(owner, counted, m)
        return Screening(self.ids[rows], equity, maintenance, gross)

    def line_up(
        self, panel: Panel, rows: Ints, gross: Floats, prices: Floats, marks: Floats
    ) -> None:
        """Write down the margin of the accounts at ``rows`` as a line of a panel.

        Only for a numeraire that counts in full.  O(what they hold).
        """
        panel.begin(rows, gross, self.cash[rows], self.loan[rows] * self.loan_mmr)
        at, owner = self._rows_of(self.positions, rows, 1)
        what, held = self.positions.what[at], self.positions.value[at]
        held = held * self.unit_value[what]
        size = np.abs(held) * marks[what]
        piece = self._brackets.find(what, size)
        rate, offset = self._brackets.slopes[what, piece], self._brackets.offsets[what, piece]
        reach = size, self._brackets.starts[what, piece], self._brackets.ends[what, piece]
        parts = -self.positions.extra[at], offset
        panel.add(owner, panel.assets + what, held, rate * np.abs(held), parts, reach)
        at, owner = self._rows_of(self.held, rows, 0)
        what, held = self.held.what[at], self.held.value[at]
        owns = held > 0
        size = np.where(owns, held * prices[what], 0.0)
        piece = self._tiers.find(what, size)
        slope = np.where(owns, self._tiers.slopes[what, piece], 1.0)
        parts = np.where(owns, self._tiers.offsets[what, piece], 0.0), np.zeros(len(at))
        starts = np.where(owns, self._tiers.starts[what, piece], 0.0)
        ends = np.where(owns, self._tiers.ends[what, piece], np.inf)
        reach = np.where(owns, size, 1.0), starts, ends
        panel.add(owner, what, slope * held, self.held.extra[at] * self.loan_mmr, parts, reach)

    def _rows_of(self, every: Rows, accounts: Ints, which: int) -> tuple[Ints, Ints]:
        """Rows of some accounts, or of all, and the account of each."""
        if len(accounts) == len(self.accounts):
            used = every.used
            at: Ints = np.nonzero((every.value[:used] != 0) | (every.extra[:used] != 0))[0]
            return at, every.owner[at]
        at, number = flat([self._row_arrays(k)[which] for k in accounts.tolist()])
        return at, accounts[number]

    def at_risk(
        self, asset_prices: Sequence[int], price_scales: Sequence[int], marks_micro: Sequence[int]
    ) -> list[int]:
        """Accounts that may have left the limits of their ratio, in the order of the mirror.

        O(rows).
        """
        n = len(self.accounts)
        if not n:
            return []
        prices = np.array([p / s for p, s in zip(asset_prices, price_scales, strict=True)])
        marks = np.array([mark / PPM for mark in marks_micro])
        found = outside(self.screen(prices, marks), self.low[:n], self.high[:n], self.slack)
        named: list[int] = self.ids[found].tolist()
        if self.beyond:
            named += [account for account in self.beyond if account not in frozenset(named)]
        return named

    def adl_order(
        self, instrument: int, sign: int, mark: float, one_unit: float = 1.0
    ) -> list[int]:
        """Accounts that hold ``sign`` (1 long, -1 short) in profit, highest ADL rank first.

        The rank is Binance's LeveragePnL in floats (``risk.adl.adl_rank`` is the exact form): the
        caller confirms positions and ranks of those that it needs.  O(rows).
        """
        slot = self.slot[instrument]
        rows, value, profit = self._winners(slot, sign, mark)
        owner = self.positions.owner[rows]
        notional = np.abs(value)
        piece = self._brackets.find(np.full(len(rows), slot), notional)
        rates, deductions = self._brackets.slopes[slot], self._brackets.offsets[slot]
        maintenance = rates[piece] * notional + deductions[piece]
        wallet = self.cash[owner]
        equity = wallet + profit
        rank = profit / np.maximum(wallet, one_unit) * maintenance / np.maximum(equity, 1.0)
        rank[equity <= 0] = 0.0
        return self._by_rank(owner, rank)

    def adl_order_by_leverage(
        self, instrument: int, sign: int, marks: Sequence[float], gain: bool
    ) -> list[int]:
        """As ``adl_order`` with the rank of the other venues: profit times account leverage.

        Profit is relative to the entry value, or with ``gain`` the ratio of mark and entry
        (``risk.adl.leverage_rank``, ``gain_rank``).  ``marks`` are ticks by perpetual.  O(rows).
        """
        slot, every = self.slot[instrument], self.positions
        what, owners = every.what[: every.used], every.owner[: every.used]
        worth = every.value[: every.used] * (np.array(marks) * self.unit_value)[what]
        upnl = sum_by(owners, worth - every.extra[: every.used], len(self.accounts))
        rows, value, profit = self._winners(slot, sign, marks[slot])
        owner = every.owner[rows]
        equity = np.maximum(self.cash[owner] + upnl[owner], 1.0)
        size, entry = np.abs(value), np.maximum(np.abs(every.extra[rows]), 1.0)
        relative = profit / entry
        if gain:
            relative = size / entry if sign > 0 else entry / np.maximum(size, 1.0)
        return self._by_rank(owner, relative * size / equity)

    def _winners(self, slot: int, sign: int, mark: float) -> tuple[Ints, Floats, Floats]:
        """Rows of the positions of one side that are in profit, their signed values and profits."""
        rows = np.nonzero(self.positions.what[: self.positions.used] == slot)[0]
        qty, entry = self.positions.value[rows], self.positions.extra[rows]
        value = qty * mark * self.unit_value[slot]
        profit = value - entry
        keep = (qty * sign > 0) & (profit > 0)
        return rows[keep], value[keep], profit[keep]

    def _by_rank(self, owner: Ints, rank: Floats) -> list[int]:
        order = np.lexsort((owner, -rank))
        found: list[int] = self.ids[owner[order]].tolist()
        return found
