"""Entry filters of an instrument, with the names and meanings of Binance's.

Filters act when an order enters or is changed, never afterwards: a bid placed years ago stays,
however far the market has moved.  All bounds are inclusive, in ticks, lots and quote units; 0
disables a bound.

The first failing test decides the reason, in this order:

1.  ``BAD_QTY``: not above zero.  ``BAD_PRICE``: a limit price not above zero, or a price on an
    order
    type that has none.  ``BAD_TRIGGER``: missing, misplaced or outside the trailing range.
2.  ``INVALID_COMBINATION``, ``BAD_ICEBERG`` (negative, or on an order that cannot rest) and
    ``BAD_EXPIRY``: fields that contradict each other.
3.  PRICE_FILTER: ``BAD_PRICE`` (below the minimum), ``PRICE_ABOVE_MAX``, ``BAD_TICK_STEP``.
4.  LOT_SIZE, or MARKET_LOT_SIZE for market types: ``QTY_BELOW_MIN``, ``QTY_ABOVE_MAX``,
    ``BAD_LOT_STEP``.
5.  NOTIONAL, at the reference price for orders without a price: ``NOTIONAL_TOO_SMALL``,
    ``NOTIONAL_TOO_LARGE``.
6.  PERCENT_PRICE_BY_SIDE of spot markets, PERCENT_PRICE of perpetuals, for limit prices:
    ``PERCENT_PRICE_ABOVE``, ``PERCENT_PRICE_BELOW``.  The reference is the average price of a spot
    market and the mark of a perpetual; it is exact, so that no bound is rounded.
7.  ``MAX_NUM_ORDERS``, then ``MAX_NUM_ALGO_ORDERS`` for trigger types.
8.  ICEBERG_PARTS: ``BAD_ICEBERG``.

Simplifications
---------------
MAX_POSITION belongs to the pre-trade check of the risk engine, which knows the position.
"""

from __future__ import annotations

from fractions import Fraction

import attrs

from exchange_sim.limits import (
    INT64_MAX,
    OPEN_ORDERS_PER_ACCOUNT_MAX,
    PRICE_TICKS_MAX,
    QTY_LOTS_MAX,
)
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.model.enums import (
    BUY,
    FOK,
    GTC,
    GTD,
    GTX,
    IOC,
    LIMIT,
    MARKET,
    STOP,
    TAKE_PROFIT,
    TRAILING_STOP_MARKET,
)
from exchange_sim.model.order import Order
from exchange_sim.units import PPM

Price = int | Fraction
"""A price in ticks; an average need not be whole."""

_R = {reason.name: int(reason) for reason in RejectReason}
_BAD_PRICE, _BAD_QTY = _R["BAD_PRICE"], _R["BAD_QTY"]
_PRICED = (LIMIT, STOP, TAKE_PROFIT)


def _or_one(step: int) -> int:
    return step or 1


def _or_price_bound(ticks: int) -> int:
    return ticks or PRICE_TICKS_MAX


def _or_qty_bound(lots: int) -> int:
    return lots or QTY_LOTS_MAX


def _or_money_bound(amount: int) -> int:
    return amount or INT64_MAX


@attrs.frozen
class Filters:
    """The filters of one instrument.  Ratios are parts per million of the reference price."""

    unit_value: int = 1
    """Quote units of one tick times one lot."""
    price_min: int = 1
    price_max: int = attrs.field(default=0, converter=_or_price_bound)
    price_step: int = attrs.field(default=1, converter=_or_one)
    qty_min: int = 1
    qty_max: int = attrs.field(default=0, converter=_or_qty_bound)
    qty_step: int = attrs.field(default=1, converter=_or_one)
    market_qty_min: int = 1
    market_qty_max: int = attrs.field(default=0, converter=_or_qty_bound)
    market_qty_step: int = attrs.field(default=1, converter=_or_one)
    notional_min: int = 0
    notional_max: int = attrs.field(default=0, converter=_or_money_bound)
    notional_min_to_market: bool = True
    """Whether the lower bound also holds for orders without a price."""
    bid_up_ppm: int = 0
    bid_down_ppm: int = 0
    ask_up_ppm: int = 0
    ask_down_ppm: int = 0
    orders_max: int = OPEN_ORDERS_PER_ACCOUNT_MAX
    algo_orders_max: int = OPEN_ORDERS_PER_ACCOUNT_MAX
    iceberg_parts_max: int = 0
    trailing_min_ppm: int = 1
    trailing_max_ppm: int = PPM - 1
    by_percent: bool = attrs.field(init=False)
    """Whether limit prices are measured against the reference price."""

    def __attrs_post_init__(self) -> None:
        bounds = self.bid_up_ppm, self.bid_down_ppm, self.ask_up_ppm, self.ask_down_ppm
        object.__setattr__(self, "by_percent", any(bounds))

    def check(
        self,
        order: Order,
        average: Price = 0,
        open_orders: int = 0,
        open_algo_orders: int = 0,
        now_ns: int = 0,
    ) -> int:
        """The ``RejectReason`` of a new order, 0 if it passes.

        ``average`` is the reference price in ticks (0: none yet, the tests that need it are
        skipped); the open orders are those of the account in this instrument, trigger orders
        included.
        """
        kind, price, qty = order.order_type, order.price, order.qty
        if qty <= 0:
            return _BAD_QTY
        if kind == LIMIT:
            if price <= 0:
                return _BAD_PRICE
            if order.trigger or order.trailing_ppm:
                return _R["BAD_TRIGGER"]
        elif reason := self._check_type(order):
            return reason
        if (order.time_in_force or order.display) and (reason := _check_fields(order, now_ns)):
            return reason
        reason = self.check_values(order.side, price, qty, average)
        if reason:
            return reason
        if open_orders >= self.orders_max:
            return _R["MAX_NUM_ORDERS"]
        if kind > MARKET and open_algo_orders >= self.algo_orders_max:
            return _R["MAX_NUM_ALGO_ORDERS"]
        if order.display and self._too_many_parts(qty, order.display):
            return _R["BAD_ICEBERG"]
        return 0

    def check_replace(self, order: Order, price: int, open_qty: int, average: Price = 0) -> int:
        """The ``RejectReason`` of changing an open order, 0 if it passes."""
        if open_qty < 0:
            return _BAD_QTY
        priced = order.order_type in _PRICED
        if price <= 0 if priced else price != 0:
            return _BAD_PRICE
        if open_qty == 0:
            return 0
        if reason := self.check_values(order.side, price, open_qty, average):
            return reason
        if order.display and self._too_many_parts(open_qty, order.display):
            return _R["BAD_ICEBERG"]
        return 0

    def check_values(self, side: int, price: int, qty: int, average: Price) -> int:
        """Tests 3 to 6: price, quantity, notional and distance from the average price."""
        if price:
            if not self.price_min <= price <= self.price_max or price % self.price_step:
                return self._price_reason(price)
            if not self.qty_min <= qty <= self.qty_max or qty % self.qty_step:
                return _qty_reason(qty, self.qty_min, self.qty_max)
        elif not self.market_qty_min <= qty <= self.market_qty_max or qty % self.market_qty_step:
            return _qty_reason(qty, self.market_qty_min, self.market_qty_max)
        notional = (price or average) * qty * self.unit_value
        if not self.notional_min <= notional <= self.notional_max:
            if notional > self.notional_max:
                return _R["NOTIONAL_TOO_LARGE"]
            if price or (average and self.notional_min_to_market):
                return _R["NOTIONAL_TOO_SMALL"]
        if price and average:
            if side == BUY:
                up, down = self.bid_up_ppm, self.bid_down_ppm
            else:
                up, down = self.ask_up_ppm, self.ask_down_ppm
            if up and price * PPM > average * up:
                return _R["PERCENT_PRICE_ABOVE"]
            if price * PPM < average * down:
                return _R["PERCENT_PRICE_BELOW"]
        return 0

    def _price_reason(self, price: int) -> int:
        if price < self.price_min:
            return _BAD_PRICE
        return _R["PRICE_ABOVE_MAX"] if price > self.price_max else _R["BAD_TICK_STEP"]

    def _check_type(self, order: Order) -> int:
        """Price and trigger of everything but a plain limit order."""
        kind = order.order_type
        if order.price <= 0 if kind in _PRICED else order.price != 0:
            return _BAD_PRICE
        if kind == MARKET:
            return _R["BAD_TRIGGER"] if order.trigger or order.trailing_ppm else 0
        if kind == TRAILING_STOP_MARKET:
            in_range = self.trailing_min_ppm <= order.trailing_ppm <= self.trailing_max_ppm
            return 0 if in_range and order.trigger >= 0 else _R["BAD_TRIGGER"]
        return _R["BAD_TRIGGER"] if order.trigger <= 0 or order.trailing_ppm else 0

    def _too_many_parts(self, qty: int, display: int) -> bool:
        return bool(self.iceberg_parts_max) and -(-qty // display) > self.iceberg_parts_max


def _qty_reason(qty: int, low: int, high: int) -> int:
    if qty < low:
        return _R["QTY_BELOW_MIN"]
    return _R["QTY_ABOVE_MAX"] if qty > high else _R["BAD_LOT_STEP"]


def _check_fields(order: Order, now_ns: int) -> int:
    """Test 2: fields that contradict each other."""
    tif, can_rest = order.time_in_force, order.order_type in _PRICED
    if not can_rest and tif in (GTX, GTD):
        return _R["INVALID_COMBINATION"]
    if not GTC <= tif <= GTD:
        return _R["INVALID_COMBINATION"]
    if order.display and (order.display < 0 or not can_rest or tif in (IOC, FOK)):
        return _R["BAD_ICEBERG"]
    if tif == GTD and order.expire_ns <= now_ns:
        return _R["BAD_EXPIRY"]
    return 0
