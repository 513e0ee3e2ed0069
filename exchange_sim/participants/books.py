"""What every population needs to know about a book: its scale in dollars and what it shows now."""

from __future__ import annotations

import math
from typing import Final

import attrs

from exchange_sim.model.enums import BUY, IOC, LIMIT, MARKET
from exchange_sim.strategy.api import BookView, Market, Strategy
from exchange_sim.units import NANOS_PER_S

_VARIANCE_S: Final = 60.0
_OPENING_SPREAD: Final = 0.02
_USUAL_GAIN: Final = 0.02


@attrs.frozen
class BookParams:
    """``depth_usd`` is D1 of the book: calm bid notional within 1 % x ``beta`` of the mid."""

    symbol: str
    depth_usd: float = attrs.field(validator=attrs.validators.gt(0.0))
    beta: float = attrs.field(default=1.0, validator=attrs.validators.gt(0.0))


class Watched:
    """One watched book: prices in ticks as floats, D1 in lots at the first price.

    ``start`` is the first mid seen, ``variance`` the squared log return per second with a memory
    of one minute, ``mean`` the exponential mean of the mid with time constant ``mean_s``; both are
    0.0 until the book has had two sides.  D1 is fixed in lots, as a holder of coins sees it, so
    that a fallen price does not inflate the orders.
    """

    __slots__ = (
        "_mean_ns",
        "_owner",
        "beta",
        "depth_lots",
        "depth_usd",
        "market",
        "mean",
        "mean_s",
        "mid",
        "start",
        "usual_depth",
        "variance",
    )

    def __init__(
        self, owner: Strategy, symbol: str, depth_usd: float, beta: float, mean_s: float = 120.0
    ) -> None:
        self._owner = owner
        self.market: Market = owner.market(symbol)
        self.depth_usd = depth_usd
        self.beta = beta
        self.mean_s = mean_s
        self.depth_lots = 0.0
        self.start = self.mid = self.mean = self.variance = 0.0
        self.usual_depth = (0.0, 0.0)
        self._mean_ns = 0

    def fully_margined(self) -> None:
        """Leverage 1 in a perpetual: the limits of brackets bind leveraged positions."""
        if self.market.is_perpetual:
            self._owner.set_leverage(self.market, 1)

    def look(self, now_ns: int) -> BookView:
        """Update the prices from the newest view that the link has delivered.

        A one-sided book keeps the last mid, bounded by the side that is left.  A book that has
        nothing but old orders far apart has no price to begin with.
        """
        book = self._owner.book(self.market)
        before = self.mid
        bid, ask = book.bid_ticks, book.ask_ticks
        if bid and ask:
            if not self.start and ask - bid > _OPENING_SPREAD * self.beta * bid:
                return book
            self.mid = (bid + ask) * 0.5
        elif self.mid:
            self.mid = max(self.mid, float(bid)) if bid else min(self.mid, float(ask or self.mid))
        if self.mid:
            if self.start:
                seconds = (now_ns - self._mean_ns) / NANOS_PER_S
                self.mean += (self.mid - self.mean) * -math.expm1(-seconds / self.mean_s)
                self.variance *= math.exp(-seconds / _VARIANCE_S)
                if self.mid != before:
                    self.variance += math.log(self.mid / before) ** 2 / _VARIANCE_S
            else:
                self.start = self.mean = self.mid
                self.depth_lots = self.depth_usd / self.market.lot_value(self.mid)
            self._mean_ns = now_ns
        return book

    def log_fall(self) -> float:
        """ln(mid / start): negative after a fall; 0.0 while nothing is known."""
        return math.log(self.mid / self.start) if self.start else 0.0

    def shown(self, book: BookView, reach: float) -> float:
        """Lots displayed within ``reach`` of the mid over what is usual here, at most 1.

        Usual is the highest average so far of the same measure, so it does not matter how many
        levels the view has.
        """
        low, high = self.mid * (1.0 - reach), self.mid * (1.0 + reach)
        lots = sum(lots for ticks, lots in book.bid_levels if ticks >= low)
        lots += sum(lots for ticks, lots in book.ask_levels if ticks <= high)
        average, usual = self.usual_depth
        average += (lots - average) * (_USUAL_GAIN if average else 1.0)
        usual = max(usual, average)
        self.usual_depth = (average, usual)
        return min(1.0, lots / usual) if usual else 0.0

    def side_d1(self, book: BookView, side: int, reach: float) -> float:
        """D1 displayed on one side within ``reach`` of the mid, as far as the view's levels go."""
        if side == BUY:
            low = self.mid * (1.0 - reach)
            lots = sum(lots for ticks, lots in book.bid_levels if ticks >= low)
        else:
            high = self.mid * (1.0 + reach)
            lots = sum(lots for ticks, lots in book.ask_levels if ticks <= high)
        return lots / self.depth_lots if self.depth_lots else 0.0

    def take(self, side: int, d1: float, limit_ticks: float | None, flags: int = 0) -> int:
        """Take ``d1`` of liquidity now, not beyond ``limit_ticks`` (``None``: at any price).

        Returns the lots ordered; 0 when the order would be below the venue's minimum.
        """
        lots = int(d1 * self.depth_lots + 0.5)
        if not self.large_enough(lots, self.mid):
            return 0
        if limit_ticks is None:
            self._owner.submit(self.market, side, lots, 0, MARKET, IOC, flags)
        else:
            price = math.floor(limit_ticks) if side == BUY else math.ceil(limit_ticks)
            self._owner.submit(self.market, side, lots, max(1, price), LIMIT, IOC, flags)
        return lots

    def large_enough(self, lots: int, ticks: float) -> bool:
        """Whether an order of so many lots at this price reaches the venue's minimum notional."""
        market = self.market
        return lots > 0 and lots * market.lot_value(ticks) >= market.min_notional
