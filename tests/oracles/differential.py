"""The same random operations for the real engine and its naive twin, compared after each."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.matching.outcomes import CANCEL, REDUCE, REJECT, RESTED, TRADE, TRIGGER, Outcome
from exchange_sim.messages.reasons import CancelReason
from exchange_sim.model import enums
from exchange_sim.model.enums import OrderType, Side, StpMode, TimeInForce
from exchange_sim.model.order import Order
from tests.oracles.naive_book import Entry, NaiveMarket

PROTECT_PPM = 40_000
CHECK_EVERY = 16
REASONED = {"cancel", "reduce", "reject"}
TRIGGERS = [kind for kind in OrderType if kind > OrderType.MARKET]


@dataclass(frozen=True)
class Shape:
    """What kind of market the random operations make."""

    name: str
    width: int
    """Limit prices lie up to this many ticks from the middle."""
    cancels: float
    replaces: float
    markets: float
    triggers: float
    drift: int
    """Most that the middle moves after an operation, in ticks."""
    open_max: int
    """Above this many open orders the oldest ones are cancelled."""


SHAPES = (
    Shape("calm", 8, 0.15, 0.12, 0.10, 0.05, 0, 40),
    Shape("crash", 25, 0.05, 0.05, 0.20, 0.25, 2, 60),
    Shape("deep level", 1, 0.10, 0.20, 0.08, 0.05, 0, 60),
)


def named(outcome: Outcome) -> tuple[Any, ...]:
    """An outcome of the real engine in the twin's words."""
    kind, order = outcome[0], outcome[1]
    if kind == TRADE:
        _, maker, taker, price, qty, maker_left, taker_left = outcome
        return ("trade", taker.order_id, maker.order_id, price, qty, maker_left, taker_left)
    if kind in {CANCEL, REDUCE}:
        return ("cancel" if kind == CANCEL else "reduce", order.order_id, *outcome[2:])
    if kind == RESTED:
        return ("rest", order.order_id, order.price)
    if kind == REJECT:
        return ("reject", order.order_id, outcome[2])
    assert kind == TRIGGER
    return ("trigger", order.order_id)


class Pair:
    """The real engine and the twin under one stream of operations."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self.shape = shape
        self.random = random.Random(f"{shape.name}/{seed}")
        self.engine = MatchingEngine()
        self.engine.protect_ppm = PROTECT_PPM
        self.naive = NaiveMarket(PROTECT_PPM)
        self.orders: dict[int, Order] = {}
        self.next_id = 1
        self.middle = 1_000
        self.out: list[Outcome] = []
        self.steps = 0
        self.seen: Counter[tuple[str, int]] = Counter()

    def step(self) -> None:
        """One random operation on both."""
        dice, shape = self.random, self.shape
        self.middle = max(60, self.middle + dice.randint(-shape.drift, shape.drift))
        chance = dice.random()
        if len(self.orders) > shape.open_max:
            self.mass_cancel(list(self.orders)[: shape.open_max // 2])
        elif chance < shape.cancels and self.orders:
            self.cancel(dice.choice(list(self.orders)))
        elif chance < shape.cancels + shape.replaces and self.orders:
            self.replace(dice.choice(list(self.orders)))
        elif chance > (0.95 if self.engine.auction else 0.997):
            self.switch_auction()
        elif chance > 0.97:
            mark = self.middle + dice.randint(-30, 30)
            self.engine.set_mark(mark)
            self.engine.run_triggered(self.out)
            self.naive.set_mark(mark)
        elif chance > 0.965:
            owner = dice.randrange(5)
            mine = [id for id, order in self.orders.items() if order.account == owner]
            self.mass_cancel(mine)
        else:
            self.enter()
        self.compare()

    def enter(self) -> None:
        """A random new order."""
        dice, shape = self.random, self.shape
        side = Side(dice.getrandbits(1))
        kind, tif = OrderType.LIMIT, TimeInForce(dice.choice((0, 0, 0, 0, 1, 2, 3, 3, 4)))
        chance = dice.random()
        if chance < shape.triggers:
            kind = dice.choice(TRIGGERS)
        elif chance < shape.triggers + shape.markets and not self.engine.auction:
            kind = OrderType.MARKET
        limited = kind in {OrderType.LIMIT, OrderType.STOP, OrderType.TAKE_PROFIT}
        if not limited:
            tif = TimeInForce(dice.choice((0, 0, 2)))
        if self.engine.auction and tif in {TimeInForce.IOC, TimeInForce.FOK}:
            tif = TimeInForce.GTC
        lean = -shape.width // 3 if side == Side.BUY else shape.width // 3
        trailing = kind == OrderType.TRAILING_STOP_MARKET
        trigger = self.middle + dice.randint(-20, 20) if kind > OrderType.MARKET else 0
        order = Entry(
            id=self.next_id,
            owner=dice.randrange(5),
            side=side,
            kind=kind,
            tif=tif,
            price=self.middle + lean + dice.randint(-shape.width, shape.width) if limited else 0,
            open=dice.randint(1, 12) * dice.choice((1, 1, 1, 5)),
            display=dice.randint(1, 6) if limited and dice.random() < 0.2 else 0,
            trigger=0 if trailing and dice.random() < 0.6 else trigger,
            ppm=dice.choice((1_000, 5_000, 10_000, 33_333)) if trailing else 0,
            flags=self.flags(kind, tif),
            stp=StpMode(dice.choice((0, 0, 1, 2, 3, 4))),
        )
        self.next_id += 1
        away = dice.randint(-5, shape.width)
        bound = self.middle + (away if side == Side.BUY else -away) if dice.random() < 0.1 else 0
        if kind > OrderType.MARKET:
            bound = 0
        self.engine.run(self.real(order), self.out, bound)
        self.naive.enter(order, bound)

    def flags(self, kind: OrderType, tif: TimeInForce) -> int:
        """Random flags that mean something for the order."""
        dice, flags = self.random, 0
        if tif == TimeInForce.GTX and dice.random() < 0.5:
            flags |= enums.FLAG_SLIDE
        if kind > OrderType.MARKET:
            flags |= enums.FLAG_MARK_TRIGGER if dice.random() < 0.3 else 0
            flags |= enums.FLAG_PRICE_PROTECT if dice.random() < 0.3 else 0
        return flags

    def real(self, order: Entry) -> Order:
        """The order of the twin as an order of the product."""
        made = Order(
            order_id=order.id,
            account=order.owner,
            instrument=0,
            client_order_id=order.id,
            side=int(order.side),
            order_type=int(order.kind),
            time_in_force=int(order.tif),
            price=order.price,
            qty=order.open,
            display=order.display,
            trigger=order.trigger,
            trailing_ppm=order.ppm,
            flags=order.flags,
            stp_mode=int(order.stp),
        )
        self.orders[order.id] = made
        return made

    def cancel(self, id: int) -> None:
        """Cancel an open order on both."""
        self.engine.cancel(self.orders[id], int(CancelReason.USER), self.out)
        self.naive.cancel(id)

    def mass_cancel(self, ids: list[int]) -> None:
        """Cancel several orders on both."""
        self.engine.mass_cancel([self.orders[id] for id in ids], self.out)
        self.naive.mass_cancel(ids)

    def replace(self, id: int) -> None:
        """Change the price, the open quantity, both or nothing."""
        order, dice = self.orders[id], self.random
        price, qty = order.price, order.leaves
        if dice.random() < 0.5 and price:
            price = max(1, price + dice.randint(-self.shape.width, self.shape.width))
        if dice.random() < 0.6:
            qty = max(0, qty + dice.randint(-6, 3))
        self.engine.replace(order, price, qty, self.out)
        self.engine.run_triggered(self.out)
        self.naive.replace(id, price, qty)

    def switch_auction(self) -> None:
        """Halt for a call auction, or end it."""
        if not self.engine.auction:
            self.engine.auction = self.naive.auction = True
            return
        price = self.engine.uncross(self.out)
        self.engine.run_triggered(self.out)
        assert price == self.naive.uncross()

    def compare(self) -> None:
        """Both must have done the same and stand the same; the real book must be sound."""
        happened = [named(outcome) for outcome in self.out]
        assert happened == self.naive.log, (happened, self.naive.log)
        book = self.engine.book
        stand = [(order.order_id, order.price, order.leaves, order.shown) for order in book]
        assert stand == self.naive.state()
        armed = sorted(order.id for order in self.naive.armed)
        assert sorted(self.engine.stops.orders) == armed
        assert book.last_price == self.naive.last
        self.steps += 1
        if self.steps % CHECK_EVERY == 0:
            book.check(crossed=self.engine.auction)
        for row in happened:
            self.seen[(row[0], row[-1]) if row[0] in REASONED else (row[0], 0)] += 1
            for id in row[1:3] if row[0] == "trade" else row[1:2]:
                order = self.orders.get(id)
                if order and order.level is None and id not in self.engine.stops.orders:
                    del self.orders[id]
        self.out.clear()
        self.naive.log.clear()


def run(shape: Shape, operations: int, seed: int) -> Pair:
    """So many random operations of a shape; raises ``AssertionError`` at the first difference."""
    pair = Pair(shape, seed)
    for number in range(operations):
        try:
            pair.step()
        except Exception as error:
            error.add_note(f"shape {shape.name!r}, seed {seed}, operation {number}")
            raise
    return pair
