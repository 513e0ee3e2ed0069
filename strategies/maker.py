"""The market maker that the models share: many pairs, several levels, one unified account.

At every wake-up the maker updates its fair values and volatilities, asks its withdrawal policies
how much to show, and brings its ladders in line with the fewest messages.  A model says only where
the quotes sit (``offsets``).  Inventory limit and linear skew to one side follow Amihud &
Mendelson (1980), "Dealership market", J. Financ. Econ. 8(1); all sizes are parts of D1.

Simplification: a maker reacts at its wake-ups (every second by default), not at each message.
"""

from __future__ import annotations

import math
from typing import Any, Final

import attrs

from exchange_sim.messages.reasons import NoteKind, WithdrawalCause
from exchange_sim.strategy.api import AdlNotice, LiquidationNotice, Strategy
from exchange_sim.units import NANOS_PER_S, PPM
from strategies.account_watch import AccountWatch
from strategies.pair import Pair, PairParams, link_siblings
from strategies.policy import PolicySet
from strategies.unwind import UnwindParams, unwind
from strategies.withdrawal import WithdrawalParams, make_policies

_OPENING_NS: Final = 10_000_000
"""When the first quotes of all pairs go out: a market that is looked at is already made."""


@attrs.frozen
class MakerParams(Strategy.Params):
    """Parameters of all makers.

    ``size`` scales the shares of all pairs, so that makers of different size share one list.
    ``levels`` are (bp from the inner quote, times beta; size as a part of the maker's share of
    D1).  A level is moved when it is off by ``requote_fraction`` of its distance from the fair
    value, and refills ``refill_per_s`` of what was hit.  The fair value follows the own market
    with time constant ``follow_s`` (how much of a trade's impact stays), a sibling market by
    ``link_per_s`` for gaps well below ``link_gap`` x beta; with ``link_siblings`` every pair has
    one: the first pair of the same asset. ``signal_symbols`` are the pairs whose volatility is the
    market-wide signal (none: all); the fall of the lead, for the policy ``factor``, counts from its
    mean with time constant ``lead_memory_s``. ``outages_ns`` are the (start, end) that the venues'
    status pages announce. ``news`` lists (time, relative fall of the fair value per unit of beta),
    taken up by pairs without a lead. Every ``record_s`` (0: never) a maker records per venue its
    passive leverage (value of positions and of coins it holds over equity) and its uniMMR.
    """

    pairs: tuple[PairParams, ...] = ()
    size: float = 1.0
    levels: tuple[tuple[float, float], ...] = (
        (0.0, 0.04),
        (8.0, 0.06),
        (30.0, 0.25),
        (60.0, 0.30),
        (90.0, 0.35),
        (170.0, 0.50),
    )
    interval_s: float = 1.0
    requote_fraction: float = 0.25
    refill_per_s: float = 0.09
    follow_s: float = 5.0
    link_siblings: bool = True
    link_per_s: float = 0.10
    link_gap: float = 0.023
    lead_symbol: str = ""
    lead_memory_s: float = 60.0
    signal_symbols: tuple[str, ...] = ()
    unwind: UnwindParams = attrs.field(factory=UnwindParams)
    recapitalise_s: float = 3600.0
    record_s: float = 0.0
    withdrawal_enabled: bool = True
    withdrawal: WithdrawalParams = attrs.field(factory=WithdrawalParams)
    outages_ns: tuple[tuple[int, int], ...] = ()
    news: tuple[tuple[int, float], ...] = ()


class Maker(Strategy):
    """Base of the makers: derive, and override ``offsets``.  ``messages`` counts quote messages."""

    Params = MakerParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.pairs: list[Pair] = []
        self.messages = 0
        self._wake_ups = 0
        self._unwound_ns = 0
        self._news = 0
        self._halted: dict[str, bool] = {}
        self._lead_mean = 0.0
        self._lead_ns = 0

    def offsets(self, pair: Pair) -> tuple[float, float]:
        """Shift of the centre and half spread of a pair, both in bp of its fair value."""
        raise NotImplementedError

    def on_start(self) -> None:
        """Subscribe, draw thresholds, start the clock."""
        p: MakerParams = self.params
        bp = tuple(offset for offset, _ in p.levels)
        self._weights = tuple(weight for _, weight in p.levels)
        sized = [attrs.evolve(pair, share=pair.share * p.size) for pair in p.pairs]
        self.pairs = [Pair(self, pair, k, bp) for k, pair in enumerate(sized)]
        if p.link_siblings:
            link_siblings(self.pairs)
        seen = [pair.symbol for pair in p.pairs] + [pair.sibling for pair in p.pairs]
        for symbol in dict.fromkeys([*seen, p.lead_symbol]):
            if symbol:
                self.subscribe_book(symbol, 1)
        self._lead = self.market(p.lead_symbol) if p.lead_symbol else None
        signals = [pair for pair in self.pairs if pair.params.symbol in p.signal_symbols]
        self._signals = signals or self.pairs
        self._venues = tuple(dict.fromkeys(pair.market.venue for pair in self.pairs))
        self.watch = AccountWatch(self, self._venues, p.outages_ns, p.recapitalise_s)
        policies = make_policies(p.withdrawal, self.rng) if p.withdrawal_enabled else ()
        self.policies = PolicySet(policies, p.withdrawal.floor)
        self._unwound_ns = self.now_ns
        self.set_timer_ns("open", _OPENING_NS, repeat=False)
        self.set_timer("requote", p.interval_s, p.interval_s * 0.1)
        if p.record_s:
            self.set_timer("record", p.record_s)

    def on_timer(self, name: str) -> None:
        """Open every pair once, then wake up for those whose turn it is."""
        if name == "record":
            self.record(**self.watch.leverage())
        elif name == "open":
            self._wake(self.pairs, lead=0.0)  # a lead that nobody quotes yet says nothing
        elif name == "requote":
            self._wake_ups += 1
            turn = self._wake_ups
            due = [pair for pair in self.pairs if not (turn + pair.index) % pair.params.every]
            self._wake(due, self.book(self._lead).mid_ticks if self._lead else 0.0)

    def _wake(self, due: list[Pair], lead: float) -> None:
        """Look, decide, quote, note, unwind."""
        now = self.now_ns
        for pair in due:
            self._observe(pair, now, lead)
        self._hear_news(now)
        conditions = self.watch.look(now, self._signals, self.pairs)
        if self._lead is not None:
            conditions.lead_fall = self._lead_fall(now, lead)
        self.policies.update(conditions)
        if self.policies.pulls():
            self._pull()
        for pair in due:
            if pair.level_lots and not self._halted.get(pair.market.venue):
                self._quote(pair, now)
        change = self.policies.change()
        if change is not None:
            kind, cause, scale = change
            self.note(kind, cause, scale, venue=self._venues[0])
        p = self.params.unwind
        seconds = (now - self._unwound_ns) / NANOS_PER_S
        if p.per_s and seconds >= p.interval_s:
            self._unwound_ns = now
            free = [pair for pair in self.pairs if not self._halted.get(pair.market.venue)]
            unwind(self, p, free, seconds, outage=conditions.outage)

    def on_adl(self, event: AdlNotice) -> None:
        """A hedge is gone; the policies hear of it at the next wake-up."""
        if event.is_victim:
            self.watch.conditions.hedge_lost_ns = self.now_ns

    def on_liquidation(self, event: LiquidationNotice) -> None:
        """While a venue liquidates the account, its quotes are gone and new ones are refused."""
        halted = event.stage != "ended"
        if halted != self._halted.get(event.venue, False):
            kind = NoteKind.QUOTES_WITHDRAWN if halted else NoteKind.QUOTES_RESTORED
            self.note(kind, WithdrawalCause.LIQUIDATION, 0 if halted else PPM, venue=event.venue)
        self._halted[event.venue] = halted

    def _lead_fall(self, now: int, lead: float) -> float:
        """How far the lead is below its mean of the last ``lead_memory_s``, as a fraction."""
        if not lead:
            return self.watch.conditions.lead_fall
        seconds = (now - self._lead_ns) / NANOS_PER_S
        self._lead_ns = now
        gain = -math.expm1(-seconds / self.params.lead_memory_s) if self._lead_mean else 1.0
        fall = 1.0 - lead / self._lead_mean if self._lead_mean else 0.0
        self._lead_mean += (lead - self._lead_mean) * gain
        return fall

    def _pull(self) -> None:
        """Cancel the bids of all pairs now, whether it is their turn or not."""
        for pair in self.pairs:
            self.messages += pair.bids.cancel_all()
            self.policies.withdrawn(pair)

    def _hear_news(self, now: int) -> None:
        news = self.params.news
        while self._news < len(news) and now >= news[self._news][0]:
            fall = news[self._news][1]
            self._news += 1
            for pair in self.pairs:
                if not pair.params.lead_beta:
                    pair.fair_ticks *= math.exp(-fall * pair.params.beta)

    def _observe(self, pair: Pair, now: int, lead: float) -> None:
        p, book = self.params, self.book(pair.market)
        if not pair.level_lots:
            fair = pair.opening(book)
            if fair:
                pair.start(fair, self._weights, self.position_lots(pair.market))
                pair.last_ns = pair.sampled_ns = now
                pair.last_lead = lead
            return
        seconds = pair.observe(book, now, lead, p.follow_s)
        if pair.sibling is not None:
            mid = self.book(pair.sibling).mid_ticks * pair.sibling.tick / pair.market.tick
            if mid:
                pair.link(mid, p.link_per_s * seconds, pair.params.link_gap or p.link_gap)
        if p.withdrawal.toxicity is not None:
            pair.measure_flow(book, math.exp(-seconds / 60.0))
        if pair.bids.is_short or pair.asks.is_short:
            kept = math.exp(-p.refill_per_s * seconds)
            pair.bids.refill(kept)
            pair.asks.refill(kept)

    def _quote(self, pair: Pair, now: int) -> None:
        inventory = (self.position_lots(pair.market) - pair.base_lots) / pair.limit_lots
        pair.inventory = inventory
        bid, ask = self.policies.scales(pair)
        if inventory > 0.0:
            bid *= max(0.0, 1.0 - inventory)
        else:
            ask *= max(0.0, 1.0 + inventory)
        shift, half = self.offsets(pair)
        fraction = self.params.requote_fraction
        self.messages += pair.requote(shift, half, bid, ask, fraction, now)
