"""Background flow in many books from one account: self-exciting takers, short-lived orders.

Both sides are alike, so the flow has no drift.  It is bounded: a taker's order never trades
further than 2 % x beta from the mid or 4.5 % x beta from the two-minute mean, and shrinks with the
depth that is displayed, because unlimited noise would walk an empty book to zero by itself.

Arrivals: exponential Hawkes process per book (Filimonov & Sornette 2012, arXiv 1201.3572; n about
0.6 in quiet markets).  Passive orders: Poisson arrivals, exponential distances, GTD lifetimes,
after the zero-intelligence model of Daniels, Farmer, Gillemot, Iori & Smith (2003), Phys. Rev.
Lett. 90, 108102.

Simplification: a passive order's lifetime is drawn on entry, it does not flee from a moving price.
"""

from __future__ import annotations

import math
from heapq import heapify, heapreplace
from typing import Any, Final

import attrs

from exchange_sim.model.enums import BUY, GTD, LIMIT, SELL
from exchange_sim.participants.books import BookParams, Watched
from exchange_sim.participants.hawkes import Hawkes, HawkesParams
from exchange_sim.strategy.api import BookView, Strategy
from exchange_sim.units import NANOS_PER_S

_LIFE_MIN_NS: Final = NANOS_PER_S
"""Longer than the way to the venue: an order that has expired on arrival would be refused."""


@attrs.frozen
class FlowBook(BookParams):
    """Flow of one book.

    ``taker_d1_per_min`` is the calm volume per side, in ``takers_per_min`` orders per side.
    ``passive_d1`` is what passive orders rest per side in the steady state, in ``passive_orders``
    orders that live ``passive_life_s`` on average.
    """

    taker_d1_per_min: float = 0.06
    takers_per_min: float = 12.0
    passive_d1: float = 0.5
    passive_orders: float = 25.0
    passive_life_s: float = 75.0


@attrs.frozen
class FlowParams(Strategy.Params):
    """Distances are fractions of the price per unit of beta; sizes are log-normal.

    ``thin_book_weight`` w scales takers by ``1 - w * missing share of the displayed depth``. No
    taker asks for more than ``touch_share_max`` of the first ``touch_levels`` prices, or pays
    worse than the last of them (takers look at the touch before they cross: Farmer, Gillemot,
    Lillo, Mike & Sen 2004, "What really causes large price changes?", Quant. Finance 4(4)), or
    takes more than ``depth_share_max`` of what its side shows, so noise shrinks with the book and
    lets it heal.  While the spread is more than ``spread_patience`` times its running mean (over
    ``spread_memory`` looks) they wait: Biais, Hillion & Spatt (1995), "An empirical analysis of
    the limit order book", J. Finance 50(5).  Passive orders are halved when the volatility of
    one minute is ``passive_half_vol`` times ``calm_vol_bp`` x beta.
    Nobody trades in the first ``quiet_s``, while makers build the books.
    """

    books: tuple[FlowBook, ...] = ()
    branching: float = 0.6
    decay_per_s: float = 0.5
    side_persistence: float = 0.3
    size_log_sd: float = 1.0
    limit_from_mid: float = 0.02
    limit_from_mean: float = 0.045
    mean_s: float = 120.0
    thin_book_weight: float = 0.6
    depth_share_max: float = 0.25
    touch_share_max: float = 0.5
    touch_levels: int = 1
    spread_patience: float = 2.0
    spread_memory: float = 40.0
    passive_distance: float = 0.02
    passive_nearest: float = 0.0005
    passive_half_vol: float = 6.0
    calm_vol_bp: float = 2.0
    book_levels: int = 8
    quiet_s: float = 0.0


class _Source:
    """The next event of one book: a taker (Hawkes) or a passive order (Poisson)."""

    __slots__ = (
        "arrivals",
        "book",
        "mean_d1",
        "params",
        "passive_mean_ns",
        "side",
        "spread_mean",
    )

    def __init__(self, book: Watched, params: FlowBook) -> None:
        self.book = book
        self.params = params
        self.arrivals: Hawkes | None = None
        self.passive_mean_ns = 0
        self.mean_d1 = 0.0
        self.side = BUY
        self.spread_mean = 0.0

    def is_wide(self, view: BookView, patience: float, memory: float) -> bool:
        """Whether the spread is far above its running mean, which then learns of it."""
        if not view.bid_ticks or not view.ask_ticks:
            return True
        spread = (view.ask_ticks - view.bid_ticks) / self.book.mid
        mean = self.spread_mean or spread
        self.spread_mean = mean + (spread - mean) / memory
        return spread > patience * mean


class BackgroundFlow(Strategy):
    """All background orders of a set of books; one timer, whatever the number of books."""

    Params = FlowParams
    private_feed = False

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._heap: list[tuple[int, int]] = []
        self._sources: list[_Source] = []

    def on_start(self) -> None:
        """Subscribe and draw the first arrival of each source."""
        p: FlowParams = self.params
        now, rng = self.now_ns + round(p.quiet_s * NANOS_PER_S), self.rng
        for params in p.books:
            book = Watched(self, params.symbol, params.depth_usd, params.beta, p.mean_s)
            self.subscribe_book(book.market, p.book_levels)
            rate = 2.0 * params.takers_per_min / 60.0
            if rate > 0.0 and params.taker_d1_per_min > 0.0:
                taker = _Source(book, params)
                taker.mean_d1 = params.taker_d1_per_min / params.takers_per_min
                hawkes = HawkesParams(rate, p.branching, p.decay_per_s)
                taker.arrivals = Hawkes(hawkes, rng, now)
                self._add(taker, taker.arrivals.next_ns())
            if params.passive_orders > 0.0 and params.passive_d1 > 0.0:
                passive = _Source(book, params)
                passive.mean_d1 = params.passive_d1 / params.passive_orders
                each_s = params.passive_life_s / (2.0 * params.passive_orders)
                passive.passive_mean_ns = max(1, int(each_s * NANOS_PER_S))
                self._add(passive, now + rng.exponential_ns(passive.passive_mean_ns))
        heapify(self._heap)
        self._wait(self.now_ns)

    def _add(self, source: _Source, when_ns: int) -> None:
        self._heap.append((when_ns, len(self._sources)))
        self._sources.append(source)

    def _wait(self, now: int) -> None:
        if self._heap:
            self.set_timer_ns("next", max(1, self._heap[0][0] - now), repeat=False)

    def on_timer(self, name: str) -> None:
        """Send every order that is due, then sleep until the next."""
        if name != "next":
            return
        now, heap = self.now_ns, self._heap
        while heap[0][0] <= now:
            key = heap[0][1]
            source = self._sources[key]
            view = source.book.look(now)
            if source.arrivals is None:
                if source.book.mid:
                    self._rest(source, view, now)
                following = now + self.rng.exponential_ns(source.passive_mean_ns)
            else:
                if source.book.mid:
                    self._take(source, view)
                following = source.arrivals.next_ns()
            heapreplace(heap, (following, key))
        self._wait(now)

    def _size(self, mean_d1: float) -> float:
        sd = self.params.size_log_sd
        return float(mean_d1 * math.exp(sd * self.rng.gauss(0.0, 1.0) - 0.5 * sd * sd))

    def _take(self, source: _Source, view: BookView) -> None:
        """A marketable limit order; the side repeats the previous one with some persistence."""
        p, book, rng = self.params, source.book, self.rng
        if rng.random() >= p.side_persistence:
            source.side = BUY if rng.random() < 0.5 else SELL
        reach = 0.01 * book.beta
        size = self._size(source.mean_d1)
        if source.is_wide(view, p.spread_patience, p.spread_memory):
            return
        size *= 1.0 - p.thin_book_weight * (1.0 - book.shown(view, reach))
        size = min(size, p.depth_share_max * book.side_d1(view, 1 - source.side, reach))
        levels = view.ask_levels if source.side == BUY else view.bid_levels
        if levels:
            touch_d1 = sum(lots for _, lots in levels[: p.touch_levels]) / book.depth_lots
            size = min(size, p.touch_share_max * touch_d1)
        near, far = p.limit_from_mid * book.beta, p.limit_from_mean * book.beta
        last = levels[min(len(levels), p.touch_levels) - 1][0] if levels else 0
        if source.side == BUY:
            limit = min(book.mid * math.exp(near), book.mean * math.exp(far), last or math.inf)
            if view.ask_ticks and view.ask_ticks <= limit:
                book.take(BUY, size, limit)
        else:
            limit = max(book.mid * math.exp(-near), book.mean * math.exp(-far), last)
            if view.bid_ticks >= limit:
                book.take(SELL, size, limit)

    def _rest(self, source: _Source, view: BookView, now: int) -> None:
        """A passive order on the own side of the touch, with a limited life."""
        p, book, rng = self.params, source.book, self.rng
        distance = p.passive_nearest - p.passive_distance * math.log(1.0 - rng.random())
        distance *= book.beta
        half = p.passive_half_vol * p.calm_vol_bp * book.beta / 10_000.0
        scale = 1.0 / (1.0 + math.sqrt(60.0 * book.variance) / half)
        lots = int(self._size(source.mean_d1) * scale * book.depth_lots + 0.5)
        life = _LIFE_MIN_NS + rng.exponential_ns(int(source.params.passive_life_s * NANOS_PER_S))
        if rng.random() < 0.5:
            side, price = BUY, math.floor(book.mid * math.exp(-distance))
            if view.ask_ticks:
                price = min(price, view.ask_ticks - 1)
        else:
            side, price = SELL, math.ceil(book.mid * math.exp(distance))
            price = max(price, view.bid_ticks + 1)
        if price > 0 and book.large_enough(lots, price):
            self.submit(book.market, side, lots, price, LIMIT, GTD, expire_ns=now + life)
