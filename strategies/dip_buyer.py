"""A dip buyer: rests bids below the market and sells what they bought on the way back.

The smallest complete strategy of this folder: read it first when you write your own.  Liquidity
provision against temporary falls: Nagel (2012), "Evaporating liquidity", Rev. Fin. Stud. 25(7).
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.strategy.api import Fill, OrderHandle, Side, Strategy


@attrs.frozen
class DipBuyerParams(Strategy.Params):
    """``falls``: distances of the bids below the first mid; ``budget`` is in the quote asset.

    Each bid gets an equal part of the budget; what it bought is offered ``profit`` above its price.
    """

    symbol: str = "leading:BTCUSDT"
    falls: tuple[float, ...] = (0.03, 0.06, 0.09, 0.12)
    profit: float = 0.02
    budget: float = 10_000.0


class DipBuyer(Strategy):
    """Buys at fixed falls, takes a fixed profit."""

    Params = DipBuyerParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.bids: list[OrderHandle] = []

    def on_start(self) -> None:
        """Look at the book every second until there is a price."""
        self.subscribe_book(self.params.symbol, depth=1)
        self.set_timer("look", 1.0)

    def on_timer(self, name: str) -> None:
        """Place the bids once."""
        p: DipBuyerParams = self.params
        mid = self.book(p.symbol).mid
        if name != "look" or mid is None:
            return
        self.cancel_timer("look")
        for fall in p.falls:
            price = mid * (1.0 - fall)
            qty = p.budget / len(p.falls) / price
            self.bids.append(self.buy(p.symbol, qty, price, post_only=True))

    def on_fill(self, fill: Fill) -> None:
        """Offer what was bought at a profit."""
        if fill.side == Side.BUY:
            target = fill.price * (1.0 + self.params.profit)
            self.sell(self.params.symbol, fill.qty, target, post_only=True)
