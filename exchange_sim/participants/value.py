"""Value traders: those who buy dips and sell rallies around what they think an asset is worth.

Symmetric, otherwise quiet markets would drift and pegged assets overshoot.  Each book has tactical
capital that acts on small gaps, and a deep reserve that is released smoothly around a large move
(a step would be a floor in the price).  They see the price late, never pay more (take less) than
their value less (plus) the threshold, and part of their orders rest in the book.  New money
arrives while the market is down.  Value investors with limited capital that arrives slowly: Duffie
(2010), "Asset price dynamics with slow-moving capital", J. Finance 65(4).

Simplification: capital in use is read from the account's position, resting orders are not counted.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import attrs

from exchange_sim.model.enums import BUY, FLAG_SLIDE, GTD, LIMIT, SELL
from exchange_sim.participants.books import BookParams, Watched
from exchange_sim.participants.drip import Drip
from exchange_sim.strategy.api import Strategy
from exchange_sim.units import NANOS_PER_S


@attrs.frozen
class ValueBook(BookParams):
    """Capital of one book, in D1, available to either side: dollars of buyers, coins of sellers.

    ``arrival_d1_per_min`` is new money per minute at a fall of 5 % x beta or more, less before.
    ``fixed_value`` (a price) pins the value of a pegged asset; 0 starts from the first mid.
    """

    tactical_d1: float = 2.8
    deep_d1: float = 4.2
    arrival_d1_per_min: float = 0.2
    fixed_value: float = 0.0


@attrs.frozen
class ValueParams(Strategy.Params):
    """Gaps and falls are log fractions per unit of beta; ``deep_width`` softens the reserve.

    ``news`` lists (time, fall of the perceived value per unit of beta).  Nothing is looked at in
    the first ``quiet_s``, while makers build the books.
    """

    books: tuple[ValueBook, ...] = ()
    interval_s: float = 2.0
    view_delay_s: float = 50.0
    threshold: float = 0.0065
    rate_d1_per_s: float = 0.3
    resting_share: float = 0.55
    resting_distance: float = 0.005
    resting_life_s: float = 90.0
    order_d1: float = 0.01
    limit_from_mid: float = 0.01
    deep_fall: float = 0.08
    deep_width: float = 0.012
    full_arrival_fall: float = 0.05
    value_follow_s: float = 9000.0
    quiet_s: float = 0.0
    news: tuple[tuple[int, float], ...] = ()


class _Trader:
    """State of one book; ``value`` in ticks, ``arrived`` and ``deep`` in D1."""

    __slots__ = ("arrived", "base_lots", "book", "deep", "drip", "params", "seen", "value")

    def __init__(self, params: ValueBook, book: Watched, drip: Drip, slots: int) -> None:
        self.params = params
        self.book = book
        self.drip = drip
        self.seen: deque[float] = deque(maxlen=slots)
        self.value = 0.0
        self.arrived = self.deep = 0.0
        self.base_lots = 0


class ValueTraders(Strategy):
    """All value traders of a set of books, from one account."""

    Params = ValueParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._traders: list[_Trader] = []
        self._last_ns = 0
        self._news = 0

    def on_start(self) -> None:
        """Subscribe and start the clock."""
        p: ValueParams = self.params
        slots = max(1, round(p.view_delay_s / p.interval_s))
        for params in p.books:
            book = Watched(self, params.symbol, params.depth_usd, params.beta)
            self.subscribe_book(book.market, 1)
            book.fully_margined()
            self._traders.append(_Trader(params, book, Drip(p.order_d1, self.rng), slots))
        self._last_ns = self.now_ns
        self._quiet_ns = self.now_ns + round(p.quiet_s * NANOS_PER_S)
        self.set_timer("trade", p.interval_s)

    def on_timer(self, name: str) -> None:
        """Let every trader act on what it saw ``view_delay_s`` ago."""
        if name != "trade":
            return
        now, p = self.now_ns, self.params
        seconds = (now - self._last_ns) / NANOS_PER_S
        self._last_ns = now
        if now < self._quiet_ns:
            return
        shock = 0.0
        while self._news < len(p.news) and now >= p.news[self._news][0]:
            shock += p.news[self._news][1]
            self._news += 1
        for trader in self._traders:
            trader.book.look(now)
            if trader.book.mid:
                if not trader.value:
                    self._begin(trader)
                trader.value *= math.exp(-shock * trader.book.beta)
                self._trade(trader, seconds, now)

    def _begin(self, trader: _Trader) -> None:
        fixed = trader.params.fixed_value / trader.book.market.tick
        trader.value = fixed or trader.book.mid
        trader.base_lots = self.position_lots(trader.book.market)

    def _trade(self, trader: _Trader, seconds: float, now: int) -> None:
        p, book = self.params, trader.book
        trader.seen.append(book.mid)
        gap = math.log(trader.value / trader.seen[0]) / book.beta
        if not trader.params.fixed_value:
            share = -math.expm1(-seconds / p.value_follow_s)
            trader.value += (book.mid - trader.value) * share
        fall = -book.log_fall() / book.beta
        down = min(1.0, max(0.0, fall / p.full_arrival_fall))
        trader.arrived += trader.params.arrival_d1_per_min * down * seconds / 60.0
        trader.deep = max(trader.deep, deep_share(abs(fall), p.deep_fall, p.deep_width))
        excess = abs(gap) - p.threshold
        if excess <= 0.0:
            return
        side, sign = (BUY, 1.0) if gap > 0.0 else (SELL, -1.0)
        # nobody pays more than what leaves the margin, however late the price was seen
        reserve = trader.value * math.exp(-sign * p.threshold * book.beta)
        if (reserve - book.mid) * sign <= 0.0:
            return
        room = self._room(trader, side)
        wanted = min(room, p.rate_d1_per_s * excess * seconds)
        # A buyer has dollars: where coins are cheap he gets more of them.
        coins = book.start / book.mid if side == BUY else 1.0
        for dollars in trader.drip.add(max(0.0, wanted)):
            size = dollars * coins
            if self.rng.random() < p.resting_share:
                self._rest(book, side, size, reserve, now)
            else:
                limit = book.mid * math.exp(sign * p.limit_from_mid * book.beta)
                book.take(side, size, min(limit, reserve) if side == BUY else max(limit, reserve))

    def _room(self, trader: _Trader, side: int) -> float:
        """Capital left for this side, in D1."""
        params, book = trader.params, trader.book
        lots = self.position_lots(book.market) - trader.base_lots
        deep = params.deep_d1 * trader.deep
        if side == SELL:
            return params.tactical_d1 + deep + lots / book.depth_lots
        paid = lots / book.depth_lots
        if lots > 0:
            entry = self.position(book.market).entry_price / book.market.tick
            paid *= (entry or book.start) / book.start
        return params.tactical_d1 + trader.arrived + deep - paid

    def _rest(self, book: Watched, side: int, size: float, worst: float, now: int) -> None:
        p = self.params
        distance = -p.resting_distance * book.beta * math.log(1.0 - self.rng.random())
        lots = int(size * book.depth_lots + 0.5)
        if side == BUY:
            price = math.floor(min(book.mid * math.exp(-distance), worst))
        else:
            price = math.ceil(max(book.mid * math.exp(distance), worst))
        if price > 0 and book.large_enough(lots, price):
            life = int(p.resting_life_s * NANOS_PER_S)
            self.submit(
                book.market, side, lots, price, LIMIT, GTD, FLAG_SLIDE, expire_ns=now + life
            )


def deep_share(fall: float, centre: float, width: float) -> float:
    """Released share of the deep reserve: a logistic step around ``centre``, 0 at no fall."""
    base = 1.0 / (1.0 + math.exp(centre / width))
    raw = 1.0 / (1.0 + math.exp(min(700.0, (centre - fall) / width)))
    return max(0.0, (raw - base) / (1.0 - base))
