"""A seller that follows volume: so much of what others trade, whatever the price.

The algorithm of 6 May 2010: a mutual fund sold 75,000 E-mini contracts at 9 % of the volume of the
previous minute, without regard to price or time (CFTC & SEC 2010, "Findings regarding the market
events of May 6, 2010", pp. 2-3).  When fast traders pass contracts to and fro volume rises, and
with it the pace of the sale, although nobody takes the contracts in the end.

Simplification: own trades count as volume, as they did then; each slice is one order at the touch
that waits for nothing.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import attrs

from exchange_sim.model.enums import BUY, IOC, LIMIT, SELL
from exchange_sim.strategy.api import Strategy


@attrs.frozen
class ParticipationParams(Strategy.Params):
    """``qty`` base units are traded in all, from ``start_ns`` on, at ``share`` of recent volume.

    Recent is the last ``window_s``.  An order may trade ``slippage`` beyond the touch;
    ``least_lots`` keeps the sale alive when nobody else trades.
    """

    symbol: str = ""
    qty: float = 0.0
    start_ns: int = 0
    share: float = attrs.field(default=0.09, validator=attrs.validators.gt(0.0))
    window_s: float = attrs.field(default=60.0, validator=attrs.validators.gt(0.0))
    interval_s: float = attrs.field(default=1.0, validator=attrs.validators.gt(0.0))
    slippage: float = 0.01
    least_lots: int = 1
    buys: bool = False


class ParticipationSeller(Strategy):
    """Sells (or buys) a fixed quantity at a share of the volume.  ``left_lots`` is still to do."""

    Params = ParticipationParams
    private_feed = False

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.left_lots = 0
        self._volumes: deque[int] = deque()
        self._due = 0.0

    def on_start(self) -> None:
        """Subscribe and wait for the start."""
        p: ParticipationParams = self.params
        self._market = self.market(p.symbol)
        self.subscribe_book(self._market, 1)
        self.left_lots = self._market.to_lots(p.qty)
        self._volumes = deque(maxlen=max(2, round(p.window_s / p.interval_s)))
        self.set_timer("slice", p.interval_s)

    def on_timer(self, name: str) -> None:
        """Look at the volume; sell what it allows."""
        if name != "slice" or not self.left_lots:
            return
        p: ParticipationParams = self.params
        book = self.book(self._market)
        self._volumes.append(book.buy_lots + book.sell_lots)
        if self.now_ns < p.start_ns or len(self._volumes) < 2:
            return
        seconds = (len(self._volumes) - 1) * p.interval_s
        traded = self._volumes[-1] - self._volumes[0]
        self._due += p.share * traded / seconds * p.interval_s
        lots = min(self.left_lots, max(p.least_lots, int(self._due)))
        side, touch = (BUY, book.ask_ticks) if p.buys else (SELL, book.bid_ticks)
        if not touch:
            return
        self._due -= lots
        self.left_lots -= lots
        worst = touch * (1.0 + p.slippage if p.buys else 1.0 - p.slippage)
        self.submit(self._market, side, lots, max(1, int(worst)), LIMIT, IOC)
