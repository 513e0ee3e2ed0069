"""Windows of recent trades, and the spot execution rule that trades only near their mean.

Two rules look back at trades.  The percent-price filter of a spot market compares a limit price
with the volume-weighted average of a window (``average_price``); that of a perpetual looks at the
mark.  The other is the execution rule.

It is a counterfactual: the rule was published in March 2026 and did not exist in October 2025.  The
reference is the arithmetic mean of the trade prices of a sliding window, kept in ten buckets of
which the oldest counts in proportion (``risk.reference_price``).  What an order would trade beyond
the range expires with ``PRICE_BOUND``; what would only rest there rests.  Source:
https://github.com/binance/binance-spot-api-docs (faqs/price_range_execution_rules.md).

Simplifications
---------------
Only the side on which an order gets a worse price is bounded.  Before the first trade of a window
nothing is.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from exchange_sim.model.enums import BUY, GTX, LIMIT
from exchange_sim.risk.reference_price import Bucket, bucketed_reference, price_range
from exchange_sim.units import NANOS_PER_MS

if TYPE_CHECKING:
    from exchange_sim.matching.engine import MatchingEngine
    from exchange_sim.model.instrument import Instrument
    from exchange_sim.model.order import Order
    from exchange_sim.world.config import WorldConfig
    from exchange_sim.world.world import World

PPM: Final = 1_000_000
BUCKETS: Final = 10


class TradeWindow:
    """Trade prices of one market in a sliding window of ``window_ns``.

    ``share_ppm`` is how far from their mean one may trade, for ``bound`` only.
    """

    __slots__ = ("_cached", "buckets", "share_ppm", "width_ms")

    def __init__(self, share_ppm: int, window_ns: int) -> None:
        self.share_ppm = share_ppm
        self.width_ms = max(1, window_ns // (BUCKETS * NANOS_PER_MS))
        self.buckets: deque[list[int]] = deque()
        self._cached: tuple[int, Fraction | None] = (-1, None)

    def add(self, time_ns: int, price: int, weight: int = 1) -> None:
        """Note a trade that counts ``weight`` times in the mean.  O(1)."""
        now = time_ns // NANOS_PER_MS
        opened, buckets = now - now % self.width_ms, self.buckets
        if not buckets or buckets[-1][0] != opened:
            buckets.append([opened, 0, 0])
            while buckets[0][0] <= now - self.width_ms * (BUCKETS + 1):
                buckets.popleft()
        buckets[-1][1] += weight
        buckets[-1][2] += price * weight

    def reference(self, time_ns: int) -> Fraction | None:
        """Mean price of the window, None without trades; worked out once per millisecond.

        What traded in this very millisecond counts from the next one on.
        """
        now = time_ns // NANOS_PER_MS
        if self._cached[0] != now:
            rows = [Bucket(*bucket) for bucket in self.buckets]
            found = bucketed_reference(rows, now, self.width_ms, BUCKETS)
            self._cached = now, found.price
        return self._cached[1]

    def bound(self, time_ns: int, engine: MatchingEngine, order: Order) -> int:
        """The worst price at which an order may trade now; 0 when it meets no bound."""
        book, buys = engine.book, order.side == BUY
        touch = book.best_ask if buys else book.best_bid
        if not touch or order.time_in_force == GTX or engine.auction:
            return 0
        if order.order_type == LIMIT and (touch > order.price if buys else touch < order.price):
            return 0
        reference = self.reference(time_ns)
        if reference is None:
            return 0
        up, down = PPM + self.share_ppm, PPM - self.share_ppm
        low, high = price_range(reference, up, down)
        return max(1, high if buys else low)


def range_windows(config: WorldConfig) -> dict[int, TradeWindow]:
    """Windows of the execution rule by instrument, of those that have it."""
    return {
        spec.instrument.id: TradeWindow(spec.price_range_ppm, spec.price_range_window_ns)
        for spec in config.instruments
        if spec.price_range_ppm
    }


def average_windows(config: WorldConfig) -> dict[int, TradeWindow]:
    """Windows behind the average price by instrument, of those that do not use the last price."""
    return {
        spec.instrument.id: TradeWindow(0, spec.average_window_ns)
        for spec in config.instruments
        if spec.average_window_ns
    }


def average_price(w: World, instrument: int) -> int | Fraction:
    """What the filters compare a price with, in ticks: exact, so that no bound is rounded.

    The volume-weighted average of the instrument's window.  The last price when it has none, or
    when nothing was traded in it.
    """
    window = w.averages.get(instrument)
    found = window.reference(w.time_ns) if window is not None else None
    return w.last_prices[instrument] if found is None else found


def filter_price(w: World, inst: Instrument, price: int) -> int | Fraction:
    """What the filters of an instrument measure an order at ``price`` (0: none) against, in ticks.

    Spot: the average price.  Perpetuals: the mark, exactly; 0 when no filter would look at it,
    because a fraction costs more than all filters together.  Sources:
    https://github.com/binance/binance-spot-api-docs (filters.md) and
    https://developers.binance.com/docs/derivatives/usds-margined-futures/common-definition
    """
    if inst.perpetual:
        if price and not w.specs[inst.id].filters.by_percent:
            return 0
        mark = w.marks[inst.id]
        return Fraction(mark, PPM) if mark % PPM else mark // PPM
    return average_price(w, inst.id) if w.averages else w.last_prices[inst.id]


def note_trade(w: World, instrument: int, price: int, qty: int) -> None:
    """Let the windows of an instrument see a trade."""
    if (window := w.ranges.get(instrument)) is not None:
        window.add(w.time_ns, price)
    if (window := w.averages.get(instrument)) is not None:
        window.add(w.time_ns, price, qty)
