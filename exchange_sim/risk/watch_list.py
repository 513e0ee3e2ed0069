"""Which accounts need a look at all: how far prices may move before an account can leave its band.

An account that was seen at some prices, its anchor, with a distance to its limits cannot leave them
before prices have moved far enough.  If every price differs from the anchor by at most a factor
``exp(d)``, then

    |change of (equity - x * maintenance)|
        <= (exp(d) - 1) * (gross + x * (rate * gross + maintenance))

with ``gross`` the sum of all absolute values and ``rate`` the highest maintenance rate: collateral
value, profit and maintenance are piecewise linear with slopes of at most one, one and ``rate``.  So
each account has a ``room``, the move that it survives for certain, and one comparison per account
and update replaces the sum over everything that it holds.  Measured: see ``benchmarks``.

Whoever is due is first looked at in a ``Panel``, where its margin is one short product; only those
that it does not show to be inside are added up from what they hold.

Accounts that were seen in the same update share an anchor.  There is a fixed number of anchors;
when a new one is needed, the accounts of the one with the fewest are looked at and move to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from exchange_sim.risk.columns import Floats, Ints
from exchange_sim.risk.mirror import Mirror
from exchange_sim.risk.panel import UNKNOWN, Panel
from exchange_sim.risk.reach import RELATIVE_ERROR, outside, room_of
from exchange_sim.units import PPM

MOVE_ERROR = 1e-12
"""Far above the rounding of a logarithm, far below any move of a price."""
FULL_SHARE = 16
"""One pass over all rows is cheaper than single accounts once one in so many is due."""
ANCHORS = 256


class WatchList:
    """Wraps a ``Mirror``: names the same accounts as ``Mirror.at_risk``, without looking at all."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self._room: Floats = np.full(64, -1.0)
        self._anchor: Ints = np.zeros(64, dtype=np.int64)
        self._members: Ints = np.zeros(ANCHORS, dtype=np.int64)
        self._logs: Floats = np.zeros((ANCHORS, 0))
        self._moved: Floats = np.zeros(ANCHORS)
        self._live = np.zeros(0, dtype=bool)
        self.panel = Panel(mirror.asset_count, len(mirror.instruments))

    def _take_copied(self) -> None:
        """Accounts that were copied anew are looked at in the next update."""
        copied = self.mirror.copied
        while len(self.mirror.accounts) > len(self._room):
            self._room = np.concatenate([self._room, np.full(len(self._room), -1.0)])
            self._anchor = np.concatenate([self._anchor, np.zeros_like(self._anchor)])
        self._room[copied] = -1.0
        self._room[self.mirror.relimited] = -1.0
        self.panel.forget(copied)
        copied.clear()
        self.mirror.relimited.clear()

    def is_due(self, account: int) -> bool:
        """Whether an account would be looked at if prices stayed as they are."""
        self._take_copied()
        k = self.mirror.local.get(account)
        return k is not None and bool(self._room[k] <= self._moved[self._anchor[k]])

    def at_risk(
        self, asset_prices: Sequence[int], price_scales: Sequence[int], marks_micro: Sequence[int]
    ) -> list[int]:
        """Accounts that may have left the limits of their ratio, in the order of the mirror.

        O(accounts) comparisons, and O(rows) of those that are due.
        """
        mirror, n = self.mirror, len(self.mirror.accounts)
        if not n:
            return []
        self._take_copied()
        prices = np.array([p / s for p, s in zip(asset_prices, price_scales, strict=True)])
        marks = np.array([mark / PPM for mark in marks_micro])
        logs = self._move(np.concatenate([prices, marks]))
        room, anchor = self._room[:n], self._anchor[:n]
        due = room <= self._moved[anchor]
        if not due.any():
            return list(mirror.beyond)
        new = int(self._members.argmin())
        if self._members[new]:
            due |= anchor == new
        rows: Ints = np.nonzero(due)[0]
        at = np.concatenate([prices, marks])
        pays = mirror.linear and self.panel.pays(n, mirror.held.used + mirror.positions.used)
        if pays:
            rows = self._settle(rows, new, at)
        named = self._by_rows(rows, new, prices, marks, pays) if len(rows) else []
        self._members = np.bincount(anchor, minlength=ANCHORS)
        self._logs[new] = logs
        self._moved[new] = MOVE_ERROR
        return list(dict.fromkeys([*named, *mirror.beyond])) if mirror.beyond else named

    def _settle(self, rows: Ints, new: int, at: Floats) -> Ints:
        """Give those of ``rows`` that the panel shows to be well inside a new room; the others."""
        mirror, panel = self.mirror, self.panel
        on, seen = panel.look(rows, at, self._moved[self._anchor[rows]])
        known = seen.accounts
        limits = mirror.low[known], mirror.high[known]
        error = RELATIVE_ERROR + panel.error
        room = np.log1p(room_of(seen, *limits, mirror.slack, mirror.rate_max, error))
        inside = room > MOVE_ERROR
        self._room[known[inside]] = room[inside]
        self._anchor[known[inside]] = new
        left = np.ones(len(rows), dtype=bool)
        left[on[inside]] = False
        return rows[left]

    def _by_rows(
        self, rows: Ints, new: int, prices: Floats, marks: Floats, pays: bool
    ) -> list[int]:
        """Look at accounts by what they hold, or at all; those that may be outside."""
        mirror, n = self.mirror, len(self.mirror.accounts)
        if len(rows) * FULL_SHARE > n:
            rows = np.arange(n)
            seen = mirror.screen(prices, marks)
        else:
            seen = mirror.screen_some(rows, prices, marks)
        low, high = mirror.low[rows], mirror.high[rows]
        self._room[rows] = np.log1p(room_of(seen, low, high, mirror.slack, mirror.rate_max))
        self._anchor[rows] = new
        if pays:
            ready = self.panel.ready(rows)
            mirror.line_up(self.panel, rows[ready], seen.gross[ready], prices, marks)
        else:
            self.panel.edge[:] = UNKNOWN
        named: list[int] = seen.accounts[outside(seen, low, high, mirror.slack)].tolist()
        return named

    def _move(self, prices: Floats) -> Floats:
        """Logarithms of the prices, after measuring how far they are from each anchor.

        A price that comes from nothing or goes to nothing makes everybody due.
        """
        live = prices > 0
        logs = np.log(np.where(live, prices, 1.0))
        if len(live) != len(self._live) or (live != self._live).any():
            self._live = live
            self._logs = np.tile(logs, (ANCHORS, 1))
            self._room[:] = -1.0
            self.panel.edge[:] = UNKNOWN
        self._moved = np.abs(self._logs - logs).max(axis=1, initial=0.0) + MOVE_ERROR
        return logs
