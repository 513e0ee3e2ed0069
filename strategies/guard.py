"""Withdrawal policies for a bot of your own: one line to have them, one to ask them.

::

    def on_start(self):
        self.guard = Guard(self, SYMBOL, limit=1.0, withdrawal=WithdrawalParams(only=("margin",)))

    def on_timer(self, name):
        bid, ask = self.guard.look()        # scales of the bid and ask sizes, 0 to 1
        if bid: self.buy(SYMBOL, bid * qty, ...)

The policies are those of the reference makers (see ``withdrawal``); every change of stage is noted
in the log with its cause, as theirs are.
"""

from __future__ import annotations

import math

import attrs

from exchange_sim.strategy.api import AdlNotice, Strategy
from exchange_sim.units import NANOS_PER_S
from strategies.own_limits import MarginPolicy
from strategies.policy import Conditions, Policy, PolicySet, Quoted
from strategies.withdrawal import WithdrawalParams, make_policies

SAMPLE_S = 5.0
WINDOW_S = 60.0


@attrs.define
class _Market:
    """What policies see of the guarded market (see ``policy.Quoted``)."""

    venue: str
    index: int = 0
    group: str = ""
    is_major: bool = True
    own_vol: float = 1.0
    inventory: float = 0.0
    toxicity: float = 0.0


class SidedMarginPolicy(MarginPolicy):
    """``MarginPolicy`` for a bot that may be short: then asks are what makes it worse."""

    def bid(self, pair: Quoted) -> float:
        """The scale of bids while long, of asks while short."""
        return (self.ask_scale if pair.inventory < 0.0 else self.bid_scale).value

    def ask(self, pair: Quoted) -> float:
        """The other one."""
        return (self.bid_scale if pair.inventory < 0.0 else self.ask_scale).value


class Guard:
    """Watches margin, equity, inventory, volatility and flow of one market of a bot.

    ``limit`` is the inventory in base units at which one side stops; ``calm_vol_bp`` the calm
    volatility of a minute.  Drawdown counts from the highest equity seen.
    """

    def __init__(
        self,
        owner: Strategy,
        symbol: str,
        *,
        limit: float,
        withdrawal: WithdrawalParams | None = None,
        calm_vol_bp: float = 5.0,
    ) -> None:
        params = WithdrawalParams() if withdrawal is None else withdrawal
        self._owner = owner
        self._market = owner.market(symbol)
        self._seen = _Market(self._market.venue)
        self._limit = limit
        self._calm_bp = calm_vol_bp
        self._variance = calm_vol_bp**2 / WINDOW_S
        self._last = (0, 0.0)
        self._peak = 0.0
        self._flow = (0, 0)
        self.conditions = Conditions()
        policies: list[Policy] = [
            SidedMarginPolicy(params.margin)
            if isinstance(policy, MarginPolicy) and params.margin is not None
            else policy
            for policy in make_policies(params, owner.rng)
        ]
        self.policies = PolicySet(policies, params.floor)
        owner.subscribe_book(self._market, depth=1)
        owner.subscribe_margin(self._market.venue)

    def hedge_lost(self, event: AdlNotice) -> None:
        """Call it from ``on_adl``."""
        if event.is_victim:
            self.conditions.hedge_lost_ns = self._owner.now_ns

    def look(self) -> tuple[float, float]:
        """Scales of bid and ask sizes now; notes a change of stage in the log."""
        owner, c, seen = self._owner, self.conditions, self._seen
        c.now_ns = owner.now_ns
        margin = owner.margin(self._market.venue)
        if margin.time_ns:
            c.uni_mmr = margin.uni_mmr
            self._peak = max(self._peak, margin.equity)
            c.drawdown = 1.0 - margin.equity / self._peak if self._peak > 0.0 else 1.0
        waiting = [o.sent_ns for o in owner.open_orders(self._market) if not o.order_id >= 0]
        c.ack_ns = c.now_ns - min(waiting, default=c.now_ns)
        seen.inventory = owner.position(self._market).qty / self._limit
        self._measure()
        c.market_vol = seen.own_vol
        self.policies.update(c)
        scales = self.policies.scales(seen)
        change = self.policies.change()
        if change is not None:
            kind, cause, scale = change
            owner.note(kind, cause, scale, venue=self._market.venue)
        return scales

    def _measure(self) -> None:
        """Volatility of the mid over calm, and how one-sided the flow is."""
        book, now = self._owner.book(self._market), self._owner.now_ns
        mid = book.mid_ticks
        time_ns, last = self._last
        seconds = (now - time_ns) / NANOS_PER_S
        if not mid or (last and seconds < SAMPLE_S):
            return
        self._last = (now, mid)
        buy, sell = book.buy_lots - self._flow[0], book.sell_lots - self._flow[1]
        self._flow = (book.buy_lots, book.sell_lots)
        if not last:
            return
        move_bp = 10_000.0 * math.log(mid / last)
        gain = -math.expm1(-seconds / WINDOW_S)
        self._variance += gain * (move_bp * move_bp / seconds - self._variance)
        self._seen.own_vol = max(0.1, math.sqrt(self._variance * WINDOW_S) / self._calm_bp)
        if buy + sell:
            self._seen.toxicity += gain * (abs(buy - sell) / (buy + sell) - self._seen.toxicity)
