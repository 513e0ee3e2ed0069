"""A liquidation sniper: buys what liquidation engines sell too cheaply, sells it on the way back.

    forced share = forced volume / volume of the last ``window_s`` seconds
    discount     = 1 - price / reference        (reference: index of a perpetual, else slow mean)

It buys when both are large.  Forced sales push prices below their value, and whoever has money then
earns the difference: Coval & Stafford (2007), "Asset fire sales (and purchases) in equity markets",
J. Financ. Econ. 86(2).  Those who front-run the sales instead deepen the fall: Brunnermeier &
Pedersen (2005), "Predatory trading", J. Finance 60(4).
"""

from __future__ import annotations

from collections import deque
from typing import Any

import attrs

from exchange_sim.strategy.api import Side, Strategy, Trade
from exchange_sim.units import NANOS_PER_S


@attrs.frozen
class SniperParams(Strategy.Params):
    """Buys ``qty`` a second at most, up to ``max_qty``; leaves at the reference or in time.

    ``discount`` is the least one to buy at, ``recovered`` the part of the discount that must be
    made up before it sells; ``patience_s`` after its last purchase it sells whatever the price.
    """

    symbol: str = "leading:BTCUSDT-PERP"
    qty: float = 0.05
    max_qty: float = 0.5
    forced_share: float = 0.3
    discount: float = 0.01
    recovered: float = 0.7
    window_s: float = 5.0
    memory_s: float = 120.0
    patience_s: float = 600.0


class LiquidationSniper(Strategy):
    """Waits for forced selling below value."""

    Params = SniperParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._tape: deque[tuple[int, float, float]] = deque()
        self._mean = 0.0
        self._mean_ns = 0
        self._bought_ns = 0

    def on_start(self) -> None:
        """Follow the tape, look every second."""
        self.subscribe_book(self.params.symbol, depth=5)
        self.subscribe_trades(self.params.symbol)
        self.set_timer("look", 1.0)

    def on_trade(self, trade: Trade) -> None:
        """Remember the volume and who was forced to sell."""
        forced = trade.qty if trade.is_liquidation and trade.side == Side.SELL else 0.0
        self._tape.append((trade.time_ns, trade.qty, forced))

    def forced_share(self) -> float:
        """Forced sales over all volume of the window; 0.0 without trades."""
        oldest = self.now_ns - round(self.params.window_s * NANOS_PER_S)
        while self._tape and self._tape[0][0] < oldest:
            self._tape.popleft()
        volume = sum(qty for _, qty, _ in self._tape)
        return sum(forced for _, _, forced in self._tape) / volume if volume else 0.0

    def reference(self, mid: float) -> float:
        """What it believes the thing to be worth: the index, or a slow mean of the mid."""
        seconds = (self.now_ns - self._mean_ns) / NANOS_PER_S
        share = min(1.0, seconds / self.params.memory_s) if self._mean else 1.0
        self._mean += (mid - self._mean) * share
        self._mean_ns = self.now_ns
        return self.index_price(self.params.symbol) or self._mean

    def on_timer(self, name: str) -> None:
        """Buy in the storm, sell in the calm."""
        p: SniperParams = self.params
        book = self.book(p.symbol)
        if name != "look" or book.mid is None or book.best_ask is None:
            return
        reference = self.reference(book.mid)
        held = self.position(p.symbol).qty
        discount = 1.0 - book.best_ask / reference
        if held < p.max_qty and discount >= p.discount and self.forced_share() >= p.forced_share:
            self.buy(p.symbol, min(p.qty, p.max_qty - held), book.best_ask, tif="IOC")
            self._bought_ns = self.now_ns
        elif held > 0.0 and not self.open_orders(p.symbol):
            late = self.now_ns - self._bought_ns > round(p.patience_s * NANOS_PER_S)
            if late or 1.0 - book.mid / reference <= p.discount * (1.0 - p.recovered):
                self.close_position(p.symbol)
