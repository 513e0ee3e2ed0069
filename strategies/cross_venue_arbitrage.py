"""Cross-venue arbitrage: buy where an asset is cheap, sell where it is dear, with limits that bind.

What keeps two venues together, and what fails when transfers do: Makarov & Schoar (2020), "Trading
and arbitrage in cryptocurrency markets", J. Financ. Econ. 135(2).  Speed, capital and inventory
are limited:

    volume per second = min(cap, rate * (gap - fees)),  |inventory| <= limit   (D1 of the pair)

Spot inventory is recycled by real transfers of the asset and of the quote money (refused while
they are suspended); perpetual positions are closed on both sides with the time constant
``recycle_s``, or ``suspended_s`` during an outage, because collateral cannot follow the positions.
A leg may be an inverse (coin-margined) perpetual: its contracts count as the coins that they are
worth at its mid, so that a move of the price leaves a difference, which is traded away like any.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from exchange_sim.model.enums import BUY, IOC, LIMIT, SELL
from exchange_sim.strategy.api import BookView, Market, Strategy, TransferNotice
from exchange_sim.units import NANOS_PER_S


@attrs.frozen
class ArbitragePair:
    """The same asset on two venues; ``depth_usd`` is D1 of the smaller book."""

    first: str
    second: str
    depth_usd: float


@attrs.frozen
class ArbitrageParams(Strategy.Params):
    """``fee`` is the total cost of a round as a fraction; rates and inventory in D1.

    ``slippage`` bounds the price of orders that repair a leg, and so does ``repair_gap``: never
    that much worse than the other leg's mid.  ``outages_ns`` as for makers.  Nothing is traded
    in the first ``quiet_s``, while makers build the books.
    """

    pairs: tuple[ArbitragePair, ...] = ()
    interval_s: float = 1.0
    rate_d1_per_s: float = 1.0
    cap_d1_per_s: float = 0.03
    fee: float = 0.0015
    inventory_d1: float = 0.35
    slippage: float = 0.01
    repair_gap: float = 0.02
    recycle_s: float = 120.0
    suspended_s: float = 3600.0
    quiet_s: float = 0.0
    outages_ns: tuple[tuple[int, int], ...] = ()


class _Leg:
    """One side of a pair: its market and the position to compare with."""

    __slots__ = ("base_lots", "book", "market")

    def __init__(self, market: Market) -> None:
        self.market = market
        self.base_lots = 0
        self.book = BookView(market, 0)

    def qty(self, lots: int) -> float:
        """Base units of lots; contracts of fixed dollar value at the mid."""
        qty = self.market.qty(lots)
        if not self.market.is_inverse:
            return qty
        mid = self.book.mid
        return qty / mid if mid else 0.0

    def lots(self, qty: float) -> int:
        """Whole lots of base units, rounded down; the way back from ``qty``."""
        if self.market.is_inverse:
            qty *= self.book.mid or 0.0
        return self.market.to_lots(qty)


class _Spread:
    """State of one pair; quantities in base units, as the lots of the venues may differ."""

    __slots__ = ("depth_qty", "legs", "params")

    def __init__(self, params: ArbitragePair, legs: tuple[_Leg, _Leg]) -> None:
        self.params = params
        self.legs = legs
        self.depth_qty = 0.0


class CrossVenueArbitrage(Strategy):
    """Arbitrage in any number of pairs from one account per venue."""

    Params = ArbitrageParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._spreads: list[_Spread] = []
        self._underway: dict[str, float] = {}
        self._last_ns = 0

    def on_start(self) -> None:
        """Subscribe to both books of each pair."""
        for params in self.params.pairs:
            legs = (_Leg(self.market(params.first)), _Leg(self.market(params.second)))
            for leg in legs:
                self.subscribe_book(leg.market, 1)
            self._spreads.append(_Spread(params, legs))
        self._last_ns = self.now_ns
        self._quiet_ns = self.now_ns + round(self.params.quiet_s * NANOS_PER_S)
        self.set_timer("look", self.params.interval_s, self.params.interval_s * 0.1)
        self.set_timer("recycle", self.params.recycle_s / 4.0)

    def on_timer(self, name: str) -> None:
        """Trade gaps, or bring inventory back."""
        now = self.now_ns
        if now < self._quiet_ns:
            return
        outage = any(start <= now < end for start, end in self.params.outages_ns)
        if name == "look":
            seconds = (now - self._last_ns) / NANOS_PER_S
            self._last_ns = now
            for spread in self._spreads:
                if self._look(spread):
                    self._trade(spread, seconds)
        elif name == "recycle":
            span = self.params.suspended_s if outage else self.params.recycle_s
            for spread in self._spreads:
                if spread.depth_qty:
                    self._recycle(spread, self.params.recycle_s / 4.0 / span)

    def on_transfer(self, transfer: TransferNotice) -> None:
        """Coins between the venues are neither here nor there, but they are no open leg."""
        sign = -1.0 if transfer.finished else 1.0
        held = self._underway.get(transfer.asset, 0.0)
        self._underway[transfer.asset] = held + sign * transfer.amount

    def inventory(self, spread: _Spread, leg: int) -> float:
        """Base units that a leg holds more than at the start."""
        side = spread.legs[leg]
        return side.qty(self.position_lots(side.market) - side.base_lots)

    def _look(self, spread: _Spread) -> bool:
        """Refresh both books; False until both have two sides."""
        for leg in spread.legs:
            leg.book = self.book(leg.market)
        if any(not leg.book.bid_ticks or not leg.book.ask_ticks for leg in spread.legs):
            return False
        if not spread.depth_qty:
            spread.depth_qty = spread.params.depth_usd / float(spread.legs[0].book.mid or 1.0)
            for leg in spread.legs:
                leg.base_lots = self.position_lots(leg.market)
        return True

    def _trade(self, spread: _Spread, seconds: float) -> None:
        p = self.params
        for cheap, dear in ((0, 1), (1, 0)):
            low, high = spread.legs[cheap], spread.legs[dear]
            ask = low.market.price(low.book.ask_ticks)
            bid = high.market.price(high.book.bid_ticks)
            gap = math.log(bid / ask) - p.fee
            if gap <= 0.0:
                continue
            held = max(self.inventory(spread, cheap), -self.inventory(spread, dear))
            room = p.inventory_d1 * spread.depth_qty - held
            speed = min(p.cap_d1_per_s, p.rate_d1_per_s * gap) * seconds * spread.depth_qty
            shown = min(low.qty(low.book.ask_lots), high.qty(high.book.bid_lots))
            qty = min(speed, room, max(shown, 0.25 * speed))
            if qty > 0.0:
                self._send(low, BUY, qty, low.book.ask_ticks)
                self._send(high, SELL, qty, high.book.bid_ticks)
                return
        self._repair(spread, p.cap_d1_per_s * seconds * spread.depth_qty)

    def _repair(self, spread: _Spread, most: float) -> None:
        """When one leg traded and the other did not: trade the difference away, in bounds.

        At most ``most`` base units at a time: a repair is no reason to empty a book.
        """
        open_qty = self.inventory(spread, 0) + self.inventory(spread, 1)
        open_qty += self._underway.get(spread.legs[0].market.base, 0.0)
        if abs(open_qty) < 0.002 * spread.depth_qty:
            return
        larger = 0 if abs(self.inventory(spread, 0)) > abs(self.inventory(spread, 1)) else 1
        side = SELL if open_qty > 0 else BUY
        self._take(spread.legs[larger], spread.legs[1 - larger], side, min(most, abs(open_qty)))

    def _recycle(self, spread: _Spread, share: float) -> None:
        """Send spot back to where it was sold, or close a part of both perpetual positions."""
        first, second = self.inventory(spread, 0), self.inventory(spread, 1)
        if first * second >= 0.0 or min(abs(first), abs(second)) < 0.01 * spread.depth_qty:
            return
        full, empty = (0, 1) if first > 0.0 else (1, 0)
        source, target = spread.legs[full], spread.legs[empty]
        qty = min(abs(first), abs(second))
        if source.market.is_perpetual or target.market.is_perpetual:
            self._take(source, target, SELL, qty * min(1.0, share))
            self._take(target, source, BUY, qty * min(1.0, share))
            return
        value = qty * float(target.book.mid or 0.0)
        if self.transfer(source.market.base, qty, source.market.venue, target.market.venue):
            self.transfer(source.market.quote, value, target.market.venue, source.market.venue)

    def _take(self, leg: _Leg, other: _Leg, side: int, qty: float) -> None:
        """Trade at the touch, unless it is far worse than what the other leg is worth."""
        touch = leg.book.ask_ticks if side == BUY else leg.book.bid_ticks
        fair = other.book.mid_ticks * other.market.tick / leg.market.tick
        if not touch or not fair:
            return
        sign = 1.0 if side == BUY else -1.0
        worst = fair * (1.0 + sign * self.params.repair_gap)
        limit = touch * (1.0 + sign * self.params.slippage)
        limit = min(limit, worst) if side == BUY else max(limit, worst)
        if (limit - touch) * sign >= 0.0:
            self._send(leg, side, qty, max(1, int(limit)))

    def _send(self, leg: _Leg, side: int, qty: float, ticks: int) -> None:
        lots = leg.lots(qty)
        if lots > 0 and leg.market.notional(ticks, lots) >= leg.market.min_notional:
            self.submit(leg.market, side, lots, ticks, LIMIT, IOC)
