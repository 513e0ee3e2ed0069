"""Bars (candles): what a market traded during one interval.

Intervals are counted from the epoch, so that one-minute bars begin at whole minutes.  A bar is
complete when its interval is over; an interval without a trade has a bar at the last price with no
volume, once there has been a price.
"""

from __future__ import annotations

from exchange_sim.marketdata.market import Market
from exchange_sim.marketdata.views import Trade
from exchange_sim.model.enums import BUY


class Bar:
    """Trades of ``market`` in ``[start_ns, end_ns)``: prices in ticks, volumes in lots."""

    __slots__ = (
        "buy_lots",
        "close_ticks",
        "end_ns",
        "high_ticks",
        "low_ticks",
        "market",
        "open_ticks",
        "start_ns",
        "trades",
        "value_ticks",
        "volume_lots",
    )

    def __init__(self, market: Market, start_ns: int, end_ns: int, ticks: int) -> None:
        self.market = market
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.open_ticks = self.high_ticks = self.low_ticks = self.close_ticks = ticks
        self.volume_lots = self.buy_lots = self.value_ticks = self.trades = 0

    def __repr__(self) -> str:
        prices = f"{self.open}, {self.high}, {self.low}, {self.close}"
        return f"Bar({self.symbol}, {prices}, volume={self.volume}, start_ns={self.start_ns})"

    def add(self, ticks: int, lots: int, side: int) -> None:
        """Take in a trade; only the maker of the bar does that."""
        if not self.trades:
            self.open_ticks = self.high_ticks = self.low_ticks = ticks
        elif ticks > self.high_ticks:
            self.high_ticks = ticks
        elif ticks < self.low_ticks:
            self.low_ticks = ticks
        self.close_ticks = ticks
        self.trades += 1
        self.volume_lots += lots
        self.value_ticks += ticks * lots
        if side == BUY:
            self.buy_lots += lots

    @property
    def symbol(self) -> str:
        """``"venue:NAME"``."""
        return self.market.symbol

    @property
    def open(self) -> float:
        """Price of the first trade."""
        return self.market.price(self.open_ticks)

    @property
    def high(self) -> float:
        """Highest price."""
        return self.market.price(self.high_ticks)

    @property
    def low(self) -> float:
        """Lowest price."""
        return self.market.price(self.low_ticks)

    @property
    def close(self) -> float:
        """Price of the last trade."""
        return self.market.price(self.close_ticks)

    @property
    def volume(self) -> float:
        """Traded quantity in base units."""
        return self.market.qty(self.volume_lots)

    @property
    def buy_volume(self) -> float:
        """The part of it whose aggressor bought."""
        return self.market.qty(self.buy_lots)

    @property
    def vwap(self) -> float:
        """Volume-weighted price; the close without volume."""
        if not self.volume_lots:
            return self.close
        return self.market.price(self.value_ticks / self.volume_lots)


class BarMaker:
    """Collects the trades of one market and hands out finished bars."""

    def __init__(self, market: Market, interval_ns: int) -> None:
        if interval_ns <= 0:
            raise ValueError(f"bars need an interval, not {interval_ns} ns")
        self.market = market
        self.interval_ns = interval_ns
        self._bar: Bar | None = None
        self._last_ticks = 0

    def next_end(self, now_ns: int) -> int:
        """When the interval of ``now_ns`` is over."""
        return (now_ns // self.interval_ns + 1) * self.interval_ns

    def trade(self, trade: Trade) -> None:
        """Take in a public trade; trades come in order of time."""
        end = self.next_end(trade.time_ns)
        bar = self._bar
        if bar is None or bar.end_ns != end:
            bar = self._bar = Bar(self.market, end - self.interval_ns, end, trade.price_ticks)
        bar.add(trade.price_ticks, trade.qty_lots, trade.side)
        self._last_ticks = trade.price_ticks

    def finish(self, end_ns: int) -> Bar | None:
        """The bar that ends at ``end_ns``; ``None`` before the first trade of all."""
        bar, self._bar = self._bar, None
        if bar is not None and bar.end_ns == end_ns:
            return bar
        if not self._last_ticks:
            return None
        return Bar(self.market, end_ns - self.interval_ns, end_ns, self._last_ticks)
