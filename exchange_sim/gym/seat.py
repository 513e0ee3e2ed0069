"""The strategy whose quotes a learner sets, and what it sees.

A seat is an ordinary participant with an account, links and a queue position.  It acts only when it
is told to, between two steps of the run; everything it reads is its own delayed view.
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
from numpy.typing import NDArray

from exchange_sim.marketdata.market import Market
from exchange_sim.model.enums import BUY, GTX, LIMIT, SELL
from exchange_sim.strategy.api import Strategy
from exchange_sim.strategy.views import LiquidationNotice, OrderHandle

Floats = NDArray[np.float32]

BP: Final = 10_000.0
FAR: Final = 10.0
"""Observations are clipped to +-10, so that a broken book stays inside the space."""


@attrs.frozen(kw_only=True)
class SeatParams(Strategy.Params):
    """``symbol``: where it quotes; ``levels`` quotes a side; ``depth`` book levels that it sees.

    ``offset_max_bp``: the farthest quote from the mid; ``qty_max``: the largest quote in base
    units; ``inventory_max``: the holding (base units) that shows as 1.
    """

    symbol: str = ""
    levels: int = attrs.field(default=1, validator=attrs.validators.in_(range(1, 11)))
    depth: int = attrs.field(default=5, validator=attrs.validators.in_(range(1, 51)))
    offset_max_bp: float = attrs.field(default=50.0, validator=attrs.validators.gt(0.0))
    qty_max: float = attrs.field(default=1.0, validator=attrs.validators.gt(0.0))
    inventory_max: float = attrs.field(default=10.0, validator=attrs.validators.gt(0.0))


class Seat(Strategy):
    """Quotes what it was last told to, and describes what it sees."""

    Params = SeatParams

    def on_start(self) -> None:
        """Subscribe to what the observation shows."""
        params: SeatParams = self.params
        market: Market = self.market(params.symbol)
        self.instrument = market
        self.start_mid = 0.0
        self.liquidated = False
        self.fills = 0
        self._quotes: dict[int, list[OrderHandle | None]] = {
            side: [None] * params.levels for side in (BUY, SELL)
        }
        self._start_lots = self.position_lots(market)
        self._seen = (0.0, 0, 0)
        self.subscribe_book(market, depth=params.depth)
        self.subscribe_margin(market.venue)

    def on_fill(self, fill: object) -> None:
        """Count."""
        del fill
        self.fills += 1

    def on_liquidation(self, notice: LiquidationNotice) -> None:
        """Remember that the venue has taken over."""
        if notice.stage == "started":
            self.liquidated = True

    def requote(self, action: Floats) -> None:
        """Move the quotes to ``action``: per side and level an offset and a size, each in [0, 1].

        The order is bid offsets, bid sizes, ask offsets, ask sizes.  An offset is a share of
        ``offset_max_bp`` from the delayed mid, at least a tick inside the opposite touch; a size
        is a share of ``qty_max``, 0 for no quote.
        """
        params: SeatParams = self.params
        view, market = self.book(self.instrument), self.instrument
        mid = view.mid_ticks
        if not mid or self.liquidated:
            return
        scale = mid * params.offset_max_bp / BP
        most = market.to_lots(params.qty_max)
        rows = action.reshape(4, params.levels).tolist()
        for level in range(params.levels):
            bid = min(int(mid - rows[0][level] * scale), view.ask_ticks - 1)
            ask = max(-int(rows[2][level] * scale - mid), view.bid_ticks + 1)
            self._move(BUY, level, bid, int(rows[1][level] * most))
            self._move(SELL, level, ask, int(rows[3][level] * most))

    def _move(self, side: int, level: int, ticks: int, lots: int) -> None:
        """Send what changes the quote of a level, if anything."""
        old = self._quotes[side][level]
        if old is not None and not old.is_open:
            old = None
        if lots <= 0 or ticks <= 0:
            if old is not None:
                self.cancel(old)
            self._quotes[side][level] = None
        elif old is None:
            quote = self.submit(self.instrument, side, lots, ticks, LIMIT, GTX)
            self._quotes[side][level] = quote
        elif (ticks, lots) != (old.price_ticks, old.leaves_lots):
            self.modify(old, ticks, lots)

    def look(self) -> dict[str, Floats]:
        """The observation; see ``MakerEnv``."""
        params: SeatParams = self.params
        view, market = self.book(self.instrument), self.instrument
        mid = view.mid_ticks or float(view.last_ticks)
        if not self.start_mid:
            self.start_mid = mid
        book = np.zeros((2, params.depth, 2), dtype=np.float32)
        unit = market.to_lots(params.qty_max) or 1
        for side, levels in enumerate((view.bid_levels, view.ask_levels) if mid else ()):
            for at, (ticks, lots) in enumerate(levels[: params.depth]):
                book[side, at] = (ticks / mid - 1.0) * BP / params.offset_max_bp, lots / unit
        np.log1p(book[:, :, 1], out=book[:, :, 1])
        before, bought, sold = self._seen
        flow = (view.buy_lots - bought) / unit, (view.sell_lots - sold) / unit
        moved = (mid / before - 1.0) * BP / params.offset_max_bp if before else 0.0
        self._seen = mid, view.buy_lots, view.sell_lots
        tape = np.array([moved, np.log1p(flow[0]), np.log1p(flow[1])], dtype=np.float32)
        return {
            "book": np.clip(book, -FAR, FAR),
            "tape": np.clip(tape, -FAR, FAR),
            "account": np.clip(self._account(mid), -FAR, FAR),
        }

    def _account(self, mid: float) -> Floats:
        """Inventory, margin used, distance to liquidation, price since the start, open quotes."""
        params: SeatParams = self.params
        most = self.instrument.to_lots(params.inventory_max) or 1
        held = (self.position_lots(self.instrument) - self._start_lots) / most
        margin = self.margin(self.instrument.venue)
        used = min(margin.leverage_used, FAR)
        safety = min(margin.uni_mmr, FAR)
        since = (mid / self.start_mid - 1.0) * 10.0 if self.start_mid else 0.0
        quotes = [q for side in self._quotes.values() for q in side if q is not None and q.is_open]
        share = len(quotes) / (2 * params.levels)
        return np.array([held, used, safety, since, share], dtype=np.float32)
