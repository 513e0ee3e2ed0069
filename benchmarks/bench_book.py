"""Speed of the order book alone, through the same ``submit`` and ``cancel`` that ``World`` calls.

Run ``python -m benchmarks.bench_book``; processor time, the best of
several rounds, orders made beforehand.

- calm: new limit orders around the touch, cancels of orders that rest, 10 % marketable orders;
  new orders outnumber cancels by what trades away, so that about 2,000 orders stay in the book
- crash: makers withdraw, the middle falls, and 15 % of the operations are sells that sweep several
  levels of a thin book of about 400 orders
- sweep: one market order through a single level of many makers, per fill
- deep level: cancels all over one level of 40,000 orders, then a change that loses its place
- armed: the calm flow with 20,000 armed stops that it does not reach, and a chain that fires them
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable

from benchmarks.figures import Figure, at_least, at_most
from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.matching.outcomes import Outcome
from exchange_sim.model.enums import BUY, GTC, IOC, LIMIT, MARKET, SELL, STOP_MARKET
from exchange_sim.model.order import Order

OPERATIONS = 200_000
LEVELS = 40
ROUNDS = 7
ACCOUNTS = 50

Flow = tuple[list[Order], list[tuple[bool, Order]]]
"""Orders that rest before the clock starts, and the operations: cancel or submit, and the order."""


class FlowMaker:
    """Makes a flow whose cancels hit: a scratch engine tells which orders rest at that point."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.engine = MatchingEngine()
        self.specs: list[tuple[bool, int]] = []
        self.orders: list[tuple[int, ...]] = []
        self.resting: list[int] = []
        self.live: dict[int, Order] = {}

    def new(self, side: int, kind: int, tif: int, price: int, qty: int) -> None:
        """Submit a new order."""
        number = len(self.orders)
        self.orders.append((number, number % ACCOUNTS, 0, number, side, kind, tif, price, qty))
        order = Order(*self.orders[-1])
        self.specs.append((False, number))
        self.engine.submit(order, [])
        if order.level is not None:
            self.live[number] = order
            self.resting.append(number)

    def cancel(self, keep: int) -> bool:
        """Cancel a random resting order, if more than ``keep`` rest."""
        resting = self.resting
        while len(self.engine.book) > keep:
            at = self.dice.randrange(len(resting))
            resting[at], resting[-1] = resting[-1], resting[at]
            number = resting.pop()
            order = self.live.pop(number)
            if order.level is not None:
                self.engine.cancel(order, 1, [])
                self.specs.append((True, number))
                return True
        return False

    def fresh(self, before: int) -> Flow:
        """New orders for one round; the first ``before`` operations make the starting book."""
        made = [Order(*fields) for fields in self.orders]
        operations = [(cancels, made[number]) for cancels, number in self.specs]
        return [order for _, order in operations[:before]], operations[before:]


def calm(maker: FlowMaker) -> int:
    """Balanced flow around a middle that stays."""
    dice, middle = maker.dice, 10_000
    for distance in range(1, LEVELS):
        for _ in range(25):
            maker.new(BUY, LIMIT, GTC, middle - distance, dice.randint(1, 20))
            maker.new(SELL, LIMIT, GTC, middle + distance, dice.randint(1, 20))
    before = len(maker.specs)
    while len(maker.specs) < before + OPERATIONS:
        chance, side = dice.random(), dice.getrandbits(1)
        sign = 1 if side == SELL else -1
        if chance < 0.45 and maker.cancel(keep=2_000):
            continue
        if chance < 0.90:
            distance = 1 + int(dice.expovariate(1 / 8))
            maker.new(side, LIMIT, GTC, middle + sign * distance, dice.randint(1, 20))
        elif chance < 0.95:
            maker.new(side, MARKET, GTC, 0, dice.randint(1, 40))
        else:
            maker.new(side, LIMIT, IOC, middle - sign * 3, dice.randint(1, 40))
    return before


def crash(maker: FlowMaker) -> int:
    """A falling middle, withdrawn quotes and sells that sweep; sweeping sells are 15 %."""
    dice, middle = maker.dice, 100_000
    for distance in range(1, 400):
        maker.new(BUY, LIMIT, GTC, middle - 3 * distance, dice.randint(1, 20))
        maker.new(SELL, LIMIT, GTC, middle + distance, dice.randint(1, 20))
    before = len(maker.specs)
    while len(maker.specs) < before + OPERATIONS:
        chance = dice.random()
        best = maker.engine.book.best_bid or middle
        if chance < 0.42 and maker.cancel(keep=400):
            continue
        if chance < 0.85:
            side = SELL if dice.random() < 0.3 else BUY
            gap = 1 + int(dice.expovariate(1 / 60))
            price = best + gap if side == SELL else max(1, best - gap)
            maker.new(side, LIMIT, GTC, price, dice.randint(1, 20))
        else:
            maker.new(SELL, MARKET, GTC, 0, dice.randint(1, 60))
    return before


def drive(engine: MatchingEngine, operations: list[tuple[bool, Order]]) -> float:
    """Seconds for the operations; outcomes are collected as ``World`` collects them."""
    submit, cancel = engine.submit, engine.cancel
    started = time.process_time()
    for cancels, order in operations:
        out: list[Outcome] = []
        if cancels:
            cancel(order, 1, out)
        else:
            submit(order, out)
    return time.process_time() - started


Prepared = tuple[FlowMaker, int]
"""A flow and how many of its operations make the starting book."""


def prepare(shape: Callable[[FlowMaker], int]) -> Prepared:
    """Make a flow, to be driven any number of times."""
    maker = FlowMaker(seed=7)
    return maker, shape(maker)


def drive_once(flow: Prepared, armed: int = 0) -> float:
    """Seconds of one round of a flow, with so many armed stops out of its reach."""
    maker, before = flow
    first, operations = maker.fresh(before)
    engine = MatchingEngine()
    for order in first:
        engine.submit(order, [])
    for number in range(armed):
        id, side = 10**9 + number, number % 2
        trigger = 10 + number % 997 if side == SELL else 10**6 + number % 997
        engine.submit(Order(id, 0, 0, id, side, STOP_MARKET, 0, 0, 1, 0, trigger), [])
    gc.collect()
    gc.disable()
    seconds = drive(engine, operations)
    gc.enable()
    engine.book.check()
    return seconds


def bench_flows(*flows: Prepared, armed: int = 0) -> list[float]:
    """Operations per second of each flow; rounds alternate, so that all meet the same machine."""
    best = [float("inf")] * len(flows)
    for _ in range(ROUNDS):
        for k, flow in enumerate(flows):
            best[k] = min(best[k], drive_once(flow, armed))
    return [OPERATIONS / seconds for seconds in best]


def sweep_once(makers: int) -> float:
    """Nanoseconds per fill of one market order through a single level."""
    engine = MatchingEngine()
    for number in range(makers):
        engine.submit(Order(number, 1, 0, number, BUY, LIMIT, GTC, 100, 3), [])
    taker = Order(makers, 2, 0, makers, SELL, MARKET, GTC, 0, 3 * makers)
    out: list[Outcome] = []
    gc.collect()
    gc.disable()
    started = time.process_time()
    engine.submit(taker, out)
    seconds = time.process_time() - started
    gc.enable()
    return seconds / makers * 1e9


def bench_sweeps(*sizes: int) -> dict[int, float]:
    """Nanoseconds per fill by number of makers; rounds alternate."""
    best = dict.fromkeys(sizes, float("inf"))
    for _ in range(2 * ROUNDS):
        for makers in sizes:
            best[makers] = min(best[makers], sweep_once(makers))
    return best


def bench_deep_level(orders: int) -> tuple[float, float]:
    """Nanoseconds per cancel in random order in one level, and per change that goes to the back."""
    cancels = changes = float("inf")
    for _ in range(ROUNDS):
        engine = MatchingEngine()
        made = [Order(n, 1, 0, n, BUY, LIMIT, GTC, 100, 3) for n in range(orders)]
        for order in made:
            engine.submit(order, [])
        random.Random(3).shuffle(made)
        out: list[Outcome] = []
        started = time.process_time()
        for order in made[:1_000]:
            engine.replace(order, 100, 4, out)
        changes = min(changes, (time.process_time() - started) / 1_000)
        started = time.process_time()
        for order in made:
            engine.cancel(order, 1, out)
        cancels = min(cancels, (time.process_time() - started) / orders)
    return cancels * 1e9, changes * 1e9


def bench_cascade(stops: int) -> float:
    """Nanoseconds per stop in a chain where each fired stop prints what fires the next."""
    best = float("inf")
    for _ in range(3):
        engine = MatchingEngine()
        for n in range(stops + 2):
            engine.submit(Order(n, 1, 0, n, BUY, LIMIT, GTC, 10**6 - n, 1), [])
        for n in range(stops):
            id = 10**6 + n
            trigger = 10**6 - n
            engine.submit(Order(id, 2, 0, id, SELL, STOP_MARKET, 0, 0, 1, 0, trigger), [])
        out: list[Outcome] = []
        started = time.process_time()
        engine.run(Order(10**7, 3, 0, 10**7, SELL, MARKET, GTC, 0, 1), out)
        best = min(best, time.process_time() - started)
        assert not engine.stops.orders
    return best / stops * 1e9


def figures() -> list[Figure]:
    """The figures that have targets."""
    quiet, wild = (speed / 1e6 for speed in bench_flows(prepare(calm), prepare(crash)))
    fills = bench_sweeps(5_000, 10_000, 40_000)
    rows = [
        at_least("book alone, calm flow", quiet, 1.5, "M operations/s", 2),
        at_least("  crash flow, of that", wild / quiet, 0.5, "x", 2),
    ]
    for makers, nanos in fills.items():
        rows.append(Figure(f"  sweep of {makers:,} makers in one level", f"{nanos:,.0f} ns/fill"))
    worst = max(fills.values()) / min(fills.values())
    return [*rows, at_most("  dearest sweep over cheapest", worst, 1.5, "x", 2)]


def main() -> None:
    """Print all figures."""
    calm_flow = prepare(calm)
    quiet, wild = bench_flows(calm_flow, prepare(crash))
    print(f"calm flow                 {quiet / 1e6:6.2f} M operations/s")
    print(
        f"crash flow                {wild / 1e6:6.2f} M operations/s ({wild / quiet:.0%} of calm)"
    )
    (armed,) = bench_flows(calm_flow, armed=20_000)
    print(f"calm with 20,000 stops    {armed / 1e6:6.2f} M operations/s ({armed / quiet:.0%})")
    for makers, nanos in bench_sweeps(5_000, 10_000, 40_000).items():
        print(f"sweep of {makers:6,} makers   {nanos:6.0f} ns/fill")
    for orders in (1_000, 40_000):
        cancels, changes = bench_deep_level(orders)
        print(f"level of {orders:6,} orders   {cancels:6.0f} ns/cancel, {changes:.0f} ns/change")
    print(f"chain of 20,000 stops     {bench_cascade(20_000):6.0f} ns/stop")


if __name__ == "__main__":
    main()
