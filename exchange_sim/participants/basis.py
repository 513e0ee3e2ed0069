"""Basis arbitrage: spot against the perpetual of the same venue, within limits that bind.

    volume per second = min(cap, rate * (gap - costs)),  |inventory| <= limit      (D1 of the pair)

A perpetual above spot: buy spot, sell the perpetual; below: sell owned spot, buy the perpetual
back.  Both legs are IOC orders at the touch; what one leg missed is repaired at the next look, so
that the position stays neutral.  This is what ties the two books together, and what stops when
coins, margin or orders run out.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from exchange_sim.model.enums import BUY, IOC, LIMIT, SELL
from exchange_sim.strategy.api import Market, Strategy
from exchange_sim.units import NANOS_PER_S


@attrs.frozen
class BasisPair:
    """Spot and perpetual of one asset on one venue; ``depth_usd`` is D1 of the smaller book."""

    spot: str
    perpetual: str
    depth_usd: float


@attrs.frozen
class BasisParams(Strategy.Params):
    """``costs`` of a round as a fraction of price; rates and inventory in D1.

    ``slippage`` bounds the price of orders that repair a leg.
    """

    pairs: tuple[BasisPair, ...] = ()
    costs: float = 0.001
    rate_d1_per_s: float = 1.0
    cap_d1_per_s: float = 0.03
    inventory_d1: float = 0.35
    slippage: float = 0.005
    interval_s: float = 1.0


class _Carry:
    """One pair: its markets and what the position was at the start, in base units."""

    __slots__ = ("coins", "depth_qty", "params", "perpetual", "spot")

    def __init__(self, params: BasisPair, spot: Market, perpetual: Market) -> None:
        self.params = params
        self.spot = spot
        self.perpetual = perpetual
        self.coins = self.depth_qty = 0.0


class BasisArbitrage(Strategy):
    """Spot against perpetual in any number of pairs."""

    Params = BasisParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._carries: list[_Carry] = []
        self._last_ns = 0

    def on_start(self) -> None:
        """Subscribe to both books of each pair."""
        for params in self.params.pairs:
            carry = _Carry(params, self.market(params.spot), self.market(params.perpetual))
            carry.coins = self.balance(carry.spot.base, carry.spot.venue)
            self._carries.append(carry)
            for market in (carry.spot, carry.perpetual):
                self.subscribe_book(market, 1)
        self._last_ns = self.now_ns
        self.set_timer("look", self.params.interval_s, self.params.interval_s * 0.1)

    def on_timer(self, name: str) -> None:
        """Repair what is one-sided, then trade the gap."""
        if name != "look":
            return
        seconds = (self.now_ns - self._last_ns) / NANOS_PER_S
        self._last_ns = self.now_ns
        for carry in self._carries:
            if not self._repair(carry):
                self._trade(carry, seconds)

    def inventory(self, carry: _Carry) -> tuple[float, float]:
        """Coins held beyond the start, and contracts, in base units."""
        coins = self.balance(carry.spot.base, carry.spot.venue) - carry.coins
        return coins, carry.perpetual.qty(self.position_lots(carry.perpetual))

    def _repair(self, carry: _Carry) -> bool:
        """Trade the perpetual until it offsets the coins; True when there was something to do."""
        coins, contracts = self.inventory(carry)
        lots = carry.perpetual.to_lots(abs(coins + contracts))
        if lots <= 0:
            return False
        side = SELL if coins + contracts > 0 else BUY
        book, slippage = self.book(carry.perpetual), self.params.slippage
        price = book.bid_ticks * (1 - slippage) if side == SELL else book.ask_ticks * (1 + slippage)
        return self._send(carry.perpetual, side, lots, int(price))

    def _trade(self, carry: _Carry, seconds: float) -> None:
        p, spot, perpetual = self.params, self.book(carry.spot), self.book(carry.perpetual)
        if not (spot.bid_ticks and spot.ask_ticks and perpetual.bid_ticks and perpetual.ask_ticks):
            return
        bid, ask = spot.bid_ticks * carry.spot.tick, spot.ask_ticks * carry.spot.tick
        high = perpetual.bid_ticks * carry.perpetual.tick
        low = perpetual.ask_ticks * carry.perpetual.tick
        if not carry.depth_qty:
            carry.depth_qty = carry.params.depth_usd / ask
        rich, poor = math.log(high / ask) - p.costs, math.log(bid / low) - p.costs
        gap = max(rich, poor)
        if gap <= 0.0:
            return
        coins, _ = self.inventory(carry)
        limit, sign = p.inventory_d1 * carry.depth_qty, 1.0 if rich > poor else -1.0
        room = max(0.0, limit - sign * coins)
        qty = min(p.cap_d1_per_s, p.rate_d1_per_s * gap) * seconds * carry.depth_qty
        lots = carry.spot.to_lots(min(qty, room))
        if lots <= 0:
            return
        contracts = carry.perpetual.to_lots(carry.spot.qty(lots))
        if sign > 0.0:
            self._send(carry.spot, BUY, lots, spot.ask_ticks)
            self._send(carry.perpetual, SELL, contracts, perpetual.bid_ticks)
        else:
            self._send(carry.spot, SELL, lots, spot.bid_ticks)
            self._send(carry.perpetual, BUY, contracts, perpetual.ask_ticks)

    def _send(self, market: Market, side: int, lots: int, price: int) -> bool:
        if lots <= 0 or price <= 0 or market.notional(price, lots) < market.min_notional:
            return False
        self.submit(market, side, lots, price, LIMIT, IOC)
        return True
