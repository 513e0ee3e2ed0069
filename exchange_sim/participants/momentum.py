"""Trend followers: they sell short after a fall, with leverage, and are squeezed by the rebound.

Each account follows the books it trades.  Once the reference market has fallen by the smallest
trigger it begins to look at them; a book that is down by the account's own trigger, times its beta,
is sold short after the account's own delay, in slices with a price limit below the mid.  All
decisions are drawn when the account starts: trigger (uniform), delay (gamma), leverage and size
(log-normal), holding time (exponential).  With ``account = "isolated"`` every short has a wallet of
its own, so that its margin is value over leverage and it is liquidated by itself.

Sources: De Long, Shleifer, Summers and Waldmann (1990), "Positive feedback investment strategies
and destabilizing rational speculation", Journal of Finance 45(2); Brunnermeier and Pedersen (2005),
"Predatory trading", Journal of Finance 60(4).  That a seventh of what was liquidated on 10 October
2025 was short is the public record; who they were is not, so the figures are parameters.

Simplifications
---------------
One short per book and account; who was liquidated, or has covered, does not come back.  Falls are
measured from the first price that the account saw.  What a limit leaves unsold is not tried again.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from exchange_sim.model.enums import BUY, FLAG_REDUCE_ONLY, SELL
from exchange_sim.participants.books import BookParams, Watched
from exchange_sim.strategy.api import LiquidationNotice, Strategy
from exchange_sim.units import NANOS_PER_S

positive = attrs.validators.gt(0.0)


@attrs.frozen
class MomentumBook(BookParams):
    """``size_d1`` is the median value of one account's short, in D1 of the book.

    ``leverage_cap`` bounds the leverage drawn, because brackets differ from book to book.
    """

    size_d1: float = attrs.field(default=0.05, validator=positive)
    leverage_cap: int = attrs.field(default=25, validator=attrs.validators.ge(1))


@attrs.frozen
class MomentumParams(Strategy.Params):
    """Triggers are relative falls of a book of beta 1; ``reference`` "" is the first book.

    The reference is looked at every ``wait_s`` until it has fallen by ``trigger_low``, the books
    every ``interval_s`` from then on.  A short is sold in ``slices``, one each ``interval_s``, not
    more than ``slippage`` times beta below the mid.
    """

    books: tuple[MomentumBook, ...] = ()
    reference: str = ""
    trigger_low: float = attrs.field(default=0.06, validator=positive)
    trigger_high: float = attrs.field(default=0.11, validator=positive)
    delay_mean_s: float = attrs.field(default=60.0, validator=positive)
    delay_sd_s: float = attrs.field(default=45.0, validator=positive)
    leverage_median: float = attrs.field(default=14.0, validator=positive)
    leverage_log_sd: float = 0.35
    leverage_low: int = attrs.field(default=8, validator=attrs.validators.ge(1))
    size_log_sd: float = 0.5
    hold_mean_s: float = attrs.field(default=7200.0, validator=positive)
    slices: int = attrs.field(default=4, validator=attrs.validators.ge(1))
    slippage: float = attrs.field(default=0.01, validator=positive)
    interval_s: float = attrs.field(default=2.0, validator=positive)
    wait_s: float = attrs.field(default=5.0, validator=positive)


class _Plan:
    """What one account will do in one book; ``left`` slices of ``slice_d1`` are to be sold."""

    __slots__ = (
        "book", "cover_ns", "delay_ns", "hold_ns", "left", "leverage", "open_ns", "slice_d1",
        "trigger",
    )  # fmt: skip

    def __init__(self, strategy: Strategy, p: MomentumParams, params: MomentumBook) -> None:
        rng = strategy.rng
        self.book = Watched(strategy, params.symbol, params.depth_usd, params.beta)
        low, high = p.trigger_low, max(p.trigger_low, p.trigger_high)
        self.trigger = (low + (high - low) * rng.random()) * params.beta
        mean, sd = round(p.delay_mean_s * NANOS_PER_S), round(p.delay_sd_s * NANOS_PER_S)
        self.delay_ns = rng.gamma_ns(mean, sd)
        drawn = p.leverage_median * math.exp(p.leverage_log_sd * rng.gauss(0.0, 1.0))
        self.leverage = min(params.leverage_cap, max(p.leverage_low, round(drawn)))
        size = params.size_d1 * math.exp(p.size_log_sd * rng.gauss(0.0, 1.0))
        self.slice_d1 = size / p.slices
        self.hold_ns = rng.exponential_ns(round(p.hold_mean_s * NANOS_PER_S))
        self.left = p.slices
        self.open_ns = self.cover_ns = 0


class Momentum(Strategy):
    """One trend follower."""

    Params = MomentumParams
    private_feed = False

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._plans: list[_Plan] = []
        self._awake = False

    def on_start(self) -> None:
        """Draw all decisions and watch the reference."""
        p: MomentumParams = self.params
        for params in p.books:
            self._plans.append(_Plan(self, p, params))
            self.subscribe_book(params.symbol, 1)
        if not self._plans:
            return
        first = self._plans[0].book
        self._reference = Watched(self, p.reference, 1.0, 1.0) if p.reference else first
        self.subscribe_book(self._reference.market, 1)
        self.set_timer("look", p.wait_s)

    def on_timer(self, name: str) -> None:
        """Look, sell what is due, cover what was held long enough."""
        if name != "look":
            return
        p, now = self.params, self.now_ns
        self._reference.look(now)
        for plan in self._plans:
            if self._awake or not plan.book.start:
                plan.book.look(now)
        if not self._awake:
            if -math.expm1(self._reference.log_fall()) < p.trigger_low:
                return
            self._awake = True
            self.set_timer("look", p.interval_s)
        for plan in self._plans:
            self._follow(plan, now)
        self._plans = [plan for plan in self._plans if plan.left or plan.cover_ns > now]
        if not self._plans:
            self.cancel_timer("look")

    def on_liquidation(self, event: LiquidationNotice) -> None:
        """A squeezed short is over, and so is what was still to be sold of it."""
        if event.market is not None:
            symbol = event.market.symbol
            self._plans = [plan for plan in self._plans if plan.book.market.symbol != symbol]

    def _follow(self, plan: _Plan, now: int) -> None:
        book = plan.book
        if not plan.open_ns:
            if -math.expm1(book.log_fall()) >= plan.trigger:
                plan.open_ns = now + plan.delay_ns
        elif plan.left and plan.open_ns <= now:
            if plan.left == self.params.slices:
                self.set_leverage(book.market, plan.leverage)
            floor = book.mid * math.exp(-self.params.slippage * book.beta)
            book.take(SELL, plan.slice_d1, floor)
            plan.left -= 1
            plan.cover_ns = now + plan.hold_ns
        elif not plan.left and plan.cover_ns <= now:
            book.take(BUY, plan.slice_d1 * self.params.slices, None, FLAG_REDUCE_ONLY)
