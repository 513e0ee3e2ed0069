"""A small market for rule vectors: the real matching engine on a grid that fits the inputs."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import lcm

from exchange_sim.analysis.rules.common import InputError, Inputs, number
from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.matching.outcomes import CANCEL, REDUCE, REJECT, RESTED, TRADE, Outcome
from exchange_sim.messages.reasons import CancelReason
from exchange_sim.model.enums import BUY, GTC, LIMIT, SELL
from exchange_sim.model.order import Order

MAKER_ACCOUNT = 1
TAKER_ACCOUNT = 2
NUMBERS_MAX = 10**12
"""Largest price or quantity on the grid: what the engine accepts."""

_RESTS = "NEW"


class Grid:
    """Exact conversion between decimals and whole steps, the coarsest that fits every number."""

    def __init__(self, values: Iterable[Fraction]) -> None:
        self.steps = lcm(*(value.denominator for value in values), 1)

    def whole(self, value: Fraction) -> int:
        """``value`` in steps; ``InputError`` if it is off the grid or too large for a book."""
        steps = value * self.steps
        if steps.denominator != 1 or abs(steps) > NUMBERS_MAX:
            raise InputError(f"{float(value)} does not fit the price or quantity grid of a book")
        return steps.numerator

    def back(self, steps: int) -> Fraction:
        """The decimal of a number of steps."""
        return Fraction(steps, self.steps)


class Market:
    """One book, filled from the inputs, and one order to enter."""

    def __init__(self, prices: Iterable[Fraction], quantities: Iterable[Fraction]) -> None:
        self.ticks = Grid(prices)
        self.lots = Grid(quantities)
        self.engine = MatchingEngine()
        self._next = 0

    def order(
        self,
        side: int,
        price: Fraction,
        qty: Fraction,
        *,
        account: int = TAKER_ACCOUNT,
        order_type: int = LIMIT,
        tif: int = GTC,
        stp: int = 0,
        flags: int = 0,
        trigger: Fraction = Fraction(0),
    ) -> Order:
        """An order with the next id."""
        self._next += 1
        return Order(
            self._next,
            account,
            0,
            self._next,
            side,
            order_type,
            tif,
            self.ticks.whole(price),
            self.lots.whole(qty),
            trigger=self.ticks.whole(trigger),
            flags=flags,
            stp_mode=stp,
        )

    def rest(
        self, side: int, price: Fraction, qty: Fraction, account: int = MAKER_ACCOUNT
    ) -> Order:
        """Put a maker into the book; ``InputError`` if it would trade there."""
        out: list[Outcome] = []
        order = self.order(side, price, qty, account=account)
        self.engine.submit(order, out)
        if [outcome[0] for outcome in out] != [RESTED]:
            raise InputError("the resting orders of the inputs cross each other")
        return order

    def fills(self, out: list[Outcome]) -> list[list[Fraction]]:
        """Price and quantity of the trades, in order, joined by price."""
        found: list[list[Fraction]] = []
        for outcome in out:
            if outcome[0] == TRADE:
                price, qty = self.ticks.back(outcome[3]), self.lots.back(outcome[4])
                if found and found[-1][0] == price:
                    found[-1][1] += qty
                else:
                    found.append([price, qty])
        return found

    def removed(self, order: Order, out: list[Outcome], *, reason: int = 0) -> Fraction:
        """Quantity of ``order`` that left without trading, for one reason or (0) any."""
        lots = sum(
            outcome[2]
            for outcome in out
            if outcome[0] in (CANCEL, REDUCE) and outcome[1] is order and reason in (0, outcome[3])
        )
        return self.lots.back(lots)


def status(order: Order, out: list[Outcome]) -> str:
    """Final status of an order by what happened to it."""
    traded = any(outcome[0] == TRADE and order in outcome[1:3] for outcome in out)
    for outcome in out:
        if outcome[1] is order and outcome[0] == REJECT:
            return "REJECTED"
        if outcome[1] is order and outcome[0] == CANCEL:
            stp = outcome[3] == int(CancelReason.STP)
            return "EXPIRED_IN_MATCH" if stp else "EXPIRED"
    if order.leaves == 0:
        return "FILLED"
    return "PARTIALLY_FILLED" if traded else _RESTS


def book_rows(given: Inputs) -> list[tuple[int, Fraction, Fraction]]:
    """``(side, price, quantity)`` of every resting level among the inputs."""
    rows = []
    for side, name, touch in ((BUY, "bids", "best_bid"), (SELL, "asks", "best_ask")):
        if given.has(name):
            for k, row in enumerate(given.items(name)):
                where = f"{given.path}.{name}[{k}]"
                if not isinstance(row, list) or len(row) != 2:
                    raise InputError(f"{where}: expected [price, quantity], got {row!r}")
                rows.append((side, number(row[0], where), number(row[1], where)))
        elif given.has(touch):
            qty = given.num(f"{touch}_qty", default=1_000_000)
            rows.append((side, given.num(touch), qty))
    return rows
