"""The numbered rules of the book as properties, each with planted bugs that must be caught."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.errors import InvariantViolation
from exchange_sim.matching.book import OrderBook
from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.matching.level import Level
from exchange_sim.matching.outcomes import RESTED, TRADE, TRANSFER, Outcome
from exchange_sim.model.enums import (
    BUY,
    FLAG_SLIDE,
    FOK,
    GTC,
    GTX,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    StpMode,
)
from exchange_sim.model.order import Order
from tests.oracles.auditor import Auditor

MIRROR = 200
"""Prices are reflected at half of this."""

new_orders = st.fixed_dictionaries(
    {
        "side": st.sampled_from((BUY, SELL)),
        "kind": st.sampled_from((LIMIT, LIMIT, LIMIT, MARKET)),
        "tif": st.sampled_from((GTC, GTC, GTC, IOC, FOK, GTX)),
        "price": st.integers(95, 105),
        "qty": st.integers(1, 12),
        "display": st.sampled_from((0, 0, 0, 1, 3)),
        "slide": st.booleans(),
        "stp": st.sampled_from((0, 0, 1, 2, 3, 4, 5)),
        "account": st.integers(0, 3),
        "bound": st.sampled_from((0, 0, 0, 97, 100, 103)),
    }
)
changes = st.tuples(st.integers(0, 50), st.integers(94, 106), st.integers(0, 14))
operations = st.lists(
    st.one_of(new_orders, new_orders, st.integers(0, 50), changes), min_size=1, max_size=40
)
Operation = dict[str, Any] | int | tuple[int, int, int]


def made(number: int, op: dict[str, Any]) -> Order:
    """The order that an operation describes."""
    limited = op["kind"] == LIMIT
    tif = op["tif"] if limited or op["tif"] == FOK else GTC
    return Order(
        order_id=number,
        account=op["account"],
        instrument=0,
        client_order_id=number,
        side=op["side"],
        order_type=op["kind"],
        time_in_force=tif,
        price=op["price"] if limited else 0,
        qty=op["qty"],
        display=op["display"] if limited else 0,
        flags=FLAG_SLIDE if op["slide"] and tif == GTX else 0,
        stp_mode=op["stp"],
    )


def play(ops: list[Operation], engine: MatchingEngine, groups: list[int] | None = None) -> Auditor:
    """Run operations under the auditor; cancels and changes name the n-th open order."""
    auditor = Auditor(engine, groups=groups)
    engine.book.groups = groups
    for number, op in enumerate(ops, start=1):
        if isinstance(op, dict):
            auditor.submit(made(number, op), op["bound"])
            continue
        resting = [standing.order for standing in auditor.standing.values()]
        if not resting:
            continue
        if isinstance(op, int):
            auditor.cancel(resting[op % len(resting)])
        else:
            auditor.replace(resting[op[0] % len(resting)], op[1], op[2])
    return auditor


def unaudited(ops: list[Operation], engine: MatchingEngine) -> list[Outcome]:
    """As ``play``, with nobody watching: only what happened."""
    out: list[Outcome] = []
    for number, op in enumerate(ops, start=1):
        resting = sorted(engine.book, key=lambda order: order.order_id)
        if isinstance(op, dict):
            engine.submit(made(number, op), out, op["bound"])
        elif resting and isinstance(op, int):
            engine.cancel(resting[op % len(resting)], 1, out)
        elif resting and isinstance(op, tuple):
            engine.replace(resting[op[0] % len(resting)], op[1], op[2], out)
    return out


def mirrored(op: Operation) -> Operation:
    """The same operation with the sides swapped and prices reflected."""
    if isinstance(op, dict):
        bound = MIRROR - op["bound"] if op["bound"] else 0
        return {**op, "side": 1 - op["side"], "price": MIRROR - op["price"], "bound": bound}
    return op if isinstance(op, int) else (op[0], MIRROR - op[1], op[2])


def in_words(outcome: Outcome, *, mirror: bool = False) -> tuple[Any, ...]:
    """An outcome with ids for orders, its price reflected if asked."""
    row = [cell.order_id if isinstance(cell, Order) else cell for cell in outcome]
    if row[0] == TRADE and mirror:
        row[3] = MIRROR - row[3]
    if row[0] == RESTED:
        row.append(0)
    return tuple(row)


@settings(max_examples=60, deadline=None)
@given(operations)
def test_rules_1_to_5_hold(ops: list[Operation]) -> None:
    """No sequence of orders, cancels and changes breaks BOOK-1 to BOOK-5."""
    play(ops, MatchingEngine())
    auditor = play(ops, MatchingEngine(), [0, 0, 1, 1])
    for outcome in auditor.log:
        if outcome[0] == TRANSFER:
            pair = sorted(order.account for order in outcome[1:3])
            assert pair in ([0, 1], [2, 3])
            assert {order.stp_mode for order in outcome[1:3]} == {StpMode.TRANSFER}


@settings(max_examples=40, deadline=None)
@given(operations)
def test_rule_6_mirror_image(ops: list[Operation]) -> None:
    """BOOK-6: sides swapped and prices reflected, the same trades happen in the same order."""
    assert_mirrored(ops, MatchingEngine)


def assert_mirrored(ops: list[Operation], engine: Callable[[], MatchingEngine]) -> None:
    """Compare a run with the run of its mirror image."""
    log = unaudited(ops, engine())
    image = unaudited([mirrored(op) for op in ops], engine())
    assert [in_words(row) for row in log] == [in_words(row, mirror=True) for row in image]


class Crossing(MatchingEngine):
    """Bug: rests what should trade."""

    def submit(self, order: Order, out: list[Outcome], bound: int = 0) -> None:
        if order.order_type == LIMIT and order.time_in_force == GTC:
            self.book.rest(order)
            out.append((RESTED, order))
        else:
            super().submit(order, out, bound)


class ForgetfulBook(OrderBook):
    """Bug: a cancel leaves the level's total as it was."""

    __slots__ = ()

    def remove(self, order: Order) -> None:
        level: Level = order.level
        super().remove(order)
        level.total += order.leaves


class StackBook(OrderBook):
    """Bug: the newest order of a level goes first."""

    __slots__ = ()

    def rest(self, order: Order) -> None:
        super().rest(order)
        queue = order.level.queue
        queue.insert(order.level.head, queue.pop())


class BidStackBook(StackBook):
    """Bug: as above, for bids only."""

    __slots__ = ()

    def rest(self, order: Order) -> None:
        if order.side == BUY:
            super().rest(order)
        else:
            OrderBook.rest(self, order)


class GreedyBook(OrderBook):
    """Bug: trades one tick beyond the limit."""

    __slots__ = ()

    def match(self, taker: Order, limit: int, out: list[Outcome], stp: int = 0) -> int:
        beyond = limit and limit + (1 if taker.side == BUY else -1)
        return super().match(taker, beyond, out, stp)


class BoastfulBook(OrderBook):
    """Bug: says that everything can be filled."""

    __slots__ = ()

    def fillable(self, taker: Order, limit: int, stp: int = 0) -> int:
        return taker.leaves


class TakingPostOnly(MatchingEngine):
    """Bug: a post-only order that would cross trades."""

    def _slide(self, order: Order, out: list[Outcome]) -> None:
        self.book.match(order, order.price, out)


class RestingIoc(MatchingEngine):
    """Bug: the rest of an IOC order rests."""

    def submit(self, order: Order, out: list[Outcome], bound: int = 0) -> None:
        if order.order_type != LIMIT or order.time_in_force != IOC:
            super().submit(order, out, bound)
        elif self.book.match(order, order.price, out, order.stp_mode):
            self.book.rest(order)
            out.append((RESTED, order))


class SilentStp(OrderBook):
    """Bug: orders removed by self-trade prevention are not reported."""

    __slots__ = ()

    def _prevent(
        self, taker: Order, maker: Order, leaves: int, stp: int, out: list[Outcome]
    ) -> int:
        return super()._prevent(taker, maker, leaves, stp, [])


class LeakyBook(OrderBook):
    """Bug: a lot of the last maker disappears with each match."""

    __slots__ = ()

    def match(self, taker: Order, limit: int, out: list[Outcome], stp: int = 0) -> int:
        left = super().match(taker, limit, out, stp)
        maker = out[-1][1] if out else taker
        if maker.level is not None and maker.shown > 1:
            self.reduce(maker, maker.leaves - 1)
        return left


def with_book(book: type[OrderBook]) -> Callable[[], MatchingEngine]:
    """An engine with a planted book."""

    def build() -> MatchingEngine:
        engine = MatchingEngine()
        engine.book = book()
        return engine

    return build


PLANTED = [
    ("BOOK-1", Crossing),
    ("BOOK-2", with_book(ForgetfulBook)),
    ("BOOK-3", with_book(StackBook)),
    ("BOOK-4", with_book(GreedyBook)),
    ("BOOK-4", with_book(BoastfulBook)),
    ("BOOK-4", TakingPostOnly),
    ("BOOK-4", RestingIoc),
    ("BOOK-5", with_book(SilentStp)),
    ("BOOK-5", with_book(LeakyBook)),
]


@pytest.mark.parametrize(("rule", "engine"), PLANTED)
def test_planted_bug_is_caught(rule: str, engine: Callable[[], MatchingEngine]) -> None:
    """A book with that bug is convicted of breaking that rule by ordinary random operations."""
    with pytest.raises(InvariantViolation) as caught:
        hunt(lambda ops: play(ops, engine()))
    assert caught.value.invariant == rule


def test_planted_asymmetry_is_caught() -> None:
    """A queue that differs between bids and asks breaks BOOK-6."""

    with pytest.raises(AssertionError):
        hunt(lambda ops: assert_mirrored(ops, with_book(BidStackBook)))


def hunt(judge: Callable[[list[Operation]], object]) -> None:
    """Run long random operations, the same ones every time, until ``judge`` raises."""
    for seed in range(300):
        judge(random_operations(random.Random(seed)))


def random_operations(dice: random.Random) -> list[Operation]:
    """As the strategy ``operations``, but longer and without the cost of shrinking."""
    ops: list[Operation] = []
    for _ in range(60):
        if dice.random() < 0.2:
            ops.append(dice.randrange(50))
        elif dice.random() < 0.2:
            ops.append((dice.randrange(50), dice.randint(94, 106), dice.randint(0, 14)))
        else:
            ops.append(
                {
                    "side": dice.choice((BUY, SELL)),
                    "kind": dice.choice((LIMIT, LIMIT, LIMIT, MARKET)),
                    "tif": dice.choice((GTC, GTC, GTC, IOC, FOK, GTX)),
                    "price": dice.randint(95, 105),
                    "qty": dice.randint(1, 12),
                    "display": dice.choice((0, 0, 0, 1, 3)),
                    "slide": dice.random() < 0.5,
                    "stp": dice.choice((0, 0, 1, 2, 3, 4, 5)),
                    "account": dice.randrange(4),
                    "bound": dice.choice((0, 0, 0, 97, 100, 103)),
                }
            )
    return ops
