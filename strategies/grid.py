"""A grid: bids below and asks above the first mid, each fill answered one step further.

    level k rests at  centre * (1 + step) ** k
    a round trip earns  qty * price * step, less two maker fees

It earns in a market that swings and loses in one that leaves: Taranto & Khan (2020), "Gambler's
ruin problem and bi-directional grid constrained trading and investment strategies", Investment
Management and Financial Innovations 17(3), show that a grid is profitable for a while and ruined
almost surely.  A crash is where that happens.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.strategy.api import Fill, Side, Strategy


@attrs.frozen
class GridParams(Strategy.Params):
    """``levels`` on each side, ``step`` apart as a fraction of the price, ``qty`` each."""

    symbol: str = "leading:BTCUSDT-PERP"
    levels: int = attrs.field(default=10, validator=attrs.validators.ge(1))
    step: float = attrs.field(default=0.002, validator=attrs.validators.gt(0.0))
    qty: float = 0.01


def level_price(centre: float, step: float, level: int) -> float:
    """Price of a level; negative levels are below the centre."""
    return float(centre * (1.0 + step) ** level)


class Grid(Strategy):
    """Buys a step lower, sells a step higher, for ever."""

    Params = GridParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.centre = 0.0

    def on_start(self) -> None:
        """Look at the book until there is a price."""
        self.subscribe_book(self.params.symbol, depth=1)
        self.set_timer("look", 1.0)

    def on_timer(self, name: str) -> None:
        """Lay the grid once."""
        mid = self.book(self.params.symbol).mid
        if name != "look" or mid is None:
            return
        self.cancel_timer("look")
        self.centre = mid
        for level in range(1, self.params.levels + 1):
            self._place(-level, Side.BUY, self.params.qty)
            self._place(level, Side.SELL, self.params.qty)

    def on_fill(self, fill: Fill) -> None:
        """Offer what was bought one step higher, buy back what was sold one step lower."""
        if fill.order is None or fill.order.tag is None:
            return
        if fill.side == Side.BUY:
            self._place(fill.order.tag + 1, Side.SELL, fill.qty)
        else:
            self._place(fill.order.tag - 1, Side.BUY, fill.qty)

    def _place(self, level: int, side: Side, qty: float) -> None:
        price = level_price(self.centre, self.params.step, level)
        order = self.submit_order(self.params.symbol, side, qty, price, post_only=True)
        order.tag = level
