"""The exogenous shock as rates of orders: risk-averse sellers, panic sellers, reaction clocks.

A scenario sets how much is sold and when, in D1 per second, never a price.  Three shapes suffice:

- a burst or pulse, ``peak * exp(-t / decay)``;
- a drift, the same with a linear rise;
- a reaction clock: notices (margin calls, loan calls, risk committees) go out once the reference
  market has fallen far enough; each recipient sells after an own gamma-distributed delay.

Part of the selling is panic: market orders at any price.  The rest has a price limit below the mid.

Simplification: what a limit leaves unsold is not tried again.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from exchange_sim.messages.reasons import NoteKind
from exchange_sim.model.enums import SELL
from exchange_sim.participants.books import BookParams, Watched
from exchange_sim.participants.drip import Drip
from exchange_sim.strategy.api import Strategy
from exchange_sim.units import NANOS_PER_S, PPM


@attrs.frozen
class ShockBook(BookParams):
    """``weight`` scales all selling of this book (majors 1, alts 0.25 to 0.7)."""

    weight: float = 1.0


@attrs.frozen
class SellingPulse:
    """A rise of ``rise_s`` to ``peak_d1_per_s``, then a decay with ``decay_s``."""

    start_ns: int
    peak_d1_per_s: float
    decay_s: float
    rise_s: float = 0.0
    panic_share: float = 0.0

    def sold_d1(self, seconds: float) -> float:
        """Volume per unit of weight until ``seconds`` after the start."""
        if seconds <= 0.0:
            return 0.0
        if seconds < self.rise_s:
            return self.peak_d1_per_s * seconds * seconds / (2.0 * self.rise_s)
        after = -math.expm1((self.rise_s - seconds) / self.decay_s)
        return self.peak_d1_per_s * (self.rise_s / 2.0 + self.decay_s * after)


@attrs.frozen
class ReactionClock:
    """``total_d1`` sold by ``accounts`` per book, each after a gamma delay, within ``sell_s``.

    The clock starts when the reference market is down by ``notice_fall`` after ``start_ns``.
    """

    start_ns: int
    total_d1: float
    notice_fall: float = 0.02
    delay_mean_s: float = 1200.0
    delay_sd_s: float = 150.0
    accounts: int = 100
    sell_s: float = 30.0
    panic_share: float = 0.5


@attrs.frozen
class ShockParams(Strategy.Params):
    """``reference`` starts the reaction clocks (default: the first book)."""

    books: tuple[ShockBook, ...] = ()
    pulses: tuple[SellingPulse, ...] = ()
    clocks: tuple[ReactionClock, ...] = ()
    reference: str = ""
    interval_s: float = 1.0
    order_d1: float = 0.004
    limit_from_mid: float = 0.02


class MacroShock(Strategy):
    """All sellers of the shock, from one account."""

    Params = ShockParams
    private_feed = False

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._books: list[tuple[ShockBook, Watched, Drip]] = []
        self._last_ns = 0
        self._started: list[bool] = []
        self._notices: list[tuple[int, int, float, float]] = []

    def on_start(self) -> None:
        """Subscribe and start the clock."""
        p: ShockParams = self.params
        for params in p.books:
            book = Watched(self, params.symbol, params.depth_usd, params.beta)
            self.subscribe_book(book.market, 1)
            book.fully_margined()
            self._books.append((params, book, Drip(p.order_d1, self.rng)))
        symbol = p.reference or (p.books[0].symbol if p.books else "")
        matching = [book for params, book, _ in self._books if params.symbol == symbol]
        if symbol and not matching:
            self.subscribe_book(symbol, 1)
            matching = [Watched(self, symbol, 1.0, 1.0)]
        self._reference = matching[0] if matching else None
        self._started = [False] * len(p.clocks)
        self._last_ns = self.now_ns
        self.set_timer("sell", p.interval_s)

    def on_timer(self, name: str) -> None:
        """Sell what has become due since the last call."""
        if name != "sell":
            return
        now, p = self.now_ns, self.params
        calm = panic = 0.0
        for k, pulse in enumerate(p.pulses):
            if self._last_ns < pulse.start_ns <= now:
                self.note(NoteKind.SHOCK, k, round(pulse.peak_d1_per_s * PPM))
            sold = pulse.sold_d1((now - pulse.start_ns) / NANOS_PER_S)
            sold -= pulse.sold_d1((self._last_ns - pulse.start_ns) / NANOS_PER_S)
            panic += sold * pulse.panic_share
            calm += sold * (1.0 - pulse.panic_share)
        self._last_ns = now
        if self._reference is not None:
            self._reference.look(now)
        self._start_clocks(now)
        volumes = [[calm * params.weight, panic * params.weight] for params, _, _ in self._books]
        while self._notices and self._notices[-1][0] <= now:
            _, index, d1, panic_share = self._notices.pop()
            volumes[index][0] += d1 * (1.0 - panic_share)
            volumes[index][1] += d1 * panic_share
        for (_, book, drip), (limited, forced) in zip(self._books, volumes, strict=True):
            if limited or forced:
                self._sell(book, drip, limited, forced, now)

    def _sell(self, book: Watched, drip: Drip, limited: float, forced: float, now: int) -> None:
        book.look(now)
        if not book.mid:
            return
        share = forced / (limited + forced)
        floor = book.mid * math.exp(-self.params.limit_from_mid * book.beta)
        for size in drip.add(limited + forced):
            book.take(SELL, size, None if self.rng.random() < share else floor)

    def _start_clocks(self, now: int) -> None:
        """Send the notices of each clock whose condition has come true."""
        for k, clock in enumerate(self.params.clocks):
            if self._started[k] or now < clock.start_ns or self._reference is None:
                continue
            if -self._reference.log_fall() < clock.notice_fall:
                continue
            self._started[k] = True
            self.note(NoteKind.MARGIN_CALL_REACTION, k, round(clock.total_d1 * PPM))
            mean, sd = (
                round(clock.delay_mean_s * NANOS_PER_S),
                round(clock.delay_sd_s * NANOS_PER_S),
            )
            spread = max(1, round(clock.sell_s * NANOS_PER_S))
            for index, (params, _, _) in enumerate(self._books):
                d1 = clock.total_d1 * params.weight / clock.accounts
                for _ in range(clock.accounts):
                    when = now + self.rng.gamma_ns(mean, sd) + self.rng.exponential_ns(spread)
                    self._notices.append((when, index, d1, clock.panic_share))
            self._notices.sort(reverse=True)
