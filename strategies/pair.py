"""One market of a maker: its parameters, what the maker believes it is worth, and its ladder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from exchange_sim.model.enums import BUY, SELL
from exchange_sim.strategy.api import BookView, Market, Strategy
from exchange_sim.units import NANOS_PER_S
from strategies.params import PairParams
from strategies.quotes import Ladder, QuoteSide

__all__ = ["Pair", "PairParams", "link_siblings"]

_VOL_WINDOW_S: Final = 60.0
_VOL_SAMPLE_S: Final = 4.5
_VOL_MIN: Final = 0.1


class Pair:
    """State of one market; ``fair_ticks`` is 0.0 until a price is known.

    ``own_vol`` is the 60 s exponentially weighted volatility over calm, ``inventory`` a signed
    fraction of the limit, ``variance`` is in bp^2 per second.
    """

    __slots__ = (
        "asks",
        "base_lots",
        "bids",
        "centre",
        "fair_ticks",
        "group",
        "index",
        "inventory",
        "is_major",
        "last_fair",
        "last_lead",
        "last_ns",
        "level_lots",
        "limit_lots",
        "market",
        "offsets_bp",
        "own_vol",
        "params",
        "sampled_ns",
        "sibling",
        "toxicity",
        "variance",
        "venue",
        "volume",
    )

    def __init__(
        self, owner: Strategy, params: PairParams, index: int, offsets_bp: tuple[float, ...]
    ) -> None:
        self.params = params
        self.index = index
        self.is_major = params.is_major
        self.market = market = owner.market(params.symbol)
        self.venue = market.venue
        self.group = params.group
        self.sibling: Market | None = owner.market(params.sibling) if params.sibling else None
        self.offsets_bp = tuple(offset * params.beta for offset in offsets_bp)
        self.bids = QuoteSide(owner, market, BUY, len(offsets_bp))
        self.asks = QuoteSide(owner, market, SELL, len(offsets_bp))
        self.fair_ticks = self.last_fair = self.last_lead = self.centre = 0.0
        self.last_ns = self.sampled_ns = 0
        self.variance = params.calm_vol_bp**2 / _VOL_WINDOW_S
        self.own_vol = 1.0
        self.inventory = self.toxicity = 0.0
        self.level_lots: list[float] = []
        self.limit_lots = 1.0
        self.base_lots = 0
        self.volume = (0, 0)

    def start(self, fair_ticks: float, weights: tuple[float, ...], position_lots: int) -> None:
        """Fix sizes in lots at the first known price; ``weights`` are parts of the share."""
        p = self.params
        self.fair_ticks = self.last_fair = fair_ticks
        d1_lots = p.depth_usd / self.lot_value()
        self.level_lots = [weight * p.share * d1_lots for weight in weights]
        self.limit_lots = max(1.0, p.inventory_limit_d1 * p.share * d1_lots / p.beta)
        self.base_lots = position_lots

    def min_lots(self) -> int:
        """Smallest order that the venue takes at the fair value."""
        return max(1, math.ceil(self.market.min_notional / self.lot_value()))

    def lot_value(self) -> float:
        """Quote value of one lot at the fair value."""
        return self.market.lot_value(self.fair_ticks)

    def anchor(self, book: BookView) -> float:
        """Where this market trades now, in ticks: the mid, or the last trade in a huge spread."""
        bid, ask = book.bid_ticks, book.ask_ticks
        if bid and ask:
            mid = (bid + ask) * 0.5
            if ask - bid <= mid * 0.02 * self.params.beta or not book.last_ticks:
                return mid
            return float(min(max(book.last_ticks, bid), ask))
        if book.last_ticks:
            last = book.last_ticks
            return float(max(last, bid) if bid else min(last, ask) if ask else last)
        return self.fair_ticks

    def opening(self, book: BookView) -> float:
        """Where to begin: the market's own price, unless it shows only old orders far apart."""
        given = self.params.initial_price / self.market.tick
        apart = book.ask_ticks - book.bid_ticks > book.mid_ticks * 0.02 * self.params.beta
        if given and not book.last_ticks and apart:
            return given
        return self.anchor(book) or given

    def observe(self, book: BookView, now_ns: int, lead_mid: float, follow_s: float) -> float:
        """Move the fair value with the lead and the own market; seconds since the last call."""
        seconds = (now_ns - self.last_ns) / NANOS_PER_S
        self.last_ns = now_ns
        anchor = self.anchor(book)
        self.fair_ticks += (anchor - self.fair_ticks) * -math.expm1(-seconds / follow_s)
        # after the own market, which has not seen the lead's latest move yet
        if self.last_lead and lead_mid and self.params.lead_beta:
            self.fair_ticks *= math.exp(self.params.lead_beta * math.log(lead_mid / self.last_lead))
        self.last_lead = lead_mid
        elapsed = (now_ns - self.sampled_ns) / NANOS_PER_S
        if elapsed >= _VOL_SAMPLE_S:
            self._sample(elapsed, follow_s)
            self.sampled_ns = now_ns
        return seconds

    def _sample(self, seconds: float, follow_s: float) -> None:
        """Update the volatility from the fair value, which does not bounce between the touches."""
        move_bp = 10_000.0 * math.log(self.fair_ticks / self.last_fair)
        self.last_fair = self.fair_ticks
        # variance of the increments of a smoothed random walk
        kept = max(0.05, 1.0 + follow_s / seconds * math.expm1(-seconds / follow_s))
        gain = -math.expm1(-seconds / _VOL_WINDOW_S)
        self.variance += gain * (move_bp * move_bp / (seconds * kept) - self.variance)
        vol = math.sqrt(self.variance * _VOL_WINDOW_S) / self.params.calm_vol_bp
        self.own_vol = max(vol, _VOL_MIN)

    def link(self, sibling_mid: float, rate: float, gap_scale: float) -> None:
        """Follow the same asset elsewhere: by ``rate`` for small gaps, hardly beyond the scale.

        ``sibling_mid`` is in this market's ticks.  A maker that sees a huge gap believes its own
        venue.
        """
        gap = math.log(sibling_mid / self.fair_ticks)
        width = gap / (gap_scale * self.params.beta)
        self.fair_ticks *= math.exp(min(1.0, rate) * gap * math.exp(-width * width))

    def requote(
        self, shift: float, half: float, bid: float, ask: float, fraction: float, now_ns: int
    ) -> int:
        """Bring the ladder in line; returns messages sent.

        ``shift`` of the centre and ``half`` spread in bp; ``bid`` and ``ask`` scale the sizes; a
        level moves when it is off by ``fraction`` of its distance.  The side that moves away goes
        first, so that the other one does not run into it.
        """
        bids, asks, lots = self.bids, self.asks, self.level_lots
        bids.collect(now_ns)
        asks.collect(now_ns)
        step = self.fair_ticks / 10_000.0
        centre = self.fair_ticks + shift * step
        ladder = Ladder(centre, step, half, self.offsets_bp, fraction)
        least, falls = self.min_lots(), centre <= self.centre
        self.centre = centre
        if falls:
            sent = bids.quote(ladder, lots, bid, least, now_ns)
            return sent + asks.quote(ladder, lots, ask, least, now_ns)
        sent = asks.quote(ladder, lots, ask, least, now_ns)
        return sent + bids.quote(ladder, lots, bid, least, now_ns)

    def measure_flow(self, book: BookView, kept: float) -> None:
        """Update ``toxicity``: |buys - sells| over volume of aggressors, decaying by ``kept``."""
        old_buy, old_sell = self.volume
        self.volume = (book.buy_lots, book.sell_lots)
        buy, sell = book.buy_lots - old_buy, book.sell_lots - old_sell
        if buy + sell:
            now = abs(buy - sell) / (buy + sell)
            self.toxicity = self.toxicity * kept + now * (1.0 - kept)


def link_siblings(pairs: Sequence[Pair]) -> None:
    """Give each pair without a sibling the first other pair of the same base and quote asset."""
    for pair in pairs:
        if pair.sibling is None:
            asset = (pair.market.base, pair.market.quote)
            same = [p for p in pairs if (p.market.base, p.market.quote) == asset and p is not pair]
            pair.sibling = same[0].market if same else None
