"""Somebody who builds one position at the start and then only holds it.

The account whose end depends on the rules of its venue: it neither quotes nor reacts, so that two
runs differ in what the venue does to it and in nothing else.

Simplification: it takes whatever the book offers while it builds the position, in equal slices.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.model.enums import BUY, IOC, MARKET, SELL
from exchange_sim.strategy.api import LiquidationNotice, Strategy


@attrs.frozen
class HolderParams(Strategy.Params):
    """``symbol`` "": it holds what the scenario gives it (``positions``) and sends nothing.

    ``qty`` is the position to build in base units (negative: short), in ``slices`` orders.

    ``leverage`` is chosen before the first order in a perpetual; 0 keeps the venue's default.
    """

    symbol: str = ""
    qty: float = 0.0
    slices: int = attrs.field(default=10, validator=attrs.validators.ge(1))
    interval_s: float = attrs.field(default=2.0, validator=attrs.validators.gt(0.0))
    start_s: float = attrs.field(default=2.0, validator=attrs.validators.ge(0.0))
    leverage: int = attrs.field(default=0, validator=attrs.validators.ge(0))


class Holder(Strategy):
    """Builds a position with market orders and holds it, whatever happens."""

    Params = HolderParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._left = 0
        self._slice = 0

    def on_start(self) -> None:
        """Work out the slices in lots."""
        p: HolderParams = self.params
        if not p.symbol:
            return
        self._market = self.market(p.symbol)
        self.subscribe_book(self._market, 1)
        self._left = self._market.to_lots(abs(p.qty))
        self._slice = max(1, -(-self._left // p.slices))
        if p.leverage and self._market.is_perpetual:
            self.set_leverage(self._market, p.leverage)
        self.set_timer("build", p.start_s)

    def on_liquidation(self, event: LiquidationNotice) -> None:
        """Who was liquidated does not start again."""
        del event
        self._left = 0

    def on_timer(self, name: str) -> None:
        """Send the next slice."""
        p: HolderParams = self.params
        lots = min(self._left, self._slice)
        if name != "build" or lots <= 0:
            return
        side = BUY if p.qty > 0 else SELL
        self.submit(self._market, side, lots, 0, MARKET, IOC)
        self._left -= lots
        self.set_timer("build", p.interval_s)
