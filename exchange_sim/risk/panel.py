"""The margin of each account as a linear function of all prices: one short product per account.

Between the ends of the tiers and brackets in which they lie, equity and maintenance margin are
linear in prices.  A pass over rows (``risk.mirror``) finds these pieces; until a price has moved
far enough to leave one of them, the margin of an account is a product of one line of a matrix with
the prices.  The matrices are 32-bit floats, which halves what has to be read; what they round is
bounded by ``error``, and whoever is closer to a limit than that is looked at by rows again.

``edge`` is the logarithm of the move of all prices that keeps an account on its pieces, counted
down with every move; ``gross`` bounds the sum of its absolute values, counted up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from exchange_sim.risk.columns import Floats, Ints, Screening

Singles = npt.NDArray[np.float32]
UNKNOWN, COPIED = -1.0, -2.0
"""As ``edge``: the pieces of an account are not known; it has just been copied."""
GROWTH_MAX = 2.0
"""The bound of the gross value may be so loose before it is worked out again."""
CELLS_PER_ROW = 4
"""Most cells of the matrix for each row that accounts hold: beyond, single rows are cheaper."""


class Panel:
    """Lines of the accounts of a mirror, by mirror index.  Columns are assets, then perpetuals."""

    def __init__(self, assets: int, perpetuals: int) -> None:
        self.assets = assets
        self.width = assets + perpetuals
        self.error = (self.width + 8) * float(np.finfo(np.float32).eps)
        self._grow(0)

    def _grow(self, size: int) -> None:
        self.slopes: Singles = np.zeros((size, self.width), dtype=np.float32)
        self.rates: Singles = np.zeros((size, self.width), dtype=np.float32)
        self.fixed: Floats = np.zeros((2, size))
        self.gross: Floats = np.zeros((2, size))
        self.edge: Floats = np.full(size, COPIED)

    def pays(self, accounts: int, rows: int) -> bool:
        """Whether accounts hold enough of what there is; room is made when they do."""
        if accounts * self.width > CELLS_PER_ROW * rows:
            return False
        if accounts > len(self.edge):
            self._grow(max(64, 2 * accounts))
        return True

    def forget(self, accounts: list[int]) -> None:
        """The holdings of these accounts changed."""
        if len(self.edge):
            self.edge[[k for k in accounts if k < len(self.edge)]] = COPIED

    def ready(self, rows: Ints) -> Ints:
        """Which of ``rows`` are worth a line: those that are due again since they were copied.

        Whoever trades at every moment, as makers do, would never use it.
        """
        copied = self.edge[rows] == COPIED
        self.edge[rows[copied]] = UNKNOWN
        found: Ints = np.nonzero(~copied)[0]
        return found

    def begin(self, rows: Ints, gross: Floats, equity: Floats, maintenance: Floats) -> None:
        """Start the lines of some accounts: what does not depend on prices, and no edge."""
        self.slopes[rows] = 0.0
        self.rates[rows] = 0.0
        self.fixed[0, rows], self.fixed[1, rows] = equity, maintenance
        self.gross[:, rows] = gross
        self.edge[rows] = np.inf

    def add(
        self,
        owner: Ints,
        column: Ints,
        slope: Floats,
        rate: Floats,
        fixed: tuple[Floats, Floats],
        reach: tuple[Floats, Floats, Floats],
    ) -> None:
        """Add rows: at most one for each account and column.

        ``fixed`` are the constant parts of equity and maintenance, ``reach`` the size of each row
        and the ends of its piece.
        """
        self.slopes[owner, column] = slope
        self.rates[owner, column] = rate
        for total, part in zip(self.fixed, fixed, strict=True):
            np.add.at(total, owner, part)
        value, low, high = reach
        known = value > 0
        size = np.where(known, value, 1.0)
        with np.errstate(divide="ignore"):
            edge = np.minimum(np.log(high / size), np.log(size / low))
        np.minimum.at(self.edge, owner, np.where(known, edge, UNKNOWN))

    def look(self, rows: Ints, prices: Floats, moved: Floats) -> tuple[Ints, Screening]:
        """Which of ``rows`` are still on their pieces after so large a move, and their margins."""
        edge = self.edge[rows] - moved
        gross = self.gross[0, rows] * np.exp(moved)
        on = np.nonzero((edge > 0) & (gross <= GROWTH_MAX * self.gross[1, rows]))[0]
        rows, gross = rows[on], gross[on]
        self.edge[rows], self.gross[0, rows] = edge[on], gross
        factors = prices.astype(np.float32)
        equity, maintenance = (
            np.einsum("ij,j->i", matrix[rows], factors).astype(np.float64) + fixed[rows]
            for matrix, fixed in zip((self.slopes, self.rates), self.fixed, strict=True)
        )
        return on, Screening(rows, equity, maintenance, gross)
