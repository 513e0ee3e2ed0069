"""Rotation: whoever needs USDT sells pegged assets (synthetic dollars, staking wrappers) for it.

The demand grows with the average fall of a set of reference markets over the last ten minutes, so
the pegged books wear down a quarter of an hour after the crash, not with it.  Rates are in D1 of
the pegged book; orders have a price limit below the mid.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from exchange_sim.model.enums import SELL
from exchange_sim.participants.books import BookParams, Watched
from exchange_sim.participants.drip import Drip
from exchange_sim.strategy.api import Strategy
from exchange_sim.units import NANOS_PER_S


@attrs.frozen
class RotationBook(BookParams):
    """A pegged book; ``weight`` scales its share of the demand."""

    weight: float = 1.0


@attrs.frozen
class RotationParams(Strategy.Params):
    """``rate_d1_per_s`` is the selling rate per unit of mean relative fall of the references."""

    books: tuple[RotationBook, ...] = ()
    references: tuple[str, ...] = ()
    rate_d1_per_s: float = 0.0023
    memory_s: float = 600.0
    interval_s: float = 2.0
    order_d1: float = 0.004
    limit_from_mid: float = 0.03


class Rotation(Strategy):
    """Sellers of pegged assets, from one account."""

    Params = RotationParams
    private_feed = False

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._books: list[tuple[RotationBook, Watched, Drip]] = []
        self._references: list[Watched] = []
        self._last_ns = 0
        self.mean_fall = 0.0
        """Mean relative fall of the references with the memory of ``memory_s``."""

    def on_start(self) -> None:
        """Subscribe and start the clock."""
        p: RotationParams = self.params
        for params in p.books:
            book = Watched(self, params.symbol, params.depth_usd, params.beta)
            self.subscribe_book(book.market, 1)
            self._books.append((params, book, Drip(p.order_d1, self.rng)))
        for symbol in p.references:
            self.subscribe_book(symbol, 1)
            self._references.append(Watched(self, symbol, 1.0, 1.0))
        self._last_ns = self.now_ns
        self.set_timer("rotate", p.interval_s)

    def on_timer(self, name: str) -> None:
        """Update the demand and sell what has become due."""
        if name != "rotate" or not self._references:
            return
        now, p = self.now_ns, self.params
        seconds = (now - self._last_ns) / NANOS_PER_S
        self._last_ns = now
        total = 0.0
        for reference in self._references:
            reference.look(now)
            total -= math.expm1(reference.log_fall())
        fall = total / len(self._references)
        self.mean_fall += (fall - self.mean_fall) * -math.expm1(-seconds / p.memory_s)
        volume = p.rate_d1_per_s * max(0.0, self.mean_fall) * seconds
        for params, book, drip in self._books:
            book.look(now)
            if volume and book.mid:
                floor = book.mid * math.exp(-p.limit_from_mid * book.beta)
                for size in drip.add(volume * params.weight):
                    book.take(SELL, size, floor)
